"""What can be fetched, and what of it is here: `fetch`, `status` and `verify` the published files.

Files lie under `data/raw/<dataset>/`. Where no hash is published, the figshare or OSF listing is asked for one; where
that has none either, the first file that comes is recorded in `data/raw/lock.json` and checked against from then on.
"""

import json
import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd
import pooch

from realnet.datasets import listings
from realnet.datasets.archives import unpack_zip
from realnet.datasets.catalogue import FILES, PublishedFile
from realnet.datasets.fetching import Download, find_problem
from realnet.datasets.files import find_files, whole_file
from realnet.datasets.shen2019 import read_stimulus_list
from realnet.datasets.stimuli import IMAGE
from realnet.errors import InvalidInput, MissingInput

LOCK = "lock.json"


def raw_folder(root: str | Path | None = None) -> Path:
    """The folder of the published files: `root`, or `data/raw` of the project."""
    if root is not None:
        return Path(root)
    from realnet.study import project_root  # brings torch with it: only where it is needed

    return project_root() / "data" / "raw"


def select(names: Iterable[str] = ()) -> list[PublishedFile]:
    """The files that some names mean: a dataset, a group (`shen2019-A`), a file, or a pattern with `*`.

    Without names: the ones that the paper's analyses need. Raises `InvalidInput` for a name that means nothing.
    """
    names = list(names)
    if not names:
        return [file for file in FILES if file.default]
    chosen: dict[str, PublishedFile] = {}
    for name in names:
        found = [file for file in FILES if name in (file.dataset, file.group, file.name, file.place)]
        found = found or [file for file in FILES if fnmatch(file.name, name) or fnmatch(file.place, name)]
        if not found:
            known = ", ".join(dict.fromkeys(name for file in FILES for name in (file.dataset, file.group) if name))
            raise InvalidInput(
                f"{name}: no published file is called so; expected a file name, a pattern, or one of {known}"
            )
        if name in {file.dataset for file in found}:  # a dataset without the other generations of its files
            found = [file for file in found if file.default] or found
        chosen |= {file.place: file for file in found}
    return list(chosen.values())


def fetch(
    *names: str, root: str | Path | None = None, progress: bool = True, report: Callable[[str], None] = print
) -> list[Path]:
    """Fetch published files that are not here yet; returns where they lie.

    `names`: see `select`. Files that have to be asked for or placed by hand are left out, unless nothing else is named.
    Zip files are unpacked beside themselves. `report` gets a sentence for what the user should know.
    Raises `MissingInput` (cannot be had), `InvalidInput` (not the expected bytes) or `RealnetError` (disk).
    """
    chosen = select(names)
    public = [file for file in chosen if file.access == "public"]
    return [fetch_file(file, root, progress=progress, report=report) for file in (public or chosen)]


def fetch_file(
    file: PublishedFile,
    root: str | Path | None = None,
    *,
    progress: bool = True,
    report: Callable[[str], None] = print,
    **options: float,
) -> Path:
    """Fetch one file unless it is here (see `fetch`); `options` go to `Download` (timeout, attempts, pause)."""
    raw = raw_folder(root)
    target = raw / file.place
    state, detail = find_state(file, root)
    if state != "present":
        if file.access != "public":
            here = f" ({detail})" if detail else ""
            raise MissingInput(f"{target}: to be had {file.access} only{here}: see {file.page}, and put it there")
        if state == "wrong":
            report(f"{target}: {detail}; fetching it again")
        known = listings.look_up(file, report)
        known_hash = known.hash or _read_lock(raw).get(file.place, {}).get("hash")
        Download(known.address, target, known.size, known_hash, file.page, progress=progress, **options).run()
        record(known, raw, target)
        if known_hash is None:
            report(f"{target}: no hash is published; its sha256 is recorded in {raw / LOCK} and checked from now on")
    archive = locate(file, raw)
    if file.unpacks and archive and not is_unpacked(file, raw):
        unpack_zip(archive, archive.with_suffix(""))
    return archive or target


def status(*names: str, root: str | Path | None = None) -> pd.DataFrame:
    """One row a file: dataset, file, state, detail, size, hash, licence, access, address, place.

    `state`: `present` (size and hash are right), `wrong`, `partial`, `absent`, `on request` or `by hand` (not here, and
    to be had that way). Files whose size and time have not changed since they were last checked are not read again.
    """
    return _table(select(names) if names else list(FILES), root, fresh=False)


def verify(*names: str, root: str | Path | None = None) -> pd.DataFrame:
    """As `status`, but everything that is here is read and hashed again."""
    return _table(select(names) if names else list(FILES), root, fresh=True)


