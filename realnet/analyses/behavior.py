"""Chapter 07: accuracy, and consistency with people's errors, of every network at every beta (supplement S1).

Rows with ``metric`` ``top1``, ``top5``, ``accuracy16`` and ``kappa`` are measures; rows with ``top1_difference`` and so
on compare two kinds of networks (column ``reference``). ``trained_on`` ``mean``: mean over the networks of one kind and
beta, with intervals over images, subjects and seeds; those of single networks are over images alone.
"""

import os
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from realnet.analyses import REFERENCES, effect_rows, kinds_of, network_grid
from realnet.backbones import EfficientNetLite0
from realnet.behavior import category_decisions, classify_files, error_consistency, find_validation_images, is_in_top
from realnet.datasets import geirhos2021
from realnet.datasets.files import real_folder
from realnet.errors import InvalidInput, MissingInput
from realnet.io import empty_table
from realnet.networks import load_network
from realnet.settings import Network
from realnet.statistics import generalise

CEILINGS = ["ceiling", "ceiling_lower", "ceiling_upper"]


def accuracy_table(study, networks, device="auto"):
    """Top-1 and top-5 accuracy on the images of ``imagenet/val``, which are simulated in a simulated study.

    Returns a DataFrame, str: the table, empty without such images, and a sentence on what was measured or is missing
    """
    folder = study.raw_folder("imagenet") / "val"
    try:
        paths, labels, n_classes = find_validation_images(folder)
    except MissingInput as error:
        return empty_table(), f"Accuracy was left out: {error}."

    def decide(probabilities, rows):
        if (n := probabilities.shape[1]) != n_classes:
            raise InvalidInput(f"{folder} has {n_classes} classes, but the network {n}: add the images of all classes")
        return np.stack([is_in_top(probabilities, labels[rows], k) for k in (1, 5)], axis=1)

    loaders = {network: partial(load_network, study, network) for network in networks}
    hits = classify_files(loaders, paths, study.network.image_size, decide, device=device)
    hits = np.stack(list(hits.values()), axis=1).astype(np.float64)  # (image, network, k)
    shares, rows = resampled_sums(hits, study.inference) / len(hits), []
    for k, metric in enumerate(("top1", "top5")):
        rows += measure_rows(networks, metric, shares[..., k], len(hits), study.inference)
    table = pd.DataFrame(rows).assign(dataset="imagenet", stimulus_set="validation")
    return table, f"{len(paths)} images of {n_classes} classes."


class Experiment(NamedTuple):
    """Decisions of people on images; ``people`` is ``simulated`` or ``real``, ``others`` are networks as published."""

    name: str
    people: str
    trials: pd.DataFrame  # condition, stimulus, category, path: one row per image and condition
    subjects: list
    correct: np.ndarray  # bool (n_subjects, n_trials)
    others: dict  # name -> bool (n_trials,)
    categories: dict  # name -> class indices


def find_experiments(study):
    """The experiments that are at hand, and sentences on what is missing: (list of Experiment, list of str).

    Those with real people lie below ``REALNET_DATA``, else below ``geirhos2021`` in the study's raw folder or in
    ``data/raw``. Damaged or incomplete ones are left out with a sentence.
    """
    places = [(os.environ.get("REALNET_DATA", real_folder(study, "geirhos2021")), "real")]
    if study.simulated:
        places.insert(0, (study.raw_folder("geirhos2021"), "simulated"))
    experiments, sentences = [], []
    for root, people in places:
        try:
            for name in geirhos2021.find_experiments(root):
                try:
                    experiments.append(read_experiment(root, people, name))
                except (InvalidInput, MissingInput) as error:
                    sentences.append(f"The experiment {name} with {people} people was left out: {error}.")
        except MissingInput as error:
            sentences.append(f"The experiments with {people} people were left out: {error}.")
    return experiments, sentences


