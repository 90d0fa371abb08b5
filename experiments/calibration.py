"""How often our inference errs where the truth is known: ``python -m experiments.calibration [--workers N]``.

Null sets with the structure of ours; errors, power and coverage with their standard errors, ours beside mne's and
neurora's. Chapter 11 shows the table (``results/calibration.csv``): one row for each cell, test and metric.
"""

import argparse
import json
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import torch

from experiments.calibration_data import PROFILES, ROI_NOISE, draw_differences, draw_rdms, true_similarities
from experiments.calibration_peers import N_FLIPS, largest_t, mne_cluster, neurora_cluster, uncorrected_t
from experiments.kept import keep
from realnet.io import whole_file
from realnet.similarity import compare_rdms
from realnet.statistics import (
    bootstrap_p,
    bootstrap_similarities,
    cluster_test,
    confidence_interval,
    fdr,
    generalise_to_subjects,
    resample_subjects,
    sign_flip_test,
)

LEVEL = 0.05
SIDES = ("two-sided", "greater")

#: Which tests are ours; the others are peers, or examples of what goes wrong.
OURS = ("cluster mass", "cluster mass, 500 random flips", "sign flips, FDR over times", "sign flips, FDR over ROIs",
        "bootstrap over images", "bootstrap over images, FDR over ROIs", "images and subjects, t",
        "bootstrap over images, fixed layers")  # fmt: skip

COLUMNS = (
    "family", "n_subjects", "n_times", "autocorrelation", "shared_offset", "width", "n_rois", "n_images", "n_layers",
    "profile", "subject_sd", "effect", "truth", "test", "alternative", "ours", "quantity", "n_sets", "metric", "value",
    "standard_error",
)  # fmt: skip


def grid():
    """The cells: one dict of parameters each, with its ``family``."""
    fmri = {"family": "fmri", "n_subjects": 3, "n_rois": len(ROI_NOISE), "n_layers": 4, "subject_sd": 0.0}
    cells = [fmri | {"n_images": n, "effect": e} for n, e in ((50, 0.0), (10, 0.0), (50, 0.15))]
    rdm = {"family": "rdm", "n_subjects": 1, "n_layers": 1, "subject_sd": 0.0}
    cells += [rdm | {"n_images": n, "n_layers": k, "effect": 0.0} for n, k in product((50, 10), (1, 4))]
    cells += [rdm | {"n_images": 50, "effect": e} for e in (0.05, 0.1, 0.15, 0.2, 0.3)]
    layers = {"family": "layers", "n_subjects": 1, "n_rois": len(ROI_NOISE), "n_layers": 4, "subject_sd": 0.0}
    cells += [layers | {"n_images": n, "profile": p, "effect": 0.0} for n, p in product((50, 10), PROFILES)]
    people = {"family": "subjects", "n_layers": 1, "n_images": 50, "effect": 0.0}
    cells += [people | {"n_subjects": n, "subject_sd": s} for n, s in product((3, 5, 10), (0.0, 0.15, 0.4))]
    cells += [people | {"n_subjects": n, "subject_sd": 0.4, "n_images": 10} for n in (3, 5)]
    cells += [people | {"n_subjects": 5, "subject_sd": 0.15, "effect": e} for e in (0.1, 0.2, 0.3)]
    eeg = {"family": "eeg", "n_subjects": 10, "n_times": 20, "width": 8, "effect": 0.0, "shared_offset": 0.0}
    cells += [eeg | {"autocorrelation": r} for r in (0.0, 0.5, 0.8, 0.95)]
    cells += [eeg | {"autocorrelation": r, "shared_offset": 1.0} for r in (0.0, 0.95)]
    cells += [eeg | {"n_subjects": 5, "autocorrelation": 0.8, "effect": e} for e in (0.0, 1.5)]
    cells += [
        eeg | {"autocorrelation": 0.8, "width": width, "effect": effect}
        for width, effect in product((8, 1), (0.25, 0.5, 0.75, 1.0, 1.25))
    ]
    return cells


def run_cell(cell, sets=2000, fast_sets=5000, bootstraps=500, seed=0):
    """Rows of one cell: ``sets`` null sets, ``fast_sets`` for tests that are fast; with an effect, half of ``sets``.

    All tests of a cell see the same sets (`generator`).
    """
    if cell["effect"]:
        sets = fast_sets = max(1, sets // 2)
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    if cell["family"] == "eeg":
        return _eeg_rows(cell, sets, fast_sets, seed)
    truth = true_similarities(cell["effect"], cell["subject_sd"], cell["n_layers"], seed)
    try_set = {"fmri": _fmri_set, "rdm": _rdm_set, "layers": _layers_set, "subjects": _subjects_set}[cell["family"]]
    found = [try_set(cell, generator(cell, seed, number), bootstraps, truth) for number in range(sets)]
    about = cell | {"truth": float(truth[0] - truth[1]), "alternative": "greater"}
    rows = []
    for test, quantity in found[0]:
        hits = [one[test, quantity] for one in found]
        name = {"covers": "coverage"}.get(quantity.split()[0], _error_or_power(cell))
        what = quantity.removeprefix("covers ")
        rows.append(_row(about, test, hits, name, quantity=what))
    return rows


def run_once(cell, folder=None, **settings):
    """(rows, seconds) of one cell; kept in ``folder``, if there is one, and read from there the next time."""
    path = Path(folder) / f"{_number(cell | settings):08x}.json" if folder else None
    if path and path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    start = time.perf_counter()
    rows = run_cell(cell, **settings)
    seconds = time.perf_counter() - start
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps([rows, seconds]), encoding="utf-8")
    return rows, seconds


