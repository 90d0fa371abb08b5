import pickle

import numpy as np
import pytest

from realnet.datasets import things_dimensions, things_eeg2
from realnet.errors import InvalidInput, MissingInput

CONCEPTS = ("aircraft_carrier", "ice_cube", "zebra")
TIMES = -0.2 + 0.01 * np.arange(100)  # sums, not neat decimals: 0.1 is 0.09999999999999998


def metadata(n=3):
    files = [f"{concept}_0{i}s.jpg" for i, concept in enumerate(CONCEPTS[:n])]
    concepts = [f"{i + 1:05d}_{concept}" for i, concept in enumerate(CONCEPTS[:n])]
    things = [f"{100 + i:05d}_{concept}" for i, concept in enumerate(CONCEPTS[:n])]
    test = {"test_img_files": files, "test_img_concepts": concepts, "test_img_concepts_THINGS": things}
    return test | {key.replace("test", "train"): value[:2] for key, value in test.items()}


def recording(n=3, channels=things_eeg2.CHANNELS, times=TIMES, n_repeats=4):
    data = np.random.default_rng(0).normal(size=(n, n_repeats, len(channels), len(times)))
    return {"preprocessed_eeg_data": data, "ch_names": list(channels), "times": np.asarray(times)}


@pytest.fixture
def write(tmp_path):
    def write(eeg=None, images=None, split="test", subject=1):
        folder = tmp_path / "deep" / f"sub-{subject:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"preprocessed_eeg_{split}.npy", recording() if eeg is None else eeg)
        np.save(tmp_path / "image_metadata.npy", metadata() if images is None else images)
        return tmp_path

    return write


def test_load_gives_single_trials_with_names_on_every_axis(write):
    eeg = things_eeg2.load(write(), 1)
    assert eeg.dims == ("stimulus", "repeat", "channel", "time")
    np.testing.assert_array_equal(eeg, recording()["preprocessed_eeg_data"])
    assert eeg["stimulus"].to_numpy().tolist() == ["aircraft_carrier_00s", "ice_cube_01s", "zebra_02s"]
    assert eeg["concept"].to_numpy().tolist() == list(CONCEPTS)
    assert eeg["image"].to_numpy()[1] == "test_images/00002_ice_cube/ice_cube_01s.jpg"
    assert tuple(eeg["channel"].to_numpy()) == things_eeg2.CHANNELS
    assert eeg["time"].to_numpy().tolist() == [round(-0.2 + 0.01 * i, 2) for i in range(100)]


def test_the_training_split_has_its_own_images(write):
    eeg = things_eeg2.load(write(recording(n=2), split="training", subject=10), "sub-10", "training")
    assert eeg["image"].to_numpy()[0] == "training_images/00001_aircraft_carrier/aircraft_carrier_00s.jpg"


def test_a_dict_pickled_directly_is_read_as_well(write):
    root = write()
    (root / "deep" / "sub-01" / "preprocessed_eeg_test.npy").write_bytes(pickle.dumps(recording()))
    np.testing.assert_array_equal(things_eeg2.load(root, 1), recording()["preprocessed_eeg_data"])


@pytest.mark.parametrize("order", ["file", "reversed", "among others"])
def test_the_17_channels_are_found_by_name(write, order):
    channels = list(things_eeg2.CHANNELS)
    if order == "reversed":
        channels = channels[::-1]
    if order == "among others":
        channels = ["Fp1", *channels[:9], "Cz", *channels[9:], "Fz"]
    content = recording(channels=channels)
    eeg = things_eeg2.load(write(content), 1)
    assert eeg.sizes["channel"] == 17
    for name in things_eeg2.CHANNELS:
        np.testing.assert_array_equal(
            eeg.sel(channel=name), content["preprocessed_eeg_data"][:, :, channels.index(name)]
        )


@pytest.mark.parametrize(
    ("window", "first", "n"),
    [
        ((0, 0.19), 0.0, 20),
        ((-0.1, 0.49), -0.1, 60),
        ((0.1, 0.1), 0.1, 1),
        ((-9, 9), -0.2, 100),
        ((0.001, 0.0199), 0.01, 1),
    ],
)
def test_a_window_includes_both_ends_by_value(write, window, first, n):
    root = write()
    eeg = things_eeg2.load(root, 1, window=window)
    assert eeg["time"].to_numpy()[0] == pytest.approx(first, abs=1e-9)
    assert eeg.sizes["time"] == n
    np.testing.assert_array_equal(eeg, things_eeg2.load(root, 1).sel(time=eeg["time"]))


