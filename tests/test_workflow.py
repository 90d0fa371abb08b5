"""The graph of the study: what runs, what runs again after an edit, and what a failure leaves behind.

A copy of the repository holds small notebooks under the real names that write the files the real ones do, so the real
Snakefile runs from end to end within seconds.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
STUDY = {
    "name": "small",
    "description": "One subject.",
    "raw": "data/raw/simulated",
    "simulated": {"seed": 0},
    "fmri": {"subjects": [2]},
    "training": {"betas": [40], "shuffled": False},
}
STEMS = {(0, 0.0): "cornet", (2, 0.0): "sub-02_beta-0_seed-0", (2, 40.0): "sub-02_beta-40_seed-0"}
TABLES, PREPARED = "results/small/tables", "data/prepared/small"
WRITES = {
    "00_simulated_data": ["data/raw/simulated/simulation.json"],
    "01_data": [
        f"{PREPARED}/targets_sub-02.nc",
        *[f"{PREPARED}/{n}_rdms.nc" for n in ("shen2019", "horikawa2017", "things_eeg2", "things_dimensions")],
        f"{TABLES}/reliability.csv",
    ],
    "02_training": [
        "results/small/networks/{stem}.safetensors",
        "results/small/rdms/{stem}.nc",
        f"{TABLES}/training/{{stem}}.csv",
    ],
    "03_fmri_within_subject": [f"{TABLES}/fmri_within_subject.csv"],
    "04_fmri_across_subjects": [f"{TABLES}/fmri_across_subjects.csv"],
    "05_eeg": [f"{TABLES}/eeg.csv"],
    "06_object_dimensions": [f"{TABLES}/object_dimensions.csv"],
    "07_behavior": [f"{TABLES}/behavior.csv"],
    "08_beta_sweep": [f"{TABLES}/beta_sweep.csv"],
    "09_paper_and_release": [f"{TABLES}/choices.csv"],
    "10_objects92": [f"{TABLES}/objects92.csv"],
    "11_calibration": [f"{TABLES}/calibration.csv"],
    "12_speed": [f"{TABLES}/speed.csv"],
    "13_paper_beside_ours": [f"{TABLES}/paper.csv"],
    "14_robustness": [f"{TABLES}/robustness.csv"],
    "15_scale": [f"{TABLES}/scale.csv"],
    "index": [f"{TABLES}/summary.csv"],
}
GRAPH = (REPOSITORY / "Snakefile").read_text(encoding="utf-8")
WRITES = {name: files for name, files in WRITES.items() if f'"{name}"' in GRAPH}
CHAPTERS = sorted(set(WRITES) - {"02_training"})
SUMMARIES = {
    name.split("_", 1)[-1] for name in ("index", "13_paper_beside_ours") if name in WRITES
}  # they read all tables


def write_notebook(folder, name, extra=""):
    """A notebook of the study's name and parameters that writes what the study's notebook writes."""
    parameters = 'study = "demo"'
    if name == "02_training":
        parameters += "\nsubject = 1\nbeta = 40.0\nseed = 0\nshuffled = False"
    code = [
        "from pathlib import Path",
        f"stem = {STEMS}.get((globals().get('subject'), globals().get('beta')))",
        f"for file in {WRITES[name]}:",
        "    path = Path(file.format(stem=stem))",
        "    path.parent.mkdir(parents=True, exist_ok=True)",
        "    if path.suffix == '.nc':",
        "        import h5py",
        "        h5py.File(path, 'w').create_group('natural').file.close()",
        "    elif path.suffix == '.safetensors':",
        "        path.write_bytes(bytes([2, 0, 0, 0, 0, 0, 0, 0]) + b'{}')",
        "    else:",
        "        path.write_text(str(path))",
        extra,
    ]
    cells = [nbformat.v4.new_code_cell(parameters), nbformat.v4.new_code_cell("\n".join(code))]
    cells[0].metadata["tags"] = ["parameters"]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # random otherwise, so that the same notebook would be another file
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebooks" / f"{name}.ipynb")


def make_repository(folder):
    """A copy of the repository with small notebooks, in which the study ``small`` has run."""
    for name in ("realnet", "profiles"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "Snakefile", folder)
    (folder / "realnet" / "of_eeg.py").write_text("from .of_of_eeg import numbers\n")
    (folder / "realnet" / "of_of_eeg.py").write_text("import numbers\n")
    shutil.copytree(REPOSITORY / "studies", folder / "studies")
    (folder / "studies" / "small.yml").write_text(yaml.safe_dump(STUDY))
    (folder / "experiments" / "results").mkdir(parents=True)
    for name in re.findall(r'kept\("(\w+)"\)', GRAPH):  # tables that chapters only show
        for ending in ("csv", "json"):
            (folder / "experiments" / "results" / f"{name}.{ending}").touch()
    (folder / "notebooks").mkdir()
    for name in WRITES:
        write_notebook(folder, name, "import realnet.of_eeg" if name == "05_eeg" else "")
    done = run_study(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return make_repository(tmp_path_factory.mktemp("repository"))


def environment(folder):
    """The copy's own ``realnet``, and no real data."""
    cleared = {k: v for k, v in os.environ.items() if k not in ("REALNET_ROOT", "REALNET_DATA")}
    return {**cleared, "PYTHONPATH": str(folder), "REALNET_DATA": str(folder / "nowhere")}


