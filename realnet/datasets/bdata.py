"""BData, the HDF5 layout in which the Kamitani lab publishes fMRI responses (written by its library bdpy).

One matrix ``/dataset`` (samples x columns) holds voxels and labels side by side. ``/metadata/key`` names properties of
columns and ``/metadata/value`` (keys x columns) holds them: a column is a voxel of V1 where ``ROI_V1`` is 1, and a
label column where, for example, ``stimulus_id`` is 1. ``/vmap/<key>/<number>`` holds the text that a number stands for.
Old files say ``dataSet`` and ``metaData``. bdpy reads whole files (gigabytes for a whole brain), this reader blocks.
"""

from contextlib import contextmanager

import h5py
import numpy as np

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
