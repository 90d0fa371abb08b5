import hashlib
import io
import json
import socket
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from PIL import Image
from zip_files import zipped

from realnet.__main__ import main
from realnet.datasets import listings, lockfile, registry
from realnet.datasets.catalogue import FILES, PublishedFile
from realnet.errors import InvalidInput, MissingInput

REPOSITORY = Path(__file__).resolve().parents[2]
CONTENT = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 40
SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = hashlib.md5(CONTENT).hexdigest()
FAST = {"progress": False, "timeout": 10.0, "attempts": 2, "pause": 0.01}


def serve(body=CONTENT, status=200):
    return lambda handler: handler.send(body, status)


def by_path(**answers):
    """A behaviour that answers by the last part of the path."""

    def behave(handler):
        part = handler.path.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
        handler.send(answers.get(part, b""), 200 if part in answers else 404)

    return behave


@pytest.fixture
def file(server):
    return PublishedFile("shen2019/fmri/a.h5", "CC0", "https://page", server.address, size=len(CONTENT), hash=SHA)


@pytest.fixture
def only(monkeypatch):
    """Makes the given files the whole catalogue."""

    def replace_catalogue(*files):
        monkeypatch.setattr(registry, "FILES", files)

    return replace_catalogue


@pytest.fixture(autouse=True)
def fresh_listings(monkeypatch, server):
    """Listings are asked for at the test server, and not remembered from another test."""
    monkeypatch.setattr(listings, "FIGSHARE_API", server.address)
    monkeypatch.setattr(listings, "OSF_API", server.address)
    listings._read_listing.cache_clear()


