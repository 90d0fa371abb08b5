"""Writes responses in BData, the published layout of the fMRI (see :mod:`realnet.datasets.kamitani`)."""

import re
from pathlib import Path

import h5py
import numpy as np

from realnet.errors import InvalidInput
from realnet.io import whole_file


def stimulus_id(name):
    """The published number of a natural image: ``n01518878_5958`` -> 1518878.005958.

    The integer part is the WordNet id, the six decimals are the number of the image.
    """
    match = re.fullmatch(r"n(\d{8})_(\d{1,6})", name)
    if not match:
        raise InvalidInput(f"stimulus {name!r}: expected a name like n01518878_5958")
    return float(f"{int(match.group(1))}.{int(match.group(2)):06d}")


def write_bdata(path, responses, rois, labels, *, vmap=None, voxel_xyz=None, n_samples=None):
    """Write responses as a BData file that bdpy and ``read_bdata`` read; the file appears whole or not at all.

    Parameters
    ----------
    path : path
    responses : array (n_samples, n_voxels), or iterable of arrays
        Blocks of rows need ``n_samples`` beside them; memory is then one block.
    rois : dict of str to boolean array (n_voxels,)
        Written as ``ROI_<name>``.
    labels : dict of str to array (n_samples,) or (n_samples, k)
    vmap : dict of str to dict, optional
        Label key to {number: text}.
    voxel_xyz : array (n_voxels, 3), optional
        In mm.
    n_samples : int, optional

    Returns
    -------
    Path
    """
    blocks = [responses] if isinstance(responses, np.ndarray) else responses
    n_samples = len(responses) if isinstance(responses, np.ndarray) else n_samples
    n_voxels = len(next(iter(rois.values())))
    columns = {key: np.asarray(value, dtype=float).reshape(n_samples, -1) for key, value in labels.items()}
    layout = _layout(n_voxels, rois, columns, voxel_xyz)
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


def _layout(n_voxels, rois, columns, voxel_xyz):
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


def _write_rows(data, blocks, labels):
    """Write blocks of responses with their labels beside them, and check that they fill the matrix."""
    n_samples, n_columns = data.shape
    n_voxels, row = n_columns - labels.shape[1], 0
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
