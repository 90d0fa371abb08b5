"""Downloading one file: it goes on after a break, and takes its real name only when size and hash are right.

pooch does the hashing; the transfer is our own, because pooch starts a broken download of gigabytes from the beginning.
"""

import http.client
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
from tqdm import tqdm

from realnet.errors import InvalidInput, MissingInput, RealnetError

#: The command that brings published files, as sentences name it.
FETCH = ".venv/bin/realnet data fetch"

_AGENT = "realnet/0.1 (research data download)"
# Endings whose files begin with known bytes: a login page is never taken for one of them.
_BEGINNINGS = {
    ".h5": (b"\x89HDF",),
    ".zip": (b"PK",),
    ".npy": (b"\x93NUMPY", b"\x80"),
    **dict.fromkeys((".pth", ".pt"), (b"PK", b"\x80")),
}
_WORTH_A_RETRY = {408, 425, 429, 500, 502, 503, 504}
_REFUSALS = {
    401: "wants a login",
    403: "refuses downloads by programs (403), as figshare at times does",
    404: "has no such file any more (404)",
    410: "has no such file any more (410)",
}


class _Broken(Exception):
    """The transfer stopped, and trying again may help; `silent`: the host did not answer at all."""

    def __init__(self, sentence: str, silent: bool = False):
        super().__init__(sentence)
        self.silent = silent


def find_problem(path: Path, size: int | None, known_hash: str | None, ending: str = "") -> str | None:
    """What is wrong with a file, in words, or None.

    `size` in bytes and `known_hash` (`md5:...` or `sha256:...`, its beginning at least) may be None: unknown. `ending`:
    the suffix of its real name, where `path` is a temporary one.
    """
    ending, found_size = ending or path.suffix, path.stat().st_size
    if size is not None and found_size != size:
        return f"{found_size} bytes instead of {size}"
    if found_size == 0:
        return "an empty file"
    with path.open("rb") as file:
        begin = file.read(64)
    if begin.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page"
    if not begin.startswith(_BEGINNINGS.get(ending, b"")):
        return f"something that is no {ending} file (it begins with {begin[:8]!r})"
    if known_hash is not None:
        algorithm, digest = known_hash.split(":")
        found = pooch.file_hash(str(path), alg=algorithm)
        if not found.startswith(digest):
            return f"bytes with {algorithm} {found} instead of {digest}"
    return None


