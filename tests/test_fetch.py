import hashlib
import http.server
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from urllib3.util import Retry

from data import fetch
from realnet.errors import InvalidInput

REPOSITORY = Path(__file__).resolve().parents[1]
CONTENT = b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(300_000)
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as ``server.answers`` says, one per request; the last one is repeated."""

    def do_GET(self):
        server = self.server.owner
        server.requests.append(dict(self.headers))
        (server.answers.pop(0) if len(server.answers) > 1 else server.answers[0])(self)

    def log_message(self, *arguments):
        pass

    def send(self, body, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def begin(self):
        return int(self.headers.get("Range", "bytes=0-")[6:-1])


def whole(handler, body=CONTENT, etag='"1"', status=None):
    """A good server: honours Range and If-Range."""
    begin = handler.begin() if handler.headers.get("If-Range", etag) == etag else 0
    if begin >= len(body):
        return handler.send(b"", 416)
    of = {"Content_Range": f"bytes {begin}-{len(body) - 1}/{len(body)}"} if begin else {}
    return handler.send(body[begin:], 206 if begin else 200, ETag=etag, **of)


def truncated(handler, n_bytes=100_000, etag='"1"'):
    """Promises everything, and closes after some bytes."""
    begin = handler.begin()
    of = {"Content_Range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"} if begin else {}
    body = CONTENT[begin : begin + n_bytes]
    handler.send(body, 206 if begin else 200, length=len(CONTENT) - begin, ETag=etag, **of)


def sends(body, status=200, **headers):
    return lambda handler: handler.send(body, status, **headers)


@pytest.fixture
def server(monkeypatch):
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads, stop = True, threading.Event()
    address = f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.owner = SimpleNamespace(answers=[whole], requests=[], address=address, stop=stop)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setattr(fetch, "FIGSHARE", f"{address}/figshare")
    monkeypatch.setattr(fetch, "OSF", f"{address}/osf")
    monkeypatch.setattr(fetch, "RETRY", Retry(2, status_forcelist=fetch.RETRY.status_forcelist, raise_on_status=False))
    monkeypatch.setattr(fetch, "TIMEOUT", 5)
    yield httpd.owner
    stop.set()
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def raw(server, tmp_path, monkeypatch):
    """A project with one published file, ``shen2019/fmri/a.h5``; ``raw.table`` replaces values of its row."""
    row = dict.fromkeys(pd.read_csv(fetch.FILES, nrows=0).columns, "") | {
        "dataset": "shen2019", "group": "shen2019-A", "file": "fmri/a.h5", "address": f"{server.address}/a", "hash": SHA,
        "licence": "CC0", "access": "fetch", "page": "https://page/7",
    }  # fmt: skip

    def table(**values):
        pd.DataFrame([row | values]).to_csv(tmp_path / "files.csv", index=False)

    table()
    monkeypatch.setattr(fetch, "FILES", tmp_path / "files.csv")
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    folder = tmp_path / "data" / "raw"
    return SimpleNamespace(table=table, folder=folder, file=folder / "shen2019" / "fmri" / "a.h5")


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def run(*arguments):
    return fetch.main(["data", *arguments])


def is_whole(path):
    """The right file, and nothing beside it."""
    return path.read_bytes() == CONTENT and [p.name for p in path.parent.iterdir()] == [path.name]


# --- downloads ---


@pytest.mark.parametrize("known", [SHA, MD5, SHA[:15], ""])
def test_a_file_is_fetched_once(server, raw, capsys, known):
    raw.table(hash=known)
    assert run("fetch", "shen2019") == 0
    assert is_whole(raw.file)
    assert run("fetch", "a.h5") == 0
    assert len(server.requests) == 1
    told = "fetched" if known in (SHA, MD5) else f"fetched; no complete hash is published; {SHA}"
    assert capsys.readouterr().out == f"shen2019/fmri/a.h5: {told}\nshen2019/fmri/a.h5: present\n"


def test_a_download_that_is_cut_off_is_resumed_with_range(server, raw):
    server.answers[:] = [truncated, truncated, whole]
    assert run("fetch") == 0
    assert is_whole(raw.file)
    begins = [int(request.get("Range", "bytes=0-")[6:-1]) for request in server.requests]
    assert begins[0] == 0 < begins[1] < begins[2]
    assert server.requests[1]["If-Range"] == '"1"'


def test_a_killed_process_leaves_a_part_that_the_next_call_continues(server, raw):
    def stalls(handler):
        handler.send(CONTENT[:200_000], length=len(CONTENT), ETag='"1"')
        server.stop.wait()

    server.answers[:] = [stalls, whole]
    code = (
        "import pathlib, sys; from data import fetch; fetch.FILES = pathlib.Path(sys.argv[1]); fetch.main(sys.argv[2:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(fetch.FILES), "data", "fetch"],
        cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    part, end = raw.file.with_name("a.h5.part"), time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    process.wait()
    kept = part.stat().st_size
    assert 100_000 < kept < len(CONTENT) and not raw.file.exists()
    assert run("fetch") == 0
    assert is_whole(raw.file)
    assert server.requests[-1]["Range"] == f"bytes={kept}-"


def test_a_server_that_always_truncates_is_noticed(server, raw, capsys):
    raw.table(hash="")
    server.answers[:] = [lambda handler: handler.send(CONTENT[:1000], length=len(CONTENT))]
    assert run("fetch") == 1
    assert not raw.file.exists()
    assert "broke off after" in capsys.readouterr().err


def test_a_server_without_range_sends_everything_again(server, raw):
    server.answers[:] = [truncated, sends(CONTENT)]
    assert run("fetch") == 0
    assert is_whole(raw.file)


@pytest.mark.parametrize("known", ["", SHA])
def test_a_changed_file_is_not_glued_to_the_old_part(server, raw, known):
    raw.table(hash=known)
    server.answers[:] = [lambda handler: truncated(handler, etag='"old"'), sends(b"", 404)]
    assert run("fetch") == 1
    kept = raw.file.with_name("a.h5.part")
    kept.write_bytes(bytes(kept.stat().st_size))  # the old version differed
    server.answers[:] = [lambda handler: whole(handler, etag='"new"')]
    assert run("fetch") == 0
    assert is_whole(raw.file)
    assert server.requests[-1]["If-Range"] == '"old"'


def test_wrong_bytes_are_refused_and_the_old_file_stays(server, raw, capsys):
    put(raw.file, b"old")
    for body, known, says in (
        (b"lie", SHA, "hash"),
        (b"lie", SHA[:15], "sha256"),
        (b"<!DOCTYPE html>", SHA[:15], "web page"),
    ):
        server.answers[:] = [sends(body)]
        raw.table(hash=known)
        if known != SHA:  # pooch cannot compare the beginning of a hash, so the user removes the old file
            raw.file.unlink(missing_ok=True)
        assert run("fetch") == 1
        assert re.search(rf"sent a wrong file \(.*{says}.*by hand from https://page", capsys.readouterr().err)
        assert [p.read_bytes() for p in raw.file.parent.iterdir()] == ([b"old"] if known == SHA else [])


@pytest.mark.parametrize(
    ("status", "body"), [(202, b""), (200, b""), (403, b"no"), (404, b""), (503, b"")]
)  # figshare answers programs with an empty 202 at times
def test_a_refusal_is_one_sentence_with_the_place_for_the_file(server, raw, capsys, status, body):
    server.answers[:] = [sends(body, status)]
    assert run("fetch") == 1
    sentence = capsys.readouterr().err
    assert f"{status}" in sentence or "ended after 0 bytes" in sentence
    assert (
        sentence.endswith(f"get it by hand from https://page/7 and put it at {raw.file}\n")
        and sentence.count("\n") == 1
    )
    assert not raw.file.exists()
    server.answers[:] = [sends(body, 202), whole]  # a busy server is asked again
    assert run("fetch") == 0


def test_offline_there_is_one_sentence_per_server(raw, tmp_path, capsys):
    table = pd.concat([pd.read_csv(fetch.FILES, dtype=str)] * 2, ignore_index=True)
    table["file"], table["address"] = ["a.h5", "b.h5"], "http://127.0.0.1:9/file"
    table.to_csv(fetch.FILES, index=False)
    assert run("fetch") == 1
    assert re.fullmatch(
        r"realnet: shen2019/a.h5: 127.0.0.1:9 cannot be reached; .*by hand.*\n", capsys.readouterr().err
    )


# --- the lists of files of the publishers ---


def listed(server, listing):
    """The publisher's list of files at its place, the file at every other one."""
    server.answers[:] = [
        lambda handler: handler.send(json.dumps(listing).encode()) if "files" in handler.path else whole(handler)
    ]


