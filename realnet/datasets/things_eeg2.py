"""THINGS EEG2 (Gifford et al. 2022): EEG of ten subjects who saw images of objects in fast succession.

Article: doi 10.1016/j.neuroimage.2022.119754; data: OSF 3jk45 (preprocessed EEG anp5v, images y63gw). Read here: the
authors' preprocessed epochs (17 occipital and parietal channels, 100 Hz, -200 to 790 ms, whitened per session).
"""

import math
import mmap
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from realnet.datasets.files import find_files, find_one, subject_number
from realnet.errors import InvalidInput, MissingInput
from realnet.sections import CHANNELS


def load_dict(path):
    """The dict of arrays and text in a file of ``numpy.save`` or ``pickle.dump`` (numpy 1 and 2, protocols 2 to 4)."""
    try:
        # a map gives what is there, however much a damaged length asks for
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:6] == b"\x93NUMPY":
                content.seek(10 + int.from_bytes(content[8:10], "little"))  # behind the header
            value = _Unpickler(content).load()
        value = value.item() if isinstance(value, np.ndarray) else value
        return {str(key): item for key, item in value.items()}
    except Exception as error:  # a damaged pickle can raise anything
        raise InvalidInput(f"{path}: refused, not a pickled dict of plain data ({error!r}); fetch it again") from error


def _dtype(name, *_):
    """A dtype of plain numbers, text or objects."""
    dtype = np.dtype(str(name))
    if dtype.kind not in "biufcSUO" or dtype.itemsize == 0:
        raise ValueError(f"it asks for the dtype {name}")
    return dtype


def _fill(array, version, shape, dtype, is_fortran, data):
    """Give an empty array its content, after a check of sizes that numpy does not make."""
    kind, size = (list, 1) if dtype.kind == "O" else (bytes, dtype.itemsize)
    if type(data) is not kind or len(data) != size * math.prod(shape) or min(shape, default=0) < 0:
        raise ValueError("an array does not have the size that its shape says")
    array.__setstate__((version, shape, dtype, is_fortran, data))
    return array


#: What stands for the names that a pickle may ask for; numpy 2 says ``numpy._core`` for ``numpy.core``.
_ALLOWED = {
    "numpy.dtype": _dtype,
    "numpy.ndarray": None,  # an argument of the next
    "numpy.core.multiarray._reconstruct": lambda *_: np.empty(0),
    "numpy.core.multiarray.scalar": lambda dtype, data: _fill(np.empty(0), 1, (), dtype, False, data)[()],
    "_codecs.encode": lambda text, encoding: str.encode(text, "latin1"),  # bytes in protocol 2
}


class _Unpickler(pickle._Unpickler):
    """Python's pickle machine in Python: the one in C allocates gigabytes for a damaged number of six bytes."""

    dispatch = pickle._Unpickler.dispatch.copy()
    del dispatch[pickle.BYTEARRAY8[0]]  # this too

    def find_class(self, module, name):
        """The class or function of this name, if it is allowed."""
        full = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if full not in _ALLOWED:
            raise ValueError(f"it asks for {module}.{name}")
        return _ALLOWED[full]

    def load_build(self):
        """Set the content of an array; the state of a dtype could lie, and follows from its name."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, np.ndarray) and target.size == 0:
            _fill(target, *state)
        elif not isinstance(target, np.dtype) or state[1] not in ("<", "|"):
            raise ValueError(f"it sets the state of {target!r}")

    dispatch[pickle.BUILD[0]] = load_build


N_SUBJECTS = 10
_METADATA = r"image_metadata\.npy", "image_metadata.npy of THINGS EEG2"


def load(root, subject, split="test", *, window=None):
    """Single trials of one subject.

    Parameters
    ----------
    root : path of a folder that holds ``sub-01/preprocessed_eeg_test.npy`` and ``image_metadata.npy``, at any depth
    subject : int or str, 1-10 or ``sub-01``
    split : {"test", "training"}, 200 images x 80 repeats or 16540 x 4
    window : (float, float), optional
        First and last time to keep in seconds, both included; (0, 0.19) are the paper's 20 time points.

    Returns
    -------
    DataArray (stimulus, repeat, channel, time)
        The 17 ``CHANNELS`` in the order of the file, time in seconds; with ``concept`` as in :func:`load_metadata`.
    """
    metadata, path = load_metadata(root, split), files(root, subject, split)[0]
    content = load_dict(path)
    try:
        coordinates = {name: ("stimulus", metadata[name].to_numpy(str)) for name in metadata}
        coordinates |= {"channel": list(content["ch_names"]), "time": np.round(np.asarray(content["times"], float), 6)}
        data = np.atleast_1d(content["preprocessed_eeg_data"])  # xarray would repeat a scalar
        eeg = xr.DataArray(data, coordinates, ("stimulus", "repeat", "channel", "time"))
        kept = eeg.channel.isin(CHANNELS).values  # the file may hold all 63
        if sorted(eeg.channel.values[kept]) != sorted(CHANNELS) or not (np.diff(eeg.time) > 0).all():
            raise ValueError(f"the channels are {', '.join(eeg.channel.values)}, or the times do not rise")
        eeg = eeg if kept.all() else eeg[:, :, kept]
        eeg = eeg if window is None else eeg.sel(time=slice(*np.round(window, 6)))
        eeg = eeg.copy(data=np.ascontiguousarray(eeg))
        # whitened EEG is of the order of 1, in volts or microvolts it is below 1e6 too; NaN is not
        if eeg.dtype.kind not in "fiu" or eeg.size == 0 or not np.abs(eeg.values).max() < 1e6:
            raise ValueError(f"{eeg.shape} samples of {eeg.dtype} are there, or one is NaN or above 1e6")
    except (KeyError, ValueError, TypeError) as error:
        shape = f"{len(metadata)} images x repeats x {len(CHANNELS)} channels x rising times"
        raise InvalidInput(f"{path}: expected {shape} ({window or 'any'} s), but {error}; fetch it again") from error
    return eeg


def load_metadata(root, split="test"):
    """The images of a split (see :func:`load`), in the order of the EEG.

    Returns a DataFrame: ``stimulus``, the image file without ending (``aircraft_carrier_06s``); ``concept``, the
    object's id in THINGS.
    """
    prefix = {"test": "test", "training": "train"}.get(split)
    if prefix is None:
        raise InvalidInput(f"split {split!r}: expected test or training")
    path = find_one(root, *_METADATA)
    content = load_dict(path)
    try:
        names, concepts = (content[f"{prefix}_img_{key}"] for key in ("files", "concepts_THINGS"))
        # "00010_aircraft_carrier": the number counts THINGS in another order than its tables, the name is safe
        table = pd.DataFrame({"stimulus": [Path(x).stem for x in names], "concept": [str(x)[6:] for x in concepts]})
        if not table.stimulus.is_unique or (table == "").any(axis=None):
            raise ValueError("an image appears twice or has no concept")
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path}: expected a file and a concept per image, but {error}; fetch it again") from error
    return table


def files(root, subject, split="test"):
    """Paths of what :func:`load` opens: the recording of a subject, and the metadata."""
    name, folder = f"preprocessed_eeg_{split}.npy", f"sub-{subject_number(subject, N_SUBJECTS):02d}"
    found = [path for path in find_files(root, name.replace(".", r"\.")) if path.parent.name == folder]
    if len(found) != 1:
        error, paths = InvalidInput if found else MissingInput, ", ".join(map(str, found)) or "none"
        raise error(f"{root}: expected one {folder}/{name} below this folder, found {paths}; see data/README.md")
    return [*found, find_one(root, *_METADATA)]
