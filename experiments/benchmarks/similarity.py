"""Spearman and partial Spearman correlations of RDMs, and their bootstraps.

Peers that go pair by pair are timed on a part of the calls and multiplied by their number. Where no peer does the same
work, the time that it may take stands in its place ("time allowed").
"""

import numpy as np
import pandas as pd
from neurora.rdm_corr import rdm_correlation_spearman
from pingouin import partial_corr
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from experiments.benchmarks.timing import best_of, row
from realnet.rdm import difference_rdm, square
from realnet.similarity import FeatureRDMs, compare_rdms, partial_spearman
from realnet.statistics import bootstrap_partial_spearman, bootstrap_similarities

N_IMAGES, N_MODELS, N_TIMES, N_DIMENSIONS = 200, 200, 20, 49
N_PAIRS = N_IMAGES * (N_IMAGES - 1) // 2
N_CALLS = 40  # of neurora
N_CHECKED = 3  # of pingouin, and resamples written out
ALLOWED = "time allowed"


def run():
    """Rows: Spearman of all with all, partial Spearman, bootstraps."""
    rng = np.random.default_rng(0)
    models = rng.random((N_MODELS, N_PAIRS)) + rng.random(N_PAIRS)
    times = np.round((rng.random((N_TIMES, N_PAIRS)) + rng.random(N_PAIRS)) * 16) / 32  # accuracies, full of ties
    dimensions = difference_rdm(rng.gamma(0.5, size=(N_DIMENSIONS, N_IMAGES)))
    return [_spearman(models, times), *_partial(models[0], dimensions), *_resampling(models, dimensions)]


def _spearman(models, times):
    pairs = [(squareform(models[k]), squareform(times[k % N_TIMES])) for k in range(N_CALLS)]
    peer_seconds, peer = best_of(lambda: [rdm_correlation_spearman(a, b)[0] for a, b in pairs])
    compare_rdms(models[:2], times[:2])  # compile, or read the compiled code
    our_seconds, ours = best_of(lambda: compare_rdms(models, times), n=7)
    difference = np.abs(ours[np.arange(N_CALLS), np.arange(N_CALLS) % N_TIMES] - peer).max()
    note = f"neurora's time is that of {N_CALLS} calls x {N_MODELS * N_TIMES / N_CALLS:.0f}"
    peer_all = peer_seconds * N_MODELS * N_TIMES / N_CALLS
    work = f"Spearman, {N_MODELS} model RDMs x {N_TIMES} times, {N_IMAGES} images"
    agreement = f"largest difference {difference:.1e}"
    return row(work, "neurora, a pair at a time", peer_all, our_seconds, agreement, 60, note, 1000, 1500)


def _partial(rdm, dimensions):
    names = [f"dimension_{k}" for k in range(N_DIMENSIONS)]
    table = pd.DataFrame(np.vstack([rdm, dimensions]).T, columns=["rdm", *names])

    def pingouin(name):
        others = [other for other in names if other != name]
        return partial_corr(table, x="rdm", y=name, covar=others, method="spearman")["r"].item()

    peer_seconds, peer = best_of(lambda: [pingouin(name) for name in names[:N_CHECKED]])
    peer_all = peer_seconds * N_DIMENSIONS / N_CHECKED
    features = FeatureRDMs(dimensions)
    whole_seconds, whole = best_of(lambda: partial_spearman(rdm, dimensions), n=7)
    cached_seconds, cached = best_of(lambda: partial_spearman(rdm, features), n=30)
    work, note = f"partial Spearman, {N_DIMENSIONS} dimensions", f"{N_CHECKED} of {N_DIMENSIONS} calls timed"
    for name, seconds, ours, must, aim, limit in (
        ("all of it", whole_seconds, whole, 150, None, None),
        ("features cached", cached_seconds, cached, None, 3000, 6000),
    ):
        agreement = f"largest difference {np.abs(ours[:N_CHECKED] - peer).max():.1e}"
        targets = {"must": must, "aim": aim, "limit": limit}
        what = f"{work}, {name}"
        yield row(what, "pingouin, a call per dimension", peer_all, seconds, agreement, note=note, **targets)


def _resampling(models, dimensions):
    features = FeatureRDMs(dimensions)
    bootstrap_partial_spearman(models[0], features, 2)
    seconds, samples = best_of(lambda: bootstrap_partial_spearman(models[0], features, 1000))
    resamples = written_out_resamples(np.vstack([models[:1], dimensions]), N_CHECKED)
    exact = [partial_spearman(resample[0], resample[1:]) for resample in resamples]
    difference = np.abs(samples[:N_CHECKED] - exact).max()
    agreement = f"largest difference to {N_CHECKED} resamples written out {difference:.1e}"
    yield row(f"1000 bootstraps x {N_DIMENSIONS} partial correlations", ALLOWED, 10, seconds, agreement, 1, "", 5, 10)

    for n_images, n_models, n_brains, allowed in ((50, 40, 15, 5), (200, 20, 20, 60)):
        pairs = np.arange(n_images * (n_images - 1) // 2)
        ours, brains = models[:n_models, pairs], models[n_models : n_models + n_brains, pairs]
        seconds, samples = best_of(lambda ours=ours, brains=brains: bootstrap_similarities(ours, brains, 1000))
        resamples = written_out_resamples(np.vstack([ours[:1], brains[:1]]), N_CHECKED)
        exact = [spearmanr(*resample).statistic for resample in resamples]
        difference = np.abs(samples[:N_CHECKED, 0, 0] - exact).max()
        agreement = f"largest difference to scipy on {N_CHECKED} resamples written out {difference:.1e}"
        work = f"1000 bootstraps, {n_models} model RDMs x {n_brains} brain RDMs, {n_images} images"
        yield row(work, ALLOWED, allowed, seconds, agreement, 1)


def written_out_resamples(rdms, n_bootstraps):
    """The RDMs of each resample with seed 0, repeated images written out, pairs of an image with itself left out."""
    full = square(rdms)
    n_images = full.shape[-1]
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(n_images, 1)
    for _ in range(n_bootstraps):
        images = rng.integers(n_images, size=n_images)
        different = images[first] != images[second]
        yield full[:, images[first[different]], images[second[different]]]
