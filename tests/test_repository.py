"""What is committed: notebooks without outputs and with thin cells, links that lead somewhere, no machine named."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from realnet.notebook import read_parameters

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
MODULES = sorted((REPOSITORY / "realnet").rglob("*.py"))
IGNORED = {
    ".venv",
    ".git",
    "results",
    "_build",
    "__pycache__",
    ".snakemake",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}


def committed():
    """The files of the repository: what git knows or would add; without git, what lies in the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0 and listed.stdout:
        return [path for path in map(REPOSITORY.joinpath, listed.stdout.splitlines()) if path.is_file()]
    files = (path for path in REPOSITORY.rglob("*") if path.is_file())
    return [path for path in files if not IGNORED & set(path.relative_to(REPOSITORY).parts)]


def texts():
    """(name, text) of the committed text files."""
    for path in committed():
        try:
            yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def cells(notebook):
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def links_in(text):
    """What the links of a Markdown text point to, without those that leave the repository."""
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    return [target for target in targets if not target.startswith(("http", "mailto"))]


def code_of(cell):
    return TransformerManager().transform_cell("".join(cell["source"]))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def test_a_notebook_is_committed_without_outputs(notebook):
    assert [c["source"] for c in cells(notebook) if c.get("outputs") or c.get("execution_count")] == []


def test_a_notebook_runs_in_python3_wherever_it_is_opened(notebook):
    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    assert metadata["kernelspec"]["name"] == "python3" and metadata["kernelspec"]["language"] == "python"


def test_cells_are_thin(notebook):
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    named = [node.name for cell in code for node in ast.walk(ast.parse(code_of(cell))) if isinstance(node, definitions)]
    assert named == []
    assert max(len("".join(cell["source"]).splitlines()) for cell in code) <= 25


def test_a_notebook_asks_before_it_calculates_and_says_what_it_shows(notebook):
    kinds = [cell["cell_type"] for cell in cells(notebook)]
    assert kinds[0] == "markdown" and "".join(cells(notebook)[0]["source"]).startswith("# ")
    assert kinds.count("markdown") >= kinds.count("code") / 3


def test_parameters_are_checked_in_the_first_cell_after_them(notebook):
    code = [cell for cell in cells(notebook) if cell["cell_type"] == "code"]
    assert "parameters" in code[0]["metadata"]["tags"]
    parameters = read_parameters(notebook)
    calls = [node for node in ast.walk(ast.parse(code_of(code[1]))) if isinstance(node, ast.Call)]
    [checked] = [ast.literal_eval(c.args[1]) for c in calls if getattr(c.func, "id", "") == "check_parameters"]
    assert checked.split() == list(parameters) and parameters["study"] == "demo"


def test_the_workflow_and_the_book_know_every_notebook():
    snakefile = (REPOSITORY / "Snakefile").read_text()
    toc = yaml.safe_load((REPOSITORY / "book" / "_toc.yml").read_text())
    chapters = [toc["root"]] + [Path(c["file"]).name for part in toc["parts"] for c in part["chapters"]]
    readme = (REPOSITORY / "README.md").read_text()
    for path in NOTEBOOKS:
        assert f'"{path.stem}"' in snakefile and path.stem in chapters and f"notebooks/{path.name}" in readme
    numbered = [name for name in chapters if re.match(r"\d\d_", name)]
    assert numbered == sorted(numbered) and set(numbered) <= {path.stem for path in NOTEBOOKS}


def test_links_in_written_pages_lead_somewhere():
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "data").glob("*.md"), *(REPOSITORY / "benchmarks").glob("*.md")]
    links = [(page, target) for page in pages for target in links_in(page.read_text(encoding="utf-8"))]
    assert len(links) > 15
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []


def test_links_in_notebooks_lead_to_files_beside_them(notebook):
    markdown = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "markdown"]
    assert [target for text in markdown for target in links_in(text) if not (notebook.parent / target).is_file()] == []


def test_targets_named_in_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    commands = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)
    named = {word for _, text in texts() if "\n" in text for word in commands.findall(text)}
    assert {"book", "test", "help", "lab", "lint", "clean", "benchmarks", "study"} <= targets
    assert named - targets == set()


def test_nothing_committed_belongs_to_one_machine():
    # put together here, so that this file does not hold them
    words = [
        "/" + "work/",
        "/" + "root/",
        "/home" + "/",
        "/Use" + "rs/",
        "artif" + "actory",
        "pypi" + "-proxy",
    ]
    found = [(name, word) for name, text in texts() for word in words if word in text]
    assert found == []


def test_nothing_large_and_no_recordings_are_committed():
    data = {".h5", ".npy", ".nc", ".mat", ".pth", ".pt", ".safetensors", ".npz", ".jpeg", ".jpg", ".zip", ".pkl"}
    found = [path for path in committed() if path.suffix.lower() in data or path.stat().st_size > 1_000_000]
    assert [str(path.relative_to(REPOSITORY)) for path in found] == []


def test_every_module_and_public_name_has_a_docstring():
    bare = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
        file = path.relative_to(REPOSITORY)
        bare += [f"{file}: {getattr(n, 'name', 'module')}" for n in [tree, *named] if not ast.get_docstring(n)]
    assert bare == []


def test_files_and_functions_stay_small():
    long = []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 320:
            long.append(path.name)
        functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        long += [f"{path.name}: {n.name}" for n in functions if n.end_lineno - n.lineno >= 70]
    assert long == []


def test_imports_are_public():
    private = []
    for path in [*MODULES, *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "benchmarks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            parts = (
                [*getattr(node, "module", "" or "").split("."), *names]
                if isinstance(node, ast.ImportFrom) and node.module
                else names
            )
            inner = [part for name in parts for part in name.split(".") if re.match(r"_[a-z]", part)]
            if inner and "realnet" not in parts:
                private.append((path.name, inner))
    assert private == []
