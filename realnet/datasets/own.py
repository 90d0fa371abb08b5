"""An experiment of your own, in one folder; tables are comma-separated UTF-8 text with a line of headings.

::

    stimuli.csv           stimulus_id,file,split   one line per image; split: training, natural or another test set
    images/               the files that stimuli.csv names
    sub-01_responses.npy  numbers (sample, voxel); or .h5 with the dataset ``responses``, or .csv
    sub-01_samples.csv    stimulus_id              one line per row of the responses; images may be repeated
    sub-01_rois.csv       V1,V2,...                one line per voxel: 1 where it belongs to the ROI, else 0
"""

import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from realnet.datasets.files import has_transparent_pixels, subject_number
from realnet.datasets.kamitani import roi_coordinates
from realnet.errors import InvalidInput, MissingInput


def load(root, subject, split):
    """Responses of one subject to the images of one split, mean over repeats (all samples are held in memory).

    Parameters
    ----------
    root, subject, split : path, int or str such as ``1`` or ``"sub-01"``, str

    Returns
    -------
    Dataset
        ``responses`` (stimulus, voxel) float64, in the order of :func:`stimulus_names`; boolean ``roi`` (roi, voxel)
        with the coordinate ``roi_name``; the ROI VC is the union of all where the file has none.
    """
    trials = load_trials(root, subject, split)
    names, which, counts = np.unique(trials.stimulus, return_inverse=True, return_counts=True)
    sums = np.zeros((len(names), trials.sizes["voxel"]))
    np.add.at(sums, which, trials.responses.values)
    data = trials.drop_vars(("responses", "stimulus")).assign_coords(stimulus=names)
    return data.assign(responses=(("stimulus", "voxel"), sums / counts[:, None], trials.responses.attrs))


def load_trials(root, subject, split):
    """Like :func:`load` before the mean: ``responses`` (sample, voxel) and ``stimulus`` (sample), as in the file."""
    _, samples_file, rois_file, path = files(root, subject)
    names = stimulus_names(root, split)
    find_images(root, names)
    samples = _read_table(samples_file, ["stimulus_id"])["stimulus_id"].to_numpy(str)
    if unknown := sorted(set(samples) - set(_read_stimuli(root).index)):
        raise InvalidInput(f"{samples_file}: {len(unknown)} ids are not in stimuli.csv: {', '.join(unknown[:5])}")
    if unseen := sorted(set(names) - set(samples)):
        raise InvalidInput(f"{samples_file}: {len(unseen)} {split} images have no line: {', '.join(unseen[:5])}")
    masks = _read_numbers(rois_file)
    if not masks.isin((0, 1)).all(axis=None) or not masks.any().all():
        raise InvalidInput(f"{rois_file}: expected 1 where a voxel belongs to an ROI, else 0, and voxels in every ROI")
    rows = np.flatnonzero(np.isin(samples, names))
    responses = _read_responses(path, (len(samples), len(masks)), rows)
    rois = roi_coordinates({roi: mask.to_numpy() == 1 for roi, mask in masks.items()})
    name, n_repeats = path.name.split("_")[0], np.unique(samples[rows], return_counts=True)[1].min()
    attrs = {"dataset": "own", "subject": name, "split": split, "n_repeats": int(n_repeats), "file": path.name}
    about = {"subject": name, "units": "as in the file"}
    data = xr.Dataset({"responses": (("sample", "voxel"), responses, about)}, rois, attrs)
    return data.assign_coords(stimulus=("sample", samples[rows]))


def files(root, subject, splits=None):
    """The tables and responses of a subject: list of Path; raises ``MissingInput`` that names all that are missing."""
    root, name = Path(root), f"sub-{subject_number(subject, 999):02d}"
    tables = [root / "stimuli.csv", root / f"{name}_samples.csv", root / f"{name}_rois.csv"]
    responses = [path for ending in ("npy", "h5", "csv") if (path := root / f"{name}_responses.{ending}").is_file()]
    missing = [path.name for path in tables if not path.is_file()]
    if missing := missing + [f"{name}_responses.npy (or .h5, .csv)"] * (not responses):
        raise MissingInput(f"{root}: expected {', '.join(missing[:5])} in this folder; see book/own_subject.md")
    if len(responses) > 1:
        raise InvalidInput(f"{responses[0]}: the same responses are also at {responses[1]}; keep one of them")
    return tables + responses