def run_study(folder, *arguments, root=None):
    """Run the study in the copy, or with its results in ``root``."""
    command = [sys.executable, "-m", "realnet.workflow", "small", "--cores", "2", *arguments]
    variables = environment(folder) | ({"REALNET_ROOT": str(root)} if root else {})
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


def planned(folder):
    """The rules that ``snakemake -n`` would run."""
    command = [sys.executable, "-m", "snakemake", "-n", "--config", "study=small"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return set(re.findall(r"^(\w+) +\d+$", done.stdout, re.MULTILINE)) - {"total", "all"}, done.stdout + done.stderr


def rewrite(path, old, new):
    """Edit a file; its time must move on, as that of a file edited by hand does."""
    path.write_text(path.read_text().replace(old, new))
    os.utime(path, (time.time() + 2, time.time() + 2))


def test_every_declared_result_and_every_executed_notebook_is_there(repository):
    files = [f.format(stem=stem) for files in WRITES.values() for f in files for stem in STEMS.values()]
    notebooks = CHAPTERS + [f"02_training/{stem}" for stem in STEMS.values()]
    missing = [
        f for f in files + [f"results/small/notebooks/{n}.ipynb" for n in notebooks] if not (repository / f).is_file()
    ]
    assert not missing
    assert not list((repository / "results/small/logs").rglob("*.ipynb"))
    assert "(100%) done" in (repository / "results/small/logs/snakemake.log").read_text()


def test_the_training_notebook_got_the_parameters_of_its_network(repository):
    executed = repository / "results/small/notebooks/02_training"
    given = {p.stem: nbformat.read(p, 4).metadata["papermill"]["parameters"] for p in executed.glob("*.ipynb")}
    assert given["cornet"] == {"study": "small", "subject": 0, "beta": 0.0, "seed": 0, "shuffled": False}
    assert given["sub-02_beta-40_seed-0"] == {
        "study": "small",
        "subject": 2,
        "beta": 40.0,
        "seed": 0,
        "shuffled": False,
    }
    assert set(given) == set(STEMS.values())


def test_nothing_to_do_after_a_finished_run(repository):
    rules, said = planned(repository)
    assert not rules and "Nothing to be done" in said


def test_an_edited_notebook_reruns_what_reads_its_results_and_nothing_else(repository):
    try:
        rewrite(repository / "notebooks/03_fmri_within_subject.ipynb", "from pathlib", "# edited\\nfrom pathlib")
        assert planned(repository)[0] == {"fmri_within_subject", "fmri_across_subjects"} | SUMMARIES
    finally:
        write_notebook(repository, "03_fmri_within_subject")
    assert not planned(repository)[0]


def test_an_edited_module_reruns_the_notebook_that_imports_it_and_nothing_else(repository):
    module = repository / "realnet" / "of_of_eeg.py"
    before = module.read_text()
    try:
        rewrite(module, "import numbers", "import numbers  # edited")
        assert planned(repository)[0] == {"eeg"} | SUMMARIES
    finally:
        module.write_text(before)
    assert not planned(repository)[0]


def test_edited_settings_rerun_the_whole_study(repository):
    file = repository / "studies" / "small.yml"
    before = file.read_text()
    try:
        rewrite(file, "seed: 0", "seed: 1")
        assert {"simulated_world", "data", "network", "index"} <= planned(repository)[0]
    finally:
        file.write_text(before)


def test_a_failed_notebook_fails_the_run_and_leaves_its_traceback_where_the_message_says(repository):
    table = repository / TABLES / "object_dimensions.csv"
    try:
        write_notebook(repository, "06_object_dimensions", "raise RuntimeError('the scanner is on fire')")
        done = run_study(repository)
        assert done.returncode == 1
        sentence = next(line for line in (done.stdout + done.stderr).splitlines() if "scanner is on fire" in line)
        log = repository / re.search(r"results/\S+\.ipynb", sentence)[0]
        assert log == repository / "results/small/logs/06_object_dimensions.ipynb"
        assert "RuntimeError" in str(nbformat.read(log, 4).cells[-1].outputs)
        assert not table.exists() and not (repository / "results/small/notebooks/06_object_dimensions.ipynb").exists()
        assert done.stderr.count("Traceback") == 0
    finally:
        write_notebook(repository, "06_object_dimensions")
    assert run_study(repository).returncode == 0
    assert table.is_file() and not log.exists()


def test_a_lock_left_by_a_killed_run_is_cleared(repository):
    write_notebook(repository, "index", "import time; time.sleep(60)")
    command = [sys.executable, "-m", "realnet.workflow", "small"]
    run = subprocess.Popen(
        command, cwd=repository, env=environment(repository), start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        locks, deadline = repository / ".snakemake" / "locks", time.monotonic() + 60
        while not any(locks.glob("*.lock")) and time.monotonic() < deadline:
            time.sleep(0.1)
        refused = run_study(repository)
        assert refused.returncode == 1 and "another run of a study is alive" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        write_notebook(repository, "index")
    assert any(locks.glob("*.lock"))
    done = run_study(repository)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--profile", "moon"], ["no profile 'moon'", "default"]),
    ],
)
def test_wrong_arguments_get_one_sentence(repository, arguments, words):
    done = run_study(repository, *arguments)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in words)


