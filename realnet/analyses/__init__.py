"""What the analyses share: networks and references, resampled similarities, noise ceilings, and rows of tidy tables."""

import numpy as np
import pandas as pd

from realnet.rdm import count_stimuli
from realnet.similarity import compare_rdms, noise_ceiling
from realnet.statistics import bootstrap_similarities

KINDS = ("cornet", "control", "realnet", "shuffled", "shuffled_within")
REFERENCES = KINDS[:2]  # those of the paper; ReAlnet is compared with the other kinds as well
BEST, CROSSVALIDATED = "best", "cross-validated"  # ``layer``: chosen on the same images, or on other images


def kinds_of(networks):
    """The kinds of networks present, in the order of the figures."""
    return [kind for kind in KINDS if any(n.model == kind for n in networks)]


def comparisons(networks):
    """Pairs (model, reference): ReAlnet with each other kind, shuffled networks with CORnet and Control."""
    others = [kind for kind in kinds_of(networks) if kind != "realnet"]
    references, shuffled = ([k for k in others if (k in REFERENCES) == wanted] for wanted in (True, False))
    return [("realnet", kind) for kind in others] + [(kind, reference) for kind in shuffled for reference in references]


def training_subjects(networks):
    """Names of the subjects that networks are trained on, in the order of :func:`network_grid`: list of str."""
    return list({n.subject: n.trained_on for n in sorted(networks, key=lambda n: n.subject) if n.subject}.values())


def network_grid(networks, model, beta=None):
    """Positions of the networks of one kind: ints (n_subjects, n_seeds), subjects as the networks are trained on.

    CORnet (one network) and Control (one per seed) are repeated. ``beta``: that of the ReAlnets, if they have several.
    """
    aligned = [n for n in networks if n.model == "realnet" and beta in (None, n.beta)] or networks
    subjects = sorted({n.subject for n in aligned if n.subject})
    seeds = sorted({n.seed for n in aligned if n.subject})
    wanted = [i for i, n in enumerate(networks) if n.model == model and (beta in (None, n.beta) or not n.subject)]
    place = {(networks[i].subject, networks[i].seed): i for i in wanted}
    key = {"cornet": lambda subject, seed: (0, 0), "control": lambda subject, seed: (0, seed)}.get(model, lambda *k: k)
    return np.array([[place[key(subject, seed)] for seed in seeds] for subject in subjects])


def resampled_similarities(models, brains, inference):
    """Similarity of networks (network, layer, pair) with brains (..., pair): on all images, then on each resample.

    Returns
    -------
    array (1 + n_bootstraps, n_networks, n_layers, ...)
    n_images : int
    """
    found, n_pairs = compare_rdms(np.asarray(models), np.asarray(brains)), models.sizes["pair"]
    rdms = [array.values.reshape(-1, n_pairs) for array in (models, brains)]
    samples = bootstrap_similarities(*rdms, inference.n_bootstraps, inference.seed).reshape(-1, *found.shape)
    return np.concatenate([found[None], samples]), count_stimuli(n_pairs)


def effect_rows(effect, axes, **columns):
    """Rows (dict) of an `realnet.statistics.Effect` or (value, lower, upper): one per cell.

    ``axes``: dict column -> values along each axis of the arrays; ``columns``: the same in every row.
    """
    names = getattr(effect, "_fields", ("value", "lower", "upper"))
    rows = []
    for place in np.ndindex(np.shape(effect[0])):
        cell = {column: values[i] for (column, values), i in zip(axes.items(), place, strict=True)}
        rows.append({**columns, **cell, **{name: float(part[place]) for name, part in zip(names, effect, strict=True)}})
    return rows


def with_mean(values, axis):
    """The values, followed by their mean along an axis."""
    return np.concatenate([values, values.mean(axis=axis, keepdims=True)], axis=axis)


def tidy(array, networks, **columns):
    """A DataArray with the dimension ``network`` (stems) as a table with the columns that identify each network."""
    table = array.rename("value").to_dataframe()[["value"]].reset_index()
    about = pd.DataFrame([{"network": n.stem, **n.columns} for n in networks])
    return table.merge(about, on="network", validate="many_to_one").drop(columns="network").assign(**columns)


def ceilings_of(rdms, dim):
    """Noise ceilings of RDMs (subject, dim, pair): dict name -> (lower, upper), NaN for a single subject."""
    names = rdms[dim].values.tolist()
    if rdms.sizes["subject"] < 2:
        return dict.fromkeys(names, (np.nan, np.nan))
    return {name: noise_ceiling(rdms.sel({dim: name}).transpose("subject", "pair").values) for name in names}


def add_ceilings(table, column, ceilings):
    """Add ``ceiling_lower`` and ``ceiling_upper`` from a dict value of ``column`` -> (lower, upper)."""
    lower, upper = (table[column].map(lambda key, end=end: ceilings[key][end]) for end in (0, 1))
    return table.assign(ceiling_lower=lower, ceiling_upper=upper)
