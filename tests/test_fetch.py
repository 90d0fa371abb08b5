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
from requests.adapters import Retry

from data import fetch

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


def whole(handler, body=CONTENT, etag='"1"', n_bytes=None):
    """A good server, which honours Range and If-Range; with ``n_bytes``, closes after so many bytes of the rest."""
    begin = handler.begin() if handler.headers.get("If-Range", etag) == etag else 0
    of = {"Content_Range": f"bytes {begin}-{len(body) - 1}/{len(body)}"} if begin else {}
    handler.send(body[begin:][:n_bytes], 206 if begin else 200, length=len(body) - begin, ETag=etag, **of)


def truncated(handler, etag='"1"'):
    whole(handler, etag=etag, n_bytes=100_000)


def sends(body, status=200, **headers):
    return lambda handler: handler.send(body, status, **headers)


@pytest.fixture
def server(monkeypatch):
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads, address, stop = True, f"http://127.0.0.1:{httpd.server_address[1]}", threading.Event()
    httpd.owner = SimpleNamespace(answers=[whole], requests=[], address=address, stop=stop)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setattr(fetch, "FIGSHARE", f"{address}/figshare")
    monkeypatch.setattr(fetch, "OSF", f"{address}/osf")
    monkeypatch.setattr(fetch, "OSF_DOWNLOAD", f"{address}/x")
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
        "dataset": "shen2019", "group": "shen2019-A", "file": "fmri/a.h5", "address": f"{server.address}/a",
        "hash": SHA, "licence": "CC0", "access": "fetch", "page": "https://page/7",
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
    assert run("fetch") == 0 and is_whole(raw.file)
    begins = [int(request.get("Range", "bytes=0-")[6:-1]) for request in server.requests]
    assert begins[0] == 0 < begins[1] < begins[2]


