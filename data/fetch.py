"""Fetch and check the published files that ``data/files.csv`` names: ``realnet data status | fetch | verify``.

pooch stores the files and checks their hashes, with a downloader that resumes. Files lie below ``data/raw/<dataset>``:
where the table says or, under the same name, anywhere below that folder.
"""

import argparse
import os
import re
import shutil
import sys
import zipfile
import zlib
from collections import Counter
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pooch
import requests
from requests.adapters import HTTPAdapter, Retry
from tqdm import tqdm

from realnet.datasets.files import find_files
from realnet.errors import CannotWrite, InvalidInput, MissingInput, RealnetError
from realnet.settings import load_study, project_root

FILES = Path(__file__).with_name("files.csv")
FIGSHARE, OSF = "https://api.figshare.com/v2", "https://api.osf.io/v2"
OSF_DOWNLOAD = "https://osf.io/download"
OFFLINE = (requests.ConnectionError, requests.Timeout)
PUBLIC = "public"  # name of the study that needs no request form, and of the files that it reads
TIMEOUT, FULL = 30, 36  # s; length of "md5:..." (of CORnet-S, only the beginning of the hash is published)
# 202: figshare's empty answer to programs
RETRY = Retry(3, backoff_factor=1, status_forcelist=(202, 429, 500, 502, 503, 504), raise_on_status=False)


def read_files():
    """The rows of ``data/files.csv``, with ``place`` (path below ``data/raw``) and ``tail`` (its unique end)."""
    table = pd.read_csv(FILES, dtype=str, keep_default_na=False)
    name = table.file.str.split("/").str[-1]
    table["place"], table["tail"] = table.dataset + "/" + table.file, table.file.where(name.duplicated(False), name)
    return list(table.itertuples(index=False, name="File"))


def select(names):
    """The files meant by names of datasets (without those with ``access`` ``by name``), groups, files, or patterns.

    ``public``: all that the study of that name reads.
    """
    files, chosen = read_files(), {}
    for name in names:
        found = [f for f in files if name == f.group or fnmatch(f.tail, name) or fnmatch(f.place, name)]
        found += [f for f in files if name == f.dataset and f.access != "by name"]
        if name == PUBLIC:  # nothing is trained
            here = [f for f in files if f.access == "fetch" and "Training" not in f.file]
            found = here + [f for f in files if f.dataset == "realnet_weights"]
        if not found:
            known = ", ".join(dict.fromkeys(word for f in files for word in (PUBLIC, f.dataset, f.group)))
            raise InvalidInput(f"{name}: expected a file of data/files.csv, a pattern, or one of {known}")
        chosen |= {f.place: f for f in found}
    return list(chosen.values()) if names else files


def locate(file, raw, tail=None):
    """Where a file lies, or None; ``tail``: the end of the path of another file of its dataset."""
    if not tail and (raw / file.place).is_file():
        return raw / file.place
    folder, tail = raw / file.dataset, tail or file.tail
    found = find_files(folder, re.escape(Path(tail).name)) if folder.is_dir() else []
    return next((path for path in found if path.match(tail)), None)


def find_problem(path, file, hashed=True):
    """What is wrong with the file at ``path``, in words, or None; its hash is checked where ``hashed``."""
    size = path.stat().st_size
    if size == 0 or (file.size and size != int(file.size)):
        return f"wrong size ({size} bytes instead of {file.size or 'some'})"
    with path.open("rb") as content:
        if content.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            return "wrong content (a web page)"
    if hashed and file.hash:
        algorithm, digest = file.hash.split(":")
        found = pooch.file_hash(str(path), alg=algorithm)
        if not found.startswith(digest):
            return f"wrong {algorithm} ({found} instead of {digest})"
    return None


def find_state(file, raw, hashed=False):
    """The state of a file (``present``, ``absent``, ``partial`` or ``wrong``) and a detail in words."""
    if file.place.endswith("/"):
        n_files = len(find_files(raw / file.place, r"[^.].*")) if (raw / file.place).is_dir() else 0
        return ("present", f"{n_files} files") if n_files else ("absent", "")
    if path := locate(file, raw):
        problem = find_problem(path, file, hashed)
        return ("wrong", problem) if problem else ("present", "")
    if file.unpacks and locate(file, raw, file.unpacks):
        return "present", "unpacked"
    part = raw / f"{file.place}.part"
    return ("partial", f"{part.stat().st_size:,} bytes") if part.exists() else ("absent", "")


