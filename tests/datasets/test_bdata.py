import csv
import threading

import h5py
import numpy as np
import pytest
from bdpy import BData as BdpyData

from realnet.datasets.bdata import read_bdata, stimulus_id, stimulus_name, write_bdata
from realnet.errors import InvalidInput, MissingInput

RESPONSES = np.random.default_rng(0).normal(size=(7, 5))
ROIS = {"V1": np.array([1, 1, 0, 0, 0], bool), "VC": np.ones(5, bool)}
LABELS = {"Label": np.arange(14.0).reshape(7, 2), "stimulus_name": np.array([1, 2, 1, 2, 3, 3, 1])}
VMAP = {"stimulus_name": {1: "n01518878_10042", 2: "letter_ä", 3: "c"}}


def write(path, **changes):
    arguments = {"responses": RESPONSES, "rois": ROIS, "labels": LABELS, "vmap": VMAP} | changes
    return write_bdata(path, **arguments)


def test_a_file_we_write_is_read_by_bdpy_with_the_same_columns_and_labels(tmp_path):
    theirs = BdpyData(str(write(tmp_path / "a.h5", voxel_xyz=np.arange(15).reshape(5, 3))))
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
    ours = read_bdata(tmp_path / "b.h5")
    assert ours.n_samples == 7
    assert ours.vmap == VMAP
    np.testing.assert_array_equal(np.flatnonzero(ours.columns("ROI_V1")), [0, 1])
    np.testing.assert_array_equal(ours.labels("stimulus_name")[:, 0], LABELS["stimulus_name"])
    (_, block), *_ = ours.blocks(ours.columns("VoxelData"), np.ones(7, bool))
    np.testing.assert_array_equal(block, RESPONSES)


def test_the_labs_own_sample_file_is_read_as_bdpy_reads_it(real_data):
    path = real_data / "kamitani_bdata" / "sample_vmap.h5"
    ours, theirs = read_bdata(path), BdpyData(str(path))
    np.testing.assert_array_equal(ours.labels("Data"), theirs.get("Data"))
    named = [ours.vmap["Label"][number] for number in ours.labels("Label")[:, 0]]
    assert named == theirs.get_label("Label")


