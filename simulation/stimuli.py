"""The simulated stimuli: categories, names of the images, and the dimensions of the objects in them."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from realnet.datasets.shen2019 import LETTER_NAMES, SHAPE_NAMES
from simulation.images import DIMENSIONS, draw_form, draw_letter, draw_shape, render_objects

#: To be increased whenever the same settings give other files.
SIMULATION_VERSION = 2

#: Sets of stimuli with simulated responses: those of Shen et al. (2019), and that of THINGS EEG2.
SHEN_SETS = ("training", "natural", "shapes", "letters")
STIMULUS_SETS = (*SHEN_SETS, "eeg")

N_TRAINING_CATEGORIES, N_TEST_CATEGORIES, N_PER_CATEGORY = 150, 50, 8
#: Shares of the network's classes that are also categories of the training and of the natural test images; of the
#: published ones CORnet-S knows 59 of 150 and 20 of 50.
SHARE_TRAINING, SHARE_TEST = 0.59, 0.20

N_CONCEPTS, N_EEG_CONCEPTS, N_HELD_OUT = 1854, 200, 5

#: Standard deviation of each dimension within a category. Hue, saturation and elongation vary more, so that they matter
#: less for categories.
JITTER = np.array([0.3, 0.3, 0.1, 0.1, 0.3, 0.1, 0.1, 0.1])


def generator(seed, *name):
    """A random generator that depends on the seed and a name only, not on what else is drawn.

    The names in the calls are part of the simulation: other names give other data.
    """
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, name)).encode())])


@dataclass
class Stimuli:
    """A set of n stimuli; the images, uint8 (n, size, size, 3), are drawn when they are first needed."""

    names: list  # n file names without ending
    category: np.ndarray  # int (n,), from 0
    dimensions: np.ndarray  # (n, 8), in the order of simulation.images.DIMENSIONS
    draw: Callable  # returns the images

    @cached_property
    def images(self):
        return self.draw()


class Catalogue(NamedTuple):
    """All stimuli of a simulation."""

    training: Stimuli
    natural: Stimuli
    shapes: Stimuli
    letters: Stimuli
    eeg: Stimuli
    pretraining: Stimuli  # images of the classes that the network learns
    held_out: Stimuli  # further images of these classes
    classes: list  # WordNet-like ids of the network's classes, in their order
    concepts: list  # 1854 names in the row order of the published embedding
    concept_dimensions: np.ndarray  # (1854, 8)
    concept_numbers: dict  # name -> number by the other sort order of THINGS


def make_catalogue(settings):
    """The :class:`Catalogue` of a simulation with these settings (``realnet.settings.SimulationSettings``)."""
    ids, kinds = _categories(settings)
    prototypes = dict(zip(ids, generator(settings.seed, "prototypes").uniform(-1, 1, (len(ids), 8)), strict=True))
    classes = sorted(ids[kinds["known"]])
    pretraining_category = np.arange(settings.n_pretraining_images) % len(classes)
    held_out_category = np.repeat(np.arange(len(classes)), N_HELD_OUT)
    concepts, numbers, dimensions, seen = _concepts(settings)
    return Catalogue(
        training=_with_forms(
            _natural(settings, "training", sorted(ids[kinds["training"]]), N_PER_CATEGORY, prototypes), settings
        ),
        natural=_natural(settings, "natural", sorted(ids[kinds["natural"]]), 1, prototypes),
        shapes=_forms(SHAPE_NAMES, draw_shape, settings.image_size),
        letters=_forms(LETTER_NAMES, draw_letter, settings.image_size),
        eeg=_objects(settings, "eeg", [f"{concepts[i]}_{7 * i % 20 + 1:02d}s" for i in seen], seen, dimensions[seen]),
        pretraining=_learned(settings, "pretraining", classes, pretraining_category, prototypes),
        held_out=_learned(settings, "held_out", classes, held_out_category, prototypes),
        classes=classes,
        concepts=concepts,
        concept_dimensions=dimensions,
        concept_numbers=numbers,
    )


def _categories(settings):
    """WordNet-like ids (n,), and the positions of those in the training images, the test images and the network."""
    rng = generator(settings.seed, "categories")
    n = settings.n_classes  # at most 250, so that the training and test images have enough categories
    n_shared = round(SHARE_TRAINING * n), round(SHARE_TEST * n)
    n_ids = N_TRAINING_CATEGORIES + N_TEST_CATEGORIES + n - sum(n_shared)
    ids = np.array([f"n{i:08d}" for i in rng.choice(np.arange(1440764, 15075142), n_ids, replace=False)])
    training, natural, other = np.split(
        np.arange(n_ids), [N_TRAINING_CATEGORIES, N_TRAINING_CATEGORIES + N_TEST_CATEGORIES]
    )
    known = np.concatenate([training[: n_shared[0]], natural[: n_shared[1]], other])
    return ids, {"training": training, "natural": natural, "known": known}


def _natural(settings, name, categories, n_each, prototypes):
    """Images of the fMRI experiments, named as ``n01518878_5958``; numbers of 2 to 5 digits, many ending in zeros."""
    rng = generator(settings.seed, name, "names")
    names = []
    for category in categories:
        numbers = {10} if not names else set()  # the shortest, and one that ends in zero
        while len(numbers) < n_each:
            number = int(rng.integers(10, 10 ** rng.choice([2, 3, 4, 5], p=[0.01, 0.03, 0.4, 0.56])))
            numbers.add(number // 10 * 10 if rng.random() < 0.1 and number > 99 else number)
        names += sorted(f"{category}_{number}" for number in numbers)
    category = np.repeat(np.arange(len(categories)), n_each)
    return _objects(settings, name, names, category, np.stack([prototypes[i] for i in categories])[category])


def _learned(settings, name, classes, category, prototypes):
    """Images of the classes that the network learns, named as in ImageNet's validation set."""
    names = [f"ILSVRC2012_val_{i + 1:08d}" for i in range(len(category))]
    return _objects(settings, name, names, category, np.stack([prototypes[i] for i in classes])[category])


