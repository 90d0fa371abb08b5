"""The networks of a study: from the pretrained CORnet-S and a subject's fMRI to weights on disk, and back."""

import json
from functools import lru_cache

import numpy as np
import pandas as pd
from safetensors import safe_open
from safetensors.torch import save_file

from realnet.activations import AVERAGE_POOL, compute_model_rdms, device_name, load_images, pick_device
from realnet.alignment import load_realnet
from realnet.cornet import LAYERS, load_cornet_s
from realnet.datasets.readiness import checkpoint, released
from realnet.errors import InvalidInput, MissingInput
from realnet.io import load_prepared, made_with, save_model_rdms, save_table, warn_if_settings_differ, whole_file
from realnet.settings import project_root
from realnet.training import align

_decode = lru_cache(maxsize=8)(load_images)  # every image set of a study is decoded once per process


def load_pretrained(study):
    """The pretrained CORnet-S of a study; its checkpoint is below ``raw/<network.weights>``."""
    return load_cornet_s(checkpoint(study))


def stimulus_list(study):
    """The images of a study, in the order of the responses to them.

    Returns a DataFrame ``stimulus_set`` (``training natural ... things``) ``stimulus path`` (relative to the project)
    """
    path = study.prepared / "stimuli.csv"
    if not path.is_file():
        raise MissingInput(f"{path} is missing: run notebooks/01_data.ipynb (or `make study`) first")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def load_stimuli(study, stimulus_set):
    """The images of one set, resized for the networks of the study.

    Returns
    -------
    stimulus : list of str
    images : tensor, uint8 (n_stimuli, 3, size, size)
    """
    images = stimulus_list(study).query("stimulus_set == @stimulus_set")
    if images.empty:
        raise MissingInput(f"study {study.name} has no images {stimulus_set!r}: run notebooks/01_data.ipynb first")
    paths = tuple(project_root() / path for path in images.path)
    return list(images.stimulus), _decode(paths, study.network.image_size, study.network.crop)


def train_network(study, network, progress=True):
    """Train one network of a study; an interrupted training is resumed from its checkpoint.

    Returns
    -------
    model : ReAlnet, trained on shuffled pairs for ``shuffled`` and ``shuffled_within``; for ``control``, whose weights
        depend on no responses, the targets are the first subject's; for ``cornet`` the pretrained CORnetS, and for
        ReAlnets of a study with ``network.aligned`` ``released`` the authors', neither of them trained here
    history : DataFrame ``epoch split metric value``, empty without training
    """
    untrained = pd.DataFrame(columns=["epoch", "split", "metric", "value"])
    if not study.trains and network.subject:
        return load_realnet(released(study, network.subject)), untrained
    pretrained = load_pretrained(study)
    if network.model == "cornet":
        return pretrained, untrained
    pairs, subject = [], network.subject or study.fmri.subjects[0]
    for name, array in (("training", "components"), ("natural", "test_components")):
        targets = load_prepared(study, f"targets_sub-{subject:02d}", array)
        stimulus, images = load_stimuli(study, name)
        if stimulus != targets[targets.dims[0]].values.astype(str).tolist():
            raise InvalidInput(f"the {name} images and responses differ in order: run notebooks/01_data.ipynb again")
        pairs.append((images, targets.values))
    (images, targets), test = pairs
    if network.model.startswith("shuffled"):
        targets = targets[_shuffle(load_stimuli(study, "training")[0], network)]
    options = {"beta": network.beta, "seed": network.seed, "checkpoint": _checkpoint_path(study, network)}
    return align(pretrained, images, targets, study.training, test=test, progress=progress, **options)


def _shuffle(stimulus, network):
    """A random order of the responses (n_stimuli,): of all of them, or among the images of each category, which are
    those whose names agree up to the first underscore."""
    rng = np.random.default_rng([network.seed, network.subject])
    if network.model == "shuffled":
        return rng.permutation(len(stimulus))
    categories = pd.Series([name.split("_")[0] for name in stimulus])
    if categories.is_unique:
        raise InvalidInput("training.shuffled_within needs several training images per category, named category_image")
    return categories.groupby(categories).transform(lambda rows: rng.permutation(rows.index)).to_numpy(dtype=int)


def save_network(study, network, model, history):
    """Write the weights of a network, its training history, and its RDMs for every image set of the study.

    Returns dict stimulus set -> DataArray (layer, pair)
    """
    device = pick_device(study.training.device)
    about = made_with(study, "02_training") | network.columns | {"device": device_name(device)}
    save_weights(weights_path(study, network), model, about)
    table = history.assign(dataset=study.fmri.dataset, subject=network.trained_on, **network.columns)
    save_table(study, f"training/{network.stem}", table)
    rdms = {}
    for name in study.stimulus_sets:
        stimulus, images = load_stimuli(study, name)
        pooled = [AVERAGE_POOL] if study.network.average_pool and name != "things" else []  # compared with fMRI only
        layers = [*LAYERS, *pooled]
        rdms[name] = compute_model_rdms(getattr(model, "realnet", model), images, stimulus, layers, device=device)
    save_model_rdms(study, network, rdms)
    _checkpoint_path(study, network).unlink(missing_ok=True)
    return rdms


def weights_path(study, network):
    """Path of the weights of one network."""
    return study.results / "networks" / f"{network.stem}.safetensors"


def save_weights(path, model, metadata):
    """Write the weights of ``model`` as safetensors, with ``metadata`` (dict, values become text) in the header."""
    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with whole_file(path) as temporary:
        save_file(weights, temporary, {key: str(value) for key, value in metadata.items()})
        with temporary.open("r+b") as file:  # safetensors writes metadata in random order: equal runs, equal bytes
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
            file.seek(8)
            file.write(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length))


def load_network(study, network):
    """A trained network of a study: CORnetS in evaluation mode; warns if it was trained with other settings."""
    path = weights_path(study, network)
    loaded = load_realnet(path)
    with safe_open(path, "pt") as file:
        stored = (file.metadata() or {}).get("settings")
    warn_if_settings_differ(study, "02_training", path, stored)
    return loaded


def _checkpoint_path(study, network):
    return study.results / "networks" / f"{network.stem}.checkpoint"
