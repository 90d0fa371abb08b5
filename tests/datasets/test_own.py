"""An experiment of your own is read alike from every layout, and every mistake in it gets one sentence."""

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from realnet.datasets import own
from realnet.errors import InvalidInput, MissingInput

SETS = {"training": 6, "natural": 4}
N_REPEATS, N_VOXELS = 3, 5
SAMPLES = [f"{split}-{i}" for split, n in SETS.items() for i in range(n)] * N_REPEATS
ROIS = pd.DataFrame({"V1": [1, 1, 0, 0, 0], "LOC": [0, 1, 1, 0, 0]})


def responses():
    return np.random.default_rng(0).normal(size=(len(SAMPLES), N_VOXELS))


@pytest.fixture
def folder(tmp_path):
    """A whole experiment, its responses as .npy; samples come in a random order."""
    (tmp_path / "images").mkdir()
    table = pd.DataFrame([(f"{s}-{i}", f"{s}-{i}.png", s) for s, n in SETS.items() for i in range(n)])
    table.columns = ["stimulus_id", "file", "split"]
    for file in table.file:
        Image.new("RGB", (4, 4)).save(tmp_path / "images" / file)
    table.to_csv(tmp_path / "stimuli.csv", index=False)
    order = np.random.default_rng(1).permutation(len(SAMPLES))
    pd.DataFrame({"stimulus_id": np.array(SAMPLES)[order]}).to_csv(tmp_path / "sub-01_samples.csv", index=False)
    ROIS.to_csv(tmp_path / "sub-01_rois.csv", index=False)
    np.save(tmp_path / "sub-01_responses.npy", responses()[order])
    return tmp_path


def as_layout(folder, ending):
    """The same responses in another layout."""
    path = folder / f"sub-01_responses{ending}"
    values = np.load(folder / "sub-01_responses.npy")
    if ending == ".csv":
        pd.DataFrame(values).add_prefix("voxel").to_csv(path, index=False)
    elif ending == ".h5":
        with h5py.File(path, "w") as file:
            file["responses"] = values
    if ending != ".npy":
        (folder / "sub-01_responses.npy").unlink()
    return path


@pytest.mark.parametrize("ending", [".npy", ".h5", ".csv"])
def test_every_layout_gives_the_mean_over_repeats_of_each_image(folder, ending):
    as_layout(folder, ending)
    expected = pd.DataFrame(responses(), index=SAMPLES).groupby(level=0).mean()
    for split, n in SETS.items():
        data = own.load(folder, 1, split)
        assert list(data.stimulus.values) == own.stimulus_names(folder, split) == [f"{split}-{i}" for i in range(n)]
        np.testing.assert_allclose(data.responses.values, expected.loc[data.stimulus.values], rtol=1e-12)
        assert data.attrs["n_repeats"] == N_REPEATS and data.responses.attrs["subject"] == "sub-01"


def test_trials_are_the_samples_in_the_order_of_the_file(folder):
    trials = own.load_trials(folder, "sub-01", "natural")
    shown = pd.read_csv(folder / "sub-01_samples.csv").stimulus_id
    rows = shown.str.startswith("natural").to_numpy()
    assert list(trials.stimulus.values) == list(shown[rows])
    np.testing.assert_array_equal(trials.responses.values, np.load(folder / "sub-01_responses.npy")[rows])


@pytest.mark.parametrize("masks", [ROIS, ROIS.astype(bool)])
def test_rois_are_asked_for_by_name_as_in_the_published_datasets(folder, masks):
    masks.to_csv(folder / "sub-01_rois.csv", index=False)
    data = own.load(folder, 1, "natural")
    assert list(data.roi_name.values) == ["V1", "LOC", "VC"]
    for name, mask in (("LOC", [False, True, True, False, False]), ("VC", [True, True, True, False, False])):
        assert list(data["roi"].sel(roi=name).values) == mask


def test_images_are_found_in_the_order_asked_for_and_all_that_are_missing_are_named_at_once(folder):
    found = own.find_images(folder, ["natural-2", "training-0"])
    assert [path.name for path in found] == ["natural-2.png", "training-0.png"]
    for i in range(2):
        (folder / "images" / f"natural-{i}.png").unlink()
    with pytest.raises(MissingInput, match=r"images: 3 of 4 images .* natural-0\.png, natural-1\.png, x \(has no line"):
        own.find_images(folder, ["natural-0", "natural-1", "natural-2", "x"])
    with pytest.raises(MissingInput, match=r"2 of 4 images"):
        own.load(folder, 1, "natural")


def test_images_with_transparent_pixels_are_refused_by_name(folder):
    pixels = np.full((8, 8, 4), 255, dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "images" / "natural-1.png")
    pixels[3, 4, 3] = 254
    Image.fromarray(pixels).save(folder / "images" / "natural-2.png")
    with pytest.raises(InvalidInput, match=r"images: natural-2\.png has transparent pixels"):
        own.find_images(folder, ["natural-1", "natural-2"])


