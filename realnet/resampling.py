"""The loops behind `realnet.statistics`: RDMs over resampled images, and RDMs with their images permuted."""

import numpy as np
from numba import njit, prange

from realnet.errors import InvalidInput
from realnet.rdm import count_stimuli
from realnet.similarity import rank, weighted_ranks


def resampled_correlations(rdms, n_rows, first_column, n_bootstraps, seed):
    """Spearman correlations of rdms[:n_rows] with rdms[first_column:] for each resample of the images.

    An image drawn c times counts c times: a pair of two images weighs c_i c_j, and the weighted ranks are those that
    the resample written out would have. Resamples of fewer than three images are drawn again: they have a single pair.
    """
    n_stimuli = count_stimuli(rdms.shape[1])
    if n_stimuli < 4 or n_bootstraps < 1:
        raise InvalidInput(f"a bootstrap needs 4 images and 1 resample or more, not {n_stimuli} and {n_bootstraps}")
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
            weighted_ranks(codes[row], pairs[:n_kept], weights[:n_kept], roots, ranks[row])
        _products(ranks, first_column, rho[sample])


@njit(cache=True, fastmath={"reassoc", "contract"})
def _products(ranks, first_column, rho):
    """rho = ranks[:n_rows] @ ranks[first_column:].T, in blocks that stay in the cache; BLAS would fight our threads."""
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


@njit(cache=True, parallel=True)
def permuted_rdms(full, orders):
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