def _objects(settings, name, names, category, centres):
    """Objects that vary around the centre (n, 8) of their category."""
    rng = generator(settings.seed, name, "pictures")
    dimensions = np.clip(centres + JITTER * rng.standard_normal(centres.shape), -1, 1)
    return Stimuli(
        names, np.asarray(category), dimensions, partial(render_objects, dimensions, rng, settings.image_size)
    )


def _forms(names, draw, size):
    """Shapes and letters: flat forms on grey, one of each."""
    images, dimensions = zip(*[draw(name, size) for name in names], strict=True)
    return Stimuli(list(names), np.arange(len(names)), np.stack(dimensions), lambda: np.stack(images))


def _with_forms(stimuli, settings):
    """The stimuli, some of which show a plain form instead of an object of their category."""
    rng, n = generator(settings.seed, "forms"), len(stimuli.names)
    rows = np.sort(rng.choice(n, round(settings.forms * n), replace=False))
    forms = {row: draw_form(rng, settings.image_size) for row in rows}

    def replaced(values, part):
        return np.stack([forms[row][part] if row in forms else value for row, value in enumerate(values)])

    dimensions = replaced(stimuli.dimensions, 1)
    return Stimuli(stimuli.names, stimuli.category, dimensions, lambda: replaced(stimuli.draw(), 0))


def _concepts(settings):
    """1854 invented concept names, their numbers in THINGS, their dimensions, and the rows that the EEG shows.

    As in the published files, rows and numbers follow different sort orders: for names with a second word or a number
    (``bato``, ``bato1``, ``bato-luki``, ``bato_luki``) the row differs from the number.
    """
    rng = generator(settings.seed, "concepts")
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    stems = set()
    while len(stems) < N_CONCEPTS - 30:
        stems.add("".join(rng.choice(syllables, size=rng.integers(2, 5))))
    stems = sorted(stems)
    families = rng.choice(len(stems), 10, replace=False)
    relatives = [f"{stems[i]}{ending}" for i in families for ending in ("1", "-luki", "_luki")]
    concepts = sorted([*stems, *relatives])
    by_number = sorted(concepts, key=lambda name: name.replace("_", " ").replace("-", "~"))
    numbers = {name: i + 1 for i, name in enumerate(by_number)}
    dimensions = rng.uniform(-1, 1, (N_CONCEPTS, len(DIMENSIONS)))
    moved = [i for i, name in enumerate(concepts) if numbers[name] != i + 1]
    others = [i for i in range(N_CONCEPTS) if i not in moved]
    seen = np.sort(np.concatenate([rng.choice(moved, 3, False), rng.choice(others, N_EEG_CONCEPTS - 3, False)]))
    return concepts, numbers, dimensions, seen
