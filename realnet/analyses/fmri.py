"""Chapters 03 and 04: layers against regions of the fMRI, in the subject of the training and in others.

Rows with ``metric`` ``rho`` are similarities. Rows with ``difference`` compare two kinds of networks (columns ``model``
and ``reference``), each at its best layer; ``layer_difference`` does so at one layer. Their intervals (``lower``,
``upper``), ``p`` and ``p_corrected`` are those of :func:`realnet.statistics.generalise`.
"""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.analyses import (
    BEST,
    CROSSVALIDATED,
    add_ceilings,
    ceilings_of,
    comparisons,
    effect_rows,
    kinds_of,
    network_grid,
    resampled_similarities,
    tidy,
    training_subjects,
    with_mean,
)
from realnet.io import load_model_rdms, load_prepared, load_table
from realnet.similarity import compare_rdms, crossvalidated_best_layer
from realnet.statistics import generalise, ratio


def fmri_table(study, networks, within):
    """The table of chapter 03 (``within``: own subjects, all test sets) or 04 (other subjects, natural images).

    Returns a DataFrame with the rows of :func:`similarity_table` and :func:`fmri_differences`
    """
    dataset = study.fmri.dataset if within else "horikawa2017"
    parts = []
    for name in study.fmri.test_sets if within else ["natural"]:
        brains = load_prepared(study, f"{dataset}_rdms", name)
        parts.append(similarity_table(study, dataset, name, brains, networks, within))
        parts.append(fmri_differences(study, dataset, name, brains, networks, within))
    return pd.concat(parts, ignore_index=True)


def similarity_table(study, dataset, stimulus_set, brains, networks, within):
    """Similarity of every layer of every network with every region of every subject (figures 1B, 2A, 2B, 3A).

    ``brains``: RDMs, DataArray (subject, roi, pair). Returns a DataFrame: ``metric`` ``rho``: Spearman between RDMs;
    ``layer`` is V1, V2, V4, IT, ``best`` (paper: the best layer of each region, chosen on the same images) or
    ``cross-validated`` (chosen on other images). Noise ceilings are those between the subjects of this dataset;
    ``within`` the root of the reliability of each subject's own RDM.
    """
    models = load_model_rdms(study, stimulus_set, networks)
    rho = compare_rdms(models, brains)
    best = rho.max("layer").expand_dims(layer=[BEST])
    layers, seed = [models.sel(network=n.stem).values for n in networks], study.inference.seed
    chosen = [crossvalidated_best_layer(rdms, brains.values, seed=seed)[0] for rdms in layers]
    crossvalidated = best.copy(data=np.reshape(chosen, best.transpose("layer", "network", "subject", "roi").shape))
    rho = xr.concat([rho, best, crossvalidated.assign_coords(layer=[CROSSVALIDATED])], dim="layer", join="exact")
    table = tidy(rho, networks, metric="rho", dataset=dataset, stimulus_set=stimulus_set)
    if not within:
        return add_ceilings(table, "roi", ceilings_of(brains, "roi"))
    own = load_table(study, "reliability").query("metric == 'rdm_reliability' and dataset == @dataset")
    own = own[own.stimulus_set == stimulus_set].set_index(["subject", "roi"]).value.clip(lower=0) ** 0.5
    ceiling = own.reindex(pd.MultiIndex.from_frame(table[["subject", "roi"]])).to_numpy()
    return table.assign(ceiling_lower=ceiling, ceiling_upper=ceiling)


