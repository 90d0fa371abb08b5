"""Results say what they were made from; where that has changed they are called stale, and nothing else does that."""

import hashlib
import json
import os
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from safetensors import safe_open

from realnet import provenance
from realnet.cornet import CORnetS
from realnet.errors import InvalidInput
from realnet.hashing import cache_path, file_hash
from realnet.networks import load_network, save_weights, weights_path
from realnet.notebook import modules_of
from realnet.results import (
    load_model_rdms,
    load_prepared,
    load_table,
    model_rdms_path,
    network_note,
    prepared_path,
    save_arrays,
    save_table,
    table_path,
)
from realnet.study import REPOSITORY, Study

SETTINGS = {
    "name": "noted", "description": "d", "fmri": {"subjects": [1], "other_subjects": []},
    "training": {"betas": [40], "shuffled_null": False}, "eeg": {"subjects": [1]},
}  # fmt: skip


def changed(**sections):
    """The study with some settings changed."""
    settings = {key: value | sections.pop(key, {}) for key, value in SETTINGS.items() if isinstance(value, dict)}
    return Study.model_validate(SETTINGS | settings | sections)


def make(study, value=1.0):
    """All results of a study, as the notebooks leave them, from recordings that hold ``value``."""
    raw = {"shen2019/sub-01_x.h5": b"fmri", "things_eeg2/sub-01/x.npy": b"eeg", "things_eeg2/image_metadata.npy": b"m",
           "things_dimensions/d.txt": b"d", "shen2019/a/n1.JPEG": b"image",
           "cornet_s/weights.pth": b"weights"}  # fmt: skip
    for name, content in raw.items():
        path = study.raw_folder("") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(content)
    array = xr.DataArray(np.full((1, 3), value), dims=("layer", "pair"))
    for name in ("targets_sub-01", "shen2019_rdms", "things_eeg2_rdms", "things_dimensions_rdms"):
        save_arrays(prepared_path(study, name), {"natural": array})
    for network in study.networks():
        torch.manual_seed(0)
        about = {"model": network.model, "made_from": network_note(study, network)}
        save_weights(weights_path(study, network), CORnetS(width=1 / 64, n_classes=2), about)
        save_arrays(model_rdms_path(study, network), {"natural": array})
        save_table(study, f"training/{network.stem}", pd.DataFrame({"value": [value]}))
    load_prepared(study, "things_eeg2_rdms", "natural")
    load_model_rdms(study, "natural")
    save_table(study, "eeg", pd.DataFrame({"value": [value]}))


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    monkeypatch.delenv("REALNET_DATA", raising=False)
    monkeypatch.setattr(provenance, "_read", {})
    monkeypatch.setattr(provenance, "_saved", set())
    study = changed()
    make(study)
    return study


def stale(study):
    """What a study calls stale of all that it reads: name -> the notebook to run."""
    readers = {
        "targets": lambda: load_prepared(study, "targets_sub-01", "natural"),
        "fmri": lambda: load_prepared(study, "shen2019_rdms", "natural"),
        "eeg rdms": lambda: load_prepared(study, "things_eeg2_rdms", "natural"),
        "dimensions": lambda: load_prepared(study, "things_dimensions_rdms", "natural"),
        "weights": lambda: load_network(study, study.find_network(1, 40)),
        "rdms": lambda: load_model_rdms(study, "natural", [study.find_network(1, 40)]),
        "training": lambda: load_table(study, "training/sub-01_beta-40_seed-0"),
        "eeg": lambda: load_table(study, "eeg"),
    }
    found = {}
    for name, read in readers.items():
        try:
            read()
        except InvalidInput as error:
            assert "\n" not in str(error) and "stale" in str(error)
            found[name] = re.search(r"run notebooks/(\w+)\.ipynb again", str(error))[1]
    return found


def results_of(folder):
    kinds = (".nc", ".safetensors", ".csv", ".json")
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.suffix in kinds and p != cache_path()}


