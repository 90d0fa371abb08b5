"""Chapters 03 and 04: layers against regions of the fMRI, in the person who taught the network and in others.

Rows with ``metric`` ``rho`` are similarities; rows with ``difference`` compare two networks (column ``reference``) and
carry an interval (``lower``, ``upper``) and ``p``.
"""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.analyses.common import BEST, CROSSVALIDATED, REFERENCES, add_ceilings, ceilings_of, reference_stem, tidy
from realnet.results import load_model_rdms
from realnet.similarity import compare_rdms, crossvalidated_best_layer, improvement
from realnet.statistics import bootstrap_p, bootstrap_similarities, confidence_interval, fdr, generalise_to_subjects


def similarity_table(study, dataset, stimulus_set, brains, networks):
    """Similarity of every layer of every network with every region of every person (figures 1B, 2A, 2B, 3A).

    Parameters
    ----------
    brains : DataArray (subject, roi, pair)
    networks : sequence of realnet.study.Network

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
    """ReAlnet minus each reference at the best layer, with intervals from resampled images (figures 1C, 2A-B, 3B).

    Parameters
    ----------
    within : bool
        True compares each network with the person who taught it; False with every person of the dataset.

    Returns
    -------
    DataFrame
        Per subject, network and region, and for the mean over regions (``roi`` = ``mean``): ``metric`` ``difference``
        with interval and ``p`` (one-sided), and ``improvement`` = difference / reference where the reference lies
        clearly above 0. The best layer is chosen anew in every resample.
        ``p_fdr`` corrects the ``p`` of the regions for their number (false discovery rate). With ``within`` False also
        ``subject`` = ``mean`` over people, with intervals that speak of other people too (`generalise_to_subjects`).
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
    samples = samples.max(axis=2)  # (bootstrap, network, subject, roi)
    found = compare_rdms(models, brains).max("layer").transpose("network", "subject", "roi").values
    stems, subjects = [n.stem for n in networks], [str(s) for s in brains.subject.values]
    rows = []
    for network in networks:
        if network.model not in ("realnet", "null"):
            continue
        i = stems.index(network.stem)
        for reference in REFERENCES:
            j = stems.index(reference_stem(networks, network, reference))
            chosen = [subjects.index(network.trained_on)] if within else list(range(len(subjects)))
            about = {**network.columns, "reference": reference}
            for s in chosen:
                rows += _difference_rows(
                    samples[:, i, s], samples[:, j, s], found[i, s], found[j, s], brains.roi.values, inference,
                    **about, subject=subjects[s],
                )  # fmt: skip
            if not within and len(subjects) > 1:
                rows += _population_rows(
                    samples[:, i], samples[:, j], found[i], found[j], brains.roi.values, inference,
                    **about, subject="mean",
                )  # fmt: skip
            elif not within:  # one person says nothing about others: the interval is over images alone
                rows += _difference_rows(
                    samples[:, i, 0], samples[:, j, 0], found[i, 0], found[j, 0], brains.roi.values, inference,
                    **about, subject="mean",
                )  # fmt: skip
    return pd.DataFrame(rows).assign(dataset=dataset, stimulus_set=stimulus_set, layer=BEST)


def own_subject(table):
    """The rows of a within-subject table in which a network meets the person who taught it (or is CORnet)."""
    return table[(table.trained_on == table.subject) | (table.model == "cornet")]


def _difference_rows(new, old, found_new, found_old, rois, inference, **about):
    """Difference and improvement per region and for their mean, from paired resamples (bootstrap, roi)."""
    rows = []
    for roi, part in _parts(rois):
        sampled, reference = (new - old)[:, part].mean(axis=1), old[:, part].mean(axis=1)
        interval = confidence_interval(sampled, inference.level)
        base_lower = confidence_interval(reference, inference.level)[0]
        found, base = (found_new - found_old)[part].mean(), found_old[part].mean()
        p = float(bootstrap_p(sampled, "greater"))
        rows += _two_rows(found, base, base_lower, interval, p, roi=roi, **about)
    return _add_fdr(rows)


def _population_rows(new, old, found_new, found_old, rois, inference, **about):
    """The same for people in general: samples (bootstrap, subject, roi), values (subject, roi)."""
    rows = []
    for roi, part in _parts(rois):
        (sampled, found), (reference, base) = (
            (samples[..., part].mean(axis=-1), values[:, part].mean(axis=-1))
            for samples, values in ((new - old, found_new - found_old), (old, found_old))
        )
        found, *interval, p = generalise_to_subjects(found, sampled, inference.level)
        base, base_lower, _, _ = generalise_to_subjects(base, reference, inference.level)
        rows += _two_rows(found, base, base_lower, interval, float(p), roi=roi, **about)
    return _add_fdr(rows)


def _parts(rois):
    """Each region, and the mean over them: (name, where it is)."""
    return [(str(roi), slice(r, r + 1)) for r, roi in enumerate(rois)] + [("mean", slice(None))]


def _two_rows(found, base, base_lower, interval, p, **about):
    ratio = float(improvement(base + found, base, lower=base_lower))
    return [
        {**about, "metric": "difference", "value": found, "lower": interval[0], "upper": interval[1], "p": p},
        {**about, "metric": "improvement", "value": ratio},
    ]


def _add_fdr(rows):
    """Adds ``p_fdr`` to the differences: p corrected over the regions; their mean is a question of its own."""
    regions = [row for row in rows if row["metric"] == "difference" and row["roi"] != "mean"]
    for row, corrected in zip(regions, fdr([row["p"] for row in regions]), strict=True):
        row["p_fdr"] = float(corrected)
    return rows
