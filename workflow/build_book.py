"""Build the book: executed notebooks and written pages in, ``_build/html`` out, with warnings as errors."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import typing
from pathlib import Path

import yaml
from realnet.workflow import run_study

import realnet
from realnet.commands import Parser, cores, plain_name
from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.settings import REPOSITORY, Settings, Study, load_study

#: Notebooks the book shows, in this folder of its source.
CHAPTERS = "notebooks"

PACKAGE = Path(realnet.__file__).parent


def build_book(study, repository=REPOSITORY):
    """Build the book of a study that has run.

    Parameters
    ----------
    study : realnet.settings.Study
        Its executed notebooks become the chapters; ``02_training`` is shown for the first subject at the main beta.
    repository : path
        Folder that holds ``_config.yml`` and ``book/``; the pages go to ``_build/html`` in it.

    Returns
    -------
    page : Path
        ``_build/html/index.html``.
    built : bool
        False where nothing had changed since the last build.

    Raises
    ------
    MissingInput
        A chapter has not been executed.
    InvalidInput
        A page has a fault; the sentence is Sphinx's first warning, and names where the rest stands.
    """
    source, build = Path(repository) / "book", Path(repository) / "_build"
    toc = _table_of_contents(source, study)
    _collect_chapters(source, toc, study)
    _write_module_pages(source)
    config = yaml.safe_load((source.parent / "_config.yml").read_text(encoding="utf-8"))
    if not study.simulated:
        config["html"].pop("announcement")
    if set(study.left_out) - {"00_simulated_data"}:  # the written pages speak of all chapters
        config["sphinx"]["config"]["suppress_warnings"].append("myst.xref_missing")
    # paths in a configuration are read from where it lies
    extensions = config["sphinx"]["local_extensions"]
    extensions.update({name: str((source.parent / folder).resolve()) for name, folder in extensions.items()})
    page, stamp = build / "html" / "index.html", build / "html" / ".made-from"
    made_from = _digest(source, toc, config)
    if page.is_file() and stamp.is_file() and stamp.read_text() == made_from:
        return page, False
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    (build / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    (build / "_config.yml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    _run_jupyter_book(source, build)
    missing = [file for file in _files(toc) if not (build / "html" / f"{file}.html").is_file()]
    if missing or not page.is_file():
        raise InvalidInput(f"the book has no page {(missing or ['index'])[0]}.html: {build / 'book.log'} says why")
    _unlink_left_out(build / "html", study)
    stamp.write_text(made_from)
    return page, True


def durations(study):
    """Seconds that each executed notebook of a study took, by its name under ``notebooks/``, slowest first."""
    folder = study.results / "notebooks"
    seconds = {}
    for path in folder.rglob("*.ipynb"):
        metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
        seconds[str(path.relative_to(folder).with_suffix(""))] = metadata["papermill"]["duration"]
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def _table_of_contents(source, study):
    """book/_toc.yml, without the chapters that the study leaves out."""
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    for part in toc["parts"]:
        part["chapters"] = [c for c in part["chapters"] if Path(c["file"]).name not in study.left_out]
    return toc


def _files(toc):
    """The pages of a table of contents: book/ without the ending, one by one."""
    return [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


def _collect_chapters(source, toc, study):
    """Copy executed notebooks to book/notebooks/ (the landing page to book/), and only those of this study."""
    shutil.rmtree(source / CHAPTERS, ignore_errors=True)
    (source / CHAPTERS).mkdir()
    for file in [toc["root"], *[file for file in _files(toc) if Path(file).parent.name == CHAPTERS]]:
        name = Path(file).name
        executed = study.results / "notebooks" / f"{name}.ipynb"
        if name == "02_training":
            main = [n for n in study.networks() if n.model == "realnet" and n.beta == study.training.main_beta]
            executed = executed.with_suffix("") / f"{main[0].stem}.ipynb"
        if not executed.is_file():
            raise MissingInput(f"the chapter {executed} is not there: make study STUDY={study.name} executes it")
        text = executed.read_text(encoding="utf-8")
        for chapter in study.left_out:
            link = rf"\[([^\[\]]*)\]\((?:notebooks/)?{chapter}(?:\.ipynb)?\)"
            text = re.sub(link, lambda found, name=chapter: found[1] or name[3:].replace("_", " "), text)
        # links that work beside the sources in notebooks/ are made to work here
        if file == toc["root"]:
            text = re.sub(r"\]\((\d\d_\w+)", rf"]({CHAPTERS}/\1", text).replace("](../book/", "](")
        else:
            text = text.replace("](../book/", "](../").replace("](index", "](../index")
        notebook = json.loads(text)
        # the values that were used are shown, not the defaults that papermill replaced; the landing page shows neither
        hidden = {"parameters", "injected-parameters"} if file == toc["root"] else {"parameters"}
        if any("injected-parameters" in _tags(cell) for cell in notebook["cells"]):
            notebook["cells"] = [cell for cell in notebook["cells"] if not hidden & _tags(cell)]
        (source / f"{file}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def _unlink_left_out(html, study):
    """The written pages speak of all chapters; links to those that this study leaves out become plain text."""
    for chapter in study.left_out:
        link = re.compile(rf'<a [^>]*href="#{CHAPTERS}/{chapter}"[^>]*>(.*?)</a>', re.DOTALL)
        for page in html.glob("*.html"):
            page.write_text(link.sub(r"\1", page.read_text(encoding="utf-8")), encoding="utf-8")


def _tags(cell):
    """The tags of a notebook's cell."""
    return set(cell["metadata"].get("tags", []))


