"""Chapters 03 and 04: layers against regions of the fMRI, in the subject of the training and in others.

Rows with ``metric`` ``rho`` are similarities. Rows with ``difference`` compare two networks (column ``reference``),
each at its best layer, with an interval (``lower``, ``upper``) and ``p``; ``layer_difference`` does so at one layer.
"""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.analyses import BEST, CROSSVALIDATED, REFERENCES, add_ceilings, ceilings_of, reference_stem, tidy
from realnet.io import load_model_rdms, load_prepared
from realnet.similarity import compare_rdms, crossvalidated_best_layer, improvement
from realnet.statistics import bootstrap_p, bootstrap_similarities, confidence_interval, fdr, generalise_to_subjects


def fmri_table(study, networks, within):
    """The table of chapter 03 (``within``: own subjects, all test sets) or 04 (other subjects, natural images).

    Returns
    -------
    DataFrame with the rows of :func:`similarity_table` and :func:`fmri_differences`
    """
    dataset = study.fmri.dataset if within else "horikawa2017"
    parts = []
    for name in study.fmri.test_sets if within else ["natural"]:
        brains = load_prepared(study, f"{dataset}_rdms", name)
        parts.append(similarity_table(study, dataset, name, brains, networks))
        parts.append(fmri_differences(study, dataset, name, brains, networks, within))
    return pd.concat(parts, ignore_index=True)


def similarity_table(study, dataset, stimulus_set, brains, networks):
    """Similarity of every layer of every network with every region of every subject (figures 1B, 2A, 2B, 3A).

    Parameters
    ----------
    brains, networks : DataArray (subject, roi, pair), sequence of realnet.settings.Network

    Returns
    -------
    DataFrame
        ``metric`` ``rho``: Spearman between RDMs; ``layer`` is V1, V2, V4, IT, ``best`` (paper: the best layer of each
        region, chosen on the same images) or ``cross-validated`` (chosen on other images). Noise ceilings are those of
        the subjects of this dataset.
    """
    models = load_model_rdms(study, stimulus_set, networks)
    rho = compare_rdms(models, brains)
    best = rho.max("layer").expand_dims(layer=[BEST])
    layers, seed = [models.sel(network=n.stem).values for n in networks], study.inference.seed
    chosen = [crossvalidated_best_layer(rdms, brains.values, seed=seed)[0] for rdms in layers]
    crossvalidated = best.copy(data=np.reshape(chosen, best.transpose("layer", "network", "subject", "roi").shape))
    rho = xr.concat([rho, best, crossvalidated.assign_coords(layer=[CROSSVALIDATED])], dim="layer", join="exact")
    table = tidy(rho, networks, metric="rho", dataset=dataset, stimulus_set=stimulus_set)
    return add_ceilings(table, "roi", ceilings_of(brains, "roi"))


