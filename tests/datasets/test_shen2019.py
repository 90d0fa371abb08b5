import csv

import h5py
import numpy as np
import pandas as pd
import pytest
from published_files import N_VOXELS, image_names, roi_masks

from realnet.datasets import shen2019
from realnet.datasets.bdata import stimulus_id, write_bdata
from realnet.errors import InvalidInput, MissingInput


def literal_means(stimuli, responses):
    """name -> mean response, the slow way."""
    return {
        name: np.mean([row for row, own in zip(responses, stimuli, strict=True) if own == name], axis=0)
        for name in set(stimuli)
    }


@pytest.mark.parametrize("split", shen2019.SPLITS)
def test_load_gives_the_mean_over_repeats_under_the_name_of_each_image(write_session, tmp_path, split):
    _, stimuli, responses = write_session(tmp_path / "deep" / "below", 2, split)
    data = shen2019.load(tmp_path, "sub-02", split)
    expected = literal_means(stimuli, responses)
    assert data["responses"].dims == ("stimulus", "voxel")
    assert data["stimulus"].to_numpy().tolist() == sorted(expected)
    assert data.sizes["stimulus"] == {"training": 1200, "natural": 50, "shapes": 40, "letters": 10}[split]
    for name, row in expected.items():
        np.testing.assert_allclose(data["responses"].sel(stimulus=name), row, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 77, 100_000])
def test_the_chunk_changes_memory_and_not_the_result(write_session, tmp_path, chunk):
    write_session(tmp_path, 1, "letters")
    assert shen2019.load(tmp_path, 1, "letters").identical(shen2019.load(tmp_path, 1, "letters", chunk=chunk))


def test_rois_overlap_and_hv4_is_called_v4(write_session, tmp_path):
    write_session(tmp_path, 1, "letters")
    roi = shen2019.load(tmp_path, 1, "letters")["roi"]
    assert roi.dims == ("roi", "voxel")
    assert roi.dtype == bool
    assert set(roi["roi_name"].to_numpy()) == {"V1", "V2", "V3", "V4", "LOC", "FFA", "HVC", "VC"}
    for name, mask in roi_masks("V4").items():
        np.testing.assert_array_equal(roi.sel(roi=name), mask)
    np.testing.assert_array_equal(roi.sel(roi=["LOC", "V1"])[1], roi_masks()["V1"])
    np.testing.assert_array_equal(roi.isel(voxel=[0, 5], roi=slice(1, 3)).sel(roi="V2"), [False, True])


def test_voxels_can_be_limited_to_a_roi_and_know_their_positions(write_session, tmp_path):
    write_session(tmp_path, 1, "letters")
    whole = shen2019.load(tmp_path, 1, "letters")
    part = shen2019.load(tmp_path, 1, "letters", voxels="ROI_VC")
    np.testing.assert_array_equal(whole["y"], 1 + 3 * np.arange(N_VOXELS))
    assert 0 < part.sizes["voxel"] < N_VOXELS
    assert part.identical(whole.isel(voxel=roi_masks()["VC"]))


def test_trials_come_in_the_order_of_the_file(write_session, tmp_path):
    _, stimuli, responses = write_session(tmp_path, 3, "shapes")
    trials = shen2019.load_trials(tmp_path, 3, "shapes", chunk=100)
    np.testing.assert_array_equal(trials["stimulus"], stimuli)
    np.testing.assert_array_equal(trials["responses"], responses)


@pytest.mark.parametrize(
    ("generation", "name"),
    [
        ("A", "sub-01_perceptionNaturalImageTest_original_VC.h5"),
        ("B", "sub-01_perceptionNaturalImageTest_VC_v2.h5"),
        ("C-vc", "sub-01_ImageNetTest_fmriprep_volume_native_vc.h5"),
        ("C", "sub-01_ImageNetTest_fmriprep_volume_native.h5"),
    ],
)
def test_all_generations_of_files_are_found_and_a_wanted_one_is_taken(write_session, tmp_path, generation, name):
    path, *_ = write_session(tmp_path / "new", 1, "natural", seed=1)
    path.rename(path.with_name(name))
    wanted = shen2019.load(tmp_path, 1, "natural")
    assert wanted.attrs["file"] == name
    if generation != "A":
        write_session(tmp_path / "old", 1, "natural", seed=2)
        assert shen2019.load(tmp_path, 1, "natural").attrs["file"].endswith("original_VC.h5")
    assert shen2019.load(tmp_path, 1, "natural", generation=generation).identical(wanted)


