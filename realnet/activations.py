"""Pictures into a network, and the activations of its layers out of it."""

from contextlib import contextmanager

import numpy as np
import torch

from realnet.cornet import LAYERS
from realnet.datasets.stimuli import open_image, square_image
from realnet.rdm import correlation_rdm, labelled

#: A layer after the four: the average over positions in IT, which the decoder reads.
AVERAGE_POOL = "average pool"

#: Mean and standard deviation of ImageNet's RGB values, with which CORnet-S was trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def pick_device(device="auto"):
    """``auto`` is the first CUDA device where there is one, else the CPU; any other name is taken as it is."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


@contextmanager
def cpu_threads(n):
    """Torch computes with ``n`` threads on the CPU inside, whatever the machine: another number sums in another order,
    and a training makes the last bits larger with every step."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load_images(paths, image_size, crop="none"):
    """Decode and resize pictures once, to be kept in memory as bytes (a quarter of the floats' size).

    Parameters
    ----------
    paths : sequence of paths
    image_size : int
        The picture becomes ``image_size`` x ``image_size`` (bilinear, antialiased).
    crop : {"none", "center"}
        ``none``: the whole picture, whatever its sides; ``center``: the largest square in its middle, as the lab cut
        the natural images before it showed them.

    Returns
    -------
    tensor, uint8, shape (N, 3, image_size, image_size)
        RGB, in the order of ``paths``.

    Raises
    ------
    MissingInput, InvalidInput
        No file; no whole picture of opaque 8-bit pixels (:func:`realnet.datasets.stimuli.open_image`).
    """
    paths = list(paths)
    images = torch.empty((len(paths), 3, image_size, image_size), dtype=torch.uint8)
    for i, path in enumerate(paths):
        picture = open_image(path)
        pixels = torch.from_numpy(np.array(square_image(picture) if crop == "center" else picture))
        images[i] = _to_square(pixels.permute(2, 0, 1), image_size)
    return images


def prepare_arrays(pictures, image_size):
    """Pictures that are arrays already, uint8 (N, height, width, 3), as :func:`load_images` returns them."""
    return _to_square(torch.tensor(np.asarray(pictures)).permute(0, 3, 1, 2), image_size).contiguous()


def normalise(images):
    """uint8 (N, 3, height, width) -> float32 with ImageNet's mean 0 and standard deviation 1 per colour."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=images.device).view(3, 1, 1)
    # in place: three passes over memory that is still in the cache, and none that must be asked for
    return images.to(torch.float32, copy=True).div_(255).sub_(mean).div_(std)


def batches(n, batch_size):
    """Slices that cover 0..n in order."""
    return [slice(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]


@torch.no_grad()
def compute_activations(network, images, layers=LAYERS, batch_size=50, device="auto"):
    """Activations of the layers of a network in evaluation mode.

    Parameters
    ----------
    network : CORnetS, or any module with ``activations(images) -> dict layer -> tensor``
    images : tensor, uint8, shape (n_stimuli, 3, height, width)
    layers : sequence of str
        Those to keep; :data:`AVERAGE_POOL` may be among them. Memory is n_stimuli x (units of these layers) x 4 bytes:
        1.5 MB an image for all four layers of the full CORnet-S, so ask for one at a time where there are very many.
    batch_size : int
        Images that run at once.

    Returns
    -------
    dict layer -> float32 array (n_stimuli, n_units)
    """
    device = pick_device(device)
    was_training = network.training
    network = network.to(device).eval()
    kept = {}
    for part in batches(len(images), batch_size):
        states = network.activations(normalise(images[part].to(device)))
        for layer in layers:
            values = states["IT"].mean(dim=(2, 3)) if layer == AVERAGE_POOL else states[layer].flatten(1)
            values = values.cpu().numpy()
            if layer not in kept:
                kept[layer] = np.empty((len(images), values.shape[1]), dtype=np.float32)
            kept[layer][part] = values
    network.train(was_training)
    return kept


def compute_model_rdms(network, images, stimulus, layers=LAYERS, batch_size=50, device="auto"):
    """RDM of every layer: 1 - Pearson between the activations to each two images (paper, Methods).

    Returns
    -------
    DataArray (layer, pair), float64
        With the stimulus ids of each pair.
    """
    activations = compute_activations(network, images, layers, batch_size, device)
    rdms = np.stack([correlation_rdm(activations.pop(layer)) for layer in layers])
    return labelled(rdms, stimulus, dims=("layer",), layer=list(layers))


def _to_square(images, image_size):
    """Resize (..., 3, height, width) to a square; a picture of that size already is passed on bit by bit."""
    if tuple(images.shape[-2:]) == (image_size, image_size):
        return images
    # as slow to import as torch itself, and not needed where pictures have the size of the study
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional

    return functional.resize(images, [image_size, image_size], InterpolationMode.BILINEAR, antialias=True)
