"""What every benchmark needs: a fair clock, a row of the table, and a description of the machine."""

import os
import platform
import time
from importlib.metadata import version

from threadpoolctl import threadpool_info

from experiments.benchmarks import THREADS
from realnet.io import commit
from workflow.about import processor

PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "torch", "neurora", "rsatoolbox", "pingouin", "torchmetrics")


def best_of(work, n=3):
    """The shortest of n times in seconds, and the last result."""
    seconds = []
    for _ in range(n):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def row(work, peer, peer_seconds, our_seconds, agreement, must=None, note="", aim=None, limit=None, growth=None):
    """One line of the table.

    ``agreement`` says how far the outputs agree; ``must`` is the smallest ratio accepted, ``aim`` the one hoped for,
    and ``limit`` the largest that anybody has measured on two cores. ``growth``: a point of a growth curve (dict).
    """
    ratio = peer_seconds / our_seconds if peer_seconds is not None else None
    return {
        "work": work, "peer": peer, "peer_seconds": peer_seconds, "our_seconds": our_seconds, "ratio": ratio,
        "agreement": agreement, "must": must, "aim": aim, "limit": limit, "note": note, "growth": growth,
    }  # fmt: skip


def machine():
    """What the times were taken on."""
    return {"processor": processor(), "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "threads": THREADS,
            "blas": sorted({f"{p['internal_api']} {p.get('architecture', '')}".strip() for p in threadpool_info()}),
            "commit": commit(), "load_before": round(os.getloadavg()[0], 2),
            "system": f"{platform.system()} {platform.machine()}", "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES}}  # fmt: skip
