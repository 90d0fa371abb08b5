"""Running one notebook: parameters checked, the executed copy whole or absent, and which modules it needs."""

import os
import subprocess
import sys

import nbformat
import pytest

from realnet.errors import InvalidInput, MissingInput
from realnet.notebook import NotebookFailed, check_parameters, main, modules_of, read_parameters, run_notebook

PARAMETERS = 'study = "demo"\nsubject = 1\nbeta = 40.0\nshuffled = False'


@pytest.fixture
def notebook(tmp_path):
    """Writes a notebook with the given code cells after its parameters cell, and returns its path."""

    def write(*codes, parameters=PARAMETERS):
        cells = [nbformat.v4.new_code_cell(code) for code in (parameters, *codes)]
        cells[0].metadata["tags"] = ["parameters"]
        path = tmp_path / "source.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return write


def outputs(path):
    return "".join(o.get("text", "") for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", []))


def test_parameters_reach_the_notebook_and_threads_reach_its_libraries(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    before = dict(os.environ)
    source = notebook("import os\nprint(study, subject, beta, shuffled, os.environ['OMP_NUM_THREADS'])")
    executed, log = tmp_path / "a" / "executed.ipynb", tmp_path / "b" / "log.ipynb"
    run_notebook(source, executed, log, {"study": "paper", "subject": 2, "beta": 40, "shuffled": True}, threads=3)
    assert outputs(executed) == "paper 2 40.0 True 3\n" and dict(os.environ) == before
    assert sorted(p.name for p in tmp_path.rglob("*.ipynb")) == ["executed.ipynb", "source.ipynb"]


def test_a_failing_cell_leaves_its_traceback_at_the_log_and_nothing_at_the_target(notebook, tmp_path, capsys):
    source = notebook("1 / 0")
    executed, log = tmp_path / "executed.ipynb", tmp_path / "log.ipynb"
    before = dict(os.environ)
    assert main([str(source), str(executed), str(log), "study=demo", "--threads", "1"]) == 1
    assert dict(os.environ) == before
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ") and len(said.splitlines()) == 1
    assert all(word in said for word in (str(source), "ZeroDivisionError", str(log)))
    assert "ZeroDivisionError" in str(nbformat.read(log, 4).cells[-1].outputs)
    assert not executed.exists() and not list(tmp_path.glob(".*partial*"))


def test_a_kernel_that_dies_gets_a_sentence(notebook, tmp_path):
    source = notebook("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(NotebookFailed, match=r"the kernel of .*source\.ipynb died"):
        run_notebook(source, tmp_path / "executed.ipynb", tmp_path / "log.ipynb")
    assert (tmp_path / "log.ipynb").is_file() and not (tmp_path / "executed.ipynb").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"subjct": 2}, ["no parameter 'subjct'", "did you mean 'subject'"]),
        ({"subject": "two"}, ["'subject' must be int", "'two'"]),
        ({"subject": True}, ["'subject' must be int", "True"]),
        ({"beta": "high"}, ["'beta' must be float", "'high'"]),
        ({"shuffled": 1}, ["'shuffled' must be bool", "1"]),
        ({"study": 3}, ["'study' must be str", "3"]),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(notebook, tmp_path, given, words):
    source = notebook("raise SystemExit")
    with pytest.raises(InvalidInput) as error:
        run_notebook(source, tmp_path / "executed.ipynb", tmp_path / "log.ipynb", given)
    assert all(word in str(error.value) for word in [*words, str(source)])
    assert [p.name for p in tmp_path.iterdir()] == ["source.ipynb"]


@pytest.mark.parametrize(
    "parameters", ["a = 1\nb = 2 * a", "import os", "a = [x for x in 'ab']", "a.b = 1", "a =", "print(1)"]
)
def test_a_parameters_cell_with_more_than_literals_is_refused(notebook, parameters):
    with pytest.raises(InvalidInput, match="must hold only lines such as"):
        read_parameters(notebook(parameters=parameters))


def test_defaults_are_read_as_literals(notebook):
    source = notebook(parameters="study: str = 'demo'  # which\nbeta = -4.5\nlayers = ('V1', 'IT')\nnone = None")
    assert read_parameters(source) == {"study": "demo", "beta": -4.5, "layers": ("V1", "IT"), "none": None}


def test_files_that_are_no_notebooks_get_one_sentence(tmp_path):
    broken = tmp_path / "broken.ipynb"
    broken.write_text('{"cells": [')
    with pytest.raises(InvalidInput, match=r"broken\.ipynb is not a notebook"):
        read_parameters(broken)
    with pytest.raises(MissingInput, match=r"no notebook .*absent\.ipynb"):
        read_parameters(tmp_path / "absent.ipynb")
    broken.write_text('{"cells": []}')
    with pytest.raises(InvalidInput, match="one cell tagged 'parameters', not 0"):
        read_parameters(broken)


def test_an_injected_name_that_the_notebook_does_not_have_is_refused():
    with pytest.raises(InvalidInput, match=r"no parameter 'seeed'; did you mean 'seed'"):
        check_parameters({"seed": 0, "seeed": 1}, "seed")
    with pytest.raises(InvalidInput, match="'beta' is not set"):
        check_parameters({"seed": 0}, "seed beta")


def test_cells_run_again_by_hand_are_not_refused(notebook, tmp_path):
    code = "from realnet.notebook import check_parameters\n" + 'check_parameters(globals(), "study")'
    source = notebook(code, "rois = ['V1']", code, "print('both passed')", parameters='study = "demo"')
    subprocess.run(
        [sys.executable, "-m", "realnet.notebook", source, tmp_path / "e.ipynb", tmp_path / "l.ipynb"], check=True
    )
    assert outputs(tmp_path / "e.ipynb") == "both passed\n"


def test_papermill_with_an_unknown_parameter_stops_at_the_check(notebook, tmp_path):
    code = "from realnet.notebook import check_parameters\n" + 'check_parameters(globals(), "study")'
    command = [sys.executable, "-m", "papermill", notebook(code, parameters='study = "demo"'), tmp_path / "e.ipynb"]
    done = subprocess.run(
        [*command, "-k", "python3", "-l", "python", "-p", "sutdy", "x"], capture_output=True, text=True
    )
    assert done.returncode != 0 and "no parameter 'sutdy'; did you mean 'study'?" in done.stderr


def test_modules_of_follows_imports_wherever_they_stand(notebook, tmp_path):
    package = tmp_path / "house"
    files = {
        "__init__.py": "",
        "a.py": "def late():\n    from house.inner import c\n",
        "b.py": "import numpy\n",
        "inner/__init__.py": "from .d import x\n",
        "inner/c.py": "from .. import e\n",
        "inner/d.py": "x = 1\n",
        "e.py": "import house.f as f\n",
        "f.py": "from house.a import late\n",  # a circle
        "unused.py": "",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    source = notebook("%matplotlib inline\nfrom house.a import late\n!ls", "import os, house.b")
    found = {str(p.relative_to(package)) for p in modules_of(source, package)}
    assert found == set(files) - {"unused.py"}
    assert modules_of(notebook("import numpy"), package) == []
    assert modules_of(tmp_path / "absent.ipynb", package) == []
