"""The built pages: all of them, in a real browser, on a desk and on a phone.

The chapters are the executed notebooks of the demo where it has run, else the sources with a figure put in.
"""

import base64
import io
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import matplotlib.pyplot as plt
import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from browser import Browser, find_chromium

from realnet.errors import InvalidInput, MissingInput
from realnet.io import commit
from realnet.settings import load_study, project_root
from workflow.about import citation, durations
from workflow.build_book import build_book

pytestmark = pytest.mark.study

REPOSITORY = Path(__file__).resolve().parents[1]
DESK, PHONE = 1280, 390
PERIPHERAL = {"genindex.html", "py-modindex.html", "search.html"}


def chapters():
    folder = REPOSITORY / "notebooks"
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.ipynb"))


def executed_names(study):
    """The executed notebooks that a book is made of, below results/, by the name of their source."""
    main = next(n for n in study.main_networks() if n.model == "realnet")
    names = {name: f"{study.name}/notebooks/{name}" for name in chapters() if "/" not in name}
    names |= {name: f"appendix/notebooks/{Path(name).name}" for name in chapters() if "/" in name}
    return names | {"02_training": f"{study.name}/notebooks/02_training/{main.stem}"}


def with_a_figure(source, target):
    """A source as if executed: a figure after its last code cell."""
    notebook = nbformat.read(source, 4)
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2])
    png = io.BytesIO()
    figure.savefig(png, format="png")
    plt.close(figure)
    shown = {"image/png": base64.b64encode(png.getvalue()).decode()}
    for cell in [cell for cell in notebook.cells if cell.cell_type == "code"][-2:]:
        if "in-short" in cell.metadata.get("tags", []):
            shown = {"text/markdown": "The answer.", "text/plain": ""}
        cell.outputs, cell.execution_count = [nbformat.v4.new_output("display_data", shown)], 1
    notebook.metadata["papermill"] = {"duration": 2.5}
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)


def prepare(folder, study_name, monkeypatch):
    """A folder that holds the book's sources and executed notebooks for a study, and the study."""
    (folder / "book").mkdir(parents=True)
    shutil.copy(REPOSITORY / "_config.yml", folder)
    for path in (REPOSITORY / "book").iterdir():
        if path.name in ("_static", "_ext", "api"):
            shutil.copytree(path, folder / "book" / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.suffix in (".md", ".yml", ".bib"):
            shutil.copy(path, folder / "book")
    found = project_root() / "results"
    names = executed_names(load_study(study_name))
    complete = all((found / f"{name}.ipynb").is_file() for name in names.values())
    for source, name in names.items():
        target = folder / "results" / f"{name}.ipynb"
        if complete:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found / f"{name}.ipynb", target)
        else:
            with_a_figure(REPOSITORY / "notebooks" / f"{source}.ipynb", target)
    monkeypatch.setenv("REALNET_ROOT", str(folder))
    return load_study(study_name)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder that holds the built book of the demo."""
    folder = tmp_path_factory.mktemp("book") / "demo"
    with pytest.MonkeyPatch.context() as monkeypatch:
        page = build_book(prepare(folder, "demo", monkeypatch), folder)
    assert page == folder / "_build" / "html" / "index.html"
    return folder


@pytest.fixture(scope="module")
def html(book):
    return book / "_build" / "html"


@pytest.fixture(scope="module")
def seen(html, tmp_path_factory):
    """(page, width) -> what the browser saw."""
    if not find_chromium():
        pytest.skip("there is no Chromium on PATH: install it (Debian: apt-get install chromium) to look at the pages")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    try:
        return {
            (str(path.relative_to(html)), width): browser.look(path.as_uri(), width)
            for path in sorted(html.rglob("*.html"))
            if "_static" not in path.parts
            for width in ((DESK,) if path.parent.name == "api" else (DESK, PHONE))
        }
    finally:
        browser.close()


def test_every_chapter_and_written_page_is_there(html):
    written = [path.stem for path in (REPOSITORY / "book").glob("[!_]*.md")]  # _*.md are parts of pages
    pages = [f"{name}.html" for name in ["index", *written]]
    pages += [f"notebooks/{name}.html" for name in chapters() if name != "index"]
    assert [page for page in pages if not (html / page).is_file()] == []


def test_every_module_has_its_documentation_in_the_book(html):
    text = "".join(path.read_text(encoding="utf-8") for path in (html / "api").glob("*.html"))
    modules = (path.relative_to(REPOSITORY).with_suffix("") for path in (REPOSITORY / "realnet").rglob("*.py"))
    names = [".".join(path.parts) for path in modules if path.name != "__init__"]
    assert len(names) > 30 and [name for name in names if f'id="module-{name}"' not in text] == []


def test_every_chapter_begins_with_its_answer(html):
    for name in set(chapters()) - {"index"}:
        text = (html / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        assert 0 < text.find("In short") < text.find('<div class="cell '), name


def test_no_page_has_an_error_on_its_console(seen):
    assert seen and {page: look["errors"] for page, look in seen.items() if look["errors"]} == {}


def test_no_page_asks_for_anything_outside_the_book(seen, html):
    inside = (html.as_uri(), "data:", "blob:")
    outside = {page: [r for r in look["requests"] if not r.startswith(inside)] for page, look in seen.items()}
    assert all(look["requests"] for look in seen.values())  # the browser does report its requests
    assert {page: requests for page, requests in outside.items() if requests} == {}


def test_every_figure_has_a_size(seen):
    figures = [(page, *figure) for page, look in seen.items() for figure in look["figures"]]
    assert len({page for page, *_ in figures}) >= len(chapters())
    assert [figure for figure in figures if figure[2] < 10 or figure[3] < 10] == []


def test_every_formula_is_set(seen):
    assert {page: look["unset"] for page, look in seen.items() if look["unset"]} == {}
    assert seen["methods.html", DESK]["formulas"] > 20


def test_every_page_says_that_the_participants_are_simulated(seen):
    assert [page for page, look in seen.items() if "participants in this book are simulated" not in look["text"]] == []


def test_every_page_says_which_version_it_is_and_how_to_run_it(seen):
    said = f"realnet {citation()['version']}, commit {commit()}, MIT licence."
    assert [page for page, look in seen.items() if said not in look["text"] or "make lab" not in look["text"]] == []
    assert "How to cite" in seen["index.html", DESK]["text"] and "How to cite" in seen["about.html", DESK]["text"]


def test_no_page_is_wider_than_a_phone(seen):
    phone = {page: look["width"] for (page, width), look in seen.items() if width == PHONE}
    assert {page: width for page, width in phone.items() if width > PHONE} == {}


class _Addresses(HTMLParser):
    """What a page loads (scripts, styles, images, frames), what it links to, and its anchors."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id"))
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag != "a":
            self.loads += [attributes[key] for key in ("src", "href", "data", "poster") if attributes.get(key)]


