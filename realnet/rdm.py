"""Representational dissimilarity matrices (RDMs), with the ids of their stimuli.

An RDM is condensed: the upper triangle row by row, as `scipy.spatial.distance.squareform` reads it. Its last axis has
``n_pairs = n_stimuli (n_stimuli - 1) / 2`` values; axes before it (layers, times) are kept.
"""

import numpy as np
import xarray as xr
from scipy.spatial.distance import pdist, squareform

from realnet.errors import InvalidInput


def correlation_rdm(patterns, *, block=4096, dtype="float64"):
    """Correlation distance between the patterns of every two stimuli.

        d_ij = 1 - sum_k (x_ik - mean_i)(x_jk - mean_j) / (|x_i - mean_i| |x_j - mean_j|)

    Kriegeskorte, Mur & Bandettini (2008), doi:10.3389/neuro.06.004.2008.

    Parameters
    ----------
    patterns : array, DataArray or tensor (..., n_stimuli, n_features)
    block : int
        Features that are centred and multiplied at once. Working memory beside input and result is about
        ``2 * n_stimuli * (block + n_stimuli)`` values.
    dtype : {"float64", "float32"}
        Precision of the products within a block. float32 is twice as fast, with differences of the order 1e-6.

    Returns
    -------
    array (..., n_pairs), float64, between 0 and 2; `InvalidInput` if a pattern is constant or not finite
    """
    # a torch tensor may be on a GPU or have a gradient
    patterns = np.asarray(patterns.detach().cpu() if hasattr(patterns, "detach") else patterns)
    n_stimuli = patterns.shape[-2]
    rdm = np.empty((*patterns.shape[:-2], n_stimuli * (n_stimuli - 1) // 2))
    for index in np.ndindex(patterns.shape[:-2]):
        rdm[index] = _correlation_rdm(patterns[index], block, dtype, f" in set {index}" if index else "")
    return rdm


def crossnobis_rdm(patterns):
    """Cross-validated squared distances of noise-normalised patterns, on average 0 for equal responses (Walther et al.
    2016, doi:10.1016/j.neuroimage.2015.12.012); array (n_repeats, n_stimuli, n_features) -> (n_pairs,).

        d_ij = mean over pairs of different repeats m, k of (x_i - x_j)_m . (x_i - x_j)_k / n_features

    Each feature is divided by the SD of its residuals from the mean over repeats. Their full covariance is not used:
    estimated from the same repeats, it makes d_ij of equal responses positive where features are many.
    """
    n = len(patterns)
    variance = np.sum((patterns - patterns.mean(axis=0)) ** 2, axis=(0, 1)) / ((n - 1) * patterns.shape[1])
    patterns = patterns / np.sqrt(np.where(variance > 0, variance, 1))  # a constant feature adds nothing
    within = sum(pdist(repeat, "sqeuclidean") for repeat in patterns)
    return (n**2 * pdist(patterns.mean(axis=0), "sqeuclidean") - within) / (n * (n - 1) * patterns.shape[-1])


def difference_rdm(values):
    """RDM of an object dimension, (..., n_stimuli) -> (..., n_pairs): ``d_ij = |v_i - v_j|``, in the values' unit."""
    values = np.asarray(values, dtype=float)
    first, second = np.triu_indices(values.shape[-1], 1)
    return np.abs(values[..., first] - values[..., second])


def square(rdm):
    """Full matrices with zeros on the diagonal, (..., n_pairs) -> (..., n_stimuli, n_stimuli); for plots."""
    rdm = np.asarray(rdm, dtype=float)
    full = np.stack([squareform(row) for row in rdm.reshape(-1, rdm.shape[-1])])
    return full.reshape(*rdm.shape[:-1], *full.shape[1:])


def count_stimuli(n_pairs):
    """n_stimuli of a condensed RDM; `InvalidInput` where ``n_pairs`` is not n (n - 1) / 2 of any n."""
    n_stimuli = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
    if n_pairs < 1 or n_stimuli * (n_stimuli - 1) // 2 != n_pairs:
        raise InvalidInput(f"a condensed RDM has n(n-1)/2 pairs, which {n_pairs} is not: check the last axis")
    return n_stimuli


def pairs_among(n_stimuli, stimuli):
    """Positions in a condensed RDM of ``n_stimuli`` of the pairs among some (two or more row numbers, each once).

    Returns array of int, condensed in the order of ``stimuli``.
    """
    stimuli = np.asarray(stimuli, dtype=int)
    if len(np.unique(stimuli)) < max(len(stimuli), 2) or stimuli.min() < 0 or stimuli.max() >= n_stimuli:
        raise InvalidInput(f"expected two or more different row numbers below {n_stimuli}, not {stimuli.tolist()}")
    positions = squareform(np.arange(n_stimuli * (n_stimuli - 1) // 2))
    return squareform(positions[np.ix_(stimuli, stimuli)], checks=False)


def labelled(rdm, stimulus, dims=(), **coords):
    """The RDM with the ids of its stimuli, as in ``labelled(rdms, ids, dims=("layer",), layer=LAYERS)``.

    Parameters
    ----------
    rdm, stimulus : array (..., n_pairs), sequence of n_stimuli different ids in row order
    dims, **coords
        Names and coordinates of the axes before ``pair``.

    Returns
    -------
    DataArray (*dims, pair)
        Coordinates ``stimulus_a`` and ``stimulus_b`` (pair); it can be written to netCDF as it is.
    """
    rdm = np.asarray(rdm, dtype=float)
    ids = np.array([str(name) for name in stimulus])
    n_stimuli = count_stimuli(rdm.shape[-1])
    if not n_stimuli == len(ids) == len(np.unique(ids)):
        raise InvalidInput(f"{rdm.shape[-1]} pairs need {n_stimuli} different stimulus ids, not these {len(ids)}")
    first, second = np.triu_indices(len(ids), 1)
    pairs = {"stimulus_a": ("pair", ids[first]), "stimulus_b": ("pair", ids[second])}
    return xr.DataArray(rdm, dims=(*dims, "pair"), coords=pairs | coords, name="rdm")


def stimulus_ids(rdm):
    """The ids of a labelled RDM in row order, a list of str; `InvalidInput` if it has none or its pairs were moved."""
    if "stimulus_a" not in getattr(rdm, "coords", ()) or rdm.dims[-1] != "pair":
        raise InvalidInput("this RDM has no stimulus ids on a last axis `pair`: make it with realnet.rdm.labelled")
    n_stimuli = count_stimuli(rdm.sizes["pair"])
    first, second = np.triu_indices(n_stimuli, 1)
    pairs_a, pairs_b = rdm["stimulus_a"].values.astype(str), rdm["stimulus_b"].values.astype(str)
    ids = np.array([pairs_a[0], *pairs_b[: n_stimuli - 1]])  # the first row pairs stimulus 0 with every other one
    if not (np.array_equal(ids[first], pairs_a) and np.array_equal(ids[second], pairs_b)):
        raise InvalidInput("the pairs of this RDM are not in condensed order: choose stimuli with select_stimuli")
    return ids.tolist()


def check_same_stimuli(a, b):
    """`InvalidInput` unless two RDMs have as many pairs and, where both carry stimulus ids, the same ids in order."""
    if np.shape(a)[-1] != np.shape(b)[-1]:
        raise InvalidInput(f"RDMs of {np.shape(a)[-1]} and {np.shape(b)[-1]} pairs are of different stimuli")
    if "stimulus_a" in getattr(a, "coords", ()) and "stimulus_a" in getattr(b, "coords", ()):
        for row, (one, other) in enumerate(zip(stimulus_ids(a), stimulus_ids(b), strict=True)):
            if one != other:
                raise InvalidInput(f"row {row} of two RDMs is {one!r} and {other!r}: use select_stimuli first")


def select_stimuli(rdm, stimulus):
    """The labelled RDM of these stimulus ids only, in this order; `InvalidInput` names an id that it does not have."""
    row = {name: number for number, name in enumerate(stimulus_ids(rdm))}
    wanted = [str(name) for name in stimulus]
    if missing := [name for name in wanted if name not in row]:
        raise InvalidInput(f"the RDM of {len(row)} stimuli has no {missing[0]!r} ({len(missing)} ids are missing)")
    positions = pairs_among(len(row), [row[name] for name in wanted])
    others = {name: rdm.coords[name] for name in rdm.coords if "pair" not in rdm.coords[name].dims}
    return labelled(rdm.values[..., positions], wanted, dims=rdm.dims[:-1], **others)


def _correlation_rdm(patterns, block, dtype, where):
    """Correlation RDM (n_pairs,) of patterns (n_stimuli, n_features); `where` ends error messages."""
    n_stimuli, n_features = patterns.shape
    with np.errstate(invalid="ignore", over="ignore"):
        means = patterns.mean(axis=1, keepdims=True, dtype=float)
    if not np.isfinite(means).all():
        raise InvalidInput(f"correlation_rdm expects finite patterns; not finite: {_rows(~np.isfinite(means))}{where}")
    products = np.zeros((n_stimuli, n_stimuli))
    for start in range(0, n_features, block):
        centred = patterns[:, start : start + block].astype(dtype)
        centred -= means.astype(dtype)
        products += centred @ centred.T
    variance = np.diag(products)
    # a constant pattern leaves the rounding error of its mean, not an exact zero
    constant = variance <= n_features * (4 * np.finfo(dtype).eps * means[:, 0]) ** 2
    if constant.any():
        raise InvalidInput(f"the correlation of a constant pattern is not defined; constant: {_rows(constant)}{where}")
    norm = np.sqrt(variance)
    products /= np.outer(norm, norm)
    return np.clip(1 - squareform(products, checks=False), 0, 2)


def _rows(bad):
    """'stimulus rows 3, 7', at most five of them."""
    return "stimulus rows " + ", ".join(str(row) for row in np.flatnonzero(bad)[:5])
