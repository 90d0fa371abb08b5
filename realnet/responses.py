"""What the recordings of a study become: training targets, and one RDM per person, region and moment."""

import numpy as np
import pandas as pd
import xarray as xr
from tqdm import tqdm

from realnet.datasets import horikawa2017, own, preparation, shen2019, things_dimensions, things_eeg2
from realnet.decoding import decoding_rdm
from realnet.errors import InvalidInput
from realnet.rdm import correlation_rdm, difference_rdm, labelled

#: The readers of the fMRI that teaches networks; each has ``load`` and ``load_trials`` (root, subject, split).
FMRI_READERS = {"shen2019": shen2019, "own": own}


def compute_targets(study, subject):
    """The fMRI components that a network is taught (paper, Methods).

    PCA of the responses to the training images (mean over repeats) in the voxels of ``fmri.training_rois``, fitted on
    this subject's training images alone; the natural test images are projected on the same components.

    Returns
    -------
    Dataset
        ``components`` (stimulus, component) and ``test_components`` (test_stimulus, component).
    """
    settings = study.fmri
    reader, root = FMRI_READERS[settings.dataset], study.raw_folder(settings.dataset)
    training, test = reader.load(root, subject, "training"), reader.load(root, subject, "natural")
    preparation.check_same_voxels(training, test)
    voxels = _roi_masks(training, settings.training_rois).any(axis=0)
    fitted = preparation.fit_components(
        training.responses[:, voxels],
        settings.n_components,
        voxel_scaling=settings.voxel_scaling,
        component_scaling=settings.component_scaling,
    )
    test_components = fitted.transform(test.responses[:, voxels]).rename(stimulus="test_stimulus")
    return xr.Dataset(
        {"components": fitted.transform(training.responses[:, voxels]), "test_components": test_components},
        attrs={"explained_variance": float(np.sum(fitted.explained_variance_ratio)), "n_voxels": int(voxels.sum())},
    )


def compute_roi_rdms(data, rois):
    """RDM of each region: 1 - Pearson between the mean response patterns of each two images (paper, Methods).

    Parameters
    ----------
    data : Dataset
        ``responses`` (stimulus, voxel), ``roi`` (roi, voxel) and ``roi_name`` (roi), as the fMRI loaders return.
    rois : sequence of str

    Returns
    -------
    DataArray (roi, pair)
    """
    rdms = np.stack([correlation_rdm(data.responses.values[:, mask]) for mask in _roi_masks(data, rois)])
    return labelled(rdms, data.stimulus.values, dims=("roi",), roi=list(rois))


def compute_fmri_rdms(study, stimulus_set):
    """RDMs of the people whose fMRI teaches the networks, for one of the test sets: DataArray (subject, roi, pair)."""
    reader, root = FMRI_READERS[study.fmri.dataset], study.raw_folder(study.fmri.dataset)
    return _per_subject(
        study.fmri.subjects, lambda s: compute_roi_rdms(reader.load(root, s, stimulus_set), study.fmri.rois)
    )


def compute_horikawa2017_rdms(study):
    """RDMs of other people for the same 50 natural images: DataArray (subject, roi, pair)."""
    root = study.raw_folder("horikawa2017")
    return _per_subject(
        study.fmri.other_subjects, lambda s: compute_roi_rdms(horikawa2017.load(root, s), study.fmri.rois)
    )


def compute_eeg_rdms(study, progress=True):
    """RDMs of the EEG over time: how well each two images are told apart (paper, Methods).

    Returns
    -------
    DataArray (subject, time, pair)
        Pairwise decoding accuracy, time in s.
    """
    root, settings = study.raw_folder("things_eeg2"), study.eeg

    def rdms(subject):
        epochs = things_eeg2.load(root, subject, window=settings.window).sel(channel=list(settings.channels))
        values = decoding_rdm(
            epochs.values,
            n_average=settings.n_average,
            n_folds=settings.n_folds,
            n_repeats=settings.n_repeats,
            seed=subject,
        )
        return labelled(values, epochs.stimulus.values, dims=("time",), time=epochs.time.values)

    return _per_subject(tqdm(settings.subjects, desc="decoding", disable=not progress), rdms)


def compute_dimension_rdms(study):
    """RDMs of the object dimensions for the EEG's images: absolute differences, DataArray (dimension, pair)."""
    images = things_eeg2.load_metadata(study.raw_folder("things_eeg2"))
    dimensions = things_dimensions.load(study.raw_folder("things_dimensions"))
    values = things_dimensions.for_concepts(dimensions, images.concept)
    rdms = difference_rdm(values.values.T)
    return labelled(rdms, images.stimulus.to_numpy(), dims=("dimension",), dimension=values.dimension.values)


def reliability_table(study):
    """Split-half reliability of the voxels, per subject, region and set of images (Spearman-Brown corrected).

    Returns
    -------
    DataFrame
        Tidy; ``metric`` is ``reliability``: the median over voxels of the correlation over images between the means of
        two random halves of the repeats; NaN where images were shown once.
    """
    rows = []
    recordings = [(study.fmri.dataset, s, name) for s in study.fmri.subjects for name in study.fmri.test_sets]
    recordings += [("horikawa2017", s, "natural") for s in study.fmri.other_subjects]
    for dataset, subject, stimulus_set in recordings:
        root = study.raw_folder(dataset)
        if dataset == "horikawa2017":
            trials = horikawa2017.load_trials(root, subject)
        else:
            trials = FMRI_READERS[dataset].load_trials(root, subject, stimulus_set)
        _roi_masks(trials, study.fmri.rois)  # names a region that is not there
        repeated = trials.attrs["n_repeats"] > 1
        values = preparation.reliability(trials) if repeated else xr.full_like(trials.roi_name, np.nan, dtype=float)
        values = values.assign_coords(roi=trials.roi_name.values).sel(roi=list(study.fmri.rois))
        rows += [
            {"dataset": dataset, "subject": f"sub-{subject:02d}", "stimulus_set": stimulus_set, "roi": str(roi),
             "metric": "reliability", "value": float(value)}
            for roi, value in zip(values.roi.values, values.values, strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def _roi_masks(data, rois):
    """Boolean array (roi, voxel) of these regions; an unknown one is named."""
    names = [str(name) for name in data.roi_name.values]
    unknown = [roi for roi in rois if roi not in names]
    if unknown:
        file = data.attrs.get("file", "the recording")
        raise InvalidInput(f"{file} has no region {unknown[0]!r}: it has {', '.join(names)}")
    return data.roi.values[[names.index(roi) for roi in rois]]


def _per_subject(subjects, compute):
    """Stack one RDM array per subject along ``subject`` (``sub-01``, ...); their images must agree."""
    subjects = list(subjects) if not isinstance(subjects, tqdm) else subjects
    rdms = {f"sub-{subject:02d}": compute(subject) for subject in subjects}
    return xr.concat(rdms.values(), dim=pd.Index(list(rdms), name="subject"), join="exact")
