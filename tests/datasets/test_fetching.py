import hashlib
import os
import resource
import signal
import socket
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from realnet.datasets import fetching
from realnet.datasets.fetching import Download, find_problem
from realnet.errors import InvalidInput, MissingInput, RealnetError

CONTENT = b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(300_000)
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


def whole(h, body=CONTENT, etag=None):
    """A good server: honours Range, and If-Range with its ETag."""
    marks = {"ETag": etag} if etag else {}
    start = h.offset()
    if start and h.headers.get("If-Range") not in (None, etag):
        start = 0
    if start >= len(body):
        return h.send(b"", 416)
    if start:
        return h.send(body[start:], 206, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}", **marks)
    return h.send(body, **marks)


def truncates(h, n=100_000, etag=None):
    """Promises the rest and closes after n bytes of it."""
    start = h.offset()
    marks = {"ETag": etag} if etag else {}
    if start:
        marks["Content_Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    h.send(CONTENT[start : start + n], 206 if start else 200, length=len(CONTENT) - start, **marks)


def stalls(h):
    """Sends something and then nothing, without closing."""
    h.send(CONTENT[:50_000], length=len(CONTENT))
    h.server.world.stop.wait()


def dies(h):
    """Resets the connection in the middle."""
    h.send(CONTENT[:70_000], length=len(CONTENT))
    h.wfile.flush()
    h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, no goodbye
    h.connection.close()


def ignores_range(h):
    h.send(CONTENT)


def wrong_place(h):
    start = h.offset()
    if not start:
        return h.send(CONTENT[:1000], length=len(CONTENT))
    return h.send(CONTENT[start - 7 :], 206, Content_Range=f"bytes {start - 7}-{len(CONTENT) - 1}/{len(CONTENT)}")


def answer(status, body=b"", **headers):
    return lambda h: h.send(body, status, **headers)


@pytest.fixture
def get(server, tmp_path):
    """Downloads from the server with short pauses; returns the path of the file."""

    def run(*behaviours, target=tmp_path / "raw" / "sub-01.h5", **options):
        server.behaviours[:] = behaviours or [whole]
        options = {"timeout": 5.0, "attempts": 3, "pause": 0.01, "progress": False, "page": "https://page"} | options
        Download(server.address, target, **options).run()
        return target

    run.target = tmp_path / "raw" / "sub-01.h5"
    run.folder = run.target.parent
    return run


def is_whole(path):
    """The right file under its name, and nothing beside it."""
    return path.read_bytes() == CONTENT and [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "known", [{}, {"size": len(CONTENT)}, {"known_hash": SHA}, {"known_hash": MD5}, {"known_hash": SHA[:15]}]
)
def test_a_file_comes_whole_and_takes_its_name(get, known):
    assert is_whole(get(**known))


@pytest.mark.parametrize("break_off", [truncates, stalls, dies])
def test_a_broken_transfer_goes_on_where_it_broke(get, server, break_off):
    assert is_whole(get(break_off, whole, known_hash=SHA, timeout=2 if break_off is stalls else 5))
    assert int(server.requests[1]["Range"].strip("bytes=-")) > 0


def test_many_breaks_are_no_failure_as_long_as_bytes_come(get, server):
    assert is_whole(get(lambda h: truncates(h, 30_000), known_hash=SHA, attempts=2))
    assert len(server.requests) >= 11  # 30,000 of 300,008 bytes each


def test_a_later_call_goes_on_after_a_call_that_gave_up(get, server):
    with pytest.raises(MissingInput, match="100000 bytes are kept"):
        get(truncates, answer(503), known_hash=SHA)
    assert not get.target.exists()
    server.requests.clear()
    assert is_whole(get(whole, known_hash=SHA))
    assert server.requests[0]["Range"] == "bytes=100000-"


def test_a_server_that_ignores_range_sends_everything_again(get):
    assert is_whole(get(truncates, ignores_range, known_hash=SHA))


def test_a_server_that_goes_on_at_the_wrong_place_is_not_believed(get):
    assert is_whole(get(wrong_place, wrong_place, whole, known_hash=SHA, attempts=4))


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_error_is_tried_again(get, server, status):
    assert is_whole(get(answer(status), answer(status), whole, known_hash=SHA))
    assert len(server.requests) == 3


def test_an_empty_202_is_tried_again_and_then_explained(get, server):
    assert is_whole(get(answer(202), whole))
    get.target.unlink()
    with pytest.raises(MissingInput, match=r"202 with nothing in it, as figshare.*by hand from https://page"):
        get(answer(202))
    assert list(get.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "says"), [(403, "refuses downloads by programs"), (404, "no such file"), (401, "login")]
)
def test_a_refusal_is_explained_at_once_with_the_place_for_the_file(get, server, status, says):
    with pytest.raises(MissingInput, match=says) as caught:
        get(answer(status, b"<html>no</html>"))
    assert "https://page" in str(caught.value)
    assert str(get.target) in str(caught.value)
    assert len(server.requests) == 1
    assert list(get.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "known", "says"),
    [
        (CONTENT[:-1] + b"?", {"known_hash": SHA}, "instead of"),
        (CONTENT[:-1] + b"?", {"known_hash": MD5}, "instead of"),
        (CONTENT + b"more", {"size": len(CONTENT)}, "300012 bytes instead of 300008"),
        (b"<!DOCTYPE html><title>Log in</title>", {}, "a web page"),
        (b"  <html>", {"size": 8}, "a web page"),
        (b"no such thing", {}, "no .h5 file"),
    ],
)
def test_wrong_bytes_never_take_the_name(get, body, known, says):
    with pytest.raises(InvalidInput, match=says):
        get(answer(200, body), **known)
    assert list(get.folder.iterdir()) == []


