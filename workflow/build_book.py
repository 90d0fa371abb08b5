"""Run a study and build its book: ``python -m workflow.build_book STUDY``; pages go to ``_build/html``."""

import argparse
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

from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.settings import REPOSITORY, Settings, Study, load_study, project_root
from workflow.about import build_table, citation_box, durations, footer, repository_address
from workflow.explorer import write_explorer
from workflow.run import run_study


def build_book(study, repository=REPOSITORY):
    """Build the book of a study that has run, with warnings as errors.

    Parameters
    ----------
    study : realnet.settings.Study
        Its executed notebooks become the chapters; ``02_training`` is shown for the first subject at the main beta.
    repository : path
        Folder that contains ``_config.yml`` and ``book/``.

    Returns
    -------
    Path
        Of ``_build/html/index.html``.

    Raises
    ------
    MissingInput, InvalidInput
        A chapter has not been executed, or a page has a fault: the first warning of Sphinx.
    """
    repository = Path(repository)
    source, build = repository / "book", repository / "_build"
    toc = table_of_contents(source, study)
    collect_chapters(source, toc, study)
    write_explorer(study, source)
    (source / "_settings.md").write_text("\n".join(settings_table(Study)) + "\n", encoding="utf-8")
    (source / "_about.md").write_text(f"{citation_box()}\n\n{build_table(study)}\n", encoding="utf-8")
    config = yaml.safe_load((repository / "_config.yml").read_text(encoding="utf-8"))
    config["html"]["extra_footer"] = footer()
    if repository_address():
        config["repository"] = {"url": repository_address()}
        config["html"] |= {"use_repository_button": True, "use_issues_button": True}
    if not study.simulated:
        config["html"].pop("announcement")
    if set(study.left_out) - {"00_simulated_data"}:  # the written pages link to all chapters
        config["sphinx"]["config"]["suppress_warnings"].append("myst.xref_missing")
    # paths of a configuration are relative to the file
    extensions = config["sphinx"]["local_extensions"]
    extensions.update({name: str((repository / folder).resolve()) for name, folder in extensions.items()})
    build.mkdir(exist_ok=True)
    (build / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")
    (build / "_config.yml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    command = [Path(sysconfig.get_path("scripts")) / "jupyter-book", "build", source, "--path-output", repository]
    command += ["--config", build / "_config.yml", "--toc", build / "_toc.yml", "-W", "--keep-going", "--all"]
    with (build / "book.log").open("w", encoding="utf-8") as log:
        failed = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=repository).returncode
    if failed:
        said = re.sub(r"\x1b\[[\d;]*m", "", (build / "book.log").read_text(encoding="utf-8")).splitlines()
        first = next((line for line in said if re.search("WARNING|ERROR|Error: ", line)), "no reason given")
        raise InvalidInput(f"the book is not built: {first.strip()} (complete log: {build / 'book.log'})")
    absent = [file for file in pages_of(toc) if not (build / "html" / f"{file}.html").is_file()]
    if absent:  # Jupyter Book 2 exits with 0 and without pages
        raise InvalidInput(f"the book has no page {absent[0]}.html (complete log: {build / 'book.log'})")
    unlink_left_out(build / "html", study)
    return build / "html" / "index.html"


def table_of_contents(source, study):
    """``book/_toc.yml`` without the chapters that the study leaves out."""
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    for part in toc["parts"]:
        part["chapters"] = [c for c in part["chapters"] if Path(c["file"]).name not in study.left_out]
    return toc


def pages_of(toc):
    """The pages of a table of contents: list of paths below ``book/`` without ending."""
    return [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


def collect_chapters(source, toc, study):
    """Copy executed notebooks to where the table of contents names them, with links that work there."""
    shutil.rmtree(source / "notebooks", ignore_errors=True)
    for file in [page for page in pages_of(toc) if page == toc["root"] or page.startswith("notebooks/")]:
        name = file.removeprefix("notebooks/")
        folder, depth = study.results / "notebooks", name.count("/")
        if depth:
            folder, name = project_root() / "results" / "appendix" / "notebooks", Path(name).name
        if name == "02_training":
            main = next(n for n in study.main_networks() if n.model == "realnet")
            name = f"02_training/{main.stem}"
        executed = folder / f"{name}.ipynb"
        if not executed.is_file():
            raise MissingInput(f"chapter {executed} is missing: make study STUDY={study.name} executes it")
        text = executed.read_text(encoding="utf-8")
        for chapter in study.left_out:
            link = rf"\[([^\[\]]*)\]\((?:\.\./)?{chapter}(?:\.ipynb)?\)"
            text = re.sub(link, lambda found, name=chapter: found[1] or name[3:].replace("_", " "), text)
        if file == toc["root"]:
            text = re.sub(r"\]\((\d\d|appendix/)", r"](notebooks/\1", text).replace("](../book/", "](")
        else:
            text = text.replace("/book/", "/").replace("](index", f"]({'../' * (depth + 1)}index")
        notebook = json.loads(text)
        # papermill replaced the default parameters; the landing page shows neither
        hidden = {"parameters", "injected-parameters"} if file == toc["root"] else {"parameters"}
        if any("injected-parameters" in cell["metadata"].get("tags", []) for cell in notebook["cells"]):
            notebook["cells"] = [c for c in notebook["cells"] if not hidden & set(c["metadata"].get("tags", []))]
        for cell in [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]:
            cell["metadata"].setdefault("tags", []).append("hide-input")  # folded; the reader opens it with a click
        answer = next((c for c in notebook["cells"] if "in-short" in c["metadata"].get("tags", [])), None)
        if answer:  # the last cell of a chapter calculates what stands first on its page
            notebook["cells"].remove(answer)
            said = "".join(answer["outputs"][-1]["data"]["text/markdown"])
            box = f":::{{admonition}} In short\n:class: tip\n{said}\n:::"
            notebook["cells"].insert(1, {"cell_type": "markdown", "id": "in-short", "metadata": {}, "source": box})
        if file == toc["root"]:
            cite = f"{citation_box()}\n\n[About this book](about.md): commit, date, machine and duration of this run."
            notebook["cells"].append({"cell_type": "markdown", "id": "cite", "metadata": {}, "source": cite})
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / f"{file}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def unlink_left_out(html, study):
    """Turn links of written pages to chapters that this study leaves out into plain text."""
    for chapter in study.left_out:
        link = re.compile(rf'<a [^>]*href="#notebooks/{chapter}"[^>]*>(.*?)</a>', re.DOTALL)
        for page in html.glob("*.html"):
            page.write_text(link.sub(r"\1", page.read_text(encoding="utf-8")), encoding="utf-8")


def settings_table(model, prefix=""):
    """The settings of a study with their defaults: rows of a Markdown table."""
    rows = [] if prefix else ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        classes = [field.annotation, *typing.get_args(field.annotation)]
        section = next((c for c in classes if isinstance(c, type) and issubclass(c, Settings)), None)
        if section:
            rows += settings_table(section, f"{prefix}{name}.")
        else:
            default = "required" if field.is_required() else f"`{field.default}`"
            rows.append(f"| `{prefix}{name}` | {default} | {field.description or ''} |")
    return rows


def main(arguments=None):
    """Command line; returns 0, or 1 after one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m workflow.build_book", description="Run a study, build its book.")
    parser.add_argument("study", nargs="?", default="demo", help="name in studies/, or path of a .yml file")
    parser.add_argument("--cores", default="all", help="cores that jobs may use at once: a number, or all")
    parser.add_argument("--profile", default="default", help="a folder of workflow/profiles/")
    given = parser.parse_args(arguments)
    try:
        study = load_study(given.study)
        studied = run_study(given.study, given.cores, given.profile)
        start = time.monotonic()
        page = build_book(study)
    except RealnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command continues", file=sys.stderr)
        return 130
    print("seconds per notebook, some side by side:")
    for name, seconds in durations(study).items():
        print(f"  {seconds:6.1f}  {name}")
    print(f"study {studied:.0f} s, book {time.monotonic() - start:.0f} s")
    print(f"read it: {page.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