def test_the_files_of_a_subject_are_those_that_it_needs_and_no_others(folder):
    (folder / "sub-02_responses.npy").write_bytes(b"")
    (folder / "sub-01_notes.csv").write_text("stray")
    names = ["stimuli.csv", "sub-01_samples.csv", "sub-01_rois.csv", "sub-01_responses.npy"]
    assert own.files(folder, 1) == [folder / name for name in names]
    with pytest.raises(MissingInput, match=r"expected sub-02_samples\.csv, sub-02_rois\.csv in this folder"):
        own.files(folder, 2)
    with pytest.raises(MissingInput, match=r"sub-03_rois\.csv, sub-03_responses\.npy \(or \.h5, \.csv\)"):
        own.files(folder, 3)


def edit(file, old, new, count=1):
    return lambda folder: (folder / file).write_text((folder / file).read_text().replace(old, new, count))


def write(file, content):
    return lambda folder: (folder / file).write_bytes(content)


def save(change):
    path = "sub-01_responses.npy"
    return lambda folder: np.save(folder / path, change(np.load(folder / path)))


WRONG = {
    "empty table": (write("stimuli.csv", b""), r"stimuli\.csv: expected comma-separated"),
    "other columns": (edit("stimuli.csv", "split", "set"), r"stimuli\.csv: .*the columns stimulus_id, file, split"),
    "not UTF-8": (write("stimuli.csv", b"stimulus_id,file,split\n\xff,a,training\n"), r"stimuli\.csv: .*UTF-8"),
    "an id twice": (edit("stimuli.csv", "natural-1,", "natural-0,"), r"'natural-0' appears twice, also in line 9"),
    "an empty cell": (edit("stimuli.csv", "natural-1.png", ""), r"stimuli\.csv: line 9 has no file"),
    "a long line": (edit("stimuli.csv", "1.png,training", "1.png,training,x"), r"stimuli\.csv: expected comma"),
    "no row of a split": (edit("stimuli.csv", ",natural", ",other", -1), r"no split 'natural', only other, training"),
    "an unknown sample": (edit("sub-01_samples.csv", "natural-2", "natural-9"), r"not in stimuli\.csv: natural-9"),
    "never shown": (edit("sub-01_samples.csv", "natural-2", "natural-1", -1), r"images have no line: natural-2"),
    "a row too few": (save(lambda v: v[1:]), r"30 samples .* x 5 voxels .* got float64 \(29, 5\)"),
    "NaN": (save(lambda v: np.insert(v, 7, [1, 1, np.nan, 1, 1], axis=0)[:-1]), r"but row 8, voxel 3 is nan"),
    "text in an array": (save(lambda v: v.astype(str)), r"expected numbers, .* got <U"),
    "a cut file": (lambda f: write("sub-01_responses.npy", (f / "sub-01_responses.npy").read_bytes()[:500])(f),
                   r"expected a whole \.npy file"),
    "two layouts": (write("sub-01_responses.h5", b""), r"responses\.npy: .* also at .*sub-01_responses\.h5; keep one"),
    "ROI of 2": (edit("sub-01_rois.csv", "1,1", "2,1"), r"sub-01_rois\.csv: expected 1 where"),
    "empty ROI": (edit("sub-01_rois.csv", ",1", ",0", -1), r"sub-01_rois\.csv: .* voxels in every ROI"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_gets_one_sentence_that_names_the_file(folder, mistake):
    change, pattern = WRONG[mistake]
    change(folder)
    with pytest.raises((InvalidInput, MissingInput), match=pattern) as caught:
        for split in SETS:
            own.load(folder, 1, split)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


@pytest.mark.parametrize("text", ["high", "", "nan", "inf", "1;5", "True"])
def test_text_where_a_number_belongs_is_named_with_its_place(folder, text):
    path = as_layout(folder, ".csv")
    lines = path.read_text().splitlines()
    lines[4] = ",".join([text, *lines[4].split(",")[1:]])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidInput, match=r"line 5, column 'voxel0' holds|row 4, voxel 1 is inf"):
        own.load_trials(folder, 1, "training"), own.load_trials(folder, 1, "natural")


@pytest.mark.parametrize("content", [b"", b"no HDF5"])
def test_a_file_that_is_no_hdf5_with_responses_is_refused(folder, content):
    path = as_layout(folder, ".h5")
    for damage in (lambda: write(path.name, content)(folder), lambda: h5py.File(path, "w").close()):
        damage()
        with pytest.raises(InvalidInput, match=r"sub-01_responses\.h5: expected HDF5 with the dataset `responses`"):
            own.load(folder, 1, "natural")