def test_a_killed_process_leaves_a_part_that_the_next_call_continues(server, raw):
    def stalls(handler):
        handler.send(CONTENT[:200_000], length=len(CONTENT), ETag='"1"')
        server.stop.wait()

    server.answers[:] = [stalls, whole]
    code = "import sys; from data import fetch; fetch.FILES = sys.argv[1]; fetch.main(sys.argv[2:])"
    code = [sys.executable, "-c", code, str(fetch.FILES), "data", "fetch"]
    process = subprocess.Popen(code, cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    part, end = raw.file.with_name("a.h5.part"), time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()  # SIGKILL
    process.wait()
    kept = part.stat().st_size
    assert 100_000 < kept < len(CONTENT) and not raw.file.exists()
    assert run("fetch") == 0 and is_whole(raw.file)
    assert server.requests[-1]["Range"] == f"bytes={kept}-"


def test_a_server_that_always_truncates_is_noticed(server, raw, capsys):
    raw.table(hash="")
    server.answers[:] = [sends(CONTENT[:1000], length=len(CONTENT))]
    assert run("fetch") == 1
    assert "broke off after" in capsys.readouterr().err and not raw.file.exists()


@pytest.mark.parametrize("known", ["", SHA])
def test_a_changed_file_is_not_glued_to_the_old_part(server, raw, known):
    raw.table(hash=known)
    server.answers[:] = [lambda handler: truncated(handler, etag='"old"'), sends(b"", 404)]
    assert run("fetch") == 1
    kept = raw.file.with_name("a.h5.part")
    kept.write_bytes(bytes(kept.stat().st_size))  # the old version differed
    server.answers[:] = [lambda handler: whole(handler, etag='"new"')]
    assert run("fetch") == 0 and is_whole(raw.file)
    assert server.requests[-1]["If-Range"] == '"old"'


@pytest.mark.parametrize(("known", "says"), [(SHA, "SHA256 hash"), (SHA[:15], "wrong sha256"), ("", "web page")])
def test_wrong_bytes_are_refused_and_the_old_file_stays(server, raw, capsys, known, says):
    raw.table(hash=known)
    server.answers[:] = [sends(b"<!DOCTYPE html>")] if known == "" else [sends(b"lie")]
    kept = [b"old"] if known == SHA else []  # without a full hash, the user removes the old file
    for content in kept:
        put(raw.file, content)
    assert run("fetch") == 1
    assert re.search(rf"sent a wrong file \(.*{says}.*by hand from https://page/7", capsys.readouterr().err)
    assert [path.read_bytes() for path in raw.file.parent.iterdir()] == kept
    server.answers[:] = [whole]
    assert run("fetch") == 0 and is_whole(raw.file)


@pytest.mark.parametrize("status", [202, 200, 403, 404, 503])  # figshare answers programs with an empty 202 at times
def test_an_empty_answer_or_an_error_is_one_sentence_with_the_place_for_the_file(server, raw, capsys, status):
    server.answers[:] = [sends(b"", status)]
    assert run("fetch") == 1 and not raw.file.exists()
    says = f"answered {status} (.*)" if status != 200 else "ended after 0 bytes"
    place = rf"get it by hand from https://page/7 and put it at {re.escape(str(raw.file))}"
    assert re.fullmatch(rf"realnet: shen2019/fmri/a.h5: .*{says}; .*{place}\n", capsys.readouterr().err)
    server.answers[:] = [sends(b"", 202), whole]  # a busy server is asked again
    assert run("fetch") == 0


def test_offline_there_is_one_sentence_per_server(raw, capsys):
    table = pd.concat([pd.read_csv(fetch.FILES, dtype=str)] * 2, ignore_index=True)
    table["file"], table["address"] = ["a.h5", "b.h5"], "http://127.0.0.1:9/file"
    table.to_csv(fetch.FILES, index=False)
    assert run("fetch") == 1
    assert re.fullmatch(r"realnet: shen2019/a.h5: 127.0.0.1:9 cannot be reached; .*\n", capsys.readouterr().err)


@pytest.mark.parametrize("address", ["figshare:7", "{}/figshare/12", "osf:abcde"])
def test_the_list_of_the_publisher_gives_address_and_hash(server, raw, address):
    entry = {"name": "a.h5", "id": 12, "download_url": f"{server.address}/x", "computed_md5": MD5[4:]}
    about = {"name": "a.h5", "extra": {"hashes": {"sha256": SHA[7:]}}}
    other = entry | {"name": "b.h5", "id": 11, "computed_md5": "1" * 32}
    osf = {"data": {"attributes": about, "links": {"download": f"{server.address}/x"}}}
    listing, body = json.dumps(osf if "osf" in address else [other, entry]).encode(), b"lie"
    server.answers[:] = [lambda handler: handler.send(listing if "/files" in handler.path else body)]
    raw.table(address=address.format(server.address), hash="")
    assert run("fetch") == 1 and not raw.file.exists()
    body = CONTENT
    assert run("fetch") == 0 and is_whole(raw.file)


def test_a_file_of_osf_is_fetched_by_its_id_where_the_list_does_not_answer(server, raw):
    server.answers[:] = [lambda handler: whole(handler) if "/x/abcde/" in handler.path else handler.send(b"", 404)]
    raw.table(address="osf:abcde", hash="")
    assert run("fetch") == 0 and is_whole(raw.file)


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
    put(raw.folder / "shen2019/.sub-01.unpacking/half", b"half")  # of a killed process
    assert run("fetch") == 0
    (raw.folder / "shen2019/sub-01.zip").unlink()
    assert run("fetch") == 0 and len(server.requests) == 1
    assert {path.name for path in raw.folder.rglob("*") if path.is_file()} == {"test.npy"}


def test_status_and_verify_name_the_state_of_each_file_and_how_to_get_it(raw, capsys):
    def line(command="status", code=0):
        assert run(command) == code
        return " ".join(capsys.readouterr().out.splitlines()[0].split())

    raw.table(size=str(len(CONTENT)))
    assert line() == "absent shen2019/fmri/a.h5 fetch shen2019-A"
    put(raw.file.with_name("a.h5.part"), b"1")
    assert line() == "partial shen2019/fmri/a.h5 fetch shen2019-A"
    put(raw.file, b"1")
    assert line() == f"wrong shen2019/fmri/a.h5 wrong size (1 bytes instead of {len(CONTENT)})"
    put(raw.file, CONTENT[:-1] + b"?")
    assert line() == "present shen2019/fmri/a.h5"
    assert line("verify", 1).startswith("wrong shen2019/fmri/a.h5 wrong sha256")
    put(raw.folder / "shen2019" / "a.h5", CONTENT)  # any depth below the dataset will do
    raw.file.unlink()
    assert line("verify") == "present shen2019/fmri/a.h5"


def test_what_is_got_by_hand_says_where(raw, capsys):
    raw.table(access="by hand", address="", note="fill in the form")
    assert run("fetch", "shen2019") == 1
    assert "get it by hand from https://page/7 (fill in the form)" in capsys.readouterr().err


def test_one_command_fetches_the_public_study_and_names_the_folder_to_be_got_by_hand(raw, capsys):
    row = dict(pd.read_csv(fetch.FILES, dtype=str, keep_default_na=False).iloc[0])
    weights = row | {"dataset": "realnet_weights", "group": "realnet_weights", "file": "", "access": "by hand",
                     "address": "", "hash": "", "note": "Google Drive folder"}  # fmt: skip
    pd.DataFrame([row, weights]).to_csv(fetch.FILES, index=False)
    assert run("fetch", "public") == 1 and is_whole(raw.file)
    place = raw.folder / "realnet_weights"
    assert re.search(
        rf"by hand from https://page/7 \(Google Drive folder\) and put it at {place}", capsys.readouterr().err
    )
    put(place / "sub-01" / "encoder.pt", b"1")
    assert run("fetch", "public") == 0


@pytest.mark.parametrize("path", ["", "data/raw/a.h5"])
def test_status_of_a_study_ends_with_ready_or_what_is_missing(monkeypatch, capsys, path):
    row = {"dataset": "shen2019", "what": "responses of sub-01", "path": path, "cure": "realnet data fetch shen2019"}
    module = SimpleNamespace(required=lambda study: pd.DataFrame([row]))
    monkeypatch.setitem(sys.modules, "realnet.datasets.readiness", module)
    monkeypatch.setattr(fetch, "load_study", lambda name: name)
    assert run("status", "--study", "paper") == (0 if path else 1)
    first, last = capsys.readouterr().out.splitlines()
    assert first.endswith(f"shen2019: responses of sub-01: {path or row['cure']}")
    assert last == ("ready" if path else "missing: responses of sub-01")


def test_a_server_without_range_sends_everything_again(server, raw):
    server.answers[:] = [truncated, sends(CONTENT)]
    assert run("fetch") == 0 and is_whole(raw.file)


@pytest.mark.parametrize("member", ["../outside", "/outside", "a/../../outside"])
def test_a_zip_member_does_not_leave_the_folder(server, raw, member):
    raw.table(file="a.zip", unpacks="fine", hash="")
    server.answers[:] = [sends(zipped(**{"fine": b"1", member: b"2"}))]
    assert run("fetch") == 0
    outside = [path for path in raw.folder.parents[1].rglob("outside") if path.is_file()]
    assert all((raw.folder / "shen2019/a") in path.parents for path in outside) and not Path("/outside").exists()
