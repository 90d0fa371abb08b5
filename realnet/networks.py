"""The networks of a study: from the pretrained CORnet-S and one person's targets to weights on disk, and back."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from realnet import provenance
from realnet.activations import AVERAGE_POOL, compute_model_rdms, load_images
from realnet.alignment import load_realnet
from realnet.cornet import LAYERS, load_cornet_s
from realnet.datasets import own, things_eeg2
from realnet.datasets.files import find_one, whole_file
from realnet.datasets.stimuli import find_images
from realnet.errors import InvalidInput
from realnet.io import images_of, load_prepared, model_rdms_path, network_note, save_arrays, save_table
from realnet.rdm import stimulus_ids
from realnet.training import align


def load_pretrained(study):
    """The CORnet-S that the study starts from, as published; its checkpoint lies under ``raw/<network.weights>``."""
    folder = study.raw_folder(study.network.weights)
    return load_cornet_s(find_one(folder, r"[^.].*\.(pth|pt|pth\.tar)", "the checkpoint of CORnet-S"))


def load_stimuli(study, stimulus_set):
    """The images of one set, resized for the study's network.

    Parameters
    ----------
    stimulus_set : str
        ``training``, a test set of the study (``natural``, ...), or ``things`` (the 200 images of THINGS EEG2).

    Returns
    -------
    stimulus : list of str
        The ids, in the order of the responses.
    images : tensor, uint8, shape (n_stimuli, 3, size, size)
    """
    dataset = study.fmri.dataset
    if stimulus_set == "things":
        dataset, stimulus = "things_eeg2", list(things_eeg2.load_metadata(study.raw_folder("things_eeg2")).stimulus)
    elif stimulus_set == "training":
        responses = load_prepared(study, f"targets_sub-{study.fmri.subjects[0]:02d}", "components")
        stimulus = [str(name) for name in responses.stimulus.values]
    else:
        stimulus = stimulus_ids(load_prepared(study, f"{dataset}_rdms", stimulus_set))
    provenance.note(study, *images_of(study, dataset))
    find = own.find_images if dataset == "own" else find_images
    paths = find(study.raw_folder(dataset), stimulus)
    return stimulus, load_images(paths, study.network.image_size, study.network.crop)


def train_network(study, network, device="auto", progress=True):
    """Train one network of a study, going on from its checkpoint where an earlier run was interrupted.

    Parameters
    ----------
    network : realnet.settings.Network
        ``cornet`` is returned as published; ``null`` is trained on responses whose images were shuffled.

    Returns
    -------
    model : ReAlnet, or CORnetS for ``cornet``
    history : DataFrame ``epoch split metric value``

    Raises
    ------
    InvalidInput, MissingInput
        No such device; targets or images that are stale, not there, or not in the same order.
    """
    _check_device(device)
    pretrained = load_pretrained(study)
    if network.model == "cornet":
        return pretrained, pd.DataFrame(columns=["epoch", "split", "metric", "value"])
    targets = load_prepared(study, f"targets_{network.trained_on}", "components")
    test_targets = load_prepared(study, f"targets_{network.trained_on}", "test_components")
    stimulus, images = load_stimuli(study, "training")
    test_stimulus, test_images = load_stimuli(study, "natural")
    _check_order(stimulus, targets.stimulus, network)
    _check_order(test_stimulus, test_targets.test_stimulus, network)
    values = targets.values
    if network.model == "shuffled":
        values = values[np.random.default_rng([network.seed, network.subject]).permutation(len(values))]
    return align(
        pretrained,
        images,
        values,
        study.training,
        beta=network.beta,
        seed=network.seed,
        test=(test_images, test_targets.values),
        device=device,
        checkpoint=_checkpoint_path(study, network),
        progress=progress,
    )


def save_network(study, network, model, history):
    """Leave weights, what made them, their training history and their RDMs where the next notebooks look for them.

    Returns
    -------
    dict stimulus set -> DataArray (layer, pair)
        The RDMs of every layer for every set of test images.
    """
    about = {
        "study": study.name,
        **network._asdict(),
        "training": study.training.model_dump(),
        "network": study.network.model_dump(),
        "made_from": network_note(study, network),
    }
    save_weights(weights_path(study, network), model, about)
    table = history.assign(dataset=study.fmri.dataset, subject=network.trained_on, **network.columns)
    save_table(study, f"training/{network.stem}", table)
    inner = getattr(model, "realnet", model)
    rdms = {}
    for name in study.stimulus_sets:
        stimulus, images = load_stimuli(study, name)
        pooled = study.network.average_pool and name != "things"  # of the fMRI alone
        rdms[name] = compute_model_rdms(inner, images, stimulus, (*LAYERS, AVERAGE_POOL) if pooled else LAYERS)
    save_arrays(model_rdms_path(study, network), rdms)
    # only now is the checkpoint of no more use
    _checkpoint_path(study, network).unlink(missing_ok=True)
    return rdms


def weights_path(study, network):
    """Where the weights of one network lie."""
    return study.results / "networks" / f"{network.stem}.safetensors"


def load_network(study, network):
    """A trained network of a study: CORnetS in evaluation mode.

    Raises
    ------
    MissingInput, InvalidInput
        It is not there, or was made from something else than lies there now; the sentence names the notebook to run.
    """
    path = weights_path(study, network)
    if path.is_file():
        provenance.check(study, path)
        provenance.note(study, path)
    return load_realnet(path)


def save_weights(path, model, about):
    """Write weights as safetensors, and what made them as JSON beside; each file appears whole or not at all.

    Parameters
    ----------
    path : path ending in .safetensors
    model : ReAlnet or CORnetS
    about : dict
        Anything JSON can hold; its ``made_from``, the note of :mod:`realnet.provenance`, also goes into the header.
    """
    path = Path(path)
    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with whole_file(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    with whole_file(path) as temporary:
        save_file(weights, temporary, {"realnet": json.dumps(about["made_from"])} if "made_from" in about else None)


def export_realnet(model, folder):
    """Write a trained :class:`~realnet.alignment.ReAlnet` as the authors' ``encoder.pt`` and ``realnet.pt``.

    Returns
    -------
    (path of encoder.pt, path of realnet.pt)
    """
    network = {f"module.{key}": value for key, value in model.realnet.state_dict().items()}
    heads = {key: value for key, value in model.state_dict().items() if key.startswith("fc")}
    paths = Path(folder) / "encoder.pt", Path(folder) / "realnet.pt"
    contents = {f"realnet.{key}": value for key, value in network.items()} | heads, network
    for path, state in zip(paths, contents, strict=True):
        with whole_file(path) as temporary:
            torch.save(state, temporary)
    return paths


def _checkpoint_path(study, network):
    return study.results / "networks" / f"{network.stem}.checkpoint"


def _check_device(device):
    """Refuse a device that this machine does not have."""
    known = ["auto", "cpu", *[f"cuda:{i}" for i in range(torch.cuda.device_count())]]
    if str(device) not in known and not (str(device) == "cuda" and len(known) > 2):
        raise InvalidInput(f"device is {str(device)!r:.40}: this machine has {', '.join(known)}")


def _check_order(stimulus, coordinate, network):
    """Images and responses must name the same stimuli in the same order."""
    if list(stimulus) != [str(name) for name in coordinate.values]:
        raise InvalidInput(
            f"the images and the responses of {network.trained_on} are not of the same stimuli in the same order:"
            " run notebooks/01_data.ipynb again"
        )
