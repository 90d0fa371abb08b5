"""One seed, the same bits: a small study made again, by two workers, in another order, on two threads, by Snakemake.

Each study lies in a folder of its own. Its jobs are processes, as those of Snakemake are, and call what the notebooks
call. The recordings of the first two are simulated separately; the others read those of the first.
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from experiments.kept import keep

SETTINGS = {
    "name": "small", "description": "a small simulated study", "raw": "data/raw/simulated",
    "simulated": {"n_classes": 10, "n_pretraining_images": 200, "pretraining_epochs": 1, "n_voxels": 20,
                  "n_eeg_subjects": 2},
    "network": {"image_size": 64},
    "fmri": {"subjects": [1, 2], "other_subjects": [1, 2], "n_components": 32},
    "training": {"betas": [40], "epochs": 1, "learning_rate": 5.0e-4},
    "eeg": {"subjects": [1, 2], "window": [0.1, 0.13], "n_repeats": 1},
    "inference": {"n_bootstraps": 50, "n_permutations": 100},
}  # fmt: skip

#: name: workers, threads of each, whether jobs that may run side by side start in reversed order, `training: threads:`
VARIANTS = {
    "first": (1, 1, False, 1),
    "again": (1, 1, False, 1),
    "two workers": (2, 1, False, 1),
    "reversed order": (1, 1, True, 1),
    "two threads": (1, 2, False, 1),
    "training on two threads": (1, 1, False, 2),
}
BY_SNAKEMAKE = "by Snakemake, two cores"

#: Kind of result -> pattern of its files below the folder of a study.
KINDS = {
    "recordings": "data/raw/simulated/**/*.*",
    "prepared arrays": "data/prepared/small/*.nc",
    "weights": "results/small/networks/*.safetensors",
    "RDMs": "results/small/rdms/*.nc",
    "tables": "results/small/tables/**/*.csv",
    "similarities": "results/small/tables/fmri_*.csv",  # of the tables, the rows of metric rho
}

#: Largest difference that the number of threads may make where it is not a setting: sums are rounded in another order.
TOLERANCE = {"prepared arrays": 1e-9, "RDMs": 1e-5, "tables": 1e-5, "similarities": 1e-5}


def make_study(folder, workers, threads, backwards, training_threads):
    """Simulate the recordings where they are absent, and make all results of the small study in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "small.yml"
    settings = SETTINGS | {"training": SETTINGS["training"] | {"threads": training_threads}}
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    os.environ.update({"REALNET_ROOT": str(folder), **dict.fromkeys(names, str(threads))})
    from realnet.settings import load_study

    networks = range(len(load_study(file).networks()))
    chapters = ("across", "within", "eeg", "dimensions")
    steps = [[("world",)], [("prepare",)], [("network", i) for i in networks], [(name,) for name in chapters]]
    context = multiprocessing.get_context("spawn")  # as Snakemake: nothing is inherited
    with ProcessPoolExecutor(workers, context) as pool:
        for jobs in steps:
            jobs = jobs[::-1] if backwards else jobs
            for done in [pool.submit(run_job, file, threads, *job) for job in jobs]:
                done.result()


def run_job(file, threads, job, which=None):
    """One job of the small study, in the process it is called in."""
    import torch

    from experiments.worlds import prepare
    from realnet import responses
    from realnet.analyses.common import main_networks
    from realnet.analyses.dimensions import dimension_table
    from realnet.analyses.eeg import eeg_table
    from realnet.analyses.fmri import fmri_table
    from realnet.io import save_table
    from realnet.networks import save_network, train_network
    from realnet.settings import load_study, project_root
    from simulation import write_simulated_data

    torch.set_num_threads(threads)
    study = load_study(file)
    if job == "world":
        write_simulated_data(project_root() / study.raw, study.simulated, progress=False)
    elif job == "prepare":
        prepare(study)
        save_table(study, "reliability", responses.reliability_table(study))
    elif job == "network":
        network = study.networks()[which]
        save_network(study, network, *train_network(study, network, device="cpu", progress=False))
    elif job in ("within", "across"):
        name = {"within": "fmri_within_subject", "across": "fmri_across_subjects"}[job]
        save_table(study, name, fmri_table(study, main_networks(study), within=job == "within"))
    elif job == "eeg":
        save_table(study, "eeg", eeg_table(study, main_networks(study)))
    elif job == "dimensions":
        save_table(study, "object_dimensions", dimension_table(study, main_networks(study)))


