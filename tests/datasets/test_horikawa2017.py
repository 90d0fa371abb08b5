import h5py
import numpy as np
import pytest
from published_files import N_VOXELS, image_names, roi_masks

from realnet.datasets import horikawa2017
from realnet.datasets.bdata import stimulus_id, write_bdata
from realnet.errors import InvalidInput, MissingInput


@pytest.fixture
def write_person(tmp_path):
    """Writes a file with training, test and imagery rows; returns the test rows."""

    def write(subject=1, n_repeats=35, kinds=(1, 2, 3)):
        rng = np.random.default_rng(subject)
        training = [(name, kinds[0]) for name in image_names("training")[:100]]
        test = [(name, kinds[1]) for name in image_names("natural") for _ in range(n_repeats)]
        imagery = [(name, kinds[2]) for name in image_names("natural") for _ in range(10)]
        rows = rng.permutation(np.array(training + test + imagery, dtype=object))
        responses = rng.normal(size=(len(rows), N_VOXELS))
        labels = {"stimulus_id": [stimulus_id(name) for name in rows[:, 0]], "DataType": rows[:, 1].astype(float)}
        labels = {key: np.array(value) for key, value in labels.items()}
        write_bdata(tmp_path / "god" / f"Subject{subject}.h5", responses, roi_masks("V4"), labels)
        chosen = rows[:, 1] == 2
        return rows[chosen, 0].astype(str), responses[chosen]

    return write


def test_load_gives_the_mean_over_35_repeats_of_seen_test_images_only(write_person, tmp_path):
    stimuli, responses = write_person(4)
    data = horikawa2017.load(tmp_path, 4)
    assert data["responses"].dims == ("stimulus", "voxel")
    assert data["stimulus"].to_numpy().tolist() == image_names("natural")
    for name in image_names("natural"):
        np.testing.assert_allclose(data["responses"].sel(stimulus=name), responses[stimuli == name].mean(axis=0))
    np.testing.assert_array_equal(data["roi"].sel(roi="V4"), roi_masks("V4")["V4"])


def test_trials_are_the_seen_test_rows_in_the_order_of_the_file(write_person, tmp_path):
    stimuli, responses = write_person(1)
    trials = horikawa2017.load_trials(tmp_path, "sub-01", chunk=33)
    np.testing.assert_array_equal(trials["stimulus"], stimuli)
    np.testing.assert_array_equal(trials["responses"], responses)


def test_another_number_of_repeats_is_an_error(write_person, tmp_path):
    write_person(1, n_repeats=34)
    with pytest.raises(InvalidInput, match="50 images x 35 repeats"):
        horikawa2017.load(tmp_path, 1)


def test_rows_of_an_unknown_kind_are_an_error(write_person, tmp_path):
    write_person(1, kinds=(1, 2, 4))
    with pytest.raises(InvalidInput, match="DataType 1, 2 or 3"):
        horikawa2017.load(tmp_path, 1)


def test_a_file_without_datatype_is_an_error(write_person, tmp_path):
    write_person(1)
    with h5py.File(tmp_path / "god" / "Subject1.h5", "r+") as file:
        row = file["metadata/key"][()].tolist().index(b"DataType")
        file["metadata/value"][row] = np.nan
    with pytest.raises(InvalidInput, match="DataType marks no column"):
        horikawa2017.load(tmp_path, 1)


def test_missing_files_and_subjects_are_errors(tmp_path):
    with pytest.raises(MissingInput, match=r"Subject5.h5"):
        horikawa2017.load(tmp_path, 5)
    with pytest.raises(InvalidInput, match="subjects 1 to 5"):
        horikawa2017.load(tmp_path, 6)
