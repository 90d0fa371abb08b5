"""Taking a study up again: what a killed run has left behind is cleared away before the next one begins.

A run holds the lock of its folder (:mod:`realnet.workflow`), and whoever calls these functions holds it: nobody else is
at work there but processes that have outlived their run.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import h5py

from realnet.datasets.files import remove_unfinished
from realnet.errors import InvalidInput
from realnet.study import REPOSITORY, project_root

#: Every process of a run, on whatever machine, has this variable: the folder that the run works in.
MARK = "REALNET_RUN"


def take_up(study, settings_file):
    """Clear away what a killed run of a study has left: processes, its lock, unfinished files, damaged results.

    Returns
    -------
    list of str
        One sentence for each thing that somebody might wonder about.

    Raises
    ------
    InvalidInput
        Somebody works here with Snakemake itself; a process cannot be ended; a date in the future cannot be corrected.
    """
    root, said = project_root(), []
    refuse_other_snakemake(root)
    if stopped := stop_survivors(root):
        said.append(f"stopped {stopped} processes that a killed run had left at work here")
    for lock in (root / ".snakemake" / "locks").glob("*.lock"):
        lock.unlink(missing_ok=True)  # what `snakemake --unlock` does, without reading the study first
    folders = [study.results, study.prepared, *([root / study.raw] if study.simulated else [])]
    for folder in folders:
        remove_unfinished(folder)
    for path in find_damaged(study):
        path.unlink()
        said.append(f"{path} was damaged: it is made again")
    sources = [REPOSITORY / "notebooks", REPOSITORY / "realnet", settings_file]
    if dated := settle_dates([*folders, root / study.raw, *sources]):
        said.append(f"{dated} files were dated in the future, as after a clock that went back: they count as of now")
    return said


def refuse_other_snakemake(root):
    """Stop where a ``snakemake`` that was called by hand is alive in this folder (Linux; elsewhere nothing is seen)."""
    for process in _processes():
        words = _read(process / "cmdline").split(b"\0")[:4]
        called = any(Path(os.fsdecode(word)).name == "snakemake" for word in words if word)
        try:
            here = called and os.path.realpath(process / "cwd") == str(root)
        except OSError:
            continue
        if here and not _belongs(process, root):
            raise InvalidInput(
                f"snakemake (process {process.name}) is alive in {root}: wait for its end, or stop it with"
                f" kill {process.name}"
            )


def find_survivors(root):
    """Folders in /proc of all processes of a run in ``root`` but this one; none where there is no /proc (macOS)."""
    return [process for process in _processes() if _belongs(process, root)]


def stop_survivors(root, patience=30):
    """End processes of a dead run: a notebook whose Snakemake was killed works on, and its kernel is in no group of it.

    Two writers of one file would do no harm, as files appear whole and equal; but they would share memory and cores.

    Returns
    -------
    int
        How many there were. Where there is no /proc (macOS) none is found, and Jupyter's kernels end by themselves.
    """
    stopped, end, quiet = set(), time.monotonic() + patience, 0
    while quiet < 2:  # one look can miss a process: while it turns into another program its environment is not shown
        survivors = find_survivors(root)
        quiet = 0 if survivors else quiet + 1
        if survivors and time.monotonic() > end:
            raise InvalidInput(
                f"process {survivors[0].name} of a killed run is still at work in {root} and cannot be ended: end it"
            )
        for process in survivors:
            try:
                os.kill(int(process.name), signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError as error:
                raise InvalidInput(
                    f"process {process.name} of a killed run is still at work in {root} and belongs to somebody else:"
                    " ask them to end it"
                ) from error
            stopped.add(process.name)
        time.sleep(0.02)
    return len(stopped)


def find_damaged(study):
    """Results that cannot be read: cut short by a crash of the machine or of the disk, for ours appear whole.

    Looks at executed notebooks, RDMs and prepared arrays, and weights; the ends of files tell, their numbers are not
    read. A damaged checkpoint is found by the training that would go on from it.
    """
    whole = {".ipynb": _is_notebook, ".nc": _is_hdf5, ".safetensors": _is_safetensors}
    folders = [study.results / name for name in ("notebooks", "rdms", "networks")] + [study.prepared]
    found = [path for folder in folders for path in sorted(folder.rglob("[!.]*")) if path.suffix in whole]
    return [path for path in found if not whole[path.suffix](path)]


def settle_dates(places):
    """Give files that are dated in the future a date of now, in their order; returns how many.

    After a clock has gone back everything that is made from such a file looks older than it: Snakemake would make it
    again and again, or refuse.

    Raises
    ------
    InvalidInput
        A file belongs to somebody else.
    """
    now, late = time.time(), []
    for place in map(Path, places):
        for path in [place] if place.is_file() else place.rglob("*"):
            date = path.stat().st_mtime if path.is_file() else 0
            if date > now + 2:  # disks of another machine, and coarse clocks
                late.append((date, path))
    late = sorted(set(late))
    for i, (_, path) in enumerate(late):
        date = now - 0.001 * (len(late) - i)
        try:
            os.utime(path, (date, date))
        except OSError as error:
            raise InvalidInput(f"{path} is dated in the future and cannot be changed: give it a date of now") from error
    return len(late)


def say(sentences):
    """Print sentences for people."""
    for sentence in sentences:
        print(sentence, file=sys.stderr, flush=True)


def _belongs(process, root):
    return f"{MARK}={root}".encode() in _read(process / "environ").split(b"\0")


def _processes():
    """Folders of /proc of all processes but this one."""
    return [path for path in Path("/proc").glob("[0-9]*") if path.name != str(os.getpid())]


def _read(path):
    """What a file of /proc says; nothing where the process has ended or is somebody else's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is_notebook(path):
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")).get("cells"), list)
    except (ValueError, AttributeError):
        return False


def _is_hdf5(path):
    try:
        with h5py.File(path, "r") as file:  # compares the length of the file with what its head says
            return len(file) > 0
    except (OSError, RuntimeError):
        return False


def _is_safetensors(path):
    """The head says how long it is, and where in the rest every array ends."""
    with path.open("rb") as file:
        head = file.read(8)
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length > path.stat().st_size:
            return False
        try:
            arrays = json.loads(file.read(length))
            ends = [about["data_offsets"][1] for name, about in arrays.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
    return path.stat().st_size == 8 + length + max(ends, default=0)
