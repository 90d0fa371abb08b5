"""Finding published files below a folder, naming subjects, and writing files that appear whole or not at all."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

from realnet.errors import InvalidInput, MissingInput


def find_files(root: str | Path, pattern: str) -> list[Path]:
    """All files below `root`, at any depth, whose name matches the regular expression `pattern` in full; sorted.

    Raises `MissingInput` if `root` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingInput(f"{root}: expected a folder with the published files, but there is none; see data/README.md")
    name = re.compile(pattern)
    found = [
        Path(folder) / file
        for folder, _, files in os.walk(root, followlinks=True)
        for file in files
        if name.fullmatch(file)
    ]
    return sorted(found)


def find_one(root: str | Path, pattern: str, what: str) -> Path:
    """The one file below `root` whose name matches `pattern`; `what` names it for people in an error.

    Raises `MissingInput` if there is none, `InvalidInput` if there are several.
    """
    found = find_files(root, pattern)
    if not found:
        raise MissingInput(f"{root}: {what} is not below this folder; get it as data/README.md says, and put it here")
    if len(found) > 1:
        raise InvalidInput(
            f"{found[0]}: expected one file to be {what}, but {found[1]} is another one"
            f" ({len(found)} in all); move the ones that are not meant elsewhere"
        )
    return found[0]


def subject_number(subject: int | str, n_subjects: int) -> int:
    """The number of a subject given as `2`, `'2'`, `'02'` or `'sub-02'`.

    Raises `InvalidInput` if it is not one of 1 to `n_subjects`.
    """
    match = re.fullmatch(r"(?:sub-)?0*(\d{1,3})", str(subject).strip())
    number = int(match.group(1)) if match else 0
    if isinstance(subject, bool) or not 1 <= number <= n_subjects:
        raise InvalidInput(f"subject {subject!r}: this dataset has the subjects 1 to {n_subjects}; name one of them")
    return number


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` at the end, and is removed if anything fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """The permissions that new files of this process lack (there is no call that only reads it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
