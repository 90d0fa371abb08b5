"""Same seed, same bits: a small study is run again in ways that must not change its results (``make determinism``)."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.interruptions import run_chain
from experiments.runs import SMALL, Run, compare_runs
from experiments.tables.kept import keep

#: How the study is run again, compared with one run on one core.
VARIANTS = {
    "again": {},  # in another folder, as all of these
    "two cores": {"cores": 2},
    # on one core the first network is trained first, and the EEG comes after the fMRI
    "other order": {"first": ["results/small/networks/sub-02_beta-40_seed-0_shuffled.safetensors",
                              "data/prepared/small/things_eeg2_rdms.nc"]},
    "interrupted": {"cores": 2, "kills": 3},
    "training on two threads": {"cores": 2, "threads": 2},
}  # fmt: skip


def run_variant(folder, cores=1, threads=1, first=(), kills=0):
    """Run the small study in ``folder`` and return the folder.

    Parameters
    ----------
    folder : path
    cores, threads : int
        Cores of the run, threads of a training.
    first : sequence of str
        Files that are made before all others.
    kills : int
        How often the run is killed and continued.
    """
    run = Run(folder, cores, threads)
    for target in first:
        run.start(target)
        run.finish()
    run_chain(run, kills, 20, random.Random(0))
    return run.folder


def tolerance(variant, kind):
    """How large a difference may be: 0, but a training on another number of threads is another training."""
    return np.inf if variant == "training on two threads" and kind not in ("recordings", "prepared arrays") else 0.0


def main():
    """``python -m experiments.determinism [--folder DIR]``: keep the table; 1 where a result differed."""
    parser = argparse.ArgumentParser(prog="python -m experiments.determinism", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, help="an empty folder for the studies (2 GB); by default a temporary one"
    )
    given = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        first, tables = run_variant(root / "first"), []
        for variant, options in VARIANTS.items():
            other = run_variant(root / variant.replace(" ", "-"), **options)
            tables.append(compare_runs(first, other).assign(variant=variant))
            print(f"{variant}: {time.monotonic() - start:.0f} s", flush=True)
    table = pd.concat(tables)[["variant", "kind", "n_files", "n_equal", "largest_difference"]]
    table["tolerance"] = [tolerance(variant, kind) for variant, kind in table[["variant", "kind"]].values]
    table["reached"] = table.largest_difference <= table.tolerance
    print(table.to_string(index=False))
    keep("determinism", table, {"study": SMALL, "variants": VARIANTS}, time.monotonic() - start)
    return int(not table.reached.all())


if __name__ == "__main__":
    sys.exit(main())
