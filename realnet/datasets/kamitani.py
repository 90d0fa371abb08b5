"""From a BData file to labelled responses: which sample shows which image, mean over repeats, ROI masks."""

import re
from contextlib import contextmanager

import h5py
import numpy as np
import xarray as xr

from realnet.errors import InvalidInput

_MOST = 1_000_000  # a damaged size can be any number; the largest published file has 6000 samples


@contextmanager
def open_bdata(path):
    """An open :class:`BData`; whatever is found wrong while it is open becomes one sentence that names the file."""
    try:
        with h5py.File(path, "r") as file:
            yield BData(file)
    except Exception as error:  # h5py raises all kinds for damaged files
        raise InvalidInput(f"{path}: expected a whole, published BData file ({error}); fetch it again") from error


class BData:
    """An open file. ``metadata``: key -> (n_columns,), NaN where it does not apply; ``vmap``: key -> {number: text}."""

    def __init__(self, file):
        self._matrix = file["dataset" if "dataset" in file else "dataSet"]
        metadata = file["metadata" if "metadata" in file else "metaData"]
        keys, values, shape = _read_text(metadata["key"]), metadata["value"], self._matrix.shape
        whole = _is_whole(self._matrix) and _is_whole(values) and len(shape) == 2 and 0 < shape[0] < _MOST
        if not whole or values.shape != (len(set(keys)), shape[1]):
            raise ValueError(f"matrix of {self._matrix.dtype} {shape}, {values.shape} metadata of {len(keys)} keys")
        self.n_samples = int(shape[0])
        self.metadata = dict(zip(keys, np.asarray(values[()], dtype=float), strict=True))
        # lists, as h5py's views hold its lock until they are exhausted, also after an error
        texts = {key: dict(list(group.items())) for key, group in list(file.get("vmap", {}).items())}
        self.vmap = {key: {float(n): _read_text(text)[0] for n, text in texts[key].items()} for key in texts}

    def columns(self, key):
        """Columns where ``key`` is 1: boolean array (n_columns,)."""
        value = self.metadata.get(key, np.array(np.inf))
        if not np.isin(value[~np.isnan(value)], (0, 1)).all():
            raise ValueError(f"{key} does not mark columns by 1; its keys are {', '.join(self.metadata)}")
        return value == 1

    def labels(self, key):
        """Label columns of ``key``: float array (n_samples, n_label_columns)."""
        columns = [self._matrix[:, column] for column in np.flatnonzero(self.columns(key))]
        return np.stack(columns, axis=1).astype(float)

    def samples(self, columns, rows, chunk=256):
        """Yield the chosen rows one by one, (n_chosen_columns,); ``chunk`` rows of the file are in memory at a time."""
        chosen = np.flatnonzero(columns)
        span = slice(int(chosen[0]), int(chosen[-1]) + 1)  # far faster in HDF5 than a list of columns
        for start in range(0, self.n_samples, chunk):
            here = np.flatnonzero(rows[start : start + chunk])
            if here.size:
                block = np.asarray(self._matrix[start : start + chunk, span], dtype=float)
                yield from block[here][:, chosen - span.start]


def _is_whole(data):
    """Whether a dataset is of numbers, with as many bytes as its shape says (chunks are stored as they come)."""
    size = data.id.get_storage_size() if data.chunks is None else data.size * data.dtype.itemsize
    return data.dtype.kind in "fiu" and size == data.size * data.dtype.itemsize


def _read_text(data):
    """A list of text; HDF5 itself crashes where a damaged type is read as if it were text."""
    if (data.dtype.kind != "S" and h5py.check_string_dtype(data.dtype) is None) or data.size > _MOST:
        raise ValueError(f"{data.name} is not text")
    return [text.decode() for text in np.ravel(data[()])]


#: Keys that say which image a sample shows, best first, and the column to read: the generations of files differ.
_LABELS = {"stimulus_name": 0, "stimulus_id": 0, "image_index": 0, "Label": 1}
_REQUIRED_ROIS = {"V1", "V2", "V3", "V4", "LOC"}


