"""Chapter 06: what a layer shares with each object dimension alone."""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.analyses import comparisons, effect_rows, kinds_of, network_grid, tidy
from realnet.io import load_model_rdms, load_prepared
from realnet.rdm import count_stimuli
from realnet.similarity import FeatureRDMs, partial_spearman
from realnet.statistics import bootstrap_partial_spearman, generalise, ratio


def dimension_table(study, networks):
    """What each layer shares with each object dimension alone (figure 5, S14).

    Returns a DataFrame, column ``dimension``. ``partial_rho2``: squared partial Spearman correlation of the RDMs of a
    layer and of a dimension, given all other dimensions. ``difference`` of it between kinds of networks in IT, with
    intervals over images, training subjects and seeds; ``p_corrected`` for all dimensions. ``share``: what networks
    trained on shuffled pairs gain, divided by what ReAlnet gains, where that is clearly above 0.
    """
    features = load_prepared(study, "things_dimensions_rdms", "things")
    models = load_model_rdms(study, "things", networks)
    names = features.dimension.values.astype(str).tolist()
    coordinates = {"network": models.network.values, "layer": models.layer.values, "dimension": names}
    partial = xr.DataArray(partial_spearman(models.values, FeatureRDMs(features)) ** 2, coordinates, list(coordinates))
    about, inference = {"dataset": "things_dimensions", "stimulus_set": "things"}, study.inference
    table = tidy(partial, networks, metric="partial_rho2", **about)
    draws = {"n_bootstraps": inference.n_bootstraps, "seed": inference.seed}
    samples = bootstrap_partial_spearman(models.sel(layer="IT").values, features, **draws) ** 2
    values = np.concatenate([partial.sel(layer="IT").values[None], samples])  # (1 + n_bootstraps, network, dimension)
    options = {"n_images": count_stimuli(models.sizes["pair"]), "n_factors": 2, "level": inference.level}
    kinds = {m: np.moveaxis(values[:, network_grid(networks, m)], -1, 1) for m in kinds_of(networks)}
    rows = []
    for model, reference in comparisons(networks):
        mean = {"model": model, "reference": reference, "layer": "IT", "trained_on": "mean"}
        difference = kinds[model] - kinds[reference]
        rows += effect_rows(generalise(difference, **options), {"dimension": names}, **mean, metric="difference")
        if model != "realnet":
            part = ratio(difference, kinds["realnet"] - kinds[reference], **options)
            rows += effect_rows(part, {"dimension": names}, **mean, metric="share")
    about |= {"beta": study.training.main_beta, "n_seeds": kinds["realnet"].shape[-1]}
    return pd.concat([table, pd.DataFrame(rows).assign(**about)], ignore_index=True)


def top_dimensions(table, n=3, reference="cornet"):
    """Names of the ``n`` dimensions that rise most in IT of ReAlnet against a reference (paper, figures 5B to 5D)."""
    rows = table[(table.metric == "difference") & (table.model == "realnet") & (table.reference == reference)]
    return list(rows.nlargest(n, "value").dimension)


def beside_truth(table, truth):
    """What was planted in each dimension of simulated data, beside what changed in layer IT.

    ``table``: of :func:`dimension_table`; ``truth``: columns ``dimension weight beyond_categories``. Returns a
    DataFrame: per dimension what was planted and the change of ``partial_rho2`` against each reference, largest first.
    """
    changes = table[(table.metric == "difference") & (table.model == "realnet")]
    changes = changes.pivot(index="dimension", columns="reference", values="value").add_prefix("change against ")
    planted = truth.set_index("dimension")[["weight", "beyond_categories"]]
    return planted.join(changes, validate="one_to_one").sort_values("change against control", ascending=False)
