"""Simulated participants who classify images, in the layout of Geirhos et al. (2021), with planted shared errors."""

import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from realnet.datasets.geirhos2021 import COLUMNS, NO_RESPONSE
from simulation.images import DIMENSIONS
from simulation.responses import DIMENSION_WEIGHTS
from simulation.stimuli import JITTER, generator

EXPERIMENT, TAG = "simulated-noise", "sim"
N_PARTICIPANTS = 8
N_EACH = 16  # images per category, at most; every participant sees all of them in both conditions

#: The 16 categories come from halving the network's classes four times, at the median of these dimensions.
HALVES = {
    "hue": ("warm", "cool"),
    "spikiness": ("round", "spiky"),
    "texture frequency": ("broad", "fine"),
    "elongation": ("short", "long"),
}


class Condition(NamedTuple):
    """How images are shown, and how well participants see them."""

    contrast: float  # factor
    noise: float  # half width of the uniform noise, for pixels in 0..1
    sd: float  # of the noise in a participant's evidence on a dimension of weight 1


#: Named after the width of the noise, as in the published experiment with uniform noise.
CONDITIONS = {"0.0": Condition(1.0, 0.0, 0.4), "0.03": Condition(0.8, 0.03, 0.5)}

SHARED = 0.6  # planted: share of the variance of that noise that all participants have in common for an image
LAPSES = 0.03  # planted: share of trials answered at random
UNANSWERED = 0.01  # planted: share of trials without an answer


def planted():
    """What is planted in the behaviour: DataFrame ``condition contrast noise evidence_sd shared lapses unanswered``."""
    rows = [{"condition": name, "contrast": c.contrast, "noise": c.noise, "evidence_sd": c.sd, "shared": SHARED,
             "lapses": LAPSES, "unanswered": UNANSWERED} for name, c in CONDITIONS.items()]  # fmt: skip
    return pd.DataFrame(rows)


def behavior_files(catalogue, seed):
    """Yield (path below the folder of the simulation, uint8 image or text) of every file of the experiment."""
    folder = "geirhos2021"
    centres = _class_centres(catalogue)
    category = make_categories(centres)
    yield f"{folder}/sixteen_class_mapping.json", _mapping(category, catalogue.classes)
    held_out = catalogue.held_out
    shown = _shown(category[held_out.category], seed)
    trials = pd.DataFrame(list(product(CONDITIONS, shown)), columns=["condition", "row"])
    trials["category"] = category[held_out.category[trials.row]]
    trials["name"] = np.array(held_out.names)[trials.row]
    for i, trial in enumerate(trials.itertuples()):
        rng = generator(seed, "people", "pixels", trial.condition, trial.name)
        image = show(held_out.images[trial.row], CONDITIONS[trial.condition], rng)
        yield f"{folder}/{EXPERIMENT}/dnn/{_image_name(i, 'dnn', trial)}", image
    dimensions = held_out.dimensions[trials.row]
    for participant in range(1, N_PARTICIPANTS + 1):
        answers = decide(dimensions, trials.condition.to_numpy(), centres, category, seed, participant)
        name = f"{EXPERIMENT}_subject-{participant:02d}_session_1.csv"
        yield f"{folder}/{EXPERIMENT}/raw-data/{name}", _decisions(trials, answers, seed, participant)


def make_categories(centres):
    """The category of every class: centres (n_classes, 8) -> array of str (n_classes,).

    The halves have equal size, so that also a few classes fill many of the 16 categories.
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


def show(image, condition, rng):
    """The image, uint8 (size, size, 3), as a condition shows it.

    As in the published experiment, contrast is lowered around mid-grey, then the same noise is added to R, G and B.
    """
    if condition.contrast == 1 and condition.noise == 0:
        return image
    grey = rng.uniform(-condition.noise, condition.noise, (*image.shape[:2], 1))
    shown = 0.5 + condition.contrast * (image / 255 - 0.5) + grey
    return np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)


def decide(dimensions, condition, centres, category, seed, participant):
    """The answers of one participant.

    A participant perceives the dimensions of an image with noise, a part of which (:data:`SHARED`) is common to all
    participants. Dimensions with a larger weight in the simulated responses are perceived with less noise. The answer
    is the category of the nearest class centre, where each dimension is weighted by its precision.

    Parameters
    ----------
    dimensions : array (n_trials, 8)
    condition : array of str (n_trials,)
    centres : array (n_classes, 8)
    category : array of str (n_classes,)
    seed, participant : int

    Returns
    -------
    array of str (n_trials,)
    """
    sd = np.array([CONDITIONS[name].sd for name in condition])[:, None]
    sd = sd / np.array([DIMENSION_WEIGHTS[name] for name in DIMENSIONS])
    shared = generator(seed, "people", "shared").standard_normal(dimensions.shape)
    rng = generator(seed, "people", participant)
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
    """Mean dimensions of the images of every class, (n_classes, 8)."""
    sets = catalogue.pretraining, catalogue.held_out
    dimensions, labels = (np.concatenate([getattr(s, name) for s in sets]) for name in ("dimensions", "category"))
    return np.stack([dimensions[labels == i].mean(axis=0) for i in range(len(catalogue.classes))])


def _shown(category, seed):
    """Rows of the held-out images that are shown: :data:`N_EACH` per category, or all if there are fewer."""
    rng = generator(seed, "people", "pictures")
    rows = [rng.permutation(np.flatnonzero(category == name))[:N_EACH] for name in np.unique(category)]
    return np.sort(np.concatenate(rows))


def _mapping(category, classes):
    """The classes of every category, as JSON in the layout of the file that is derived from the published one."""
    members = {name: np.flatnonzero(category == name).tolist() for name in np.unique(category).tolist()}
    content = {name: {"imagenet_indices": i, "wnids": [classes[j] for j in i]} for name, i in members.items()}
    return json.dumps(content, indent=1)


def _image_name(i, shown_to, trial):
    """``0001_sim_s01_0.0_warm-round-fine-long_00_ILSVRC2012_val_00000017.png``."""
    return f"{i + 1:04d}_{TAG}_{shown_to}_{trial.condition}_{trial.category}_00_{Path(trial.name).stem}.png"


def _decisions(trials, answers, seed, participant):
    """The published CSV of one participant, trials in random order."""
    rng = generator(seed, "people", participant, "order")
    order = rng.permutation(len(trials))
    seconds = 0.6 * np.exp(0.3 * rng.standard_normal(len(trials)))
    lines = [",".join(COLUMNS)]
    for i, trial in enumerate(trials.iloc[order].itertuples()):
        answer, subject = answers[order[i]], f"{participant:02d}"
        rt = "NaN" if answer == NO_RESPONSE else f"{seconds[i]:.6f}"
        name = _image_name(i, f"s{subject}", trial)
        lines.append(f"subject-{subject},1,{i + 1},{rt},{answer},{trial.category},{trial.condition},{name}")
    return "\n".join(lines) + "\n"
