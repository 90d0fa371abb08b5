"""What the publishers' own listings say of a file: its address, size and hash (figshare and OSF, public API)."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from realnet.datasets.catalogue import PublishedFile
from realnet.errors import MissingInput

FIGSHARE_API = "https://api.figshare.com/v2"
OSF_API = "https://api.osf.io/v2"
_PAGE_SIZE = 100
_MOST_PAGES = 50
_TIMEOUT = 30.0


def look_up(
    file: PublishedFile, report: Callable[[str], None] = print, unreachable: set[str] | None = None
) -> PublishedFile:
    """The file with what its listing adds: address, size and hash, where the catalogue does not state them.

    Where the listing cannot be read, the file comes back as it is and `report` is told. `unreachable`: hosts that did
    not answer, which are not asked; one more joins them when it does not answer.
    Raises `MissingInput` if only the listing knows the address, and it cannot be read or does not name the file.
    """
    if not file.listing or (file.address and file.hash):
        return file
    unreachable = set() if unreachable is None else unreachable
    host = urlsplit(FIGSHARE_API if file.listing.startswith("figshare:") else OSF_API).netloc
    try:
        if host in unreachable:
            raise OSError(f"{host} could not be reached for another file")
        entry = _find_entry(file, _read_listing(file.listing))
        problem = "" if entry else "does not name it"
    except (OSError, ValueError, TypeError, LookupError, AttributeError, HTTPException) as error:
        if isinstance(error, OSError) and not isinstance(error, urllib.error.HTTPError):
            unreachable.add(host)
        entry, problem = {}, f"cannot be read ({error})"
    if entry:
        return replace(
            file,
            address=file.address or entry["address"],
            size=file.size if file.size is not None else entry["size"],
            hash=file.hash or entry["hash"],
        )
    if not file.address:
        raise MissingInput(
            f"{file.place}: its address is only in the listing {file.listing}, which {problem};"
            f" fetch it by hand from {file.page} and put it there, below the folder of raw data"
        )
    report(f"{file.place}: the listing {file.listing} {problem}, so there is no published hash to check it against")
    return file


def _find_entry(file: PublishedFile, entries: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """The entry of the same figshare number where we know that, else of the same name."""
    number = file.address.rsplit("/", 1)[-1]
    for entry in entries:
        if (entry["number"] == number) if file.address else (entry["name"] == file.name):
            return entry
    return {}


@lru_cache(maxsize=16)
def _read_listing(listing: str) -> tuple[dict[str, Any], ...]:
    """All files of a figshare article or an OSF node: name, number, address, size, hash."""
    kind, identifier = listing.split(":")
    return tuple(_read_figshare(identifier) if kind == "figshare" else _read_osf(identifier))


def _read_figshare(article: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for page in range(1, _MOST_PAGES + 1):
        files = _get_json(f"{FIGSHARE_API}/articles/{article}/files?page={page}&page_size={_PAGE_SIZE}")
        entries += [
            {
                "name": str(file["name"]),
                "number": str(file["id"]),
                "address": str(file["download_url"]),
                "size": int(file["size"]),
                "hash": _hash("md5", file.get("computed_md5"), 32),
            }
            for file in files
        ]
        if len(files) < _PAGE_SIZE:
            break
    return entries


def _read_osf(node: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    address = f"{OSF_API}/nodes/{node}/files/osfstorage/?page[size]={_PAGE_SIZE}"
    for _ in range(_MOST_PAGES):
        answer = _get_json(address)
        for file in answer["data"]:
            about = file["attributes"]
            if about.get("kind") == "file":
                hashes = (about.get("extra") or {}).get("hashes") or {}
                entries.append(
                    {
                        "name": str(about["name"]),
                        "number": "",
                        "address": str(file["links"]["download"]),
                        "size": int(about["size"]),
                        "hash": _hash("sha256", hashes.get("sha256"), 64) or _hash("md5", hashes.get("md5"), 32),
                    }
                )
        address = answer["links"].get("next")
        if not address:
            break
    return entries


def _hash(algorithm: str, digest: object, length: int) -> str | None:
    """`md5:...` if the listing states a digest of the right form."""
    digest = str(digest or "").lower()
    return f"{algorithm}:{digest}" if len(digest) == length and set(digest) <= set("0123456789abcdef") else None


def _get_json(address: str) -> Any:
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"expected an http(s) address, got {address!r}")
    request = urllib.request.Request(address, headers={"Accept": "application/json", "User-Agent": "realnet/0.1"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        return json.loads(response.read(20_000_000))