def _table(files: list[PublishedFile], root: str | Path | None, fresh: bool) -> pd.DataFrame:
    """The rows of `status`."""
    rows = []
    for file in files:
        state, detail = find_state(file, root, fresh)
        address = file.address or f"{file.page}" + (f" (through the listing {file.listing})" if file.listing else "")
        rows.append(
            {
                "dataset": file.dataset,
                "file": file.name,
                "state": state,
                "detail": detail,
                "size": file.size,
                "hash": file.hash or "",
                "licence": file.licence,
                "access": file.access,
                "address": address,
                "place": str(raw_folder(root) / file.place),
            }
        )
    return pd.DataFrame(rows).astype({"size": "Int64"})


def find_state(file: PublishedFile, root: str | Path | None = None, fresh: bool = False) -> tuple[str, str]:
    """The state of one file (see `status`) and a detail in words."""
    raw = raw_folder(root)
    if file.n_files > 1:
        return _find_folder_state(file, raw)
    path = locate(file, raw)
    if path is None:
        if is_unpacked(file, raw):
            return "present", "unpacked"
        part = raw / f"{file.place}.part"
        if part.exists():
            return "partial", f"{part.stat().st_size} bytes have come; `realnet data fetch` goes on from there"
        return ("absent" if file.access == "public" else file.access), ""
    entry = _read_lock(raw).get(file.place, {})
    known = file.hash or entry.get("hash")
    stamp = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns, "path": str(path.relative_to(raw))}
    unchanged = {**entry, **stamp} == entry and (file.hash is None or entry["published"] == file.hash)
    if fresh or not unchanged:
        problem = find_problem(path, file.size, known)
        if problem:
            return "wrong", f"it has {problem}"
        record(file, raw, path)
    recorded = _read_lock(raw).get(file.place, {}).get("published") is None
    return "present", "no hash is published: checked against the one recorded when it first came" if recorded else ""


def locate(file: PublishedFile, raw: Path) -> Path | None:
    """Where a file lies: at its place, or elsewhere below the folder of its dataset under its name."""
    place = raw / file.place
    if place.is_file():
        return place
    if not (raw / file.dataset).is_dir():
        return None
    found = find_files(raw / file.dataset, re.escape(file.name))
    if sum(other.name == file.name for other in FILES) > 1:  # encoder.pt of whom?
        found = [path for path in found if path.parent.name == place.parent.name]
    return found[0] if found else None


def is_unpacked(file: PublishedFile, raw: Path) -> bool:
    """Whether what an archive holds is here."""
    if not file.unpacks or not (raw / file.dataset).is_dir():
        return False
    parts = Path(file.unpacks).parts
    return any(path.parts[-len(parts) :] == parts for path in find_files(raw / file.dataset, re.escape(parts[-1])))


def record(file: PublishedFile, raw: Path, path: Path, known_hash: str | None = None) -> None:
    """Note in the lock file that `path` was found right, with its sha256 where no hash is published."""
    lock = _read_lock(raw)
    published = file.hash or known_hash or lock.get(file.place, {}).get("published")
    fixed = published or lock.get(file.place, {}).get("hash") or f"sha256:{pooch.file_hash(str(path), alg='sha256')}"
    lock[file.place] = {
        "hash": fixed,
        "published": published,
        "size": path.stat().st_size,
        "mtime_ns": path.stat().st_mtime_ns,
        "path": str(path.relative_to(raw)),
    }
    try:
        with whole_file(raw / LOCK) as temporary:
            temporary.write_text(json.dumps(lock, indent=1, sort_keys=True), encoding="utf-8")
    except OSError:  # a folder that can only be read: the file is checked anew next time
        return


def _read_lock(raw: Path) -> dict[str, dict]:
    """The lock file: place -> hash, published, size, mtime_ns, path."""
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


def _find_folder_state(file: PublishedFile, raw: Path) -> tuple[str, str]:
    """The state of the folder of natural images: by name where the lists of their names are here, else by number."""
    if not (raw / file.dataset).is_dir():
        return file.access, ""
    have = {path.stem for path in find_files(raw / file.dataset, IMAGE)}
    lists = find_files(raw / file.dataset, r"stimulus_NaturalImage(?:Training|Test)\.tsv")
    if len(lists) == 2:
        wanted = {name for path in lists for name in read_stimulus_list(path).values()}
        missing = sorted(wanted - have)
        here = len(wanted) - len(missing)
    else:
        missing, here = [], sum(re.fullmatch(r"n\d{8}_\d+", name) is not None for name in have)
    if here == 0:
        return file.access, ""
    if missing or here < file.n_files:
        named = f", among the missing {', '.join(missing[:5])}" if missing else ""
        return "partial", f"{here} of {file.n_files} images{named}"
    return "present", f"{here} images"
