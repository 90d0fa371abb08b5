"""Behaviour: what a network calls a picture, how often it is right, and whether it errs on the pictures people err on.

Accuracy as usual on ImageNet; decisions among 16 categories and error consistency after Geirhos, Meding & Wichmann
(2020), NeurIPS 33, arXiv 2006.16736, and Geirhos et al. (2021), NeurIPS 34, arXiv 2106.07411.
"""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from realnet.activations import batches, load_images, normalise, pick_device
from realnet.datasets.files import find_files
from realnet.errors import InvalidInput, MissingInput

#: Pictures that are decoded and held in memory at once: 0.3 GB at 224 pixels.
CHUNK = 2000


@torch.no_grad()
def compute_logits(network, images, batch_size=100, device="auto"):
    """The output of a network in evaluation mode.

    Parameters
    ----------
    network : CORnetS, or any module with ``forward(images) -> logits``
    images : tensor, uint8, shape (n_stimuli, 3, height, width)
    batch_size : int
        Images that run at once.

    Returns
    -------
    float32 array (n_stimuli, n_classes)
    """
    device = pick_device(device)
    network = network.to(device).eval()
    parts = [network(normalise(images[part].to(device))).cpu() for part in batches(len(images), batch_size)]
    return torch.cat(parts).numpy()


def classify(network, images, batch_size=100, device="auto"):
    """Probability of every class, the softmax of :func:`compute_logits`: float64 array (n_stimuli, n_classes)."""
    logits = compute_logits(network, images, batch_size, device)
    return torch.as_tensor(logits, dtype=torch.float64).softmax(dim=1).numpy()