def test_the_older_names_of_the_two_groups_are_accepted(tmp_path):
    path = write(tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        file.move("dataset", "dataSet")
        file.move("metadata", "metaData")
    np.testing.assert_array_equal(read_bdata(path).labels("Label"), LABELS["Label"])


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
def test_blocks_give_the_chosen_rows_and_columns_for_every_chunk(tmp_path, chunk):
    bdata = read_bdata(write(tmp_path / "a.h5"))
    rows = np.array([0, 1, 1, 0, 1, 0, 1], bool)
    columns = np.array([0, 1, 0, 1, 0, 0, 0, 0], bool)
    parts = list(bdata.blocks(columns, rows, chunk))
    np.testing.assert_array_equal(np.concatenate([here for here, _ in parts]), np.flatnonzero(rows))
    np.testing.assert_array_equal(np.concatenate([block for _, block in parts]), RESPONSES[rows][:, [1, 3]])


def test_writing_block_by_block_gives_the_same_file_as_writing_at_once(tmp_path):
    write(tmp_path / "once.h5")
    write(tmp_path / "blocks.h5", responses=iter([RESPONSES[:3], RESPONSES[3:4], RESPONSES[4:]]), n_samples=7)
    with h5py.File(tmp_path / "once.h5") as once, h5py.File(tmp_path / "blocks.h5") as blocks:
        np.testing.assert_array_equal(once["dataset"][()], blocks["dataset"][()])


@pytest.mark.parametrize("blocks", [[RESPONSES[:3]], [RESPONSES, RESPONSES[:1]], [RESPONSES[:, :4]]])
def test_a_failed_write_leaves_no_file_and_no_temporary_file(tmp_path, blocks):
    with pytest.raises(InvalidInput, match="responses"):
        write(tmp_path / "a.h5", responses=iter(blocks), n_samples=7)
    assert list(tmp_path.iterdir()) == []


def test_names_of_all_1250_natural_images_survive_the_way_to_numbers_and_back(real_data):
    for table in ("imageID_training.csv", "imageID_test.csv"):
        with (real_data / "god_stimuli" / table).open() as file:
            rows = [(float(number), name.removesuffix(".JPEG")) for number, name in csv.reader(file)]
        assert [stimulus_name(number) for number, _ in rows] == [name for _, name in rows]
        assert [stimulus_id(name) for _, name in rows] == [number for number, _ in rows]


@pytest.mark.parametrize("number", [np.nan, np.inf, 7.0, 1518878.0, -1518878.5, 1e12, 1518878.0000004])
def test_a_number_that_names_no_image_is_an_error(number):
    with pytest.raises(InvalidInput, match=r"1518878.005958|six decimals"):
        stimulus_name(number)


def spoil(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def replace(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda file: file.__delitem__("dataset"), "/dataset"),
        (lambda file: file.__delitem__("metadata"), "/metadata"),
        (lambda file: file.__delitem__("metadata/key"), "/key"),
        (replace("dataset", np.zeros((7, 9))), "keys x 9 columns"),
        (replace("dataset", np.zeros((0, 8))), "samples x columns"),
        (replace("dataset", np.zeros(8)), "samples x columns"),
        (replace("dataset", np.array([[b"text"] * 8])), "matrix of numbers"),
        (replace("dataset", np.zeros((7, 8), complex)), "matrix of numbers"),
        (replace("metadata/value", np.zeros((2, 8))), "metadata of"),
        (replace("metadata/key", [b"VoxelData", b"ROI_V1", b"ROI_V1", b"Label", b"stimulus_name"]), "once"),
        (replace("metadata/key", [b"\xff\xfe", b"a", b"b", b"c", b"d"]), "UTF-8"),
        (replace("metadata", np.zeros(3)), "BData"),
        (replace("vmap/stimulus_name/1.0", np.zeros((2, 2))), "expected text in /vmap/stimulus_name"),
        (lambda file: file["vmap/stimulus_name"].move("1.0", "one"), "BData"),
    ],
)
def test_a_spoilt_file_gets_one_sentence_that_names_it(tmp_path, change, says):
    path = write(tmp_path / "a.h5")
    spoil(path, change)
    with pytest.raises(InvalidInput, match=says) as caught:
        read_bdata(path)
    assert "a.h5" in str(caught.value)


def test_a_refused_file_does_not_keep_hdf5_from_other_threads(tmp_path):
    path = write(tmp_path / "a.h5")
    spoil(path, lambda file: file["vmap/stimulus_name"].move("1.0", "one"))
    with pytest.raises(InvalidInput) as caught:
        read_bdata(path)
    other = threading.Thread(target=lambda: h5py.File(path).close(), daemon=True)
    other.start()
    other.join(20)
    # whoever keeps the error keeps the frames that raised it
    assert caught.value.__traceback__ and not other.is_alive()


def test_a_missing_a_truncated_an_empty_and_a_text_file_are_told_apart(tmp_path):
    with pytest.raises(MissingInput, match=r"nothing.h5"):
        read_bdata(tmp_path / "nothing.h5")
    whole = write(tmp_path / "a.h5").read_bytes()
    for name, content in {
        "cut.h5": whole[: len(whole) // 2],
        "empty.h5": b"",
        "text.h5": b"<html>moved</html>",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput, match=name):
            read_bdata(tmp_path / name)


def test_an_unknown_key_and_a_mask_that_is_neither_one_nor_zero_are_errors(tmp_path):
    path = write(tmp_path / "a.h5")
    with pytest.raises(InvalidInput, match=r"ROI_V7.*ROI_V1"):
        read_bdata(path).columns("ROI_V7")
    spoil(path, lambda file: file["metadata/value"].__setitem__((1, 0), 0.5))
    with pytest.raises(InvalidInput, match="ROI_V1 marks columns"):
        read_bdata(path).columns("ROI_V1")