def test_wrong_settings_get_one_sentence_and_nothing_runs(repository, tmp_path):
    own = tmp_path / "own.yml"
    own.write_text(yaml.safe_dump({**STUDY, "name": "own", "trainings": {}}))
    command = [sys.executable, "-m", "realnet.workflow", str(own)]
    done = subprocess.run(command, cwd=repository, env=environment(repository), capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "unknown key 'trainings'" in done.stderr and "did you mean 'training'" in done.stderr
    assert not (repository / "results" / "own").exists()


def test_a_file_that_no_notebook_makes_is_named(repository):
    kept, executed = repository / "experiments/results", repository / "results/small/notebooks/08_beta_sweep.ipynb"
    executed.unlink()
    kept.rename(kept.with_name("elsewhere"))
    try:
        done = run_study(repository)
        assert done.returncode == 1 and len(done.stderr.splitlines()) <= 2  # what is left to do, and why it is not done
        assert re.search(r"experiments/results/\w+\.\w+ is missing, and no notebook makes it", done.stderr)
    finally:
        kept.with_name("elsewhere").rename(kept)
    assert run_study(repository).returncode == 0 and executed.is_file()


def test_a_study_of_real_data_reads_what_its_loaders_read_and_no_other_file(repository, tmp_path):
    """From another folder than that of the results, with recordings behind a link and a name that is a wildcard."""
    root, disk = tmp_path / "root", tmp_path / "disk"
    for path in (disk / "sub-01" / "Subject1.h5", root / "data/raw/things_eeg2" / "notes{1}.txt"):
        path.parent.mkdir(parents=True)
        path.touch()
    for name in ("things_dimensions", "geirhos2021/edge", "simulated"):
        (root / "data" / "raw" / name).mkdir(parents=True)
        (root / "data" / "raw" / name / "other.csv").touch()
    (root / "data/raw/shen2019").symlink_to(disk)
    (root / "data/raw/things_dimensions/._other.csv").touch()  # what macOS leaves beside every file
    settings = {key: value for key, value in STUDY.items() if key != "simulated"} | {"name": "real", "raw": "data/raw"}
    (tmp_path / "real.yml").write_text(yaml.safe_dump(settings | {"fmri": {"subjects": [2], "other_subjects": []}}))
    command = [sys.executable, "-m", "snakemake", "--filegraph", "-s", str(repository / "Snakefile")]
    command += ["--config", "study=real.yml", "--allowed-rules", "data", "--", "data/prepared/real/shen2019_rdms.nc"]
    variables = environment(repository) | {"REALNET_ROOT": str(root)}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(re.findall(r"data/raw/[^\s<,]+", done.stdout)) == {
        "data/raw/shen2019/sub-01/Subject1.h5", "data/raw/things_dimensions/other.csv"
    }  # fmt: skip