def read_experiment(root, people, name):
    """One experiment below a folder: :class:`Experiment`, trials sorted by condition and stimulus."""
    table = geirhos2021.load(root, name)
    correct = table.pivot(index=["condition", "stimulus"], columns="subject", values="correct").sort_index()
    for subject in correct.columns[correct.isna().any()][:1]:
        n = f"{correct[subject].notna().sum()} of {len(correct)} images of {name}"
        raise InvalidInput(f"{root}: {subject} decided on {n}, but all must decide on the same: get the file again")
    if not (subjects := sorted(table.subject[table.person].unique())):
        raise MissingInput(f"{root}: {name} has decisions of networks, but of no person; see data/README.md")
    trials = table.drop_duplicates(["condition", "stimulus"]).sort_values(["condition", "stimulus"], ignore_index=True)
    trials = trials.assign(path=geirhos2021.find_images(root, trials))[["condition", "stimulus", "category", "path"]]
    right = {subject: values.to_numpy(dtype=bool) for subject, values in correct.items()}
    of_people = np.stack([right.pop(subject) for subject in subjects])
    categories = geirhos2021.load_categories(root, set(trials.category))
    return Experiment(name, people, trials, subjects, of_people, right, categories)


def decide_trials(study, experiment, networks, device="auto"):
    """Which trials of an experiment the networks get right: dict Network -> bool (n_trials,).

    The study's networks decide where the people are simulated as the study is, or both are real; EfficientNet-Lite0
    decides on real images; decisions of networks that were published with those of the people are added.
    """
    simulated = experiment.people == "simulated"
    categories, paths = experiment.trials.category.to_numpy(), list(experiment.trials.path)

    def decide(probabilities, rows):
        return category_decisions(probabilities, experiment.categories) == categories[rows]

    right = {}
    if simulated == bool(study.simulated):
        loaders = {network: partial(load_network, study, network) for network in networks}
        right |= classify_files(loaders, paths, study.network.image_size, decide, device=device)
    if not simulated:
        loaders = {Network("efficientnet-lite0", 0, 0, 0): EfficientNetLite0}
        right |= classify_files(loaders, paths, 224, decide, device=device)
    return right | {Network(name, 0, 0, 0): values for name, values in experiment.others.items()}


def consistency_table(study, experiment, right):
    """Accuracy among the 16 categories, and error consistency with every person in every condition.

    Parameters
    ----------
    study, experiment : Study, Experiment
    right : dict Network -> bool (n_trials,), from :func:`decide_trials`

    Returns
    -------
    DataFrame
        ``subject`` (the person compared with) and ``condition`` are also ``mean``; ``model`` ``human`` is each person
        with the mean of the others; ``ceiling`` is the mean kappa over pairs of people, with its interval.
    """
    inference, networks, subjects, n = study.inference, list(right), experiment.subjects, len(right)
    correct = np.stack([*right.values(), *experiment.correct])  # networks, then people
    conditions, values = _by_image(experiment.trials, correct, len(subjects))
    accuracies, kappas = _rates_and_kappas(resampled_sums(values, inference), len(correct))
    accuracy, kappa = accuracies[0], kappas[0]
    makers = [network.columns for network in networks] + [{"model": "human", "subject": name} for name in subjects]
    rows = []
    for (c, condition), (i, maker) in product(enumerate(conditions), enumerate(makers)):
        about = {**maker, "condition": condition}
        rows.append({**about, "metric": "accuracy16", "value": accuracy[c, i]})
        if i < n:
            pairs = zip(subjects, kappa[c, i], strict=True)
            rows += [{**about, "metric": "kappa", "subject": subject, "value": value} for subject, value in pairs]
        elif len(subjects) > 1:
            others = np.where(np.arange(len(subjects)) == i - n, np.nan, kappa[c, i])
            rows.append({**about, "metric": "kappa", "value": np.nanmean(others)})
    # conditions weigh alike, as in the original, and then people
    about = {"condition": "mean"}
    rows += measure_rows(networks, "accuracy16", accuracies[:, :, :n].mean(1), len(values), inference, about)
    about |= {"subject": "mean"}
    rows += measure_rows(networks, "kappa", kappas[:, :, :n].mean((1, 3)), len(values), inference, about)
    ceilings = _ceilings(kappas[:, :, n:], [*conditions, "mean"], inference.level)
    ceiling = dict(zip(("value", "lower", "upper"), ceilings.loc["mean"], strict=True))
    rows.append({"model": "human", **about, "metric": "kappa", **ceiling})
    table = pd.DataFrame(rows).assign(dataset="geirhos2021", stimulus_set=experiment.name, people=experiment.people)
    for name in CEILINGS:
        table[name] = table.condition.map(ceilings[name]).where(table.metric == "kappa")
    return table


