"""Similarity of RDMs: Spearman and partial Spearman correlations, noise ceiling, best layer.

RDMs are condensed: the last axis is ``n_pairs``, in the order of `scipy.spatial.distance.squareform`.
"""

import numpy as np
import xarray as xr

from realnet.errors import InvalidInput
from realnet.rdm import check_same_stimuli, count_stimuli, pairs_among


def rank(rdms, tie_tolerance=1e-12):
    """Ranks 1 ... n_pairs along the last axis, ties given their average.

    Parameters
    ----------
    rdms : array (..., n_pairs)
    tie_tolerance : float
        Neighbouring values that differ by no more than this share of their magnitude are ties: equal decoding
        accuracies whose last bits differ would otherwise be ordered by rounding. 0 gives `scipy.stats.rankdata`.

    Returns
    -------
    array (..., n_pairs), float64
    """
    rdms = np.asarray(rdms, dtype=float)
    if not (finite := np.isfinite(rdms).all(axis=-1)).all():
        raise InvalidInput(f"RDMs must be finite, but {_which(~finite)} has NaN or Inf")
    order = rdms.argsort(axis=-1)
    ranks = np.empty(rdms.shape)
    for index in np.ndindex(rdms.shape[:-1]):
        values = rdms[index][order[index]]
        size = np.abs(values)
        first = np.flatnonzero(np.diff(values, prepend=-np.inf) > tie_tolerance * np.maximum(size, np.roll(size, 1)))
        last = np.append(first[1:], len(values))
        ranks[index][order[index]] = np.repeat((first + 1 + last) / 2, last - first)
    return ranks


def normalised_ranks(rdms, tie_tolerance=1e-12):
    """Ranks as `rank` gives them, with mean 0 and length 1: their scalar products are Spearman correlations.

    `InvalidInput` where an RDM is not finite, or constant (its correlation is not defined).
    """
    ranks = rank(rdms, tie_tolerance)
    ranks -= (ranks.shape[-1] + 1) / 2
    length = np.sqrt(np.sum(ranks**2, axis=-1, keepdims=True))
    if not length.all():
        raise InvalidInput(f"the Spearman correlation of a constant RDM is not defined: {_which(length[..., 0] == 0)}")
    return np.divide(ranks, length, out=ranks)


def compare_rdms(a, b, *, tie_tolerance=1e-12):
    """Spearman correlation of every RDM in ``a`` with every RDM in ``b``, ties as in `rank` (Nili et al. 2014,
    doi:10.1371/journal.pcbi.1003553).

    Parameters
    ----------
    a, b : array (*a_lead, n_pairs), (*b_lead, n_pairs)
        Where both carry stimulus ids (`realnet.rdm.labelled`), these must be equal.

    Returns
    -------
    array (*a_lead, *b_lead), between -1 and 1
        A DataArray where ``a`` and ``b`` are, unless they share a name of an axis before ``pair``.
    """
    check_same_stimuli(a, b)
    ranks_a, ranks_b = normalised_ranks(a, tie_tolerance), normalised_ranks(b, tie_tolerance)
    rho = ranks_a.reshape(-1, ranks_a.shape[-1]) @ ranks_b.reshape(-1, ranks_b.shape[-1]).T
    rho = np.clip(rho, -1, 1).reshape(ranks_a.shape[:-1] + ranks_b.shape[:-1])
    if isinstance(a, xr.DataArray) and isinstance(b, xr.DataArray):
        dims = (*a.dims[:-1], *b.dims[:-1])
        if dims and len(set(dims)) == len(dims):
            coords = {name: axis for rdm in (a, b) for name, axis in rdm.coords.items() if {*axis.dims} - {"pair"}}
            return xr.DataArray(rho, dims=dims, coords=coords, name="rho")
    return rho[()]


class FeatureRDMs:
    """Feature RDMs (n_features, n_pairs) for many calls of `partial_spearman`.

    They are ranked once (``ranks``), and the correlation matrix of the ranks is inverted once (``inverse``).
    """

    def __init__(self, feature_rdms, tie_tolerance=1e-12):
        self.source, self.tie_tolerance = feature_rdms, tie_tolerance
        self.ranks = normalised_ranks(feature_rdms, tie_tolerance)
        correlation = self.ranks @ self.ranks.T
        eigenvalues, eigenvectors = np.linalg.eigh(correlation)
        if eigenvalues[0] < 1e-10:
            involved = np.flatnonzero(np.abs(eigenvectors[:, 0]) > 0.05).tolist()
            raise InvalidInput(f"the ranks of the feature RDMs {involved[:10]} are collinear: leave one of them out")
        self.inverse = np.linalg.inv(correlation)


