"""Damaged files: each of hundreds of mutations reads equal, differs where no check can see it, or is a clear error."""

import numpy as np
import pytest
from test_things_dimensions import write as things_dimensions_files
from test_things_eeg2 import recording
from test_things_eeg2 import write as things_eeg2_files

from realnet.datasets import shen2019, things_dimensions, things_eeg2
from realnet.errors import RealnetError


def mutate(content, rng):
    """A damaged copy, and how many cells may differ in it unseen.

    Bits or bytes change in place (up to three numbers or names), the end is cut, or up to 63 bytes are lost, doubled or
    zeroed. Half of the damage goes to the first 4 kB, where files keep their structure.
    """
    damaged, last = bytearray(content), len(content) if rng.random() < 0.5 else min(len(content), 4096)
    piece = slice(start := int(rng.integers(last)), start + int(rng.integers(1, 64)))
    kind = rng.choice(["in place", "in place", "cut", "lost", "doubled", "zeroed"])
    if kind == "in place":
        for place in rng.integers(last, size=rng.integers(1, 4)):
            damaged[place] = rng.integers(256) if rng.random() < 0.5 else damaged[place] ^ (1 << rng.integers(8))
        return damaged, 3
    if kind == "cut":
        del damaged[start:]
    else:
        damaged[piece] = {"lost": b"", "doubled": 2 * damaged[piece], "zeroed": bytes(len(damaged[piece]))}[kind]
    return damaged, 40


def check_mutations(path, read, n):
    """Read ``n`` mutations of the file at ``path``: only the project's own error may come, and it names the file."""
    content, expected, errors = path.read_bytes(), read(), 0
    for i in range(n):
        damaged, most = mutate(content, np.random.default_rng([0, i]))
        path.write_bytes(damaged)
        try:
            found = read()
            assert [x.shape for x in found] == [x.shape for x in expected], i
            assert sum((x != y).sum() for x, y in zip(found, expected, strict=True)) <= most, i
        except RealnetError as error:
            assert path.name in str(error), (i, error)
            errors += 1
    assert errors > n // 50  # the damage was real


def arrays(data):
    """The numbers and names of a labelled array, as plain arrays."""
    return [data.to_numpy()] + [data[name].to_numpy().astype(str) for name in data.coords]


def test_bdata(write_session, tmp_path):
    path, *_ = write_session(tmp_path, 1, "letters")

    def read():
        data = shen2019.load(tmp_path, 1, "letters")
        return [
            x.to_numpy() for x in (data.responses, data.stimulus, data.roi.sel(roi=["V1", "V2", "V3", "V4", "LOC"]))
        ]

    check_mutations(path, read, n=300)


@pytest.mark.parametrize(("name", "n"), [("sub-01/preprocessed_eeg_test.npy", 300), ("image_metadata.npy", 200)])
def test_eeg(tmp_path, name, n):
    things_eeg2_files(tmp_path, recording(times=-0.2 + 0.01 * np.arange(12)))
    check_mutations(tmp_path / name, lambda: arrays(things_eeg2.load(tmp_path, 1)), n)


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize("name", ["spose_embedding_2d_sorted.txt", "item_names.tsv", "labels_2d.txt"])
def test_object_dimensions(tmp_path, name):
    numbers = np.random.default_rng(0).uniform(size=(30, 2))
    weights = "\n".join(f"{a:.18e} {b:.18e}" for a, b in numbers)
    things_dimensions_files(tmp_path, weights, " ".join(f"concept{i}" for i in range(30)), "metal food-related")
    check_mutations(tmp_path / name, lambda: arrays(things_dimensions.load(tmp_path)), n=100)
