"""What every book says about itself: how it was made, how to cite it, what its terms mean, what it cites."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pybtex.database import parse_file

from realnet.figures.style import MODELS
from realnet.io import commit
from realnet.sections import REGIONS
from realnet.settings import REPOSITORY, load_study
from workflow import about

sys.path.insert(0, str(REPOSITORY / "book" / "_ext"))
from author_year import AuthorYear

BOOK = REPOSITORY / "book"
ENTRIES = parse_file(str(BOOK / "references.bib")).entries


def pages():
    """Markdown of the written pages and of the notebooks' cells."""
    for path in BOOK.glob("[!_]*.md"):
        yield path.read_text(encoding="utf-8")
    for path in (REPOSITORY / "notebooks").rglob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield "".join(cell["source"])


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The demo with two executed notebooks, one table, and paths of this machine in what papermill noted."""
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = load_study("demo")
    for name, seconds in {"01_data": 90, "02_training/cornet": 30}.items():
        path = study.results / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        noted = {"duration": seconds, "output_path": str(path), "start_time": "2026-01-02T03:04:05.6+00:00"}
        path.write_text(json.dumps({"cells": [], "metadata": {"papermill": noted}}))
    (study.results / "tables").mkdir()
    (study.results / "tables" / "eeg.json").write_text(json.dumps({"commit": "abc1234"}))
    return study


def test_the_build_table_names_version_commits_duration_and_machine(study):
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", about.build_table(study), re.MULTILINE))
    assert rows["version"] in (REPOSITORY / "pyproject.toml").read_text() and rows["version"].count(".") == 2
    assert rows["commit"] == f"`{commit()}` (this book); `abc1234` (results)"
    assert rows["notebooks executed"].startswith("2026-01-02 03:04 to")
    assert rows["duration"].startswith("2 min: sum over the 2 executed notebooks")
    assert about.processor() in rows["machine"] and "cores" in rows["machine"]


def test_nothing_that_a_book_says_about_itself_contains_a_path_of_this_machine(study):
    said = "\n".join([about.build_table(study), about.citation_box(), about.footer()])
    assert [path for path in (REPOSITORY, Path.home(), study.results) if str(path) in said.replace("://", "")] == []
    assert re.findall(r"(?<![\w:/.<)])/\w[\w/.-]*", said) == []


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("https://github.com/someone/realnet.git", "https://github.com/someone/realnet"),
        ("https://secret@github.com/someone/realnet", "https://github.com/someone/realnet"),
        ("git@github.com:someone/realnet.git", "https://github.com/someone/realnet"),
        ("/srv/git/realnet", None),
        ("https://git.example.org/realnet.git", None),
        (None, None),
    ],
)
def test_links_to_the_repository_are_those_of_its_origin_on_github_or_absent(origin, address, tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    if origin:
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", origin], check=True)
    monkeypatch.setattr(about, "REPOSITORY", tmp_path)
    monkeypatch.setattr(about, "citation", dict)
    assert about.repository_address.__wrapped__() == address


def test_paper_and_references_are_cited_as_in_the_readme():
    quoted = re.search(r"^> (Lu, Z.*\n> .*)$", (REPOSITORY / "README.md").read_text(), re.MULTILINE)[1]
    expected = quoted.replace("\n> ", " ")
    assert expected in re.sub(r"\[(\S+)\]\(\1\)", r"\1", about.citation_box().replace("\n> ", " "))
    [printed] = AuthorYear().format_entries([ENTRIES["lu2025"]])
    assert printed.text.render_as("text") == expected.replace("*", "")


def test_every_reference_is_cited_and_every_citation_has_a_reference():
    cited = {key.strip() for text in pages() for keys in re.findall(r"\{cite:\w\}`([^`]+)`", text)
             for key in keys.split(",")}  # fmt: skip
    assert cited == set(ENTRIES)


def test_every_reference_has_authors_title_place_year_and_doi():
    lacks = {key: {"title", "year", "doi", "journal" if entry.type == "article" else "booktitle"} - set(entry.fields)
             for key, entry in ENTRIES.items()}  # fmt: skip
    assert {key: fields for key, fields in lacks.items() if fields} == {}
    assert [key for key, entry in ENTRIES.items() if not entry.persons["author"]] == []
    articles = {key: set(entry.fields) for key, entry in ENTRIES.items()
                if entry.type == "article" and entry.fields["journal"] not in ("arXiv", "bioRxiv")}  # fmt: skip
    assert [key for key, fields in articles.items() if not {"volume", "pages"} <= fields] == []


def test_the_glossary_has_the_regions_the_networks_and_the_abbreviations_of_headings():
    terms = set()
    for entries in re.findall(r"```\{glossary\}\n(.*?)```", (BOOK / "glossary.md").read_text(), re.DOTALL):
        terms |= set(re.findall(r"^(\S.*)$", entries, re.MULTILINE))
    headings = [line for text in pages() for line in text.splitlines() if line.startswith("#")]
    short = {word.removesuffix("s") for line in headings for word in re.findall(r"\b[A-Z]{2,}s?\b", line)}
    networks = {MODELS[name].label for name in ("cornet", "control", "realnet")} | {"shuffled"}
    assert {"EEG", "RDM"} <= short and (short | set(REGIONS) | networks) - terms - {"GPU"} == set()
