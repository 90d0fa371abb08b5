"""Chapter 10: ImageNet networks against people and monkeys who saw the same 92 object images."""

import os

import numpy as np
import pandas as pd

from realnet.activations import compute_model_rdms, prepare_arrays
from realnet.analyses import add_ceilings, effect_rows, resampled_similarities
from realnet.backbones import EFFICIENTNET_LAYERS, EfficientNetLite0
from realnet.cornet import LAYERS, load_cornet_s
from realnet.datasets import objects92
from realnet.datasets.files import find_one, real_folder
from realnet.errors import MissingInput
from realnet.similarity import compare_rdms, noise_ceiling
from realnet.statistics import bootstrap_similarities, generalise

PEOPLE, MONKEYS, JUDGES = "IT, 4 people", "IT, monkeys", "judgements, 16 people"


def load_objects(study):
    """The 92 objects (Dataset) and a sentence (str) about 15 more people, who are in ``REALNET_DATA``, or ``objects92``
    in the study's raw folder or data/raw."""
    folder = os.environ.get("REALNET_DATA", real_folder(study, "objects92"))
    objects = objects92.load(folder)
    found = "are here, too" if "human_rdms" in objects else f"are not here: no 92/target_fmri.mat below {folder}"
    return objects, f"The RDMs of the 15 people of Algonauts 2019 {found} (see data/README.md)."


def real_networks(study):
    """EfficientNet-Lite0, and CORnet-S if its published weights are here: dict name -> (network, layers)."""
    networks = {"efficientnet-lite0": (EfficientNetLite0(), EFFICIENTNET_LAYERS)}
    try:
        weights = find_one(real_folder(study, "cornet_s"), r"[^.].*\.(pth|pth\.tar)", "the checkpoint of CORnet-S")
    except MissingInput:
        return networks
    return networks | {"cornet": (load_cornet_s(weights), LAYERS)}


def brains_of(objects):
    """What networks are compared with: dict name -> DataArray (subject, pair), people's mean over both sessions."""
    found = {
        PEOPLE: objects.session_rdms.mean("session").rename(person="subject"),
        MONKEYS: objects.reference_rdms.sel(reference=["mIT"]).rename(reference="subject"),
        JUDGES: objects.judgement_rdms.rename(judge="subject"),
    }
    regions = objects.region.values if "human_rdms" in objects else ()
    return found | {f"{region}, 15 people": objects.human_rdms.sel(region=region) for region in regions}


def objects92_table(objects, networks, inference):
    """Similarity of each layer of networks (dict name -> (network, layers)) with each person, monkeys and judgements.

    Returns a DataFrame: ``rho`` per network, layer, ``roi`` (a name of :func:`brains_of`) and subject with an interval
    over images; ``subject`` ``mean``: over images and people; with the noise ceilings of the people.
    """
    images, rows, brains = prepare_arrays(objects.images.values, 224), [], brains_of(objects)
    for model, (network, layers) in networks.items():
        rdms = compute_model_rdms(network, images, list(objects.stimulus.values), layers)
        for roi, people in brains.items():
            values, n_images = resampled_similarities(rdms.expand_dims("network"), people, inference)
            about = {"model": model, "roi": roi, "metric": "rho"}
            rows += _rows(values[:, 0], n_images, inference.level, {"layer": layers}, people.subject.values, about)
    ceilings = {roi: noise_ceiling(rdms) if len(rdms) > 1 else (np.nan, np.nan) for roi, rdms in brains.items()}
    return add_ceilings(pd.DataFrame(rows), "roi", ceilings).assign(dataset="objects92", stimulus_set="objects92")


def session_table(objects, inference):
    """Spearman correlation of IT in session 1 with session 2 of the same person and of the other people: DataFrame.

    ``metric`` ``same_person``, ``other_people`` and their ``difference``; ``subject`` ``mean``: over images and people.
    """
    first, second = (objects.session_rdms.sel(session=session).values for session in (1, 2))
    samples = bootstrap_similarities(first, second, inference.n_bootstraps, inference.seed)
    values = np.concatenate([compare_rdms(first, second)[None], samples])
    same = np.diagonal(values, axis1=1, axis2=2)
    other = (values.sum(axis=2) - same) / (len(first) - 1)
    rows = []
    for metric, part in {"same_person": same, "other_people": other, "difference": same - other}.items():
        about = {"roi": PEOPLE, "metric": metric}
        rows += _rows(part, objects.sizes["stimulus"], inference.level, {}, objects.person.values, about)
    return pd.DataFrame(rows).assign(dataset="objects92", stimulus_set="objects92")


def _rows(values, n_images, level, axes, people, about):
    """Rows of values (1 + n_bootstraps, ..., people): each person over images, then their mean over people as well."""
    options = {"n_images": n_images, "n_factors": 1, "level": level}
    rows = effect_rows(generalise(values[..., None], **options), axes | {"subject": people}, **about)
    return rows + effect_rows(generalise(values, **options), axes, subject="mean", **about)
