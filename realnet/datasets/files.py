"""Finding published files below a folder, and naming subjects."""

import os
import re
from pathlib import Path

from realnet.errors import InvalidInput, MissingInput
from realnet.settings import project_root


def find_files(root, pattern):
    """All files below ``root``, at any depth, whose name matches a regular expression.

    Hidden folders are skipped.

    Parameters
    ----------
    root : path
    pattern : str
        Matched against the whole file name.

    Returns
    -------
    list of Path
        Sorted.

    Raises
    ------
    MissingInput
        ``root`` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingInput(f"{root}: expected a folder with the published files, but there is none; see data/README.md")
    found, name = [], re.compile(pattern)
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [sub for sub in folders if not sub.startswith(".")]
        found += [Path(folder) / file for file in files if name.fullmatch(file)]
    return sorted(found)


def find_one(root, pattern, what):
    """The one file below ``root`` whose name matches ``pattern``.

    Parameters
    ----------
    root : path
    pattern : str
        Regular expression, matched against the whole file name.
    what : str
        Describes the file in an error message.

    Returns
    -------
    Path

    Raises
    ------
    MissingInput, InvalidInput
        There is no such file, or there are several.
    """
    found = find_files(root, pattern)
    if not found:
        raise MissingInput(f"{root}: {what} is not below this folder; data/README.md says where to get it")
    if len(found) > 1:
        raise InvalidInput(f"{root}: expected one file to be {what}, found {found[0]}, {found[1]}: move one elsewhere")
    return found[0]


def real_folder(study, dataset):
    """Where published files of real recordings lie: the study's raw folder, else ``data/raw``.

    The raw folder of a simulated study holds simulated files of the same names, and is not searched.

    Parameters
    ----------
    study : realnet.settings.Study
    dataset : str

    Returns
    -------
    Path
    """
    own, shared = study.raw_folder(dataset), project_root() / "data" / "raw" / dataset
    return shared if study.simulated or (shared.is_dir() and not own.is_dir()) else own


def subject_number(subject, n_subjects):
    """The number of a subject.

    Parameters
    ----------
    subject : int or str
        Such as ``2``, ``"02"`` or ``"sub-02"``.
    n_subjects : int
        Number of subjects of the dataset.

    Returns
    -------
    int

    Raises
    ------
    InvalidInput
        The subject is not one of 1 to ``n_subjects``.
    """
    match = re.fullmatch(r"(?:sub-)?0*(\d{1,3})", str(subject).strip())
    number = int(match.group(1)) if match else 0
    if isinstance(subject, bool) or not 1 <= number <= n_subjects:
        raise InvalidInput(f"subject {subject!r}: expected one of 1 to {n_subjects}, the subjects of this dataset")
    return number