def test_no_script_style_or_image_lies_outside_the_book(html):
    pages = list(html.rglob("*.html"))
    loads = [(page.name, address) for page in pages for address in _Addresses(page).loads]
    assert len(loads) > 10 * len(pages)
    assert [load for load in loads if urlsplit(load[1]).scheme not in ("", "data") or load[1].startswith("//")] == []
    address = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""")
    styles = [path.name for path in html.rglob("*.css") if address.search(path.read_text(encoding="utf-8"))]
    assert styles == []


def test_every_link_inside_the_book_leads_somewhere(html):
    parsed = {path: _Addresses(path) for path in html.rglob("*.html") if "_static" not in path.parts}
    dead = []
    for path, page in parsed.items():
        for link in page.links:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme or path.name in PERIPHERAL:
                continue
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and target in parsed and anchor not in parsed[target].anchors):
                dead.append((path.name, link))
    assert sum(len(page.links) for page in parsed.values()) > 500 and dead == []


def test_a_fault_in_a_page_is_an_error(book, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(book))
    for name in ("book", "_config.yml"):
        copy = shutil.copytree if (book / name).is_dir() else shutil.copy
        copy(book / name, tmp_path / name)
    page = tmp_path / "book" / "question.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[nowhere](no_such_page.md)\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"question\.md.*no_such_page"):
        build_book(load_study("demo"), tmp_path)


def test_a_chapter_that_was_not_executed_is_named(book, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(book))
    study = load_study("demo")
    chapter = study.results / "notebooks" / "05_eeg.ipynb"
    text = chapter.read_text(encoding="utf-8")
    try:
        chapter.unlink()
        with pytest.raises(MissingInput, match=r"05_eeg\.ipynb is missing: make study STUDY=demo"):
            build_book(study, book)
    finally:
        chapter.write_text(text, encoding="utf-8")


def test_the_book_of_real_recordings_does_not_call_them_simulated(tmp_path, monkeypatch):
    study = prepare(tmp_path / "paper", "paper", monkeypatch)
    page = build_book(study, tmp_path / "paper")
    assert "participants in this book are simulated" not in page.read_text(encoding="utf-8")
    assert not (page.parent / "notebooks" / "00_simulated_data.html").exists()


def test_the_book_of_an_own_experiment_omits_the_chapters_without_data(tmp_path, monkeypatch):
    study = prepare(tmp_path / "own", "own", monkeypatch)
    page = build_book(study, tmp_path / "own")
    chapters = {path.stem for path in (page.parent / "notebooks").glob("*.html")}
    assert chapters == {path.stem for path in (REPOSITORY / "notebooks").glob("[0-9]*.ipynb")} - {
        "00_simulated_data", "01b_eeg_data", "04_fmri_across_subjects", "05_eeg", "06_object_dimensions"
    }  # fmt: skip
    dead = [(file.name, name) for file in page.parent.rglob("*.html") for name in study.left_out
            if re.search(rf'href="[^"]*{name}[."]', file.read_text(encoding="utf-8"))]  # fmt: skip
    assert dead == []


def test_durations_are_those_that_papermill_noted(book, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(book))
    found = durations(load_study("demo"))
    noted = {
        path.stem: nbformat.read(path, 4).metadata["papermill"]["duration"]
        for path in (book / "results" / "demo" / "notebooks").rglob("*.ipynb")
    }
    assert {Path(name).name: seconds for name, seconds in found.items()} == noted
    assert list(found.values()) == sorted(found.values(), reverse=True) and len(found) > 10
