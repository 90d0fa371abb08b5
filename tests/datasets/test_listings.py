import hashlib
import json
from dataclasses import replace

import pytest

from realnet.datasets import listings, registry
from realnet.datasets.catalogue import PublishedFile
from realnet.errors import InvalidInput, MissingInput

CONTENT = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 40
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = hashlib.md5(CONTENT).hexdigest()
FAST = {"progress": False, "timeout": 10.0, "attempts": 2, "pause": 0.01}


def by_path(**answers):
    """A behaviour that answers by the last part of the path."""

    def behave(handler):
        part = handler.path.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
        handler.send(answers.get(part, b""), 200 if part in answers else 404)

    return behave


@pytest.fixture
def file(server):
    return PublishedFile("shen2019/fmri/a.h5", "CC0", "https://page", server.address, size=len(CONTENT), hash=SHA)


@pytest.fixture(autouse=True)
def fresh_listings(monkeypatch, server):
    """Listings are asked for at the test server, and not remembered from another test."""
    monkeypatch.setattr(listings, "FIGSHARE_API", server.address)
    monkeypatch.setattr(listings, "OSF_API", server.address)
    listings._read_listing.cache_clear()


def figshare(server, **entry):
    entry = {
        "name": "a.h5",
        "id": 7,
        "download_url": f"{server.address}/7",
        "size": len(CONTENT),
        "computed_md5": MD5,
    } | entry
    return json.dumps([{**entry, "name": "other.h5", "id": 1}, entry]).encode()


def test_an_address_that_only_figshare_knows_is_looked_up_with_size_and_md5(server, tmp_path, file):
    file = replace(file, address="", listing="figshare:1", hash=None, size=None)
    server.behaviours[:] = [by_path(files=figshare(server), **{"7": CONTENT})]
    said = []
    path = registry.fetch_file(file, tmp_path, report=said.append, **FAST)
    assert path.read_bytes() == CONTENT
    assert said == []
    assert json.loads((tmp_path / "lock.json").read_text())[file.place]["published"] == f"md5:{MD5}"


def test_the_md5_of_figshare_keeps_wrong_bytes_out(server, tmp_path, file):
    file = replace(file, address=f"{server.address}/7", listing="figshare:1", hash=None, size=None)
    server.behaviours[:] = [by_path(files=figshare(server, name="renamed.h5"), **{"7": CONTENT[:-1] + b"?"})]
    with pytest.raises(InvalidInput, match=f"instead of {MD5}"):
        registry.fetch_file(file, tmp_path, **FAST)
    assert not (tmp_path / file.place).exists()


def test_an_osf_listing_is_followed_to_its_last_page(server, tmp_path, file):
    file = replace(file, address="", listing="osf:abcde", hash=None, size=None)

    def entry(name):
        about = {"kind": "file", "name": name, "size": len(CONTENT), "extra": {"hashes": {"sha256": SHA[7:]}}}
        return {"attributes": about, "links": {"download": f"{server.address}/7"}}

    first = {"data": [entry("x.h5"), {"attributes": {"kind": "folder"}}], "links": {"next": f"{server.address}/second"}}
    second = {"data": [entry("a.h5")], "links": {"next": None}}
    answers = {"osfstorage": json.dumps(first).encode(), "second": json.dumps(second).encode(), "7": CONTENT}
    server.behaviours[:] = [by_path(**answers)]
    assert registry.fetch_file(file, tmp_path, **FAST).read_bytes() == CONTENT


def test_a_listing_whose_host_does_not_answer_is_asked_once(tmp_path, file, monkeypatch):
    monkeypatch.setattr(listings, "FIGSHARE_API", "http://127.0.0.1:9")
    file, asked, unreachable = replace(file, listing="figshare:1", hash=None), [], set()
    ask = listings._get_json
    monkeypatch.setattr(listings, "_get_json", lambda address: asked.append(address) or ask(address))
    for _ in range(2):
        assert listings.look_up(file, lambda sentence: None, unreachable) == file
    assert len(asked) == 1 and unreachable == {"127.0.0.1:9"}


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b"[1]", b'[{"name": "a.h5"}]', b"[]", b"null"])
def test_a_listing_that_cannot_be_read_is_said_and_does_not_stop_a_known_address(server, tmp_path, file, answer):
    known = replace(file, address=f"{server.address}/7", listing="figshare:1", hash=None)
    server.behaviours[:] = [by_path(files=answer, **{"7": CONTENT})]
    said = []
    registry.fetch_file(known, tmp_path, report=said.append, **FAST)
    assert "no published hash" in said[0] and "recorded" in said[1]
    listings._read_listing.cache_clear()
    with pytest.raises(MissingInput, match=r"only in the listing figshare:1.*by hand from https://page"):
        registry.fetch_file(replace(known, address="", place="x/y.h5"), tmp_path, **FAST)
