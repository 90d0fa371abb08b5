"""The file `lock.json` among the raw data: what was found right, and the hashes of files that have no published one."""

import json
import re
from pathlib import Path

import pooch

from realnet.datasets.catalogue import PublishedFile
from realnet.errors import InvalidInput
from realnet.io import whole_file

LOCK = "lock.json"


def read_lock(raw: Path) -> dict[str, dict]:
    """The lock file below the folder of raw data: place -> hash, published, size, mtime_ns, path.

    Raises `InvalidInput` if it is damaged.
    """
    path = raw / LOCK
    if not path.exists():
        return {}
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        if not all(re.fullmatch(r"(md5|sha256):[0-9a-f]+", entry["hash"]) for entry in lock.values()):
            raise ValueError("a hash is not one")
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise InvalidInput(f"{path}: damaged ({error}); remove it, and every file is recorded anew") from error
    return lock


def record(file: PublishedFile, raw: Path, path: Path, known_hash: str | None = None) -> bool:
    """Note in the lock file that `path` was found right, with its sha256 where no hash is published.

    `known_hash`: a published one that the catalogue does not state. Returns whether it could be noted: a folder may be
    one that can only be read.
    """
    lock = read_lock(raw)
    published = file.hash or known_hash or lock.get(file.place, {}).get("published")
    fixed = published or lock.get(file.place, {}).get("hash") or f"sha256:{pooch.file_hash(str(path), alg='sha256')}"
    lock[file.place] = {
        "hash": fixed,
        "published": published,
        "size": path.stat().st_size,
        "mtime_ns": path.stat().st_mtime_ns,
        "path": str(path.relative_to(raw)),
    }
    return _write_lock(lock, raw)


def forget(file: PublishedFile, raw: Path) -> bool:
    """Remove what the lock file says of a file; returns whether that could be written."""
    lock = read_lock(raw)
    lock.pop(file.place, None)
    return _write_lock(lock, raw)


def _write_lock(lock: dict[str, dict], raw: Path) -> bool:
    try:
        with whole_file(raw / LOCK) as temporary:
            temporary.write_text(json.dumps(lock, indent=1, sort_keys=True), encoding="utf-8")
    except OSError:  # the files are checked anew next time
        return False
    return True