def stimulus_names(root, split):
    """The ids of the images of a split, sorted: list of str."""
    splits = _read_stimuli(root)["split"]
    if split not in set(splits):
        raise InvalidInput(f"{root}/stimuli.csv: there is no split {split!r}, only {', '.join(sorted(set(splits)))}")
    return sorted(splits.index[splits == split])


def find_images(root, stimuli):
    """The image files of stimuli, as ``stimuli.csv`` names them: list of Path in the order of ``stimuli``.

    Raises ``MissingInput`` that counts the missing files and names the first five, and ``InvalidInput`` for images with
    transparent pixels, as the file does not tell what the subjects saw there.
    """
    names, folder = _read_stimuli(root)["file"], Path(root) / "images"
    paths = [folder / names.get(stimulus, f"{stimulus} (has no line in stimuli.csv)") for stimulus in stimuli]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise MissingInput(f"{folder}: {len(missing)} of {len(paths)} images are not there: {', '.join(missing[:5])}")
    if clear := [path.name for path in paths if has_transparent_pixels(path)]:
        raise InvalidInput(f"{folder}: {', '.join(clear[:5])} has transparent pixels; save it on the background shown")
    return paths


def _read_responses(path, shape, rows):
    """Chosen rows of the responses: float64 array (n_rows, n_voxels)."""
    try:
        if path.suffix == ".csv":
            values = _read_numbers(path).to_numpy()
        elif path.suffix == ".npy":
            values = np.lib.format.open_memmap(path, mode="r")
        else:
            with h5py.File(path, "r") as file:
                values = file["responses"][()]
    except InvalidInput:
        raise
    except (OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
        what = "a whole .npy file" if path.suffix == ".npy" else "HDF5 with the dataset `responses`"
        raise InvalidInput(f"{path}: expected {what} ({' '.join(str(error).split())}); write it again") from error
    if values.shape != shape or values.dtype.kind not in "fiu":
        expected = f"{shape[0]} samples (lines of *_samples.csv) x {shape[1]} voxels (lines of *_rois.csv)"
        raise InvalidInput(f"{path}: expected numbers, {expected}, got {values.dtype} {values.shape}")
    values = np.asarray(values[rows], dtype=float)
    for row, voxel in np.argwhere(~np.isfinite(values))[:1]:
        place = f"row {rows[row] + 1}, voxel {voxel + 1}"
        raise InvalidInput(f"{path}: expected finite numbers, but {place} is {values[row, voxel]}; leave it out")
    return values


def _read_stimuli(root):
    """``stimuli.csv`` as text, by ``stimulus_id``: columns ``file`` and ``split``; each image comes once."""
    path = Path(root) / "stimuli.csv"
    table = _read_table(path, ["stimulus_id", "file", "split"])  # in this order
    for row, column in np.argwhere((table.fillna("") == "").to_numpy())[:1]:
        raise InvalidInput(f"{path}: line {row + 2} has no {table.columns[column]}; fill it in")
    for row, column in np.argwhere(table[["stimulus_id", "file"]].apply(pd.Series.duplicated).to_numpy())[:1]:
        raise InvalidInput(f"{path}: {table.iat[row, column]!r} appears twice, also in line {row + 2}; keep one line")
    return table.set_index("stimulus_id")


def _read_numbers(path):
    """A table of numbers (line, column); text or an empty cell is named with its place."""
    table = _read_table(path)
    numbers = table.apply(pd.to_numeric, errors="coerce")
    for row, column in np.argwhere(numbers.isna().to_numpy())[:1]:
        place, cell = f"line {row + 2}, column {table.columns[column]!r}", str(table.iat[row, column])
        raise InvalidInput(f"{path}: expected numbers, but {place} holds {cell!r}")
    return numbers


def _read_table(path, columns=None):
    """These columns of a table as text, or all of one of numbers."""
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):  # of a line that is too long
            table = pd.read_csv(path, dtype=str if columns else None, keep_default_na=False, index_col=False)
        return table[columns] if columns else table
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: expected a table, but there is none; see book/own_subject.md") from error
    except (ValueError, OSError, KeyError, pd.errors.ParserWarning) as error:  # a wrong encoding is a ValueError
        what = f"comma-separated UTF-8 text with the columns {', '.join(columns or ['V1, ...'])}"
        raise InvalidInput(f"{path}: expected {what} ({' '.join(str(error).split())})") from error
