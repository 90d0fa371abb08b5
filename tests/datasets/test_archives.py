import os
import subprocess
import zipfile

import pytest
from zip_files import zipped

from realnet.datasets import archives
from realnet.datasets.files import find_files, owner
from realnet.errors import InvalidInput


@pytest.mark.parametrize("member", ["../outside", "/outside", "a/../../outside", "..\\outside", "C:\\outside"])
def test_an_archive_cannot_write_outside_its_folder(tmp_path, member):
    (tmp_path / "evil.zip").write_bytes(zipped(**{"fine": b"1", member: b"2"}))
    with pytest.raises(InvalidInput, match=r"evil.zip: refused, because its member .* outside"):
        archives.unpack_zip(tmp_path / "evil.zip", tmp_path / "in" / "side")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["evil.zip"]


def test_what_a_killed_run_left_is_removed_and_what_another_one_unpacks_now_stays(tmp_path):
    folder = tmp_path / "in"
    dead, host = subprocess.Popen(["true"]), owner().rsplit("-", 1)[0]
    dead.wait()
    for name in ("abcd1234", f"{host}-{dead.pid}-abcd1234", f"{host}-{os.getppid()}-abcd1234"):
        (folder / f".unpacking-{name}").mkdir(parents=True)
        (folder / f".unpacking-{name}" / "half").touch()
    (tmp_path / "a.zip").write_bytes(zipped(whole=b"1"))
    archives.unpack_zip(tmp_path / "a.zip", folder)
    assert sorted(path.name for path in folder.iterdir()) == [f".unpacking-{host}-{os.getppid()}-abcd1234", "whole"]
    assert find_files(folder, ".*") == [folder / "whole"]


def test_the_file_that_tells_whether_an_archive_is_unpacked_comes_last(tmp_path, monkeypatch):
    moved = []
    monkeypatch.setattr(archives.shutil, "move", lambda source, target: moved.append(target.name))
    (tmp_path / "a.zip").write_bytes(zipped(b=b"2", a=b"1", c=b"3"))
    archives.unpack_zip(tmp_path / "a.zip", tmp_path / "in")
    assert moved == ["c", "b", "a"]


def test_links_twins_bombs_and_damaged_archives_are_refused_and_leave_nothing(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    bomb = zipfile.ZipInfo("bomb")
    contents = {
        "outside": [(link, "/etc")],
        "twice": [("a", "1"), ("a", "2")],
        "GB": [(bomb, bytes(1000))],
    }
    for says, members in contents.items():
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
            for name, content in members:
                archive.writestr(name, content)
        limit = archives._MOST_BYTES
        archives._MOST_BYTES = 999
        try:
            with pytest.raises(InvalidInput, match=says):
                archives.unpack_zip(tmp_path / "evil.zip", tmp_path / "inside")
        finally:
            archives._MOST_BYTES = limit
        assert list((tmp_path / "inside").iterdir()) == []
    good = zipped(a=b"a" * 1000)
    for content in (good[:200], good.replace(b"a" * 20, b"b" * 20), b"", b"text"):
        (tmp_path / "evil.zip").write_bytes(content)
        with pytest.raises(InvalidInput, match="not a whole zip file"):
            archives.unpack_zip(tmp_path / "evil.zip", tmp_path / "inside")
        assert list((tmp_path / "inside").iterdir()) == []
