"""The 92 object images of Kriegeskorte et al. 2008, with fMRI RDMs of 15 people: real data that need no request form.

Images, categories, and the human and monkey IT RDMs of the article (doi 10.1016/j.neuron.2008.10.043): rsatoolbox's
`demos/92imageData`. RDMs of 15 people in early visual cortex (EVC) and IT for the same images in the same order:
training data of the Algonauts 2019 challenge (Cichy et al. 2019, arXiv 1905.05675).
"""

import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import xarray as xr
from scipy.io.matlab import MatReadError
from scipy.spatial.distance import squareform

from realnet.datasets.files import find_files, find_one
from realnet.errors import InvalidInput, MissingInput

N_STIMULI = 92
N_SUBJECTS = 15
_PROPERTIES = ("human", "face", "animal", "natural")
# What scipy and h5py raise for a damaged file.
_READ_ERRORS = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, OverflowError, MemoryError),
    *(MatReadError, zlib.error),
)
_REFERENCES = {"mIT_674neurons": "mIT", "hITvisStim_316vx": "hIT"}


def load(root: str | Path) -> xr.Dataset:
    """Images, categories and RDMs.

    `root`: a folder that holds `Kriegeskorte_Neuron2008_supplementalData.mat` and `92/target_fmri.mat`, at any depth.
    Returns a Dataset: `images` (stimulus, y, x, rgb) uint8, 92 x 175 x 175 x 3; `category` (stimulus) text, and boolean
    `human face animal natural` (stimulus); `human_rdms` (region, subject, pair), regions EVC and IT, 15 people;
    `reference_rdms` (reference, pair), hIT (316 voxels) and mIT (674 neurons), 1 - Pearson. Pairs are condensed row by
    row as `scipy.spatial.distance.squareform` has them, with coordinates `stimulus_a` and `stimulus_b`.
    Raises `MissingInput` if a file is not there, `InvalidInput` if it is damaged.
    """
    path = find_one(root, r"Kriegeskorte_Neuron2008_supplementalData\.mat", "the file with the 92 object images")
    try:
        content = scipy.io.loadmat(path, variable_names=["stimuli_92objs", "RDMs_mIT_hIT_fig1"])
        images, categories, properties = _read_objects(content["stimuli_92objs"])
        references = _read_references(content["RDMs_mIT_hIT_fig1"])
    except _READ_ERRORS as error:
        raise InvalidInput(
            f"{path}: expected the 92 objects and the RDMs of figure 1 ({error}); get it again"
        ) from error
    stimuli = np.array([f"object-{i + 1:02d}" for i in range(N_STIMULI)])
    first, second = np.triu_indices(N_STIMULI, k=1)
    return xr.Dataset(
        {
            "images": (("stimulus", "y", "x", "rgb"), images),
            "human_rdms": (("region", "subject", "pair"), _read_human_rdms(_find_fmri(root))),
            "reference_rdms": (("reference", "pair"), np.stack(list(references.values()))),
            **{name: ("stimulus", properties[name]) for name in _PROPERTIES},
        },
        coords={
            "stimulus": stimuli,
            "category": ("stimulus", categories),
            "region": ["EVC", "IT"],
            "subject": [f"sub-{i + 1:02d}" for i in range(N_SUBJECTS)],
            "reference": list(references),
            "stimulus_a": ("pair", stimuli[first]),
            "stimulus_b": ("pair", stimuli[second]),
        },
        attrs={"dataset": "objects92"},
    )


def _find_fmri(root: str | Path) -> Path:
    """The RDM file of the 92 images; Algonauts gives a file for another 118 images the same name."""
    found = find_files(root, r"target_fmri\.mat")
    if len(found) > 1:
        found = [path for path in found if "92" in path.parent.name]
    if len(found) != 1:
        problem = "there is none" if not found else f"there are {len(found)}"
        raise MissingInput(
            f"{root}: expected one 92/target_fmri.mat (Algonauts 2019) below it, but {problem}; see data/README.md"
        )
    return found[0]


def _read_objects(objects: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Images (92, 175, 175, 3) uint8, categories (92,) text, and properties name -> (92,) boolean."""
    objects = objects.ravel()
    images = np.stack([item["image"] for item in objects])
    if images.shape != (N_STIMULI, 175, 175, 3) or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} {images.shape}")
    categories = np.array([_single(item["category"], "U") for item in objects])
    properties = {name: np.array([_single(item[name], "ui") for item in objects], dtype=float) for name in _PROPERTIES}
    if not all(np.isin(values, (0, 1)).all() for values in properties.values()):
        raise ValueError("a property of an object is neither 0 nor 1")
    return images, categories, {name: values == 1 for name, values in properties.items()}


def _single(value: np.ndarray, kinds: str) -> Any:
    """The one entry of a MATLAB array, of one of the dtype kinds."""
    if value.size != 1 or value.dtype.kind not in kinds:
        raise ValueError(f"expected one entry, got {value.dtype} {value.shape}")
    return value.ravel()[0]


def _read_references(rdms: np.ndarray) -> dict[str, np.ndarray]:
    """hIT and mIT -> (4186,) float64."""
    named = {_REFERENCES[str(_single(item["name"], "U"))]: item["RDM"].astype(float).ravel() for item in rdms.ravel()}
    n_pairs = N_STIMULI * (N_STIMULI - 1) // 2
    # 1 - Pearson lies between 0 and 2
    if any(rdm.shape != (n_pairs,) or not ((rdm >= 0) & (rdm <= 2)).all() for rdm in named.values()):
        raise ValueError(f"an RDM is not {n_pairs} numbers from 0 to 2")
    return {name: named[name] for name in ("hIT", "mIT")}


def _read_human_rdms(path: Path) -> np.ndarray:
    """(2 regions, 15 people, 4186 pairs) float64, from square RDMs in a MATLAB v7.3 file."""
    try:
        with h5py.File(path, "r") as file:
            regions = [file[f"{region}_RDMs"] for region in ("EVC", "IT")]
            if any(rdms.shape != (N_STIMULI, N_STIMULI, N_SUBJECTS) or rdms.dtype.kind != "f" for rdms in regions):
                raise ValueError(f"expected 92 x 92 x 15 numbers, got {[rdms.shape for rdms in regions]}")
            squares = np.stack([np.moveaxis(rdms[()], -1, 0) for rdms in regions])
    except _READ_ERRORS as error:
        raise InvalidInput(f"{path}: expected fMRI RDMs of 15 people ({error}); get the file again") from error
    transposed = squares.swapaxes(-1, -2)
    if not np.isfinite(squares).all() or (squares < 0).any() or not np.allclose(squares, transposed, atol=1e-9):
        raise InvalidInput(f"{path}: expected symmetric RDMs without NaN and not negative; get the file again")
    return np.array([[squareform(square, checks=False) for square in region] for region in squares])
