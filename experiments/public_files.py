"""Random files in the published formats for the studies ``public`` and ``public_eeg``, with random weights of CORnet-S.

``python -m experiments.public_files FOLDER`` writes them in full size (4 GB) below ``FOLDER/data/raw``; then
``REALNET_ROOT=FOLDER make book STUDY=public`` runs the study as with the published files.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from realnet.cornet import CORnetS
from realnet.datasets.shen2019 import LETTER_NAMES, SHAPE_NAMES, SPLITS
from realnet.sections import CHANNELS
from simulation.bdata_writer import write_bdata
from simulation.published import write_file

FORMS = {"shapes": (SHAPE_NAMES, ".tiff"), "letters": (LETTER_NAMES, ".tif")}


def write_files(raw, n_images=200, n_trials=80, n_voxels=11_000, n_dimensions=49, n_eeg=10, subjects=(1, 2, 3)):
    """Write everything that the public study reads: fMRI and images of shapes and letters, EEG, dimensions, weights."""
    raw, rng = Path(raw), np.random.default_rng(0)
    regions = {roi: np.arange(n_voxels) % 6 == i for i, roi in enumerate(("V1", "V2", "V3", "hV4", "LOC", "HVC"))}
    for split, (names, ending) in FORMS.items():
        for name in names:
            write_file(raw / "shen2019/images" / split / f"{name}{ending}", _image(rng))
        for subject in subjects:
            order = np.concatenate([rng.permutation(len(names)) for _ in range(SPLITS[split].n_repeats)])
            responses = rng.normal(size=(len(names), n_voxels))[order] + 2 * rng.normal(size=(len(order), n_voxels))
            path = raw / "shen2019" / f"sub-{subject:02d}_perception{SPLITS[split].session}_original_VC.h5"
            write_bdata(path, responses, regions, {"Run": np.ones(len(order)), "stimulus_id": order + 1.0})
    _write_things(raw, rng, n_images, n_trials, n_dimensions, n_eeg)
    _write_weights(raw, max([n_eeg, *subjects]), subjects)


def _write_things(raw, rng, n_images, n_trials, n_dimensions, n_eeg):
    names = [f"object_{i:03d}" for i in range(n_images)]
    concepts, files = [f"{i + 1:05d}_{name}" for i, name in enumerate(names)], [f"{name}_01b.jpg" for name in names]
    metadata = {"test_img_concepts": concepts, "test_img_concepts_THINGS": concepts, "test_img_files": files}
    write_file(raw / "things_eeg2/image_metadata.npy", metadata)
    for concept, file in zip(concepts, files, strict=True):
        write_file(raw / "things_eeg2/test_images" / concept / file, _image(rng))
    for subject in range(1, n_eeg + 1):
        trials = rng.normal(size=(n_images, n_trials, len(CHANNELS), 100))
        trials += 0.1 * rng.normal(size=(n_images, 1, len(CHANNELS), 1))  # what distinguishes the images
        content = {"preprocessed_eeg_data": trials, "ch_names": list(CHANNELS), "times": np.arange(-20, 80) / 100}
        write_file(raw / f"things_eeg2/sub-{subject:02d}/preprocessed_eeg_test.npy", content)
    rows = [" ".join(map(str, row)) for row in rng.exponential(size=(n_images, n_dimensions))]
    tables = {f"spose_embedding_{n_dimensions}d_sorted.txt": rows, "item_names.tsv": ["Word\tuniqueID"],
              f"labels_{n_dimensions}d.txt": [f"dimension {i}" for i in range(n_dimensions)]}  # fmt: skip
    tables["item_names.tsv"] += [f"{name}\t{name}" for name in names]
    for name, lines in tables.items():
        write_file(raw / "things_dimensions" / name, "\n".join(lines) + "\n")


def _write_weights(raw, n_networks, subjects):
    """CORnet-S, the ReAlnets of the fMRI as ``encoder.pt``, and those of the EEG under their name in Brain-Score."""
    for i in range(n_networks + 1):
        torch.manual_seed(i)
        state = CORnetS().state_dict()
        encoder = {f"realnet.module.{key}": value for key, value in state.items()} | {"fc.bias": torch.zeros(4)}
        paths = {"cornet_s/cornet_s-1d3f7974.pth": {"state_dict": {f"module.{k}": v for k, v in state.items()}}}
        if i:
            paths = {f"realnet_eeg_weights/ReAlnet{i:02d}_best_model_params.pt": encoder}
            paths |= {f"realnet_weights/sub-{i:02d}/encoder.pt": encoder} if i in subjects else {}
        for name, content in paths.items():
            (raw / name).parent.mkdir(parents=True, exist_ok=True)
            torch.save(content, raw / name)


def _image(rng):
    """A random image of 500 x 500 pixels."""
    small = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    return np.asarray(small.resize((500, 500)))


if __name__ == "__main__":
    write_files(Path(sys.argv[1]) / "data" / "raw")
