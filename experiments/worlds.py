"""Simulated worlds as studies: one for each seed, and variants of each that change one choice."""

import argparse
import os
from functools import cache

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from realnet import responses
from realnet.activations import batches, load_images, normalise
from realnet.behavior import compute_logits, find_validation_images, top_k_accuracy
from realnet.io import load_model_rdms, load_prepared, model_rdms_path, prepared_path, save_arrays, save_table
from realnet.networks import load_network, load_stimuli, save_network, train_network
from realnet.rdm import select_stimuli, stimulus_ids
from realnet.settings import Study, load_study, project_root
from realnet.similarity import compare_rdms, crossvalidated_best_layer, partial_spearman
from simulation import write_simulated_data


def arguments_of_worlds(program, about):
    """The command line that all experiments on worlds share."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--folder", default="results/experiments", help="where worlds and networks lie (gigabytes)")
    parser.add_argument("--worlds", type=int, default=5, help="simulated worlds")
    return parser


def use_folder(folder):
    """Have everything lie in ``folder``, and calculate with one thread: a training's bits depend on their number."""
    os.makedirs(folder, exist_ok=True)
    os.environ["REALNET_ROOT"] = os.path.abspath(folder)
    torch.set_num_threads(1)


def world_study(seed, betas=(40,), seeds=None):
    """The demo study in a world of its own: its images, its people, its pretrained network and its training follow from
    ``seed``; that of seed 0 is the demo itself."""
    settings = load_study("demo").model_dump()
    settings |= {"name": f"world-{seed}", "raw": f"data/raw/world-{seed}"}
    settings["simulated"]["seed"] = seed
    settings["training"] |= {"betas": betas, "seeds": (seed,) if seeds is None else seeds}
    return Study.model_validate(settings)


def variant(study, choice, changes):
    """A study that differs from ``study`` in ``changes`` (section -> settings) alone."""
    settings = study.model_dump()
    settings["name"] = f"{study.name}_{choice}"
    for section, values in changes.items():
        settings[section] |= values
    return Study.model_validate(settings)


def prepare(study):
    """Write the world of a study and prepare it as notebook 01 does, where that has not been done."""
    write_simulated_data(project_root() / study.raw, study.simulated, progress=False)
    prepare_targets(study)
    makers = {
        "shen2019_rdms": lambda: {name: responses.compute_fmri_rdms(study, name) for name in study.fmri.test_sets},
        "things_eeg2_rdms": lambda: {"things": responses.compute_eeg_rdms(study, progress=False)},
        "things_dimensions_rdms": lambda: {"things": responses.compute_dimension_rdms(study)},
        "horikawa2017_rdms": lambda: {"natural": _other_people(study)},
    }
    for name, make in makers.items():
        if not prepared_path(study, name).exists():
            save_arrays(prepared_path(study, name), make())


def _other_people(study):
    """The other people's RDMs in the order of the people who teach."""
    order = stimulus_ids(load_prepared(study, "shen2019_rdms", "natural"))
    return select_stimuli(responses.compute_horikawa2017_rdms(study), order)


def prepare_targets(study):
    """The components that each person teaches."""
    for subject in study.fmri.subjects:
        path = prepared_path(study, f"targets_sub-{subject:02d}")
        if not path.exists():
            targets = responses.compute_targets(study, subject)
            save_arrays(path, {name: targets[name] for name in ("components", "test_components")})


def share_prepared(study, base):
    """Give a variant what was prepared for its base; its own targets where it scales them in another way."""
    study.prepared.mkdir(parents=True, exist_ok=True)
    for path in base.prepared.glob("*.nc"):
        link = study.prepared / path.name
        if not link.exists() and (study.fmri == base.fmri or not path.name.startswith("targets")):
            os.link(path, link)
    prepare_targets(study)


def train(study, network):
    """Train one network where that has not been done, and leave its weights, RDMs and encoder's success."""
    if model_rdms_path(study, network).exists():
        return
    model, history = train_network(study, network, device="cpu", progress=False)
    if network.subject:
        save_table(study, f"encoder/{network.stem}", _encoder_success(study, network, model))
    save_network(study, network, model, history)  # the RDMs come last, and say that all is there