class ResumingDownloader:
    """A downloader for pooch that continues an interrupted download of ``file``; bytes are kept in ``<target>.part``.

    The rest is requested (Range) if the server still has the version (ETag or Last-Modified) that is noted in
    ``<target>.part.version`` (If-Range). Without version or hash, which would tell two versions apart, it starts again.
    """

    def __init__(self, target, file):
        self.part, self.version = (target.with_name(target.name + end) for end in (".part", ".part.version"))
        self.file, self.session = file, requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=RETRY))

    def __call__(self, url, output_file, pooch):
        """Download ``url``; raises ``requests.RequestException``, or ValueError for a wrong file."""
        os.remove(output_file)  # pooch's empty file, which a killed process would leave
        failures, size = 0, -1  # as long as bytes arrive, an interruption is no failure
        while problem := self._transfer(url):
            failures, size = (1 if self._size() > size else failures + 1), self._size()
            if failures > RETRY.total:
                raise requests.ConnectionError(problem)
        self.version.unlink()
        if problem := find_problem(self.part, self.file, hashed=len(self.file.hash) < FULL):  # the others pooch hashes
            self.part.unlink()
            raise ValueError(problem)
        os.replace(self.part, output_file)

    def _size(self):
        return self.part.stat().st_size if self.part.exists() else 0

    def _transfer(self, url):
        """Request what is missing, and append it; returns what went wrong, or None."""
        begin, version = self._size(), self.version.read_text() if self.version.exists() else ""
        headers = {"User-Agent": "realnet", "Accept-Encoding": "identity"}
        if begin and (version or self.file.hash):
            headers |= {"Range": f"bytes={begin}-"} | ({"If-Range": version} if version else {})
        with self.session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            status, resumed = answer.status_code, answer.headers.get("Content-Range", "").startswith(f"bytes {begin}-")
            if status == 416 or (status == 206 and not resumed):
                self.part.unlink(missing_ok=True)
                return f"{url} does not continue at byte {begin}"
            if status not in (200, 206):
                raise requests.HTTPError(f"{url} answered {status} ({answer.reason})")
            begin = begin if status == 206 else 0
            etag, date = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
            total = begin + int(answer.headers.get("Content-Length", 0))
            bar = tqdm(total=total, initial=begin, unit="B", unit_scale=True, desc=self.part.stem, disable=None)
            with bar, self.part.open("ab" if begin else "wb") as output:
                self.version.write_text(date if etag.startswith("W/") else etag or date)  # W/: not equal byte by byte
                try:
                    for block in answer.iter_content(1 << 16):
                        bar.update(output.write(block))
                except requests.RequestException:
                    return f"{url} broke off after {output.tell()} bytes"
        return None if self._size() >= max(total, 1) else f"{url} ended after {self._size()} bytes"


@cache
def _get_json(url):
    return requests.get(url, timeout=TIMEOUT).json()


def look_up(file):
    """Address and hash of a file (or ""); figshare and OSF are asked for what ``files.csv`` leaves out."""
    # pooch's own look-up by DOI sees only the first ten files of a figshare article
    name, (kind, _, node) = Path(file.file).name, file.address.partition(":")
    try:
        if kind == "osf":
            entry = _get_json(f"{OSF}/files/{node}/")["data"]
            return entry["links"]["download"], f"sha256:{entry['attributes']['extra']['hashes']['sha256']}"
        if "figshare" in file.address and not file.hash:
            entries = _get_json(f"{FIGSHARE}/articles/{Path(file.page).name}/files?page_size=1000")
            key, wanted = ("name", name) if kind == "figshare" else ("id", Path(file.address).name)
            entry = next(entry for entry in entries if str(entry[key]) == wanted)
            return entry["download_url"], f"md5:{entry['computed_md5']}"
    except (requests.RequestException, ValueError, LookupError, TypeError, StopIteration) as error:
        if kind == "figshare":
            if isinstance(error, OFFLINE):
                raise
            raise requests.HTTPError(f"its address is not in {kind}'s list of files") from error
    return f"{OSF_DOWNLOAD}/{node}/" if kind == "osf" else file.address, file.hash


def unpack(archive):
    """Unpack a zip file into the folder of its name: all of it or nothing."""
    folder, room = archive.with_suffix(""), archive.with_name(f".{archive.stem}.unpacking")
    if folder.exists():
        raise InvalidInput(f"{folder}: expected no such folder before {archive.name} is unpacked; move it away")
    shutil.rmtree(room, ignore_errors=True)
    try:
        pooch.Unzip(extract_dir=room.name)(str(archive), "download", None)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, LookupError) as error:
        raise InvalidInput(f"{archive}: not unpacked ({error}); free the disk, or remove it and fetch again") from error
    room.rename(folder)