def hdf5(value=1.0):
    """A whole file; its bytes differ with the value."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["numbers"] = np.full(1000, value)
    return buffer.getvalue()


def npy(content):
    buffer = io.BytesIO()
    np.save(buffer, content, allow_pickle=True)
    return buffer.getvalue()


def put(root, place, content):
    (path := root / place).parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def states(root, *names):
    return registry.status(*names, root=root).set_index("file")["state"].to_dict()


# --- the table ---


def test_every_published_file_has_an_address_or_a_page_a_licence_and_a_place_of_its_own():
    assert len({file.place for file in FILES}) == len(FILES)
    for file in FILES:
        assert file.licence and file.page.startswith("http"), file.place
        assert file.address or file.listing or file.access != "public", file.place
        assert not file.place.startswith("/") and ".." not in file.place


def test_the_names_of_the_catalogue_are_the_names_that_the_loaders_look_for():
    from realnet.datasets import shen2019

    for split in shen2019.SPLITS:
        for subject in (1, 2, 3):
            name = shen2019.GENERATIONS["A"].format(subject=subject, split=shen2019.SPLITS[split]).replace("\\", "")
            assert name in [file.name for file in FILES]
    datasets = {
        "shen2019",
        "horikawa2017",
        "things_eeg2",
        "things_dimensions",
        "objects92",
        "cornet_s",
        "realnet_weights",
    }
    assert {file.dataset for file in FILES} == datasets


def test_the_recorded_hashes_are_those_of_the_real_files(real_data):
    checked = 0
    for file in FILES:
        for path in real_data.rglob(file.name):
            if file.hash:
                assert file.hash == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
                assert file.size == path.stat().st_size
                checked += 1
    assert checked == 6


def test_names_select_datasets_groups_files_and_patterns():
    def names(*chosen):
        return [file.name for file in registry.select(chosen)]

    assert names("cornet_s") == ["cornet_s-1d3f7974.pth"]
    assert len(names("shen2019-C-vc")) == 6
    assert names("Subject3.h5") == ["Subject3.h5"]
    assert len(names("sub-01_*")) == 11
    assert all("original" in name for name in names("shen2019") if name.endswith(".h5"))
    assert len(names()) == sum(file.default for file in FILES)
    with pytest.raises(InvalidInput, match=r"shen2020: no published file is called so.*horikawa2017"):
        names("shen2020")


# --- fetch, status, verify ---


def test_status_is_right_on_an_empty_a_partial_and_a_full_folder(server, tmp_path, file, only):
    server.behaviours[:] = [serve()]
    second = replace(file, place="horikawa2017/b.h5")
    asked = PublishedFile("shen2019/images/natural", "x", "https://form", access="on request", n_files=3)
    by_hand = PublishedFile("realnet_weights/sub-01/encoder.pt", "x", "https://drive", access="by hand")
    only(file, second, asked, by_hand)
    empty = {"a.h5": "absent", "b.h5": "absent", "natural": "on request", "encoder.pt": "by hand"}
    assert states(tmp_path / "no folder") == empty
    assert states(tmp_path) == empty
    (tmp_path / "horikawa2017").mkdir()
    (tmp_path / "horikawa2017" / "b.h5.part").write_bytes(CONTENT[:100])
    assert states(tmp_path)["b.h5"] == "partial"
    registry.fetch(root=tmp_path, progress=False)
    (tmp_path / "realnet_weights" / "sub-01").mkdir(parents=True)
    (tmp_path / "realnet_weights" / "sub-01" / "encoder.pt").write_bytes(zipped(weights=b"1"))
    folder = tmp_path / "shen2019" / "images" / "natural"
    folder.mkdir(parents=True)
    for n in range(3):
        (folder / f"n0000000{n}_1.JPEG").touch()
        assert states(tmp_path)["natural"] == ("present" if n == 2 else "partial")
    assert set(states(tmp_path).values()) == {"present"}
    table = registry.status(root=tmp_path)
    assert list(table.columns[:9]) == [
        *("dataset", "file", "state", "detail", "size", "hash", "licence", "access", "address"),
    ]


def test_fetch_brings_a_file_once(server, tmp_path, file):
    server.behaviours[:] = [serve()]
    for _ in range(2):
        path = registry.fetch_file(file, tmp_path, **FAST)
        assert path == tmp_path / file.place
        assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_spoilt_file_is_noticed_and_fetched_again(server, tmp_path, file, only):
    server.behaviours[:] = [serve()]
    only(file)
    path = registry.fetch_file(file, tmp_path, **FAST)
    spoilt = CONTENT[:50] + b"?" + CONTENT[51:]
    path.write_bytes(spoilt)
    assert states(tmp_path) == {"a.h5": "wrong"}
    said = []
    registry.fetch_file(file, tmp_path, report=said.append, **FAST)
    assert path.read_bytes() == CONTENT
    assert "fetching it again" in said[0]


def test_verify_reads_what_status_takes_from_size_and_time(server, tmp_path, file, only):
    import os

    server.behaviours[:] = [serve()]
    only(file)
    path = registry.fetch_file(file, tmp_path, **FAST)
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(CONTENT[:50] + b"?" + CONTENT[51:])
    os.utime(path, ns=times)  # a disk that loses a bit changes neither size nor time
    assert states(tmp_path) == {"a.h5": "present"}
    assert registry.verify(root=tmp_path)["state"].tolist() == ["wrong"]


def test_a_file_without_published_hash_is_recorded_and_checked_from_then_on(server, tmp_path, file, only):
    file = replace(file, hash=None, size=None)
    only(file)
    server.behaviours[:] = [lambda handler: handler.send(CONTENT, ETag='"1"')]
    said = []
    path = registry.fetch_file(file, tmp_path, report=said.append, **FAST)
    assert "recorded in" in said[0] and "checked from now on" in said[0]
    assert json.loads((tmp_path / "lock.json").read_text())[file.place]["hash"] == SHA
    assert "recorded when it first came" in registry.status(root=tmp_path)["detail"][0]
    path.write_bytes(CONTENT + b"more")
    assert states(tmp_path) == {"a.h5": "wrong"}
    path.unlink()
    server.behaviours[:] = [serve(CONTENT + b"another version")]
    with pytest.raises(InvalidInput, match="instead of"):
        registry.fetch_file(file, tmp_path, **FAST)
    assert not path.exists()


def test_a_file_placed_by_hand_is_found_at_another_depth(tmp_path, file, only):
    only(file)
    (tmp_path / "shen2019" / "mine").mkdir(parents=True)
    (tmp_path / "shen2019" / "mine" / "a.h5").write_bytes(CONTENT)
    assert states(tmp_path) == {"a.h5": "present"}
    assert registry.fetch_file(file, tmp_path, **FAST) == tmp_path / "shen2019" / "mine" / "a.h5"


def test_what_must_be_asked_for_says_where_and_is_skipped_beside_public_files(server, tmp_path, file, only):
    server.behaviours[:] = [serve()]
    asked = PublishedFile("shen2019/images/natural", "x", "https://form", access="on request", n_files=3)
    only(file, asked)
    assert registry.fetch("shen2019", root=tmp_path, progress=False) == [tmp_path / file.place]
    with pytest.raises(MissingInput, match="on request only: see https://form") as caught:
        registry.fetch("natural", root=tmp_path)
    assert str(tmp_path / asked.place) in str(caught.value)


def test_natural_images_are_checked_by_name_where_the_published_lists_are_here(tmp_path, only):
    asked = PublishedFile("shen2019/images/natural", "x", "https://form", access="on request", n_files=4)
    only(asked)
    folder = tmp_path / "shen2019"
    folder.mkdir()
    for list_name, names in {
        "Training": ("n00000001_1", "n00000001_2"),
        "Test": ("n00000002_1", "n00000002_2"),
    }.items():
        rows = [f"{name}\t1.0\t1\t{i}" for i, name in enumerate(names, start=1)]
        (folder / f"stimulus_NaturalImage{list_name}.tsv").write_text("\n".join(rows))
    for name in ("n00000001_1.JPEG", "n00000001_2.JPEG", "n00000002_1.JPEG", "n00000009_9.JPEG"):
        (folder / name).touch()
    table = registry.status(root=tmp_path)
    assert table["state"].tolist() == ["partial"]
    assert table["detail"][0] == "3 of 4 images, among the missing n00000002_2"


def test_a_damaged_lock_file_is_an_error_with_the_way_out(tmp_path, file, only):
    only(file)
    (tmp_path / "shen2019" / "fmri").mkdir(parents=True)
    (tmp_path / file.place).write_bytes(CONTENT)
    for text in ("{", "[]", '{"x": {"hash": "sha1:0"}}', '{"x": 3}'):
        (tmp_path / "lock.json").write_text(text)
        with pytest.raises(InvalidInput, match=r"lock.json: damaged .* remove it"):
            registry.status(root=tmp_path)


def test_an_archive_is_unpacked_beside_itself_and_needed_no_more(server, tmp_path, only):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("sub-01/preprocessed_eeg_test.npy", b"test")
    body = buffer.getvalue()
    file = PublishedFile(
        "things_eeg2/sub-01.zip", "x", "https://page", server.address, unpacks="sub-01/preprocessed_eeg_test.npy",
        hash=f"sha256:{hashlib.sha256(body).hexdigest()}",
    )  # fmt: skip
    only(file)
    server.behaviours[:] = [serve(body)]
    archive = registry.fetch_file(file, tmp_path, **FAST)
    assert next(tmp_path.rglob("preprocessed_eeg_test.npy")).read_bytes() == b"test"
    archive.unlink()
    assert states(tmp_path) == {"sub-01.zip": "present"}


# --- files that nobody published a hash of, and damaged ones ---


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.h5", hdf5()),
        ("a.zip", zipped(a=b"1" * 9000)),
        ("encoder.pt", zipped(data=b"1" * 9000)),
        ("numbers.npy", npy(np.arange(9000.0))),
        ("dict.npy", npy({"eeg": np.arange(9000.0)})),
    ],
)
def test_half_a_file_does_not_become_the_measure_of_the_whole(tmp_path, only, name, content):
    only(PublishedFile(f"shen2019/{name}", "x", "https://page"))
    put(tmp_path, f"shen2019/{name}", content[: len(content) // 2])  # while it is being copied
    (row,) = registry.status(root=tmp_path).itertuples()
    assert row.state == "wrong" and "no whole" in row.detail
    assert not (tmp_path / "lock.json").exists()
    put(tmp_path, f"shen2019/{name}", content)
    (row,) = registry.status(root=tmp_path).itertuples()
    assert row.state == "present" and "recorded in" in row.detail
    assert registry.status(root=tmp_path).detail[0].endswith("checked against the one recorded when it first came")


def test_a_file_placed_by_hand_is_checked_against_the_listing_when_it_is_fetched(server, tmp_path, file, only):
    right, wrong = hdf5(1), hdf5(2)
    file = replace(file, address=f"{server.address}/7", listing="figshare:1", hash=None, size=None)
    only(file)
    entry = {"name": "a.h5", "id": 7, "download_url": f"{server.address}/7", "size": len(right)}
    entry["computed_md5"] = hashlib.md5(right).hexdigest()
    server.behaviours[:] = [by_path(files=json.dumps([entry]).encode(), **{"7": right})]
    path, said = put(tmp_path, file.place, wrong), []
    assert states(tmp_path) == {"a.h5": "present"}
    registry.fetch_file(file, tmp_path, report=said.append, **FAST)
    assert path.read_bytes() == right and "fetching it again" in said[0]
    n_requests = len(server.requests)
    (tmp_path / "lock.json").unlink()
    registry.fetch_file(file, tmp_path, **FAST)  # right as it is: only recorded
    assert json.loads((tmp_path / "lock.json").read_text())[file.place]["published"] == f"md5:{entry['computed_md5']}"
    assert registry.status(root=tmp_path).detail[0] == "" and len(server.requests) == n_requests


def test_where_only_our_own_record_speaks_against_a_file_the_way_out_is_said(server, tmp_path, file, only):
    file = replace(file, hash=None, size=None)
    only(file)
    put(tmp_path, file.place, hdf5(1))
    assert states(tmp_path) == {"a.h5": "present"}
    put(tmp_path, file.place, hdf5(2))
    way_out = f"remove its entry from {tmp_path / 'lock.json'}"
    assert way_out in registry.status(root=tmp_path).detail[0]
    server.behaviours[:] = [serve(hdf5(3))]
    with pytest.raises(InvalidInput) as caught:
        registry.fetch_file(file, tmp_path, report=lambda sentence: None, **FAST)
    assert way_out in str(caught.value)
    put(tmp_path, file.place, b"<html>")
    assert "lock.json" not in registry.status(root=tmp_path).detail[0]  # wrong whatever is recorded


def test_a_record_of_half_a_file_is_not_held_against_the_whole_one(server, tmp_path, file, only):
    file = replace(file, hash=None, size=None)
    only(file)
    put(tmp_path, file.place, hdf5()[:5000])
    lockfile.record(file, tmp_path, tmp_path / file.place)
    assert registry.verify(root=tmp_path).state.tolist() == ["wrong"]
    (tmp_path / file.place).touch()
    server.behaviours[:] = [serve(hdf5())]
    registry.fetch_file(file, tmp_path, report=lambda sentence: None, **FAST)
    assert registry.verify(root=tmp_path).state.tolist() == ["present"]


def test_a_folder_that_can_only_be_read_does_not_lead_to_a_false_sentence(tmp_path, file, only, monkeypatch):
    only(file, replace(file, place="shen2019/fmri/b.h5", hash=None, size=None))

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lockfile, "whole_file", refuse)
    put(tmp_path, file.place, CONTENT)
    put(tmp_path, "shen2019/fmri/b.h5", hdf5())
    published, unknown = registry.status(root=tmp_path).itertuples()
    assert (published.state, published.detail, unknown.state) == ("present", "", "present")
    assert "none could be recorded" in unknown.detail


def test_a_bad_list_of_images_is_one_wrong_row_which_fetch_renews(server, tmp_path, only):
    lists = [
        PublishedFile(f"shen2019/images/stimulus_NaturalImage{split}.tsv", "x", "https://page", server.address)
        for split in ("Training", "Test")
    ]
    images = PublishedFile("shen2019/images/natural", "x", "https://form", access="on request", n_files=1250)
    only(*lists, images)
    bodies = [
        "\n".join(f"n{i:08d}_{split}\t1.0\t1\t{i}" for i in range(1, n + 1)).encode()
        for split, n in ((1, 1200), (2, 50))
    ]
    for file, body in zip(lists, bodies, strict=True):
        put(tmp_path, file.place, body)
    put(tmp_path, "shen2019/images/natural/n00000001_1.JPEG", b"")
    assert registry.status(root=tmp_path).state.tolist() == ["present", "present", "partial"]
    for bad in (bodies[0][:1000], b"\n".join(bodies[0].split(b"\n")[:600]), b"<html><title>Log in</title></html>"):
        put(tmp_path, lists[0].place, bad)
        table = registry.status(root=tmp_path)
        assert table.state.tolist() == ["wrong", "present", "partial"]
        assert "1 images, not countable by name" in table.detail[2]
    server.behaviours[:] = [serve(bodies[0])]
    registry.fetch_file(lists[0], tmp_path, report=lambda sentence: None, **FAST)
    assert registry.status(root=tmp_path).state.tolist() == ["present", "present", "partial"]
    assert registry.status(root=tmp_path).detail[2].startswith("1 of 1250 images")


@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_verify_opens_images_and_arrays(tmp_path, only):
    eeg = PublishedFile(
        "things_eeg2/sub-01.zip", "x", "https://page", "https://osf", unpacks="sub-01/preprocessed_eeg_test.npy"
    )
    shapes = PublishedFile("shen2019/images/shapes.zip", "x", "https://page", "https://osf", unpacks="red_square.tiff")
    natural = PublishedFile("shen2019/images/natural", "x", "https://form", access="on request", n_files=2)
    only(eeg, shapes, natural)
    folder = tmp_path / "shen2019" / "images"
    for place in ("natural/n00000001_1.JPEG", "natural/n00000001_2.JPEG", "shapes/red_square.tiff", "shapes/b.tiff"):
        (path := folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((9, 9, 3), dtype=np.uint8)).save(path)
    whole = npy({"preprocessed_eeg_data": np.zeros((20, 8))})
    for split in ("test", "training"):
        put(tmp_path, f"things_eeg2/sub-01/sub-01/preprocessed_eeg_{split}.npy", whole)
    assert set(registry.verify(root=tmp_path).state) == {"present"}
    put(tmp_path, "things_eeg2/sub-01/sub-01/preprocessed_eeg_training.npy", whole[:-300])
    put(folder, "natural/n00000001_2.JPEG", b"")
    put(folder, "shapes/b.tiff", (folder / "shapes" / "b.tiff").read_bytes()[:100])
    assert set(registry.status(root=tmp_path).state) == {"present"}  # which reads nothing
    table = registry.verify(root=tmp_path).set_index("file")
    assert (table.state == "wrong").all()
    for name, damaged in {"sub-01.zip": "eeg_training.npy", "shapes.zip": "b.tiff", "natural": "_2.JPEG"}.items():
        assert "1 of 2 files are damaged" in table.detail[name] and damaged in table.detail[name]
    assert "remove" in table.detail["shapes.zip"] and "data fetch shapes.zip" in table.detail["shapes.zip"]


# --- archives ---


def test_an_archive_that_a_killed_run_left_half_unpacked_is_unpacked_again(tmp_path, only):
    file = PublishedFile(
        "things_eeg2/sub-01.zip", "x", "https://page", "https://osf", unpacks="sub-01/preprocessed_eeg_test.npy"
    )
    only(file)
    put(tmp_path, "things_eeg2/sub-01/.unpacking-abcdefgh/sub-01/preprocessed_eeg_test.npy", b"ha")
    assert states(tmp_path) == {"sub-01.zip": "absent"}
    put(tmp_path, file.place, zipped(**{"sub-01__preprocessed_eeg_test.npy": b"whole"}))
    (row,) = registry.status(root=tmp_path).itertuples()
    assert "not unpacked yet: `.venv/bin/realnet data fetch sub-01.zip` does it" in row.detail
    registry.fetch_file(file, tmp_path, **FAST)
    assert [path.read_bytes() for path in tmp_path.rglob("preprocessed_eeg_test.npy")] == [b"whole"]
    assert "not unpacked" not in registry.status(root=tmp_path).detail[0]


def test_chapter_01_looks_in_the_raw_folder_of_its_study(tmp_path, only):
    only(PublishedFile("shen2019/a.h5", "x", "https://page"))
    put(tmp_path, "elsewhere/shen2019/a.h5", hdf5())
    cells = json.loads((REPOSITORY / "notebooks" / "01_data.ipynb").read_text())["cells"]
    (source,) = ("".join(cell["source"]) for cell in cells if "registry.status" in "".join(cell["source"]))
    study = SimpleNamespace(simulated=None, raw_folder=lambda dataset: tmp_path / "elsewhere" / dataset)
    shown = []
    exec(source, {"study": study, "registry": registry, "display": shown.append})
    assert shown[0].state.tolist() == ["present"]


# --- the command line ---


def test_the_command_line_shows_fetches_and_verifies(server, tmp_path, file, only, capsys):
    server.behaviours[:] = [serve()]
    weights = PublishedFile("realnet_weights/sub-01/encoder.pt", "GPL-3.0", "https://drive", access="by hand")
    only(file, weights)
    root = ["--root", str(tmp_path)]
    assert main(["data", "status", *root]) == 0
    shown = capsys.readouterr().out
    for part in (
        "absent",
        "by hand",
        str(tmp_path / file.place),
        "10,248 bytes",
        SHA,
        "CC0",
        server.address,
        "https://drive",
    ):
        assert part in shown
    assert main(["data", "fetch", *root]) == 0
    assert "realnet_weights/sub-01/encoder.pt" in capsys.readouterr().out
    assert main(["data", "verify", *root]) == 0
    assert "1 present" in capsys.readouterr().out
    (tmp_path / file.place).write_bytes(CONTENT[:-1])
    assert main(["data", "verify", *root]) == 1
    assert "10247 bytes instead of 10248" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_named(tmp_path, file, only, capsys, monkeypatch):
    only(file)
    for command in ("status", "verify"):
        assert main(["data", command, "--root", str(tmp_path / "nowhere")]) == 1
        assert f"{tmp_path / 'nowhere'}: expected the folder of raw data" in capsys.readouterr().err
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))  # whose data/raw comes with the first file
    assert main(["data", "status"]) == 0 and "1 absent" in capsys.readouterr().out


def test_the_command_line_asks_a_host_that_does_not_answer_once(tmp_path, file, only, capsys, monkeypatch):
    asked = []

    def unknown(host, *arguments, **options):
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    only(*(replace(file, place=f"shen2019/{i}.h5", address=f"https://osf.io/{i}") for i in range(3)))
    assert main(["data", "fetch", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("osf.io could not be reached for another file") == 2
    assert asked == ["osf.io"]


def test_one_file_that_cannot_be_had_does_not_keep_the_others_from_coming(server, tmp_path, file, only, capsys):
    gone = replace(file, place="shen2019/fmri/gone.h5", address=f"{server.address}/gone")
    good = replace(file, address=f"{server.address}/7")
    only(gone, good)
    server.behaviours[:] = [by_path(**{"7": CONTENT})]
    assert main(["data", "fetch", "--root", str(tmp_path)]) == 1
    assert (tmp_path / good.place).exists()
    assert "gone.h5" in capsys.readouterr().err
    assert main(["data", "fetch", "nonsense", "--root", str(tmp_path)]) == 1
    assert "nonsense: no published file is called so" in capsys.readouterr().err


def test_the_data_lie_in_the_project_unless_another_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    assert registry.raw_folder() == tmp_path.resolve() / "data" / "raw"
    assert registry.raw_folder("elsewhere").name == "elsewhere"
