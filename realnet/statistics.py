"""Inference on similarities: bootstraps over images, intervals over subjects, correction for several tests.

With three subjects no permutation test over subjects can be significant (their sign flips give p = .125 or more).
Images are many: intervals come from a bootstrap over images, and everything that is compared shares its resamples.
"""

import warnings

import numpy as np
from mne.stats import permutation_cluster_1samp_test
from numba import njit, prange
from scipy import stats

from realnet.errors import InvalidInput
from realnet.rdm import check_same_stimuli, count_stimuli
from realnet.similarity import FeatureRDMs, partial_from_correlations, rank


def bootstrap_similarities(model_rdms, brain_rdms, n_bootstraps=1000, seed=0):
    """Spearman correlation of every model RDM with every brain RDM, over images drawn with replacement.

    All RDMs share the resamples, so that differences are paired. Pairs of an image with itself are left out (Nili et
    al. 2014, doi:10.1371/journal.pcbi.1003553).

    Parameters
    ----------
    model_rdms, brain_rdms : array (n_models, n_pairs), (n_brains, n_pairs)
    n_bootstraps, seed : int

    Returns
    -------
    array (n_bootstraps, n_models, n_brains), NaN where an RDM is constant over a resample
    """
    check_same_stimuli(model_rdms, brain_rdms)
    models, brains = np.atleast_2d(model_rdms), np.atleast_2d(brain_rdms)
    return _resampled_correlations(np.vstack([models, brains]), len(models), len(models), n_bootstraps, seed)


def bootstrap_partial_spearman(rdms, feature_rdms, n_bootstraps=1000, seed=0):
    """Partial Spearman correlations (`realnet.similarity.partial_spearman`) over images drawn with replacement.

    Parameters
    ----------
    rdms : array (n_pairs,) or (n_rdms, n_pairs)
    feature_rdms : array (n_features, n_pairs), or `realnet.similarity.FeatureRDMs`
    n_bootstraps, seed : int; the resamples are those of `bootstrap_similarities` with the same seed

    Returns
    -------
    array (n_bootstraps, n_features) or (n_bootstraps, n_rdms, n_features)
    """
    features = feature_rdms if isinstance(feature_rdms, FeatureRDMs) else FeatureRDMs(feature_rdms)
    check_same_stimuli(rdms, features.source)
    rows, n_features = np.vstack([features.ranks, np.atleast_2d(rdms)]), len(features.ranks)
    correlations = _resampled_correlations(rows, len(rows), 0, n_bootstraps, seed)
    try:
        inverse = np.linalg.inv(correlations[:, :n_features, :n_features])
    except np.linalg.LinAlgError:
        raise InvalidInput(f"{n_features} features are collinear over a resample of the images: use fewer") from None
    partial, _ = partial_from_correlations(correlations[:, n_features:, :n_features], inverse)
    return partial[:, 0] if np.ndim(rdms) == 1 else partial


def generalise_to_subjects(found, samples, level=0.95):
    """Mean over subjects with an interval and a one-sided p that generalise over subjects and images.

        mean +- t sqrt(v_subjects + v_images), t the quantile of Student's t with n_subjects - 1 degrees of freedom,
        v_subjects = variance of ``found`` over subjects / n_subjects, v_images = variance over the bootstraps of the
        mean over subjects; p from t = mean / sqrt(v_subjects + v_images)

    The interval is conservative: the noise of the images is part of both variances, whose sum bounds the variance over
    both factors (Schütt et al. 2023, doi:10.7554/eLife.82566).

    Parameters
    ----------
    found, samples : array (..., n_subjects), (n_bootstraps, ..., n_subjects)
        Values of two subjects or more on all images, and on resampled images.
    level : float

    Returns
    -------
    mean, lower, upper, p : array (...)
    """
    found, samples = np.asarray(found, dtype=float), np.asarray(samples, dtype=float)
    n_subjects = found.shape[-1]
    variance = found.var(axis=-1, ddof=1) / n_subjects + np.nanvar(samples.mean(axis=-1), axis=0, ddof=1)
    mean, error = found.mean(axis=-1), np.sqrt(variance)
    half_width = stats.t.ppf((1 + level) / 2, n_subjects - 1) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0, mean / error)
    return mean, mean - half_width, mean + half_width, stats.t.sf(t, n_subjects - 1)


def confidence_interval(samples, level=0.95, axis=0):
    """Percentile interval of bootstrap samples without NaN: (lower, upper), the quantiles (1 -+ level) / 2."""
    return tuple(np.nanquantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=axis))


def bootstrap_p(samples, alternative="greater", axis=0):
    """p of the hypothesis that a bootstrapped quantity is not above 0, or that it is 0 ("two-sided").

        p = (1 + number of samples at or below 0) / (1 + number of samples)

    Parameters
    ----------
    samples : array, bootstraps on ``axis``; a NaN (an undefined resample) counts as at or beyond 0 on both sides
    alternative : {"greater", "two-sided"}; the latter is twice the smaller of the two one-sided p, at most 1

    Returns
    -------
    array without ``axis``
    """
    if alternative not in ("greater", "two-sided"):
        raise InvalidInput(f"alternative must be 'greater' or 'two-sided', not {alternative!r}")
    samples = np.moveaxis(np.asarray(samples, dtype=float), axis, 0)
    greater, less = ((1 + (~beyond).sum(axis=0)) / (1 + len(samples)) for beyond in (samples > 0, samples < 0))
    return greater if alternative == "greater" else np.minimum(1, 2 * np.minimum(greater, less))