def fetch_file(file, raw):
    """Fetch a file below ``raw`` unless it is present, and unpack it; returns what was done, in words."""
    target, path, (state, done) = raw / file.place, locate(file, raw), find_state(file, raw, hashed=True)
    by_hand = f"get it by hand from {file.page}{file.note and f' ({file.note})'} and put it at {target}"
    if state != "present" and file.access == "by hand":
        raise MissingInput(f"{file.place}: expected it to be there, but it is {done or state}; {by_hand}")
    if state == "wrong" and (path != target or len(file.hash) < FULL):
        raise InvalidInput(f"{path}: {done}; remove it, and the same command fetches it")
    if state != "present":
        try:
            address, known = look_up(file)
            download = ResumingDownloader(target, file._replace(hash=known))
            known = known if len(known) >= FULL else None
            path = Path(pooch.retrieve(address, known, target.name, target.parent, downloader=download))
        except requests.RequestException as error:
            reason = f"{urlsplit(error.request.url).netloc} cannot be reached" if error.request else str(error)
            raise MissingInput(f"{file.place}: {reason}; the same command continues later, or {by_hand}") from error
        except OSError as error:
            raise CannotWrite(f"{target}: {error.strerror or error}; what came so far is kept") from error
        except ValueError as error:
            reason = str(error).partition(". ")[0]
            raise InvalidInput(f"{target}: {address} sent a wrong file ({reason}); try again, or {by_hand}") from error
        done = "fetched" if known else f"fetched; no complete hash is published; sha256:{pooch.file_hash(str(path))}"
    if file.unpacks and not locate(file, raw, file.unpacks):
        unpack(path)
    return done or state


def print_states(files, raw, verify=False):
    """Print one line per file; with ``verify``, hash those that are there. Returns 1 where one of these is wrong."""
    counts, by_hand, group = Counter(), {}, None
    for file in files:
        state, detail = find_state(file, raw, hashed=verify)
        if verify and state in ("absent", "partial"):
            continue
        print("\n" * (group not in (None, file.group)), end="")
        counts[state], group = counts[state] + 1, file.group
        cure = "by hand" if file.access == "by hand" else f"fetch {group}"
        print(f"{state:<8} {file.place:<66} {detail if state in ('present', 'wrong') else cure}".rstrip())
        if cure == "by hand" and state == "absent":
            by_hand[group] = f"by hand: {group} from {file.page}\n  ({file.note}; licence: {file.licence})\n"
    print("\n" + (", ".join(f"{n} {state}" for state, n in counts.items()) or "none of these files is there"))
    if not verify:
        print("`realnet data fetch NAME` fetches a dataset, a group (last column) or a file")
        print(*by_hand.values(), sep="", end="", flush=True)
    return int(verify and counts["wrong"] > 0)


def print_study(name):
    """Print one line per thing that a study needs; returns 1 where one is missing, else 0."""
    from realnet.datasets.readiness import required  # only here: fetching needs none of it

    table = required(load_study(name))
    for row in table.itertuples():
        print(f"{'present' if row.path else 'missing'}  {row.dataset}: {row.what}: {row.path or row.cure}")
    missing = list(table.what[table.path == ""])
    print(f"missing: {', '.join(missing)}" if missing else "ready", flush=True)
    return int(bool(missing))


def fetch(files, raw):
    """Fetch files, and print one line for each; returns 1 where one could not be fetched, else 0."""
    failed, offline = False, set()
    for file in files:
        server = urlsplit(file.address).netloc or file.address
        try:
            if server not in offline:
                print(f"{file.place}: {fetch_file(file, raw)}", flush=True)
        except RealnetError as error:
            failed = True
            print(f"realnet: {error}", file=sys.stderr)
            if isinstance(error.__cause__, OFFLINE):
                offline.add(server)  # one sentence per server
    return int(failed)


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="realnet", description="The published files: see data/README.md.")
    parser.add_argument("data", choices=["data"])
    parser.add_argument("command", choices=["status", "fetch", "verify"], help="list, download (resuming), or check")
    parser.add_argument("names", nargs="*", metavar="NAME", help="dataset, group, file or pattern")
    parser.add_argument("--to", metavar="FOLDER", type=Path, help="where the files are, instead of data/raw")
    parser.add_argument("--study", metavar="NAME", help="with status: only what this study needs")
    options = parser.parse_intermixed_args(arguments)
    pooch.get_logger().setLevel("WARNING")
    try:
        if options.study:
            return print_study(options.study)
        files, raw = select(options.names), options.to or project_root() / "data" / "raw"
        if options.command == "fetch":
            access = ("fetch", *["by name"] * bool(options.names), *["by hand"] * (PUBLIC in options.names))
            return fetch([file for file in files if file.access in access] or files, raw)
        wrong = print_states(files, raw, verify=options.command == "verify")
        if options.command != "verify" or options.names:
            return wrong
        from data.trained import print_recognition  # only here: torch takes seconds

        return max(wrong, print_recognition(raw))
    except RealnetError as error:
        print(f"realnet: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command continues", file=sys.stderr)
        return 130
    except BrokenPipeError:  # of `realnet data status | head`
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
