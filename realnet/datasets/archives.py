"""Unpacking downloaded zip files, without letting them write anywhere else."""

import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from realnet.datasets.files import is_dead, owner
from realnet.errors import InvalidInput, RealnetError

_MOST_BYTES = 40_000_000_000  # the largest published archive holds a few gigabytes
#: The folder that an archive is unpacked in: ``.unpacking-HOST-PROCESS-RANDOM``.
_ROOM = re.compile(r"\.unpacking-([^-]+)-(\d+)-.+")


def unpack_zip(archive: Path, folder: Path) -> None:
    """Unpack a zip file into `folder`: all of it or, if anything is wrong, nothing.

    Raises `InvalidInput` if a member would land outside the folder, is a link, appears twice, is encrypted or damaged,
    or if the contents are implausibly large; `RealnetError` if the disk cannot take them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    prefix = f".unpacking-{owner()}-"
    try:
        with zipfile.ZipFile(archive) as content, tempfile.TemporaryDirectory(dir=folder, prefix=prefix) as room:
            if (
                len(content.infolist()) != _count_members(archive) or not content.infolist()
            ):  # zipfile drops what follows a damaged entry
                raise zipfile.BadZipFile("its list of members is incomplete")
            members = [member for member in content.infolist() if not member.is_dir() or member.file_size]
            _check_members(archive, members)
            for member in members:
                content.extract(member, room)
            for top in _last_first(Path(room)):
                _merge(top, folder / top.name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, IndexError) as error:
        if isinstance(error, RealnetError):
            raise
        raise InvalidInput(f"{archive}: not a whole zip file ({error}); remove it and fetch it again") from error
    except OSError as error:
        raise RealnetError(f"{archive}: cannot be unpacked into {folder} ({error.strerror or error})") from error
    except RuntimeError as error:  # what zipfile raises for an encrypted member
        raise InvalidInput(f"{archive}: {error}; unpack it by hand into {folder}") from error


def _count_members(archive: Path) -> int:
    """How many members the record at the end of a zip file counts."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - 65_557))  # the record and the longest comment behind it
        end = file.read()
    record = end[end.rfind(b"PK\x05\x06") :]
    (count,) = struct.unpack_from("<H", record.ljust(12, b"\0"), 10)
    if count == 0xFFFF:  # more than the record can count
        raise NotImplementedError("more members than this can check")
    return count


def _check_members(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raise `InvalidInput` unless every member is an ordinary file inside the folder."""
    names = [member.filename.replace("\\", "/") for member in members]
    for member, name in zip(members, names, strict=True):
        parts = PurePosixPath(name).parts
        if (
            not parts
            or name.endswith("/")
            or name.startswith("/")
            or ".." in parts
            or ":" in parts[0]
            or stat.S_ISLNK(member.external_attr >> 16)
        ):
            raise InvalidInput(f"{archive}: refused, because its member {name!r} would lie outside the folder")
    if len(set(names)) != len(names):
        raise InvalidInput(f"{archive}: refused, because a member appears twice")
    if sum(member.file_size for member in members) > _MOST_BYTES:
        raise InvalidInput(f"{archive}: refused, because it would fill more than {_MOST_BYTES / 1e9:.0f} GB")


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed process had unpacked; what one that is alive unpacks at this time stays."""
    for room in folder.glob(".unpacking-*"):
        found = _ROOM.fullmatch(room.name)
        if found is None or is_dead(found[1], int(found[2])):
            shutil.rmtree(room, ignore_errors=True)


def _last_first(folder: Path) -> list[Path]:
    """What lies in a folder, the first name last: by a file of the first ones the catalogue tells whether all came."""
    return sorted(folder.iterdir(), reverse=True)


def _merge(source: Path, target: Path) -> None:
    """Move a file or folder to its place; a folder that is there already is filled up."""
    if source.is_dir() and target.is_dir():
        for child in _last_first(source):
            _merge(child, target / child.name)
    else:
        if target.exists() and not target.is_dir():
            target.unlink()
        shutil.move(source, target)
