"""Run a study through Snakemake: settings checked first, one run a folder, a lock left by a dead run cleared."""

import argparse
import contextlib
import fcntl
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from realnet.errors import InvalidInput, RealnetError
from realnet.study import REPOSITORY, load_study, project_root


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
    MissingInput, InvalidInput
        Before anything runs: no such study or profile, a wrong setting, another run alive in this folder.
    StudyFailed
        A notebook failed; Snakemake has said which.
    """
    study = load_study(name)
    folder = REPOSITORY / "profiles" / profile
    if not (folder / "config.yaml").is_file():
        known = ", ".join(sorted(path.parent.name for path in folder.parent.glob("*/config.yaml")))
        raise InvalidInput(f"there is no profile {profile!r} in {folder.parent}: use one of {known}")
    given = str(study_file(name)) if str(name).endswith((".yml", ".yaml")) else str(name)
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    snakemake += ["--config", f"study={given}", "--workflow-profile", str(folder)]
    start = time.monotonic()
    with _only_run(project_root()) as lock:
        if any((project_root() / ".snakemake" / "locks").glob("*.lock")):
            # whoever holds Snakemake's own lock is dead, or this run would not hold ours
            subprocess.run([*snakemake, "--unlock", "--quiet", "all"], pass_fds=(lock,), stderr=subprocess.DEVNULL)
        command = [*snakemake, "--cores", str(cores), *_one_gpu(), *arguments]
        if profile != "default" or arguments:
            if subprocess.run(command, pass_fds=(lock,)).returncode:
                raise StudyFailed(f"study {name!r} is not complete: Snakemake says why above; what was done is kept")
        else:
            _run_quietly(command, lock, study)
    return time.monotonic() - start


def _run_quietly(command, lock, study):
    """Let notebooks speak for themselves and Snakemake count; the rest of what it says goes to a log."""
    path, sentences = study.results / "logs" / "snakemake.log", 0
    path.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(command, pass_fds=(lock,), stderr=subprocess.PIPE, text=True, errors="replace")
    with path.open("w", encoding="utf-8") as log, process:
        for line in process.stderr:
            log.write(line)
            sentences += line.startswith("error: ")
            if line.startswith("error: ") or re.match(r"\d+ of \d+ steps", line):
                print(line, end="", file=sys.stderr, flush=True)
    if process.returncode:
        if not sentences:  # not a notebook, but Snakemake itself
            print(*path.read_text(encoding="utf-8").splitlines()[-12:], sep="\n", file=sys.stderr)
        raise StudyFailed(f"study {study.name!r} is not complete, what was done is kept; see above, or {path}")


@contextlib.contextmanager
def _only_run(folder):
    """Hold the lock of ``folder``; Snakemake inherits it, so it is free only when both are gone, however they ended."""
    path = folder / ".snakemake" / "realnet.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
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
    parser = argparse.ArgumentParser(prog="python -m realnet.workflow", description="Run a study.")
    parser.add_argument("study", nargs="?", default="demo", help="name in studies/, or path of a .yml file")
    parser.add_argument("--cores", default="all", help="cores that jobs may use at once")
    parser.add_argument("--profile", default="default", help="where jobs run: a folder of profiles/")
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
