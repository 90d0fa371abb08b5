"""An experiment of one's own: a folder of images, a table that names them, and the responses of each person.

Below one folder (`data/raw/own`)::

    stimuli.csv           stimulus_id,file,split    one line an image; split: training, natural, or a test set's name
    images/               the files that the table names
    sub-01_responses.npy  (sample, voxel) numbers; or .h5 with one dataset `responses`, or .csv with a line of headings
    sub-01_samples.csv    stimulus_id               one line a row of the responses; an image may come many times
    sub-01_rois.csv       V1,V2,...                 one line a voxel: 1 where it belongs to the region, else 0

All tables are comma-separated UTF-8 text with a line of headings. Regions may overlap.
"""

import csv
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from realnet.datasets.files import subject_number
from realnet.datasets.fmri import roi_coordinates
from realnet.datasets.stimuli import has_clear_pixels
from realnet.errors import InvalidInput, MissingInput, RealnetError

N_SUBJECTS = 999
ENDINGS = (".h5", ".npy", ".csv")


def load(root: str | Path, subject: int | str, split: str, *, chunk: int = 256) -> xr.Dataset:
    """Responses of one person to the images of one split, mean over repeats.

    `root`: the folder described above. `subject`: `1` or `'sub-01'`. `split`: `training`, or a test set of
    `stimuli.csv`. `chunk`: rows read at a time, which bounds the memory.

    Returns a Dataset as `realnet.datasets.shen2019.load` does: `responses` (stimulus, voxel) float64 in the order of
    the names, `roi` (roi, voxel) boolean with `roi_name` (VC is added as the union of all regions).
    Raises `MissingInput` for a file or image that is not there, `InvalidInput` for one that does not fit the others.
    """
    recording, stimuli, rows = _open(root, subject, split)
    names, which, counts = np.unique(stimuli, return_inverse=True, return_counts=True)
    sums = np.zeros((len(names), recording.n_voxels))
    for place, block in recording.blocks(rows, chunk):
        for row, sample in zip(place, block, strict=True):
            sums[which[row]] += sample
    data = xr.Dataset({"responses": (("stimulus", "voxel"), sums / counts[:, None])}, coords=recording.rois)
    return _describe(data.assign_coords(stimulus=names), recording, subject, split, int(counts.min()))


def load_trials(root: str | Path, subject: int | str, split: str, *, chunk: int = 256) -> xr.Dataset:
    """The same as `load` before the mean: `responses` (sample, voxel) in the order of the file, `stimulus` (sample)."""
    recording, stimuli, rows = _open(root, subject, split)
    responses = np.empty((len(rows), recording.n_voxels))
    for place, block in recording.blocks(rows, chunk):
        responses[place] = block
    data = xr.Dataset({"responses": (("sample", "voxel"), responses)}, coords=recording.rois)
    n_repeats = int(np.unique(stimuli, return_counts=True)[1].min())
    return _describe(data.assign_coords(stimulus=("sample", stimuli)), recording, subject, split, n_repeats)


def load_table(root: str | Path) -> pd.DataFrame:
    """`stimuli.csv` as text: columns `stimulus_id`, `file` (below `images/`) and `split`; each image comes once."""
    path = Path(root) / "stimuli.csv"
    table = _read_table(path, ("stimulus_id", "file", "split"))
    for column in ("stimulus_id", "file"):
        twice = table[column][table[column].duplicated()]
        if len(twice):
            raise InvalidInput(
                f"{path}: expected every {column} once, but {twice.iloc[0]!r} appears twice; keep one line"
            )
    return table


def find_images(root: str | Path, stimuli: Iterable[str]) -> list[Path]:
    """The image file of every stimulus, in the order of `stimuli`, as `stimuli.csv` names it.

    Raises `InvalidInput` for ids that the table does not have and for images with transparent pixels, `MissingInput`
    for files that are not there.
    """
    files, folder = load_table(root).set_index("stimulus_id")["file"], Path(root) / "images"
    stimuli = [str(stimulus) for stimulus in stimuli]
    unknown = [name for name in stimuli if name not in files.index]
    if unknown:
        raise InvalidInput(f"{Path(root) / 'stimuli.csv'}: no line has the stimulus_id {_some(unknown)}; add it")
    paths = [folder / files[name] for name in stimuli]
    missing = [str(files[name]) for name, path in zip(stimuli, paths, strict=True) if not path.is_file()]
    if missing:
        raise MissingInput(f"{folder}: {len(missing)} images of stimuli.csv are not there: {_some(missing)}; add them")
    if clear := [path.name for path in paths if has_clear_pixels(path)]:
        raise InvalidInput(
            f"{folder}: some pixels of {_some(clear)} are transparent; save them on the background that people saw"
        )
    return paths