def test_every_way_of_labelling_gives_the_same_stimuli(write_session, tmp_path):
    names = image_names("natural")
    path, stimuli, _ = write_session(tmp_path / "ids", 1, "natural")
    expected = shen2019.load(tmp_path / "ids", 1, "natural")
    number = np.array([names.index(name) + 1.0 for name in stimuli])
    ids = np.array([stimulus_id(name) for name in stimuli])
    label = np.stack([number, ids, number, number], axis=1)
    with h5py.File(path) as file:
        responses = file["dataset"][:, :N_VOXELS]
    texts = {1.0 + i: name for i, name in enumerate(names)}
    ways = {
        "label": ({"Label": label}, None),
        "index": ({"image_index": number}, None),
        "vmap": ({"stimulus_name": number, "stimulus_id": np.zeros(len(number))}, {"stimulus_name": texts}),
    }
    rows = [[name, f"{stimulus_id(name)}", i + 1, i + 1] for i, name in enumerate(names)]
    for way, (labels, vmap) in ways.items():
        write_bdata(
            tmp_path / way / path.name,
            responses,
            roi_masks(),
            labels,
            vmap=vmap,
            voxel_xyz=np.arange(72).reshape(-1, 3),
        )
        if way == "index":
            with (tmp_path / way / "stimulus_NaturalImageTest.tsv").open("w", newline="") as file:
                csv.writer(file, delimiter="\t").writerows(rows)
        assert shen2019.load(tmp_path / way, 1, "natural").identical(expected), way


def test_numbers_without_the_list_that_names_them_are_an_error(write_session, tmp_path):
    write_session(tmp_path, 1, "natural", image_index=np.repeat(np.arange(1.0, 51), 24))
    with pytest.raises(InvalidInput, match=r"stimulus_\*.tsv"):
        shen2019.load(tmp_path, 1, "natural")


@pytest.mark.parametrize(
    ("split", "session"), [("shapes", "perceptionArtificialImage"), ("letters", "perceptionLetterImage")]
)
def test_names_of_shapes_and_letters_are_those_of_the_published_events(real_data, split, session):
    events = pd.concat(
        [pd.read_csv(path, sep="\t") for path in sorted((real_data / "ds001506" / "events").glob(f"*{session}*"))]
    )
    events = events[events["event_type"] == 1].drop_duplicates("image_index")
    published = {int(i): name for i, name in zip(events["image_index"], events["stimulus_name"], strict=True)}
    ours = {"shapes": shen2019.SHAPE_NAMES, "letters": shen2019.LETTER_NAMES}[split]
    assert dict(enumerate(ours, start=1)) == published


def test_the_design_is_that_of_the_published_events(real_data):
    folder = real_data / "ds001506" / "events"
    for split, name in {"natural": "NaturalImageTest", "shapes": "ArtificialImage", "letters": "LetterImage"}.items():
        events = pd.concat([pd.read_csv(path, sep="\t") for path in folder.glob(f"*perception{name}*")])
        counts = events[events["event_type"] == 1]["stimulus_name"].value_counts()
        design = shen2019.SPLITS[split]
        assert len(counts) == design.n_stimuli
        assert set(counts) == {design.n_repeats}


@pytest.mark.parametrize("n_repeats", [11, 13])
def test_another_number_of_repeats_is_an_error_that_names_images(write_session, tmp_path, n_repeats):
    write_session(tmp_path, 1, "letters", n_repeats=n_repeats)
    with pytest.raises(InvalidInput, match=f"10 images x 12 repeats.*letter_black_img011_A {n_repeats}x"):
        shen2019.load(tmp_path, 1, "letters")


def test_one_back_repeats_left_in_a_file_are_noticed(write_session, tmp_path):
    path, stimuli, responses = write_session(tmp_path, 1, "letters")
    ids = np.array([shen2019.LETTER_NAMES.index(name) + 1.0 for name in stimuli])
    again = np.concatenate([np.arange(len(ids)), [5]])
    write_bdata(path, responses[again], roi_masks(), {"stimulus_id": ids[again]})
    with pytest.raises(InvalidInput, match=f"{stimuli[5]} 13x"):
        shen2019.load(tmp_path, 1, "letters")


def test_a_missing_image_is_an_error(write_session, tmp_path):
    write_session(tmp_path, 1, "natural", names=image_names("natural")[:49])
    with pytest.raises(InvalidInput, match="expected 50 images x 24 repeats, got 49"):
        shen2019.load(tmp_path, 1, "natural")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_voxel_that_is_not_a_number_is_an_error(write_session, tmp_path, value):
    path, *_ = write_session(tmp_path, 1, "letters")
    with h5py.File(path, "r+") as file:
        file["dataset"][3, 2] = value
    for read in (shen2019.load, shen2019.load_trials):
        with pytest.raises(InvalidInput, match="1 of 24 voxels of its ROIs hold NaN or infinity"):
            read(tmp_path, 1, "letters")


