"""BData: the HDF5 layout in which the Kamitani lab publishes fMRI responses (written by its library bdpy).

One matrix `/dataset` (samples x columns) holds voxels and labels side by side. `/metadata/key` names the properties of
a column and `/metadata/value` (keys x columns) holds them, NaN where a property says nothing: a column is a voxel of V1
where `ROI_V1` is 1, and a label column where, for example, `stimulus_id` is 1. `/vmap/<key>/<number>` spells a number
out. Files of the lab's first years say `dataSet` and `metaData`.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.io import whole_file

_MOST_ROWS = 1_000_000  # the largest published file has 6000
# What h5py raises for a damaged file; MemoryError: a damaged size.
_HDF5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, MemoryError)


def stimulus_name(number: float) -> str:
    """The name of a natural image from its published number: 1518878.005958 -> `n01518878_5958`.

    The integer part is the WordNet id, six decimals are the number of the image. `%f` keeps the zeros at its end that
    `str` loses (1518878.01491 is image 14910). Raises `InvalidInput` if the number names no image.
    """
    number = float(number)
    if not (math.isfinite(number) and 1e5 <= number < 1e8):
        raise InvalidInput(
            f"stimulus id {number!r}: expected a number like 1518878.005958 (WordNet id and image number)"
        )
    synset, image = f"{number:f}".split(".")
    # 1518878.005958 has six decimals exactly; the double nearest to such a number is less than 1e-8 away from it
    if abs(float(f"{number:f}") - number) > 1e-8 or int(image) == 0:
        raise InvalidInput(f"stimulus id {number!r}: expected six decimals that give the number of the image")
    return f"n{int(synset):08d}_{int(image)}"


def stimulus_id(name: str) -> float:
    """The published number of a natural image: `n01518878_5958` -> 1518878.005958. Raises `InvalidInput` otherwise."""
    match = re.fullmatch(r"n(\d{8})_(\d{1,6})", name)
    if not match:
        raise InvalidInput(f"stimulus {name!r}: expected a name like n01518878_5958")
    return float(f"{int(match.group(1))}.{int(match.group(2)):06d}")


@dataclass(frozen=True)
class BData:
    """One file: what its columns are. The numbers themselves stay on disk until `labels` or `blocks` asks for them.

    `metadata`: key -> (n_columns,) float, NaN where the key says nothing. `vmap`: key -> {number: text}.
    """

    path: Path
    n_samples: int
    metadata: Mapping[str, np.ndarray]
    vmap: Mapping[str, Mapping[float, str]]

    def columns(self, key: str) -> np.ndarray:
        """Boolean (n_columns,): the columns where `key` is 1. Raises `InvalidInput` if the file does not have it."""
        if key not in self.metadata:
            known = ", ".join(sorted(self.metadata))
            raise InvalidInput(f"{self.path}: expected the metadata key {key}, but the file has only: {known}")
        value = self.metadata[key]
        if not np.isin(value[~np.isnan(value)], (0, 1)).all():
            raise InvalidInput(
                f"{self.path}: the key {key} marks columns, so expected 1, 0 or NaN; fetch the file again"
            )
        return value == 1

    def labels(self, key: str) -> np.ndarray:
        """The label columns of `key`: float (n_samples, n_label_columns)."""
        columns = np.flatnonzero(self.columns(key))
        if columns.size == 0:
            raise InvalidInput(f"{self.path}: the key {key} marks no column; fetch the file again")
        with _reading(self.path) as file:
            data = _member(file, self.path, "dataset", "dataSet")
            return np.stack([np.asarray(data[:, column], dtype=float) for column in columns], axis=1)

    def blocks(
        self, columns: np.ndarray, rows: np.ndarray, chunk: int = 256
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The numbers of some rows and columns, `chunk` rows of the file at a time.

        `columns`: boolean (n_columns,); `rows`: boolean (n_samples,). Yields (row numbers, block (n, n_chosen)).
        Memory is bounded by `chunk` x n_columns x 8 bytes, whatever the size of the file.
        """
        if chunk < 1:
            raise InvalidInput(f"chunk {chunk}: expected a number of rows of at least 1")
        chosen = np.flatnonzero(columns)
        if chosen.size == 0:
            return
        # one slice from the first to the last column: far faster in HDF5 than a list of columns
        span = slice(int(chosen[0]), int(chosen[-1]) + 1)
        with _reading(self.path) as file:
            data = _member(file, self.path, "dataset", "dataSet")
            for start in range(0, self.n_samples, chunk):
                here = start + np.flatnonzero(rows[start : start + chunk])
                if here.size:
                    block = np.asarray(data[start : start + chunk, span], dtype=float)
                    yield here, block[here - start][:, chosen - span.start]