EEG_IN_01 = {"eeg rdms": "01_data", "eeg": "01_data"}
NETWORK = dict.fromkeys(("weights", "rdms", "training", "eeg"), "02_training")


def test_every_result_names_settings_code_inputs_and_packages(study, tmp_path):
    files = [p for p in (study.results.rglob("*")) if p.suffix in (".nc", ".safetensors", ".csv")]
    files += list(study.prepared.glob("*.nc"))
    assert len(files) == 4 + 3 * 3 + 1
    for path in files:
        note = provenance.read_note(path)
        assert all(re.fullmatch("[0-9a-f]{64}", note[key]) for key in ("settings", "code"))
        assert note["inputs"] and note["packages"]["torch"] == torch.__version__.split("+")[0]
        for key, made_of in note["inputs"].items():
            if not key.endswith("/"):  # the oracle: the bytes of the file, hashed here
                assert hashlib.sha256((tmp_path / key).read_bytes()).hexdigest() == made_of
        assert str(tmp_path) not in json.dumps(note)
    with safe_open(weights_path(study, study.networks()[0]), "np") as file:
        assert json.loads(file.metadata()["realnet"])["inputs"]["data/raw/cornet_s/weights.pth"] == file_hash(
            tmp_path / "data/raw/cornet_s/weights.pth"
        )


def test_the_inputs_are_those_that_were_read(study):
    eeg = provenance.read_note(table_path(study, "eeg"))
    rdms = [f"results/noted/rdms/{network.stem}.nc" for network in study.networks()]
    assert list(eeg["inputs"]) == sorted(["data/prepared/noted/things_eeg2_rdms.nc", *rdms])
    targets = provenance.read_note(prepared_path(study, "targets_sub-01"))
    assert list(targets["inputs"]) == ["data/raw/shen2019/sub-01_x.h5"] and targets["notebook"] == "01_data"


def test_two_equal_runs_leave_equal_bytes(study, tmp_path, monkeypatch):
    first = results_of(tmp_path)
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path / "other"))
    monkeypatch.setattr(provenance, "_read", {})
    make(study)
    assert results_of(tmp_path / "other") == first


def test_nothing_is_stale_after_a_run_or_when_recordings_are_put_away(study, tmp_path):
    assert stale(study) == {}
    (tmp_path / "data/raw/shen2019/sub-01_x.h5").unlink()
    os.utime(tmp_path / "data/raw/things_eeg2/sub-01/x.npy", (1, 1))  # another time, the same bytes
    (tmp_path / "data/raw/things_eeg2/sub-02.npy").write_bytes(b"one more, which nobody has read")
    assert stale(study) == {}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"description": "other words"}, {}),
        ({"training": {"betas": [20, 40]}}, {"eeg": "05_eeg"}),
        ({"training": {"seeds": [0, 1]}}, {"eeg": "05_eeg"}),
        ({"inference": {"n_bootstraps": 7}}, {"eeg": "05_eeg"}),
        ({"training": {"epochs": 7}}, NETWORK | {"eeg": "05_eeg"}),
        ({"network": {"image_size": 64}}, NETWORK | {"eeg": "05_eeg"}),
        ({"eeg": {"window": [0, 0.1]}}, {"eeg rdms": "01_data", "eeg": "05_eeg"}),
        ({"fmri": {"n_components": 7}}, {"targets": "01_data"} | dict.fromkeys(NETWORK, "01_data") | {"eeg": "05_eeg"}),
    ],
)
def test_a_setting_makes_stale_what_depends_on_it_and_nothing_else(study, sections, expected):
    assert stale(changed(**sections)) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("data/raw/things_eeg2/sub-01/x.npy", EEG_IN_01),
        ("data/raw/things_dimensions/d.txt", {"dimensions": "01_data"}),
        ("data/raw/shen2019/a/n1.JPEG", NETWORK),
        ("data/raw/cornet_s/weights.pth", NETWORK),
        (
            "data/raw/shen2019/sub-01_x.h5",
            {"targets": "01_data", "fmri": "01_data"} | dict.fromkeys(NETWORK, "01_data"),
        ),
    ],
)
def test_a_changed_input_makes_stale_what_was_made_from_it_however_far_on(study, tmp_path, file, expected):
    before = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(b"X" * len(before))  # the same size
    os.utime(tmp_path / file, (10**9, 10**9))
    assert stale(study) == expected
    (tmp_path / file).write_bytes(before)
    assert stale(study) == {}


