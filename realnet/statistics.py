"""Inference on similarities that generalises over images, subjects and training seeds.

Images are resampled, and everything that is compared shares the resamples; the variances over subjects and seeds are
added. With three subjects no permutation test over subjects could be significant (p is .125 or more).
"""

import warnings
from typing import NamedTuple

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


class Effect(NamedTuple):
    """A mean with its interval and two-sided p values, arrays of one shape; see :func:`generalise`."""

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p: np.ndarray  # of each cell alone
    p_corrected: np.ndarray  # family-wise, for all cells along the last axis


def generalise(values, n_images=None, n_factors=2, level=0.95, n_draws=10_000, seed=0):
    """Mean over participants, training seeds, ... with inference that generalises over all of them and over images.

        mean +- sqrt(sum over sources j of t(df_j)^2 V_j)

    The sources are the images (V_j is the variance of the mean over resampled images, df_j = n_images - 1) and each
    factor (the variance of the marginal means of its n_f levels, divided by n_f; n_f - 1). A factor with one level has
    no variance: the result then holds for this level alone. The interval of level 1 - ``p`` ends at 0. Each
    source has a quantile of its own, since pooled degrees of freedom (Satterthwaite) err too often with three
    participants (chapter 11). The interval is conservative: noise of the images is part of all variances, whose sum
    bounds that over all factors (Schütt et al. 2023, doi:10.7554/eLife.82566).

    ``p_corrected`` is the share of normal draws, correlated over cells as resamples are, whose smallest p is at most
    that of the cell (max-t; Hothorn, Bretz & Westfall 2008, doi:10.1002/bimj.200810425); what factors add is taken as
    independent, as a few levels do not show how it is correlated.

    Parameters
    ----------
    values : array (1 + n_bootstraps, ..., *factors)
        Values on all images, followed by those on resampled images (none: images are not generalised over). The last
        ``n_factors`` axes are the levels of each factor.
    n_images, n_factors : int; ``n_images`` is needed where there are resampled images
    level, n_draws, seed : float, int, int

    Returns
    -------
    Effect
        Arrays (...).
    """
    mean, deviations, degrees = _components(values, n_images, n_factors)
    variances = [np.sum(rows**2, axis=0) for rows in deviations]
    half_width, p = np.sqrt(_noise(variances, degrees, 1 - level)), _two_sided_p(mean, variances, degrees)
    n_cells = mean.shape[-1] if mean.ndim else 1
    covariance = np.zeros((*mean.shape[:-1], n_cells, n_cells))
    if len(values) > 1:
        rows = np.moveaxis(deviations[0].reshape(-1, *mean.shape[:-1], n_cells), 0, -2)
        covariance = np.swapaxes(rows, -1, -2) @ rows
    total = sum(variances).reshape(*mean.shape[:-1], n_cells)
    covariance[..., range(n_cells), range(n_cells)] = np.where(total > 0, total, 1)
    scale = np.sqrt(covariance[..., range(n_cells), range(n_cells)])
    eigenvalues, vectors = np.linalg.eigh(covariance / scale[..., None] / scale[..., None, :])
    roots = vectors * np.sqrt(np.maximum(eigenvalues, 0))[..., None, :]
    normal = np.random.default_rng(seed).standard_normal((n_draws, n_cells))
    largest = abs(normal @ np.swapaxes(roots, -1, -2)).max(axis=-1)  # (..., n_draws)
    z = np.reshape(stats.norm.isf(p / 2), (*largest.shape[:-1], -1, 1))
    reached = (largest[..., None, :] >= z).sum(axis=-1).reshape(p.shape)
    return Effect(mean, mean - half_width, mean + half_width, p, np.maximum(p, (1 + reached) / (1 + n_draws)))


def ratio(numerator, denominator, n_images, n_factors=2, level=0.95):
    """Ratio of two means with Fieller's interval, generalised as in :func:`generalise`.

    Parameters
    ----------
    numerator, denominator : array (1 + n_bootstraps, ..., *factors), paired

    Returns
    -------
    value, lower, upper : array (...), NaN where the denominator's interval is not above 0
    """
    (a, rows_a, degrees), (b, rows_b, _) = (_components(v, n_images, n_factors) for v in (numerator, denominator))

    def less_noise(x, y, rows_x, rows_y):
        products = (np.sum(dx * dy, axis=0) for dx, dy in zip(rows_x, rows_y, strict=True))
        return x * y - _noise(products, degrees, 1 - level)

    aa, ab, bb = less_noise(a, a, rows_a, rows_a), less_noise(a, b, rows_a, rows_b), less_noise(b, b, rows_b, rows_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.maximum(ab**2 - aa * bb, 0))
        found = np.stack([a / b, (ab - root) / bb, (ab + root) / bb])
    return tuple(np.where((b > 0) & (bb > 0), found, np.nan))


def _components(values, n_images, n_factors):
    """The mean over the factors (...), and per source of variance its deviations (n, ...), whose squares add up to the
    variance of the mean, and its degrees of freedom."""
    values = np.asarray(values, dtype=float)
    axes = tuple(range(values.ndim - n_factors, values.ndim))
    means = values.mean(axis=axes)
    deviations, degrees = [], []
    if len(means) > 1:
        centred = means[1:] - np.nanmean(means[1:], axis=0)  # NaN: an RDM is constant over a resample
        n = np.isfinite(centred).sum(axis=0)
        deviations.append(np.nan_to_num(centred) / np.sqrt(np.maximum(n - 1, 1)))
        degrees.append(n_images - 1)
    for axis in axes:
        n = values.shape[axis]
        if n > 1:
            marginal = np.moveaxis(values[0], axis - 1, 0).mean(axis=tuple(range(-n_factors + 1, 0)))
            deviations.append((marginal - means[0]) / np.sqrt(n * (n - 1)))
            degrees.append(n - 1)
    if not deviations:
        raise InvalidInput("an interval needs resampled images, or a factor with two levels or more")
    return means[0], deviations, degrees


def _noise(variances, degrees, alpha):
    """Square of half the width of the interval of a mean with error ``alpha``, from the variance of each source."""
    return sum(stats.t.isf(alpha / 2, df) ** 2 * v for v, df in zip(variances, degrees, strict=True))


def _two_sided_p(mean, variances, degrees):
    """The error at which the interval ends at 0, by bisection of its logarithm."""
    low, high = np.full(np.shape(mean), np.log(1e-16)), np.zeros(np.shape(mean))
    for _ in range(40):
        middle = (low + high) / 2
        inside = mean**2 <= _noise(variances, degrees, np.exp(middle))
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.where(np.asarray(mean) == 0, 1.0, np.exp(high))


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