def fdr(p):
    """p values (...) adjusted for the false discovery rate over all of them (Benjamini & Hochberg 1995), same shape."""
    return stats.false_discovery_control(np.ravel(p)).reshape(np.shape(p))


def cluster_test(values, n_permutations=10000, seed=0):
    """Two-sided p per time, corrected for the number of times by the largest cluster mass under sign flips of subjects.

        t over subjects at each time; a cluster is a run of times with t of one sign and two-sided p < .05; its mass is
        the sum of t; p = share of sign flips, the data among them, whose heaviest cluster is at least as heavy

    By `mne.stats.permutation_cluster_1samp_test` (Maris & Oostenveld 2007, doi:10.1016/j.jneumeth.2007.03.024). A
    cluster says that there is an effect, not exactly when.

    Parameters
    ----------
    values : array (n_subjects, n_times), differences of two subjects or more
    n_permutations : int
        All 2^(n_subjects - 1) sign flips (a flip and its opposite have the same mass) where they are at most so many,
        else so many different ones at random, with ``seed``.

    Returns
    -------
    array (n_times,)
        p of the cluster of each time, 1 outside of clusters. A time at which all subjects are 0 is in no cluster; one
        at which all have the same other value has an infinite t.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise InvalidInput(f"cluster_test expects finite values (two or more subjects, n_times), not {values.shape}")
    options = {"n_permutations": n_permutations, "out_type": "mask", "rng": seed, "verbose": "ERROR"}
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No clusters found")
        _, clusters, cluster_p, _ = permutation_cluster_1samp_test(values, **options)
    p = np.ones(values.shape[1])
    for cluster, value in zip(clusters, cluster_p, strict=True):
        p[cluster] = value
    return p


def _resampled_correlations(rdms, n_rows, first_column, n_bootstraps, seed):
    """Spearman correlations of rdms[:n_rows] with rdms[first_column:] for each resample of the images.

    An image drawn c times counts c times: a pair of two images weighs c_i c_j, and the weighted ranks are those that
    the resample written out would have. Resamples of fewer than three images are drawn again: they have a single pair.
    """
    n_stimuli = count_stimuli(rdms.shape[1])
    if n_stimuli < 4:
        raise InvalidInput(f"a bootstrap over images needs 4 images or more, not {n_stimuli}")
    rng = np.random.default_rng(seed)
    drawn = np.zeros((n_bootstraps, n_stimuli), dtype=np.int64)
    for counts in drawn:
        while (counts > 0).sum() < 3:
            counts[:] = np.bincount(rng.integers(n_stimuli, size=n_stimuli), minlength=n_stimuli)
    # dense codes that sort like the values and are equal for ties: the last place that a tie takes
    codes = np.ceil(rank(rdms)).astype(np.int32) - 1
    rho = np.empty((n_bootstraps, n_rows, len(rdms) - first_column))
    _correlate_resamples(codes, drawn, first_column, rho)
    return rho


@njit(cache=True, parallel=True)
def _correlate_resamples(codes, drawn, first_column, rho):
    n_rdms, n_codes = codes.shape
    n_stimuli = drawn.shape[1]
    for sample in prange(len(drawn)):
        pairs = np.empty(n_codes, dtype=np.int32)  # only the pairs of two images that were both drawn
        weights = np.empty(n_codes, dtype=np.int32)
        pair, n_kept = 0, 0
        for i in range(n_stimuli):
            for j in range(i + 1, n_stimuli):
                weight = drawn[sample, i] * drawn[sample, j]
                if weight > 0:
                    pairs[n_kept], weights[n_kept] = pair, weight
                    n_kept += 1
                pair += 1
        roots = np.sqrt(weights[:n_kept])
        ranks = np.empty((n_rdms, n_kept))
        for row in range(n_rdms):
            _weighted_ranks(codes[row], pairs[:n_kept], weights[:n_kept], roots, ranks[row])
        _products(ranks, first_column, rho[sample])


@njit(cache=True)
def _weighted_ranks(codes, pairs, weights, roots, ranks):
    """Weighted ranks of one RDM, centred, of length 1, times the root of the weight: products are correlations."""
    doubled = np.zeros(len(codes), dtype=np.int32)
    for k in range(len(pairs)):
        doubled[codes[pairs[k]]] += weights[k]
    below, total = 0, weights.sum()
    for code in range(len(codes)):
        weight = doubled[code]
        doubled[code] = 2 * below + weight - total  # twice (average rank of these ties - mean rank), a whole number
        below += weight
    squares = 0.0
    for k in range(len(pairs)):
        ranks[k] = doubled[codes[pairs[k]]] * roots[k]
        squares += ranks[k] * ranks[k]
    ranks /= np.sqrt(squares) if squares > 0 else np.nan


@njit(cache=True, fastmath={"reassoc", "contract"})
def _products(ranks, first_column, rho):
    """rho = ranks[:n_rows] @ ranks[first_column:].T in blocks that fit the cache, without threads of BLAS."""
    rho[:] = 0
    for start in range(0, ranks.shape[1], 512):
        for i in range(rho.shape[0]):
            left = ranks[i, start : start + 512]
            for j in range(max(0, i - first_column), rho.shape[1]):
                right = ranks[first_column + j, start : start + 512]
                total = 0.0
                for k in range(len(left)):
                    total += left[k] * right[k]
                rho[i, j] += total
    for i in range(rho.shape[0]):  # what was left out above, where rows and columns are the same RDMs
        for j in range(max(0, i - first_column)):
            rho[i, j] = rho[first_column + j, i - first_column]
