"""Finding published files below a folder, naming subjects, and writing files that appear whole or not at all."""

import errno
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.places import project_root

if TYPE_CHECKING:
    from realnet.study import Study

#: How a file is called while it is written: ``.NAME.RANDOM.HOST-PROCESS.part``; tells whether its writer is alive.
_PART = re.compile(r"\..+\.([^.]+)-(\d+)\.part")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class CannotWrite(RealnetError, OSError):
    """A file could not be written: the disk is full or read-only, or permission is missing. Nothing is half-written."""


def find_files(root: str | Path, pattern: str) -> list[Path]:
    """All files below `root`, at any depth, whose name matches the regular expression `pattern` in full; sorted.

    What lies in a hidden folder is left out: it is of the system (`.Trashes`), or of an archive that is being unpacked.
    Raises `MissingInput` if `root` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingInput(f"{root}: expected a folder with the published files, but there is none; see data/README.md")
    name = re.compile(pattern)
    found = [Path(folder) / file for folder, _, files in _walk(root) for file in files if name.fullmatch(file)]
    return sorted(found)


def _walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk`, without hidden folders."""
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield folder, folders, files


def real_folder(study: "Study", dataset: str) -> Path:
    """Where real published files lie: in the raw folder of the study, or in `data/raw` where that has them alone.

    The own raw folder of a simulated study holds its world, whose files bear the same names.
    """
    own, shared = study.raw_folder(dataset), project_root() / "data" / "raw" / dataset
    return shared if study.simulated or (shared.is_dir() and not own.is_dir()) else own


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
def whole_file(path: str | Path, room: int = 0) -> Iterator[Path]:
    """A temporary name beside `path` to write to; it becomes `path` at the end, and is removed if anything fails.

    `room`: bytes that will be needed. To be given for HDF5, whose library crashes where a disk becomes full.
    Raises `CannotWrite` where the disk is full or read-only, or permission is missing, whatever the library that wrote
    made of it. What lay at `path` before is still there then.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if room > shutil.disk_usage(path.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        handle, name = mkstemp(prefix=f".{path.name}.", suffix=f".{owner()}.part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except RealnetError:
        raise
    except Exception as error:
        if reason := why_not_written(error, path.parent):
            raise CannotWrite(f"{path} was not written: {reason}, then give the same command again") from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def why_not_written(error: BaseException, folder: Path) -> str | None:
    """What keeps files from being written in `folder` and what to do, as part of a sentence; None for other errors.

    HDF5, torch and safetensors hide the number of an error in their text or lose it: a disk that has no room left is
    taken for its cause.
    """
    while not os.path.isdir(folder) and folder != folder.parent:
        folder = folder.parent
    chain, number, text = error, None, ""
    while chain is not None:
        number = number or getattr(chain, "errno", None)
        text, chain = f"{text} {chain}", chain.__cause__ or chain.__context__
    reported = re.search(r"(?:errno = |os error |Errno )(\d+)", text)
    number = number or (int(reported[1]) if reported else None)
    if number in _FULL or (number is None and shutil.disk_usage(folder).free < 2**16):
        return f"the disk of {folder} is full; make room"
    if number == errno.EROFS:
        return f"{folder} is read-only; make it writable, or set REALNET_ROOT to a folder that is"
    if number in (errno.EACCES, errno.EPERM) and (str(folder) in text or not os.access(folder, os.W_OK | os.X_OK)):
        return f"there is no permission to write in {folder}; allow it, or set REALNET_ROOT to a folder of yours"
    return None


def remove_unfinished(folder: str | Path) -> list[Path]:
    """Remove what `whole_file` left below `folder` when its process was killed; returns the files that were removed.

    Files whose writer is alive, or of another machine that shares the disk, stay.
    """
    removed = []
    for path in Path(folder).rglob(".*.part"):
        found = _PART.fullmatch(path.name)
        if found and is_dead(found[1], int(found[2])):
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def owner() -> str:
    """This machine and process, as part of the name of what is unfinished; `is_dead` asks for them."""
    return f"{_host()}-{os.getpid()}"


def is_dead(host: str, process: int) -> bool:
    """Whether a process that `owner` named is over; of another machine's processes nothing is known."""
    return host == _host() and not _is_alive(process)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # of somebody else
        pass
    return True


def _host() -> str:
    """The name of this machine, as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]", "", platform.node().split(".")[0])[:40] or "here"


def _umask() -> int:
    """The permissions that new files of this process lack (there is no call that only reads it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
