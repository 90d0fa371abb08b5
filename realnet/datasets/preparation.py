"""From responses to what the analyses use: principal components of voxels, reliability, and checks that arrays fit."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import xarray as xr

from realnet.errors import InvalidInput

VOXEL_SCALINGS = ("zscore", "none")
COMPONENT_SCALINGS = ("zscore", "global", "none")


@dataclass(frozen=True)
class Components:
    """Principal components of one person's voxels, fitted on the training responses only.

    component scores = ((response - mean) / scale) @ axes.T / component_scale, with `mean`, `scale` (n_voxels,), `axes`
    (n_components, n_voxels), `component_scale` and `explained_variance_ratio` (n_components,).
    """

    subject: str | None
    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    component_scale: np.ndarray
    explained_variance_ratio: np.ndarray

    def transform(self, responses: xr.DataArray) -> xr.DataArray:
        """Responses (stimulus, voxel) of the same person -> scores (stimulus, component).

        Raises `InvalidInput` for another number of voxels or another person.
        """
        _check_responses(responses)
        subject, n_voxels = responses.attrs.get("subject"), responses.sizes["voxel"]
        if n_voxels != self.mean.size or len({subject, self.subject} - {None}) > 1:
            raise InvalidInput(
                f"responses of {subject or 'a person'} with {n_voxels} voxels: expected {self.mean.size} voxels of"
                f" {self.subject or 'the person'} of the training responses; use one person's files"
            )
        scores = ((responses.to_numpy() - self.mean) / self.scale) @ self.axes.T / self.component_scale
        return xr.DataArray(
            scores,
            dims=("stimulus", "component"),
            coords={"stimulus": responses["stimulus"], "component": np.arange(len(self.axes))},
            attrs=responses.attrs,
        )


def fit_components(
    training: xr.DataArray,
    n_components: int = 1024,
    *,
    voxel_scaling: str = "zscore",
    component_scaling: str = "zscore",
) -> Components:
    """Principal components of training responses (stimulus, voxel), one row an image (mean over its repeats).

    `voxel_scaling`: divide voxels by their training SD (`zscore`) or not (`none`). `component_scaling`: divide every
    component by its training SD (`zscore`), all by the SD over all scores (`global`: their relative sizes stay), or not
    (`none`). The paper states 1024 components and neither scaling, which decides how much each component weighs in the
    mean squared error. Raises `InvalidInput` for too many components or an unknown scaling.
    """
    _check_responses(training)
    if voxel_scaling not in VOXEL_SCALINGS or component_scaling not in COMPONENT_SCALINGS:
        raise InvalidInput(
            f"scaling {voxel_scaling!r} of voxels and {component_scaling!r} of components: expected one of"
            f" {', '.join(VOXEL_SCALINGS)} and one of {', '.join(COMPONENT_SCALINGS)}"
        )
    values = training.to_numpy()
    most = min(len(values) - 1, values.shape[1])
    if not 1 <= n_components <= most:
        raise InvalidInput(
            f"n_components {n_components}: {len(values)} training images with {values.shape[1]} voxels give 1 to {most}"
        )
    mean = values.mean(axis=0)
    scale = values.std(axis=0) if voxel_scaling == "zscore" else np.ones(len(mean))
    scale[scale <= 1e-12 * np.abs(mean).max(initial=1)] = 1.0  # a voxel that never changes stays 0
    centred = (values - mean) / scale
    # Images x images and voxels x voxels have the same eigenvalues, but for zeros: the smaller of these two matrices
    # gives the components in a fraction of the time, and of the memory, of a singular value decomposition.
    wide = centred.shape[1] >= len(centred)
    products = centred @ centred.T if wide else centred.T @ centred
    n = len(products)
    eigenvalues, vectors = scipy.linalg.eigh(products, subset_by_index=(n - n_components, n - 1))
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    if eigenvalues[-1] <= 1e-10 * eigenvalues[0]:
        raise InvalidInput(f"n_components {n_components}: the last components have no variance; ask for fewer of them")
    axes = (centred.T @ vectors / np.sqrt(eigenvalues)).T if wide else vectors.T
    scores = vectors if wide else centred @ vectors  # but for their length
    axes = axes * np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(n_components)])[:, None]  # else arbitrary
    sd = np.sqrt(eigenvalues / len(values))  # of the scores
    component_scale = {"zscore": sd, "global": np.full_like(sd, np.sqrt(np.mean(sd**2))), "none": np.ones_like(sd)}
    return Components(
        subject=training.attrs.get("subject"),
        mean=mean,
        scale=scale,
        axes=axes,
        component_scale=component_scale[component_scaling],
        explained_variance_ratio=eigenvalues / np.trace(products),
    )


def reliability(trials: xr.Dataset, n_splits: int = 20, seed: int = 0) -> xr.DataArray:
    """How reproducible the responses of each ROI are: (roi,), the median over its voxels.

    The repeats of every image are halved at random; r = Pearson correlation over images of the two halves' means, then
    its mean over `n_splits` halvings, voxel by voxel; Spearman-Brown: 2 r / (1 + r) is the reliability of the mean over
    all repeats. Corrected once, at the end: far below 0 the correction has no bound.
    `trials`: as `load_trials` of a dataset gives them. An odd number of repeats leaves one out each time.
    Raises `InvalidInput` with fewer than three images or two repeats.
    """
    names, which, counts = np.unique(trials["stimulus"].to_numpy(), return_inverse=True, return_counts=True)
    n_half = counts.min() // 2
    if n_half < 1 or len(names) < 3:
        raise InvalidInput(
            f"{trials.attrs.get('file', 'trials')}: {len(names)} images with {counts.min()} repeats or more, but"
            " reliability needs 3 images with 2"
        )
    values = trials["responses"].to_numpy()
    members = [np.flatnonzero(which == image) for image in range(len(names))]
    rng = np.random.default_rng(seed)
    total = np.zeros(values.shape[1])
    for _ in range(n_splits):
        orders = [rng.permutation(rows) for rows in members]
        first, second = (
            np.stack([values[order[start : start + n_half]].mean(axis=0) for order in orders]) for start in (0, n_half)
        )
        total += _correlate_columns(first, second)
    r = total / n_splits
    corrected = 2 * r / (1 + np.maximum(r, -0.999))  # r = -1 has no corrected value
    medians = [float(np.median(corrected[mask])) for mask in trials["roi"].to_numpy()]
    return xr.DataArray(medians, dims="roi", coords={"roi": trials["roi_name"].to_numpy()}, name="reliability")


def check_same_stimuli(a: xr.DataArray | xr.Dataset, b: xr.DataArray | xr.Dataset) -> None:
    """Raise `InvalidInput`, naming images, unless both have the same stimuli in the same order."""
    first, second = (list(x["stimulus"].to_numpy()) for x in (a, b))
    if first == second:
        return
    only = sorted(set(map(str, first)) ^ set(map(str, second)))
    problem = f"{len(only)} images are in one of them only: {', '.join(only[:5])}" if only else "the order differs"
    raise InvalidInput(f"two arrays of {len(first)} and {len(second)} stimuli cannot be compared: {problem}")


def check_same_voxels(a: xr.Dataset, b: xr.Dataset) -> None:
    """Raise `InvalidInput` unless both files have the same voxels : one person, one generation."""
    same = a.sizes["voxel"] == b.sizes["voxel"] and np.array_equal(a["roi"], b["roi"])
    for axis in {"roi_name", "x", "y", "z"} & set(a.coords) & set(b.coords):
        same = same and np.array_equal(a[axis], b[axis])
    if not same or a.attrs.get("subject") != b.attrs.get("subject"):
        raise InvalidInput(
            f"{a.attrs.get('file')} and {b.attrs.get('file')}: expected the same voxels of one person, but their"
            " number, ROIs or positions differ; use files of one person and one generation"
        )


def _check_responses(responses: xr.DataArray) -> None:
    if responses.dims != ("stimulus", "voxel") or not np.isfinite(responses.to_numpy()).all():
        raise InvalidInput(f"responses {responses.dims}: expected finite numbers with the dimensions (stimulus, voxel)")


def _correlate_columns(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson r of each column of `a` with the same column of `b`; 0 where one is constant."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.divide((a * b).sum(axis=0), norm, out=np.zeros(a.shape[1]), where=norm > 0)
