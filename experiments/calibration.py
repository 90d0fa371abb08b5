"""How often our inference errs where the truth is known: ``python -m experiments.calibration [--workers N]``.

Null sets with the structure of ours; errors, power and coverage with their standard errors, ours beside neurora's and
the exact test of the largest t. Appendix 11 shows the table (``results/calibration.csv``): one row for each cell, test
and metric.
"""

import argparse
import contextlib
import io
import time
import warnings
import zlib
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import mne
import numba
import numpy as np
import pandas as pd
import torch
from scipy import stats
from tqdm import tqdm

from experiments.calibration_data import PROFILES, ROI_NOISE, draw_differences, draw_rdms, true_similarities
from experiments.statistics import resample_subjects, sign_flip_test
from experiments.tables.kept import keep
from realnet.similarity import compare_rdms
from realnet.statistics import (
    bootstrap_p,
    bootstrap_similarities,
    cluster_test,
    confidence_interval,
    generalise_to_subjects,
)

with contextlib.redirect_stdout(io.StringIO()):  # importing neurora prints
    from neurora.stuff import clusterbased_permutation_1d_1samp_2sided

np.seterr(all="warn")  # importing neurora changes it for the whole process

LEVEL = 0.05

#: Which tests are ours; the others are peers, or examples of what goes wrong.
OURS = ("cluster mass", "cluster mass, 500 random flips", "sign flips, FDR over times", "sign flips, FDR over ROIs",
        "bootstrap over images", "bootstrap over images, FDR over ROIs", "images and subjects, t",
        "bootstrap over images, fixed layers")  # fmt: skip


def grid():
    """The cells: one dict of parameters each, with its ``family``."""
    fmri = {"family": "fmri", "n_subjects": 3, "n_rois": len(ROI_NOISE), "n_layers": 4, "subject_sd": 0.0}
    cells = [fmri | {"n_images": n, "effect": e} for n, e in ((50, 0.0), (10, 0.0), (50, 0.15))]
    rdm = {"family": "rdm", "n_subjects": 1, "n_layers": 1, "subject_sd": 0.0}
    cells += [rdm | {"n_images": n, "n_layers": k, "effect": 0.0} for n, k in product((50, 10), (1, 4))]
    cells += [rdm | {"n_images": 50, "effect": e} for e in (0.05, 0.1, 0.15, 0.2, 0.3)]
    layers = {"family": "layers", "n_subjects": 1, "n_rois": len(ROI_NOISE), "n_layers": 4, "subject_sd": 0.0}
    cells += [layers | {"n_images": n, "profile": p, "effect": 0.0} for n, p in product((50, 10), PROFILES)]
    subjects = {"family": "subjects", "n_layers": 1, "n_images": 50, "effect": 0.0}
    cells += [subjects | {"n_subjects": n, "subject_sd": s} for n, s in product((3, 5, 10), (0.0, 0.15, 0.4))]
    cells += [subjects | {"n_subjects": n, "subject_sd": 0.4, "n_images": 10} for n in (3, 5)]
    cells += [subjects | {"n_subjects": 5, "subject_sd": 0.15, "effect": e} for e in (0.1, 0.2, 0.3)]
    eeg = {"family": "eeg", "n_subjects": 10, "n_times": 20, "width": 8, "effect": 0.0, "shared_offset": 0.0}
    cells += [eeg | {"autocorrelation": r} for r in (0.0, 0.5, 0.8, 0.95)]
    cells += [eeg | {"autocorrelation": r, "shared_offset": 1.0} for r in (0.0, 0.95)]
    cells += [
        eeg | {"autocorrelation": 0.8, "width": width, "effect": effect}
        for width, effect in product((8, 1), (0.25, 0.5, 0.75, 1.0, 1.25))
    ]
    return cells


