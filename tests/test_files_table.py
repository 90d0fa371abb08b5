"""What `data/files.csv` says about the published files."""

import re
from pathlib import Path

import pytest
import torch

from data import fetch
from data.trained import PHOTOGRAPHS, count_recognised
from realnet.backbones import EfficientNetLite0
from realnet.cornet import CORnetS
from realnet.errors import InvalidInput

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_table_is_consistent():
    files = fetch.read_files()
    readme = (REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")
    assert len({file.place for file in files}) == len(files) == 67
    for file in files:
        assert file.licence and file.page.startswith("http") and not {"..", ""} & set(file.place[:-1].split("/"))
        assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:([0-9a-f]{8}|[0-9a-f]{64})", file.hash)
        assert re.fullmatch(r"\d*", file.size)
        assert file.access in ("fetch", "by name", "by hand") and bool(file.address) == (file.access != "by hand")
        assert f"`{file.dataset}/" in readme and (file.group == file.dataset or f"`{file.group}`" in readme)


def test_the_hashes_in_the_table_are_those_of_the_real_files(real_data):
    found = [(path, file) for file in fetch.read_files() if file.hash for path in real_data.rglob(file.tail)]
    assert [fetch.find_problem(path, file) for path, file in found] == [None] * 5


def test_names_select_datasets_groups_files_and_patterns():
    assert [file.file for file in fetch.select(["cornet_s"])] == ["cornet_s-1d3f7974.pth"]
    assert [len(fetch.select([name])) for name in ("shen2019-C-vc", "sub-01_*", "Subject3.h5")] == [6, 11, 1]
    assert not any("fmriprep" in file.file or "_v2" in file.file for file in fetch.select(["shen2019"]))
    public = fetch.select(["public"])
    read = {"shen2019", "horikawa2017", "things_eeg2", "things_dimensions", "cornet_s", "realnet_weights"}
    assert {file.dataset for file in public} == read
    assert not any("Training" in file.file or "training" in file.file for file in public)
    with pytest.raises(InvalidInput, match=r"shen2020: expected .*public, .*horikawa2017"):
        fetch.select(["shen2020"])


def test_photographs_of_installed_packages_tell_trained_from_random_weights():
    assert count_recognised(EfficientNetLite0()) == len(PHOTOGRAPHS) == 6
    for seed in range(3):
        torch.manual_seed(seed)
        assert count_recognised(CORnetS(width=0.25)) <= 1


def test_verify_refuses_weights_that_were_never_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    assert fetch.main(["data", "verify"]) == 0
    path = tmp_path / "data/raw/realnet_weights/sub-01/realnet.pt"
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    weights = CORnetS(width=0.125).state_dict()
    torch.save({f"module.{key}": value for key, value in weights.items()}, path)
    assert fetch.main(["data", "verify"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("realnet_weights/sub-01/realnet.pt: recognises 0 of 6") and "not the trained weights" in last
