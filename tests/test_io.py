"""Results are written whole or not at all, carry their settings, and warn where the settings have changed."""

import json
import os
import subprocess

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from realnet.errors import CannotWrite, InvalidInput, MissingInput
from realnet.io import load_prepared, load_table, save_prepared, save_table, whole_file
from realnet.settings import REPOSITORY, load_study

NOBODY = 65534


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    return load_study("demo")


def test_an_error_while_writing_keeps_the_previous_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_gets_one_sentence(tmp_path):
    folder = tmp_path / "read_only"
    folder.mkdir(mode=0o500)
    root = os.geteuid() == 0
    try:
        if root:  # permissions do not apply to root
            os.seteuid(NOBODY)
        sentence = r"table\.csv cannot be written: Permission denied"
        with pytest.raises(CannotWrite, match=sentence), whole_file(folder / "table.csv") as temporary:
            temporary.write_text("a,b")
    finally:
        if root:
            os.seteuid(0)


def test_a_full_disk_gets_one_sentence_and_keeps_the_previous_file(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        (disk / "weights").write_text("before")
        sentence = "weights cannot be written: No space left on device"
        with pytest.raises(CannotWrite, match=sentence), whole_file(disk / "weights") as temporary:
            temporary.write_bytes(bytes(2**21))
        assert (disk / "weights").read_text() == "before"
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_arrays_come_back_with_the_settings_and_commit_they_were_made_with(study):
    array = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("stimulus", "component"), coords={"stimulus": ["a", "b"]})
    save_prepared(study, "targets_sub-01", {"components": array})
    xr.testing.assert_identical(load_prepared(study, "targets_sub-01", "components").rename(None), array)
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=REPOSITORY, capture_output=True, text=True
    )
    with h5py.File(study.prepared / "targets_sub-01.nc") as file:
        assert json.loads(file.attrs["settings"])["fmri"]["n_components"] == study.fmri.n_components
        assert file.attrs["commit"] == described.stdout.strip()


def test_a_result_of_other_settings_gives_a_warning_that_names_the_notebook(study):
    save_table(study, "eeg", pd.DataFrame({"metric": ["rho"], "value": [0.5]}))
    other = study.model_copy(update={"inference": study.inference.model_copy(update={"n_bootstraps": 7})})
    with pytest.warns(UserWarning, match=r"eeg\.csv was made with inference = .*run notebooks/05_eeg\.ipynb again"):
        load_table(other, "eeg")


def test_a_missing_or_damaged_result_names_the_notebook_to_run(study):
    with pytest.raises(MissingInput, match=r"run notebooks/01b_eeg_data\.ipynb"):
        load_prepared(study, "things_eeg2_rdms", "things")
    study.prepared.mkdir(parents=True)
    (study.prepared / "things_eeg2_rdms.nc").write_bytes(b"\x89HDF cut short")
    with pytest.raises(InvalidInput, match=r"run notebooks/01b_eeg_data\.ipynb again"):
        load_prepared(study, "things_eeg2_rdms", "things")


def test_the_shuffled_network_is_no_missing_value_for_pandas(study):
    save_table(study, "eeg", pd.DataFrame({"model": ["shuffled", "realnet"], "metric": "rho", "value": [0.1, 0.2]}))
    assert pd.read_csv(study.results / "tables" / "eeg.csv").model.tolist() == ["shuffled", "realnet"]
