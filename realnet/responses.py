"""From responses to what networks are trained on and compared with: fMRI components, RDMs per subject, reliability."""

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from realnet.datasets import horikawa2017, things_dimensions, things_eeg2
from realnet.datasets.readiness import TRAINING_FMRI
from realnet.decoding import decoding_rdm
from realnet.errors import InvalidInput
from realnet.rdm import correlation_rdm, crossnobis_rdm, difference_rdm, labelled, square
from realnet.similarity import compare_rdms


def load_fmri(study, subject, stimulus_set, dataset=None, trials=False):
    """Responses of one subject, mean over repeats or ``trials``, from the training fMRI or from ``horikawa2017``."""
    dataset = dataset or study.fmri.dataset
    reader, sets = (horikawa2017, ()) if dataset == "horikawa2017" else (TRAINING_FMRI[dataset], (stimulus_set,))
    return (reader.load_trials if trials else reader.load)(study.raw_folder(dataset), subject, *sets)


def compute_targets(study, subject):
    """The fMRI components that a network is aligned with (paper, Methods), by `component_scores`.

    Parameters
    ----------
    study, subject : Study, int
        The components are fitted on this subject's responses to the training images (mean over repeats) in the voxels
        of ``fmri.training_rois``.

    Returns
    -------
    Dataset
        ``components`` (stimulus, component); ``test_components`` (test_stimulus, component), the natural test images.
    """
    settings = study.fmri
    training, test = (load_fmri(study, subject, name) for name in ("training", "natural"))
    check_same_voxels(training, test)
    voxels = _roi_masks(training, settings.training_rois).any(axis=0)
    responses = [data.responses.values[:, voxels] for data in (training, test)]
    scaling = {"voxel_scaling": settings.voxel_scaling, "component_scaling": settings.component_scaling}
    scores, test_scores, explained = component_scores(*responses, settings.n_components, **scaling)
    coordinates = {"stimulus": training.stimulus.values, "test_stimulus": test.stimulus.values}
    about = {"explained_variance": float(explained.sum()), "n_voxels": int(voxels.sum())}
    data = xr.Dataset(coords=coordinates | {"component": np.arange(settings.n_components)}, attrs=about)
    data["components"] = ("stimulus", "component"), scores
    data["test_components"] = ("test_stimulus", "component"), test_scores
    return data


def component_scores(training, test, n_components, *, voxel_scaling="zscore", component_scaling="zscore"):
    """Scores on the principal components of the training responses of one subject.

    Parameters
    ----------
    training, test : array (n_stimuli, n_voxels), (n_test_stimuli, n_voxels)
        Means and standard deviations (SD) of all scalings are those of the training responses.
    n_components : int
    voxel_scaling : {"zscore", "none"}, divide every voxel by its SD or not
    component_scaling : {"zscore", "global", "none"}
        Divide every component by its SD, all by the SD over all scores (their relative sizes stay), or not. The paper
        states neither scaling, which decides how much each component weighs in the mean squared error.

    Returns
    -------
    scores, test_scores : array (n_stimuli, n_components), (n_test_stimuli, n_components)
        The largest absolute training score of each component is positive.
    explained : array (n_components,), share of variance
    """
    most = min(len(training) - 1, training.shape[1])
    if n_components > most:
        raise InvalidInput(f"training responses {training.shape} have at most {most} components: lower n_components")
    scaler = StandardScaler(with_std=voxel_scaling == "zscore")
    pca = PCA(n_components, svd_solver="full")  # exact; voxels outnumber images, so that a covariance is larger
    scores = pca.fit_transform(scaler.fit_transform(training))
    sd = scores.std(axis=0)
    if sd[-1] <= 1e-5 * sd[0]:
        raise InvalidInput(f"the last of {n_components} components have no variance: lower n_components")
    signs = np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(n_components)])  # arbitrary otherwise
    scale = signs * {"zscore": sd, "global": np.sqrt(np.mean(sd**2)), "none": 1.0}[component_scaling]
    return scores / scale, pca.transform(scaler.transform(test)) / scale, pca.explained_variance_ratio_