# --- archives ---


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_an_archive_is_unpacked_beside_itself_and_needed_no_more(server, raw):
    raw.table(file="sub-01.zip", unpacks="sub-01/test.npy", hash="")
    server.answers[:] = [sends(zipped(**{"sub-01/test.npy": b"1"}))]
    put(raw.folder / "shen2019/.sub-01.unpacking/sub-01/test.npy", b"half")  # of a killed process
    assert run("fetch") == 0
    assert (raw.folder / "shen2019/sub-01/sub-01/test.npy").read_bytes() == b"1"
    (raw.folder / "shen2019/sub-01.zip").unlink()
    assert run("fetch") == 0 and len(server.requests) == 1
    assert sorted(path.name for path in (raw.folder / "shen2019").iterdir()) == ["sub-01"]


@pytest.mark.parametrize("member", ["../outside", "/outside", "a/../../outside"])
def test_a_zip_member_does_not_leave_the_folder(server, raw, member):
    raw.table(file="a.zip", unpacks="fine", hash="")
    server.answers[:] = [sends(zipped(**{"fine": b"1", member: b"2"}))]
    assert run("fetch") == 0
    outside = [path for path in raw.folder.parents[1].rglob("outside") if path.is_file()]
    assert all((raw.folder / "shen2019/a") in path.parents for path in outside) and not Path("/outside").exists()


