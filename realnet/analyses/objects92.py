"""Chapter 10: real networks against 15 real people, 92 object images."""

import os
from pathlib import Path

import pandas as pd

from realnet import provenance
from realnet.activations import compute_model_rdms, prepare_arrays
from realnet.analyses.common import add_ceilings
from realnet.backbones import EFFICIENTNET_LAYERS, EfficientNetLite0
from realnet.cornet import LAYERS, load_cornet_s
from realnet.datasets import objects92
from realnet.datasets.fetching import FETCH
from realnet.datasets.files import find_files, find_one, real_folder
from realnet.errors import MissingInput
from realnet.settings import project_root
from realnet.similarity import compare_rdms, noise_ceiling


def load_if_present(study):
    """The 92 objects or None, and a sentence that says which.

    They lie below ``REALNET_DATA``, else below ``objects92`` in the study's raw folder or in ``data/raw``.

    Returns
    -------
    (Dataset or None, str)
    """
    fetched = project_root() / "data" / "raw" / "objects92"
    folder = Path(os.environ.get("REALNET_DATA", real_folder(study, "objects92")))
    try:
        objects = objects92.load(folder)
        provenance.note(study, *find_files(folder, r".*\.mat"))
        return objects, "the 92 objects and the RDMs of 15 people are here"
    except MissingInput as error:
        return None, (
            f"This chapter was left out: {error}. `{FETCH} objects92` brings them to {fetched}, or set"
            " REALNET_DATA to a folder that holds them; then run this notebook again."
        )


def real_networks(study):
    """ImageNet-trained networks that are at hand: dict name -> (network, layers).

    EfficientNet-Lite0 comes as a package; CORnet-S where ``cornet_s`` in the study's raw folder or in ``data/raw``
    holds its published weights.
    """
    networks = {"efficientnet-lite0": (EfficientNetLite0(), EFFICIENTNET_LAYERS)}
    try:
        weights = find_one(real_folder(study, "cornet_s"), r"[^.].*\.(pth|pth\.tar)", "the checkpoint of CORnet-S")
    except MissingInput:
        return networks
    provenance.note(study, weights)
    return networks | {"cornet": (load_cornet_s(weights), LAYERS)}


def objects92_table(objects, networks):
    """Similarity of each layer with EVC and IT of 15 people for the 92 object images (chapter 10).

    Parameters
    ----------
    objects : Dataset
        As :func:`realnet.datasets.objects92.load` returns it.
    networks : dict name -> (network, layers)

    Returns
    -------
    DataFrame
        ``rho`` per network, layer, region (column ``roi``) and person, with the noise ceilings of the 15 people.
    """
    images = prepare_arrays(objects.images.values, 224)
    brains = objects.human_rdms.rename(region="roi")
    tables = []
    for name, (network, layers) in networks.items():
        rdms = compute_model_rdms(network, images, list(objects.stimulus.values), layers)
        rho = compare_rdms(rdms, brains).rename("value").to_dataframe()[["value"]].reset_index()
        tables.append(rho.assign(model=name))
    table = pd.concat(tables, ignore_index=True)
    ceilings = {str(roi): noise_ceiling(brains.sel(roi=roi).values) for roi in brains.roi.values}
    return add_ceilings(table, "roi", ceilings).assign(dataset="objects92", stimulus_set="objects92", metric="rho")
