"""Chapters 03 and 04: layers against regions of the fMRI, in the person who taught the network and in others.

Rows with ``metric`` ``rho`` are similarities. Rows with ``difference`` compare two networks (column ``reference``),
each at its best layer, with an interval (``lower``, ``upper``) and ``p``; ``layer_difference`` does so at one layer.
"""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.analyses.common import BEST, CROSSVALIDATED, REFERENCES, add_ceilings, ceilings_of, reference_stem, tidy
from realnet.io import load_model_rdms, load_prepared
from realnet.similarity import compare_rdms, crossvalidated_best_layer, improvement
from realnet.statistics import bootstrap_p, bootstrap_similarities, confidence_interval, fdr, generalise_to_subjects


def fmri_table(study, networks, within):
    """The table of chapter 03 (``within``: own subjects, all test sets) or 04 (other people, their natural images).

    Returns
    -------
    DataFrame
        What :func:`similarity_table` and :func:`fmri_differences` find.
    """
    dataset = study.fmri.dataset if within else "horikawa2017"
    parts = []
    for name in study.fmri.test_sets if within else ["natural"]:
        brains = load_prepared(study, f"{dataset}_rdms", name)
        parts.append(similarity_table(study, dataset, name, brains, networks))
        parts.append(fmri_differences(study, dataset, name, brains, networks, within))
    return pd.concat(parts, ignore_index=True)


def similarity_table(study, dataset, stimulus_set, brains, networks):
    """Similarity of every layer of every network with every region of every person (figures 1B, 2A, 2B, 3A).

    Parameters
    ----------
    brains : DataArray (subject, roi, pair)
    networks : sequence of realnet.settings.Network

    Returns
    -------
    DataFrame
        ``metric`` ``rho``: Spearman between RDMs; ``layer`` is V1, V2, V4, IT, ``best`` (paper: the best layer of each
        region, chosen on these very images) or ``cross-validated`` (chosen on one half of the images, measured on the
        other). ``ceiling_lower`` and ``ceiling_upper`` are those of the people of this dataset.
    """
    models = load_model_rdms(study, stimulus_set, networks)
    rho = compare_rdms(models, brains)
    best = rho.max("layer").expand_dims(layer=[BEST])
    crossvalidated = np.stack([
        crossvalidated_best_layer(models.sel(network=n.stem).values, brains.values, seed=study.inference.seed)[0]
        for n in networks
    ])  # fmt: skip
    crossvalidated = best.copy(data=crossvalidated.reshape(best.transpose("layer", "network", "subject", "roi").shape))
    rho = xr.concat([rho, best, crossvalidated.assign_coords(layer=[CROSSVALIDATED])], dim="layer", join="exact")
    table = tidy(rho, networks, metric="rho", dataset=dataset, stimulus_set=stimulus_set)
    return add_ceilings(table, "roi", ceilings_of(brains, "roi"))


