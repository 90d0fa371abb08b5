"""The 92 object images of Kriegeskorte et al. 2008, with RDMs of people and monkeys who saw them.

In ``data/objects92`` (rsatoolbox, MIT): the images, human and monkey IT of the article
(doi:10.1016/j.neuron.2008.10.043), IT of four people in two sessions each, and similarity judgements of 16 people (Mur
et al. 2013, doi:10.3389/fpsyg.2013.00128). Elsewhere, if at all: early visual cortex (EVC) and IT of 15 further people,
from the training data of the Algonauts 2019 challenge (Cichy et al. 2019, arXiv 1905.05675).
"""

from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import xarray as xr
from scipy.spatial.distance import squareform

from realnet.datasets.files import find_files, find_one
from realnet.errors import InvalidInput
from realnet.settings import REPOSITORY

HERE = REPOSITORY / "data" / "objects92"
REGIONS = ("EVC", "IT")
PROPERTIES = ("human", "face", "animal", "natural")
REFERENCES = {"hIT": "hITvisStim_316vx", "mIT": "mIT_674neurons"}


def load(more=None, folder=HERE):
    """Images, categories and RDMs from ``folder``; those of the 15 people if ``92/target_fmri.mat`` is below ``more``.

    Returns a Dataset: ``images`` (stimulus, y, x, rgb) uint8, 92 x 175 x 175 x 3; ``category`` (stimulus) and boolean
    ``human``, ``face``, ``animal``, ``natural`` (stimulus); RDMs, 1 - Pearson: ``reference_rdms`` (reference, pair),
    hIT (316 voxels) and mIT (674 neurons); ``session_rdms`` (person, session, pair), IT; ``judgement_rdms``
    (judge, pair), dissimilarities as judged; ``human_rdms`` (region, subject, pair), of the 15 people if there.
    Pairs are condensed, with coordinates ``stimulus_a`` and ``stimulus_b``.
    """
    path = find_one(folder, r"Kriegeskorte_Neuron2008_supplementalData\.mat", "the file with the 92 object images")
    with _reading(path, "the 92 objects and the RDMs of figure 1"):
        content = scipy.io.loadmat(path, variable_names=["stimuli_92objs", "RDMs_mIT_hIT_fig1"])
        objects = content["stimuli_92objs"].ravel()
        rdms = {item["name"].item(): item["RDM"].astype(float).ravel() for item in content["RDMs_mIT_hIT_fig1"].ravel()}
        data = xr.Dataset({
            "images": (("stimulus", "y", "x", "rgb"), np.stack([item["image"] for item in objects])),
            "category": ("stimulus", np.array([item["category"].item() for item in objects])),
            "reference_rdms": (("reference", "pair"), np.stack([rdms[name] for name in REFERENCES.values()])),
            **{name: ("stimulus", np.array([item[name].item() == 1 for item in objects])) for name in PROPERTIES},
        })  # fmt: skip
        ids = np.array([f"object-{i + 1:02d}" for i in range(92)])
        first, second = np.triu_indices(92, k=1)
        coordinates = {"stimulus": ids, "stimulus_a": ("pair", ids[first]), "stimulus_b": ("pair", ids[second]),
                       "reference": list(REFERENCES)}  # fmt: skip
        data = data.assign_coords(coordinates).set_coords("category").assign_attrs(dataset="objects92")
    names, sessions = _rdms(folder, "92_brainRDMs", "RDMs", (1, 4, 2))
    data["session_rdms"] = ("person", "session", "pair"), sessions[0]
    data["judgement_rdms"] = ("judge", "pair"), _rdms(folder, "92_behavRDMs", "rdms_behav_92", (1, 16))[1][0]
    people, judges = [name.split(" | ")[1] for name in names[0, :, 0]], [f"judge-{i + 1:02d}" for i in range(16)]
    data = data.assign_coords(person=people, session=[1, 2], judge=judges)
    fmri = find_files(more, r"target_fmri\.mat") if more is not None and Path(more).is_dir() else []
    fmri = [file for file in fmri if len(fmri) == 1 or "92" in file.parent.name]  # there is one of 118 images, too
    if not fmri:
        return data
    with _reading(fmri[0], "symmetric fMRI RDMs without NaN, 92 x 92 x 15"), h5py.File(fmri[0], "r") as file:
        squares = np.stack([np.moveaxis(file[f"{region}_RDMs"][()], -1, 0) for region in REGIONS])
        data["human_rdms"] = ("region", "subject", "pair"), _condensed(squares, (2, 15))
    return data.assign_coords(region=list(REGIONS), subject=[f"sub-{i + 1:02d}" for i in range(15)])


def _rdms(folder, name, key, shape):
    """Names and condensed RDMs of a file of rsatoolbox: arrays ``shape`` and (*shape, pair)."""
    path = find_one(folder, rf"{name}\.mat", "a file with RDMs of the 92 object images")
    with _reading(path, f"symmetric RDMs without NaN, 92 x 92, {' x '.join(map(str, shape))} of them"):
        items = scipy.io.loadmat(path, variable_names=[key])[key]
        names = np.array([item["name"].item() for item in items.ravel()]).reshape(items.shape)
        squares = np.array([item["RDM"] for item in items.ravel()], dtype=float)
        return names, _condensed(squares.reshape(*items.shape, *squares.shape[1:]), shape)


def _condensed(squares, shape):
    """Full RDMs (*shape, 92, 92) -> (*shape, pair); ValueError unless they are so many symmetric ones of numbers."""
    symmetric = np.allclose(squares, squares.swapaxes(-1, -2), atol=1e-9)  # False where one is NaN
    if squares.shape != (*shape, 92, 92) or not symmetric or squares.min() < 0 or squares.max() == np.inf:
        raise ValueError(f"these are {squares.shape}, or damaged")
    return np.stack([squareform(x, checks=False) for x in squares.reshape(-1, 92, 92)]).reshape(*shape, -1)


@contextmanager
def _reading(path, expected):
    try:
        yield
    except Exception as error:  # scipy and h5py raise nearly all there are for a damaged file
        raise InvalidInput(f"{path}: expected {expected} ({error!r}); get the file again") from error