def load(path, names, n_stimuli, n_repeats, *, subject, mean=True, data_type=None):
    """Responses with the names of images and ROIs.

    Parameters
    ----------
    path : Path
    names : dict of int to str, published names of images that a file numbers 1, 2, ...
    n_stimuli, n_repeats, subject : int
        The design is checked: a one-back repeat that was left in a file makes its image too frequent.
    mean : bool, whether to average over repeats; memory is then the result and one block of rows
    data_type : int, label ``DataType`` of the rows to read; all rows by default

    Returns
    -------
    Dataset
        See :func:`realnet.datasets.shen2019.load`.
    """
    with open_bdata(path) as bdata:
        rows = np.ones(bdata.n_samples, bool) if data_type is None else bdata.labels("DataType")[:, 0] == data_type
        names = read_stimuli(bdata, names, n_stimuli, n_repeats, rows)
        dim, which, voxels = "sample", np.arange(names.size), bdata.columns("VoxelData")
        if mean:
            dim, (names, which) = "stimulus", np.unique(names, return_inverse=True)
        responses = np.zeros((names.size, voxels.sum()))
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is reported below
            for row, sample in zip(which, bdata.samples(voxels, rows), strict=True):
                responses[row] += sample
        responses /= n_repeats if mean else 1
        keys = [key for key in bdata.metadata if key.startswith("ROI_") and bdata.columns(key).any()]
        # V4 is ROI_hV4 in Shen's files and ROI_V4 in Horikawa's
        masks = {key.removeprefix("ROI_").replace("hV4", "V4"): bdata.columns(key)[voxels] for key in keys}
        if (absent := _REQUIRED_ROIS.difference(masks)) or any(bdata.columns(key)[~voxels].any() for key in keys):
            raise ValueError(f"no voxel is in {', '.join(absent) or 'some columns that its ROIs mark'}")
        # voxels outside all ROIs are never used, and some lie outside the brain in a run of a whole-brain file
        bad = ~np.isfinite(responses).all(axis=0) & np.any(list(masks.values()), axis=0)
        if bad.any():
            raise ValueError(f"{bad.sum()} voxels of its ROIs hold NaN or infinity")
        places = {axis: bdata.metadata[f"voxel_{axis}"] for axis in "xyz" if f"voxel_{axis}" in bdata.metadata}
    data = xr.Dataset({"responses": ((dim, "voxel"), responses)}, roi_coordinates(masks))
    data["responses"].attrs = {"subject": f"sub-{subject:02d}"}
    data.attrs = {"subject": f"sub-{subject:02d}", "n_repeats": n_repeats, "file": path.name}
    return data.assign_coords({"stimulus": (dim, names)} | {axis: ("voxel", places[axis][voxels]) for axis in places})


def read_stimuli(bdata, names, n_stimuli, n_repeats, rows=slice(None)):
    """Image of each chosen sample, array of str, after a check of the design (see :func:`load`)."""
    keys = [key for key in _LABELS if key in bdata.metadata and (key != "stimulus_name" or key in bdata.vmap)]
    if not keys:
        raise ValueError(f"it has none of the labels {', '.join(_LABELS)}")
    if keys[0] == "stimulus_name":
        texts = bdata.vmap["stimulus_name"]
        names = {number: re.sub(r"(?i)^.*/|\.(jpe?g|png|tiff?|bmp)$", "", texts[number]) for number in texts}
    labels = bdata.labels(keys[0])[rows, _LABELS[keys[0]]]
    numbers, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    images = np.array([names.get(number) or stimulus_name(number) for number in numbers], dtype=str)
    wrong = [f"{name} {count}x" for name, count in zip(images, counts, strict=True) if count != n_repeats]
    if wrong or not len(images) == len(set(images)) == n_stimuli:
        problem = f"{len(set(images))} images, of which {len(wrong)} differ: {', '.join(wrong[:5])}"
        raise ValueError(f"expected {n_stimuli} images x {n_repeats} repeats of this session, got {problem}")
    return images[which]


def stimulus_name(number):
    """Name of a natural image from its published number: 1518878.01491 -> ``n01518878_14910`` (WordNet id, image)."""
    synset, _, image = f"{number:f}".partition(".")  # six decimals: str would lose the zero at the end
    # a double of this size is less than 1e-8 away from its six decimals
    if not 1e5 <= number < 1e8 or abs(float(f"{number:f}") - number) > 1e-8 or int(image) == 0:
        raise ValueError(f"label {number} names no image: expected the published list stimulus_*.tsv beside the file")
    return f"n{int(synset):08d}_{int(image)}"


class RoiIndex(xr.indexes.PandasIndex):
    """Selects from the two-dimensional ``roi`` (roi, voxel) by name, a name that xarray keeps for one dimension."""

    def create_variables(self, variables=None):
        """No index variables."""
        return {}  # the masks are an ordinary variable

    def isel(self, indexers):
        """Keep all regions where voxels are selected."""
        return super().isel({"roi": slice(None)} | indexers)


def roi_coordinates(masks):
    """Coordinates ``roi`` (roi, voxel) for ``data.roi.sel(roi="V1")``, and ``roi_name`` (roi).

    ``masks``: dict of str to boolean array (n_voxels,); VC becomes the union of all where it is not among them.
    """
    masks = masks | {"VC": masks.get("VC", np.any(list(masks.values()), axis=0))}
    names = np.array(list(masks))
    variables = {"roi": (("roi", "voxel"), np.stack(list(masks.values()))), "roi_name": ("roi", names)}
    return xr.Coordinates(variables, {"roi": RoiIndex(names, "roi")})