@dataclass(frozen=True)
class Recording:
    """The responses of one person: where they lie, their shape, and the regions of their voxels."""

    path: Path
    n_samples: int
    n_voxels: int
    rois: xr.Coordinates

    def blocks(self, rows: np.ndarray, chunk: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Chosen rows, `chunk` rows of the file at a time: their places among `rows`, and their numbers.

        Raises `InvalidInput` for what is no finite number.
        """
        if chunk < 1:
            raise InvalidInput(f"chunk {chunk}: expected a number of rows of at least 1")
        with _reading(self.path) as source:
            for start in range(0, self.n_samples, chunk):
                here = np.flatnonzero((start <= rows) & (rows < start + chunk))
                if here.size:
                    values = np.asarray(source[start : start + chunk], dtype=float)[rows[here] - start]
                    bad = np.argwhere(~np.isfinite(values))
                    if len(bad):
                        row, voxel = rows[here[bad[0, 0]]] + 1, bad[0, 1] + 1
                        raise InvalidInput(
                            f"{self.path}: expected finite numbers, but row {row}, voxel {voxel} is"
                            f" {values[tuple(bad[0])]}; leave such rows or voxels out"
                        )
                    yield here, values


def _open(root: str | Path, subject: int | str, split: str) -> tuple[Recording, np.ndarray, np.ndarray]:
    """A person's recording, the image of each chosen sample, and the rows of the samples; tables and files agree."""
    root, name = Path(root), f"sub-{subject_number(subject, N_SUBJECTS):02d}"
    table = load_table(root)
    wanted = table["stimulus_id"][table["split"] == split].to_numpy(str)
    if not len(wanted):
        splits = _some(sorted(set(table["split"])))
        raise InvalidInput(f"{root / 'stimuli.csv'}: no line has the split {split!r}; its splits are {splits}")
    find_images(root, wanted)
    path = root / f"{name}_samples.csv"
    samples = _read_table(path, ("stimulus_id",))["stimulus_id"].to_numpy(str)
    unknown = sorted(set(samples) - set(table["stimulus_id"]))
    if unknown:
        raise InvalidInput(f"{path}: {len(unknown)} stimulus_id are not in stimuli.csv: {_some(unknown)}")
    unseen = sorted(set(wanted) - set(samples))
    if unseen:
        raise InvalidInput(f"{path}: {len(unseen)} images of the split {split!r} have no sample: {_some(unseen)}")
    masks = _read_rois(root / f"{name}_rois.csv")
    recording = _open_recording(root, name, masks)
    if recording.n_samples != len(samples):
        raise InvalidInput(
            f"{recording.path}: expected as many rows as {path.name} has lines, but {recording.n_samples} rows face"
            f" {len(samples)} lines"
        )
    rows = np.flatnonzero(np.isin(samples, wanted))
    return recording, samples[rows], rows


def _open_recording(root: Path, name: str, masks: dict[str, np.ndarray]) -> Recording:
    """The one file of responses of a person, with a row a sample and a column a voxel."""
    found = [path for ending in ENDINGS if (path := root / f"{name}_responses{ending}").is_file()]
    if not found:
        raise MissingInput(f"{root}: expected {name}_responses.npy (or .h5, .csv) in this folder; put it there")
    if len(found) > 1:
        raise InvalidInput(f"{found[0]}: the same responses are also at {found[1]}; keep one of them")
    n_voxels = len(next(iter(masks.values())))
    with _reading(found[0]) as source:
        shape = source.shape
    if len(shape) != 2 or shape[1] != n_voxels:
        raise InvalidInput(
            f"{found[0]}: expected samples x {n_voxels} voxels (one for each line of {name}_rois.csv), got {shape}"
        )
    return Recording(found[0], shape[0], n_voxels, roi_coordinates(masks))


@contextmanager
def _reading(path: Path) -> Iterator[np.ndarray | h5py.Dataset]:
    """The responses of a file as something with `shape` and rows; what is wrong with it becomes a sentence."""
    try:
        if path.suffix == ".h5":
            with h5py.File(path, "r") as file:
                yield _numeric(file["responses"], path)
        elif path.suffix == ".npy":
            yield _numeric(np.load(path, mmap_mode="r", allow_pickle=False), path)
        else:
            yield _read_numbers(path)
    except RealnetError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, EOFError) as error:
        what = "an HDF5 file with the dataset `responses`" if path.suffix == ".h5" else "a whole file of numbers"
        raise InvalidInput(f"{path}: expected {what} ({' '.join(str(error).split())}); write it again") from error


