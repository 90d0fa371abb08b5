"""Chapter 07: which trials people and networks get right, and whether they err on the same ones (supplement S1)."""

import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from realnet import provenance
from realnet.analyses.behavior import measure_rows, resampled_sums
from realnet.backbones import EfficientNetLite0
from realnet.behavior import category_decisions, classify_files, consistency_of_rates
from realnet.datasets import geirhos2021
from realnet.datasets.files import real_folder
from realnet.errors import InvalidInput, MissingInput
from realnet.networks import load_network
from realnet.settings import Network
from realnet.statistics import confidence_interval


class Experiment(NamedTuple):
    """What some people called some pictures: ``trials`` (condition, stimulus, category, path), one row a picture and
    condition; ``people`` ``simulated`` or ``real``; ``subjects`` names; ``correct`` bool (n_subjects, n_trials);
    ``others`` networks whose decisions were published, name -> bool (n_trials,); ``categories`` name -> classes;
    ``files`` and folders that all this was read from."""

    name: str
    people: str
    trials: pd.DataFrame
    subjects: list
    correct: np.ndarray
    others: dict
    categories: dict
    files: list


def find_experiments(study):
    """The experiments with people that are at hand, and sentences on what is missing.

    The simulated ones lie in the study's world; the published ones below ``REALNET_DATA``, else below ``geirhos2021``
    in the study's raw folder or in ``data/raw``. One that is damaged or lacks something is left out with a sentence.

    Returns
    -------
    (list of Experiment, list of str)
    """
    places = [(Path(os.environ.get("REALNET_DATA", real_folder(study, "geirhos2021"))), "real")]
    if study.simulated:
        places.insert(0, (study.raw_folder("geirhos2021"), "simulated"))
    experiments, sentences = [], []
    for root, people in places:
        try:
            names = geirhos2021.find_experiments(root)
        except MissingInput as error:
            sentences.append(f"The experiments with {people} people were left out: {error}.")
            continue
        for name in names:
            try:
                experiments.append(read_experiment(root, people, name))
            except (InvalidInput, MissingInput) as error:  # does not cost a study of days the others
                sentences.append(f"The experiment {name} with {people} people was left out: {error}.")
    return experiments, sentences


def read_experiment(root, people, name):
    """One experiment below a folder; raises what :mod:`realnet.datasets.geirhos2021` raises."""
    table = geirhos2021.load(root, name)
    trials = table[["experiment", "condition", "stimulus", "category", "imagename"]]
    trials = trials.drop_duplicates(["condition", "stimulus"])
    trials = trials.sort_values(["condition", "stimulus"], ignore_index=True)
    keys = pd.MultiIndex.from_frame(trials[["condition", "stimulus"]])
    right = {
        subject: part.set_index(["condition", "stimulus"]).correct.reindex(keys)
        for subject, part in table.groupby("subject")
    }
    if incomplete := [subject for subject, values in right.items() if values.isna().any()]:
        raise InvalidInput(
            f"{root}: {incomplete[0]} decided on {right[incomplete[0]].notna().sum()} of {len(trials)} pictures of"
            f" {name}, but error consistency needs the same for all: get the file again, or leave it out"
        )
    subjects = sorted(table.subject[table.person].unique())
    if not subjects:
        raise MissingInput(f"{root}: {name} has decisions of networks, but of no person; see data/README.md")
    paths = geirhos2021.find_images(root, trials)
    categories = geirhos2021.load_categories(root, set(trials.category))
    right = {subject: values.to_numpy(dtype=bool) for subject, values in right.items()}
    correct = np.stack([right.pop(subject) for subject in subjects])
    files = [*geirhos2021.find_decisions(root), *sorted({path.parent for path in paths})]
    trials = trials.drop(columns="experiment").assign(path=paths)
    return Experiment(name, people, trials, subjects, correct, right, categories, files)