def fmri_differences(study, dataset, stimulus_set, brains, networks, within):
    """ReAlnet minus each reference, with intervals from resampled images (figures 1C, 2A-B, 3B).

    Parameters
    ----------
    dataset, stimulus_set : str
        Written into the table; the RDMs of the networks for this set are read from the study's results.
    brains : DataArray (subject, roi, pair)
    networks : sequence of realnet.settings.Network
        ReAlnets and null networks are compared with CORnet and with the Control of the same subject and seed.
    within : bool
        True compares each network with the person who taught it; False with every person of the dataset.

    Returns
    -------
    DataFrame
        Per subject, network and region, and for the mean over regions (``roi`` = ``mean``):
        ``difference`` with interval and one-sided ``p``, at the best layer of each network (paper), which is chosen
        anew in every resample; ``p_fdr`` corrects the ``p`` of the regions for their number (false discovery rate).
        ``improvement`` = difference / reference where the reference is clearly above 0: at one of its layers at least,
        by an interval of level 1 - (1 - level) / n_layers, as it may choose among so many.
        ``layer_difference``, as ``difference``, at the same ``layer`` of both networks and for the ``mean`` over the
        layers: a best layer is a maximum, which favours a network whose layers are more alike (chapter 11).
        With ``within`` False also ``subject`` = ``mean`` over people, with intervals that speak of other people too
        (`generalise_to_subjects`).
    """
    models = load_model_rdms(study, stimulus_set, networks)
    inference = study.inference
    shape = (models.sizes["network"], models.sizes["layer"], brains.sizes["subject"], brains.sizes["roi"])
    samples = bootstrap_similarities(
        models.values.reshape(-1, models.sizes["pair"]),
        brains.values.reshape(-1, brains.sizes["pair"]),
        n_bootstraps=inference.n_bootstraps,
        seed=inference.seed,
    ).reshape(-1, *shape)
    samples = np.moveaxis(samples, 3, 4)  # (bootstrap, network, layer, roi, subject)
    observed = compare_rdms(models, brains).transpose("network", "layer", "roi", "subject").values
    stems, subjects = [n.stem for n in networks], [str(s) for s in brains.subject.values]
    names = [str(layer) for layer in models.layer.values], [str(roi) for roi in brains.roi.values]
    rows = []
    for network in networks:
        if network.model not in ("realnet", "shuffled"):
            continue
        people = {subject: s for s, subject in enumerate(subjects) if not within or subject == network.trained_on}
        if not within:  # one person says nothing about others: the interval is then over images alone
            people["mean"] = slice(None) if len(subjects) > 1 else 0
        for reference in REFERENCES:
            pair = stems.index(network.stem), stems.index(reference_stem(networks, network, reference))
            for subject, who in people.items():
                new, old = ((observed[i][..., who], samples[:, i][..., who]) for i in pair)
                infer = generalise_to_subjects if who == slice(None) else _infer_one
                about = {**network.columns, "reference": reference, "subject": subject}
                rows += _difference_rows(new, old, infer, *names, inference.level, **about)
    return pd.DataFrame(rows).assign(dataset=dataset, stimulus_set=stimulus_set)


def own_subject(table):
    """The rows of a within-subject table in which a network meets the person who taught it (or is CORnet)."""
    return table[(table.trained_on == table.subject) | (table.model == "cornet")]


def _difference_rows(new, old, infer, layers, rois, level, **about):
    """Rows of two networks, each given as similarities (layer, roi, ...) and resamples (bootstrap, layer, roi, ...).

    ``infer(values, samples, level)`` gives values, ends of their intervals, and p; people, if there, are the last axis.
    """
    layers, rois = [*layers, "mean"], [*rois, "mean"]

    def at_best(values, first):
        return _with_mean(values.max(axis=first), first)

    def at_each(values, first):
        return _with_mean(_with_mean(values, first + 1), first)

    def of(network, choose):
        return [choose(values, first) for first, values in enumerate(network)]

    def difference(choose):
        return infer(*(a - b for a, b in zip(of(new, choose), of(old, choose), strict=True)), level)

    best, base = difference(at_best), infer(*of(old, at_best), level)[0]
    base_lower = infer(*of(old, at_each), 1 - (1 - level) / (len(layers) - 1))[1][:-1].max(axis=0)
    ratio = improvement(base + best[0], base, lower=base_lower)
    p_fdr = [*fdr(best[3][:-1]), np.nan]
    rows = []
    for r, roi in enumerate(rois):
        here = {**about, "roi": roi, "layer": BEST}
        rows.append({**here, "metric": "difference", **_numbers(best, r), "p_fdr": p_fdr[r]})
        rows.append({**here, "metric": "improvement", "value": ratio[r]})
    each = difference(at_each)
    for place in np.ndindex(len(layers), len(rois)):
        here = {**about, "layer": layers[place[0]], "roi": rois[place[1]]}
        rows.append({**here, "metric": "layer_difference", **_numbers(each, place)})
    return rows


def _infer_one(values, samples, level):
    """Of one person: the value, the interval and p from resampled images; values (...), samples (bootstrap, ...)."""
    return values, *confidence_interval(samples, level), bootstrap_p(samples, "greater")


def _with_mean(values, axis):
    """The values and, behind them, their mean along an axis."""
    return np.concatenate([values, values.mean(axis=axis, keepdims=True)], axis=axis)


def _numbers(inferred, place):
    return {name: float(values[place]) for name, values in zip(("value", "lower", "upper", "p"), inferred, strict=True)}