def scores_from_rdm(rdm, train, test, n_components):
    r"""PCA scores of standardised response patterns, from their RDM alone.

    With d = 1 - Pearson, R = 1 - d is the Gram matrix of the patterns with mean 0 and length 1. Centred on the n
    training images it has the eigenvalues and vectors of their PCA; held-out images are projected on these axes:

    .. math:: J R_{tt} J = V \Lambda V^\top,\quad J = I - \tfrac1n 1 1^\top,\qquad
        S = V \Lambda^{1/2},\quad S_\text{test} = (R_{ht} - \tfrac1n 1 1^\top R_{tt}) J V \Lambda^{-1/2}

    Parameters
    ----------
    rdm : array (n_pairs,), condensed, 1 - Pearson
    train, test : sequences of row numbers without a common one; nothing of ``test`` enters the axes
    n_components : int, at most n - 1

    Returns
    -------
    scores, test_scores : array (n, n_components), (n_test, n_components), not scaled; the signs of axes are arbitrary
    """
    gram, train, test = 1 - square(rdm), np.asarray(train, dtype=int), np.asarray(test, dtype=int)
    both = np.concatenate([train, test])
    if len(np.unique(both)) < len(both) or both.min() < 0 or both.max() >= len(gram):
        raise InvalidInput(f"train and test must be different row numbers below {len(gram)}, each named once")
    among, mean = gram[np.ix_(train, train)], gram[train].mean(axis=0)
    values, vectors = np.linalg.eigh(among - mean[train] - mean[train][:, None] + mean[train].mean())
    values, vectors = values[::-1][:n_components], vectors[:, ::-1][:, :n_components]
    if not 0 < n_components < len(train) or values[-1] <= 1e-9 * values[0]:
        raise InvalidInput(f"{len(train)} training images of this RDM do not have {n_components} components: use fewer")
    rows = gram[np.ix_(test, train)] - mean[train]
    return vectors * np.sqrt(values), (rows - rows.mean(axis=1, keepdims=True)) @ vectors / np.sqrt(values)


def check_same_voxels(a, b):
    """`InvalidInput` unless two Datasets of responses have the same voxels: one subject, one generation of files."""
    names = {"roi", "roi_name", "x", "y", "z"} & set(a.variables) & set(b.variables)
    if a.attrs.get("subject") != b.attrs.get("subject") or not all(np.array_equal(a[name], b[name]) for name in names):
        expected = f"{a.attrs.get('file')} and {b.attrs.get('file')}: expected the same voxels of one subject"
        raise InvalidInput(f"{expected}, but number, ROIs or positions differ: use files of one generation")


def compute_roi_rdms(data, rois, distance="correlation"):
    """RDM of each region from the response patterns of every two images: DataArray (roi, pair).

    ``distance``: ``correlation``, 1 - Pearson between mean patterns (``data`` as ``load`` of the fMRI readers returns;
    paper, Methods), or ``crossnobis``, :func:`realnet.rdm.crossnobis_rdm` over repeats (as ``load_trials`` returns).
    """
    values, names, rdm, masks = data.responses.values, data.stimulus.values, correlation_rdm, _roi_masks(data, rois)
    if distance == "crossnobis":
        names, which, counts = np.unique(names, return_inverse=True, return_counts=True)
        if counts.min() < 2:
            what = f"crossnobis needs two repeats of every image, but {names[counts.argmin()]} has one"
            raise InvalidInput(f"{data.attrs.get('file', 'trials')}: {what}: set fmri.distance to correlation")
        order = np.argsort(which, kind="stable")  # repeats of an image follow each other, in the order of the runs
        first = np.cumsum(counts) - counts
        values, rdm = np.stack([values[order[first + k]] for k in range(counts.min())]), crossnobis_rdm
    return labelled([rdm(values[..., mask]) for mask in masks], names, dims=("roi",), roi=list(rois))


def compute_fmri_rdms(study, stimulus_set, dataset=None):
    """RDMs of all subjects of the training fMRI, or of ``horikawa2017``, for a set of images: (subject, roi, pair)."""
    subjects = study.fmri.other_subjects if dataset == "horikawa2017" else study.fmri.subjects
    how, rdms = study.fmri.distance, []
    for subject in subjects:
        data = load_fmri(study, subject, stimulus_set, dataset, trials=how == "crossnobis")
        rdms.append(compute_roi_rdms(data, study.fmri.rois, how))
    return _stack_subjects(rdms, subjects)


def compute_eeg_rdms(study):
    """RDMs of the EEG over time: how well every two images are decoded (paper, Methods).

    Returns a DataArray (subject, time, pair): Pairwise decoding accuracy (chance 0.5); time in s.
    """
    root, settings, rdms = study.raw_folder("things_eeg2"), study.eeg, []
    design = {"n_average": settings.n_average, "n_folds": settings.n_folds, "n_repeats": settings.n_repeats}
    for subject in tqdm(settings.subjects, desc="decoding", delay=60, mininterval=60):
        epochs = things_eeg2.load(root, subject, window=settings.window).sel(channel=list(settings.channels))
        values = decoding_rdm(epochs.values, **design, seed=subject)
        rdms.append(labelled(values, epochs.stimulus.values, dims=("time",), time=epochs.time.values))
    return _stack_subjects(rdms, settings.subjects)


def compute_dimension_rdms(study):
    """RDMs of the object dimensions for the images of the EEG, absolute differences: DataArray (dimension, pair)."""
    images = things_eeg2.load_metadata(study.raw_folder("things_eeg2"))
    dimensions = things_dimensions.load(study.raw_folder("things_dimensions"))
    values = things_dimensions.for_concepts(dimensions, images.concept)
    rdms = difference_rdm(values.values.T)
    return labelled(rdms, images.stimulus.to_numpy(), dims=("dimension",), dimension=values.dimension.values)


