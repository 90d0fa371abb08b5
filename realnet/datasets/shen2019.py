"""Shen et al. 2019 ("Deep image reconstruction from human brain activity"): fMRI of three people who saw images.

Article: doi 10.1371/journal.pcbi.1006633; data: figshare 7033577. Sessions: 1200 natural images x 5 repeats (training),
50 natural images of other categories x 24, 40 coloured shapes x 20, 10 letters x 12.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from realnet.datasets.bdata import BData, read_bdata
from realnet.datasets.files import find_files, subject_number
from realnet.datasets.fmri import check_design, load_means, load_samples, read_stimuli
from realnet.errors import InvalidInput, MissingInput

N_SUBJECTS = 3


@dataclass(frozen=True)
class Split:
    """The design of one session, and the names that its files go by (regular expressions)."""

    n_stimuli: int
    n_repeats: int
    session: str
    fmriprep: str


SPLITS: Mapping[str, Split] = {
    "training": Split(1200, 5, "NaturalImageTraining", "ImageNetTraining"),
    "natural": Split(50, 24, "NaturalImageTest", "ImageNetTest"),
    "shapes": Split(40, 20, "ArtificialImage", "Artificial(?:Shapes|Image)"),
    # the published name of this one is not known for certain
    "letters": Split(10, 12, "LetterImage", "(?:Alphabet|Letter)[A-Za-z]*"),
}

_COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan", "white", "black")
_SHAPES = ("square", "smallring", "largering", "+", "X")

# The names behind the numbers 1..40 and 1..10, as in the event files of OpenNeuro ds001506 (img011 is A).
SHAPE_NAMES = tuple(
    f"colorExpStim{5 * i + j + 1:02d}_{colour}_{shape}"
    for i, colour in enumerate(_COLOURS)
    for j, shape in enumerate(_SHAPES)
)
LETTER_NAMES = tuple(f"letter_black_img{ord(letter) - ord('A') + 11:03d}_{letter}" for letter in "ACEINORSTU")

# The same recordings were published three times; where several are present, the first of these is read.
GENERATIONS = {
    "A": "sub-{subject:02d}_perception{split.session}_original_VC\\.h5",
    "B": "sub-{subject:02d}_perception{split.session}_VC_v2\\.h5",
    "C-vc": "sub-{subject:02d}_{split.fmriprep}_fmriprep_volume_native_vc\\.h5",
    "C": "sub-{subject:02d}_{split.fmriprep}_fmriprep_volume_native\\.h5",
}


def load(
    root: str | Path,
    subject: int | str,
    split: str,
    *,
    voxels: str = "VoxelData",
    generation: str | None = None,
    chunk: int = 256,
) -> xr.Dataset:
    """Responses of one person to the images of one session, mean over repeats.

    `root`: a folder that holds the published files under their published names, at any depth. `subject`: 1-3 (or
    `'sub-01'`). `split`: one of `training natural shapes letters`. `voxels`: the key of the voxels to read (`ROI_VC`
    keeps the whole-brain files of generation C small). `generation`: one of `GENERATIONS`, or None for the first that
    is present. `chunk`: rows read at a time, which bounds the memory.

    Returns a Dataset: `responses` (stimulus, voxel) float64 in the unit of the file; `roi` (roi, voxel) boolean;
    coordinates `stimulus` = name of the image without ending, `roi_name` (roi), and `x y z` (voxel) in mm where the
    file has them. `data["roi"].sel(roi="V1")` is the mask of V1.
    Raises `MissingInput` if the file is not there, `InvalidInput` if it is damaged or not this session's design.
    """
    bdata, rows, stimuli = _open(root, subject, split, generation)
    return _describe(load_means(bdata, rows, stimuli, voxels, chunk), bdata, subject, split)


def load_trials(
    root: str | Path,
    subject: int | str,
    split: str,
    *,
    voxels: str = "VoxelData",
    generation: str | None = None,
    chunk: int = 256,
) -> xr.Dataset:
    """The same as `load` before the mean: `responses` (sample, voxel) in the order of the file, `stimulus` (sample).

    The whole session lies in memory: n_samples x n_voxels x 8 bytes.
    """
    bdata, rows, stimuli = _open(root, subject, split, generation)
    return _describe(load_samples(bdata, rows, stimuli, voxels, chunk), bdata, subject, split)


def _open(
    root: str | Path, subject: int | str, split: str, generation: str | None
) -> tuple[BData, np.ndarray, np.ndarray]:
    """The file of a session, its rows (all), and the image of each; the design is checked."""
    bdata = read_bdata(find_session(root, subject, split, generation))
    rows = np.ones(bdata.n_samples, dtype=bool)
    stimuli = read_stimuli(bdata, rows, _names(root, split))
    check_design(bdata, stimuli, SPLITS[split].n_stimuli, SPLITS[split].n_repeats)
    return bdata, rows, stimuli


def find_session(root: str | Path, subject: int | str, split: str, generation: str | None = None) -> Path:
    """The file of one person and session below `root`; see `load` for the arguments and errors."""
    number = subject_number(subject, N_SUBJECTS)
    if split not in SPLITS:
        raise InvalidInput(f"split {split!r}: expected one of {', '.join(SPLITS)}")
    if generation is not None and generation not in GENERATIONS:
        raise InvalidInput(f"generation {generation!r}: expected one of {', '.join(GENERATIONS)}")
    for name in [generation] if generation else GENERATIONS:
        found = find_files(root, GENERATIONS[name].format(subject=number, split=SPLITS[split]))
        if len(found) > 1:
            raise InvalidInput(f"{found[0]}: the same session is also at {found[1]}; keep one of them below {root}")
        if found:
            return found[0]
    expected = GENERATIONS[generation or "A"].format(subject=number, split=SPLITS[split]).replace("\\", "")
    raise MissingInput(
        f"{root}: expected {expected} (or another generation of it) below this folder, but it is not there;"
        " run `realnet data fetch`, or see data/README.md"
    )


def _names(root: str | Path, split: str) -> dict[int, str]:
    """Names of images by number: from the published list where it is there, else as the event files have them."""
    known = {"shapes": SHAPE_NAMES, "letters": LETTER_NAMES}.get(split, ())
    lists = find_files(root, f"(?:stimulus_)?{SPLITS[split].session}\\.tsv")
    if not lists:
        return dict(enumerate(known, start=1))
    return read_stimulus_list(lists[0], SPLITS[split].n_stimuli)


def read_stimulus_list(path: Path, n_stimuli: int | None = None) -> dict[int, str]:
    """A published list of images -> {number: name}; `n_stimuli`: how many there must be, where that is known.

    The file has no header and columns name, stimulus_id, category_index, image_index; numbers are those of the last
    column, which counts the images. Raises `InvalidInput` if a line does not fit or a name or number appears twice.
    """
    names: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [line for line in csv.reader(file, delimiter="\t") if line]
        for line in lines:
            names[int(line[-1])] = line[0].strip()
    except (ValueError, IndexError, OSError, csv.Error) as error:
        raise InvalidInput(
            f"{path}: expected lines of name, stimulus_id, category_index, image_index with tabs between ({error})"
        ) from error
    if len(names) != len(lines) or len(set(names.values())) != len(lines) or "" in names.values():
        raise InvalidInput(f"{path}: expected every image and every number once, but some appear twice; fetch it again")
    if n_stimuli not in (None, len(names)):
        raise InvalidInput(f"{path}: expected {n_stimuli} images, got {len(names)}; fetch the file again")
    return names


def _describe(data: xr.Dataset, bdata: BData, subject: int | str, split: str) -> xr.Dataset:
    """The dataset with a note of where it comes from."""
    number = subject_number(subject, N_SUBJECTS)
    data["responses"].attrs = {"subject": f"sub-{number:02d}", "units": "as in the published file"}
    return data.assign_attrs(
        dataset="shen2019",
        subject=f"sub-{number:02d}",
        split=split,
        n_repeats=SPLITS[split].n_repeats,
        file=bdata.path.name,
    )
