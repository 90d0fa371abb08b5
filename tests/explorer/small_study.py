"""A small study for the tests of the explorer: its settings, and what the page should show of its RDMs."""

import base64
import json

import numpy as np

from realnet.io import load_model_rdms, load_prepared

LAYERS, ROIS, N = ["V1", "IT"], ["V1", "LOC"], {"natural": 12, "shapes": 9, "things": 10}
SETTINGS = {
    "name": "small", "description": "random RDMs", "eeg": {"subjects": [1, 2, 3]},
    "fmri": {"subjects": [1, 2], "other_subjects": [1, 2], "rois": ROIS, "test_sets": ["natural", "shapes"]},
    "training": {"betas": [40]},
}  # fmt: skip


def patterns(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def read(folder, name):
    text = (folder / "_extra" / "explorer" / f"{name}.js").read_text(encoding="utf-8")
    return json.loads(text[text.index("(") + 1 : text.rindex(")")])


def numbers(text, kind="<u2"):
    return np.frombuffer(base64.b64decode(text), kind)


def brain(study, labels, name):
    """The RDM that the labels of a brain name, from the prepared files."""
    dataset, subject, place, _ = labels
    if "EEG" in dataset:
        rdms = load_prepared(study, "things_eeg2_rdms", name).sel(time=float(place[:-3]) / 1000, method="nearest")
        rdm = rdms.mean("subject") if subject.startswith("mean") else rdms.sel(subject=subject)
        return rdm.values.round(9)  # equal accuracies are ties, whatever their last bits
    file = "shen2019_rdms" if "Shen" in dataset else "horikawa2017_rdms"
    return load_prepared(study, file, name).sel(subject=subject, roi=place).values


def models(study, name):
    """The RDMs of all networks and layers, in the order of the page."""
    rdms = load_model_rdms(study, name)
    return rdms.values.reshape(-1, rdms.sizes["pair"])


def dissimilarities(encoded):
    """The dissimilarity of each pair, as the page reads it: the rank says which of the ascending values."""
    values = np.repeat(np.arange(len(encoded["counts"])) + encoded["first"], encoded["counts"])
    return values[numbers(encoded["ranks"]) // 2 - 1] / 10 ** encoded["decimals"]
