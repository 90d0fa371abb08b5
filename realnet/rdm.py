"""Representational dissimilarity matrices: from patterns or object dimensions, and with the ids of their stimuli.

An RDM is condensed: the upper triangle row by row as `scipy.spatial.distance.squareform` reads it. `n_stimuli` images
give `n_pairs = n_stimuli (n_stimuli - 1) / 2` numbers on the last axis; axes before it (layers, times) are kept.
"""

import numpy as np
import torch
import xarray as xr

from realnet.errors import InvalidInput

NUMPY_KINDS = (
    torch.float16,
    torch.float32,
    torch.float64,
    torch.int8,
    torch.uint8,
    torch.int16,
    torch.int32,
    torch.int64,
)


def correlation_rdm(patterns, *, block=4096, tile=1024, dtype="float64"):
    """Correlation distance between the patterns of every two stimuli.

        d_ij = 1 - sum_k (x_ik - mean_i)(x_jk - mean_j) / (|x_i - mean_i| |x_j - mean_j|)

    Parameters
    ----------
    patterns : (..., n_stimuli, n_features) numpy array, DataArray or torch tensor (on a GPU the work is done there).
    block : features centred and multiplied at once.
    tile : stimuli multiplied with as many others at once. Working memory beside input and result is at most about
        2 * tile * block + 3 * tile**2 numbers, however many stimuli and features there are.
    dtype : "float64", or "float32" for twice the speed: products are then summed in float32 within a block and in
        float64 over blocks (differences to float64 of the order 1e-6).

    Returns
    -------
    (..., n_pairs) float64 array between 0 and 2.

    Raises `InvalidInput` where a pattern is constant (it has no correlation) or has NaN or Inf, naming the rows.
    Source: Kriegeskorte, Mur & Bandettini (2008), doi 10.3389/neuro.06.004.2008; the paper's Methods.
    """
    if dtype not in ("float64", "float32"):
        raise InvalidInput(f"dtype of correlation_rdm must be 'float64' or 'float32', not {dtype!r}")
    if min(block, tile) < 1:
        raise InvalidInput(f"block and tile of correlation_rdm must be at least 1, not {block} and {tile}")
    array = _as_array(patterns)
    if array.ndim < 2 or array.shape[-2] < 2 or array.shape[-1] < 2:
        raise InvalidInput(
            "correlation_rdm expects patterns of shape (..., n_stimuli, n_features) with at least two stimuli and two "
            f"features, not {tuple(array.shape)}"
        )
    lead, n_stimuli = tuple(array.shape[:-2]), array.shape[-2]
    rdm = np.empty((*lead, n_stimuli * (n_stimuli - 1) // 2))
    for index in np.ndindex(lead):
        _fill_correlation_rdm(
            rdm[index], array[index], block, tile, dtype, where=f" of pattern set {index}" if lead else ""
        )
    return rdm


def difference_rdm(values):
    """Absolute difference between the values of every two stimuli, d_ij = |v_i - v_j|: the RDM of one object dimension.

    values: (n_stimuli,) -> (n_pairs,), or (n_dims, n_stimuli) -> (n_dims, n_pairs), float64, in the unit of the values.
    Raises `InvalidInput` where a value is NaN or Inf.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim not in (1, 2) or values.shape[-1] < 2:
        raise InvalidInput(
            f"difference_rdm expects values of shape (n_stimuli,) or (n_dims, n_stimuli), not {values.shape}"
        )
    finite = np.isfinite(values).reshape(-1, values.shape[-1]).all(axis=0)
    if not finite.all():
        raise InvalidInput(f"difference_rdm expects finite values, but {_rows(~finite)}")
    first, second = np.triu_indices(values.shape[-1], 1)
    return np.abs(values[..., first] - values[..., second])


def square(rdm):
    """The full matrices, (..., n_pairs) -> (..., n_stimuli, n_stimuli) with zeros on the diagonal; for plots."""
    rdm = np.asarray(rdm, dtype=float)
    n_stimuli = count_stimuli(rdm.shape[-1])
    first, second = np.triu_indices(n_stimuli, 1)
    full = np.zeros((*rdm.shape[:-1], n_stimuli, n_stimuli))
    full[..., first, second] = full[..., second, first] = rdm
    return full


def condensed(full):
    """The upper triangles, (..., n_stimuli, n_stimuli) -> (..., n_pairs); `InvalidInput` where one is not symmetric."""
    full = np.asarray(full, dtype=float)
    if full.ndim < 2 or full.shape[-1] != full.shape[-2] or full.shape[-1] < 2:
        raise InvalidInput(f"condensed expects square matrices (..., n_stimuli, n_stimuli), not {full.shape}")
    if not np.allclose(full, np.swapaxes(full, -1, -2), rtol=1e-6, atol=1e-9, equal_nan=True):
        raise InvalidInput("condensed expects symmetric matrices, but the two triangles differ")
    first, second = np.triu_indices(full.shape[-1], 1)
    return full[..., first, second]


def count_stimuli(n_pairs):
    """n_stimuli of a condensed RDM of n_pairs; `InvalidInput` where no number of stimuli has so many pairs."""
    n_stimuli = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
    if n_pairs < 1 or n_stimuli * (n_stimuli - 1) // 2 != n_pairs:
        raise InvalidInput(f"a condensed RDM has n(n-1)/2 pairs, and {n_pairs} is no such number: check the last axis")
    return n_stimuli


def pairs_among(n_stimuli, images):
    """Where the pairs among `images` (different row numbers) lie in the condensed RDM of n_stimuli, in their order."""
    images = np.asarray(images, dtype=int)
    if images.ndim != 1 or len(images) < 2 or len(np.unique(images)) < len(images):
        raise InvalidInput(f"pairs_among expects two or more different row numbers, not {images.tolist()}")
    if images.min() < 0 or images.max() >= n_stimuli:
        raise InvalidInput(f"pairs_among expects row numbers between 0 and {n_stimuli - 1}, not {images.tolist()}")
    first, second = np.triu_indices(len(images), 1)
    low = np.minimum(images[first], images[second])
    high = np.maximum(images[first], images[second])
    return low * n_stimuli - low * (low + 1) // 2 + high - low - 1


def labelled(rdm, stimulus, dims=(), **coords):
    """The RDM with the ids of its stimuli: a DataArray (*dims, "pair") with coordinates `stimulus_a` and `stimulus_b`.

    rdm: (..., n_pairs); stimulus: n_stimuli different ids in row order; dims and coords name the axes before `pair`, as
    in `labelled(rdms, ids, dims=("layer",), layer=LAYERS)`. It can be written to netCDF and read back as it is.
    """
    rdm = np.asarray(rdm, dtype=float)
    ids = np.array([str(name) for name in stimulus])
    if rdm.ndim < 1 or count_stimuli(rdm.shape[-1]) != len(ids):
        raise InvalidInput(
            f"{len(ids)} stimulus ids belong to {len(ids) * (len(ids) - 1) // 2} pairs, not to shape {rdm.shape}"
        )
    names, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise InvalidInput(
            f"stimulus ids of an RDM must differ, but {names[counts > 1][0]!r} comes {counts.max()} times"
        )
    if len(dims) != rdm.ndim - 1:
        raise InvalidInput(
            f"dims must name the {rdm.ndim - 1} axes before `pair` of an RDM of shape {rdm.shape}, not {tuple(dims)}"
        )
    first, second = np.triu_indices(len(ids), 1)
    pairs = {"stimulus_a": ("pair", ids[first]), "stimulus_b": ("pair", ids[second])}
    return xr.DataArray(rdm, dims=(*dims, "pair"), coords=pairs | coords, name="rdm")


def is_labelled(rdm):
    """Whether the RDM carries the ids of its stimuli, as `labelled` gives them."""
    return isinstance(rdm, xr.DataArray) and "stimulus_a" in rdm.coords and "stimulus_b" in rdm.coords


def stimulus_ids(rdm):
    """The ids of a labelled RDM in row order, a list of strings."""
    if not is_labelled(rdm) or rdm.dims[-1] != "pair":
        raise InvalidInput(
            "this RDM does not carry its stimulus ids on a last axis `pair`: make it with realnet.rdm.labelled"
        )
    n_stimuli = count_stimuli(rdm.sizes["pair"])
    first, second = np.triu_indices(n_stimuli, 1)
    pairs_a, pairs_b = rdm["stimulus_a"].values.astype(str), rdm["stimulus_b"].values.astype(str)
    ids = np.array([pairs_a[0], *pairs_b[: n_stimuli - 1]])  # the first row pairs image 0 with every other one
    if not (np.array_equal(ids[first], pairs_a) and np.array_equal(ids[second], pairs_b)):
        raise InvalidInput(
            "the pairs of this RDM are not in condensed order (some were dropped or moved): use select_stimuli"
        )
    return ids.tolist()


def check_same_stimuli(a, b):
    """`InvalidInput` where two labelled RDMs differ in stimuli or their order; an RDM without ids cannot be checked."""
    if not (is_labelled(a) and is_labelled(b)):
        return
    ours, theirs = stimulus_ids(a), stimulus_ids(b)
    if len(ours) != len(theirs):
        raise InvalidInput(
            f"these RDMs are of {len(ours)} and {len(theirs)} stimuli: take the common ones with select_stimuli"
        )
    for row, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one != other:
            raise InvalidInput(
                f"these RDMs differ in their stimuli: row {row} is {one!r} and {other!r}; use select_stimuli"
            )


def select_stimuli(rdm, stimulus):
    """The labelled RDM of these stimulus ids only, in this order; `InvalidInput` names an id that it does not have."""
    row = {name: number for number, name in enumerate(stimulus_ids(rdm))}
    wanted = [str(name) for name in stimulus]
    missing = [name for name in wanted if name not in row]
    if missing:
        raise InvalidInput(
            f"the RDM of {len(row)} stimuli has no {missing[0]!r} ({len(missing)} of {len(wanted)} ids are missing)"
        )
    positions = pairs_among(len(row), [row[name] for name in wanted])
    others = {name: rdm.coords[name] for name in rdm.coords if "pair" not in rdm.coords[name].dims}
    return labelled(rdm.values[..., positions], wanted, dims=rdm.dims[:-1], **others)


def _as_array(patterns):
    """Anything array-like as a numpy array, uncopied where possible; what numpy cannot hold stays a torch tensor."""
    if not isinstance(patterns, torch.Tensor):
        array = np.asarray(patterns)
        if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
            raise InvalidInput(f"correlation_rdm expects real numbers, not {array.dtype}")
        return array
    tensor = patterns.detach()
    return tensor.numpy() if tensor.device.type == "cpu" and tensor.dtype in NUMPY_KINDS else tensor


def _fill_correlation_rdm(rdm, array, block, tile, dtype, where):
    """Writes the correlation RDM of one set of patterns (n_stimuli, n_features) into the condensed `rdm`."""
    n_stimuli, n_features = array.shape
    with np.errstate(invalid="ignore", over="ignore"):
        means = array.mean(axis=1, keepdims=True, dtype=torch.float64 if isinstance(array, torch.Tensor) else float)
    mean = _numpy(means)[:, 0]
    if not np.isfinite(mean).all():
        raise InvalidInput(f"correlation_rdm expects finite patterns, but {_rows(~np.isfinite(mean))}{where}")
    # scalar products of the centred patterns first, in place of the distances: the last norm comes with the last tile
    starts = np.arange(n_stimuli) * n_stimuli - np.arange(n_stimuli) * (np.arange(n_stimuli) + 1) // 2
    variance = np.empty(n_stimuli)
    slices = [slice(start, min(start + tile, n_stimuli)) for start in range(0, n_stimuli, tile)]
    for number, rows in enumerate(slices):
        for columns in slices[number:]:
            products = _scalar_products(array, means, rows, columns, block, dtype)
            if rows == columns:
                variance[rows] = np.diag(products)
            for i in range(rows.start, rows.stop):
                j = max(columns.start, i + 1)
                rdm[starts[i] + j - i - 1 : starts[i] + columns.stop - i - 1] = products[
                    i - rows.start, j - columns.start :
                ]
    # a constant pattern leaves the rounding error of its mean, not an exact zero
    constant = variance <= n_features * (4 * np.finfo(dtype).eps * mean) ** 2
    if constant.any():
        raise InvalidInput(
            f"the correlation of a constant pattern is not defined, but {_rows(constant, 'is constant')}{where}"
        )
    norm = np.sqrt(variance)
    for i in range(n_stimuli - 1):
        pairs = rdm[starts[i] : starts[i] + n_stimuli - i - 1]
        pairs /= -norm[i] * norm[i + 1 :]
        pairs += 1
    np.clip(rdm, 0, 2, out=rdm)


def _scalar_products(array, means, rows, columns, block, dtype):
    """Scalar products of the centred patterns `rows` with those of `columns`, summed over blocks of features."""
    total = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    for start in range(0, array.shape[1], block):
        # in a function of its own, so that a block is gone before the next one is made
        total += _block_products(array, means, rows, columns, slice(start, start + block), dtype)
    return total


def _block_products(array, means, rows, columns, features, dtype):
    left = _centred(array[rows, features], means[rows], dtype)
    # the very same array on both sides lets numpy calculate one triangle only
    right = left if rows == columns else _centred(array[columns, features], means[columns], dtype)
    return _numpy(left @ right.T)


def _centred(values, means, dtype):
    if isinstance(values, torch.Tensor):
        return (values.to(torch.float64) - means).to(getattr(torch, dtype))
    centred = values.astype(dtype)  # always a copy, and faster than a subtraction that casts
    centred -= means.astype(dtype)
    return centred


def _numpy(array):
    return array.cpu().numpy() if isinstance(array, torch.Tensor) else array


def _rows(bad, what="is not finite"):
    """'stimulus rows 3, 7 ... are not finite', with at most five of them."""
    rows = np.flatnonzero(bad)
    listed = ", ".join(map(str, rows[:5])) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
    if len(rows) > 1:
        what = what.replace("is", "are", 1)
    return f"stimulus row{'s' if len(rows) > 1 else ''} {listed} {what}"