def _numeric(values: np.ndarray | h5py.Dataset, path: Path) -> np.ndarray | h5py.Dataset:
    if getattr(values, "dtype", np.dtype("O")).kind not in "fiu":
        raise InvalidInput(f"{path}: expected responses that are numbers, got {getattr(values, 'dtype', 'a group')}")
    return values


def _read_numbers(path: Path) -> np.ndarray:
    """A table of numbers (line, column) below a line of headings; text or an empty cell is named with its place."""
    table = _read_table(path, (), dtype=None)
    numbers = table.astype({c: str for c in table.select_dtypes(bool)}).apply(pd.to_numeric, errors="coerce")
    bad = np.argwhere(numbers.isna().to_numpy())
    if len(bad):
        row, column = bad[0]
        raise InvalidInput(
            f"{path}: expected numbers, but line {row + 2}, column {table.columns[column]!r} holds"
            f" {str(table.iat[row, column])!r}"
        )
    return numbers.to_numpy(float)


def _read_rois(path: Path) -> dict[str, np.ndarray]:
    """Boolean (n_voxels,) of each region."""
    names = list(_read_table(path, ()).columns)
    values = _read_numbers(path)
    if not np.isin(values, (0, 1)).all():
        raise InvalidInput(f"{path}: expected 1 where a voxel belongs to a region and 0 elsewhere, got other numbers")
    empty = [name for name, column in zip(names, values.T, strict=True) if not column.any()]
    if empty:
        raise InvalidInput(f"{path}: expected voxels in every region, but {_some(empty)} has none; leave it out")
    return {name: column == 1 for name, column in zip(names, values.T, strict=True)}


def _read_table(path: Path, columns: tuple[str, ...], dtype: type | None = str) -> pd.DataFrame:
    """A table with these columns; lines of unequal length, equal headings and empty cells in `columns` are errors."""
    if not path.is_file():
        raise MissingInput(f"{path}: expected a table here, but there is none; book/own_subject.md shows what it holds")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file, warnings.catch_warnings():
            headings = next(csv.reader(file), [])
            file.seek(0)
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a line that is too long is no small matter
            table = pd.read_csv(file, dtype=dtype, keep_default_na=False, index_col=False, low_memory=False)
    except (ValueError, OSError, csv.Error, pd.errors.ParserWarning) as error:  # a wrong encoding is a ValueError
        raise InvalidInput(f"{path}: expected comma-separated UTF-8 text ({' '.join(str(error).split())})") from error
    twice = [name for i, name in enumerate(headings) if name in headings[:i]]
    if twice or not set(columns) <= set(table) or not len(table):
        expected = f"the columns {', '.join(columns)}" if columns else "a line of headings"
        raise InvalidInput(
            f"{path}: expected {expected}, each once, and lines below, got the columns {_some(headings)} and"
            f" {len(table)} lines"
        )
    for column in columns:
        empty = np.flatnonzero(table[column].fillna("").str.strip() == "")
        if empty.size:
            raise InvalidInput(f"{path}: line {empty[0] + 2} has no {column}; fill it in")
    return table


def _describe(data: xr.Dataset, recording: Recording, subject: int | str, split: str, n_repeats: int) -> xr.Dataset:
    """The dataset with a note of where it comes from."""
    name = f"sub-{subject_number(subject, N_SUBJECTS):02d}"
    data["responses"].attrs = {"subject": name, "units": "as in the file"}
    return data.assign_attrs(dataset="own", subject=name, split=split, n_repeats=n_repeats, file=recording.path.name)


def _some(names: Iterable[str], n: int = 5) -> str:
    """The first few names, for an error."""
    names = [str(name) for name in names]
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
