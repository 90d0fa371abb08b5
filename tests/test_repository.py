"""What is committed: a small module, clean notebooks, links that lead somewhere, no machine named."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").rglob("*.ipynb"))
MODULES = sorted((REPOSITORY / "realnet").rglob("*.py"))
#: Small networks and recordings that are committed on purpose, with their licence beside them.
KEPT = ("simulation/pretrained/", "data/objects92/")
#: Which part of the package a module belongs to; a module imports only from its own and earlier parts.
FLOW = [
    {"errors", "sections", "settings", "io"},
    {"datasets", "rdm", "cornet", "backbones"},
    {"similarity", "decoding", "activations", "alignment"},
    {"statistics", "responses", "training", "behavior"},
    {"networks"},
    {"analyses"},
    {"figures"},
]


def committed():
    """The files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for path in map(REPOSITORY.joinpath, listed.stdout.splitlines()) if path.is_file()]


def texts():
    """(name, text) of the committed text files."""
    for path in committed():
        try:
            yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def lines_of(paths):
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def cells(notebook):
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def links_in(text):
    """Targets of the links of a Markdown text that stay in the repository (a badge is a page beside it on GitHub)."""
    outside = ("http", "mailto", "../../actions/")
    return [t for t in re.findall(r"\]\(([^)#\s]+)", text) if not t.startswith(outside)]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def test_the_module_stays_small():
    # 5,926 lines of one small house, and what inference over seeds and images, the baselines and real people added
    assert lines_of(MODULES) <= 6480 and len(MODULES) <= 45
    assert lines_of(path for path in committed() if path.suffix == ".py") <= 23_970  # 20,000, and the tests of these
    assert [path.name for path in committed() if path.suffix == ".py" and lines_of([path]) > 330] == []


def test_the_path_that_the_readme_names_first_can_be_read_in_an_afternoon():
    section = re.search(r"## Reading the code(.*?)##", (REPOSITORY / "README.md").read_text(), re.DOTALL)[1]
    path = [REPOSITORY / target for target in re.findall(r"\]\((realnet/[\w/]+\.py)\)", section)]
    assert len(path) == 8 and lines_of(path) <= 1800


def test_imports_follow_the_flow_of_the_data():
    wrong = []
    for path in MODULES:
        part = path.relative_to(REPOSITORY / "realnet").with_suffix("").parts[0]
        allowed = set().union(*FLOW[: next((i for i, names in enumerate(FLOW) if part in names), -1) + 1])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names] if node.module == "realnet" else [node.module]
            wrong += [(path.name, n) for n in names if n.split(".")[0] in ("simulation", "experiments", "workflow")]
            inside = [name.split(".")[1] for name in names if name.startswith("realnet.")]
            wrong += [(str(path.relative_to(REPOSITORY)), name) for name in inside if name not in allowed]
    assert wrong == []


def test_every_module_and_public_name_has_a_docstring():
    bare = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
        file = path.relative_to(REPOSITORY)
        bare += [f"{file}: {getattr(n, 'name', 'module')}" for n in [tree, *named] if not ast.get_docstring(n)]
    assert bare == []


def test_a_notebook_is_committed_without_outputs_and_runs_in_python3(notebook):
    assert [c["source"] for c in cells(notebook) if c.get("outputs") or c.get("execution_count")] == []
    assert json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["kernelspec"]["name"] == "python3"


def test_cells_are_thin(notebook):
    code = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "code"]
    trees = [ast.parse(TransformerManager().transform_cell(source)) for source in code]
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    assert [n.name for tree in trees for n in ast.walk(tree) if isinstance(n, definitions)] == []
    assert max(len(source.splitlines()) for source in code) <= 20


def test_a_notebook_asks_before_it_calculates_and_says_what_it_shows(notebook):
    kinds = [cell["cell_type"] for cell in cells(notebook)]
    assert kinds[0] == "markdown" and "".join(cells(notebook)[0]["source"]).startswith("# ")
    assert kinds.count("markdown") >= kinds.count("code") / 3


def test_the_workflow_the_book_and_the_readme_know_every_notebook():
    snakefile = (REPOSITORY / "workflow" / "Snakefile").read_text()
    toc = (REPOSITORY / "book" / "_toc.yml").read_text()
    readme = (REPOSITORY / "README.md").read_text()
    for path in NOTEBOOKS:
        name = str(path.relative_to(REPOSITORY).with_suffix(""))
        assert f'"{path.stem}"' in snakefile and f"{name}.ipynb" in readme
        assert name in toc or yaml.safe_load(toc)["root"] == path.stem


def test_links_in_written_pages_lead_somewhere():
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "data").glob("*.md")]
    links = [(page, target) for page in pages for target in links_in(page.read_text(encoding="utf-8"))]
    assert len(links) > 15
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []


def test_links_in_notebooks_lead_to_files_beside_them(notebook):
    markdown = ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "markdown"]
    assert [target for text in markdown for target in links_in(text) if not (notebook.parent / target).is_file()] == []


def test_make_targets_named_anywhere_exist():
    targets = set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    commands = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)
    named = {word for _, text in texts() if "\n" in text for word in commands.findall(text)}
    assert {"book", "test", "help", "lab", "lint", "clean", "plan", "study"} <= targets and named - targets == set()


def test_nothing_committed_belongs_to_one_machine():
    # put together here, so that this file does not hold them
    words = ["/" + "work/", "/" + "root/", "/home" + "/", "/Use" + "rs/", "artif" + "actory", "pypi" + "-proxy"]
    assert [(name, word) for name, text in texts() for word in words if word in text] == []


def test_nothing_large_and_no_recordings_are_committed():
    data = {".h5", ".npy", ".nc", ".mat", ".pth", ".pt", ".safetensors", ".npz", ".jpeg", ".jpg", ".zip", ".pkl"}
    found = [path for path in committed() if path.suffix.lower() in data or path.stat().st_size > 1_000_000]
    names = [str(path.relative_to(REPOSITORY)) for path in found]
    assert [name for name in names if not name.startswith(KEPT)] == []
