"""An experiment of one's own is read alike from every layout, and every mistake in it gets a sentence."""

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
    values = np.load(folder / "sub-01_responses.npy")
    (folder / "sub-01_responses.npy").unlink()
    path = folder / f"sub-01_responses{ending}"
    if ending == ".csv":
        pd.DataFrame(values, columns=[f"voxel{i}" for i in range(N_VOXELS)]).to_csv(path, index=False)
    elif ending == ".h5":
        with h5py.File(path, "w") as file:
            file["responses"] = values
    else:
        np.save(path, values)


@pytest.mark.parametrize("ending", [".npy", ".h5", ".csv"])
def test_every_layout_gives_the_mean_over_repeats_of_each_image(folder, ending):
    as_layout(folder, ending)
    for split, n in SETS.items():
        data = own.load(folder, 1, split)
        expected = pd.DataFrame(responses(), index=SAMPLES).groupby(level=0).mean()
        assert list(data.stimulus.values) == [f"{split}-{i}" for i in range(n)]
        np.testing.assert_allclose(data.responses.values, expected.loc[data.stimulus.values], rtol=1e-12)
        assert data.attrs["n_repeats"] == N_REPEATS and data.responses.attrs["subject"] == "sub-01"


def test_trials_are_the_samples_in_the_order_of_the_file(folder):
    trials = own.load_trials(folder, "sub-01", "natural")
    shown = pd.read_csv(folder / "sub-01_samples.csv").stimulus_id
    rows = shown.str.startswith("natural").to_numpy()
    assert list(trials.stimulus.values) == list(shown[rows])
    np.testing.assert_array_equal(trials.responses.values, np.load(folder / "sub-01_responses.npy")[rows])


def test_regions_are_asked_for_by_name_as_in_the_published_datasets(folder):
    data = own.load(folder, 1, "natural")
    assert list(data["roi"].sel(roi="LOC").values) == [False, True, True, False, False]
    assert list(data.roi_name.values) == ["V1", "LOC", "VC"]
    assert list(data["roi"].sel(roi="VC").values) == [True, True, True, False, False]


def test_images_are_found_through_the_table_in_the_order_asked_for(folder):
    found = own.find_images(folder, ["natural-2", "training-0"])
    assert [path.name for path in found] == ["natural-2.png", "training-0.png"]


@pytest.mark.parametrize(("alpha", "clear"), [(255, False), (254, True)])
def test_images_with_transparent_pixels_are_refused_by_name(folder, alpha, clear):
    pixels = np.full((8, 8, 4), 255, dtype=np.uint8)
    pixels[3, 4, 3] = alpha
    Image.fromarray(pixels).save(folder / "images" / "natural-2.png")
    if clear:
        with pytest.raises(InvalidInput, match=r"images: some pixels of natural-2\.png are transparent"):
            own.find_images(folder, ["natural-2", "training-0"])
    else:
        assert len(own.find_images(folder, ["natural-2", "training-0"])) == 2


def edit(file, old, new, count=1):
    return lambda folder: (folder / file).write_text((folder / file).read_text().replace(old, new, count))


def remove(file):
    return lambda folder: (folder / file).unlink()


def write(file, content):
    return lambda folder: (folder / file).write_bytes(content)


def cut(file, size):
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:size])


def save(change):
    def apply(folder):
        path = folder / "sub-01_responses.npy"
        np.save(path, change(np.load(path)))

    return apply


def with_nan(values):
    values[7, 2] = np.nan
    return values


