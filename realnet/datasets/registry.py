"""What can be fetched, and what of it is here: `fetch`, `status` and `verify` the published files.

Files lie under `data/raw/<dataset>/`. Where no hash is published, the figshare or OSF listing is asked for one; where
that has none either, the first whole file that comes is recorded in `data/raw/lock.json` and checked against from then
on.
"""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd

from realnet.datasets import listings
from realnet.datasets.archives import unpack_zip
from realnet.datasets.catalogue import FILES, PublishedFile
from realnet.datasets.fetching import FETCH, Download, find_problem
from realnet.datasets.files import find_files
from realnet.datasets.lockfile import LOCK, forget, read_lock, record
from realnet.datasets.shen2019 import read_stimulus_list
from realnet.datasets.stimuli import IMAGE
from realnet.datasets.wholeness import find_damage, find_damaged, find_list_damage, name_some
from realnet.errors import InvalidInput, MissingInput
from realnet.settings import project_root


def raw_folder(root: str | Path | None = None) -> Path:
    """The folder of the published files: `root`, or `data/raw` of the project."""
    if root is not None:
        return Path(root)
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
    Raises `MissingInput` (not available), `InvalidInput` (not the expected bytes) or `RealnetError` (disk).
    """
    chosen = select(names)
    public = [file for file in chosen if file.access == "public"]
    unreachable: set[str] = set()
    return [
        fetch_file(file, root, progress=progress, report=report, unreachable=unreachable) for file in (public or chosen)
    ]


def fetch_file(
    file: PublishedFile,
    root: str | Path | None = None,
    *,
    progress: bool = True,
    report: Callable[[str], None] = print,
    unreachable: set[str] | None = None,
    **options: float,
) -> Path:
    """Fetch one file unless it is here (see `fetch`); `options` go to `Download` (timeout, attempts, pause).

    `unreachable`: hosts that did not answer for other files; they are not tried again, and further ones join them.
    """
    raw = raw_folder(root)
    unreachable = set() if unreachable is None else unreachable
    target = raw / file.place
    state, detail = find_state(file, root)
    if state == "present" and (problem := _compare_with_listing(file, raw, unreachable)):
        state, detail = "wrong", f"it has {problem}"
    if state != "present":
        if file.access != "public":
            here = f" ({detail})" if detail else ""
            raise MissingInput(f"{target}: available {file.access} only{here}: see {file.page}, and put it there")
        if state == "wrong":
            report(f"{target}: {detail}; fetching it again")
        _forget_damaged(file, raw)
        known = listings.look_up(file, report, unreachable)
        known_hash = known.hash or read_lock(raw).get(file.place, {}).get("hash")
        about = {"progress": progress, "report": report, "unreachable": unreachable, **options}
        try:
            Download(known.address, target, known.size, known_hash, file.page, **about).run()
        except InvalidInput as error:
            raise error if known.hash or not known_hash else InvalidInput(f"{error}; {_own_record(raw)}") from error
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
    available only so). Files whose size and time have not changed since they were last checked are not read again.
    """
    return _table(select(names) if names else list(FILES), root, fresh=False)


def verify(*names: str, root: str | Path | None = None) -> pd.DataFrame:
    """As `status`, but everything that is here is read and hashed again; images and unpacked arrays must be whole."""
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
        return _find_folder_state(file, raw, fresh)
    unpacked = _find_unpacked(file, raw)
    if unpacked and fresh and (problem := _find_unpacked_damage(file, unpacked)):
        return "wrong", problem
    path = locate(file, raw)
    if path is None:
        if unpacked:
            return "present", "unpacked"
        part = raw / f"{file.place}.part"
        if part.exists():
            return "partial", f"{part.stat().st_size} bytes have come; `{FETCH}` goes on from there"
        return ("absent" if file.access == "public" else file.access), ""
    entry = read_lock(raw).get(file.place, {})
    published = file.hash or entry.get("published")
    stamp = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns, "path": str(path.relative_to(raw))}
    unchanged = {**entry, **stamp} == entry and (file.hash is None or entry["published"] == file.hash)
    recorded = bool(entry)
    if problem := find_list_damage(path):
        return "wrong", problem
    if fresh or not unchanged:
        if problem := find_problem(path, file.size, file.hash or entry.get("hash")):
            own = entry and not published and not find_problem(path, file.size, None)
            return "wrong", f"it has {problem}" + (f"; {_own_record(raw)}" if own else "")
        if not published and (problem := find_damage(path)):  # half a file must not become the measure of the whole
            return "wrong", f"it has {problem}"
        recorded = record(file, raw, path)
    details = [] if published else [_how_checked(raw, bool(entry), recorded)]
    if file.unpacks and not unpacked:
        details.append(f"not unpacked yet: `{FETCH} {file.name}` does it")
    return "present", "; ".join(details)