def _by_image(trials, correct, n_people):
    """Trials as (n_images, n_conditions, 1 + n + n x n_people): shown, right, and right together with each person."""
    # an image that is shown in several conditions is one image, which a resample draws or does not
    images, i = np.unique(trials.stimulus.to_numpy(), return_inverse=True)
    conditions, c = np.unique(trials.condition.to_numpy(), return_inverse=True)
    together = (correct[:, None] & correct[-n_people:]).reshape(-1, len(trials))
    columns = np.concatenate([np.ones((1, len(trials))), correct, together])
    values = np.zeros((len(images), len(conditions), len(columns)))
    values[i, c] = columns.T
    return conditions.tolist(), values


def _rates_and_kappas(sums, n):
    """From sums (..., n_conditions, columns of :func:`_by_image`): accuracies (..., n), kappas (..., n, n_people)."""
    rates = sums[..., 1:] / sums[..., :1]
    right, together = rates[..., :n], rates[..., n:].reshape(*rates.shape[:-1], n, -1)
    people = right[..., None, n - together.shape[-1] :]
    return right, error_consistency(right[..., :, None], people, together)


def _ceilings(kappas, conditions, level):
    """Mean kappa over pairs of people and its interval by condition, from (1 + n_bootstraps, condition, p, p)."""
    first, second = np.triu_indices(kappas.shape[-1], k=1)
    if not len(first):
        return pd.DataFrame(np.nan, index=conditions, columns=CEILINGS)
    values = kappas[..., first, second].mean(axis=-1)
    values = np.column_stack([values, values.mean(axis=1)])
    lower, upper = np.nanquantile(values[1:], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame(dict(zip(CEILINGS, (values[0], lower, upper), strict=True)), conditions)


def measure_rows(networks, metric, values, n_images, inference, about=None):
    """Rows (dict) of one measure: every network, the mean of every kind and beta, and its differences from references.

    ``values`` (1 + n_bootstraps, n_networks): on all images, then on resampled ones; ``about``: further columns.
    """
    options, about, rows = {"n_images": n_images, "level": inference.level}, about or {}, []
    for i, network in enumerate(networks):
        interval = generalise(values[:, i], n_factors=0, **options)[:3]
        rows += effect_rows(interval, {}, **network.columns, **about, metric=metric)
    aligned = [n for n in networks if n.model == "control" or n.subject] if any(n.subject for n in networks) else []
    references = [kind for kind in kinds_of(networks) if kind in REFERENCES]
    for model, beta in dict.fromkeys((n.model, n.beta) for n in aligned):
        kinds = {kind: network_grid(networks, kind, beta or None) for kind in dict.fromkeys((model, *references))}
        group = {"model": model, "trained_on": "mean", "beta": beta, **about}
        rows += effect_rows(generalise(values[:, kinds[model]], **options)[:3], {}, **group, metric=metric)
        for reference in references:
            if reference != model:
                difference = values[:, kinds[model]] - values[:, kinds[reference]]
                group |= {"reference": reference, "metric": f"{metric}_difference"}
                rows += effect_rows(generalise(difference, **options), {}, **group)
    return rows


def resampled_sums(values, inference):
    """Sums over all images, then over images drawn with replacement: (n_images, ...) -> (1 + n_bootstraps, ...)."""
    rng, n = np.random.default_rng(inference.seed), len(values)
    counts = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(inference.n_bootstraps))
    sums = [count @ values.reshape(n, -1) for count in (np.ones(n), *counts)]
    return np.stack(sums).reshape(-1, *values.shape[1:])


def readable(table, metrics):
    """Some measures as the chapter shows them: one row per kind of network and beta, its differences beside it.

    Means over the networks of a kind and beta, over people and conditions; intervals are text.
    """
    averaged = table.model.isin(table.model[table.trained_on == "mean"])
    rows = table[(table.trained_on == "mean") | ~averaged]
    if "condition" in rows.columns:
        rows = rows[(rows.condition == "mean") & (rows.subject.isna() | (rows.subject == "mean"))]
    rows = rows.assign(interval=[f"{row.lower:.3f} to {row.upper:.3f}" for row in rows.itertuples()])
    found = []
    for row in rows[rows.metric.isin(metrics)].itertuples():
        line = {"measure": row.metric} | {key: getattr(row, key) for key in ("model", "beta", "value", "interval")}
        same = (rows.metric == f"{row.metric}_difference") & (rows.model == row.model) & (rows.beta == row.beta)
        for other in rows[same].itertuples():
            name = f"minus {other.reference}"
            line |= {name: other.value, f"{name}, interval": other.interval, f"{name}, p": other.p}
        found.append(line)
    return pd.DataFrame(found)
