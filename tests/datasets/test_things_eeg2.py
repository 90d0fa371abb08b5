import numpy as np
import pytest

from realnet.datasets import things_dimensions, things_eeg2
from realnet.errors import InvalidInput, MissingInput

CHANNELS = list(things_eeg2.CHANNELS)
CONCEPTS = ("aircraft_carrier", "ice_cube", "zebra")
TIMES = -0.2 + 0.01 * np.arange(100)  # sums, not neat decimals: 0.1 is 0.09999999999999998


def metadata():
    files = [f"{concept}_0{i}s.jpg" for i, concept in enumerate(CONCEPTS)]
    test = {"test_img_files": files, "test_img_concepts_THINGS": [f"00100_{concept}" for concept in CONCEPTS]}
    return test | {key.replace("test", "train"): value[1:] for key, value in test.items()}


def recording(n=3, channels=CHANNELS, times=TIMES, **changes):
    data = np.random.default_rng(0).normal(size=(n, 4, len(channels), len(times)))
    return {"preprocessed_eeg_data": data, "ch_names": list(channels), "times": np.asarray(times)} | changes


def write(root, eeg=None, images=None, split="test", subject=1):
    (root / f"sub-{subject:02d}").mkdir(exist_ok=True)
    np.save(root / f"sub-{subject:02d}" / f"preprocessed_eeg_{split}.npy", eeg or recording())
    np.save(root / "image_metadata.npy", images or metadata())
    return root


def test_load_gives_single_trials_with_names_on_every_axis(tmp_path):
    eeg = things_eeg2.load(write(tmp_path), 1)
    assert eeg.dims == ("stimulus", "repeat", "channel", "time")
    np.testing.assert_array_equal(eeg, recording()["preprocessed_eeg_data"])
    assert eeg["stimulus"].to_numpy().tolist() == ["aircraft_carrier_00s", "ice_cube_01s", "zebra_02s"]
    assert eeg["concept"].to_numpy().tolist() == list(CONCEPTS)
    assert eeg["channel"].to_numpy().tolist() == CHANNELS
    assert eeg["time"].to_numpy().tolist() == [round(-0.2 + 0.01 * i, 2) for i in range(100)]
    training = things_eeg2.load(write(tmp_path, recording(n=2), split="training", subject=10), "sub-10", "training")
    assert training["stimulus"].to_numpy().tolist() == ["ice_cube_01s", "zebra_02s"]


@pytest.mark.parametrize("channels", [CHANNELS[::-1], ["Fp1", *CHANNELS[:9], "Cz", *CHANNELS[9:], "Fz"]])
def test_the_17_channels_are_found_by_name(tmp_path, channels):
    content = recording(channels=channels)
    eeg = things_eeg2.load(write(tmp_path, content), 1)
    assert eeg.sizes["channel"] == 17
    for name in CHANNELS:
        expected = content["preprocessed_eeg_data"][:, :, channels.index(name)]
        np.testing.assert_array_equal(eeg.sel(channel=name), expected)


@pytest.mark.parametrize(
    ("window", "kept"),
    [((0, 0.19), slice(20, 40)), ((-0.1, 0.49), slice(10, 70)), ((0.1, 0.1), [30]), ((-9, 9), slice(None))],
)
def test_a_window_includes_both_ends_by_value(tmp_path, window, kept):
    eeg = things_eeg2.load(write(tmp_path), 1, window=window)
    np.testing.assert_allclose(eeg["time"], TIMES[kept], atol=1e-9)
    np.testing.assert_array_equal(eeg, recording()["preprocessed_eeg_data"][..., kept])


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"preprocessed_eeg_data": np.zeros((3, 4, 17, 99))}, "'time': length 99"),
     ({"preprocessed_eeg_data": np.full((3, 4, 17, 100), np.nan)}, "NaN"),
     ({"preprocessed_eeg_data": np.full((3, 4, 17, 100), "1.0")}, "U3"),
     ({"preprocessed_eeg_data": 1.0}, "dimension"), ({"ch_names": ["Pz"] * 17}, "channels are Pz, Pz"),
     ({"times": TIMES[::-1]}, "times do not rise"),
     ({"times": 10 + TIMES}, r"rising times \(\(0, 0.1\) s\), but \(3, 4, 17, 0\) samples")],
)  # fmt: skip
def test_a_damaged_recording_gets_a_sentence_that_names_the_file(tmp_path, changes, says):
    with pytest.raises(InvalidInput, match=rf"preprocessed_eeg_test\.npy: .*{says}"):
        things_eeg2.load(write(tmp_path, recording(**changes)), 1, window=(0, 0.1))


@pytest.mark.parametrize("files", [["a.jpg", "a.jpg", "b.jpg"], ["a.jpg"], [1, 2, 3], None])
def test_damaged_metadata_are_an_error(tmp_path, files):
    with pytest.raises(InvalidInput, match=r"image_metadata.npy"):
        things_eeg2.load(write(tmp_path, images=metadata() | {"test_img_files": files}), 1)


def test_files_are_those_that_loading_opens_and_missing_ones_are_named(tmp_path):
    with pytest.raises(MissingInput, match=r"image_metadata.npy"):
        things_eeg2.load(tmp_path, 1)
    write(tmp_path, split="training")
    write(tmp_path, subject=3)
    root = write(tmp_path)
    (tmp_path / "preprocessed_eeg_test.npy").touch()
    names = ["sub-01/preprocessed_eeg_test.npy", "image_metadata.npy"]
    assert things_eeg2.files(root, "sub-01") == [tmp_path / name for name in names]
    for read in (things_eeg2.load, things_eeg2.files):
        with pytest.raises(MissingInput, match=r"sub-02/preprocessed_eeg_test.npy"):
            read(root, 2)
    with pytest.raises(InvalidInput, match="test or training"):
        things_eeg2.load(root, 1, "validation")


def test_all_200_real_test_concepts_find_their_dimensions_by_name(real_data):
    images = things_eeg2.load_metadata(real_data)
    assert (len(images), len(things_eeg2.load_metadata(real_data, "training"))) == (200, 16540)
    everything = things_dimensions.load(real_data)
    dimensions = things_dimensions.for_concepts(everything, images["concept"])
    assert dimensions["concept"].to_numpy().tolist() == images["concept"].tolist()
    # by number, three concepts would land on a row of something else
    content = np.load(real_data / "things_eeg2" / "image_metadata.npy", allow_pickle=True).item()
    by_number = everything["concept"].to_numpy()[[int(name[:5]) - 1 for name in content["test_img_concepts_THINGS"]]]
    assert images["concept"][by_number != images["concept"]].tolist() == ["ice_cube", "ice_pack", "pepper1"]