def fmri_differences(study, dataset, stimulus_set, brains, networks, within):
    """ReAlnet minus each reference, with intervals from resampled images (figures 1C, 2A-B, 3B).

    Parameters
    ----------
    brains, networks : DataArray (subject, roi, pair), sequence of realnet.settings.Network
        ReAlnet and shuffled are compared with CORnet and with the Control of the same subject and seed.
    within : bool, compare each network with the subject it was trained on, not with every one of the dataset

    Returns
    -------
    DataFrame
        Per subject, network and region, and for the mean over regions (``roi`` = ``mean``):
        ``difference`` with interval and one-sided ``p``, at the best layer of each network (paper), chosen anew in
        every resample; ``p_fdr`` is the ``p`` of the regions corrected for their number (false discovery rate).
        ``improvement`` = difference / reference, where the reference is above 0 at a layer (Bonferroni over layers).
        ``layer_difference``, as ``difference``, at the same ``layer`` of both networks and for the ``mean`` over the
        layers: a best layer is a maximum, which favours a network whose layers are more alike (chapter 11).
        If not ``within``, also ``subject`` = ``mean`` over subjects, with intervals that generalise over images and
        subjects (:func:`realnet.statistics.generalise_to_subjects`).
    """
    models = load_model_rdms(study, stimulus_set, networks)
    inference = study.inference
    rdms = [array.values.reshape(-1, models.sizes["pair"]) for array in (models, brains)]
    samples = bootstrap_similarities(*rdms, inference.n_bootstraps, inference.seed)
    samples = samples.reshape(-1, *models.shape[:-1], *brains.shape[:-1])
    samples = np.moveaxis(samples, 3, 4)  # (bootstrap, network, layer, roi, subject)
    observed = compare_rdms(models, brains).transpose("network", "layer", "roi", "subject").values
    stems, subjects = [n.stem for n in networks], brains.subject.values.astype(str).tolist()
    names = [axis.values.astype(str).tolist() for axis in (models.layer, brains.roi)]
    rows = []
    for network in [n for n in networks if n.model in ("realnet", "shuffled")]:
        chosen = {subject: s for s, subject in enumerate(subjects) if not within or subject == network.trained_on}
        if not within:  # with a single subject the interval is over images alone
            chosen["mean"] = slice(None) if len(subjects) > 1 else 0
        for reference in REFERENCES:
            pair = stems.index(network.stem), stems.index(reference_stem(networks, network, reference))
            for subject, s in chosen.items():
                new, old = ((observed[i][..., s], samples[:, i][..., s]) for i in pair)
                infer = generalise_to_subjects if s == slice(None) else _infer_one_subject
                about = {**network.columns, "reference": reference, "subject": subject}
                rows += _difference_rows(new, old, infer, *names, inference.level, **about)
    return pd.DataFrame(rows).assign(dataset=dataset, stimulus_set=stimulus_set)


def own_subject(table):
    """The rows that compare a network with the subject it was trained on, and those of CORnet."""
    return table[(table.trained_on == table.subject) | (table.model == "cornet")]


def _difference_rows(new, old, infer, layers, rois, level, **about):
    """Rows of two networks, each given as similarities (layer, roi, ...) and resamples (bootstrap, layer, roi, ...).

    ``infer(values, samples, level)`` gives values, lower and upper ends of their intervals, and p.
    """
    best = infer(*(a - b for a, b in zip(_at_best(new), _at_best(old), strict=True)), level)
    each = infer(*(a - b for a, b in zip(_at_each(new), _at_each(old), strict=True)), level)
    base = infer(*_at_best(old), level)[0]
    base_lower = infer(*_at_each(old), 1 - (1 - level) / len(layers))[1][:-1].max(axis=0)
    ratio = improvement(base + best[0], base, lower=base_lower)
    p_fdr = [*fdr(best[3][:-1]), np.nan]
    rows = []
    for r, roi in enumerate([*rois, "mean"]):
        here = {**about, "roi": roi, "layer": BEST}
        rows.append({**here, "metric": "difference", **_numbers(best, r), "p_fdr": p_fdr[r]})
        rows.append({**here, "metric": "improvement", "value": ratio[r]})
    for place in np.ndindex(each[0].shape):
        here = {**about, "layer": [*layers, "mean"][place[0]], "roi": [*rois, "mean"][place[1]]}
        rows.append({**here, "metric": "layer_difference", **_numbers(each, place)})
    return rows


def _at_best(network):
    """Similarities and resamples at the best layer, for the regions and their mean."""
    return [_with_mean(values.max(axis=axis), axis) for axis, values in enumerate(network)]


def _at_each(network):
    """Similarities and resamples at each layer and their mean, for the regions and their mean."""
    return [_with_mean(_with_mean(values, axis + 1), axis) for axis, values in enumerate(network)]


def _with_mean(values, axis):
    """The values, followed by their mean along an axis."""
    return np.concatenate([values, values.mean(axis=axis, keepdims=True)], axis=axis)


def _infer_one_subject(values, samples, level):
    """The values (...) with interval and p from resampled images (bootstrap, ...)."""
    return values, *confidence_interval(samples, level), bootstrap_p(samples, "greater")


def _numbers(inferred, place):
    return {name: float(values[place]) for name, values in zip(("value", "lower", "upper", "p"), inferred, strict=True)}
