"""RDM against RDM: Spearman, partial Spearman, noise ceiling, best layer, improvement of one similarity on another.

RDMs are condensed: the last axis is `n_pairs`, in the order of `scipy.spatial.distance.squareform`.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import xarray as xr
from numba import njit

from realnet.errors import InvalidInput
from realnet.rdm import check_same_stimuli, count_stimuli, is_labelled, pairs_among


def rank(rdms, tie_tolerance=1e-12):
    """Ranks 1 ... n_pairs along the last axis, ties given their average: (..., n_pairs) -> (..., n_pairs) float64.

    Neighbouring values that differ by no more than `tie_tolerance` of their magnitude are ties: equal accuracies whose
    last bits differ would otherwise get an order that means nothing. 0 gives `scipy.stats.rankdata` exactly.
    Raises `InvalidInput` where a value is NaN or Inf.
    """
    return _rank_rows(rdms, tie_tolerance, normalise=False)


def normalised_ranks(rdms, tie_tolerance=1e-12):
    """Ranks with mean 0 and length 1 along the last axis, so that their scalar products are Spearman correlations.

    Raises `InvalidInput` where an RDM is constant, since its correlation is not defined, or has NaN or Inf.
    """
    return _rank_rows(rdms, tie_tolerance, normalise=True)


def _rank_rows(rdms, tie_tolerance, normalise):
    rdms = np.asarray(rdms, dtype=float)
    if rdms.ndim < 1 or rdms.shape[-1] < 2:
        raise InvalidInput(f"an RDM needs at least two pairs on its last axis, not shape {rdms.shape}")
    rows = rdms.reshape(-1, rdms.shape[-1])
    ranks, lengths = np.empty(rows.shape), np.empty(len(rows))

    def fill(row):
        lengths[row] = _average_ranks(rows[row], rows[row].argsort(), tie_tolerance, normalise, ranks[row])

    if rows.size > 100_000:  # sorting leaves Python's lock, so threads pay once there is something to sort
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(fill, range(len(rows))))
    else:
        for row in range(len(rows)):
            fill(row)
    lengths = lengths.reshape(rdms.shape[:-1])
    if np.isnan(lengths).any():
        raise InvalidInput(f"RDMs must be finite, but {_which(np.isnan(lengths))} has NaN or Inf")
    if normalise and (lengths == 0).any():
        raise InvalidInput(
            f"the Spearman correlation of a constant RDM is not defined; constant is {_which(lengths == 0)}"
        )
    return ranks.reshape(rdms.shape)


@njit(cache=True, nogil=True)
def _average_ranks(values, order, tie_tolerance, normalise, ranks):
    """Fills `ranks`; returns the length of the centred ranks, NaN where a value is not finite."""
    n_pairs = len(values)
    # NaN and Inf are sorted to the ends
    if not (np.isfinite(values[order[0]]) and np.isfinite(values[order[-1]])):
        return np.nan
    first, squares, centre = 0, 0.0, (n_pairs + 1) / 2
    for last in range(n_pairs):
        if last + 1 < n_pairs:
            here, following = values[order[last]], values[order[last + 1]]
            if following - here <= tie_tolerance * max(abs(here), abs(following)):
                continue
        average = (first + last) / 2 + 1
        squares += (last + 1 - first) * (average - centre) ** 2
        for position in range(first, last + 1):
            ranks[order[position]] = average
        first = last + 1
    length = np.sqrt(squares)
    if normalise and length > 0:
        for pair in range(n_pairs):
            ranks[pair] = (ranks[pair] - centre) / length
    return length


@njit(cache=True)
def weighted_ranks(codes, pairs, weights, roots, ranks):
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


def compare_rdms(a, b, *, tie_tolerance=1e-12):
    """Spearman correlation of every RDM in `a` with every RDM in `b`.

        rho = Pearson correlation of the ranks (ties given their average); each RDM is ranked once

    a : (*a_lead, n_pairs), b : (*b_lead, n_pairs) -> rho (*a_lead, *b_lead), between -1 and 1. Where both are labelled
    (`realnet.rdm.labelled`) their stimuli are compared first, and rho is a DataArray when no axis name appears twice.
    Raises `InvalidInput` where stimuli, number of pairs or order differ, or an RDM is constant or not finite.
    Source: the paper's Methods; Nili et al. (2014), doi 10.1371/journal.pcbi.1003553.
    Deviation: `tie_tolerance`, see `rank`.
    """
    check_same_stimuli(a, b)
    ranks_a, ranks_b = normalised_ranks(a, tie_tolerance), normalised_ranks(b, tie_tolerance)
    _check_pairs(ranks_a, ranks_b)
    rho = ranks_a.reshape(-1, ranks_a.shape[-1]) @ ranks_b.reshape(-1, ranks_b.shape[-1]).T
    rho = np.clip(rho, -1, 1).reshape(ranks_a.shape[:-1] + ranks_b.shape[:-1])
    if is_labelled(a) and is_labelled(b):
        dims = (*a.dims[:-1], *b.dims[:-1])
        if dims and len(set(dims)) == len(dims):
            axes = [(name, axis) for rdm in (a, b) for name, axis in rdm.coords.items()]
            coords = {name: axis for name, axis in axes if axis.dims and "pair" not in axis.dims}
            return xr.DataArray(rho, dims=dims, coords=coords, name="rho")
    return rho[()]


class FeatureRDMs:
    """The feature side of a partial correlation, ranked and inverted once: feature_rdms (n_features, n_pairs).

    `ranks` (n_features, n_pairs) are the normalised ranks, `inverse` (n_features, n_features) is the inverse of their
    correlation matrix. Raises `InvalidInput` where features are collinear: nothing is left of one without the others.
    """

    def __init__(self, feature_rdms, tie_tolerance=1e-12):
        self.source = feature_rdms
        self.tie_tolerance = tie_tolerance
        self.ranks = normalised_ranks(feature_rdms, tie_tolerance)
        if self.ranks.ndim != 2:
            raise InvalidInput(f"feature RDMs must have shape (n_features, n_pairs), not {self.ranks.shape}")
        correlation = self.ranks @ self.ranks.T
        eigenvalues, eigenvectors = np.linalg.eigh(correlation)
        if eigenvalues[0] < 1e-10:
            involved = np.flatnonzero(np.abs(eigenvectors[:, 0]) > 0.05).tolist()
            raise InvalidInput(f"the ranks of the feature RDMs {involved[:10]} are collinear: leave one of them out")
        self.inverse = np.linalg.inv(correlation)


def partial_spearman(rdm, feature_rdms):
    """Partial Spearman correlation of an RDM with each feature RDM, the ranks of all the other features regressed out.

        rho_k = -P_0k / sqrt(P_00 P_kk), P the inverse of the correlation matrix of the ranks of [rdm, features];
        P follows from the inverse of the features' part alone, which is calculated once

    rdm : (n_pairs,) or (..., n_pairs); feature_rdms : (n_features, n_pairs), or `FeatureRDMs` for one inverse in many
    calls -> (n_features,) or (..., n_features), between -1 and 1. Squared, it is the measure of the paper's figure 5.
    Raises `InvalidInput` where features are collinear, or the features explain the RDM wholly, or stimuli differ.
    """
    features = feature_rdms if isinstance(feature_rdms, FeatureRDMs) else FeatureRDMs(feature_rdms)
    check_same_stimuli(rdm, features.source)
    ranks = normalised_ranks(rdm, features.tie_tolerance)
    _check_pairs(ranks, features.ranks)
    partial, unexplained = partial_from_correlations(ranks @ features.ranks.T, features.inverse)
    if (unexplained < 1e-10).any():
        raise InvalidInput(
            f"nothing of {_which(unexplained < 1e-10)} is left once the features are regressed out of its ranks"
        )
    return partial


def partial_from_correlations(correlations, inverse):
    """Partial correlations (..., n_features) and the unexplained share of variance (...), by the block inverse.

    c = correlations (..., n_features) of a variable with each feature; S = inverse (..., n_features, n_features) of the
    correlation matrix of the features. With b = S c and u = 1 - c b: rho_k = b_k / sqrt(S_kk u + b_k^2).
    """
    weights = correlations @ inverse
    unexplained = np.maximum(1 - np.einsum("...k,...k->...", correlations, weights), 0)
    diagonal = np.diagonal(inverse, axis1=-2, axis2=-1)
    diagonal = diagonal[..., None, :] if inverse.ndim > 2 else diagonal
    with np.errstate(invalid="ignore"):
        return weights / np.sqrt(diagonal * unexplained[..., None] + weights**2), unexplained


def noise_ceiling(subject_rdms):
    """How well any model could agree with these subjects: (lower, upper), mean Spearman correlations over subjects.

        lower: each subject's RDM with the mean RDM of the others;  upper: with the mean RDM of all, itself included

    subject_rdms : (n_subjects, n_pairs). The mean is that of the RDMs as they are, not of their ranks (which would
    raise both values by .003 to .008 on the 92 objects of Algonauts 2019, where this gives EVC .239/.386, IT
    .449/.535).
    Raises `InvalidInput` for fewer than two subjects. Source: Nili et al. (2014), doi 10.1371/journal.pcbi.1003553.
    """
    rdms = np.asarray(subject_rdms, dtype=float)
    if rdms.ndim != 2:
        raise InvalidInput(f"noise_ceiling expects RDMs of shape (n_subjects, n_pairs), not {rdms.shape}")
    if len(rdms) < 2:
        raise InvalidInput("a noise ceiling compares subjects with each other and needs at least two, not one")
    ranks = normalised_ranks(rdms)
    others = (rdms.sum(axis=0) - rdms) / (len(rdms) - 1)
    lower = np.einsum("sp,sp->s", ranks, normalised_ranks(others)).mean()
    upper = (ranks @ normalised_ranks(rdms.mean(axis=0))).mean()
    return float(lower), float(upper)


def best_layer(similarities, layers=None, axis=-1):
    """The layer with the highest similarity, and that similarity: (index or name, value), arrays over the other axes.

    similarities : n_layers on `axis`; layers : their names. Of equal ones the first. The paper reports this value.
    Chosen on the data that it is reported on, it is too high; `crossvalidated_best_layer` is not.
    """
    similarities = np.asarray(similarities, dtype=float)
    if similarities.ndim < 1 or similarities.size == 0 or np.isnan(similarities).any():
        raise InvalidInput(
            f"best_layer expects similarities without NaN and at least one layer, not shape {similarities.shape}"
        )
    if layers is not None and len(layers) != similarities.shape[axis]:
        raise InvalidInput(f"best_layer got {len(layers)} names for {similarities.shape[axis]} layers")
    best = similarities.argmax(axis=axis)
    value = similarities.max(axis=axis)
    if layers is not None:
        best = np.asarray(layers)[best]
    return best[()], value[()]


def crossvalidated_best_layer(model_rdms, brain_rdm, *, n_folds=2, n_repeats=50, seed=0):
    """Similarity of the best layer where the layer is chosen on other images than those it is reported on.

        images are dealt into n_folds; for each fold the layer with the highest Spearman correlation over the pairs
        among the other images is chosen, and its correlation over the pairs among the fold's images is kept; then the
        mean

    model_rdms : (n_layers, n_pairs); brain_rdm : (..., n_pairs) -> rho (...,) over folds and repeats, and share
    (..., n_layers), how often each layer was chosen. Raises `InvalidInput` where a fold would have fewer than three
    images.
    """
    check_same_stimuli(model_rdms, brain_rdm)
    model_rdms, brain_rdm = np.asarray(model_rdms, dtype=float), np.asarray(brain_rdm, dtype=float)
    if model_rdms.ndim != 2:
        raise InvalidInput(f"crossvalidated_best_layer expects model RDMs (n_layers, n_pairs), not {model_rdms.shape}")
    _check_pairs(model_rdms, brain_rdm)
    n_stimuli = count_stimuli(brain_rdm.shape[-1])
    if n_folds < 2 or n_stimuli < 3 * n_folds or n_repeats < 1:
        raise InvalidInput(
            f"{n_folds} folds need {3 * max(n_folds, 2)} images or more and one repeat or more, not {n_stimuli}"
        )
    rng = np.random.default_rng(seed)
    rho = np.zeros(brain_rdm.shape[:-1])
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


def improvement(new, reference, lower=None, threshold=0.0):
    """(new - reference) / reference, the paper's improvement ratio; NaN where the reference is not clearly above zero.

    new, reference : similarities of the same shape. "Clearly" means lower > threshold, where `lower` is a lower bound
    of the reference (of its confidence interval; by default the reference itself). A ratio to almost nothing says
    nothing.
    """
    new, reference = np.asarray(new, dtype=float), np.asarray(reference, dtype=float)
    lower = reference if lower is None else np.asarray(lower, dtype=float)
    clear = np.broadcast_to(
        (lower > threshold) & (reference > 0), np.broadcast_shapes(new.shape, reference.shape, lower.shape)
    )
    return np.divide(new - reference, reference, out=np.full(clear.shape, np.nan), where=clear)[()]


def _check_pairs(a, b):
    if a.shape[-1] != b.shape[-1]:
        raise InvalidInput(
            f"RDMs of {a.shape[-1]} and {b.shape[-1]} pairs cannot be compared: they are of different stimuli"
        )


def _which(bad):
    """'the RDM' or 'RDM (0, 3)', the first of the bad ones."""
    return (
        "the RDM" if np.ndim(bad) == 0 else f"RDM {tuple(int(i) for i in np.argwhere(bad)[0])} of shape {np.shape(bad)}"
    )
