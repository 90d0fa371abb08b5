"""Studies of simulated data: one for each seed, and variants of each that change one choice."""

import argparse
import os
from functools import cache

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from realnet import responses
from realnet.activations import batches, load_images, normalise
from realnet.behavior import classify, find_validation_images, is_in_top
from realnet.datasets.readiness import save_stimulus_list
from realnet.io import load_model_rdms, load_prepared, save_prepared, save_table
from realnet.networks import load_network, load_stimuli, save_network, train_network
from realnet.rdm import select_stimuli, stimulus_ids
from realnet.settings import Study, load_study, project_root
from realnet.similarity import compare_rdms, crossvalidated_best_layer, partial_spearman
from simulation import write_simulated_data


def parse_arguments(program, about, **more):
    """Read the command line that these experiments share, and let everything lie in its folder.

    ``more``: further whole numbers, name -> (default, help). Calculations use one thread.
    """
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--folder", default="results/experiments", help="where data and networks lie (gigabytes)")
    for name, (default, text) in {"simulations": (5, "simulated data sets"), **more}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=text)
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    os.environ["REALNET_ROOT"] = os.path.abspath(arguments.folder)
    torch.set_num_threads(1)
    return arguments


def simulated_study(seed, betas=(40,), seeds=None):
    """The demo study with data of its own: its images, participants, pretrained network and training follow from
    ``seed``; that of seed 0 is the demo itself."""
    settings = load_study("demo").model_dump()
    settings |= {"name": f"simulation-{seed}", "raw": f"data/raw/simulation-{seed}"}
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
    """Simulate the data of a study and prepare them as the data notebooks do, where that has not been done."""
    write_simulated_data(project_root() / study.raw, study.simulated, progress=False)
    save_stimulus_list(study)
    prepare_targets(study)
    makers = {
        "shen2019_rdms": lambda: {name: responses.compute_fmri_rdms(study, name) for name in study.fmri.test_sets},
        "things_eeg2_rdms": lambda: {"things": responses.compute_eeg_rdms(study)},
        "things_dimensions_rdms": lambda: {"things": responses.compute_dimension_rdms(study)},
        "horikawa2017_rdms": lambda: {"natural": _other_subjects(study)},
    }
    for name, make in makers.items():
        _prepare(study, name, make)
    save_table(study, "reliability", responses.reliability_table(study))


def prepare_targets(study):
    """The components of each participant that networks are trained on."""
    for subject in study.fmri.subjects:
        _prepare(study, f"targets_sub-{subject:02d}", lambda subject=subject: responses.compute_targets(study, subject))


def _prepare(study, name, make):
    """Save what ``make()`` returns where the study has no such prepared file."""
    if not (study.prepared / f"{name}.nc").exists():
        arrays = make()
        save_prepared(study, name, {key: arrays[key] for key in arrays})


def _other_subjects(study):
    """The RDMs of the other participants, images in the order of those that networks are trained on."""
    order = stimulus_ids(load_prepared(study, "shen2019_rdms", "natural"))
    return select_stimuli(responses.compute_fmri_rdms(study, "natural", "horikawa2017"), order)