def decide_trials(study, experiment, networks, device="auto"):
    """Which trials of an experiment the networks get right: dict Network -> bool (n_trials,).

    The study's own networks where the people are of the study's kind; EfficientNet-Lite0 where pictures are real. The
    networks whose decisions were published join as they are.
    """
    trials, right = experiment.trials, {}
    simulated = experiment.people == "simulated"
    provenance.note(study, *([study.raw_folder("simulation.json")] if simulated else experiment.files))

    def decide(probabilities, rows):
        return category_decisions(probabilities, experiment.categories) == trials.category.to_numpy()[rows]

    paths = list(trials.path)
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
    right : dict Network -> bool (n_trials,)
        From :func:`decide_trials`.

    Returns
    -------
    DataFrame
        ``metric`` ``accuracy16`` and ``kappa``; ``subject`` is the person compared with, ``condition`` that of the
        pictures, each also ``mean``. ``model`` ``human``: each person with the mean of the others. ``ceiling`` is the
        mean kappa over pairs of people, ``ceiling_lower`` and ``ceiling_upper`` its interval.
    """
    inference, networks, subjects = study.inference, list(right), experiment.subjects
    correct = np.stack([*right.values(), *experiment.correct])  # networks, then people
    conditions, values = _by_picture(experiment.trials, correct, len(subjects))
    found = _rates_and_kappas(values.sum(axis=0)[None], len(correct))
    sampled = _rates_and_kappas(resampled_sums(values, inference), len(correct))
    (accuracy, kappa), (accuracy_samples, kappa_samples) = [part[0] for part in found], sampled
    n = len(networks)
    ceilings = _ceilings(kappa[None, :, n:], kappa_samples[:, :, n:], conditions, inference.level)
    others = np.where(np.eye(len(subjects), dtype=bool), np.nan, kappa[:, n:])  # (condition, person, other person)
    rows = []
    for c, condition in enumerate(conditions):
        at = {"condition": condition}
        for i, network in enumerate(networks):
            about = {**network.columns, **at}
            rows.append({**about, "metric": "accuracy16", "value": accuracy[c, i]})
            rows += [
                {**about, "metric": "kappa", "subject": subject, "value": kappa[c, i, s]}
                for s, subject in enumerate(subjects)
            ]
        for s, subject in enumerate(subjects):
            about = {"model": "human", "subject": subject, **at}
            rows.append({**about, "metric": "accuracy16", "value": accuracy[c, n + s]})
            if len(subjects) > 1:
                rows.append({**about, "metric": "kappa", "value": np.nanmean(others[c, s])})
    mean = {"condition": "mean"}
    # conditions weigh alike, as in the original, and then people
    rows += measure_rows(networks, "accuracy16", accuracy[:, :n].mean(0), accuracy_samples[:, :, :n].mean(1), inference,
                         **mean)  # fmt: skip
    rows += measure_rows(networks, "kappa", kappa[:, :n].mean((0, 2)), kappa_samples[:, :, :n].mean((1, 3)), inference,
                         **mean, subject="mean")  # fmt: skip
    ceiling = ceilings["mean"]
    rows.append({"model": "human", "subject": "mean", **mean, "metric": "kappa",
                 **dict(zip(("value", "lower", "upper"), ceiling, strict=True))})  # fmt: skip
    table = pd.DataFrame(rows).assign(dataset="geirhos2021", stimulus_set=experiment.name, people=experiment.people)
    for i, name in enumerate(("ceiling", "ceiling_lower", "ceiling_upper")):
        values = table.condition.map({condition: numbers[i] for condition, numbers in ceilings.items()})
        table[name] = values.where(table.metric == "kappa")
    return table


def _by_picture(trials, correct, n_people):
    """Trials as (n_pictures, n_conditions, 1 + n + n x n_people): shown, right, and right together with each person.

    A picture that is shown in several conditions is one picture, which a resample draws or does not.
    """
    pictures, p = np.unique(trials.stimulus.to_numpy(), return_inverse=True)
    conditions, c = np.unique(trials.condition.to_numpy(), return_inverse=True)
    people = correct[-n_people:]
    together = (correct[:, None] & people).reshape(-1, len(trials))
    columns = np.concatenate([np.ones((1, len(trials))), correct, together])
    values = np.zeros((len(pictures), len(conditions), len(columns)))
    values[p, c] = columns.T
    return conditions.tolist(), values


def _rates_and_kappas(sums, n):
    """From sums (..., n_conditions, columns of :func:`_by_picture`): accuracies (..., n), kappas (..., n, n_people)."""
    rates = sums[..., 1:] / sums[..., :1]
    right, together = rates[..., :n], rates[..., n:].reshape(*rates.shape[:-1], n, -1)
    n_people = together.shape[-1]
    return right, consistency_of_rates(right[..., :, None], right[..., None, n - n_people :], together)


def _ceilings(found, samples, conditions, level):
    """Condition -> mean kappa over pairs of people, and its interval; from (1 or n_bootstraps, condition, p, p)."""
    first, second = np.triu_indices(found.shape[-1], k=1)
    if not len(first):
        return dict.fromkeys([*conditions, "mean"], (np.nan,) * 3)
    found, samples = (values[..., first, second].mean(axis=-1) for values in (found, samples))
    found, samples = (np.column_stack([values, values.mean(axis=1)]) for values in (found, samples))
    lower, upper = confidence_interval(samples, level)
    return {name: (found[0, i], lower[i], upper[i]) for i, name in enumerate([*conditions, "mean"])}