def generator(cell, seed, number):
    """The random numbers of one set: they depend on the cell, the seed and the number of the set, on nothing else."""
    return np.random.default_rng([_number(cell), seed, number])


def _number(settings):
    """A number for a dict, the same on every machine."""
    return zlib.crc32(",".join(f"{key}={settings[key]}" for key in sorted(settings)).encode())


def _eeg_rows(cell, sets, fast_sets, seed):
    rows = []
    for alternative in SIDES:
        for test, (smallest_p, fast) in eeg_tests(alternative).items():
            if cell["width"] == 1 and test in ("mne cluster", "neurora cluster"):
                continue  # slow; two-sided mne's test is ours, and neurora's is mne's without single times
            n_sets = fast_sets if fast else sets
            generators = (generator(cell, seed, number) for number in range(n_sets))
            hits = [smallest_p(draw_differences(cell, rng), n) <= LEVEL for n, rng in enumerate(generators)]
            rows.append(_row(cell | {"alternative": alternative}, test, hits, _error_or_power(cell)))
    return rows


def eeg_tests(alternative):
    """The tests over times: name -> (function of values and a seed to the smallest p over times, is it fast?)."""
    side = {"alternative": alternative}
    return {
        "cluster mass": (lambda x, n: cluster_test(x, **side).min(), True),
        "cluster mass, 500 random flips": (lambda x, n: cluster_test(x, 500, n, **side).min(), True),
        "sign flips, FDR over times": (lambda x, n: fdr(sign_flip_test(x, **side)).min(), False),
        "mne cluster": (lambda x, n: mne_cluster(x, alternative), False),
        "neurora cluster": (lambda x, n: neurora_cluster(x, alternative, n), False),
        "largest t, exact": (lambda x, n: largest_t(x, alternative), True),
        "t tests, uncorrected": (lambda x, n: uncorrected_t(x, alternative), True),
    }


def _fmri_set(cell, rng, bootstraps, truth):
    """3 people x 5 ROIs: does any ROI of a person, or of any person, come out? Networks at their best layer."""
    effects = np.full(cell["n_subjects"], cell["effect"])
    found, samples = _best_differences(cell, effects, rng, bootstraps, ROI_NOISE)
    p = bootstrap_p(samples)  # (subject, roi)
    return {
        ("sign flips, FDR over ROIs", "any ROI"): fdr(sign_flip_test(found)).min() <= LEVEL,
        ("bootstrap over images, FDR over ROIs", "any ROI of one person"): fdr(p[0]).min() <= LEVEL,
        ("bootstrap over images, FDR over ROIs", "any ROI of any person"): fdr(p).min() <= LEVEL,
        ("bootstrap over images, FDR over ROIs", "any ROI, mean person"): fdr(
            bootstrap_p(samples.mean(axis=1))).min() <= LEVEL,
        ("bootstrap over images", "mean ROI of one person"): bootstrap_p(samples[:, 0].mean(axis=1)) <= LEVEL,
        ("bootstrap over images, uncorrected", "any ROI of any person"): p.min() <= LEVEL,
    }  # fmt: skip


def _layers_set(cell, rng, bootstraps, truth):
    """Mean over the ROIs of one person, where the best layers are equally good and the others are not."""
    drawn = draw_rdms(cell["n_images"], [0.0], rng, cell["n_layers"], ROI_NOISE, cell["profile"])
    samples = _bootstrap(*drawn, rng, bootstraps)[:, :, :, 0]  # (bootstrap, network, layer, roi)
    same = [np.argmin(noise) for noise in PROFILES[cell["profile"]]]  # the layers that are equally good
    best, fixed = samples.max(axis=2), np.stack([samples[:, n, layer] for n, layer in enumerate(same)], axis=1)
    return {
        (test, "mean ROI of one person"): bootstrap_p((at[:, 0] - at[:, 1]).mean(axis=1)) <= LEVEL
        for test, at in (("bootstrap over images, best layer", best), ("bootstrap over images, fixed layers", fixed))
    }