def read_bdata(path: str | Path) -> BData:
    """What the columns of a BData file are (HDF5; `dataset`/`metadata` or the older `dataSet`/`metaData`).

    Raises `MissingInput` if there is no file, `InvalidInput` if it is not a whole BData file.
    """
    path = Path(path)
    with _reading(path) as file:
        data = _member(file, path, "dataset", "dataSet")
        metadata = _member(file, path, "metadata", "metaData")
        keys, values = _member(metadata, path, "key"), _member(metadata, path, "value")
        if data.ndim != 2 or data.dtype.kind not in "fiu" or not (0 < data.shape[0] < _MOST_ROWS and data.shape[1]):
            raise InvalidInput(
                f"{path}: expected a matrix of numbers (samples x columns), got {data.dtype} {data.shape}"
            )
        if values.shape != (keys.size, data.shape[1]):  # before anything is read: a damaged size can be any size
            raise InvalidInput(
                f"{path}: expected metadata of {keys.size} keys x {data.shape[1]} columns, got {values.shape}"
            )
        if not (_is_complete(data) and _is_complete(values) and values.dtype.kind in "fiu" and _holds_text(keys)):
            raise InvalidInput(f"{path}: expected whole matrices of numbers and keys of text; fetch the file again")
        keys = [_text(key, path) for key in keys[()].ravel()]
        values = np.asarray(values[()], dtype=float)
        if len(set(keys)) != len(keys):
            raise InvalidInput(f"{path}: expected every metadata key once, but one appears twice; fetch the file again")
        return BData(path, int(data.shape[0]), dict(zip(keys, values, strict=True)), _read_vmap(file, path))


def write_bdata(
    path: str | Path,
    responses: np.ndarray | Iterable[np.ndarray],
    rois: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    *,
    vmap: Mapping[str, Mapping[float, str]] | None = None,
    voxel_xyz: np.ndarray | None = None,
    n_samples: int | None = None,
) -> Path:
    """Write responses as a BData file that bdpy and `read_bdata` read; returns its path.

    `responses`: (n_samples, n_voxels), or an iterable of row blocks of it together with `n_samples` (memory is then
    one block). `rois`: name -> boolean (n_voxels,), written as `ROI_<name>`. `labels`: key -> (n_samples,) or
    (n_samples, k).
    `vmap`: label key -> {number: text}. `voxel_xyz`: (n_voxels, 3) in mm. The file appears whole or not at all.
    Raises `InvalidInput` if shapes do not fit.
    """
    blocks = [responses] if isinstance(responses, np.ndarray) else responses
    n_samples = len(responses) if isinstance(responses, np.ndarray) else n_samples
    n_voxels = {len(mask) for mask in rois.values()}
    if n_samples is None or len(n_voxels) != 1:
        raise InvalidInput(f"{path}: to write it, n_samples and ROI masks of one length are needed")
    columns = {key: np.asarray(value, dtype=float).reshape(n_samples, -1) for key, value in labels.items()}
    layout = _layout(n_voxels.pop(), rois, columns, voxel_xyz)
    room = 8 * n_samples * layout["VoxelData"].size + 2**20  # HDF5 crashes where a disk becomes full
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        data = file.create_dataset("dataset", (n_samples, layout["VoxelData"].size), dtype=float)
        _write_rows(data, blocks, np.concatenate(list(columns.values()), axis=1))
        # text of fixed length, as in the published files: unlike h5py's default it survives a damaged file
        file["metadata/key"] = np.array([key.encode() for key in layout])
        file["metadata/description"] = np.array([f"1 = {key}".encode() for key in layout])
        file["metadata/value"] = np.stack(list(layout.values()))
        file.create_group("header")
        file.create_group("vmap")
        for key, texts in (vmap or {}).items():
            for number, text in texts.items():
                file[f"vmap/{key}/{float(number)}"] = np.bytes_(text.encode())
    return Path(path)