def reliability_table(study):
    """Split-half reliabilities (`reliability`) per subject, region and set of images: DataFrame.

    ``metric`` ``reliability`` (median over voxels) and ``rdm_reliability``; NaN where images were shown once.
    """
    rows = []
    recordings = [(study.fmri.dataset, s, name) for s in study.fmri.subjects for name in study.fmri.test_sets]
    recordings += [("horikawa2017", s, "natural") for s in study.fmri.other_subjects]
    for dataset, subject, stimulus_set in recordings:
        trials = load_fmri(study, subject, stimulus_set, dataset, trials=True)
        about = {"dataset": dataset, "subject": f"sub-{subject:02d}", "stimulus_set": stimulus_set}
        found, masks = np.full((2, len(study.fmri.rois)), np.nan), _roi_masks(trials, study.fmri.rois)
        if trials.attrs["n_repeats"] > 1:
            voxels, found[1] = reliability(trials, study.fmri.rois)
            found[0] = [np.median(voxels[mask]) for mask in masks]
        for roi, *values in zip(study.fmri.rois, *found, strict=True):
            names = zip(("reliability", "rdm_reliability"), values, strict=True)
            rows += [{**about, "metric": metric, "roi": roi, "value": value} for metric, value in names]
    return pd.DataFrame(rows)


def reliability(trials, rois, n_splits=20, seed=0):
    """Split-half reliability of the responses of each voxel, and of the RDM of each region.

    r = correlation of the means of two random halves of the repeats, mean over ``n_splits`` halvings: Pearson over
    images per voxel, Spearman over pairs of images for the RDM (1 - Pearson). ``2 r / (1 + r)`` (Spearman-Brown) is the
    reliability of the mean over all repeats; the root of that of an RDM is its noise ceiling within the subject.

    Parameters
    ----------
    trials : Dataset as ``load_trials`` returns
        Two repeats or more of three images or more; an odd one is left out of each halving.
    rois, n_splits, seed : sequence of str, int, int

    Returns
    -------
    array (n_voxels,), array (n_rois,)
    """
    names, which, counts = np.unique(trials["stimulus"].to_numpy(), return_inverse=True, return_counts=True)
    n_half = counts.min() // 2
    if n_half < 1 or len(names) < 3:
        found = f"{trials.attrs.get('file', 'trials')}: {len(names)} images with {counts.min()} repeats or more"
        raise InvalidInput(f"{found}, but reliability needs 3 images with 2")
    values, masks = trials["responses"].to_numpy(), _roi_masks(trials, rois)
    members = [np.flatnonzero(which == image) for image in range(len(names))]
    parts = slice(n_half), slice(n_half, 2 * n_half)
    rng, voxels, rdms = np.random.default_rng(seed), np.zeros(values.shape[1]), np.zeros(len(masks))
    for _ in range(n_splits):
        orders = [rng.permutation(rows) for rows in members]
        halves = [np.stack([values[order[part]].mean(axis=0) for order in orders]) for part in parts]
        a, b = (half - half.mean(axis=0) for half in halves)
        norm = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
        voxels += np.divide((a * b).sum(axis=0), norm, out=np.zeros(len(norm)), where=norm > 0)  # constant: 0
        rdms += [compare_rdms(*(correlation_rdm(half[:, mask]) for half in halves)) for mask in masks]
    # r = -1 has no corrected value
    return tuple(2 * r / (1 + np.maximum(r, -0.999)) for r in (voxels / n_splits, rdms / n_splits))


def reliable_voxels(study, subject, training_ids, test_ids):
    """The voxels whose halves correlate over the natural images (Fisher's z, one-sided p < .05).

    Returns training and natural responses, array (n_stimuli, n_voxels) in the order of the ids, reliability (n_voxels,)
    and a dict of the regions with such voxels -> boolean array (n_voxels,). None where images were shown once.
    """
    trials = load_fmri(study, subject, "natural", trials=True)
    if trials.attrs["n_repeats"] < 2:
        return None
    values, least = reliability(trials, ())[0], np.tanh(1.6449 / np.sqrt(len(test_ids) - 3))
    kept = values > 2 * least / (1 + least)
    rois = dict(zip(study.fmri.rois, _roi_masks(trials, study.fmri.rois)[:, kept], strict=True))
    data = [load_fmri(study, subject, name).responses[:, kept] for name in ("training", "natural")]
    data = [part.sel(stimulus=ids).values for part, ids in zip(data, (training_ids, test_ids), strict=True)]
    return *data, values[kept], {roi: mask for roi, mask in rois.items() if mask.any()}


def _roi_masks(data, rois):
    """Boolean array (roi, voxel) of these regions; an unknown one is named."""
    names = data.roi_name.values.tolist()
    if unknown := [roi for roi in rois if roi not in names]:
        file = data.attrs.get("file", "the recording")
        raise InvalidInput(f"{file} has no region {unknown[0]!r}: it has {', '.join(names)}")
    return data.roi.values[[names.index(roi) for roi in rois]]


def _stack_subjects(rdms, subjects):
    """One RDM array per subject along ``subject`` (``sub-01``, ...); their images must agree."""
    return xr.concat(rdms, dim=pd.Index([f"sub-{s:02d}" for s in subjects], name="subject"), join="exact")
