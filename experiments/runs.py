"""Looking at runs of a study from outside: which notebooks are at work, and whether two folders hold the same."""

import contextlib
import json
import os
import re
from pathlib import Path

from realnet.recovery import find_survivors

#: Kind of result -> patterns of its files below the folder of a run.
KINDS = {
    "recordings": "data/raw/simulated/**/*",
    "prepared arrays": "data/prepared/*/**/*",
    "weights": "results/*/networks/*",
    "RDMs": "results/*/rdms/*",
    "tables": "results/*/tables/**/*",
    "figures": "results/*/figures/**/*",
    "executed notebooks": "results/*/notebooks/**/*",
}
#: What differs from run to run in the outputs of a notebook: addresses in memory, and random names of styled tables.
_RANDOM = re.compile(r"0x[0-9a-f]{6,}|T_[0-9a-f]{5}")


def survivors(folder):
    """Processes of a run in ``folder``: {process id: words of its command} (Linux)."""
    found = {}
    for process in find_survivors(Path(folder).resolve()):
        with contextlib.suppress(OSError):  # ended meanwhile
            found[int(process.name)] = (process / "cmdline").read_bytes().decode().split("\0")
    return found


def running_jobs(folder):
    """Notebooks at work for a run in ``folder``: {name: bytes of memory at its largest, kernel and papermill}."""
    processes = survivors(folder)
    jobs = {}
    for number, words in processes.items():
        if "realnet.notebook" in words and "-m" in words and Path(words[0]).name.startswith("python"):
            executed = next((word for word in words if "/notebooks/" in word and word.startswith("results")), None)
            if executed:
                jobs[number] = executed.split("/notebooks/", 1)[1].removesuffix(".ipynb")
    memory = {number: _status(number, "VmHWM") * 1024 for number in jobs}
    for number in processes:
        if (parent := _status(number, "PPid")) in jobs:
            memory[parent] += _status(number, "VmHWM") * 1024
    return {name: memory[number] for number, name in jobs.items()}


def _status(number, key):
    try:
        text = Path(f"/proc/{number}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def compare_runs(reference, other):
    """Two folders of the same study, file by file: bytes, and for executed notebooks what their cells show.

    Returns
    -------
    list of dict ``kind n_files n_equal different``
        One a kind of result, and last ``leftovers``: files that only ``other`` has (``n_equal`` 0 of none is right).
    """
    reference, other = Path(reference), Path(other)
    rows, extra = [], []
    for kind, pattern in KINDS.items():
        names = {root: {p.relative_to(root) for p in root.glob(pattern) if p.is_file()} for root in (reference, other)}
        same = _same_outputs if kind == "executed notebooks" else _same_bytes
        different = [n for n in sorted(names[reference]) if n not in names[other] or not same(reference, other, n)]
        extra += sorted(names[other] - names[reference])
        rows.append({"kind": kind, "n_files": len(names[reference]), "n_equal": len(names[reference]) - len(different),
                     "different": " ".join(map(str, different[:5]))})  # fmt: skip
    rows.append({"kind": "leftovers", "n_files": len(extra), "n_equal": 0, "different": " ".join(map(str, extra[:5]))})
    return rows


def _same_bytes(reference, other, name):
    return (reference / name).read_bytes() == (other / name).read_bytes()


def _same_outputs(reference, other, name):
    return name.suffix != ".ipynb" or outputs(reference / name, reference) == outputs(other / name, other)


def outputs(notebook, root):
    """What the cells of an executed notebook show, without progress bars, paths of the run and random names."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    shown = []
    for cell in cells:
        contents = []
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":  # progress bars, which count seconds
                continue
            content = {key: output.get(key) for key in ("output_type", "name", "data")}
            text = "".join(output.get("text", ""))
            if contents and content["name"] and contents[-1]["name"] == content["name"]:
                contents[-1]["text"] += text  # what is printed comes in one piece or more, as the kernel has time
            else:
                contents.append(content | {"text": text})
        for content in contents:
            shown.append(_RANDOM.sub("", json.dumps(content, sort_keys=True)).replace(os.path.realpath(root), ""))
    return [[cell["source"] for cell in cells if "injected-parameters" not in str(cell["metadata"])], shown]
