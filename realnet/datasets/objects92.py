"""The 92 object images of Kriegeskorte et al. 2008, with fMRI RDMs of 15 people.

Images, categories, and the human and monkey IT RDMs of the article (doi 10.1016/j.neuron.2008.10.043): rsatoolbox's
``demos/92imageData``. RDMs of 15 people in early visual cortex (EVC) and IT for the same images in the same order:
training data of the Algonauts 2019 challenge (Cichy et al. 2019, arXiv 1905.05675).
"""

from contextlib import contextmanager

import h5py
import numpy as np
import scipy.io
import xarray as xr
from scipy.spatial.distance import squareform

from realnet.datasets.files import find_files, find_one
from realnet.errors import InvalidInput, MissingInput

REGIONS = ("EVC", "IT")
PROPERTIES = ("human", "face", "animal", "natural")
REFERENCES = {"hIT": "hITvisStim_316vx", "mIT": "mIT_674neurons"}


def load(root):
    """Images, categories and RDMs below ``root`` (``Kriegeskorte_..._supplementalData.mat``, ``92/target_fmri.mat``).

    Returns a Dataset: ``images`` (stimulus, y, x, rgb) uint8, 92 x 175 x 175 x 3; ``category`` (stimulus) and boolean
    ``human``, ``face``, ``animal``, ``natural`` (stimulus); ``human_rdms`` (region, subject, pair), 15 people;
    ``reference_rdms`` (reference, pair), 1 - Pearson, hIT (316 voxels) and mIT (674 neurons). Pairs are condensed, with
    coordinates ``stimulus_a`` and ``stimulus_b``.
    """
    path = find_one(root, r"Kriegeskorte_Neuron2008_supplementalData\.mat", "the file with the 92 object images")
    fmri = find_files(root, r"target_fmri\.mat")
    fmri = [file for file in fmri if len(fmri) == 1 or "92" in file.parent.name]  # there is one of 118 images, too
    if len(fmri) != 1:
        raise MissingInput(f"{root}: expected one 92/target_fmri.mat below it, found {len(fmri)}; see data/README.md")
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
                       "reference": list(REFERENCES), "region": list(REGIONS),
                       "subject": [f"sub-{i + 1:02d}" for i in range(15)]}  # fmt: skip
        data = data.assign_coords(coordinates).set_coords("category").assign_attrs(dataset="objects92")
    with _reading(fmri[0], "symmetric fMRI RDMs without NaN, 92 x 92 x 15"), h5py.File(fmri[0], "r") as file:
        squares = np.stack([np.moveaxis(file[f"{region}_RDMs"][()], -1, 0) for region in REGIONS])
        symmetric = np.allclose(squares, squares.swapaxes(-1, -2), atol=1e-9)  # False where one is NaN
        if squares.shape != (2, 15, 92, 92) or not symmetric or squares.min() < 0 or squares.max() == np.inf:
            raise ValueError(f"these are {squares.shape}, or damaged")
    human_rdms = np.array([[squareform(square, checks=False) for square in region] for region in squares])
    return data.assign(human_rdms=(("region", "subject", "pair"), human_rdms))


@contextmanager
def _reading(path, expected):
    try:
        yield
    except Exception as error:  # scipy and h5py raise nearly all there are for a damaged file
        raise InvalidInput(f"{path}: expected {expected} ({error!r}); get the file again") from error
