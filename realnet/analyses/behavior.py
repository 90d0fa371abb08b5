"""Chapter 07: accuracy, and agreement with people's errors, of every network at every beta (supplement S1).

Rows with ``metric`` ``top1 top5 accuracy16 kappa`` are measures; rows with ``top1_difference`` and so on compare two
networks (column ``reference``) and carry ``p`` (two-sided). Where ``lower`` and ``upper`` are given they come from
resampled images, the same ones for all networks: they speak of other images, not of other networks or people. Rows with
``trained_on`` ``mean`` are means over the networks of one kind and beta.
"""

from functools import partial

import numpy as np
import pandas as pd

from realnet import provenance
from realnet.analyses.common import REFERENCES
from realnet.behavior import classify_files, find_validation_images, is_in_top
from realnet.errors import InvalidInput, MissingInput
from realnet.io import empty_table
from realnet.networks import load_network
from realnet.statistics import bootstrap_p, confidence_interval


def accuracy_table(study, networks, device="auto"):
    """Top-1 and top-5 accuracy on ImageNet's validation images, or on the simulated world's held-out ones.

    Parameters
    ----------
    networks : sequence of realnet.settings.Network

    Returns
    -------
    DataFrame
        Empty where ``imagenet/val`` is not among the study's raw data; then see the second value.
    str
        A sentence on what was measured, or on what is missing.
    """
    folder = study.raw_folder("imagenet") / "val"
    try:
        paths, labels, n_classes = find_validation_images(folder)
    except MissingInput as error:
        return empty_table(), f"Accuracy was left out: {error}."

    provenance.note(study, study.raw_folder("simulation.json") if study.simulated else folder)

    def decide(probabilities, rows):
        if probabilities.shape[1] != n_classes:
            raise InvalidInput(
                f"{folder} names {n_classes} classes, but the network tells {probabilities.shape[1]} apart: place the"
                " images of all classes, or imagenet_class_index.json beside them"
            )
        return np.stack([is_in_top(probabilities, labels[rows], k) for k in (1, 5)], axis=1)

    loaders = {network: partial(load_network, study, network) for network in networks}
    hits = classify_files(loaders, paths, study.network.image_size, decide, device=device)
    hits = np.stack(list(hits.values()), axis=1).astype(np.float64)  # (image, network, k)
    samples = resampled_sums(hits, study.inference) / len(hits)
    rows = []
    for k, metric in enumerate(("top1", "top5")):
        rows += measure_rows(networks, metric, hits[..., k].mean(axis=0), samples[..., k], study.inference)
    table = pd.DataFrame(rows).assign(dataset="imagenet", stimulus_set="validation")
    return table, f"{len(paths)} images of {n_classes} classes."


def readable(table, metrics):
    """Some measures as the chapter shows them: a row a kind of network and beta, its differences from the references.

    Means over the networks of a kind and beta, over people and conditions, with intervals as text beside the numbers.
    """
    rows = table[table.trained_on.isna() | table.trained_on.isin(("", "mean"))]
    if "condition" in rows.columns:
        rows = rows[(rows.condition == "mean") & (rows.subject.isna() | (rows.subject == "mean"))]
    found = []
    for row in rows[rows.metric.isin(metrics)].itertuples():
        line = {"measure": row.metric, "model": row.model, "beta": row.beta, "value": row.value,
                "interval": _interval(row)}  # fmt: skip
        same = (rows.metric == f"{row.metric}_difference") & (rows.model == row.model) & (rows.beta == row.beta)
        for difference in rows[same].itertuples():
            name = f"minus {difference.reference}"
            line |= {name: difference.value, f"{name}, interval": _interval(difference), f"{name}, p": difference.p}
        found.append(line)
    return pd.DataFrame(found)


def _interval(row):
    return f"{row.lower:.3f} to {row.upper:.3f}"


def measure_rows(networks, metric, found, samples, inference, **about):
    """Rows of one measure: every network, the mean of every kind and beta, and the differences from the references.

    Parameters
    ----------
    found : array (n_networks,)
    samples : array (n_bootstraps, n_networks)
        The same resamples for all networks, so that differences are paired.
    """
    kinds = {}
    for i, network in enumerate(networks):
        kinds.setdefault((network.model, network.beta), []).append(i)
    groups = [(network.columns, [i]) for i, network in enumerate(networks)]
    groups += [
        ({"model": model, "trained_on": "mean", "beta": beta}, members)
        for (model, beta), members in kinds.items()
        if networks[members[0]].subject
    ]
    rows = []
    for columns, members in groups:
        rows.append(_row(columns, metric, found[members].mean(), samples[:, members].mean(axis=1), inference, about))
        for reference in REFERENCES:
            partners = [_partner(networks, networks[i], reference) for i in members]
            if None in partners or networks[members[0]].model in ("cornet", reference):
                continue
            difference = (found[members] - found[partners]).mean()
            sampled = (samples[:, members] - samples[:, partners]).mean(axis=1)
            row = _row(columns, f"{metric}_difference", difference, sampled, inference, about)
            rows.append({**row, "reference": reference, "p": float(bootstrap_p(sampled, "two-sided"))})
    return rows


def _row(columns, metric, value, samples, inference, about):
    lower, upper = confidence_interval(samples, inference.level)
    return {**columns, **about, "metric": metric, "value": float(value), "lower": lower, "upper": upper}


def _partner(networks, network, reference):
    """Position of CORnet, or of the Control of the same subject and seed; None where a network has no such partner."""
    if not network.subject:
        return None
    same = (0, 0) if reference == "cornet" else (network.subject, network.seed)
    found = [i for i, n in enumerate(networks) if n.model == reference and (n.subject, n.seed) == same]
    return found[0] if found else None


def resampled_sums(values, inference):
    """Sums over images drawn with replacement: values (n_images, ...) -> (n_bootstraps, ...)."""
    rng, n = np.random.default_rng(inference.seed), len(values)
    flat = values.reshape(n, -1)
    sums = np.empty((inference.n_bootstraps, flat.shape[1]))
    for sample in sums:
        sample[:] = np.bincount(rng.integers(n, size=n), minlength=n) @ flat
    return sums.reshape(-1, *values.shape[1:])