@dataclass(frozen=True)
class Download:
    """One file on its way from `address` to `target`; `run` brings it.

    The bytes go to `<target>.part`. A later run goes on from there if the server can (Range) and it is the same file
    (its hash is known, or the server's mark of the version, ETag, is the same), else it starts again. A connection that
    stalls for `timeout` s or breaks, and the answers 202, 408, 429 and 5xx, are tried again: `attempts` times without a
    new byte, with pauses that grow from `pause` s, each with a sentence to `report`; a name that is not known in the
    network is not asked for again. `unreachable`: hosts that did not answer, which are not tried; one more joins them
    when it does not answer. `size` and `known_hash` as in `find_problem`; `page`: where people
    can fetch the file by hand.
    """

    address: str
    target: Path
    size: int | None = None
    known_hash: str | None = None
    page: str = ""
    timeout: float = 30.0
    attempts: int = 6
    pause: float = 2.0
    progress: bool = True
    report: Callable[[str], None] = print
    unreachable: set[str] = field(default_factory=set)

    @property
    def host(self) -> str:
        """The machine that the file comes from."""
        return urlsplit(self.address).netloc

    @property
    def part(self) -> Path:
        """Where the bytes lie until all of them are there."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def mark(self) -> Path:
        """Where the server's mark of the version lies, so that two versions never end in one file."""
        return self.target.with_name(f"{self.target.name}.part.etag")

    def run(self) -> None:
        """Bring the file.

        Raises `MissingInput` if it cannot be had (what came is kept), `InvalidInput` if it is not the expected file
        (what came is removed), `RealnetError` if the disk cannot take it.
        """
        if not self.address.startswith(("https://", "http://")):
            raise InvalidInput(f"{self.target}: expected an http(s) address, got {self.address!r}")
        if self.host in self.unreachable:
            raise MissingInput(
                f"{self.target}: {self.host} could not be reached for another file, so it was not asked for this one;"
                f" {self._by_hand()}"
            )
        self._disk(lambda: self.target.parent.mkdir(parents=True, exist_ok=True))
        if self.known_hash is None and not self.mark.exists():
            self._forget()
        resumed = self._here() > 0
        self._persist()
        problem = find_problem(self.part, self.size, self.known_hash, self.target.suffix)
        if problem and resumed:  # an old beginning may be to blame: once more from the start
            self._forget()
            self._persist()
            problem = find_problem(self.part, self.size, self.known_hash, self.target.suffix)
        if problem:
            self._forget()
            raise InvalidInput(f"{self.target}: {self.address} sent {problem}, so it was not kept; {self._by_hand()}")
        self._disk(lambda: self.part.replace(self.target))
        self._forget()

    def _persist(self) -> None:
        """Transfer until everything is in `part`, or until trying again has not helped."""
        failures = 0
        while True:
            before = self._here()
            try:
                return self._transfer()
            except _Broken as problem:
                failures = 1 if self._here() > before else failures + 1
                reason = getattr(problem.__cause__, "reason", problem.__cause__)
                if failures >= self.attempts or isinstance(reason, socket.gaierror):  # no network, or no such host
                    if problem.silent:
                        self.unreachable.add(self.host)
                    raise MissingInput(
                        f"{self.target}: {problem}; {self._here()} bytes are kept for the next `{FETCH}`:"
                        f" {self._by_hand()}"
                    ) from problem
                pause = min(self.pause * 2 ** (failures - 1), 60)
                attempt = f"attempt {failures + 1} of {self.attempts}"
                self.report(f"{self.target.name}: {problem}; trying again in {pause:.0f} s ({attempt})")
                time.sleep(pause)

    def _transfer(self) -> None:
        """One request for what is still to come. Raises `_Broken` if it stops early."""
        offset = self._here()
        if offset and offset == self.size:
            return
        with self._open(offset) as response:
            if response.status == 206:
                begin = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0]
                if begin != str(offset):
                    self._forget()
                    raise _Broken(f"{self.address} went on at byte {begin or '?'} instead of {offset}")
            else:
                offset = 0  # the server ignores Range, or the file has changed: from the beginning
            length = response.headers.get("Content-Length", "")
            total = offset + int(length) if length.isdigit() else None
            if total is None and self.size is None and self.known_hash is None and not response.chunked:
                raise InvalidInput(
                    f"{self.target}: {self.address} does not say how long the file is, so a part could be taken for the"
                    f" whole; {self._by_hand()}"
                )
            self._check_space((total or self.size or offset) - offset)
            self._remember(response.headers.get("ETag") or response.headers.get("Last-Modified"))
            received = self._copy(response, offset, total or self.size)
        if offset + received == 0:
            raise _Broken(f"{self.address} answered {response.status} with nothing in it")
        if total is not None and offset + received < total:
            raise _Broken(f"{self.address} ended after {offset + received} of {total} bytes")

    def _open(self, offset: int) -> http.client.HTTPResponse:
        """The answer to a request for everything from `offset`; other answers become errors in words."""
        headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if self.mark.exists():
                headers["If-Range"] = self.mark.read_text(encoding="latin-1").strip()
        try:
            request = urllib.request.Request(self.address, headers=headers)
            response = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # there is less than what is here: the beginning of another file
                self._forget()
                raise _Broken(f"{self.address} is shorter than what is here") from error
            if error.code in _WORTH_A_RETRY:
                raise _Broken(f"{self.address} answered {error.code} ({error.reason})") from error
            reason = _REFUSALS.get(error.code, f"answered {error.code} ({error.reason})")
            raise MissingInput(f"{self.target}: {self.address} {reason}; {self._by_hand()}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _Broken(f"{self.address} cannot be reached ({reason})", silent=True) from error
        if response.status == 202:
            response.close()
            raise _Broken(
                f"{self.address} answered 202 with nothing in it, as figshare does to programs when it is busy"
            )
        return response

    def _copy(self, response: http.client.HTTPResponse, offset: int, total: int | None) -> int:
        """Put the body behind the first `offset` bytes of `part`; returns how many bytes came."""
        received = 0
        hide = None if self.progress else True  # None: hidden where there is no terminal
        bar = tqdm(total=total, initial=offset, unit="B", unit_scale=True, desc=self.target.name, disable=hide)
        file = self._disk(lambda: self.part.open("r+b" if offset else "wb"))
        with bar, file:
            self._disk(lambda: file.seek(offset))
            while True:
                try:
                    block = response.read1(1 << 20)
                except (OSError, ValueError, http.client.HTTPException) as error:
                    self._disk(file.flush)
                    reason = str(error) or type(error).__name__
                    raise _Broken(f"{self.address} broke off after {offset + received} bytes ({reason})") from error
                if not block:
                    self._disk(file.flush)
                    return received
                self._disk(lambda block=block: file.write(block))
                received += len(block)
                bar.update(len(block))

    def _disk(self, action: Callable[[], Any]) -> Any:
        """Do something to the disk; an error becomes a sentence."""
        try:
            return action()
        except OSError as error:
            raise RealnetError(
                f"{self.part}: cannot be written ({error.strerror or error}); free some space or make the folder"
                " writable, and call again: what came so far is kept"
            ) from error

    def _check_space(self, needed: int) -> None:
        """Raise `RealnetError` before a transfer that the disk cannot take."""
        free = shutil.disk_usage(self.target.parent).free
        if needed > free:
            raise RealnetError(
                f"{self.part}: {needed / 1e9:.1f} GB are still to come, but the disk has {free / 1e9:.1f} GB; free some"
                " space, and call again: what came so far is kept"
            )

    def _here(self) -> int:
        """How many bytes have come."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _forget(self) -> None:
        """Remove what came, and the mark of its version."""
        self._disk(lambda: self.part.unlink(missing_ok=True))
        self._disk(lambda: self.mark.unlink(missing_ok=True))

    def _remember(self, mark: str | None) -> None:
        """Keep the server's mark of the version; a weak one (W/) does not promise equal bytes."""
        if mark and not mark.startswith("W/"):
            self._disk(lambda: self.mark.write_text(mark, encoding="latin-1"))
        else:
            self._disk(lambda: self.mark.unlink(missing_ok=True))

    def _by_hand(self) -> str:
        return f"try again later, or fetch it by hand from {self.page or self.address} and put it at {self.target}"
