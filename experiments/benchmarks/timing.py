"""What every benchmark needs: a fair clock, a row of the table, and a description of the machine."""

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import torch
from threadpoolctl import threadpool_info

from experiments.benchmarks import THREADS

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "torch", "neurora", "rsatoolbox", "pingouin", "torchmetrics")


def best_of(work, n=3, device="cpu"):
    """The shortest of n times in seconds, and the last result; on a GPU, until the GPU is done."""
    seconds = []
    for _ in range(n):
        start = time.perf_counter()
        result = work()
        if device != "cpu":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def row(work, peer, peer_seconds, our_seconds, agreement, must=None, note="", aim=None, limit=None, growth=None):
    """One line of the table.

    `agreement` says how far the two outputs agree; `must` is the smallest ratio accepted, `aim` the one hoped for, and
    `limit` the largest that anybody has measured on two cores. A row of a growth curve holds its point in `growth`, a
    dict of numbers.
    """
    return {
        "work": work,
        "peer": peer,
        "peer_seconds": peer_seconds,
        "our_seconds": our_seconds,
        "ratio": peer_seconds / our_seconds if peer_seconds is not None else None,
        "agreement": agreement,
        "must": must,
        "aim": aim,
        "limit": limit,
        "note": note,
        "growth": growth,
    }


def machine(device="cpu"):
    """What the times were taken on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name(device) if device != "cpu" else None,
        "threads": THREADS,
        "blas": sorted(
            {f"{pool['internal_api']} {pool.get('architecture', '')}".strip() for pool in threadpool_info()}
        ),
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _commit():
    """The commit that was timed, with `-dirty` where files were changed since; None outside a git repository.

    Results do not count: those of one benchmark must not make the next one dirty.
    """

    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=REPOSITORY).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD")
    changed = git(
        "status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results", ":!experiments/results"
    )
    return f"{commit}-dirty" if commit and changed else commit or None