# --- the command line ---


def test_status_names_the_state_of_each_file_and_how_to_get_it(raw, capsys):
    def line():
        assert run("status") == 0
        return " ".join(capsys.readouterr().out.splitlines()[0].split())

    raw.table(size="300008")
    assert line() == "absent shen2019/fmri/a.h5 fetch shen2019-A"
    put(raw.file.with_name("a.h5.part"), b"1")
    assert line() == "partial shen2019/fmri/a.h5 fetch shen2019-A"
    put(raw.file, b"1")
    assert line() == "wrong shen2019/fmri/a.h5 wrong size (1 bytes instead of 300008)"
    put(raw.file, CONTENT)
    assert line() == "present shen2019/fmri/a.h5"
    raw.file.rename(raw.folder / "shen2019" / "a.h5")  # any depth below the dataset will do
    assert line() == "present shen2019/fmri/a.h5"


def test_verify_reads_the_files(raw, capsys):
    put(raw.file, CONTENT)
    assert run("verify") == 0
    put(raw.file, CONTENT[:-1] + b"?")
    assert run("status") == 0 and run("verify", "a.h5") == 1
    assert "wrong sha256" in capsys.readouterr().out


def test_what_is_got_by_hand_says_where(raw, capsys):
    raw.table(access="by hand", address="", note="fill in the form")
    assert run("fetch", "shen2019") == 1
    assert "get it by hand from https://page/7 (fill in the form)" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["", "data/raw/a.h5"])
def test_status_of_a_study_ends_with_ready_or_what_is_missing(monkeypatch, capsys, path):
    row = {"dataset": "shen2019", "what": "responses of sub-01", "path": path, "cure": "realnet data fetch shen2019"}
    asked = SimpleNamespace(required=lambda study: pd.DataFrame([row]))
    monkeypatch.setitem(sys.modules, "realnet.datasets.readiness", asked)
    monkeypatch.setattr(fetch, "load_study", lambda name: name)
    assert run("status", "--study", "paper") == (0 if path else 1)
    last = capsys.readouterr().out.splitlines()
    assert last[0].endswith(f"shen2019: responses of sub-01: {path or row['cure']}")
    assert last[-1] == ("ready" if path else "missing: responses of sub-01")


def test_ctrl_c_says_that_the_same_command_continues(monkeypatch, raw, capsys):
    def stop(file, raw):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "fetch_file", stop)
    assert run("fetch") == 130
    assert capsys.readouterr().err == "stopped; the same command continues\n"


# --- data/files.csv ---


def test_the_table_is_consistent():
    files = fetch.read_files()
    readme = (REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")
    assert len({file.place for file in files}) == len(files) == 70
    for file in files:
        assert file.licence and file.page.startswith("http") and not {"..", ""} & set(file.place[:-1].split("/"))
        assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:([0-9a-f]{8}|[0-9a-f]{64})", file.hash)
        assert re.fullmatch(r"\d*", file.size)
        assert file.access in ("fetch", "by name", "by hand") and bool(file.address) == (file.access != "by hand")
        assert f"`{file.dataset}/" in readme and (file.group == file.dataset or f"`{file.group}`" in readme)


def test_the_hashes_in_the_table_are_those_of_the_real_files(real_data):
    found = [(path, file) for file in fetch.read_files() if file.hash for path in real_data.rglob(file.tail)]
    assert len(found) == 6
    assert [fetch.find_problem(path, file) for path, file in found] == [None] * 6


def test_names_select_datasets_groups_files_and_patterns():
    def names(*chosen):
        return [file.file for file in fetch.select(chosen)]

    assert names("cornet_s") == ["cornet_s-1d3f7974.pth"]
    assert len(names("shen2019-C-vc")) == 6 and len(names("sub-01_*")) == 11
    assert all("original" in name for name in names("shen2019") if name.endswith(".h5"))
    with pytest.raises(InvalidInput, match=r"shen2020: expected .*horikawa2017"):
        names("shen2020")