def link(source, target):
    """Let a study have a file of another one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.link(source, target)


def share_prepared(study, base):
    """Give a variant what was prepared for its base; its own targets where it scales them in another way."""
    study.prepared.mkdir(parents=True, exist_ok=True)
    for path in base.prepared.iterdir():
        link = study.prepared / path.name
        if not link.exists() and (study.fmri == base.fmri or not path.name.startswith("targets")):
            os.link(path, link)
    prepare_targets(study)


def train(study, network):
    """Train one network where that has not been done; save its weights and RDMs, and how well its encoder predicts."""
    if (study.results / "rdms" / f"{network.stem}.nc").exists():
        return
    model, history = train_network(study, network, progress=False)
    if network.subject:
        path = _encoder_path(study, network)
        path.parent.mkdir(parents=True, exist_ok=True)
        _encoder_success(study, network, model).to_csv(path, index=False)
    save_network(study, network, model, history)  # the RDMs come last: they say that all is there


def _encoder_path(study, network):
    return study.results / "tables" / "encoder" / f"{network.stem}.csv"


@torch.no_grad()
def _encoder_success(study, network, model):
    """How well the encoder predicts the responses to the test images, and tells them from those to other images.

    ``own``, ``others``: mean Spearman correlation over components between predicted and measured responses to the same
    image, and to other images; ``identification``: share of other images whose response fits worse (chance .5).
    """
    _, images = load_stimuli(study, "natural")
    measured = load_prepared(study, f"targets_{network.trained_on}", "test_components").values
    predicted = torch.cat([model(normalise(images[part]))[1] for part in batches(len(images), 50)]).numpy()
    ranks = [rankdata(values, axis=1) for values in (predicted, measured)]
    ranks = [(r - r.mean(axis=1, keepdims=True)) / r.std(axis=1, keepdims=True) for r in ranks]
    rho = ranks[0] @ ranks[1].T / measured.shape[1]
    same = np.eye(len(rho), dtype=bool)
    identification = (rho < np.diag(rho)[:, None])[~same].mean()
    values = {"own": rho[same].mean(), "others": rho[~same].mean(), "identification": identification}
    return pd.DataFrame({"metric": values.keys(), "value": values.values()})


def measures(study, network, participant):
    """Everything that the chapters measure, as one number each, for one trained network.

    ``participant`` is the one whose fMRI counts as its own: for CORnet and Control the one of the aligned network that
    they are compared with.

    Returns
    -------
    DataFrame ``measure part value``
        ``fmri_natural``, ``fmri_shapes``, ``fmri_letters`` (part: region; best layer; ``participant``),
        ``fmri_crossvalidated`` (natural, layer chosen on other images), ``fmri_others`` (mean over other participants),
        ``eeg`` (part: layer; mean over participants and times), ``dimension`` (squared partial Spearman in IT),
        ``top1``, ``top5``, and those of the encoder.
    """
    rows = []
    brains = _brains(study.simulated.seed)
    for name in study.fmri.test_sets:
        models = load_model_rdms(study, name, [network]).isel(network=0)
        own = brains[name].sel(subject=participant)
        best = compare_rdms(models, own).max("layer")
        rows += [(f"fmri_{name}", roi, value) for roi, value in zip(best.roi.values, best.values, strict=True)]
        if name == "natural":
            chosen = crossvalidated_best_layer(models.values, own.values, seed=study.inference.seed)[0]
            rows += [("fmri_crossvalidated", roi, v) for roi, v in zip(best.roi.values, chosen, strict=True)]
            others = compare_rdms(models, brains["others"]).max("layer").mean("subject")
            rows += [("fmri_others", roi, value) for roi, value in zip(others.roi.values, others.values, strict=True)]
    models = load_model_rdms(study, "things", [network]).isel(network=0)
    eeg = compare_rdms(models, brains["eeg"]).mean(["subject", "time"])
    rows += [("eeg", layer, value) for layer, value in zip(eeg.layer.values, eeg.values, strict=True)]
    partial = partial_spearman(models.sel(layer="IT").values, brains["dimensions"].values) ** 2
    rows += [("dimension", d, v) for d, v in zip(brains["dimensions"].dimension.values, partial, strict=True)]
    images, labels = _held_out(study.raw_folder("imagenet") / "val", study.network.image_size)
    scores = classify(load_network(study, network), images, device="cpu")
    rows += [(f"top{k}", "", float(is_in_top(scores, labels, k).mean())) for k in (1, 5)]
    if network.subject:
        rows += [("encoder", row.metric, row.value) for row in pd.read_csv(_encoder_path(study, network)).itertuples()]
    return pd.DataFrame(rows, columns=["measure", "part", "value"])


@cache
def _brains(seed):
    """All RDMs that the networks of one simulated data set are compared with, read once."""
    study = simulated_study(seed)
    brains = {name: load_prepared(study, "shen2019_rdms", name) for name in study.fmri.test_sets}
    brains["others"] = load_prepared(study, "horikawa2017_rdms", "natural")
    brains["eeg"] = load_prepared(study, "things_eeg2_rdms", "things")
    brains["dimensions"] = load_prepared(study, "things_dimensions_rdms", "things")
    return brains


@cache
def _held_out(folder, image_size):
    """The held-out images of a simulated data set and their classes, read once."""
    paths, labels, _ = find_validation_images(folder)
    return load_images(paths, image_size), labels