def _rdm_set(cell, rng, bootstraps, truth):
    """Two networks and one brain: the test of their difference, intervals of difference and similarity."""
    networks, brains = draw_rdms(cell["n_images"], [cell["effect"]], rng, cell["n_layers"])
    samples = _bootstrap(networks, brains, rng, bootstraps).max(axis=2)[:, :, 0, 0]  # (bootstrap, network)
    difference = samples[:, 0] - samples[:, 1]
    covers = _covers(confidence_interval(difference), truth[0] - truth[1])
    return {
        ("bootstrap over images", "difference"): bootstrap_p(difference) <= LEVEL,
        ("bootstrap over images", "covers difference"): covers,
        ("bootstrap over images", "covers similarity"): _covers(confidence_interval(samples[:, 0]), truth[0]),
    }


def _subjects_set(cell, rng, bootstraps, truth):
    """The mean over people who differ: what is said of all people and all images?"""
    effects = cell["effect"] + cell["subject_sd"] * rng.standard_normal(cell["n_subjects"])
    networks, brains = draw_rdms(cell["n_images"], effects, rng)
    samples = _bootstrap(networks, brains, rng, bootstraps)[:, :, 0, :, 0]  # (bootstrap, network, subject)
    found = compare_rdms(networks, brains)[:, 0, :, 0]
    difference = (found[0] - found[1], samples[:, 0] - samples[:, 1], truth[0] - truth[1])
    outcome = {}
    for quantity, (at_all, sampled, true) in {"difference": difference,
                                              "similarity": (found[0], samples[:, 0], truth[0])}.items():  # fmt: skip
        resampled = resample_subjects(sampled, seed=int(rng.integers(2**31)))
        _, lower, upper, p = generalise_to_subjects(at_all, sampled)
        outcome["images and subjects, t", f"covers {quantity}"] = lower <= true <= upper
        percentiles = confidence_interval(resampled)
        outcome["images and subjects, percentiles", f"covers {quantity}"] = _covers(percentiles, true)
        images_only = confidence_interval(sampled.mean(axis=1))
        outcome["images only, percentiles", f"covers {quantity}"] = _covers(images_only, true)
        if quantity == "difference":
            outcome["images and subjects, t", quantity] = p <= LEVEL
            outcome["images and subjects, percentiles", quantity] = bootstrap_p(resampled) <= LEVEL
            outcome["images only, percentiles", quantity] = bootstrap_p(sampled.mean(axis=1)) <= LEVEL
    return outcome


def _best_differences(cell, effects, rng, bootstraps, roi_noise):
    """Network 1 minus network 2, each at its best layer: (subject, roi) and (bootstrap, subject, roi)."""
    networks, brains = draw_rdms(cell["n_images"], effects, rng, cell["n_layers"], roi_noise)
    found = compare_rdms(networks, brains).max(axis=1)
    samples = _bootstrap(networks, brains, rng, bootstraps).max(axis=2)
    return found[0] - found[1], samples[:, 0] - samples[:, 1]


def _bootstrap(networks, brains, rng, bootstraps):
    """(bootstrap, network, layer, subject, roi)"""
    n_pairs = networks.shape[-1]
    samples = bootstrap_similarities(
        networks.reshape(-1, n_pairs), brains.reshape(-1, n_pairs), bootstraps, seed=int(rng.integers(2**31))
    )
    return samples.reshape(bootstraps, *networks.shape[:-1], *brains.shape[:-1])


def _covers(interval, truth):
    return interval[0] <= truth <= interval[1]


def _error_or_power(cell):
    return "power" if cell["effect"] else "family_wise_error"


def _row(about, test, hits, metric, quantity=""):
    """One row of the table; an error near 0 keeps the standard error that it would have at the nominal level."""
    value = float(np.mean(hits))
    variance = value * (1 - value)
    if metric != "power":
        variance = max(variance, LEVEL * (1 - LEVEL))
    return about | {
        "test": test, "ours": test in OURS, "quantity": quantity, "n_sets": len(hits), "metric": metric, "value": value,
        "standard_error": float(np.sqrt(variance / len(hits))),
    }  # fmt: skip


def main():
    """Run the grid and keep its table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000, help="null sets a cell")
    parser.add_argument("--fast-sets", type=int, default=5000, help="null sets a cell for the tests that are fast")
    parser.add_argument("--bootstraps", type=int, default=500, help="resamples of the images of each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes; one a core")
    parser.add_argument("--folder", help="keep finished cells here, so that a run that was stopped goes on")
    arguments = vars(parser.parse_args())
    workers, folder = arguments.pop("workers"), arguments.pop("folder")
    rows, total, cells = [], 0.0, grid()
    with ProcessPoolExecutor(workers) as pool:
        runs = [pool.submit(run_once, cell, folder, **arguments) for cell in cells]
        for number, (cell, run) in enumerate(zip(cells, runs, strict=True), 1):
            found, seconds = run.result()
            rows, total = rows + found, total + seconds
            print(f"{number}/{len(cells)} in {seconds:.0f} s: {cell}", flush=True)
    settings = arguments | {"level": LEVEL, "mne_flips": N_FLIPS}
    # not the time of this call: it may have found finished cells of earlier ones
    keep("calibration", pd.DataFrame(rows).reindex(columns=COLUMNS), settings, total / workers)


if __name__ == "__main__":
    main()