def classify_files(networks, paths, image_size, decide, chunk=CHUNK, device="auto"):
    """Decisions of many networks on many image files, every file decoded once and few in memory at a time.

    Parameters
    ----------
    networks : dict name -> callable that returns the network
        It is called once for each chunk of files, so that only one network is in memory.
    paths : sequence of paths
    image_size : int
        The whole picture is resized to a square, nothing is cropped (the paper's way; ImageNet's usual evaluation
        crops the middle, with which CORnet-S is a little more accurate).
    decide : callable (probabilities (n, n_classes), rows slice) -> array (n, ...)
        What is kept of the probabilities of the files ``paths[rows]``.

    Returns
    -------
    dict name -> array (n_files, ...)
    """
    device = pick_device(device)
    # on a processor, what a few images are turned into stays in its cache: twice as fast as batches of 100 at 224
    batch_size = 100 if device.type != "cpu" else max(5, 100 * 64**2 // image_size**2)
    kept = {name: [] for name in networks}
    for rows in batches(len(paths), chunk):
        images = load_images(paths[rows], image_size)
        for name, load in networks.items():
            kept[name].append(decide(classify(load(), images, batch_size, device), rows))
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def find_validation_images(root, classes=None):
    """The images of an ImageNet-like folder and their classes.

    Parameters
    ----------
    root : path
        Holds one folder a class, named by its WordNet id, with its images: ``<wnid>/*.JPEG``.
    classes : sequence of str, optional
        The WordNet ids in the order of the network's outputs. By default that of ``imagenet_class_index.json`` below
        ``root`` or beside it, or else the sorted names of the folders: torchvision's order, where all are there.

    Returns
    -------
    paths : list of Path
    labels : int array (n_images,)
    n_classes : int

    Raises
    ------
    MissingInput, InvalidInput
        There is no such folder, it holds no images, or a folder is not among the classes.
    """
    root = Path(root)
    paths = [path for path in find_files(root, r"(?i)[^.].*\.(?:jpe?g|png)") if path.parent.parent == root]
    if not paths:
        raise MissingInput(f"{root}: expected ImageNet's validation images as <wnid>/*.JPEG, but there are none")
    folders = sorted({path.parent.name for path in paths})
    index = [path for path in (root / _INDEX, root.parent / _INDEX) if path.is_file()]
    if classes is None:
        classes = _read_class_index(index[0]) if index else folders
    position = {wnid: i for i, wnid in enumerate(classes)}
    if unknown := [folder for folder in folders if folder not in position]:
        raise InvalidInput(f"{root / unknown[0]}: expected the folder of a class, but no class has this name")
    return paths, np.array([position[path.parent.name] for path in paths]), len(position)


_INDEX = "imagenet_class_index.json"


def _read_class_index(path):
    """WordNet ids in the order of torchvision's classes, from the usual file {"0": [wnid, name], ...}."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [content[str(i)][0] for i in range(len(content))]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidInput(
            f'{path}: expected {{"0": ["n01440764", "tench"], ...}} ({error!r}); get it again'
        ) from error


def is_in_top(scores, labels, k):
    """Whether the right class is among the k best: scores (n, n_classes), labels (n,) -> bool (n,).

    Of classes with equal scores the first in order comes first, as with argmax.
    """
    scores, labels = _finite(scores, "is_in_top"), np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise InvalidInput(f"is_in_top expects whole numbers as labels, not {labels.dtype}")
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise InvalidInput(f"is_in_top expects scores (n, n_classes) and n labels, not {scores.shape}, {labels.shape}")
    if len(labels) and not (labels.min() >= 0 and labels.max() < scores.shape[1]):
        raise InvalidInput(f"labels must lie in 0 to {scores.shape[1] - 1}, as there are {scores.shape[1]} classes")
    own = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    return (scores > own).sum(axis=1) + ((scores == own) & earlier).sum(axis=1) < k


def top_k_accuracy(scores, labels, k=1):
    """Share of pictures whose class is among the k that the network finds most likely."""
    return float(is_in_top(scores, labels, k).mean())


def category_decisions(probabilities, categories):
    """The category that a network chooses for each picture: the largest mean probability over a category's classes.

    Parameters
    ----------
    probabilities : array (n_stimuli, n_classes)
    categories : dict name -> class indices
        As :func:`realnet.datasets.geirhos2021.load_categories` reads them.

    Returns
    -------
    array of str (n_stimuli,)
    """
    probabilities = _finite(probabilities, "category_decisions")
    if probabilities.ndim != 2:
        raise InvalidInput(
            f"category_decisions expects probabilities (n_stimuli, n_classes), not {probabilities.shape}"
        )
    n_classes = probabilities.shape[1]
    if highest := [name for name, indices in categories.items() if max(indices) >= n_classes]:
        raise InvalidInput(f"the category {highest[0]} has classes beyond the {n_classes} that the network tells apart")
    means = np.stack([probabilities[:, list(indices)].mean(axis=1) for indices in categories.values()], axis=1)
    return np.array(list(categories))[means.argmax(axis=1)]


def _finite(scores, name):
    """Scores as an array; NaN would count as the best of all."""
    scores = np.asarray(scores)
    if not np.isfinite(scores).all():
        raise InvalidInput(f"{name} expects finite scores: the network gives NaN or Inf, as broken weights make it do")
    return scores


def error_consistency(a, b):
    """Cohen's kappa of right and wrong, trial by trial: do two decision makers err alike, beyond their accuracy?

        kappa = (c_obs - c_exp) / (1 - c_exp),  c_exp = p_a p_b + (1 - p_a) (1 - p_b)

    c_obs is the share of trials on which both are right or both wrong, p_a and p_b the accuracies.

    Parameters
    ----------
    a, b : bool arrays (..., n_trials)
        Whether each decision maker was right; the same trials in the same order.

    Returns
    -------
    float array (...)
        1 where two decision makers agree on all trials; so also where both are always right or both always wrong, when
        c_exp is 1 and the ratio 0/0 (as the original has it; Brain-Score returns NaN there).

    Notes
    -----
    Geirhos, Meding & Wichmann (2020), equations 1 and 2.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != bool or b.dtype != bool or a.shape[-1:] != b.shape[-1:] or not a.shape or not a.shape[-1]:
        raise InvalidInput(
            f"error_consistency expects right or wrong (bool) on the same trials, not {a.dtype} {a.shape} and"
            f" {b.dtype} {b.shape}"
        )
    return consistency_of_rates(a.mean(axis=-1), b.mean(axis=-1), (a & b).mean(axis=-1))


def consistency_of_rates(p_a, p_b, p_both):
    """Error consistency from the accuracies and the share of trials on which both are right, any shapes."""
    observed = 1 - p_a - p_b + 2 * p_both
    expected = p_a * p_b + (1 - p_a) * (1 - p_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = (observed - expected) / (1 - expected)
    # 1 - expected is p_a (1 - p_b) + p_b (1 - p_a): 0 only where both are always right or always wrong
    return np.where(np.isclose(expected, 1, rtol=0, atol=1e-12), 1.0, kappa)


def human_ceiling(correct):
    """Mean error consistency over all pairs of people: bool (n_people, n_trials) -> float; NaN for one person alone."""
    pairs = list(combinations(range(len(correct)), 2))
    if not pairs:
        return float("nan")
    first, second = zip(*pairs, strict=True)
    correct = np.asarray(correct)
    return float(error_consistency(correct[list(first)], correct[list(second)]).mean())