def module_names():
    """The modules below realnet, by their files: a walk through its packages would import them, which takes seconds."""
    paths = [path.relative_to(PACKAGE.parent) for path in sorted(PACKAGE.rglob("*.py")) if path.stem != "__main__"]
    names = [".".join(path.parent.parts if path.stem == "__init__" else path.with_suffix("").parts) for path in paths]
    return [name for name in names if name != PACKAGE.name]


def _write_module_pages(source):
    """One page a module of realnet, from its docstrings."""
    shutil.rmtree(source / "api", ignore_errors=True)
    (source / "api").mkdir()
    for name in module_names():
        text = f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n"
        if name == Study.__module__:
            text += "\n## All settings\n\n" + "\n".join(_settings_table(Study))
        (source / "api" / f"{name}.md").write_text(text, encoding="utf-8")


def _settings_table(model, prefix=""):
    """The settings of a study with their defaults, as rows of a Markdown table."""
    rows = [] if prefix else ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        classes = [field.annotation, *typing.get_args(field.annotation)]
        inner = next((c for c in classes if isinstance(c, type) and issubclass(c, Settings)), None)
        if inner:
            rows += _settings_table(inner, f"{prefix}{name}.")
        else:
            default = "needed" if field.is_required() else f"`{field.default}`"
            rows.append(f"| `{prefix}{name}` | {default} | {field.description or ''} |")
    return rows


def _digest(source, toc, config):
    """One hash of everything that the pages are made from."""
    digest = hashlib.sha256(json.dumps([toc, config]).encode())
    for path in sorted([*source.rglob("*"), *PACKAGE.rglob("*.py")]):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path} ".encode() + path.read_bytes())
    return digest.hexdigest()


def _run_jupyter_book(source, build):
    """Call jupyter-book; what it says goes to ``_build/book.log``."""
    command = [Path(sysconfig.get_path("scripts")) / "jupyter-book", "build", source, "--path-output", source.parent]
    command += ["--config", build / "_config.yml", "--toc", build / "_toc.yml", "-W", "--keep-going", "--all"]
    with (build / "book.log").open("w", encoding="utf-8") as log:
        failed = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=source.parent).returncode
    if failed:
        said = re.sub(r"\x1b\[[\d;]*m", "", (build / "book.log").read_text(encoding="utf-8")).splitlines()
        first = next((line for line in said if re.search("WARNING|ERROR|Error: ", line)), "it does not say why")
        raise InvalidInput(f"the book is not built: {first.strip()} (all of it: {build / 'book.log'})")


def main(arguments=None):
    """``python -m realnet.book [STUDY]``: run the study, build its book, print the page and the time, then 0 or 1."""
    parser = Parser(prog="python -m realnet.book", description="Run a study and build its book.")
    parser.add_argument("study", nargs="?", default="demo", help="name in studies/, or path of a .yml file")
    parser.add_argument("--cores", type=cores, default="all", help="cores that jobs may use at once")
    parser.add_argument("--profile", type=plain_name, default="default", help="where jobs run: a folder of profiles/")
    parser.add_argument("--started", type=float, default=time.time(), help="when setting up began, seconds since 1970")
    given = parser.parse_args(arguments)
    setup = time.time() - given.started
    try:
        study = load_study(given.study)
        studied = run_study(given.study, given.cores, given.profile)
        start = time.monotonic()
        page, built = build_book(study)
    except RealnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        return 130
    print("\nseconds of each notebook, some side by side:")
    for name, seconds in durations(study).items():
        print(f"  {seconds:6.1f}  {name}")
    up_to_date = "" if built else " (nothing had changed)"
    print(f"setup {setup:.0f} s, study {studied:.0f} s, book {time.monotonic() - start:.0f} s{up_to_date}")
    print(f"read it: {page.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
