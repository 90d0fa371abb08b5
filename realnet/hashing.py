"""SHA-256 of files, read once: a file of the same size and time of change is not read again, in no process."""

import hashlib
import json
import os
import re
from pathlib import Path

from realnet.datasets.files import find_files, whole_file
from realnet.datasets.stimuli import IMAGE
from realnet.places import project_root

#: Endings of recordings and weights, as published.
RECORDING = r".*\.(?:h5|npy|csv|txt|tsv|mat|pth|pt|tar)"

_known = {}  # path -> [size, time of change, hash], of this process and those before
_new = set()  # of these: the paths that this process has read itself


def cache_path():
    """Where hashes are kept between processes; nothing depends on the file, it may be removed."""
    return project_root() / "data" / "prepared" / ".hashes.json"


def file_hash(path):
    """SHA-256 of a file as hexadecimal text; read only where its size or time of change is not the one known."""
    path = str(path)
    state = os.stat(path)
    now = [state.st_size, state.st_mtime_ns]
    if not _known:
        _known.update(_read_cache())
    if _known.get(path, [])[:2] != now:
        with open(path, "rb") as file:
            _known[path] = [*now, hashlib.file_digest(file, "sha256").hexdigest()]
        _new.add(path)
    return _known[path][2]


def input_hash(path):
    """The hash of what a result was made from: a file; or a folder, which stands for all the images below it.

    A simulated world is known by its ``world.json``, which names its settings, its code, and the size of every file; it
    is another world as soon as a file has another size.
    """
    path = Path(path)
    if path.is_dir():
        images = [f"{image.relative_to(path)} {file_hash(image)}" for image in find_files(path, IMAGE)]
        return text_hash("\n".join(images))
    if path.name == "world.json":
        return text_hash(file_hash(path), *_resized(path))
    return file_hash(path)


def recordings(folder, pattern=RECORDING):
    """The recordings below a folder of published files; none where the folder is not there."""
    return find_files(folder, pattern) if Path(folder).is_dir() else []


def text_hash(*texts):
    """SHA-256 of some texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def keep_hashes():
    """Write what this process hashed where the next one finds it."""
    here = {path: _known[path] for path in _new if path.startswith(f"{project_root()}{os.sep}")}
    _new.clear()
    if here:
        try:
            cache = _read_cache() | here  # others may have written since
            with whole_file(cache_path()) as temporary:
                temporary.write_text(json.dumps(cache), encoding="utf-8")
        except OSError:
            pass  # a read-only folder: the next process reads the files again


def _read_cache():
    try:
        cache = json.loads(cache_path().read_text(encoding="utf-8"))
        return {path: entry for path, entry in cache.items() if re.fullmatch("[0-9a-f]{64}", entry[2])}
    except (OSError, ValueError, AttributeError, IndexError, TypeError):
        return {}


def _resized(world):
    """Files of a simulated world whose size is not the one that was written."""
    try:
        files = json.loads(world.read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError):
        return ["no world"]
    sizes = {name: _size(world.parent / name) for name in files}
    return [f"{name} {sizes[name]}" for name in sorted(files) if sizes[name] not in (None, files[name])]


def _size(path):
    """Bytes of a file, None where it is not there: a world may be cleaned up once all is prepared."""
    try:
        return path.stat().st_size
    except OSError:
        return None