def test_a_result_made_anew_makes_stale_what_was_made_from_the_old_one(study):
    array = xr.DataArray(np.zeros((1, 3)), dims=("layer", "pair"))
    save_arrays(prepared_path(study, "things_eeg2_rdms"), {"natural": array})
    assert stale(study) == {"eeg": "05_eeg"}
    load_prepared(study, "things_eeg2_rdms", "natural")
    save_table(study, "eeg", pd.DataFrame({"value": [2.0]}))
    assert stale(study) == {}


def test_a_table_edited_by_hand_is_refused(study):
    path = table_path(study, "eeg")
    path.write_text(path.read_text().replace("1.0", "9.0"))
    with pytest.raises(InvalidInput, match=r"eeg\.csv is stale, it has been changed since it was made: run .*05_eeg"):
        load_table(study, "eeg")


def test_cells_run_again_in_any_order_are_not_their_own_input(study):
    load_table(study, "eeg")
    save_table(study, "summary", pd.DataFrame({"value": [1.0]}))
    load_table(study, "summary")
    save_table(study, "eeg", pd.DataFrame({"value": [3.0]}))
    note = provenance.read_note(table_path(study, "eeg"))
    assert not {"results/noted/tables/eeg.csv", "results/noted/tables/summary.csv"} & set(note["inputs"])
    load_table(study, "eeg")


def test_a_result_without_a_note_is_read_with_a_warning(study):
    table_path(study, "eeg").with_suffix(".json").unlink()
    with pytest.warns(UserWarning, match=r"eeg\.csv does not say what it was made from"):
        load_table(study, "eeg")


def test_each_file_is_read_once_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    path, opened = tmp_path / "large.npy", []
    path.write_bytes(b"one")
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: opened.append(file.name) or digest(file, name))
    assert file_hash(path) == file_hash(path) == hashlib.sha256(b"one").hexdigest() and len(opened) == 1
    path.write_bytes(b"two")
    os.utime(path, (10**9, 10**9))
    assert file_hash(path) == hashlib.sha256(b"two").hexdigest() and len(opened) == 2


def test_a_damaged_cache_of_hashes_is_no_matter(study):
    for content in ("[", "[]", '{"a": 1}', '{"/x": [1, 2, "not a hash"]}'):
        cache_path().write_text(content)
        assert stale(study) == {}


def test_the_code_hash_follows_every_module_that_the_notebook_imports(tmp_path, monkeypatch):
    for path in (REPOSITORY / "realnet").rglob("*.py"):
        target = tmp_path / path.relative_to(REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / "notebooks").mkdir()
    notebook = tmp_path / "notebooks/05_eeg.ipynb"
    notebook.write_bytes((REPOSITORY / "notebooks/05_eeg.ipynb").read_bytes())
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    monkeypatch.setattr(provenance, "modules_of", lambda path: modules_of(path, tmp_path / "realnet"))

    def code_hash():
        provenance.code_hash.cache_clear()
        return provenance.code_hash("05_eeg")

    try:
        hashes = [code_hash(), code_hash()]
        for file in ("realnet/analyses/eeg.py", "realnet/similarity.py", "realnet/efficientnet.py"):
            (tmp_path / file).write_text((tmp_path / file).read_text() + "\nmore = 1\n")
            hashes.append(code_hash())
        notebook.write_text(notebook.read_text().replace("fig_4A", "fig_4a"))
        hashes.append(code_hash())
    finally:
        provenance.code_hash.cache_clear()
    # the last of the three modules is not imported by the chapter
    assert [a == b for a, b in pairwise(hashes)] == [True, False, False, True, False]