def run_cell(cell, sets=2000, bootstraps=500, seed=0):
    """Rows of one cell: ``sets`` null sets, or half as many with an effect, the same ones for all tests."""
    sets = max(1, sets // 2) if cell["effect"] else sets
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    if cell["family"] == "eeg":
        truth, about = None, cell | {"alternative": "two-sided"}
    else:
        truth = true_similarities(cell["effect"], cell["subject_sd"], cell["n_layers"], seed)
        about = cell | {"truth": float(truth[0] - truth[1]), "alternative": "greater"}
    found = [FAMILIES[cell["family"]](cell, generator(cell, seed, n), bootstraps, truth) for n in range(sets)]
    return [_row(about, test, quantity, [one[test, quantity] for one in found]) for test, quantity in found[0]]


def generator(cell, seed, number):
    """The random numbers of one set: they depend on the cell, the seed and the number of the set, on nothing else."""
    of_cell = zlib.crc32(",".join(f"{key}={cell[key]}" for key in sorted(cell)).encode())  # same on every machine
    return np.random.default_rng([of_cell, seed, number])


def neurora_cluster(values, seed):
    """0 where neurora's cluster test (2.0.1, its defaults: 1000 iterations, two times or more) marks a time, else 1."""
    with warnings.catch_warnings(), mne.use_log_level("ERROR"):
        warnings.simplefilter("ignore")
        marked = clusterbased_permutation_1d_1samp_2sided(values, random_state=seed)
    return 1.0 - np.any(marked != 0)


def largest_t(values):
    """Exact p of the largest abs(t) over times among all sign flips of subjects; a single step, no clusters."""
    n_subjects = len(values)
    flips = 1 - 2 * ((np.arange(2**n_subjects)[:, None] >> np.arange(n_subjects)) & 1)
    mean = flips @ values / n_subjects
    variance = ((values**2).sum(axis=0) - n_subjects * mean**2) / (n_subjects - 1)
    largest = np.abs(mean / np.sqrt(variance / n_subjects)).max(axis=1)
    return np.mean(largest >= largest[0] * (1 - 1e-9))


def _times_set(cell, rng, bootstraps, truth):
    """Differences over times: does any time come out?"""
    values = draw_differences(cell, rng)
    seed = int(rng.integers(2**31))
    p = {"cluster mass": cluster_test(values), "cluster mass, 500 random flips": cluster_test(values, 500, seed),
         "sign flips, FDR over times": _fdr(sign_flip_test(values, alternative="two-sided")),
         "largest t, exact": largest_t(values),
         "t tests, uncorrected": stats.ttest_1samp(values, 0).pvalue}  # fmt: skip
    if cell["width"] > 1:  # neurora's test does not mark single times
        p["neurora cluster"] = neurora_cluster(values, seed)
    return {(test, ""): bool(np.min(values) <= LEVEL) for test, values in p.items()}


def _fmri_set(cell, rng, bootstraps, truth):
    """3 participants x 5 ROIs: does any ROI of one, or of any of them, come out? Networks at their best layer."""
    networks, brains = draw_rdms(cell["n_images"], [cell["effect"]] * cell["n_subjects"], rng, cell["n_layers"],
                                 ROI_NOISE)  # fmt: skip
    found = compare_rdms(networks, brains).max(axis=1)
    samples = _bootstrap(networks, brains, rng, bootstraps).max(axis=2)
    found, samples = found[0] - found[1], samples[:, 0] - samples[:, 1]  # (subject, roi), (bootstrap, subject, roi)
    p = bootstrap_p(samples)  # (subject, roi)
    p = {("sign flips, FDR over ROIs", "any ROI"): _fdr(sign_flip_test(found)),
         ("bootstrap over images, FDR over ROIs", "any ROI of one person"): _fdr(p[0]),
         ("bootstrap over images, FDR over ROIs", "any ROI of any person"): _fdr(p),
         ("bootstrap over images, FDR over ROIs", "any ROI, mean person"): _fdr(bootstrap_p(samples.mean(axis=1))),
         ("bootstrap over images", "mean ROI of one person"): bootstrap_p(samples[:, 0].mean(axis=1)),
         ("bootstrap over images, uncorrected", "any ROI of any person"): p}  # fmt: skip
    return {key: bool(np.min(values) <= LEVEL) for key, values in p.items()}


def _layers_set(cell, rng, bootstraps, truth):
    """Mean over the ROIs of one participant, where the best layers are equally good and the others are not."""
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
    test = "bootstrap over images"
    return {
        (test, "difference"): bootstrap_p(difference) <= LEVEL,
        (test, "covers difference"): _covers(confidence_interval(difference), truth[0] - truth[1]),
        (test, "covers similarity"): _covers(confidence_interval(samples[:, 0]), truth[0]),
    }


def _subjects_set(cell, rng, bootstraps, truth):
    """The mean over participants who differ: what is said of all participants and all images?"""
    effects = cell["effect"] + cell["subject_sd"] * rng.standard_normal(cell["n_subjects"])
    networks, brains = draw_rdms(cell["n_images"], effects, rng)
    samples = _bootstrap(networks, brains, rng, bootstraps)[:, :, 0, :, 0]  # (bootstrap, network, subject)
    found = compare_rdms(networks, brains)[:, 0, :, 0]
    both, images_only = "images and subjects, percentiles", "images only, percentiles"
    outcome = {}
    for quantity, at_all, sampled, true in (
        ("difference", found[0] - found[1], samples[:, 0] - samples[:, 1], truth[0] - truth[1]),
        ("similarity", found[0], samples[:, 0], truth[0]),
    ):
        resampled = {both: resample_subjects(sampled, seed=int(rng.integers(2**31))), images_only: sampled.mean(axis=1)}
        _, lower, upper, p = generalise_to_subjects(at_all, sampled)
        outcome["images and subjects, t", f"covers {quantity}"] = bool(lower <= true <= upper)
        if quantity == "difference":
            outcome["images and subjects, t", quantity] = bool(p <= LEVEL)
        for test, values in resampled.items():
            outcome[test, f"covers {quantity}"] = _covers(confidence_interval(values), true)
            if quantity == "difference":
                outcome[test, quantity] = bootstrap_p(values) <= LEVEL
    return outcome


FAMILIES = {"eeg": _times_set, "fmri": _fmri_set, "rdm": _rdm_set, "layers": _layers_set, "subjects": _subjects_set}


def _bootstrap(networks, brains, rng, bootstraps):
    """(bootstrap, network, layer, subject, roi)"""
    n_pairs = networks.shape[-1]
    samples = bootstrap_similarities(
        networks.reshape(-1, n_pairs), brains.reshape(-1, n_pairs), bootstraps, seed=int(rng.integers(2**31))
    )
    return samples.reshape(bootstraps, *networks.shape[:-1], *brains.shape[:-1])


def _fdr(p):
    return stats.false_discovery_control(p, axis=None)


def _covers(interval, truth):
    return interval[0] <= truth <= interval[1]


def _row(about, test, quantity, hits):
    """One row of the table; an error near 0 keeps the standard error that it would have at the nominal level."""
    metric = "power" if about["effect"] else "family_wise_error"
    metric = "coverage" if quantity.startswith("covers ") else metric
    value = float(np.mean(hits))
    variance = value * (1 - value)
    if metric != "power":
        variance = max(variance, LEVEL * (1 - LEVEL))
    return about | {
        "test": test, "ours": test in OURS, "quantity": quantity.removeprefix("covers "), "n_sets": len(hits),
        "metric": metric, "value": value, "standard_error": float(np.sqrt(variance / len(hits))),
    }  # fmt: skip


def main():
    """Run the grid and keep its table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=2000, help="null sets per cell")
    parser.add_argument("--bootstraps", type=int, default=500, help="resamples of the images of each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes; one per core")
    settings = vars(parser.parse_args())
    start = time.monotonic()
    with ProcessPoolExecutor(settings.pop("workers")) as pool:
        runs = [pool.submit(run_cell, cell, **settings) for cell in grid()]
        rows = [row for run in tqdm(runs) for row in run.result()]
    keep("calibration", pd.DataFrame(rows), settings | {"level": LEVEL}, time.monotonic() - start)


if __name__ == "__main__":
    main()
