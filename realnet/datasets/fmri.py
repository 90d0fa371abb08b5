"""From a BData file to labelled responses: which sample shows which image, mean over repeats, ROI masks."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from realnet.datasets.bdata import BData, stimulus_name
from realnet.errors import InvalidInput

REQUIRED_ROIS = ("V1", "V2", "V3", "V4", "LOC")

# How names of images in a vmap may end.
_IMAGE_ENDING = re.compile(r"\.(?:jpe?g|png|tiff?|bmp)$", re.IGNORECASE)


def read_stimuli(bdata: BData, rows: np.ndarray, names: Mapping[int, str]) -> np.ndarray:
    """The name of the image of each chosen sample: (n_chosen,) text.

    Looked up in this order, as the generations of the files differ: `stimulus_name` spelled out by the vmap,
    `stimulus_id`, `image_index`, and the second column of `Label`. Numbers of natural images follow the `%f` rule of
    `stimulus_name`; small whole numbers are looked up in `names` (number -> name).
    Raises `InvalidInput` if a sample has no label, or a number has no name.
    """
    if "stimulus_name" in bdata.metadata and "stimulus_name" in bdata.vmap:
        texts = bdata.vmap["stimulus_name"]
        numbers = bdata.labels("stimulus_name")[rows, 0]
        named = {number: _IMAGE_ENDING.sub("", text.rsplit("/", 1)[-1]) for number, text in texts.items()}
    else:
        numbers = _label_numbers(bdata)[rows]
        named = {}
    distinct = {}
    for number in np.unique(numbers):
        name = named.get(number) or _name_of(number, names, bdata, len(named) > 0)
        if name in distinct.values():
            raise InvalidInput(f"{bdata.path}: two numbers stand for the image {name}; fetch the file again")
        distinct[number] = name
    return np.array([distinct[number] for number in numbers], dtype=np.str_)


def _label_numbers(bdata: BData) -> np.ndarray:
    """The label of every sample as a number, from the first key that the file has."""
    for key, column in (("stimulus_id", 0), ("image_index", 0), ("Label", 1)):
        if key in bdata.metadata:
            labels = bdata.labels(key)
            if column < labels.shape[1]:
                return labels[:, column]
    raise InvalidInput(
        f"{bdata.path}: expected a label column stimulus_name, stimulus_id, image_index or Label, but there is none"
    )


def _name_of(number: float, names: Mapping[int, str], bdata: BData, has_vmap: bool) -> str:
    """One label as an image name."""
    if np.isnan(number) or has_vmap:
        raise InvalidInput(
            f"{bdata.path}: a sample has the stimulus label {number}, which names no image; fetch it again"
        )
    if number in names:
        return names[int(number)]
    if float(number).is_integer():
        raise InvalidInput(
            f"{bdata.path}: image number {number:.0f} has no name; put the published list (stimulus_*.tsv) beside it"
        )
    try:
        return stimulus_name(number)
    except InvalidInput as error:
        raise InvalidInput(f"{bdata.path}: {error}") from error


def check_design(bdata: BData, stimuli: np.ndarray, n_stimuli: int, n_repeats: int) -> None:
    """Raise `InvalidInput`, naming images, unless there are `n_stimuli` of them, each `n_repeats` times.

    This is also what notices one-back repeats that were left in a file: they make some images too frequent.
    """
    names, counts = np.unique(stimuli, return_counts=True)
    wrong = [f"{name} {count}x" for name, count in zip(names, counts, strict=True) if count != n_repeats]
    if wrong or len(names) != n_stimuli:
        listed = f"; {len(wrong)} differ: {', '.join(wrong[:5])}" if wrong else ""
        raise InvalidInput(
            f"{bdata.path}: expected {n_stimuli} images x {n_repeats} repeats, got {len(names)} images{listed};"
            " check that this is the published file of this session"
        )


def load_samples(bdata: BData, rows: np.ndarray, stimuli: np.ndarray, voxels: str, chunk: int) -> xr.Dataset:
    """Single samples: `responses` (sample, voxel) in the order of the file, `stimulus` (sample), `roi` (roi, voxel)."""
    columns = bdata.columns(voxels)
    place = np.cumsum(rows) - 1
    responses = np.empty((int(rows.sum()), int(columns.sum())))
    for here, block in bdata.blocks(columns, rows, chunk):
        responses[place[here]] = block
    rois = read_rois(bdata, columns)
    _check_finite(bdata, responses, rois)
    data = xr.Dataset({"responses": (("sample", "voxel"), responses)}, coords=rois)
    return data.assign_coords(stimulus=("sample", stimuli), **_positions(bdata, columns))


def load_means(bdata: BData, rows: np.ndarray, stimuli: np.ndarray, voxels: str, chunk: int) -> xr.Dataset:
    """Means over repeats: `responses` (stimulus, voxel) in the order of the names, `roi` (roi, voxel).

    Adds up `chunk` rows at a time: memory is the result and one block, not the file.
    """
    columns = bdata.columns(voxels)
    names, which, counts = np.unique(stimuli, return_inverse=True, return_counts=True)
    place = np.cumsum(rows) - 1
    sums = np.zeros((len(names), int(columns.sum())))
    for here, block in bdata.blocks(columns, rows, chunk):
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is reported below
            for row, sample in zip(place[here], block, strict=True):
                sums[which[row]] += sample
    rois = read_rois(bdata, columns)
    _check_finite(bdata, sums, rois)
    sums /= counts[:, None]
    data = xr.Dataset({"responses": (("stimulus", "voxel"), sums)}, coords=rois)
    return data.assign_coords(stimulus=names, **_positions(bdata, columns))


class RoiIndex(xr.Index):
    """Lets the two-dimensional `roi` (roi, voxel) be asked by name: `data["roi"].sel(roi="V1")`.

    xarray labels a dimension by a one-dimensional variable of its name, and here that name is taken by the masks.
    """

    def __init__(self, names: np.ndarray):
        self.names = names

    def sel(self, labels: Mapping, **options: object) -> object:
        """The positions of the named ROIs."""
        return xr.indexes.PandasIndex(self.names, "roi").sel(labels)

    def create_variables(self, variables: Mapping | None = None) -> dict:
        """Nothing: the masks are an ordinary variable, which xarray selects from by itself."""
        return {}

    def isel(self, indexers: Mapping) -> "RoiIndex | None":
        """The names that a selection by position leaves; one ROI alone needs no index."""
        kept = xr.Variable("roi", self.names).isel(roi=indexers.get("roi", slice(None)))
        return RoiIndex(kept.to_numpy()) if kept.ndim else None

    def equals(self, other: xr.Index, **options: object) -> bool:
        """Whether the names are the same."""
        return isinstance(other, RoiIndex) and np.array_equal(self.names, other.names)


def read_rois(bdata: BData, columns: np.ndarray) -> xr.Coordinates:
    """`roi`: boolean (roi, voxel) of the chosen voxel columns, and `roi_name` (roi); ROIs overlap.

    V4 is `ROI_hV4` in Shen's files and `ROI_V4` in Horikawa's: both become V4. A file without `ROI_VC` gets VC as the
    union of its ROIs. Raises `InvalidInput` if one of V1, V2, V3, V4, LOC is absent or empty.
    """
    masks = {}
    for key in bdata.metadata:
        if key.startswith("ROI_"):
            name = key.removeprefix("ROI_").replace("hV4", "V4")
            mask = bdata.columns(key)
            if (mask & ~bdata.columns("VoxelData")).any():
                raise InvalidInput(f"{bdata.path}: {key} marks columns that are no voxels; fetch the file again")
            mask = mask[columns]
            if name in masks and not np.array_equal(mask, masks[name]):
                raise InvalidInput(f"{bdata.path}: ROI_hV4 and ROI_V4 differ, so which voxels are V4 is unclear")
            masks[name] = mask
    absent = [name for name in REQUIRED_ROIS if name not in masks or not masks[name].any()]
    if absent:
        raise InvalidInput(
            f"{bdata.path}: expected voxels in the ROIs {', '.join(REQUIRED_ROIS)}, but {', '.join(absent)} has none"
        )
    return roi_coordinates(masks)


def roi_coordinates(masks: dict[str, np.ndarray]) -> xr.Coordinates:
    """`roi`: boolean (roi, voxel), `roi_name` (roi), and the index by name, of masks (n_voxels,) by name.

    VC is added as the union of all where it is not among them.
    """
    masks = masks | {"VC": masks.get("VC", np.any(list(masks.values()), axis=0))}
    names = np.array(list(masks))
    variables = {"roi": (("roi", "voxel"), np.stack(list(masks.values()))), "roi_name": ("roi", names)}
    indexes = {"roi": RoiIndex(names), "roi_name": xr.indexes.PandasIndex(pd.Index(names, name="roi_name"), "roi")}
    return xr.Coordinates(variables, indexes)


def _positions(bdata: BData, columns: np.ndarray) -> dict[str, tuple[str, np.ndarray]]:
    """Coordinates x, y, z of the voxels in mm, where the file has them."""
    keys: Sequence[str] = ("voxel_x", "voxel_y", "voxel_z")
    if not all(key in bdata.metadata for key in keys):
        return {}
    return {key[-1]: ("voxel", bdata.metadata[key][columns]) for key in keys}


def _check_finite(bdata: BData, responses: np.ndarray, rois: xr.Coordinates) -> None:
    """Raise `InvalidInput` if a voxel of an ROI holds NaN or infinity.

    Others are never used, and whole-brain files have some that were outside the brain in a run.
    """
    if np.isfinite(responses.sum()):
        return
    used = rois["roi"].to_numpy().any(axis=0)
    if bad := int((~np.isfinite(responses)).any(axis=0)[used].sum()):
        raise InvalidInput(
            f"{bdata.path}: expected finite responses, but {bad} of {used.sum()} voxels of its ROIs hold NaN or"
            " infinity; fetch the file again, or take another generation of it"
        )
