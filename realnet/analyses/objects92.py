"""Chapter 10: ImageNet networks against the fMRI of 15 subjects, 92 object images."""

import os

import pandas as pd

from realnet.activations import compute_model_rdms, prepare_arrays
from realnet.analyses import add_ceilings, ceilings_of
from realnet.backbones import EFFICIENTNET_LAYERS, EfficientNetLite0
from realnet.cornet import LAYERS, load_cornet_s
from realnet.datasets import objects92
from realnet.datasets.files import find_one, real_folder
from realnet.errors import MissingInput
from realnet.similarity import compare_rdms


def load_if_present(study):
    """The 92 objects and the fMRI RDMs, from ``REALNET_DATA``, or ``objects92`` in the study's raw folder or data/raw.

    Returns
    -------
    Dataset of :func:`realnet.datasets.objects92.load` or None, and a sentence (str) that says whether it is there
    """
    try:
        objects = objects92.load(os.environ.get("REALNET_DATA", real_folder(study, "objects92")))
    except MissingInput as error:
        return None, f"This chapter was left out: {error}. Run `realnet data fetch objects92` and this notebook again."
    return objects, "the 92 objects and the RDMs of 15 subjects are here"


def real_networks(study):
    """EfficientNet-Lite0, and CORnet-S if its published weights are here: dict name -> (network, layers)."""
    networks = {"efficientnet-lite0": (EfficientNetLite0(), EFFICIENTNET_LAYERS)}
    try:
        weights = find_one(real_folder(study, "cornet_s"), r"[^.].*\.(pth|pth\.tar)", "the checkpoint of CORnet-S")
    except MissingInput:
        return networks
    return networks | {"cornet": (load_cornet_s(weights), LAYERS)}


def objects92_table(objects, networks):
    """Similarity of each layer with EVC and IT of 15 subjects for the 92 object images.

    Parameters
    ----------
    objects, networks : Dataset, dict name -> (network, layers)

    Returns
    -------
    DataFrame, ``rho`` per network, layer, region (``roi``) and subject, with the noise ceilings of the subjects
    """
    images, brains = prepare_arrays(objects.images.values, 224), objects.human_rdms.rename(region="roi")
    tables = []
    for name, (network, layers) in networks.items():
        rdms = compute_model_rdms(network, images, list(objects.stimulus.values), layers)
        tables.append(compare_rdms(rdms, brains).to_dataframe("value")[["value"]].reset_index().assign(model=name))
    table = add_ceilings(pd.concat(tables, ignore_index=True), "roi", ceilings_of(brains, "roi"))
    return table.assign(dataset="objects92", stimulus_set="objects92", metric="rho")