def run_snakemake(folder, cores):
    """The same study as `make study` makes it: every notebook through Snakemake."""
    file = folder / "small.yml"
    file.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    command = [sys.executable, "-m", "realnet.workflow", str(file), "--cores", str(cores)]
    subprocess.run(command, check=True, env={**os.environ, "REALNET_ROOT": str(folder), "OMP_NUM_THREADS": "1"})


def compare(first, other, variant):
    """How far two folders of the same study are from each other.

    Returns
    -------
    DataFrame ``variant kind n_files n_equal largest_difference``
        ``n_equal``: files equal byte by byte; ``largest_difference``: absolute, over all numbers of the files, infinite
        where a file is missing, or a row, a name or a text differs. Files that ``other`` alone has do not count.
        Weights, arrays and RDMs that a notebook wrote carry other notes on their origin than those of a script: they
        are not equal as files where all their numbers are.
    """
    rows = []
    for kind, pattern in KINDS.items():
        files = [
            sorted(p.relative_to(folder) for p in folder.glob(pattern) if p.is_file()) for folder in (first, other)
        ]
        common, missing = sorted(set(files[0]) & set(files[1])), set(files[0]) - set(files[1])
        equal = [name for name in common if (first / name).read_bytes() == (other / name).read_bytes()]
        of = similarity_difference if kind == "similarities" else difference
        largest = max((of(first / name, other / name) for name in set(common) - set(equal)), default=0.0)
        rows.append({"variant": variant, "kind": kind, "n_files": len(common), "n_equal": len(equal),
                     "largest_difference": np.inf if missing else largest})  # fmt: skip
    return pd.DataFrame(rows)


def difference(first, other):
    """Largest absolute difference of the numbers in two netCDF, safetensors or CSV files; else infinite."""
    read = {".nc": _read_arrays, ".safetensors": _read_weights, ".csv": _read_columns}.get(first.suffix)
    if read is None:
        return np.inf
    a, b = read(first), read(other)
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        return np.inf
    return max((_distance(a[name], b[name]) for name in a), default=0.0)


def similarity_difference(first, other):
    """Largest absolute difference of the similarities (metric rho) of two tables with the same rows."""
    tables = [pd.read_csv(path).query("metric == 'rho'") for path in (first, other)]
    return _distance(*(table["value"].to_numpy() for table in tables))


def _distance(a, b):
    """Of two arrays of one shape: NaN only where the other is NaN; text and truth values must be equal."""
    if a.dtype.kind not in "fiu" or b.dtype.kind not in "fiu":
        return 0.0 if (a.astype(str) == b.astype(str)).all() else np.inf
    a, b = a.astype(float), b.astype(float)
    if (np.isnan(a) != np.isnan(b)).any():
        return np.inf
    same = (a == b) | np.isnan(a)
    return float(np.abs(a - b)[~same].max(initial=0.0))


def _read_arrays(path):
    import h5py

    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return {name: np.asarray(value) for name, value in found.items()}


def _read_weights(path):
    from safetensors.numpy import load_file

    return load_file(path)


def _read_columns(path):
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    return {name: table[name].to_numpy() for name in table}


def tolerance(variant, kind):
    """How large a difference may be: none for another order of work, none promised for another training."""
    if variant == "training on two threads" and kind not in ("recordings", "prepared arrays"):
        return np.inf
    # Snakemake gives notebooks other than the trainings two threads
    return TOLERANCE.get(kind, 0.0) if variant in ("two threads", BY_SNAKEMAKE) else 0.0


def main(arguments=None):
    """``python -m experiments.determinism [--folder DIR]``: keep the table; 1 where anything differed."""
    parser = argparse.ArgumentParser(prog="python -m experiments.determinism", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the studies lie (2 GB); by default a temporary one")
    given = parser.parse_args(arguments)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        root = (given.folder or Path(temporary)).resolve()
        folders = {name: root / name.replace(" ", "-") for name in [*VARIANTS, BY_SNAKEMAKE]}
        for name, folder in folders.items():
            raw = folder / "data" / "raw"
            if name not in ("first", "again") and not raw.exists():
                shutil.copytree(folders["first"] / "data" / "raw", raw, copy_function=os.link)
            run_snakemake(folder, 2) if name not in VARIANTS else make_study(folder, *VARIANTS[name])
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        table = pd.concat([compare(folders["first"], folders[name], name) for name in list(folders)[1:]])
    table["tolerance"] = [tolerance(variant, kind) for variant, kind in table[["variant", "kind"]].values]
    table["reached"] = table.largest_difference <= table.tolerance
    print(table.to_string(index=False))
    keep("determinism", table, {"study": SETTINGS, "variants": VARIANTS}, time.monotonic() - start)
    return int(not table.reached.all())


if __name__ == "__main__":
    sys.exit(main())