WRONG = {
    "no table": (remove("stimuli.csv"), r"stimuli\.csv: expected a table"),
    "no samples": (remove("sub-01_samples.csv"), r"sub-01_samples\.csv: expected a table"),
    "no rois": (remove("sub-01_rois.csv"), r"sub-01_rois\.csv: expected a table"),
    "no responses": (remove("sub-01_responses.npy"), r"expected sub-01_responses\.npy"),
    "no image": (remove("images/natural-3.png"), r"1 images of stimuli\.csv are not there: natural-3\.png"),
    "empty table": (write("stimuli.csv", b""), r"stimuli\.csv: expected comma-separated"),
    "headings only": (write("stimuli.csv", b"stimulus_id,file,split\n"), r"stimuli\.csv: .*0 lines"),
    "other columns": (edit("stimuli.csv", "split", "set"), r"stimuli\.csv: expected the columns .*split.*got .*set"),
    "not UTF-8": (write("stimuli.csv", b"stimulus_id,file,split\n\xff,a,training\n"), r"stimuli\.csv: .*UTF-8"),
    "an id twice": (edit("stimuli.csv", "natural-1,", "natural-0,"), r"every stimulus_id once, but 'natural-0'"),
    "a file twice": (edit("stimuli.csv", "natural-1.png", "training-0.png"), r"every file once, but 'training-0\.png'"),
    "an empty cell": (edit("stimuli.csv", "natural-1.png", ""), r"stimuli\.csv: line 9 has no file"),
    "a long line": (edit("stimuli.csv", "1.png,training", "1.png,training,x"), r"stimuli\.csv: expected comma"),
    "no row of a split": (
        edit("stimuli.csv", ",natural", ",other", -1),
        r"no line has the split 'natural'; its splits are other, training",
    ),
    "an unknown sample": (edit("sub-01_samples.csv", "natural-2", "natural-9"), r"not in stimuli\.csv: natural-9"),
    "an image never shown": (
        edit("sub-01_samples.csv", "natural-2", "natural-1", -1),
        r"1 images of the split 'natural' have no sample: natural-2",
    ),
    "a row too few": (save(lambda v: v[1:]), r"29 rows face 30 lines"),
    "a voxel too few": (save(lambda v: v[:, 1:]), r"samples x 5 voxels .*got \(30, 4\)"),
    "three dimensions": (save(lambda v: v[None]), r"samples x 5 voxels .*got \(1, 30, 5\)"),
    "NaN": (save(with_nan), r"finite numbers, but row 8, voxel 3 is nan"),
    "text in an array": (save(lambda v: v.astype(str)), r"responses that are numbers, got <U"),
    "objects": (save(lambda v: v.astype(object)), r"expected a whole file of numbers"),
    "a cut file": (cut("sub-01_responses.npy", 500), r"expected a whole file of numbers"),
    "two layouts": (write("sub-01_responses.h5", b""), r"also at .*sub-01_responses\.npy; keep one"),
    "ROI of 2": (edit("sub-01_rois.csv", "1,1", "2,1"), r"sub-01_rois\.csv: expected 1 where"),
    "ROI in words": (edit("sub-01_rois.csv", "1,1", "yes,1"), r"line 3, column 'V1' holds 'yes'"),
    "empty ROI": (write("sub-01_rois.csv", b"V1,LOC\n1,0\n1,0\n1,0\n1,0\n1,0\n"), r"every region, but LOC has none"),
    "ROI twice": (edit("sub-01_rois.csv", "LOC", "V1"), r"sub-01_rois\.csv: .*each once"),
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
    as_layout(folder, ".csv")
    path = folder / "sub-01_responses.csv"
    lines = path.read_text().splitlines()
    lines[4] = ",".join([text, *lines[4].split(",")[1:]])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InvalidInput, match=r"line 5, column 'voxel0' holds|row 4, voxel 1 is inf"):
        own.load_trials(folder, 1, "training"), own.load_trials(folder, 1, "natural")


@pytest.mark.parametrize("content", [b"", b"no HDF5", None])
def test_a_file_that_is_no_hdf5_with_responses_is_refused(folder, content):
    (folder / "sub-01_responses.npy").unlink()
    path = folder / "sub-01_responses.h5"
    if content is None:
        with h5py.File(path, "w") as file:
            file["data"] = responses()
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"sub-01_responses\.h5: expected an HDF5 file with the dataset `responses`"):
        own.load(folder, 1, "natural")
