"""How a book was made and how to cite it: a part of the page ``book/about.md``, and the footer of every page."""

import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

import psutil
import yaml

from realnet.io import commit
from realnet.settings import REPOSITORY


@cache
def citation():
    """The contents of ``CITATION.cff``: dict."""
    return yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))


@cache
def repository_address():
    """Address of the repository: ``repository-code`` of CITATION.cff, else ``origin`` if it is on GitHub, else None."""
    if known := citation().get("repository-code"):
        return known.rstrip("/")
    command = ["git", "-C", str(REPOSITORY), "remote", "get-url", "origin"]
    try:
        origin = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return None
    on_github = r"(?:https://|ssh://)?(?:[^@/\s]+@)?github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?"
    found = re.fullmatch(on_github, origin)
    return f"https://github.com/{found[1]}" if found else None


def processor():
    """The name of the processor."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def durations(study):
    """Seconds that each executed notebook of a study took: dict name -> float, slowest first."""
    seconds = {name: about["duration"] for name, about in _executions(study).items()}
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def _executions(study):
    """What papermill noted in each executed notebook of a study: dict name -> dict."""
    folder = study.results / "notebooks"
    read = {path: json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.ipynb")}
    return {str(path.relative_to(folder).with_suffix("")): text["metadata"]["papermill"] for path, text in read.items()}


def citation_box():
    """How to cite the paper and the software: a Markdown admonition."""
    software, paper = citation(), citation()["preferred-citation"]
    initials = [" ".join(f"{name[0]}." for name in person["given-names"].split()) for person in paper["authors"]]
    names = [f"{person['family-names']}, {short}" for person, short in zip(paper["authors"], initials, strict=True)]
    authors, doi = ", ".join(names[:-1]) + f", & {names[-1]}", f"https://doi.org/{paper['doi']}"
    where = f" <{repository_address()}>" if repository_address() else ""
    return f""":::{{admonition}} How to cite
:class: note
Please cite the paper:

> {authors} ({paper["year"]}). {paper["title"]}. *{paper["journal"]}*, {paper["volume"]}, {paper["start"]}.
> [{doi}]({doi})

and the software, with its version and commit:

> {software["authors"][0]["name"]}. *{software["title"]}*. Version {software["version"]}, commit {commit()}.{where}
:::"""


def build_table(study):
    """Version, commits, dates, duration and machine of a book: a Markdown table."""
    ran = _executions(study)
    tables = sorted((study.results / "tables").glob("*.json"))
    commits = sorted({json.loads(path.read_text(encoding="utf-8")).get("commit", "unknown") for path in tables})
    times = sorted(about[key][:16].replace("T", " ") for about in ran.values() for key in ("start_time", "end_time")
                   if about.get(key))  # fmt: skip
    minutes = sum(about["duration"] for about in ran.values()) / 60
    memory = psutil.virtual_memory().total / 2**30
    address = repository_address()
    rows = {
        "study": f"`{study.name}`: {study.description}",
        "version": citation()["version"],
        "commit": f"`{commit()}` (this book); " + (", ".join(f"`{one}`" for one in commits) or "none") + " (results)",
        "book built": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "notebooks executed": f"{times[0]} to {times[-1]} UTC" if times else "unknown",
        "duration": f"{minutes:.0f} min: sum over the {len(ran)} executed notebooks of this study, one of them for"
        " each network. Several run at a time, so the study took less; the appendix is not counted",
        "machine": f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()}"
        f" {platform.machine()}, Python {platform.python_version()}, torch {version('torch')} (where this book was"
        " built; jobs of a cluster may have run elsewhere)",
        "licence": f"{citation()['license']} (code); data and weights belong to their authors",
    }
    if address:
        rows["repository"] = f"[{address.removeprefix('https://')}]({address}), [issues]({address}/issues)"
    return "\n".join(["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def footer():
    """The last lines of every page: HTML."""
    about = citation()
    text = f"realnet {about['version']}, commit {commit()}, {about['license']} licence."
    if address := repository_address():
        text += f' <a href="{address}">Repository</a>, <a href="{address}/issues">issues</a>.'
    return f"<p>{text} Run this chapter yourself: <code>make book</code>, then <code>make lab</code>.</p>"