def _how_checked(raw: Path, before: bool, recorded: bool) -> str:
    """What a file without a published hash was checked by."""
    if before:
        return "no hash is published: checked against the one recorded when it first came"
    if recorded:
        return f"no hash is published: this one is recorded in {raw / LOCK}, and checked from now on"
    return f"no hash is published, and none could be recorded in {raw / LOCK}"


def _own_record(raw: Path) -> str:
    """What to do where a file differs from no hash but the one that was recorded here."""
    return (
        "no hash is published, this one is that of the file that came first: put the right file there, or remove its"
        f" entry from {raw / LOCK}"
    )


def _forget_damaged(file: PublishedFile, raw: Path) -> None:
    """Remove what was recorded of a file that is plainly damaged: a right one would be held against it."""
    entry, path = read_lock(raw).get(file.place, {}), locate(file, raw)
    if not path or not entry or entry["published"] or find_problem(path, None, entry["hash"]):
        return
    if find_damage(path) or find_list_damage(path):
        forget(file, raw)


def _compare_with_listing(file: PublishedFile, raw: Path, unreachable: set[str]) -> str | None:
    """What is wrong with a file that was placed by hand, where a listing knows its hash; a right one is recorded."""
    path = locate(file, raw)
    if path is None or file.hash or not file.listing or read_lock(raw).get(file.place, {}).get("published"):
        return None
    try:
        known = listings.look_up(file, report=lambda sentence: None, unreachable=unreachable)
    except MissingInput:  # only a better check than the one that it has passed
        return None
    if not known.hash:
        return None
    problem = find_problem(path, known.size, known.hash)
    if problem is None:
        record(known, raw, path, known.hash)
    return problem


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
    return _find_unpacked(file, raw) is not None


def _find_unpacked(file: PublishedFile, raw: Path) -> Path | None:
    """The file that tells that an archive is unpacked."""
    if not file.unpacks or not (raw / file.dataset).is_dir():
        return None
    parts = Path(file.unpacks).parts
    found = find_files(raw / file.dataset, re.escape(parts[-1]))
    return next((path for path in found if path.parts[-len(parts) :] == parts), None)


def _find_unpacked_damage(file: PublishedFile, unpacked: Path) -> str | None:
    """What is wrong with the files that came out of an archive, in words, or None.

    They are those of the same kind as the one that tells that it is unpacked: in its folder, images also beside that.
    """
    kind = f"(?i)[^.].*{re.escape(unpacked.suffix)}"
    images = re.fullmatch(IMAGE, unpacked.name)
    folder = unpacked.parents[len(Path(file.unpacks).parts) - 1] if images else unpacked.parent
    files = find_files(folder, kind)
    damaged = find_damaged(files)
    if not damaged:
        return None
    return f"{name_some(damaged, len(files))}: remove {unpacked}, and `{FETCH} {file.name}` brings all of them again"


def _find_folder_state(file: PublishedFile, raw: Path, fresh: bool) -> tuple[str, str]:
    """The state of the folder of natural images: by name where the lists of their names are here, else by number."""
    if not (raw / file.dataset).is_dir():
        return file.access, ""
    have = {path.stem: path for path in find_files(raw / file.dataset, IMAGE)}
    natural = {name for name in have if re.fullmatch(r"n\d{8}_\d+", name)}
    lists = find_files(raw / file.dataset, r"stimulus_NaturalImage(?:Training|Test)\.tsv")
    if len(lists) == 2:
        try:
            wanted = {name for path in lists for name in read_stimulus_list(path).values()}
            if len(wanted) != file.n_files:
                raise InvalidInput(f"the lists {lists[0].name} and {lists[1].name} name {len(wanted)} images")
        except InvalidInput as error:  # the rows of the lists say what to do about it
            counted = f"{len(natural)} images, not countable by name: {error}"
            return ("partial", counted) if natural else (file.access, "")
        missing = sorted(wanted - set(have))
    else:
        wanted, missing = natural, []
    here = sorted(wanted & set(have))
    if not here:
        return file.access, ""
    if fresh and (damaged := find_damaged(have[name] for name in here)):
        return "wrong", f"{name_some(damaged, len(here))}: get them again"
    if missing or len(here) < file.n_files:
        named = f", among the missing {', '.join(missing[:5])}" if missing else ""
        return "partial", f"{len(here)} of {file.n_files} images{named}"
    return "present", f"{len(here)} images"