def partial_spearman(rdm, feature_rdms):
    """Partial Spearman correlation of an RDM with each feature RDM, the ranks of all other features regressed out.

        rho_k = -P_0k / sqrt(P_00 P_kk), P the inverse of the correlation matrix of the ranks of [rdm, features]

    Parameters
    ----------
    rdm : array (..., n_pairs)
    feature_rdms : array (n_features, n_pairs), or `FeatureRDMs`

    Returns
    -------
    array (..., n_features), between -1 and 1; `InvalidInput` if features are collinear or explain an RDM completely
    """
    features = feature_rdms if isinstance(feature_rdms, FeatureRDMs) else FeatureRDMs(feature_rdms)
    check_same_stimuli(rdm, features.source)
    correlations = normalised_ranks(rdm, features.tie_tolerance) @ features.ranks.T
    partial, unexplained = partial_from_correlations(correlations, features.inverse)
    if (unexplained < 1e-10).any():
        raise InvalidInput(f"the features explain {_which(unexplained < 1e-10)} completely: leave some of them out")
    return partial


def partial_from_correlations(correlations, inverse):
    """Partial correlations rho (..., n_features) and unexplained share of variance u (...), by the block inverse.

    With c = ``correlations`` (..., n_features) of a variable with each feature and S = ``inverse`` of the correlation
    matrix of the features (..., n_features, n_features): b = S c, u = 1 - c b, rho_k = b_k / sqrt(S_kk u + b_k^2).
    """
    weights = correlations @ inverse
    unexplained = np.maximum(1 - np.einsum("...k,...k->...", correlations, weights), 0)
    diagonal = np.diagonal(inverse, axis1=-2, axis2=-1)
    diagonal = diagonal[..., None, :] if inverse.ndim > 2 else diagonal
    with np.errstate(invalid="ignore"):
        return weights / np.sqrt(diagonal * unexplained[..., None] + weights**2), unexplained


def noise_ceiling(subject_rdms):
    """Noise ceiling: mean over subjects of the Spearman correlation with the mean of the ranks of the other subjects
    (lower) and of all subjects (upper), which no RDM exceeds on average.

    Nili et al. (2014), doi:10.1371/journal.pcbi.1003553.

    Parameters
    ----------
    subject_rdms : array (n_subjects, n_pairs), of two subjects or more

    Returns
    -------
    lower, upper : float
    """
    rdms = np.asarray(subject_rdms, dtype=float)
    if rdms.ndim != 2 or len(rdms) < 2:
        raise InvalidInput(f"a noise ceiling needs RDMs (n_subjects, n_pairs) of two or more, not {rdms.shape}")
    ranks, normalised = rank(rdms), normalised_ranks(rdms)
    total = ranks.sum(axis=0)
    lower = np.einsum("sp,sp->s", normalised, normalised_ranks(total - ranks)).mean()
    upper = (normalised @ normalised_ranks(total)).mean()
    return float(lower), float(upper)


def crossvalidated_best_layer(model_rdms, brain_rdm, *, n_folds=2, n_repeats=50, seed=0):
    """Spearman correlation of the best layer, over the pairs within each fold of the images.

    The best layer is chosen on the pairs among the images of all other folds.

    Parameters
    ----------
    model_rdms : array (n_layers, n_pairs)
    brain_rdm : array (..., n_pairs)
    n_folds, n_repeats, seed : int

    Returns
    -------
    rho : array (...), mean over folds and repeats
    share : array (..., n_layers), how often each layer was chosen
    """
    check_same_stimuli(model_rdms, brain_rdm)
    model_rdms, brain_rdm = np.asarray(model_rdms, dtype=float), np.asarray(brain_rdm, dtype=float)
    n_stimuli = count_stimuli(brain_rdm.shape[-1])
    if n_stimuli < 3 * n_folds:
        raise InvalidInput(f"{n_folds} folds need {3 * n_folds} images or more, not {n_stimuli}")
    rng, rho = np.random.default_rng(seed), np.zeros(brain_rdm.shape[:-1])
    share = np.zeros((*brain_rdm.shape[:-1], len(model_rdms)))
    for _ in range(n_repeats):
        order = rng.permutation(n_stimuli)
        for fold in np.array_split(order, n_folds):
            train = pairs_among(n_stimuli, np.setdiff1d(order, fold))
            chosen = compare_rdms(brain_rdm[..., train], model_rdms[:, train]).argmax(axis=-1)
            test = pairs_among(n_stimuli, fold)
            held_out = compare_rdms(brain_rdm[..., test], model_rdms[:, test])
            rho += np.take_along_axis(held_out, chosen[..., None], axis=-1)[..., 0]
            share += chosen[..., None] == np.arange(len(model_rdms))
    return (rho / (n_repeats * n_folds))[()], share / (n_repeats * n_folds)


def _which(bad):
    """'the RDM' or 'RDM (0, 3)', the first of the bad ones."""
    return "the RDM" if np.ndim(bad) == 0 else f"RDM {tuple(np.argwhere(bad)[0].tolist())} of shape {np.shape(bad)}"
