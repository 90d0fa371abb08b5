"""How often our inference errs where the truth is known: ``python -m experiments.calibration [--workers N]``.

Null sets with the structure of ours; errors, power and coverage with their standard errors, those of
`realnet.statistics.generalise` beside the paper's test, percentile bootstraps and other peers. All tests are two-sided.
Appendix 11 shows the table (``results/calibration.csv``): one row for each cell, test and metric.
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

from experiments.calibration_data import (
    PROFILES,
    ROI_NOISE,
    draw_differences,
    draw_dimensions,
    draw_rdms,
    true_similarities,
)
from experiments.statistics import bootstrap_p, percentile_interval, resample_subjects, sign_flip_test, t_interval
from experiments.tables.kept import keep
from realnet.similarity import compare_rdms
from realnet.statistics import bootstrap_similarities, cluster_test, generalise

with contextlib.redirect_stdout(io.StringIO()):  # importing neurora prints
    from neurora.stuff import clusterbased_permutation_1d_1samp_2sided

np.seterr(all="warn")  # importing neurora changes it for the whole process

LEVEL = 0.05

#: Which tests are ours; the others are peers, or examples of what goes wrong.
OURS = ("generalise", "generalise, corrected", "generalise, fixed layers")


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
    seeds = {"family": "seeds", "n_subjects": 3, "n_seeds": 3, "n_layers": 1, "n_images": 50, "subject_sd": 0.0}
    cells += [seeds | {"seed_sd": s, "effect": 0.0} for s in (0.01, 0.03)]
    dimensions = {"family": "dimensions", "n_dimensions": 49, "n_images": 200, "n_subjects": 3, "n_seeds": 3}
    spreads = ((0.0, 0.0), (0.05, 0.05), (0.2, 0.05))
    cells += [dimensions | {"subject_sd": a, "seed_sd": b, "effect": 0.0} for a, b in spreads]
    cells += [dimensions | {"subject_sd": 0.05, "seed_sd": 0.05, "effect": e} for e in (0.2, 0.3, 0.4, 0.5)]
    eeg = {"family": "eeg", "n_subjects": 10, "n_times": 20, "width": 8, "effect": 0.0, "shared_offset": 0.0}
    cells += [eeg | {"autocorrelation": r} for r in (0.0, 0.5, 0.8, 0.95)]
    cells += [eeg | {"autocorrelation": r, "shared_offset": 1.0} for r in (0.0, 0.95)]
    effects = product((8, 1), (0.25, 0.5, 0.75, 1.0, 1.25))
    cells += [eeg | {"autocorrelation": 0.8, "width": width, "effect": effect} for width, effect in effects]
    return cells


def run_cell(cell, sets=2000, bootstraps=500, seed=0):
    """Rows of one cell: ``sets`` null sets, or half as many with an effect, the same ones for all tests."""
    sets = max(1, sets // 2) if cell["effect"] else sets
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    truth, about = None, cell | {"alternative": "two-sided"}
    if cell["family"] not in ("eeg", "dimensions"):
        truth = true_similarities(cell["effect"], cell["subject_sd"], cell["n_layers"], seed)
        about["truth"] = float(truth[0] - truth[1])
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
         "sign flips, FDR over times": _fdr(sign_flip_test(values, "two-sided")), "largest t, exact": largest_t(values),
         "generalise, corrected": generalise(values.T[None], None, n_factors=1).p_corrected,
         "t tests, uncorrected": stats.ttest_1samp(values, 0).pvalue}  # fmt: skip
    if cell["width"] > 1:  # neurora's test does not mark single times
        p["neurora cluster"] = neurora_cluster(values, seed)
    return {(test, ""): bool(np.min(values) <= LEVEL) for test, values in p.items()}


def _fmri_set(cell, rng, bootstraps, truth):
    """3 participants x 5 ROIs: does any ROI of one, or of any of them, come out? Networks at their best layer."""
    networks, brains = draw_rdms(cell["n_images"], [cell["effect"]] * cell["n_subjects"], rng, cell["n_layers"],
                                 ROI_NOISE)  # fmt: skip
    values = _resampled(networks, brains, rng, bootstraps).max(axis=2)
    values = values[:, 0] - values[:, 1]  # (1 + bootstrap, subject, roi)
    persons = generalise(values, cell["n_images"], n_factors=0)
    mean = generalise(values.swapaxes(1, 2), cell["n_images"], n_factors=1)
    p = bootstrap_p(values[1:])
    p = {("generalise, corrected", "any ROI of one person"): persons.p_corrected[0],
         ("generalise, corrected", "any ROI, mean person"): mean.p_corrected,
         ("generalise", "mean ROI of one person"): generalise(values[:, 0].mean(1), cell["n_images"], n_factors=0).p,
         ("sign flips, FDR over ROIs", "any ROI"): _fdr(sign_flip_test(values[0], "two-sided")),
         ("bootstrap over images, FDR over ROIs", "any ROI of one person"): _fdr(p[0]),
         ("bootstrap over images, FDR over ROIs", "any ROI of any person"): _fdr(p),
         ("bootstrap over images, uncorrected", "any ROI of any person"): p}  # fmt: skip
    return {key: bool(np.min(found) <= LEVEL) for key, found in p.items()}


def _layers_set(cell, rng, bootstraps, truth):
    """Mean over the ROIs of one participant, where the best layers are equally good and the others are not."""
    drawn = draw_rdms(cell["n_images"], [0.0], rng, cell["n_layers"], ROI_NOISE, cell["profile"])
    values = _resampled(*drawn, rng, bootstraps)[:, :, :, 0]  # (1 + bootstrap, network, layer, roi)
    same = [np.argmin(noise) for noise in PROFILES[cell["profile"]]]  # the layers that are equally good
    best, fixed = values.max(axis=2), np.stack([values[:, n, layer] for n, layer in enumerate(same)], axis=1)
    found = {which: generalise((at[:, 0] - at[:, 1]).mean(axis=1), cell["n_images"], n_factors=0)
             for which, at in (("best layer", best), ("fixed layers", fixed))}  # fmt: skip
    return {(f"generalise, {which}", "mean ROI of one person"): bool(e.p <= LEVEL) for which, e in found.items()}


def _rdm_set(cell, rng, bootstraps, truth):
    """Two networks and one brain: the test of their difference, intervals of difference and similarity."""
    networks, brains = draw_rdms(cell["n_images"], [cell["effect"]], rng, cell["n_layers"])
    values = _resampled(networks, brains, rng, bootstraps).max(axis=2)[:, :, 0, 0]  # (1 + bootstrap, network)
    return _judge(values, truth, lambda at: {
        "generalise": generalise(at, cell["n_images"], n_factors=0)[1:3],
        "bootstrap over images": percentile_interval(at[1:]),
    })  # fmt: skip


def _subjects_set(cell, rng, bootstraps, truth):
    """The mean over participants who differ: what is said of all participants and all images?"""
    effects = cell["effect"] + cell["subject_sd"] * rng.standard_normal(cell["n_subjects"])
    networks, brains = draw_rdms(cell["n_images"], effects, rng)
    values = _resampled(networks, brains, rng, bootstraps)[:, :, 0, :, 0]  # (1 + bootstrap, network, subject)
    seed = int(rng.integers(2**31))
    return _judge(values, truth, lambda at: {
        "generalise": generalise(at, cell["n_images"], n_factors=1)[1:3],
        "images and subjects, t": t_interval(at[0], further_variance=at[1:].mean(axis=1).var(ddof=1)),
        "images and subjects, percentiles": percentile_interval(resample_subjects(at[1:], seed=seed)),
        "images only, percentiles": percentile_interval(at[1:].mean(axis=1)),
    })  # fmt: skip


def _judge(values, truth, intervals):
    """Does each interval of the difference leave out 0, and do those of difference and similarity cover the truth?"""
    outcome = {}
    for quantity, at, true in (
        ("difference", values[:, 0] - values[:, 1], truth[0] - truth[1]), ("similarity", values[:, 0], truth[0])
    ):  # fmt: skip
        for test, interval in intervals(at).items():
            outcome[test, f"covers {quantity}"] = _covers(interval, true)
            if quantity == "difference":
                outcome[test, quantity] = not _covers(interval, 0)
    return outcome


def _seeds_set(cell, rng, bootstraps, truth):
    """Two kinds of networks of several trainings, equally good on average; each training has an offset of its own."""
    networks, brains = draw_rdms(cell["n_images"], [cell["effect"]] * cell["n_subjects"], rng)
    values = _resampled(networks, brains, rng, bootstraps)[:, :, 0, :, 0]  # (1 + bootstrap, network, subject)
    offsets = np.subtract(*cell["seed_sd"] * rng.standard_normal((2, cell["n_seeds"])))
    values = (values[:, 0] - values[:, 1])[..., None] + offsets  # (1 + bootstrap, subject, seed)
    p = {"generalise": generalise(values, cell["n_images"]).p,
         "generalise, seeds averaged": generalise(values.mean(axis=2), cell["n_images"], n_factors=1).p,
         "generalise, one seed": generalise(values[..., 0], cell["n_images"], n_factors=1).p}  # fmt: skip
    return {(test, "difference"): bool(value <= LEVEL) for test, value in p.items()}


def _dimensions_set(cell, rng, bootstraps, truth):
    """Many dimensions: does the one that changes come out or, where none changes, any?"""
    values = draw_dimensions(cell, rng, bootstraps)
    found = generalise(values, cell["n_images"])
    p = {"generalise, corrected": found.p_corrected, "generalise, uncorrected": found.p,
         "bootstrap over images, FDR": _fdr(bootstrap_p(values[1:].mean(axis=(2, 3))))}  # fmt: skip
    asked = slice(1) if cell["effect"] else slice(None)
    return {(test, "dimension"): bool(np.min(value[asked]) <= LEVEL) for test, value in p.items()}


FAMILIES = {"eeg": _times_set, "fmri": _fmri_set, "rdm": _rdm_set, "layers": _layers_set, "subjects": _subjects_set,
            "seeds": _seeds_set, "dimensions": _dimensions_set}  # fmt: skip


def _resampled(networks, brains, rng, bootstraps):
    """Similarities on all images, then on resampled ones: (1 + bootstrap, network, layer, subject, roi)."""
    found, rdms = compare_rdms(networks, brains), [array.reshape(-1, array.shape[-1]) for array in (networks, brains)]
    samples = bootstrap_similarities(*rdms, bootstraps, seed=int(rng.integers(2**31)))
    return np.concatenate([found[None], samples.reshape(-1, *found.shape)])


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
