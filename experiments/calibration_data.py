"""Data for the calibration whose truth is known: differences over times, and RDMs of networks and brains."""

from functools import lru_cache

import numpy as np

from experiments.statistics import null_data
from realnet.rdm import correlation_rdm
from realnet.similarity import compare_rdms

#: Numbers in each part of an image: one part both networks see, one only the first, one only the second.
PART = 8

#: Noise in the layers of a network, from the first to the last: the last is the best.
LAYER_NOISE = (1.5, 1.0, 0.5, 0.0)

#: Noise in the layers of (network 1, network 2) where they differ; the best layers are equally good.
PROFILES = {
    "alike": (LAYER_NOISE, LAYER_NOISE),
    "another best": ((0.7, 0.8, 0.9, 1.0), (2.0, 1.5, 1.0, 0.7)),
    "one stands out": ((1.0, 1.0, 1.0, 1.0), (1.6, 1.6, 1.3, 1.0)),
    "one alone": ((1.0, 1.0, 1.0, 1.0), (3.0, 3.0, 3.0, 1.0)),
}

#: Noise in the regions of a brain, in the spread of the images' own numbers.
ROI_NOISE = (0.7, 0.85, 1.0, 1.2, 1.5)

#: Images that stand for all images: the truth is their similarity, averaged over draws of so many.
N_TRUE_IMAGES, N_TRUE_DRAWS = 1500, 8


def draw_differences(cell, rng):
    """Differences (n_subjects, n_times): ``null_data``, with ``effect`` added to ``width`` times in the middle."""
    values = null_data(cell["n_subjects"], cell["n_times"], cell["autocorrelation"], cell["shared_offset"], rng)
    start = (cell["n_times"] - cell["width"]) // 2
    values[:, start : start + cell["width"]] += cell["effect"]
    return values


def draw_dimensions(cell, rng, bootstraps):
    """Changes of ``n_dimensions``, on all images and on resampled ones: (1 + bootstraps, dimension, participant, seed).

    An image adds 1 standard deviation that all networks share and .5 of each network; participants and seeds add
    ``subject_sd`` and ``seed_sd`` to each dimension. The first dimension changes by ``effect``.
    """
    n_images, n_dimensions, *networks = (cell[f"n_{name}"] for name in ("images", "dimensions", "subjects", "seeds"))
    images = rng.standard_normal((n_images, n_dimensions, 1, 1))
    images = images + 0.5 * rng.standard_normal((n_images, n_dimensions, *networks))
    images[:, 0] += cell["effect"]
    drawn = rng.multinomial(n_images, np.full(n_images, 1 / n_images), bootstraps)
    values = np.tensordot(np.vstack([np.ones(n_images), drawn]) / n_images, images, 1)
    for spread, axes in ((cell["subject_sd"], (networks[0], 1)), (cell["seed_sd"], (1, networks[1]))):
        values = values + spread * rng.standard_normal((n_dimensions, *axes))
    return values


def draw_rdms(n_images, effects, rng, n_layers=1, roi_noise=(1.0,), profile="alike"):
    """Two networks and some participants who saw the same images, each image drawn anew.

    An image is three parts u, a, b of independent normal numbers. Network 1 is made of (u, a), network 2 of (u, b), a
    brain of (u, (1 + effect) a, (1 - effect) b) plus noise: with effect 0 the parts may change places, and neither
    network is closer.

    Parameters
    ----------
    effects : sequence of float, one per participant
    n_layers : int
        1 (without noise) or 4 (``LAYER_NOISE``).
    roi_noise : sequence of float, one per region
    profile : one of ``PROFILES``
        How noisy the layers of each network are.

    Returns
    -------
    networks : (2, n_layers, n_pairs)
    brains : (n_subjects, n_rois, n_pairs)
    """
    u, a, b = rng.standard_normal((3, n_images, PART))
    layer_noise = np.array(PROFILES[profile])[:, -n_layers:, None, None]
    seen = np.stack([np.hstack([u, a]), np.hstack([u, b])])[:, None]
    networks = seen + layer_noise * rng.standard_normal((2, n_layers, n_images, 2 * PART))
    recorded = np.stack([np.hstack([u, (1 + effect) * a, (1 - effect) * b]) for effect in effects])[:, None]
    noise = rng.standard_normal((len(effects), len(roi_noise), n_images, 3 * PART))
    brains = recorded + np.array(roi_noise)[:, None, None] * noise
    return correlation_rdm(networks), correlation_rdm(brains)


@lru_cache
def true_similarities(effect, subject_sd=0.0, n_layers=1, seed=0):
    """Similarity of (network 1, network 2), each at its best layer, over all images and participants.

    Images: the mean over ``N_TRUE_DRAWS`` draws of ``N_TRUE_IMAGES``; effects of participants are normal around
    ``effect``, and their mean is taken by Gauss-Hermite quadrature. Without an effect both are equal.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(9) if subject_sd else (np.zeros(1), np.ones(1))
    rng = np.random.default_rng(seed)
    similarities = np.mean(
        [
            compare_rdms(*draw_rdms(N_TRUE_IMAGES, effect + subject_sd * nodes, rng, n_layers))[..., 0]
            for _ in range(N_TRUE_DRAWS)
        ],
        axis=0,
    )  # (network, layer, participant)
    best = similarities.max(axis=1) @ (weights / weights.sum())
    return np.full(2, best.mean()) if effect == 0 else best
