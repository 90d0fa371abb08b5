"""A small study in a folder of its own: started, killed, continued, and compared file by file with another one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import psutil
import yaml
from safetensors.numpy import load_file

from realnet.settings import REPOSITORY

SMALL = {
    "name": "small", "description": "a small simulated study", "raw": "data/raw/simulated",
    "simulated": {"n_classes": 10, "n_pretraining_images": 200, "pretraining_epochs": 1, "n_voxels": 20,
                  "n_eeg_subjects": 2},
    "network": {"image_size": 64},
    "fmri": {"subjects": [1, 2], "other_subjects": [1, 2], "n_components": 32},
    "training": {"betas": [40], "epochs": 1, "learning_rate": 5.0e-4},
    "eeg": {"subjects": [1, 2], "window": [0.1, 0.13], "n_repeats": 1},
    "inference": {"n_bootstraps": 50, "n_permutations": 100},
}  # fmt: skip

#: Kind of result -> pattern of its files below the folder of a run.
KINDS = {
    "recordings": "data/raw/simulated/**/*.*",
    "prepared arrays": "data/prepared/*/*",
    "weights": "results/*/networks/*",
    "RDMs": "results/*/rdms/*",
    "tables": "results/*/tables/**/*",
    "similarities": "results/*/tables/fmri_*.csv",  # of these tables, the rows of metric rho
    "figures": "results/*/figures/**/*",
}


class Run:
    """The small study in ``folder``, always started with the same command.

    Parameters
    ----------
    folder : path
    cores : int
    threads : int
        Setting ``training: threads:`` of the study.
    """

    def __init__(self, folder, cores=2, threads=1):
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True)
        settings = SMALL | {"training": SMALL["training"] | {"threads": threads}}
        (self.folder / "small.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        self.command = [sys.executable, "-m", "workflow.run", str(self.folder / "small.yml"), "--cores", str(cores)]

    def start(self, *targets):
        """Start the study, or only what some files need, in a process group of its own."""
        environment = os.environ | {"REALNET_ROOT": str(self.folder)}
        self.started = time.time()
        with (self.folder / "log.txt").open("a") as log:
            self.process = subprocess.Popen(
                [*self.command, *targets], cwd=REPOSITORY, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def ended(self):
        """Whether the study is complete; a run that fails although nobody killed it ends the experiment."""
        if self.process.poll():
            raise SystemExit(f"the study failed by itself, see {self.folder / 'log.txt'}")
        return self.process.returncode == 0

    def finish(self):
        """Wait for the end: dict notebook -> seconds that it took."""
        seconds = {}
        while not self.ended():
            seconds |= self.jobs()
            time.sleep(0.5)
        return seconds

    def processes(self):
        """All processes at work in the folder, those included that outlived a killed run."""
        marked = psutil.process_iter(["environ", "cmdline", "create_time"])
        return [p for p in marked if (p.info["environ"] or {}).get("REALNET_ROOT") == str(self.folder)]

    def jobs(self):
        """Notebooks that are running: dict name -> seconds since their start."""
        found = {job_of(p.info["cmdline"]): time.time() - p.info["create_time"] for p in self.processes()}
        return {job: seconds for job, seconds in found.items() if job}

    def kill(self, how, rng):
        """SIGKILL to ``all`` processes, to the ``group`` of the command, or to ``one`` process chosen at random.

        Kernels are in groups of their own. Where one process was killed the others have 20 s to end by themselves.
        Returns the number of processes that are still alive.
        """
        processes = self.processes() if how != "group" else []
        for process in rng.sample(processes, min(1, len(processes))) if how == "one" else processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if how == "one":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        if how == "group" or self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return len(self.processes())


def job_of(words):
    """The notebook that a command line runs: ``02_training/cornet``, or None."""
    if "workflow.notebook" not in (words or []):
        return None
    executed = words[words.index("workflow.notebook") + 2]
    return executed.split("notebooks/", 1)[-1].removesuffix(".ipynb")


def compare_runs(first, other):
    """Compare two folders of the same study.

    Returns
    -------
    DataFrame ``kind n_files n_equal different largest_difference``
        ``n_equal``: files that are equal byte by byte; ``different``: names of up to five others;
        ``largest_difference``: over all numbers of the files, infinite where a file is missing or a text differs.
        The last row, ``leftovers``, counts files that only ``other`` has.
    """
    first, other, rows, leftovers = Path(first), Path(other), [], set()
    for kind, pattern in KINDS.items():
        names, others = ({p.relative_to(root) for p in root.glob(pattern) if p.is_file()} for root in (first, other))
        leftovers |= others - names
        same = {n for n in names & others if (first / n).read_bytes() == (other / n).read_bytes()}
        different = sorted(names - same)
        largest = max((difference(first / n, other / n, kind) for n in different), default=0.0)
        rows.append((kind, len(names), len(same), different, largest))
    rows.append(("leftovers", len(leftovers), 0, sorted(leftovers), np.inf if leftovers else 0.0))
    table = pd.DataFrame(rows, columns=["kind", "n_files", "n_equal", "different", "largest_difference"])
    return table.assign(different=[" ".join(map(str, names[:5])) for names in table.different])


def difference(first, other, kind=""):
    """Largest absolute difference of the numbers in two netCDF, safetensors or CSV files; else infinite."""
    read = {".nc": _read_arrays, ".safetensors": load_file, ".csv": _read_columns}.get(first.suffix)
    if read is None or not other.is_file():
        return np.inf
    if kind == "similarities":
        a, b = ({"rho": pd.read_csv(path).query("metric == 'rho'").value.to_numpy()} for path in (first, other))
    else:
        a, b = read(first), read(other)
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        return np.inf
    return max((_distance(a[name], b[name]) for name in a), default=0.0)


def _distance(a, b):
    """Of two arrays of one shape: NaN only where the other is NaN; text and booleans must be equal."""
    if a.dtype.kind not in "fiu" or b.dtype.kind not in "fiu":
        return 0.0 if (a.astype(str) == b.astype(str)).all() else np.inf
    a, b = a.astype(float), b.astype(float)
    if (np.isnan(a) != np.isnan(b)).any():
        return np.inf
    return float(np.nanmax(np.abs(a - b), initial=0.0))


def _read_arrays(path):
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return {name: np.asarray(value) for name, value in found.items()}


def _read_columns(path):
    table = pd.read_csv(path)
    return {name: table[name].to_numpy() for name in table}
