"""Chapter 06: what a layer shares with each object dimension alone."""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.analyses.common import REFERENCES, tidy
from realnet.io import load_model_rdms, load_prepared
from realnet.similarity import FeatureRDMs, partial_spearman
from realnet.statistics import bootstrap_p, bootstrap_partial_spearman, confidence_interval, fdr


def dimension_table(study, networks):
    """What each layer shares with each object dimension alone (figure 5, S14).

    Returns
    -------
    DataFrame
        Column ``dimension``. ``partial_rho2``: squared partial Spearman between the RDM of a layer and that of a
        dimension, all other dimensions regressed out. ``difference``: ReAlnet minus reference of it in IT, mean over
        the subjects who taught the networks, with interval over resampled images and FDR-corrected ``p`` (two-sided).
    """
    features = load_prepared(study, "things_dimensions_rdms", "things")
    models = load_model_rdms(study, "things", networks)
    cached = FeatureRDMs(features)
    names = [str(name) for name in features.dimension.values]
    values = partial_spearman(models.values, cached) ** 2
    partial = xr.DataArray(
        values,
        dims=("network", "layer", "dimension"),
        coords={"network": models.network.values, "layer": models.layer.values, "dimension": names},
    )
    about = {"dataset": "things_dimensions", "stimulus_set": "things"}
    table = tidy(partial, networks, metric="partial_rho2", **about)
    inference = study.inference
    samples = bootstrap_partial_spearman(
        models.sel(layer="IT").values, features, n_bootstraps=inference.n_bootstraps, seed=inference.seed
    )
    samples = samples**2  # (bootstrap, network, dimension)
    kind = np.array([n.model for n in networks])
    rows = []
    for model in [m for m in ("realnet", "shuffled") if m in kind]:
        for reference in REFERENCES:
            new, old = samples[:, kind == model].mean(axis=1), samples[:, kind == reference].mean(axis=1)
            lower, upper = confidence_interval(new - old, inference.level)
            p = fdr(bootstrap_p(new - old, "two-sided"))
            it = partial.sel(layer="IT").values
            value = it[kind == model].mean(axis=0) - it[kind == reference].mean(axis=0)
            for d, name in enumerate(names):
                rows.append({"model": model, "reference": reference, "layer": "IT", "dimension": name,
                             "metric": "difference", "value": value[d], "lower": lower[d], "upper": upper[d],
                             "p": p[d]})  # fmt: skip
    differences = pd.DataFrame(rows).assign(beta=study.training.main_beta, **about)
    return pd.concat([table, differences], ignore_index=True)


def top_dimensions(table, n=3, layer="IT", model="realnet"):
    """The names of the ``n`` dimensions that a layer shares most with, mean over the networks of one kind."""
    rows = table[(table.metric == "partial_rho2") & (table.layer == layer) & (table.model == model)]
    return list(rows.groupby("dimension").value.mean().nlargest(n).index)


def beside_truth(table, truth):
    """What was planted in each dimension of a simulated world, beside what changed in layer IT.

    Parameters
    ----------
    table : DataFrame
        From :func:`dimension_table`.
    truth : DataFrame
        ``dimensions`` of :func:`simulation.read_truth`.

    Returns
    -------
    DataFrame
        One row a dimension: ``weight`` and ``beyond_categories`` (planted), and the change of ``partial_rho2`` of
        ReAlnet against each reference, largest first.
    """
    changes = table[(table.metric == "difference") & (table.model == "realnet")]
    changes = changes.pivot(index="dimension", columns="reference", values="value").add_prefix("change against ")
    planted = truth.set_index("dimension")[["weight", "beyond_categories"]]
    return planted.join(changes, validate="one_to_one").sort_values("change against control", ascending=False)
