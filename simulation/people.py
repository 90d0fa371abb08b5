"""Simulated people who name pictures, as files in the layout of Geirhos et al. (2021), with planted shared errors."""

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from realnet.datasets.geirhos2021 import COLUMNS, NO_RESPONSE
from realnet.io import whole_file
from simulation.images import DIMENSIONS
from simulation.responses import DIMENSION_WEIGHTS
from simulation.stimuli import JITTER, generator

EXPERIMENT, TAG = "simulated-noise", "sim"
N_PEOPLE, N_EACH = 8, 16  # people, and pictures of each category that every one of them sees in every condition

#: The 16 categories halve the network's classes four times, at the median of these dimensions.
HALVES = {
    "hue": ("warm", "cool"),
    "spikiness": ("round", "spiky"),
    "texture frequency": ("broad", "fine"),
    "elongation": ("short", "long"),
}


class Condition(NamedTuple):
    """How pictures are shown, and how well people see them.

    ``contrast`` (factor) and ``noise`` (half width of uniform noise, of 0..1) change the pixels; ``sd`` is the standard
    deviation of the noise of a person's evidence on a dimension of weight 1.
    """

    contrast: float
    noise: float
    sd: float


#: Named by the width of the noise, as in the published experiment with uniform noise.
CONDITIONS = {"0.0": Condition(1.0, 0.0, 0.4), "0.03": Condition(0.8, 0.03, 0.5)}

SHARED = 0.6  # planted: share of that noise's variance that all people have in common, picture by picture
LAPSES = 0.03  # planted: share of trials answered at random
UNANSWERED = 0.01  # planted: share of trials without an answer


def planted():
    """What was planted: a row per condition, with ``contrast noise evidence_sd shared lapses unanswered``."""
    rows = [{"condition": name, "contrast": c.contrast, "noise": c.noise, "evidence_sd": c.sd, "shared": SHARED,
             "lapses": LAPSES, "unanswered": UNANSWERED} for name, c in CONDITIONS.items()]  # fmt: skip
    return pd.DataFrame(rows)


def people_files(catalogue, seed):
    """Every file of the experiment: yields (path below the world's folder, uint8 picture or text)."""
    folder = "geirhos2021"
    centres = _class_centres(catalogue)
    category = make_categories(centres)
    yield f"{folder}/sixteen_class_mapping.json", _mapping(category, catalogue.classes)
    shown = _shown(category[catalogue.held_out.category], seed)
    trials = pd.DataFrame(list(product(CONDITIONS, shown)), columns=["condition", "row"])
    trials["category"] = category[catalogue.held_out.category[trials.row]]
    trials["name"] = np.array(catalogue.held_out.names)[trials.row]
    for i, trial in enumerate(trials.itertuples()):
        rng = generator(seed, "people", "pixels", trial.condition, trial.name)
        picture = show(catalogue.held_out.pictures[trial.row], CONDITIONS[trial.condition], rng)
        yield f"{folder}/{EXPERIMENT}/dnn/{_image_name(i, 'dnn', trial)}", picture
    dimensions = catalogue.held_out.dimensions[trials.row]
    for person in range(1, N_PEOPLE + 1):
        answers = decide(dimensions, trials.condition.to_numpy(), centres, category, seed, person)
        name = f"{EXPERIMENT}_subject-{person:02d}_session_1.csv"
        yield f"{folder}/{EXPERIMENT}/raw-data/{name}", _decisions(trials, answers, seed, person)


def write_file(path, content):
    """A picture as PNG, or text, whole or not at all."""
    with whole_file(path) as temporary:
        if isinstance(content, str):
            temporary.write_text(content, encoding="utf-8")
        else:
            Image.fromarray(content).save(temporary, format="PNG")


def make_categories(centres):
    """The category of every class: centres (n_classes, 8) -> array of str (n_classes,).

    Halves of equal size within halves, so that few classes still fill as many of the 16 categories as they can.
    """
    groups = [([], np.arange(len(centres)))]
    for dimension, words in HALVES.items():
        values = centres[:, DIMENSIONS.index(dimension)]
        split = []
        for name, members in groups:
            members = members[np.argsort(values[members], kind="stable")]
            for word, half in zip(words, np.array_split(members, 2), strict=True):
                split.append(([*name, word], half))
        groups = split
    category = np.empty(len(centres), dtype=object)
    for name, members in groups:
        category[members] = "-".join(name)
    return category.astype(str)


