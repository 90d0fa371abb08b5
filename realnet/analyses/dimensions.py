"""Chapter 06: what a layer shares with each object dimension alone."""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.analyses import REFERENCES, tidy
from realnet.io import load_model_rdms, load_prepared
from realnet.similarity import FeatureRDMs, partial_spearman
from realnet.statistics import bootstrap_p, bootstrap_partial_spearman, confidence_interval, fdr


def dimension_table(study, networks):
    """What each layer shares with each object dimension alone (figure 5, S14).

    Returns
    -------
    DataFrame
        Column ``dimension``. ``partial_rho2``: squared partial Spearman correlation of the RDMs of a layer and of a
        dimension, given all other dimensions. ``difference``: ReAlnet minus reference of it in IT, mean over networks,
        with interval over resampled images and FDR-corrected ``p`` (two-sided).
    """
    features = load_prepared(study, "things_dimensions_rdms", "things")
    models = load_model_rdms(study, "things", networks)
    names = features.dimension.values.astype(str).tolist()
    coordinates = {"network": models.network.values, "layer": models.layer.values, "dimension": names}
    partial = xr.DataArray(partial_spearman(models.values, FeatureRDMs(features)) ** 2, coordinates, list(coordinates))
    about, inference = {"dataset": "things_dimensions", "stimulus_set": "things"}, study.inference
    table = tidy(partial, networks, metric="partial_rho2", **about)
    options = {"n_bootstraps": inference.n_bootstraps, "seed": inference.seed}
    samples = bootstrap_partial_spearman(models.sel(layer="IT").values, features, **options) ** 2
    kind, found = np.array([n.model for n in networks]), partial.sel(layer="IT").values
    parts = [table]
    for model in [name for name in ("realnet", "shuffled") if name in kind]:
        for reference in REFERENCES:
            # (bootstrap, dimension) and (dimension,)
            difference = samples[:, kind == model].mean(axis=1) - samples[:, kind == reference].mean(axis=1)
            value = found[kind == model].mean(axis=0) - found[kind == reference].mean(axis=0)
            lower, upper = confidence_interval(difference, inference.level)
            parts.append(pd.DataFrame({
                "model": model, "reference": reference, "layer": "IT", "dimension": names, "metric": "difference",
                "value": value, "lower": lower, "upper": upper, "p": fdr(bootstrap_p(difference, "two-sided")),
                "beta": study.training.main_beta, **about,
            }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def top_dimensions(table, n=3, layer="IT", model="realnet"):
    """Names of the ``n`` dimensions with the largest ``partial_rho2`` in a layer, mean over networks of one kind."""
    rows = table[(table.metric == "partial_rho2") & (table.layer == layer) & (table.model == model)]
    return list(rows.groupby("dimension").value.mean().nlargest(n).index)


def beside_truth(table, truth):
    """What was planted in each dimension of simulated data, beside what changed in layer IT.

    Parameters
    ----------
    table, truth : DataFrame of :func:`dimension_table`, DataFrame ``dimension weight beyond_categories``

    Returns
    -------
    DataFrame
        Per dimension what was planted and the change of ``partial_rho2`` against each reference, largest first.
    """
    changes = table[(table.metric == "difference") & (table.model == "realnet")]
    changes = changes.pivot(index="dimension", columns="reference", values="value").add_prefix("change against ")
    planted = truth.set_index("dimension")[["weight", "beyond_categories"]]
    return planted.join(changes, validate="one_to_one").sort_values("change against control", ascending=False)