def test_a_voxel_outside_all_rois_may_be_no_number(write_session, tmp_path):
    path, *_ = write_session(tmp_path, 1, "letters")
    expected = shen2019.load(tmp_path, 1, "letters")
    with h5py.File(path, "r+") as file:
        rois = [key.startswith(b"ROI_") for key in file["metadata/key"][()]]
        for row in np.flatnonzero(rois):
            file["metadata/value"][row, 23] = 0
        file["dataset"][3, 23] = np.nan
    for read in (shen2019.load, shen2019.load_trials):
        data = read(tmp_path, 1, "letters")
        assert not data.roi[:, 23].any() and np.isfinite(data.responses[:, :23]).all()
    loaded = shen2019.load(tmp_path, 1, "letters")
    np.testing.assert_array_equal(loaded.responses[:, :23], expected.responses[:, :23])


@pytest.mark.parametrize("ending", ["jpg", "JPEG", "Png", "tif", "TIFF", "bmp"])
def test_names_in_a_vmap_lose_the_ending_of_an_image(write_session, tmp_path, ending):
    path, stimuli, responses = write_session(tmp_path / "a", 1, "letters")
    expected = shen2019.load(tmp_path / "a", 1, "letters")
    names, numbers = np.unique(stimuli, return_inverse=True)
    texts = {float(i): f"letters/{name}.{ending}" for i, name in enumerate(names)}
    labels = {"stimulus_name": numbers.astype(float)}
    write_bdata(tmp_path / "b" / path.name, responses, roi_masks(), labels, vmap={"stimulus_name": texts})
    assert shen2019.load(tmp_path / "b", 1, "letters").stimulus.identical(expected.stimulus)


def test_a_sample_without_a_stimulus_is_an_error(write_session, tmp_path):
    ids = np.repeat(np.arange(1.0, 11), 12)
    ids[7] = np.nan
    write_session(tmp_path, 1, "letters", stimulus_id=ids)
    with pytest.raises(InvalidInput, match="label nan"):
        shen2019.load(tmp_path, 1, "letters")


def test_a_missing_or_an_empty_roi_is_an_error(write_session, tmp_path):
    path, *_ = write_session(tmp_path, 1, "letters")
    with h5py.File(path, "r+") as file:
        row = file["metadata/key"][()].tolist().index(b"ROI_LOC")
        file["metadata/value"][row] = 0
    with pytest.raises(InvalidInput, match="LOC has none"):
        shen2019.load(tmp_path, 1, "letters")


@pytest.mark.parametrize("subject", [0, 4, "sub-09", "S1", True, None])
def test_a_subject_who_does_not_exist_is_an_error(tmp_path, subject):
    with pytest.raises(InvalidInput, match="subjects 1 to 3"):
        shen2019.load(tmp_path, subject, "natural")


def test_a_missing_file_is_named_with_what_to_do(tmp_path):
    with pytest.raises(MissingInput, match=r"sub-01_perceptionNaturalImageTraining_original_VC.h5.*realnet data fetch"):
        shen2019.load(tmp_path, 1, "training")
    with pytest.raises(MissingInput, match="nowhere"):
        shen2019.load(tmp_path / "nowhere", 1, "training")


def test_an_unknown_split_and_two_files_of_one_session_are_errors(write_session, tmp_path):
    with pytest.raises(InvalidInput, match="training, natural, shapes, letters"):
        shen2019.load(tmp_path, 1, "faces")
    for folder in "ab":
        write_session(tmp_path / folder, 1, "letters")
    with pytest.raises(InvalidInput, match="is also at"):
        shen2019.load(tmp_path, 1, "letters")


@pytest.mark.parametrize(
    "line", ["n01_1\tx", "letter_a\t1\t1\t1\nletter_b\t1\t1\t1", "a\t1\t1\t1\na\t2\t2\t2", "\t1\t1\t1"]
)
def test_a_spoilt_list_of_images_is_an_error(write_session, tmp_path, line):
    write_session(tmp_path, 1, "letters")
    (tmp_path / "stimulus_LetterImage.tsv").write_text(line)
    with pytest.raises(InvalidInput, match=r"stimulus_LetterImage.tsv"):
        shen2019.load(tmp_path, 1, "letters")


def test_the_published_list_of_images_is_read(real_data):
    names = shen2019.read_stimulus_list(real_data / "god_stimuli" / "stimulus_ImageNetTraining.tsv")
    assert len(names) == 1200
    assert (names[1], names[1200]) == ("n01518878_10042", "n13111881_9170")
