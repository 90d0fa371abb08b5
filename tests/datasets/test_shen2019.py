import h5py
import numpy as np
import pandas as pd
import pytest
from published_files import N_VOXELS, image_names, roi_masks

from realnet.datasets import shen2019
from realnet.errors import InvalidInput, MissingInput
from simulation.bdata_writer import stimulus_id, write_bdata


@pytest.mark.parametrize("split", shen2019.SPLITS)
def test_load_gives_the_mean_over_repeats_under_the_name_of_each_image(write_session, tmp_path, split):
    _, stimuli, responses = write_session(tmp_path / "deep" / "below", 2, split)
    data, trials = shen2019.load(tmp_path, "sub-02", split), shen2019.load_trials(tmp_path, 2, split)
    assert data["stimulus"].to_numpy().tolist() == sorted(set(stimuli)) == shen2019.stimulus_names(tmp_path, split)
    assert data.sizes["stimulus"] == {"training": 1200, "natural": 50, "shapes": 40, "letters": 10}[split]
    for name in set(stimuli):
        mean = responses[stimuli == name].mean(axis=0)
        np.testing.assert_allclose(data["responses"].sel(stimulus=name), mean, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(trials["stimulus"], stimuli)
    np.testing.assert_array_equal(trials["responses"], responses)


def test_rois_overlap_and_hv4_is_called_v4(write_session, tmp_path):
    write_session(tmp_path, 1, "letters")
    data = shen2019.load(tmp_path, 1, "letters")
    assert data.roi.dims == ("roi", "voxel") and data.roi.dtype == bool
    assert set(data.roi_name.to_numpy()) == {"V1", "V2", "V3", "V4", "LOC", "FFA", "HVC", "VC"}
    for name, mask in roi_masks("V4").items():
        np.testing.assert_array_equal(data.roi.sel(roi=name), mask)
    np.testing.assert_array_equal(data.roi.sel(roi=["LOC", "V1"])[1], roi_masks()["V1"])
    np.testing.assert_array_equal(data.roi.isel(voxel=[0, 5], roi=slice(1, 3)).sel(roi="V2"), [False, True])
    np.testing.assert_array_equal(data["y"], 1 + 3 * np.arange(N_VOXELS))


@pytest.mark.parametrize(
    ("split", "name"),
    [*[("natural", f"sub-01_{name}.h5") for name in (
        "perceptionNaturalImageTest_original_VC", "perceptionNaturalImageTest_VC_v2",
        "ImageNetTest_fmriprep_volume_native_vc", "ImageNetTest_fmriprep_volume_native")],
     ("shapes", "sub-01_ArtificialShapes_fmriprep_volume_native.h5"),
     ("letters", "sub-01_AlphabetLetters_fmriprep_volume_native_vc.h5")],
)  # fmt: skip
def test_all_generations_of_files_are_found_and_the_oldest_of_several_is_read(write_session, tmp_path, split, name):
    path, *_ = write_session(tmp_path / "new", 1, split)
    path.rename(path.with_name(name))
    assert shen2019.load(tmp_path, 1, split).attrs["file"] == name
    if path.name != name:
        write_session(tmp_path / "old", 1, split)
        assert shen2019.load(tmp_path, 1, split).attrs["file"] == path.name


@pytest.mark.parametrize("v4", ["V4", "hV4"])
def test_v4_has_either_name_and_natural_image_files_one_column_more(write_session, tmp_path, v4):
    _, stimuli, responses = write_session(tmp_path / "as-written", 1, "natural")
    names = image_names("natural")
    ids = np.array([stimulus_id(name) for name in stimuli])
    labels = {"Label": np.stack([ids, ids], axis=1), "image_index": [names.index(name) + 1.0 for name in stimuli]}
    found = []
    for folder, more in (("as", {}), ("one-more", {"category_index": ids // 8})):
        path = tmp_path / folder / "sub-01_perceptionNaturalImageTest_original_VC.h5"
        write_bdata(path, responses, roi_masks(v4), labels | more | {"stimulus_id": ids})
        found.append(shen2019.load(tmp_path / folder, 1, "natural"))
    assert found[0].identical(found[1]) and "V4" in found[0].roi_name and "hV4" not in found[0].roi_name
    np.testing.assert_array_equal(found[0].roi.sel(roi="V4"), roi_masks()["hV4"])


def test_every_way_of_labelling_gives_the_same_stimuli(write_session, tmp_path):
    names = image_names("natural")
    path, stimuli, responses = write_session(tmp_path / "ids", 1, "natural")
    expected = shen2019.load(tmp_path / "ids", 1, "natural").drop_vars(["x", "y", "z"])
    number = np.array([names.index(name) + 1.0 for name in stimuli])
    ids = np.array([stimulus_id(name) for name in stimuli])
    texts = {1.0 + i: f"images/{name}.{('JPEG', 'tif', 'Png')[i % 3]}" for i, name in enumerate(names)}
    ways = {
        "label": ({"Label": np.stack([number, ids, number, number], axis=1)}, None),
        "vmap": ({"stimulus_name": number, "stimulus_id": np.zeros(len(number))}, {"stimulus_name": texts}),
        "index": ({"image_index": number}, None),
    }
    for way, (labels, vmap) in ways.items():
        write_bdata(tmp_path / way / path.name, responses, roi_masks(), labels, vmap=vmap)
        if way == "index":
            with pytest.raises(InvalidInput, match=r"label 1.0 names no image.*stimulus_\*.tsv"):
                shen2019.load(tmp_path / way, 1, "natural")
            lines = [f"{name}\t{stimulus_id(name)}\t{i}\t{i}\n" for i, name in enumerate(names, start=1)]
            (tmp_path / way / "stimulus_NaturalImageTest.tsv").write_text("".join(lines))
        assert shen2019.load(tmp_path / way, 1, "natural").identical(expected), way


def test_the_published_list_names_images_by_number(write_session, tmp_path, real_data):
    write_session(tmp_path, 1, "natural", image_index=np.repeat(np.arange(1.0, 51), 24))
    (tmp_path / "stimulus_NaturalImageTest.tsv").symlink_to(real_data / "god_stimuli" / "stimulus_ImageNetTest.tsv")
    names = pd.read_csv(real_data / "god_stimuli" / "imageID_test.csv", header=None)[1].str.removesuffix(".JPEG")
    assert shen2019.stimulus_names(tmp_path, "natural") == sorted(names)


@pytest.mark.parametrize(
    ("split", "names"), [("natural", None), ("shapes", shen2019.SHAPE_NAMES), ("letters", shen2019.LETTER_NAMES)]
)
def test_designs_and_names_are_those_of_the_published_event_files(real_data, split, names):
    design = shen2019.SPLITS[split]
    paths = sorted((real_data / "ds001506" / "events").glob(f"*perception{design.session}*"))
    table = pd.concat([pd.read_csv(path, sep="\t") for path in paths])
    table = table[table["event_type"] == 1]  # 2 is a one-back repeat
    counts = table["stimulus_name"].value_counts()
    assert len(counts) == design.n_stimuli and set(counts) == {design.n_repeats}
    if names:
        assert dict(zip(table["image_index"], table["stimulus_name"], strict=True)) == dict(enumerate(names, 1))


def test_another_design_is_an_error_that_names_images(write_session, tmp_path):
    path, stimuli, responses = write_session(tmp_path, 1, "letters")
    ids = np.array([shen2019.LETTER_NAMES.index(name) + 1.0 for name in stimuli])
    one_back = np.concatenate([np.arange(len(ids)), [5]])
    no_label, other = ids.copy(), stimuli[0]
    no_label[7] = np.nan
    for rows, labels, says in [
        (one_back, ids, f"10 images x 12 repeats.*{stimuli[5]} 13x"),
        (stimuli != other, ids, "got 9 images"),
        (slice(None), no_label, "label nan"),
    ]:
        write_bdata(path, responses[rows], roi_masks(), {"stimulus_id": labels[rows]})
        with pytest.raises(InvalidInput, match=says):
            shen2019.load(tmp_path, 1, "letters")


def test_a_voxel_of_a_roi_that_is_not_a_number_is_an_error_and_one_outside_is_not(write_session, tmp_path):
    path, *_ = write_session(tmp_path, 1, "letters")
    expected = shen2019.load(tmp_path, 1, "letters").responses[:, :23]
    with h5py.File(path, "r+") as file:
        file["metadata/value"][[key.startswith(b"ROI_") for key in file["metadata/key"]], 23] = 0
        file["dataset"][3, 23] = np.nan
    assert shen2019.load(tmp_path, 1, "letters").responses[:, :23].identical(expected)
    for read, value in ((shen2019.load, np.inf), (shen2019.load_trials, np.nan)):
        with h5py.File(path, "r+") as file:
            file["dataset"][3, 2] = value
        with pytest.raises(InvalidInput, match="1 voxels of its ROIs hold NaN or infinity"):
            read(tmp_path, 1, "letters")


def test_an_empty_roi_an_unknown_split_and_two_files_of_one_session_are_errors(write_session, tmp_path):
    path, *_ = write_session(tmp_path / "a", 1, "letters")
    with h5py.File(path, "r+") as file:
        file["metadata/value"][list(file["metadata/key"]).index(b"ROI_LOC")] = 0
    with pytest.raises(InvalidInput, match="no voxel is in LOC"):
        shen2019.load(tmp_path, 1, "letters")
    with pytest.raises(InvalidInput, match="training, natural, shapes, letters"):
        shen2019.load(tmp_path, 1, "faces")
    write_session(tmp_path / "b", 1, "letters")
    with pytest.raises(InvalidInput, match="expected one file"):
        shen2019.load(tmp_path, 1, "letters")


def test_files_are_those_that_loading_opens_and_missing_ones_are_named(write_session, tmp_path):
    sessions = [write_session(tmp_path, 2, split)[0] for split in ("training", "natural", "shapes")]
    for ask in (lambda: shen2019.files(tmp_path, 2), lambda: shen2019.load(tmp_path, 2, "letters")):
        with pytest.raises(MissingInput, match=r"sub-02_perceptionLetterImage_original_VC.h5"):
            ask()
    sessions.append(write_session(tmp_path, 2, "letters")[0])
    write_session(tmp_path, 1, "letters")
    for stray in ("sub-02_ImageNetTest_fmriprep_volume_native.h5", "screenshot.png", "stimulus_LetterImage.tsv"):
        (tmp_path / stray).touch()
    assert shen2019.files(tmp_path, "sub-02") == [*sessions, tmp_path / "stimulus_LetterImage.tsv"]
