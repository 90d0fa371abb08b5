"""THINGS EEG2 (Gifford et al. 2022): EEG of ten people who saw pictures of objects in fast succession.

Article: doi 10.1016/j.neuroimage.2022.119754; data: OSF 3jk45 (preprocessed EEG anp5v, images y63gw). Read here: the
authors' preprocessed epochs (17 occipital and parietal channels, 100 Hz, -200 to 790 ms, whitened per session).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from realnet.datasets.files import find_files, find_one, subject_number
from realnet.datasets.safe_pickle import load_dict
from realnet.errors import InvalidInput, MissingInput
from realnet.sections import CHANNELS

N_SUBJECTS = 10
_LARGEST = 1e6  # whitened EEG is of the order of 1, in volts or microvolts it is below this too
# prefix of the keys in image_metadata.npy, and folder of the images
_SPLITS = {"test": ("test", "test_images"), "training": ("train", "training_images")}


def load(
    root: str | Path, subject: int | str, split: str = "test", *, window: tuple[float, float] | None = None
) -> xr.DataArray:
    """Single trials of one person.

    `root`: a folder that holds `sub-01/preprocessed_eeg_test.npy` (or `..._training.npy`) and `image_metadata.npy`, at
    any depth. `subject`: 1-10 (or `'sub-01'`). `split`: `test` (200 images x 80) or `training` (16540 x 4). `window`:
    first and last time to keep, in seconds, both included (0 to 0.19 s are the paper's 20 time points).

    Returns (stimulus, repeat, channel, time), the 17 `CHANNELS` in the order of the file. Coordinates: `stimulus` = the
    name of the image file without ending (`aircraft_carrier_06s`), `concept` = id of the object in THINGS, by which it
    joins the object dimensions, `image` = place of the file below the images' root, `channel`, `time` in seconds,
    rounded to a microsecond. Memory: the file, and what is kept of it.
    Raises `MissingInput` if a file is not there, `InvalidInput` if it is not what it must be.
    """
    number = subject_number(subject, N_SUBJECTS)
    metadata = load_metadata(root, split)
    path = _find_eeg(root, number, split)
    content = load_dict(path)
    data, times = _numbers(content, "preprocessed_eeg_data", path), _numbers(content, "times", path)
    names = [str(name) for name in content.get("ch_names", ())]
    if data.shape[:1] + data.shape[2:] != (len(metadata), len(names), times.size) or data.ndim != 4 or times.ndim != 1:
        raise InvalidInput(
            f"{path}: expected EEG of {len(metadata)} images x repeats x {len(names)} channels x {times.size} times,"
            f" got {data.shape}; check that it fits image_metadata.npy and this split"
        )
    channels = _choose_channels(names, path)
    kept = _choose_times(times, window, path)
    data = data[:, :, :, kept] if channels == list(range(len(names))) else data[:, :, channels, kept]
    if not (np.abs(data).max(initial=0) < _LARGEST):  # also false for NaN
        raise InvalidInput(
            f"{path}: expected finite EEG, but some samples are NaN or above {_LARGEST:g}; fetch it again"
        )
    eeg = xr.DataArray(
        np.ascontiguousarray(data),
        dims=("stimulus", "repeat", "channel", "time"),
        coords={
            "stimulus": metadata["stimulus"].to_numpy(str),
            "concept": ("stimulus", metadata["concept"].to_numpy(str)),
            "image": ("stimulus", metadata["image"].to_numpy(str)),
            "channel": [names[i] for i in channels],
            "time": np.round(times[kept].astype(float), 6),
        },
        attrs={"dataset": "things_eeg2", "subject": f"sub-{number:02d}", "split": split, "file": path.name},
    )
    eeg["time"].attrs["units"] = "s"
    return eeg


def load_metadata(root: str | Path, split: str = "test") -> pd.DataFrame:
    """The images of a split in the order of the EEG: columns `stimulus`, `concept`, `image` (see `load`)."""
    if split not in _SPLITS:
        raise InvalidInput(f"split {split!r}: expected one of {', '.join(_SPLITS)}")
    prefix, folder = _SPLITS[split]
    path = find_one(root, r"image_metadata\.npy", "image_metadata.npy of THINGS EEG2")
    content = load_dict(path)
    keys = [f"{prefix}_img_{name}" for name in ("files", "concepts", "concepts_THINGS")]
    columns = [content.get(key) for key in keys]
    lengths = {len(column) if isinstance(column, list | np.ndarray) else 0 for column in columns}
    if len(lengths) != 1 or 0 in lengths or not all(isinstance(x, str) and x for column in columns for x in column):
        raise InvalidInput(
            f"{path}: expected lists of text of one length under {', '.join(keys)}; fetch the file again"
        )
    files, folders, things = (list(column) for column in columns)
    table = pd.DataFrame(
        {
            "stimulus": [Path(file).stem for file in files],
            # "00010_aircraft_carrier": the number counts THINGS in another order than its tables, the name is safe
            "concept": [name[6:] for name in things],
            "image": [f"{folder}/{concept}/{file}" for concept, file in zip(folders, files, strict=True)],
        }
    )
    if not table["stimulus"].is_unique or (table["concept"] == "").any():
        raise InvalidInput(f"{path}: expected every image once, each with a concept; fetch the file again")
    return table


def _find_eeg(root: str | Path, number: int, split: str) -> Path:
    """The file of one person below `root`."""
    name, folder = f"preprocessed_eeg_{split}.npy", f"sub-{number:02d}"
    found = [path for path in find_files(root, name.replace(".", r"\.")) if path.parent.name == folder]
    if not found:
        raise MissingInput(
            f"{root}: expected {folder}/{name} below this folder; run `realnet data fetch`, or see data/README.md"
        )
    if len(found) > 1:
        raise InvalidInput(f"{found[0]}: the same recording is also at {found[1]}; keep one of them below {root}")
    return found[0]


def _numbers(content: dict[str, Any], key: str, path: Path) -> np.ndarray:
    """An array of numbers from the dict of a file."""
    value = content.get(key)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        kind = "nothing" if value is None else getattr(value, "dtype", type(value).__name__)
        raise InvalidInput(f"{path}: expected an array of numbers under {key}, got {kind}; fetch the file again")
    return value


def _choose_channels(names: list[str], path: Path) -> list[int]:
    """Positions of the 17 channels, by name, in the order of the file (which may hold all 63)."""
    chosen = [i for i, name in enumerate(names) if name in CHANNELS]
    if sorted(names[i] for i in chosen) != sorted(CHANNELS):
        missing = [name for name in CHANNELS if name not in names]
        problem = f"lacks {', '.join(missing)}" if missing else "has one of them twice"
        raise InvalidInput(f"{path}: expected the 17 channels {', '.join(CHANNELS)}, but the file {problem}")
    return chosen


def _choose_times(times: np.ndarray, window: tuple[float, float] | None, path: Path) -> slice:
    """The samples inside the window; a time counts as inside if it is so within half a thousandth of a step."""
    steps = np.diff(times)
    if times.size == 0 or not np.isfinite(times).all() or (steps <= 0).any():
        raise InvalidInput(f"{path}: expected times in seconds that rise, got {times[:3]} ...; fetch the file again")
    if window is None:
        return slice(0, times.size)
    slack = 5e-4 * steps.min() if steps.size else 1e-9
    first, last = np.searchsorted(times, (window[0] - slack, window[1] + slack), side="left")
    if first >= last:
        raise InvalidInput(
            f"{path}: no sample lies between {window[0]} and {window[1]} s; the file covers {times[0]:.3f} to"
            f" {times[-1]:.3f} s"
        )
    return slice(int(first), int(last))