def _layout(n_voxels: int, rois: Mapping, columns: Mapping, voxel_xyz: np.ndarray | None) -> dict[str, np.ndarray]:
    """The metadata: key -> (n_columns,), voxels first, then the label columns in their order."""
    n_columns = n_voxels + sum(value.shape[1] for value in columns.values())
    voxels = {"VoxelData": np.ones(n_voxels)} | {f"ROI_{name}": np.asarray(mask, float) for name, mask in rois.items()}
    if voxel_xyz is not None:
        voxels |= dict(zip(("voxel_x", "voxel_y", "voxel_z"), np.asarray(voxel_xyz, dtype=float).T, strict=True))
    layout = {key: np.full(n_columns, np.nan) for key in (*voxels, *columns)}
    for key, value in voxels.items():
        layout[key][:n_voxels] = value
    start = n_voxels
    for key, value in columns.items():
        layout[key][start : start + value.shape[1]] = 1
        start += value.shape[1]
    return layout


def _write_rows(data: h5py.Dataset, blocks: Iterable[np.ndarray], labels: np.ndarray) -> None:
    """Write blocks of responses with their labels beside them, and check that they fill the matrix."""
    n_samples, n_columns = data.shape
    n_voxels = n_columns - labels.shape[1]
    row = 0
    for block in blocks:
        if block.ndim != 2 or block.shape[1] != n_voxels or row + len(block) > n_samples:
            raise InvalidInput(
                f"responses: expected {n_samples} x {n_voxels} in blocks of rows, got {block.shape} at row {row}"
            )
        for start in range(0, len(block), 256):  # whole rows of the file in one write: contiguous on disk
            part = np.asarray(block[start : start + 256], dtype=float)
            here = slice(row + start, row + start + len(part))
            data[here] = np.concatenate([part, labels[here]], axis=1)
        row += len(block)
    if row != n_samples:
        raise InvalidInput(f"responses: expected {n_samples} rows in all, got {row}")


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    """An open HDF5 file; whatever h5py raises while it is read becomes a sentence that names it."""
    if not path.is_file():
        raise MissingInput(f"{path}: expected a BData file, but there is none; see data/README.md")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except RealnetError:
        raise
    except _HDF5_ERRORS as error:
        raise InvalidInput(f"{path}: not a whole BData file in HDF5 ({error}); fetch it again") from error


def _member(group: h5py.Group, path: Path, *names: str) -> h5py.Group | h5py.Dataset:
    """The first of `names` that the group has."""
    for name in names:
        if name in group:
            return group[name]
    raise InvalidInput(f"{path}: expected /{names[0]} in a BData file, but it is not there; fetch the file again")


def _is_complete(data: h5py.Dataset) -> bool:
    """Whether as many bytes are stored as the shape says (data in chunks are stored as they come)."""
    return data.chunks is not None or data.id.get_storage_size() == data.size * data.dtype.itemsize


def _holds_text(data: h5py.Dataset) -> bool:
    """Whether a dataset is of text by its declared type; reading a damaged type as if it were crashes HDF5 itself."""
    return data.dtype.kind == "S" or h5py.check_string_dtype(data.dtype) is not None


def _text(value: object, path: Path) -> str:
    """A byte string of the file as text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise InvalidInput(f"{path}: expected text, got {type(value).__name__}; fetch the file again")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: expected UTF-8 text, got {value!r}; fetch the file again") from error


def _read_vmap(file: h5py.File, path: Path) -> dict[str, dict[float, str]]:
    """`/vmap/<key>/<number>` -> {key: {number: text}}; empty in files that have none."""
    vmap: dict[str, dict[float, str]] = {}
    # h5py's views hold its lock, for all threads, from their first item to their last: an error in between, as long as
    # somebody keeps its traceback, would leave every other thread waiting
    for key, group in list(file.get("vmap", {}).items()):
        texts = dict(group)
        if not all(_holds_text(text) and text.shape == () for text in texts.values()):
            raise InvalidInput(f"{path}: expected text in /vmap/{key}; fetch the file again")
        vmap[key] = {float(number): _text(text[()], path) for number, text in texts.items()}
    return vmap
