"""Behaviour of networks on images: classes, accuracy, decisions among 16 categories, and error consistency with people.

Geirhos, Meding & Wichmann (2020), NeurIPS 33, arXiv 2006.16736; Geirhos et al. (2021), NeurIPS 34, arXiv 2106.07411.
"""

from pathlib import Path

import numpy as np
import torch

from realnet.activations import batches, cuda_arithmetic, load_images, normalise, pick_device
from realnet.datasets.files import IMAGE, find_files
from realnet.errors import InvalidInput, MissingInput


@torch.no_grad()
@cuda_arithmetic()
def classify(network, images, batch_size=100, device="auto"):
    """Probability of every class, the softmax of a network in evaluation mode: float64 array (n_stimuli, n_classes).

    ``images``: uint8 tensor (n_stimuli, 3, height, width), of which ``batch_size`` are computed at a time.
    """
    device = pick_device(device)
    network = network.to(device).eval()
    parts = [network(normalise(images[part].to(device))).cpu() for part in batches(len(images), batch_size)]
    logits = torch.cat(parts).double()
    if not logits.isfinite().all():  # NaN would count as the largest probability
        raise InvalidInput("expected finite outputs, but the network gives NaN or infinity: train it again")
    return logits.softmax(dim=1).numpy()


def classify_files(networks, paths, image_size, decide, chunk=2000, device="auto"):
    """Decisions of several networks on image files, each decoded once: dict name -> array (n_files, ...).

    Parameters
    ----------
    networks : dict name -> callable that returns the network, called once per chunk so that one is in memory
    paths : sequence of paths
    image_size : int
        Whole images are resized to a square as in the alignment; cropping the middle, as usual on ImageNet, makes
        CORnet-S a little more accurate.
    decide : callable (probabilities (n, n_classes), rows slice) -> array (n, ...)
        What is kept of the probabilities of ``paths[rows]``.
    chunk : int, images in memory at once; 2000 are 0.3 GB at 224 pixels
    """
    device = pick_device(device)
    # on a CPU small batches stay in its cache: twice as fast as 100 at 224 pixels
    batch_size = 100 if device.type != "cpu" else max(5, 100 * 64**2 // image_size**2)
    kept = {name: [] for name in networks}
    for rows in batches(len(paths), chunk):
        images = load_images(paths[rows], image_size)
        for name, load in networks.items():
            kept[name].append(decide(classify(load(), images, batch_size, device), rows))
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def find_validation_images(root):
    """Paths, labels (n_images,) and number of classes of ``<root>/<wnid>/*.JPEG``, as in torchvision's ImageFolder."""
    paths = [path for path in find_files(root, IMAGE) if path.parent.parent == Path(root)]
    if not paths:
        raise MissingInput(f"{root}: expected ImageNet's validation images as <wnid>/*.JPEG, but there are none")
    classes, labels = np.unique([path.parent.name for path in paths], return_inverse=True)
    return paths, labels, len(classes)


def is_in_top(scores, labels, k):
    """Whether the right class is among the k best: scores (n, n_classes), labels (n,) int -> bool (n,).

    Of classes with equal scores the first comes first, as with argmax.
    """
    own = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < np.asarray(labels)[:, None]
    return (scores > own).sum(axis=1) + ((scores == own) & earlier).sum(axis=1) < k


def category_decisions(probabilities, categories):
    """The category with the largest mean probability over its classes.

    ``probabilities`` (n_stimuli, n_classes), ``categories`` dict name -> class indices; array of str (n_stimuli,).
    """
    n = probabilities.shape[1]
    if beyond := [name for name, indices in categories.items() if max(indices) >= n]:
        raise InvalidInput(f"the category {beyond[0]} has classes beyond the {n} of the network: use another one")
    means = np.stack([probabilities[:, list(indices)].mean(axis=1) for indices in categories.values()], axis=1)
    return np.array(list(categories))[means.argmax(axis=1)]


def error_consistency(p_a, p_b, p_both):
    """Cohen's kappa of correctness: do two decision makers err on the same trials, beyond what accuracies predict?

        kappa = (c_obs - c_exp) / (1 - c_exp),  c_exp = p_a p_b + (1 - p_a) (1 - p_b)

    ``c_obs`` is the share of trials on which both are right or both wrong (Geirhos et al. 2020, equations 1 and 2). The
    result is 1 where both are always right or always wrong, as in the original code (Brain-Score returns NaN).

    Parameters
    ----------
    p_a, p_b, p_both : float or array, accuracies on the same trials, and share of trials on which both are right
    """
    observed = 1 - p_a - p_b + 2 * p_both
    expected = p_a * p_b + (1 - p_a) * (1 - p_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = (observed - expected) / (1 - expected)
    # 1 - expected is p_a (1 - p_b) + p_b (1 - p_a): 0 only where both are always right or always wrong
    return np.where(np.isclose(expected, 1, rtol=0, atol=1e-12), 1.0, kappa)
