"""Run a study through Snakemake: ``python -m workflow.run STUDY [--cores N] [--profile NAME] [--plan]``."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import filelock
import psutil

from realnet.datasets.readiness import checkpoint, missing
from realnet.errors import CannotWrite, InvalidInput, MissingInput, RealnetError
from realnet.settings import REPOSITORY, load_study, nearest, project_root, study_file
from workflow.device import visible_gpus

#: Environment variable of every process of a run: the folder that it works in.
MARK = "REALNET_RUN"


def snakemake_command(name, cores="all", profile="default", arguments=()):
    """The command that runs the rules of a study: list of str.

    Raises
    ------
    InvalidInput, MissingInput
        There is no such profile, or no Slurm for the profile slurm.
    """
    profiles = REPOSITORY / "workflow" / "profiles"
    if not (profiles / profile / "config.yaml").is_file():
        known = sorted(path.parent.name for path in profiles.glob("*/config.yaml"))
        raise InvalidInput(f"there is no profile {profile!r} in {profiles}{nearest(profile, known)}")
    if profile == "slurm" and not shutil.which("sbatch"):
        raise MissingInput("profile slurm needs Slurm's sbatch on PATH: run it on a login node of the cluster")
    study = str(study_file(name)) if str(name).endswith((".yml", ".yaml")) else str(name)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "workflow" / "Snakefile")]
    command += ["--workflow-profile", str(profiles / profile)]
    if profile == "default":  # a training on each GPU of this machine; a cluster counts its own
        command += ["--resources", f"gpu={len(visible_gpus())}"]
    return [*command, "--cores", str(cores), *arguments, "--config", f"study={study}"]


def environment(root):
    """The environment of a run: its mark, and a home that can be written (containers and batch nodes may have none)."""
    variables = os.environ | {MARK: str(root), "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *_python_path()])}
    home = Path(os.path.expanduser("~"))
    if not os.access(home, os.W_OK) or not os.access(os.environ.get("XDG_CACHE_HOME", home), os.W_OK):
        substitute = root / ".snakemake" / "home"
        substitute.mkdir(parents=True, exist_ok=True)
        variables |= {"HOME": str(substitute), "XDG_CACHE_HOME": str(substitute / "cache")}
    return variables


def _python_path():
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def stop_orphans(root):
    """Kill the processes that an interrupted run left in this folder, and remove its unfinished files and locks."""
    orphans = []
    for process in psutil.process_iter(["pid", "environ"]):
        marked = (process.info["environ"] or {}).get(MARK) == str(root)
        if marked and process.pid != os.getpid():
            orphans.append(process)
            process.kill()
    if psutil.wait_procs(orphans, timeout=30)[1]:
        raise InvalidInput(f"process {orphans[0].pid} of an interrupted run in {root} cannot be stopped: stop it")
    for lock in (root / ".snakemake" / "locks").glob("*.lock"):  # what `snakemake --unlock` does
        lock.unlink()
    for folder in (root / "results", root / "data"):
        for part in folder.rglob(".*.part"):
            part.unlink()


def strange_weights(study):
    """A sentence where the pretrained network of a study is not the published file, else an empty text."""
    if study.simulated or study.network.weights != "cornet_s":
        return ""
    from data.fetch import find_problem, select  # only here: a simulated study needs none of it

    path = checkpoint(study)
    problem = find_problem(path, *select(["cornet_s"]))
    return f"note: {path} is not the published CORnet-S: {problem}; the study uses it as it is" if problem else ""


def run_study(name, cores="all", profile="default", arguments=()):
    """Make every result of a study that is missing or out of date.

    Parameters
    ----------
    name : str or path
        ``demo`` for ``studies/demo.yml``, or the path of a settings file.
    cores : int or "all"
        Processor cores that jobs may use at once.
    profile : str
        A folder of ``workflow/profiles/``; ``default`` is this machine.
    arguments : sequence of str
        More arguments for ``snakemake``.

    Returns
    -------
    float
        Seconds that it took.

    Raises
    ------
    RealnetError
        Wrong settings, missing files, another run in this folder, or a notebook that failed.
    """
    study, root = load_study(name), project_root()
    command = snakemake_command(name, cores, profile, arguments)
    if absent := missing(study):
        raise MissingInput(f"study {study.name} cannot start; missing: {'; '.join(absent)}")
    if note := strange_weights(study):
        print(note, file=sys.stderr)
    start = time.monotonic()
    try:
        (root / ".snakemake").mkdir(exist_ok=True)
        with filelock.FileLock(root / ".snakemake" / "realnet.lock", blocking=False):
            stop_orphans(root)
            failed = subprocess.run(command, env=environment(root)).returncode
    except filelock.Timeout as error:
        raise InvalidInput(f"another run is active in {root}: wait until it ends, or stop it") from error
    except OSError as error:
        raise CannotWrite(f"{error.filename or root} cannot be written: {error.strerror}") from error
    if failed:
        raise InvalidInput(f"study {study.name} is not complete, see above; the same command continues it")
    return time.monotonic() - start


def plan_study(name, profile="default"):
    """Print the jobs that a run would start, with their reasons and resources, and what is missing; takes no lock."""
    command = snakemake_command(name, profile=profile, arguments=["--dry-run", "--nolock", "--quiet", "host"])
    subprocess.run(command, env=environment(project_root()), check=False)
    for line in missing(load_study(name)):
        print(f"missing: {line}")


def main(arguments=None):
    """Command line; returns 0, or 1 after one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m workflow.run", description="Run a study.", allow_abbrev=False)
    parser.add_argument("study", nargs="?", default="demo", help="name in studies/, or path of a .yml file")
    parser.add_argument("--cores", default="all", help="cores that jobs may use at once: a number, or all")
    parser.add_argument("--profile", default="default", help="a folder of workflow/profiles/")
    parser.add_argument("--plan", action="store_true", help="only print what would run")
    given, more = parser.parse_known_args(arguments)
    try:
        if given.plan:
            plan_study(given.study, given.profile)
        else:
            seconds = run_study(given.study, given.cores, given.profile, more)
            print(f"study {given.study}: {seconds:.0f} s")
    except RealnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command continues", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
