import csv
import threading

import h5py
import numpy as np
import pytest
from bdpy import BData as BdpyData

from realnet.datasets.kamitani import open_bdata, stimulus_name
from realnet.errors import InvalidInput
from simulation.bdata_writer import stimulus_id, write_bdata

RESPONSES = np.random.default_rng(0).normal(size=(7, 5))
ROIS = {"V1": np.array([1, 1, 0, 0, 0], bool), "VC": np.ones(5, bool)}
LABELS = {"Label": np.arange(14.0).reshape(7, 2), "stimulus_name": np.array([1, 2, 1, 2, 3, 3, 1])}
VMAP = {"stimulus_name": {1: "n01518878_10042", 2: "letter_ä", 3: "c"}}


def write(path, responses=RESPONSES, **more):
    return write_bdata(path, responses, ROIS, LABELS, vmap=VMAP, **more)


def test_a_file_we_write_is_read_by_bdpy_with_the_same_columns_and_labels(tmp_path):
    blocks = iter([RESPONSES[:3], RESPONSES[3:4], RESPONSES[4:]])
    theirs = BdpyData(str(write(tmp_path / "a.h5", blocks, n_samples=7, voxel_xyz=np.arange(15).reshape(5, 3))))
    np.testing.assert_array_equal(theirs.select("VoxelData"), RESPONSES)
    np.testing.assert_array_equal(theirs.select("ROI_V1 = 1"), RESPONSES[:, :2])
    np.testing.assert_array_equal(theirs.get("Label"), LABELS["Label"])
    np.testing.assert_array_equal(theirs.get_metadata("voxel_y", where="VoxelData"), [1, 4, 7, 10, 13])
    assert theirs.get_label("stimulus_name") == [VMAP["stimulus_name"][i] for i in LABELS["stimulus_name"]]


def test_a_file_that_bdpy_writes_is_read_by_us(tmp_path):
    theirs = BdpyData()
    theirs.add(RESPONSES, "VoxelData")
    theirs.add(LABELS["stimulus_name"], "stimulus_name")
    theirs.add_metadata("ROI_V1", np.array([1, 1, np.nan, np.nan, np.nan]), where="VoxelData")
    theirs.add_vmap("stimulus_name", dict(VMAP["stimulus_name"]))
    theirs.save(str(tmp_path / "b.h5"))
    with open_bdata(tmp_path / "b.h5") as ours:
        assert ours.vmap == VMAP
        np.testing.assert_array_equal(np.flatnonzero(ours.columns("ROI_V1")), [0, 1])
        np.testing.assert_array_equal(ours.labels("stimulus_name")[:, 0], LABELS["stimulus_name"])
        np.testing.assert_array_equal(list(ours.samples(ours.columns("VoxelData"), np.ones(7, bool))), RESPONSES)


def test_the_labs_own_sample_file_is_read_as_bdpy_reads_it(real_data):
    path = real_data / "kamitani_bdata" / "sample_vmap.h5"
    theirs = BdpyData(str(path))
    with open_bdata(path) as ours:
        np.testing.assert_array_equal(ours.labels("Data"), theirs.get("Data"))
        assert [ours.vmap["Label"][number] for number in ours.labels("Label")[:, 0]] == theirs.get_label("Label")


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
def test_samples_are_the_chosen_rows_and_columns_for_every_chunk_also_under_the_older_names(tmp_path, chunk):
    rows, columns = np.array([0, 1, 1, 0, 1, 0, 1], bool), np.array([0, 1, 0, 1, 0, 0, 0, 0], bool)
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.move("dataset", "dataSet")
        file.move("metadata", "metaData")
    with open_bdata(path) as bdata:
        np.testing.assert_array_equal(list(bdata.samples(columns, rows, chunk)), RESPONSES[rows][:, [1, 3]])
        np.testing.assert_array_equal(bdata.labels("Label"), LABELS["Label"])


@pytest.mark.parametrize("table", ["imageID_training.csv", "imageID_test.csv"])
def test_names_of_all_natural_images_survive_the_way_to_numbers_and_back(real_data, table):
    with (real_data / "god_stimuli" / table).open() as file:
        rows = [(float(number), name.removesuffix(".JPEG")) for number, name in csv.reader(file)]
    assert [(stimulus_id(name), stimulus_name(number)) for number, name in rows] == rows


@pytest.mark.parametrize("number", [np.nan, np.inf, 7.0, 1518878.0, -1518878.5, 1e12, 1518878.0000004])
def test_a_number_that_names_no_image_is_an_error(number):
    with pytest.raises(ValueError, match="names no image"):
        stimulus_name(number)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("dataset", None, "dataSet"), ("dataset", np.zeros((7, 8), complex), "matrix of complex"),
     ("dataset", np.zeros((7, 9)), r"\(7, 9\), \(5, 8\) metadata of 5 keys"),
     ("metadata/key", [b"VoxelData", b"ROI_V1", b"ROI_V1", b"Label", b"stimulus_name"], "5 keys"),
     ("metadata/key", [b"\xff\xfe", b"a", b"b", b"c", b"d"], "decode"),
     ("metadata/key", [b"VoxelData", b"ROI_V7", b"a", b"b", b"c"], "ROI_V1 does not mark columns.*ROI_V7"),
     ("metadata/value", np.full((5, 8), 0.5), "ROI_V1 does not mark columns by 1"),
     ("vmap/stimulus_name/1.0", np.zeros((2, 2)), "is not text"), ("vmap/stimulus_name/one", b"a", "convert")],
)  # fmt: skip
def test_a_damaged_file_gets_one_sentence_that_names_it_and_leaves_hdf5_to_other_threads(tmp_path, name, value, says):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.pop(name, None)
        if value is not None:
            file[name] = value
    with pytest.raises(InvalidInput, match=rf"a\.h5: .*{says}") as caught, open_bdata(path) as bdata:
        bdata.columns("ROI_V1")
    other = threading.Thread(target=lambda: h5py.File(path).close(), daemon=True)
    other.start()
    other.join(20)
    # whoever keeps the error keeps the frames that raised it
    assert caught.value.__traceback__ and not other.is_alive()