@torch.no_grad()
def _encoder_success(study, network, model):
    """How well the encoder predicts the test images' own responses, and tells them from the other images'.

    ``own``, ``others``: mean Spearman over components of predicted with measured responses of the same image, and of
    other images; ``identification``: share of other images whose response fits worse (chance .5).
    """
    _, images = load_stimuli(study, "natural")
    measured = load_prepared(study, f"targets_{network.trained_on}", "test_components").values
    predicted = torch.cat([model(normalise(images[part]))[1] for part in batches(len(images), 50)]).numpy()
    ranks = [rankdata(values, axis=1) for values in (predicted, measured)]
    ranks = [(r - r.mean(axis=1, keepdims=True)) / r.std(axis=1, keepdims=True) for r in ranks]
    rho = ranks[0] @ ranks[1].T / measured.shape[1]
    same = np.eye(len(rho), dtype=bool)
    values = {
        "own": rho[same].mean(),
        "others": rho[~same].mean(),
        "identification": (rho < np.diag(rho)[:, None])[~same].mean(),
    }
    return pd.DataFrame([{"metric": name, "value": value, **network.columns} for name, value in values.items()])


def measures(study, network):
    """Everything that the chapters measure, as one number each, for one trained network.

    Returns
    -------
    DataFrame ``measure part value``
        ``fmri_natural``, ``fmri_shapes``, ``fmri_letters`` (part: region; best layer; CORnet: mean over the three
        people, a trained network: the person who taught it), ``fmri_crossvalidated`` (natural, layer chosen on other
        images), ``fmri_others`` (mean over five other people), ``eeg`` (part: layer; mean over people and times),
        ``dimension`` (part: dimension; squared partial Spearman in IT), ``top1``, ``top5``, and the ``encoder``'s.
    """
    rows = []
    brains = _brains(study)
    for name in study.fmri.test_sets:
        models = load_model_rdms(study, name, [network]).isel(network=0)
        people = brains[name] if not network.subject else brains[name].sel(subject=[network.trained_on])
        best = compare_rdms(models, people).max("layer").mean("subject")
        rows += [(f"fmri_{name}", roi, value) for roi, value in zip(best.roi.values, best.values, strict=True)]
        if name == "natural":
            chosen = crossvalidated_best_layer(models.values, people.values, seed=study.inference.seed)[0]
            chosen = chosen.reshape(people.shape[:-1]).mean(axis=0)
            rows += [("fmri_crossvalidated", roi, v) for roi, v in zip(best.roi.values, chosen, strict=True)]
            others = compare_rdms(models, brains["others"]).max("layer").mean("subject")
            rows += [("fmri_others", roi, value) for roi, value in zip(others.roi.values, others.values, strict=True)]
    models = load_model_rdms(study, "things", [network]).isel(network=0)
    eeg = compare_rdms(models, brains["eeg"]).mean(["subject", "time"])
    rows += [("eeg", layer, value) for layer, value in zip(eeg.layer.values, eeg.values, strict=True)]
    partial = partial_spearman(models.sel(layer="IT").values, brains["dimensions"].values) ** 2
    rows += [("dimension", d, v) for d, v in zip(brains["dimensions"].dimension.values, partial, strict=True)]
    rows += [(name, "", value) for name, value in _accuracy(study, network).items()]
    encoder = study.results / "tables" / "encoder" / f"{network.stem}.csv"
    if encoder.exists():
        table = pd.read_csv(encoder)
        rows += [("encoder", metric, value) for metric, value in zip(table.metric, table.value, strict=True)]
    return pd.DataFrame(rows, columns=["measure", "part", "value"])


def _brains(study):
    """All RDMs that networks are compared with; those of one world are read once."""
    base = study.name.split("_")[0]
    return _read_brains(world_study(int(base.removeprefix("world-"))))


@cache
def _read_brains(study):
    brains = {name: load_prepared(study, "shen2019_rdms", name) for name in study.fmri.test_sets}
    brains["others"] = load_prepared(study, "horikawa2017_rdms", "natural")
    brains["eeg"] = load_prepared(study, "things_eeg2_rdms", "things")
    brains["dimensions"] = load_prepared(study, "things_dimensions_rdms", "things")
    return brains


def _accuracy(study, network):
    """Share of held-out images whose category is the first, or among the first five, of the network's classes."""
    images, labels = _held_out(study.raw_folder("imagenet") / "val", study.network.image_size)
    logits = compute_logits(load_network(study, network), images, device="cpu")
    return {f"top{k}": top_k_accuracy(logits, labels, k) for k in (1, 5)}


@cache
def _held_out(folder, image_size):
    """The held-out images of a world and their classes, read once."""
    paths, labels, _ = find_validation_images(folder)
    return load_images(paths, image_size), labels
