"""Chapter 07: accuracy, and consistency with people's errors, of every network at every beta (supplement S1).

Rows with ``metric`` ``top1``, ``top5``, ``accuracy16`` and ``kappa`` are measures; rows with ``top1_difference`` and so
on compare two networks (column ``reference``, two-sided ``p``). ``lower`` and ``upper`` are from a bootstrap over
images, with the same draws for all networks. ``trained_on`` ``mean``: mean over the networks of one kind and beta.
"""

import os
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from realnet.analyses import REFERENCES
from realnet.backbones import EfficientNetLite0
from realnet.behavior import category_decisions, classify_files, error_consistency, find_validation_images, is_in_top
from realnet.datasets import geirhos2021
from realnet.datasets.files import real_folder
from realnet.errors import InvalidInput, MissingInput
from realnet.io import empty_table
from realnet.networks import load_network
from realnet.settings import Network
from realnet.statistics import bootstrap_p, confidence_interval

CEILINGS = ["ceiling", "ceiling_lower", "ceiling_upper"]


def accuracy_table(study, networks, device="auto"):
    """Top-1 and top-5 accuracy on the images of ``imagenet/val``, which are simulated in a simulated study.

    Returns
    -------
    DataFrame, str: the table, empty without such images, and a sentence on what was measured or is missing
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
    samples = resampled_sums(hits, study.inference) / len(hits)
    rows = []
    for k, metric in enumerate(("top1", "top5")):
        rows += measure_rows(networks, metric, hits[..., k].mean(axis=0), samples[..., k], study.inference)
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
    accuracy, kappa = _rates_and_kappas(values.sum(axis=0), len(correct))
    accuracies, kappas = _rates_and_kappas(resampled_sums(values, inference), len(correct))
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
    found, samples, about = accuracy[:, :n].mean(0), accuracies[:, :, :n].mean(1), {"condition": "mean"}
    rows += measure_rows(networks, "accuracy16", found, samples, inference, about)
    found, samples, about = kappa[:, :n].mean((0, 2)), kappas[:, :, :n].mean((1, 3)), about | {"subject": "mean"}
    rows += measure_rows(networks, "kappa", found, samples, inference, about)
    ceilings = _ceilings(kappa[:, n:], kappas[:, :, n:], [*conditions, "mean"], inference.level)
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


def _ceilings(kappa, kappas, conditions, level):
    """Mean kappa over pairs of people and its interval, by condition, from (condition, p, p) and the resampled ones."""
    first, second = np.triu_indices(kappa.shape[-1], k=1)
    if not len(first):
        return pd.DataFrame(np.nan, index=conditions, columns=CEILINGS)
    found, samples = (values[..., first, second].mean(axis=-1) for values in (kappa[None], kappas))
    found, samples = (np.column_stack([values, values.mean(axis=1)]) for values in (found, samples))
    return pd.DataFrame(dict(zip(CEILINGS, (found[0], *confidence_interval(samples, level)), strict=True)), conditions)


def measure_rows(networks, metric, found, samples, inference, about=None):
    """Rows (dict) of one measure: every network, the mean of every kind and beta, and differences from the references.

    ``found`` (n_networks,); ``samples`` (n_bootstraps, n_networks), paired over networks; ``about``: further columns.
    """

    def row(columns, metric, value, sampled):
        lower, upper = confidence_interval(sampled, inference.level)
        return {**columns, **(about or {}), "metric": metric, "value": float(value), "lower": lower, "upper": upper}

    position = {network: i for i, network in enumerate(networks)}
    groups = [(network.columns, [network]) for network in networks]
    for model, beta in dict.fromkeys((n.model, n.beta) for n in networks if n.subject):
        group = [n for n in networks if n.subject and (n.model, n.beta) == (model, beta)]
        groups.append(({"model": model, "trained_on": "mean", "beta": beta}, group))
    rows = []
    for columns, group in groups:
        i = [position[network] for network in group]
        rows.append(row(columns, metric, found[i].mean(), samples[:, i].mean(axis=1)))
        for reference in REFERENCES:
            j = [position.get(_partner(network, reference)) for network in group]
            if None not in j:
                difference, sampled = (found[i] - found[j]).mean(), (samples[:, i] - samples[:, j]).mean(axis=1)
                about_it = {"reference": reference, "p": float(bootstrap_p(sampled, "two-sided"))}
                rows.append(row(columns, f"{metric}_difference", difference, sampled) | about_it)
    return rows


def _partner(network, reference):
    """CORnet, or the Control of the same subject and seed; None for a network that is not compared with it."""
    if not network.subject or network.model == reference:
        return None
    return Network("cornet", 0, 0, 0) if reference == "cornet" else network._replace(model=reference, beta=0)


def resampled_sums(values, inference):
    """Sums over images drawn with replacement: values (n_images, ...) -> (n_bootstraps, ...)."""
    rng, n = np.random.default_rng(inference.seed), len(values)
    counts = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(inference.n_bootstraps))
    return np.stack([count @ values.reshape(n, -1) for count in counts]).reshape(-1, *values.shape[1:])


def readable(table, metrics):
    """Some measures as the chapter shows them: one row per kind of network and beta, its differences beside it.

    Means over the networks of a kind and beta, over people and conditions; intervals are text.
    """
    rows = table[table.trained_on.isna() | table.trained_on.isin(("", "mean"))]
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
