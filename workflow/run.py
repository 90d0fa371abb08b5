"""Run a study through Snakemake: settings and room checked first, one run a folder, what a dead run left cleared."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from realnet.estimate import check_room, describe, estimate
from realnet.recovery import MARK, say, take_up

from realnet.commands import Parser, cores, plain_name
from realnet.datasets.files import CannotWrite, why_not_written
from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.settings import REPOSITORY, load_study, project_root

#: What Snakemake itself may stumble over -> what to tell people; each is cured by the same command, later.
TROUBLES = {
    r"No space left on device|Disk quota exceeded": "the disk is full: make room",
    r"Read-only file system": "its folder is read-only: make it writable",
    r"Permission denied": "there is no permission to write in its folder: allow it",
    r"older modification time": "the clock of this machine went back while a notebook ran",
    r"MissingOutputException": "a file that a notebook had written was removed meanwhile",
}


class StudyFailed(RealnetError):
    """A rule failed; what it said stands above this sentence."""


def study_file(name):
    """The settings file of a study: ``studies/<name>.yml``, or the file that ``name`` itself is the path of."""
    own = str(name).endswith((".yml", ".yaml"))
    return Path(name).resolve() if own else REPOSITORY / "studies" / f"{name}.yml"


def run_study(name, cores="all", profile="default", arguments=()):
    """Make every result of a study that is missing or out of date.

    Parameters
    ----------
    name : str or path
        ``demo`` for ``studies/demo.yml``, or the path of a settings file.
    cores : int or "all"
        Processor cores that jobs may use at once.
    profile : str
        Where jobs run: a folder of ``profiles/`` (``default``: this machine).
    arguments : sequence of str
        More arguments for ``snakemake``, such as ``--dry-run``.

    Returns
    -------
    float
        Seconds that it took.

    Raises
    ------
    MissingInput, InvalidInput, CannotWrite
        Before anything runs: no such study or profile, a wrong setting, another run alive in this folder, a disk
        without room for the study, or none that can be written to.
    StudyFailed
        A notebook failed; Snakemake has said which.
    """
    study = load_study(name)
    folder = REPOSITORY / "profiles" / profile
    if not (folder / "config.yaml").is_file():
        known = ", ".join(sorted(path.parent.name for path in folder.parent.glob("*/config.yaml")))
        raise InvalidInput(f"there is no profile {profile!r} in {folder.parent}: use one of {known}")
    if profile == "slurm" and not shutil.which("sbatch"):
        raise MissingInput("the profile slurm needs Slurm's sbatch on PATH: call it on a login node of the cluster")
    given = str(study_file(name)) if str(name).endswith((".yml", ".yaml")) else str(name)
    root = project_root()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--config", f"study={given}", "--workflow-profile", str(folder)]
    command += ["--cores", str(cores), *arguments]
    command += _one_gpu() if profile == "default" else []  # a login node's GPU is not the cluster's
    start = time.monotonic()
    with _only_run(root) as lock:
        if not {"-n", "--dry-run", "--dryrun"} & set(arguments):
            say(take_up(study, study_file(name)))
            needs = estimate(study, cores)
            say([describe(needs)] if needs.seconds else [])
            check_room(needs, root)
        # what outlives this process is ended by the next run, where it can be found; else it keeps the lock
        kept = () if Path("/proc/self").exists() else (lock,)
        options = {"pass_fds": kept, "env": os.environ | {MARK: str(root)}}
        if profile != "default" or arguments:
            if subprocess.run(command, **options).returncode:
                raise StudyFailed(f"study {name!r} is not complete: Snakemake says why above; what was done is kept")
        else:
            _run_quietly(command, options, study)
    return time.monotonic() - start


def _run_quietly(command, options, study):
    """Let notebooks speak for themselves and Snakemake count; the rest of what it says goes to a log."""
    path, sentences, last = study.results / "logs" / "snakemake.log", 0, deque(maxlen=400)
    process = subprocess.Popen(command, **options, stderr=subprocess.PIPE, text=True, errors="replace")
    with process, _log(path) as log:
        for line in process.stderr:
            log(line)
            last.append(line.rstrip())
            sentences += line.startswith("error: ")
            if line.startswith("error: ") or re.match(r"\d+ of \d+ steps", line):
                print(line, end="", file=sys.stderr, flush=True)
    if process.returncode:
        raise StudyFailed(_why_incomplete(study, path, sentences, list(last)))


@contextlib.contextmanager
def _log(path):
    """A function that writes lines to a file, and nothing where that cannot be written: the study is what matters."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = path.open("w", encoding="utf-8", buffering=1)
    except OSError:
        yield lambda line: None
        return

    def write(line):
        with contextlib.suppress(OSError):
            file.write(line)

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):
            file.close()


def _why_incomplete(study, log, sentences, last):
    """One sentence on a study that stopped; what cannot be told in one is printed above it."""
    kept = f"study {study.name!r} is not complete, what was done is kept"
    if sentences:
        return f"{kept}; see above, or {log}"
    affected = next((i for i, line in enumerate(last) if line.strip() == "affected files:"), None)
    if affected is not None and any("MissingInputException" in line for line in last):
        return f"{kept}: {last[affected + 1].strip()} is missing, and no notebook makes it: put it there (see {log})"
    for pattern, trouble in TROUBLES.items():
        if any(re.search(pattern, line) for line in last):
            return f"{kept}: {trouble}, then give the same command again (all of it: {log})"
    print(*last[-12:], sep="\n", file=sys.stderr)
    return f"{kept}; see above, or {log}"


@contextlib.contextmanager
def _only_run(folder):
    """Hold the lock of ``folder`` as long as this process is alive, however it ends."""
    path = folder / ".snakemake" / "realnet.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        reason = why_not_written(error, folder) or f"{error.strerror}: see to it"
        raise CannotWrite(f"the study cannot run in {folder}: {reason}, then give the same command again") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidInput(f"another run of a study is alive in {folder}: wait for its end, or stop it") from error
        yield file.fileno()


def _one_gpu():
    """Limit to one training at a time on a GPU; without one, cores are the limit."""
    return ["--resources", "gpu=1"] if shutil.which("nvidia-smi") else []


def main(arguments=None):
    """``python -m realnet.workflow [STUDY] [--cores N] [--profile NAME] [more for snakemake]``, then 0 or 1."""
    parser = Parser(prog="python -m realnet.workflow", description="Run a study.")
    parser.add_argument("study", nargs="?", default="demo", help="name in studies/, or path of a .yml file")
    parser.add_argument("--cores", type=cores, default="all", help="cores that jobs may use at once")
    parser.add_argument("--profile", type=plain_name, default="default", help="where jobs run: a folder of profiles/")
    given, more = parser.parse_known_args(arguments)
    try:
        seconds = run_study(given.study, given.cores, given.profile, more)
    except RealnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        return 130
    print(f"study {given.study}: {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
