"""Horikawa & Kamitani 2017 ("Generic decoding of seen and imagined objects"): fMRI of five people who saw images.

Article: doi 10.1038/ncomms15037; data: figshare 7387130. Read here: the test images that were seen, the same 50 natural
images as in Shen et al. 2019, 35 times each (rows with `DataType` 2; 1 is training, 3 is imagery).
"""

from pathlib import Path

import numpy as np
import xarray as xr

from realnet.datasets.bdata import BData, read_bdata
from realnet.datasets.files import find_one, subject_number
from realnet.datasets.fmri import check_design, load_means, load_samples, read_stimuli
from realnet.errors import InvalidInput

N_SUBJECTS = 5
N_STIMULI = 50
N_REPEATS = 35
TEST_PERCEPTION = 2


def load(root: str | Path, subject: int | str, *, voxels: str = "VoxelData", chunk: int = 256) -> xr.Dataset:
    """Responses of one person to the 50 test images, mean over 35 repeats.

    `root`: a folder that holds `Subject1.h5` .. `Subject5.h5`, at any depth. `subject`: 1-5 (or `'sub-01'`). Returns a
    Dataset as `realnet.datasets.shen2019.load` does: `responses` (stimulus, voxel), `roi` (roi, voxel), with `stimulus`
    the name of the image without ending. Raises `MissingInput` and `InvalidInput` likewise.
    """
    bdata, rows, stimuli = _open(root, subject)
    return _describe(load_means(bdata, rows, stimuli, voxels, chunk), bdata, subject)


def load_trials(root: str | Path, subject: int | str, *, voxels: str = "VoxelData", chunk: int = 256) -> xr.Dataset:
    """The same as `load` before the mean: `responses` (sample, voxel) in the order of the file, `stimulus` (sample)."""
    bdata, rows, stimuli = _open(root, subject)
    return _describe(load_samples(bdata, rows, stimuli, voxels, chunk), bdata, subject)


def _open(root: str | Path, subject: int | str) -> tuple[BData, np.ndarray, np.ndarray]:
    """The file of a person, its rows of seen test images (boolean), and the image of each; the design is checked."""
    number = subject_number(subject, N_SUBJECTS)
    bdata = read_bdata(find_one(root, f"Subject{number}\\.h5", f"Subject{number}.h5 of Horikawa & Kamitani 2017"))
    kind = bdata.labels("DataType")[:, 0]
    if not np.isin(kind, (1, 2, 3)).all():
        raise InvalidInput(f"{bdata.path}: expected DataType 1, 2 or 3 in every row; fetch the file again")
    rows = kind == TEST_PERCEPTION
    stimuli = read_stimuli(bdata, rows, {})
    check_design(bdata, stimuli, N_STIMULI, N_REPEATS)
    return bdata, rows, stimuli


def _describe(data: xr.Dataset, bdata: BData, subject: int | str) -> xr.Dataset:
    """The dataset with a note of where it comes from."""
    number = subject_number(subject, N_SUBJECTS)
    data["responses"].attrs = {"subject": f"sub-{number:02d}", "units": "as in the published file"}
    return data.assign_attrs(
        dataset="horikawa2017", subject=f"sub-{number:02d}", split="natural", n_repeats=N_REPEATS, file=bdata.path.name
    )
