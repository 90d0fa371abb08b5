"""Statistics that only the calibration and the benchmarks need: tests beside those of the study, and null data."""

import numpy as np
from numba import njit, prange
from scipy import stats

from realnet.rdm import check_same_stimuli, square
from realnet.similarity import FeatureRDMs, normalised_ranks, partial_from_correlations


def sign_flip_test(values, alternative="greater", n_permutations=10000, seed=0):
    """p that the mean over subjects is 0, from flipping the signs of whole subjects: (n_subjects, ...) -> (...).

    Exact (all flips) where 2^n_subjects <= n_permutations. p is at least 2^-n_subjects (twice that two-sided), whatever
    the effect. Not corrected for the number of values.
    """
    settings = {"permutation_type": "samples", "n_resamples": n_permutations, "vectorized": True, "rng": seed}
    return stats.permutation_test((np.asarray(values),), np.mean, alternative=alternative, **settings).pvalue


def resample_subjects(samples, axis=-1, seed=0):
    """Mean over subjects drawn with replacement, drawn again per bootstrap on axis 0: ``samples`` without ``axis``.

    With a bootstrap over images, both are resampled. Percentiles of these means are too narrow where few subjects
    differ much: see `realnet.statistics.generalise_to_subjects`.
    """
    samples = np.moveaxis(np.asarray(samples, dtype=float), axis, -1)
    n_subjects = samples.shape[-1]
    drawn = np.random.default_rng(seed).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=len(samples))
    return np.einsum("b...s,bs->b...", samples, drawn / n_subjects)


def null_data(n_subjects, n_times, autocorrelation=0.0, shared_offset=0.0, rng=None):
    """Differences (n_subjects, n_times) without an effect, to try a test on.

    Normal, variance 1 at each time, correlated autocorrelation^lag over times; plus an offset of standard deviation
    ``shared_offset`` that a subject has at all times, of mean 0 over subjects.
    """
    rng = np.random.default_rng(rng)
    noise = rng.standard_normal((n_subjects, n_times))
    for time in range(1, n_times):
        noise[:, time] = autocorrelation * noise[:, time - 1] + np.sqrt(1 - autocorrelation**2) * noise[:, time]
    return noise + shared_offset * rng.standard_normal((n_subjects, 1))


def permute_partial_spearman(rdm, feature_rdms, n_permutations=1000, seed=0):
    """Partial Spearman correlations after the images of ``rdm`` were permuted: their distribution without an effect.

    rdm (n_pairs,), feature_rdms (n_features, n_pairs) or `FeatureRDMs` -> (n_permutations, n_features). Sums are in
    float32 (differences below 1e-5).
    """
    features = feature_rdms if isinstance(feature_rdms, FeatureRDMs) else FeatureRDMs(feature_rdms)
    check_same_stimuli(rdm, features.source)
    full = square(normalised_ranks(rdm, features.tie_tolerance)).astype(np.float32)
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(len(full)), (n_permutations, 1)), axis=1)
    orders = orders.astype(np.uint32)  # without a sign the compiler need not check negative positions: twice as fast
    ranks = features.ranks.astype(np.float32)
    correlations = np.empty((n_permutations, len(ranks)))
    for start in range(0, n_permutations, 250):  # so many permuted RDMs of 200 images are 20 MB
        chunk = slice(start, start + 250)
        correlations[chunk] = _permuted_rdms(full, orders[chunk]) @ ranks.T
    return partial_from_correlations(correlations, features.inverse)[0]


@njit(cache=True, parallel=True)
def _permuted_rdms(full, orders):
    """Condensed RDMs (n_permutations, n_pairs) of `full` with its images in each of the orders."""
    n_permutations, n_stimuli = orders.shape
    rdms = np.empty((n_permutations, n_stimuli * (n_stimuli - 1) // 2), dtype=full.dtype)
    for row in prange(n_permutations):
        start, order = 0, orders[row]
        for i in range(n_stimuli - 1):
            values, later = full[order[i]], order[i + 1 :]
            pairs = rdms[row, start : start + len(later)]
            for j in range(len(later)):
                pairs[j] = values[later[j]]
            start += len(later)
    return rdms
