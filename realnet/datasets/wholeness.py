"""Whether a file is whole, as its own format tells: what an unfinished copy or a failing disk left is noticed.

For files without a published hash there is nothing else to check the first one by.
"""

import mmap
import pickletools
import tokenize
import zipfile
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from realnet.datasets.shen2019 import SPLITS, read_stimulus_list
from realnet.datasets.stimuli import open_image
from realnet.errors import InvalidInput

# How many images each published list names.
_LISTS = {f"stimulus_{split.session}.tsv": split.n_stimuli for split in SPLITS.values()}

# What h5py, zipfile, numpy's reader of headers and pickletools raise for damaged files.
_DAMAGE = (
    *(OSError, ValueError, TypeError, LookupError, OverflowError, MemoryError, RuntimeError, EOFError),
    *(SyntaxError, tokenize.TokenError, NotImplementedError, zipfile.BadZipFile),
)


def find_damage(path: Path) -> str | None:
    """What shows that a file is not whole, in words, or None.

    HDF5, zip (torch's weights are such) and .npy state where they end, and a pickle has a last instruction; images are
    decoded. Other formats do not tell: None.
    """
    check = _CHECKS.get(path.suffix.lower())
    try:
        if check is not None:
            check(path)
    except _DAMAGE as error:
        return f"bytes that are no whole {path.suffix} file ({error or type(error).__name__})"
    return None


def find_damaged(paths: Iterable[Path]) -> list[Path]:
    """Those of some files that are not whole (see `find_damage`)."""
    return [path for path in paths if find_damage(path)]


def name_some(damaged: list[Path], n_files: int) -> str:
    """The first names of damaged files, and what is wrong with the first of them."""
    names = ", ".join(path.name for path in damaged[:5])
    return (
        f"{len(damaged)} of {n_files} files are damaged, among them {names} (the first has {find_damage(damaged[0])})"
    )


def find_list_damage(path: Path) -> str | None:
    """What is wrong with a published list of images, in words, or None; None for other files."""
    if path.name not in _LISTS:
        return None
    try:
        read_stimulus_list(path, _LISTS[path.name])
    except InvalidInput as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def _check_hdf5(path: Path) -> None:
    h5py.File(path, "r", locking=False).close()  # compares its length with the one that it states


def _check_zip(path: Path) -> None:
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"  # weights of old torch versions are pickles, which do not tell
    if zipped or path.suffix.lower() == ".zip":
        zipfile.ZipFile(path).close()  # the list of members is at the end


def _check_npy(path: Path) -> None:
    """Raise unless an array of numbers has the length that its header states, and a pickle an end."""
    with path.open("rb") as file:
        bare = file.read(6) != b"\x93NUMPY"
        if not bare:
            file.seek(0)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            begin = file.tell()
        found = path.stat().st_size
        if not bare and not dtype.hasobject:
            expected = begin + dtype.itemsize * int(np.prod(shape, dtype=object))
            if found != expected:
                raise ValueError(f"{found} bytes instead of {expected}")
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            content.seek(0 if bare else begin)
            for _ in pickletools.genops(content):  # reads the instructions, and follows none
                pass


def _check_image(path: Path) -> None:
    try:
        open_image(path)
    except InvalidInput as error:
        raise ValueError(str(error).removeprefix(f"{path}: ")) from error


_CHECKS = {
    ".h5": _check_hdf5,
    ".npy": _check_npy,
    **dict.fromkeys((".zip", ".pt", ".pth"), _check_zip),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".tif", ".tiff"), _check_image),
}