def fmri_differences(study, dataset, stimulus_set, brains, networks, within):
    """Differences between kinds of networks, with intervals (figures 1C, 2A-B, 3B).

    Parameters
    ----------
    brains, networks : DataArray (subject, roi, pair), sequence of realnet.settings.Network
        Networks of one subject and seed are paired.
    within : bool, compare each network with the subject it was trained on, not with every one of the dataset

    Returns
    -------
    DataFrame
        Per subject that networks were trained on (``trained_on``), and their ``mean``; if not ``within``, also per
        subject compared with, and their ``mean``; per region, and for the mean over regions (``roi`` = ``mean``):
        ``difference`` at the best layer of each network (paper), chosen anew in every resample; ``improvement`` =
        difference / reference (Fieller's interval), where the reference is clearly above 0 at one layer (Bonferroni).
        ``layer_difference`` at the same ``layer`` of both networks, and for the ``mean`` over the layers: a best layer
        is a maximum, which favours a network whose layers are more alike (chapter 11). ``share``: what networks trained
        on shuffled pairs gain at the best layer, divided by what ReAlnet gains. Intervals generalise over images, and
        over seeds and subjects where a row is a mean over several (column ``n_seeds``).
    """
    models = load_model_rdms(study, stimulus_set, networks)
    values, n_images = resampled_similarities(models, brains.transpose("subject", "roi", "pair"), study.inference)
    subjects, level = brains.subject.values.astype(str).tolist(), study.inference.level
    layers, rois = ([*axis.values.astype(str).tolist(), "mean"] for axis in (models.layer, brains.roi))
    grids = {model: network_grid(networks, model) for model in kinds_of(networks)}
    trained = training_subjects(networks)
    n_seeds = grids["realnet"].shape[1]
    places = _places(trained, subjects, within)

    def at(model):
        """Similarities of one kind of network: (1 + n_bootstraps, layer, roi, subject, trained_on, seed)."""
        found = values[:, grids[model]]  # (..., trained_on, seed, layer, subject, roi)
        found = found.transpose(0, 3, 5, 4, 1, 2)
        if not within:
            return found
        own = [found[:, :, :, subjects.index(name), i] for i, name in enumerate(trained)]
        return np.stack(own, axis=-2)[:, :, :, None]

    similarities, rows = {model: at(model) for model in grids}, []
    for (subject, trained_on), place in places.items():
        chosen = {model: found[(..., *place, slice(None))] for model, found in similarities.items()}
        best = {model: with_mean(found.max(axis=1), 1) for model, found in chosen.items()}
        options = {"n_images": n_images, "n_factors": 3, "level": level}
        for model, reference in comparisons(networks):
            about = {"model": model, "reference": reference, "subject": subject, "trained_on": trained_on}
            each = with_mean(with_mean(chosen[model] - chosen[reference], 1), 2)
            difference = best[model] - best[reference]
            effect = generalise(difference, **options)
            rows += effect_rows(effect, {"roi": rois}, **about, layer=BEST, metric="difference")
            effect = generalise(each, **options)
            rows += effect_rows(effect, {"layer": layers, "roi": rois}, **about, metric="layer_difference")
            strict = options | {"level": 1 - (1 - level) / (len(layers) - 1)}
            clear = (generalise(with_mean(chosen[reference], 2), **strict).lower > 0).any(axis=0)
            gain = [np.where(clear, part, np.nan) for part in ratio(difference, best[reference], **options)]
            rows += effect_rows(gain, {"roi": rois}, **about, layer=BEST, metric="improvement")
            if model != "realnet":
                part = ratio(difference, best["realnet"] - best[reference], **options)
                rows += effect_rows(part, {"roi": rois}, **about, layer=BEST, metric="share")
    about = {"dataset": dataset, "stimulus_set": stimulus_set, "beta": study.training.main_beta, "n_seeds": n_seeds}
    return pd.DataFrame(rows).assign(**about)


def _places(trained, subjects, within):
    """Which values each row is the mean of: dict (subject, trained_on) -> slices of the last axes but the seeds."""
    every = slice(None)
    one = {name: slice(i, i + 1) for i, name in enumerate(trained)}
    if within:
        return {(name, name): (every, place) for name, place in (one | {"mean": every}).items()}
    compared = {name: slice(i, i + 1) for i, name in enumerate(subjects)} | {"mean": every}
    return {(subject, name): (s, place) for name, place in (one | {"mean": every}).items()
            for subject, s in compared.items()}  # fmt: skip


def own_subject(table):
    """The rows that compare a network with the subject it was trained on, those of CORnet and Control, and means."""
    return table[(table.trained_on == table.subject) | table.model.isin(("cornet", "control"))]