def show(picture, condition, rng):
    """One picture as a condition shows it: uint8 (size, size, 3) -> the same, contrast lowered and noise added.

    As in the published experiment, contrast is lowered around mid-grey before noise is added, the same to R, G and B.
    """
    if condition.contrast == 1 and condition.noise == 0:
        return picture
    grey = rng.uniform(-condition.noise, condition.noise, (*picture.shape[:2], 1))
    shown = 0.5 + condition.contrast * (picture / 255 - 0.5) + grey
    return np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)


def decide(dimensions, condition, centres, category, seed, person):
    """The answers of one person, array of str (n_trials,).

    A person sees the dimensions of the picture in noise, part of which everybody shares (:data:`SHARED`): whatever it
    is that makes a picture look like another thing does so to all. Dimensions that drive the simulated brains more are
    seen with less noise. The answer is the category of the nearest class, each dimension weighed by its precision.

    Parameters
    ----------
    dimensions : (n_trials, 8)
    condition : array of str (n_trials,)
    centres : (n_classes, 8)
    category : array of str (n_classes,)
    person : int
        From 1.
    """
    sd = np.array([CONDITIONS[name].sd for name in condition])[:, None]
    sd = sd / np.array([DIMENSION_WEIGHTS[name] for name in DIMENSIONS])
    shared = generator(seed, "people", "shared").standard_normal(dimensions.shape)
    rng = generator(seed, "people", person)
    own = rng.standard_normal(dimensions.shape)
    seen = dimensions + sd * (np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own)
    precision = 1 / (sd**2 + JITTER**2)
    distance = ((seen[:, None] - centres) ** 2 * precision[:, None]).sum(axis=2)
    answers = category[distance.argmin(axis=1)].astype(object)
    lapse, unanswered = rng.random((2, len(answers)))
    guesses = rng.choice(np.unique(category), len(answers))
    answers[lapse < LAPSES] = guesses[lapse < LAPSES]
    answers[unanswered < UNANSWERED] = NO_RESPONSE
    return answers.astype(str)


def _class_centres(catalogue):
    """Mean dimensions of the pictures of every class, (n_classes, 8)."""
    sets = catalogue.pretraining, catalogue.held_out
    dimensions, labels = (np.concatenate([getattr(s, name) for s in sets]) for name in ("dimensions", "category"))
    return np.stack([dimensions[labels == i].mean(axis=0) for i in range(len(catalogue.classes))])


def _shown(category, seed):
    """Which held-out pictures are shown, :data:`N_EACH` of every category where there are so many."""
    rng = generator(seed, "people", "pictures")
    rows = [rng.permutation(np.flatnonzero(category == name))[:N_EACH] for name in np.unique(category)]
    return np.sort(np.concatenate(rows))


def _mapping(category, classes):
    """The classes of every category, in the layout of the file that is derived from the published one."""
    members = {name: np.flatnonzero(category == name).tolist() for name in np.unique(category).tolist()}
    content = {name: {"imagenet_indices": i, "wnids": [classes[j] for j in i]} for name, i in members.items()}
    return json.dumps(content, indent=1)


def _image_name(i, shown_to, trial):
    """``0001_sim_s01_0.0_warm-round-fine-long_00_ILSVRC2012_val_00000017.png``."""
    return f"{i + 1:04d}_{TAG}_{shown_to}_{trial.condition}_{trial.category}_00_{Path(trial.name).stem}.png"


def _decisions(trials, answers, seed, person):
    """The published CSV of one person, trials in an order of their own."""
    rng = generator(seed, "people", person, "order")
    order = rng.permutation(len(trials))
    seconds = 0.6 * np.exp(0.3 * rng.standard_normal(len(trials)))
    lines = [",".join(COLUMNS)]
    for i, trial in enumerate(trials.iloc[order].itertuples()):
        answer = answers[order[i]]
        rt = "NaN" if answer == NO_RESPONSE else f"{seconds[i]:.6f}"
        name = _image_name(i, f"s{person:02d}", trial)
        lines.append(f"subject-{person:02d},1,{i + 1},{rt},{answer},{trial.category},{trial.condition},{name}")
    return "\n".join(lines) + "\n"