def test_wrong_bytes_do_not_replace_a_file_that_is_there(get):
    get()
    with pytest.raises(InvalidInput):
        get(answer(200, b"\x89HDFwrong"), known_hash=SHA)
    assert is_whole(get.target)


def test_an_empty_file_is_no_file(get):
    with pytest.raises(MissingInput, match="200 with nothing in it"):
        get(answer(200))


def test_a_beginning_of_another_version_is_not_glued_to_this_one(get, server):
    def old(h):
        h.send(b"\x89HDF" + bytes(100_000), length=len(CONTENT), ETag='"old"')

    with pytest.raises(MissingInput):
        get(old, answer(404), attempts=1)
    assert is_whole(get(lambda h: whole(h, etag='"new"')))  # If-Range names the old version: everything comes anew
    assert server.requests[-1]["If-Range"] == '"old"'


def test_without_hash_and_version_mark_nothing_is_resumed(get, server):
    with pytest.raises(MissingInput):
        get(truncates, answer(404), attempts=1)
    server.requests.clear()
    assert is_whole(get(whole))
    assert "Range" not in server.requests[0]


def test_a_damaged_beginning_is_thrown_away_and_everything_fetched_once_more(get, server):
    get.folder.mkdir()
    (get.folder / "sub-01.h5.part").write_bytes(b"\x89HDF" + bytes(1000))
    assert is_whole(get(whole, known_hash=SHA))
    assert ["Range" in request for request in server.requests] == [True, False]


def test_a_beginning_longer_than_the_file_is_thrown_away(get):
    get.folder.mkdir()
    (get.folder / "sub-01.h5.part").write_bytes(bytes(len(CONTENT) + 5))
    assert is_whole(get(whole, known_hash=SHA))


def test_a_file_of_unknown_length_without_hash_is_refused(get):
    with pytest.raises(InvalidInput, match="does not say how long"):
        get(lambda h: h.send(CONTENT, length=False))
    assert is_whole(get(lambda h: h.send(CONTENT, length=False), known_hash=SHA))


def test_a_server_that_is_not_there_is_explained(get, server, tmp_path):
    with pytest.raises(MissingInput, match="cannot be reached"):
        Download("http://127.0.0.1:9/file", tmp_path / "a.h5", attempts=2, pause=0.01, progress=False).run()


def test_a_name_that_nobody_knows_is_asked_for_once(tmp_path, monkeypatch):
    asked, said, unreachable = [], [], set()

    def unknown(host, *arguments, **options):
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    options = {"report": said.append, "unreachable": unreachable, "pause": 60.0, "progress": False}
    for name in "ab":  # the second file of the host is not asked for
        with pytest.raises(MissingInput, match=r"osf\.io.*by hand"):
            Download(f"https://osf.io/{name}", tmp_path / name, **options).run()
    assert (asked, said, unreachable) == (["osf.io"], [], {"osf.io"})


def test_each_retry_is_reported_and_an_answer_keeps_the_host(get, server):
    said, unreachable = [], set()
    with pytest.raises(MissingInput):
        get(answer(503), report=said.append, unreachable=unreachable)
    assert [sentence[-16:] for sentence in said] == ["(attempt 2 of 3)", "(attempt 3 of 3)"]
    assert "answered 503" in said[0] and "trying again" in said[0]
    assert unreachable == set()  # the host is there


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://x/y", ""])
def test_other_kinds_of_addresses_are_refused(tmp_path, address):
    with pytest.raises(InvalidInput, match="http"):
        Download(address, tmp_path / "a.h5").run()


def test_a_disk_that_is_too_small_is_noticed_before_the_transfer(get, monkeypatch):
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(RealnetError, match="free some space"):
        get()
    assert not get.target.exists()


def test_a_disk_that_fills_up_keeps_what_came_and_the_next_call_goes_on(get, server):
    # a limit on the size of files of this process is a disk that is full, for the one who writes
    old_limit, old_signal = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, old_limit[1]))
    try:
        with pytest.raises(RealnetError, match=r"cannot be written .*free some space"):
            get(known_hash=SHA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_signal)
    assert not get.target.exists()
    server.requests.clear()
    assert is_whole(get(whole, known_hash=SHA))
    assert "Range" in server.requests[0]


def test_a_folder_that_cannot_be_written_is_explained(get, tmp_path, monkeypatch):
    if os.geteuid() == 0:  # for root every folder is writable, so the system call is told to refuse

        def refuse(*arguments, **options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(fetching.Path, "open", refuse)
    else:
        get.folder.mkdir()
        get.folder.chmod(0o555)
    with pytest.raises(RealnetError, match="make the folder writable"):
        get(known_hash=SHA)
    (tmp_path / "file").touch()
    with pytest.raises(RealnetError, match="cannot be written"):  # a file where the folder should be
        get(target=tmp_path / "file" / "sub-01.h5")


def test_no_call_hangs_on_a_server_that_says_nothing(get):
    with pytest.raises(MissingInput, match="timed out"):  # the server would wait until the end of the test
        get(lambda h: h.server.world.stop.wait(), attempts=2, timeout=0.3)


def test_problems_of_a_file_are_named(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(CONTENT)
    assert find_problem(path, len(CONTENT), SHA) is None
    assert "bytes instead of 3" in find_problem(path, 3, None)
    path.write_bytes(b"")
    assert find_problem(path, None, None) == "an empty file"
