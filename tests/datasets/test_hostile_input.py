"""Damaged files: each of thousands of mutations reads equal, differs where no check can see it, or is a clear error."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_things_eeg2 import metadata, recording

from realnet.activations import load_images
from realnet.datasets import archives, objects92, registry, shen2019, things_dimensions, things_eeg2
from realnet.datasets.bdata import stimulus_id, stimulus_name
from realnet.datasets.catalogue import PublishedFile
from realnet.datasets.safe_pickle import load_dict
from realnet.errors import RealnetError

MOST_UNSEEN = 3  # a mutation changes at most three bytes in place, so at most three numbers or names


def mutate(content, rng):
    """A damaged copy: changed bits or bytes, a cut end, a lost or doubled or zeroed piece."""
    damaged = bytearray(content)
    kind = rng.choice(["bits", "bits", "bytes", "bytes", "cut", "lost", "doubled", "zeroed"])
    # half of the damage goes to the first 4 kB, where files keep their structure
    last = len(content) if rng.random() < 0.5 else min(len(content), 4096)
    place = int(rng.integers(last))
    piece = slice(place, place + int(rng.integers(1, 64)))
    if kind in ("bits", "bytes"):
        for _ in range(rng.integers(1, MOST_UNSEEN + 1)):
            place = int(rng.integers(last))
            damaged[place] = int(rng.integers(256)) if kind == "bytes" else damaged[place] ^ (1 << int(rng.integers(8)))
    elif kind == "cut":
        del damaged[place:]
    elif kind == "lost":
        del damaged[piece]
    elif kind == "doubled":
        damaged[piece.stop : piece.stop] = damaged[piece]
    else:
        damaged[piece] = bytes(len(damaged[piece]))
    return bytes(damaged), kind


def count_differences(a, b):
    """How many cells of two lists of arrays differ; infinite if their shapes do."""
    if [x.shape for x in a] != [x.shape for x in b]:
        return np.inf
    return sum(int((x != y).sum()) for x, y in zip(a, b, strict=True))


def check_mutations(path, read, n, seed=0, most_unseen=MOST_UNSEEN):
    """Read `n` mutations of the file at `path`; returns how many read equal, read different, or were an error."""
    content, expected = path.read_bytes(), read()
    outcomes = {"equal": 0, "different": 0, "error": 0}
    for i in range(n):
        damaged, kind = mutate(content, np.random.default_rng([seed, i]))
        path.write_bytes(damaged)
        try:
            found = read()
        except RealnetError as error:
            assert path.name in str(error), (i, error)
            outcomes["error"] += 1
            continue
        differences = count_differences(expected, found)
        # a lost, doubled or zeroed piece of up to 63 bytes covers up to 9 numbers of 8 bytes, or more short words
        assert differences <= (most_unseen if kind in ("bits", "bytes") else 40), (i, kind, differences)
        outcomes["equal" if differences == 0 else "different"] += 1
    path.write_bytes(content)
    assert count_differences(expected, read()) == 0
    assert outcomes["error"] > n // 50  # the damage was real
    return outcomes


def arrays(data):
    """The numbers and names of a labelled array, as plain arrays."""
    names = [data[name].to_numpy() for name in data.coords]
    values = [data[name].to_numpy() for name in data.data_vars] if hasattr(data, "data_vars") else [data.to_numpy()]
    return [array.astype(str) if array.dtype == object else array for array in values + names]


def test_bdata(write_session, tmp_path):
    path, *_ = write_session(tmp_path, 1, "letters")

    def read():
        data = shen2019.load(tmp_path, 1, "letters")
        return [data[name].to_numpy() for name in ("responses", "stimulus")] + [
            data["roi"].sel(roi=["V1", "V2", "V3", "V4", "LOC"]).to_numpy()
        ]

    check_mutations(path, read, n=700)


def test_list_of_stimuli(tmp_path):
    path = tmp_path / "stimulus_LetterImage.tsv"
    path.write_text("".join(f"{name}\t{i}\t{i}\t{i}\n" for i, name in enumerate(shen2019.LETTER_NAMES, start=1)))
    read = lambda: [np.array([name for _, name in sorted(shen2019.read_stimulus_list(path, 10).items())])]  # noqa: E731
    check_mutations(path, read, n=300)


@pytest.fixture
def eeg(tmp_path):
    (tmp_path / "sub-01").mkdir()
    np.save(tmp_path / "sub-01" / "preprocessed_eeg_test.npy", recording(times=-0.2 + 0.01 * np.arange(12)))
    np.save(tmp_path / "image_metadata.npy", metadata())
    return tmp_path


def test_eeg(eeg):
    path = eeg / "sub-01" / "preprocessed_eeg_test.npy"
    check_mutations(path, lambda: arrays(things_eeg2.load(eeg, 1)), n=700)


def test_eeg_metadata(eeg):
    read = lambda: [things_eeg2.load_metadata(eeg).to_numpy(str)]  # noqa: E731
    check_mutations(eeg / "image_metadata.npy", read, n=400, most_unseen=6)  # a name is in two columns


@pytest.mark.parametrize(
    ("name", "n"), [("spose_embedding_3d_sorted.txt", 400), ("item_names.tsv", 300), ("labels_3d.txt", 200)]
)
def test_object_dimensions(tmp_path, name, n):
    weights = np.random.default_rng(0).uniform(size=(30, 3))
    np.savetxt(tmp_path / "spose_embedding_3d_sorted.txt", weights)
    (tmp_path / "item_names.tsv").write_text("Word\tuniqueID\n" + "".join(f"word {i}\tconcept{i}\n" for i in range(30)))
    (tmp_path / "labels_3d.txt").write_text("made of metal\nfood-related\nround\n")
    check_mutations(tmp_path / name, lambda: arrays(things_dimensions.load(tmp_path)), n=n)


def test_objects92(real_data, tmp_path):
    for name in ("rsatoolbox_92/Kriegeskorte_Neuron2008_supplementalData.mat", "algonauts2019/92/target_fmri.mat"):
        (tmp_path / name.rsplit("/", 1)[-1]).write_bytes((real_data / name).read_bytes())
    for name, n in (("target_fmri.mat", 30), ("Kriegeskorte_Neuron2008_supplementalData.mat", 30)):
        check_mutations(tmp_path / name, lambda: arrays(objects92.load(tmp_path)), n=n)


def test_zip_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(4):
            archive.writestr(f"folder/{i}.txt", "0123456789" * 50)

    def read():
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        archives.unpack_zip(tmp_path / "a.zip", folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [np.array([path.read_bytes() for path in files])]  # contents have check sums, names have none

    check_mutations(tmp_path / "a.zip", read, n=300, most_unseen=0)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("ending", ["JPEG", "png", "tif"])
def test_images(tmp_path, ending):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path = tmp_path / f"image.{ending}"
    Image.fromarray(pixels).save(path)
    # a damaged picture is often still a picture; what counts is that nothing but the project's own error comes
    check_mutations(path, lambda: [np.array([load_images([path], 16) is not None])], n=200)


def test_the_lock_file(tmp_path, monkeypatch):
    file = PublishedFile("shen2019/a.txt", "x", "https://page")
    monkeypatch.setattr(registry, "FILES", (file,))
    (tmp_path / "shen2019").mkdir()
    (tmp_path / file.place).write_text("content")
    registry.status(root=tmp_path)

    def read():
        state = registry.status(root=tmp_path)["state"].to_numpy()[0]
        assert state in ("present", "wrong")  # a damaged record makes a good file suspect
        return [np.array([True])]

    check_mutations(tmp_path / "lock.json", read, n=200)


@given(st.integers(0, 99_999_999), st.integers(1, 999_999))
def test_every_name_of_a_natural_image_survives_the_way_to_a_number_and_back(synset, image):
    name = f"n{synset:08d}_{image}"
    if synset >= 100_000:
        assert stimulus_name(stimulus_id(name)) == name
    else:  # no WordNet noun has such an id
        with pytest.raises(RealnetError):
            stimulus_name(stimulus_id(name))


@given(st.binary(max_size=200))
def test_random_bytes_are_no_pickle_that_does_anything(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "random.npy"
    path.write_bytes(content)
    try:
        assert isinstance(load_dict(path), dict)
    except RealnetError as error:
        assert "random.npy" in str(error)


def test_pillow_is_told_how_large_an_image_may_be(tmp_path):
    # a small file that claims to be a picture of 40,000 x 40,000 pixels
    header = io.BytesIO()
    Image.new("1", (40_000, 40_000)).save(header, "PNG")
    (tmp_path / "huge.png").write_bytes(header.getvalue())
    with pytest.raises(RealnetError, match=r"huge\.png"):
        load_images([tmp_path / "huge.png"], 16)