def test_a_window_outside_the_recording_is_an_error(write):
    with pytest.raises(InvalidInput, match=r"-0.200 to 0.790 s"):
        things_eeg2.load(write(), 1, window=(1, 2))


def change(**values):
    return recording() | values


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (change(preprocessed_eeg_data=np.zeros((3, 4, 17, 99))), "100 times"),
        (change(preprocessed_eeg_data=np.zeros((4, 3, 17, 100))), "3 images"),
        (change(preprocessed_eeg_data=np.zeros((3, 17, 100))), "3 images"),
        (change(preprocessed_eeg_data=np.full((3, 4, 17, 100), np.nan)), "NaN"),
        (change(preprocessed_eeg_data=np.full((3, 4, 17, 100), "1.0")), "numbers under preprocessed_eeg_data"),
        (change(preprocessed_eeg_data="text"), "numbers under preprocessed_eeg_data"),
        (change(ch_names=["Pz"] * 17), "lacks P3"),
        (change(ch_names=[*things_eeg2.CHANNELS[:16], "Fz"]), "lacks P2"),
        (change(times=TIMES[::-1]), "rise"),
        (change(times=np.full(100, np.nan)), "rise"),
        (change(times=["a"] * 100), "numbers under times"),
        ({"ch_names": []}, "preprocessed_eeg_data, got nothing"),
    ],
)
def test_a_spoilt_recording_gets_a_sentence_that_names_the_file(write, content, says):
    with pytest.raises(InvalidInput, match=says) as caught:
        things_eeg2.load(write(content), 1)
    assert "preprocessed_eeg_test.npy" in str(caught.value)


@pytest.mark.parametrize(
    "images",
    [
        metadata() | {"test_img_files": ["a.jpg", "a.jpg", "b.jpg"]},
        metadata() | {"test_img_files": ["a.jpg"]},
        metadata() | {"test_img_files": "abc"},
        metadata() | {"test_img_files": [1, 2, 3]},
        metadata() | {"test_img_concepts_THINGS": ["00001_", "00002_", "00003_"]},
        {"train_img_files": []},
    ],
)
def test_spoilt_metadata_are_an_error(write, images):
    with pytest.raises(InvalidInput, match=r"image_metadata.npy"):
        things_eeg2.load(write(images=images), 1)


def test_missing_files_splits_and_subjects_are_errors(write, tmp_path):
    with pytest.raises(MissingInput, match=r"image_metadata.npy"):
        things_eeg2.load(tmp_path, 1)
    write()
    with pytest.raises(MissingInput, match=r"sub-02/preprocessed_eeg_test.npy"):
        things_eeg2.load(tmp_path, 2)
    with pytest.raises(InvalidInput, match="subjects 1 to 10"):
        things_eeg2.load(tmp_path, 11)
    with pytest.raises(InvalidInput, match="test, training"):
        things_eeg2.load(tmp_path, 1, "validation")


def test_all_200_real_test_concepts_find_their_dimensions_by_name(real_data):
    images = things_eeg2.load_metadata(real_data)
    assert len(images) == 200
    assert len(things_eeg2.load_metadata(real_data, "training")) == 16540
    dimensions = things_dimensions.for_concepts(things_dimensions.load(real_data), images["concept"])
    assert dimensions["concept"].to_numpy().tolist() == images["concept"].tolist()
    # by number, three concepts would land on a row of something else
    content = np.load(real_data / "things_eeg2" / "image_metadata.npy", allow_pickle=True).item()
    by_number = [int(name[:5]) - 1 for name in content["test_img_concepts_THINGS"]]
    everything = things_dimensions.load(real_data)["concept"].to_numpy()
    wrong = [name for name, row in zip(images["concept"], by_number, strict=True) if everything[row] != name]
    assert wrong == ["ice_cube", "ice_pack", "pepper1"]
