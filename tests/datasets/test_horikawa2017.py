import numpy as np
import pytest
from published_files import N_VOXELS, image_names, roi_masks

from realnet.datasets import horikawa2017
from realnet.errors import InvalidInput, MissingInput
from simulation.bdata_writer import stimulus_id, write_bdata


def write_subject(folder, subject):
    """Writes a file with training, test and imagery rows; returns the test rows."""
    rng = np.random.default_rng(subject)
    shown = {1: image_names("training")[:100], 2: image_names("natural") * 35, 3: image_names("natural") * 10}
    rows = rng.permutation(np.array([(name, kind) for kind in shown for name in shown[kind]], dtype=object))
    responses, kind = rng.normal(size=(len(rows), N_VOXELS)), rows[:, 1].astype(float)
    labels = {"stimulus_id": np.array([stimulus_id(name) for name in rows[:, 0]]), "DataType": kind}
    write_bdata(folder / f"Subject{subject}.h5", responses, roi_masks("V4"), labels)
    return rows[kind == 2, 0].astype(str), responses[kind == 2]


def test_load_gives_the_mean_over_35_repeats_of_seen_test_images_only(tmp_path):
    stimuli, responses = write_subject(tmp_path / "god", 4)
    data, trials = horikawa2017.load(tmp_path, 4), horikawa2017.load_trials(tmp_path, "sub-04")
    assert data["stimulus"].to_numpy().tolist() == image_names("natural")
    for name in image_names("natural"):
        np.testing.assert_allclose(data["responses"].sel(stimulus=name), responses[stimuli == name].mean(axis=0))
    np.testing.assert_array_equal(data["roi"].sel(roi="V4"), roi_masks("V4")["V4"])
    np.testing.assert_array_equal(trials["stimulus"], stimuli)
    np.testing.assert_array_equal(trials["responses"], responses)


def test_files_are_the_subjects_own_and_missing_ones_are_named(tmp_path):
    write_subject(tmp_path / "god", 1)
    assert horikawa2017.files(tmp_path, "sub-01") == [tmp_path / "god" / "Subject1.h5"]
    for read in (horikawa2017.load, horikawa2017.files):
        with pytest.raises(MissingInput, match=r"Subject5.h5"):
            read(tmp_path, 5)
    with pytest.raises(InvalidInput, match="1 to 5"):
        horikawa2017.load(tmp_path, 6)
