"""From images to activations of the layers of a network, and to their RDMs."""

import os
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from PIL import Image

from realnet.cornet import LAYERS
from realnet.datasets.files import open_image, square_image
from realnet.errors import InvalidInput
from realnet.rdm import correlation_rdm, labelled

#: A layer after the four: the spatial average of IT, which the decoder reads.
AVERAGE_POOL = "average pool"
#: Mean and standard deviation of ImageNet's RGB values, with which CORnet-S was trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic; cuBLAS reads it once, at its first use


def pick_device(device="auto"):
    """The torch device of this name; ``auto`` is the first CUDA device if there is one, else the CPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidInput("the device is cuda, but torch finds no GPU: set training.device to auto or cpu")
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)


def device_name(device):
    """``cpu``, or ``cuda`` with the name of the GPU: the kind of device, on which the bits of a result depend."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


@contextmanager
def cuda_arithmetic(tf32=False, deterministic=False):
    """Let a GPU use TensorFloat-32, and only deterministic algorithms (torch warns where it has none), in the block."""
    matmul = torch.backends.cuda.matmul
    with ExitStack() as restore, torch.backends.cudnn.flags(True, deterministic=deterministic, allow_tf32=tf32):
        restore.callback(setattr, matmul, "allow_tf32", matmul.allow_tf32)
        restore.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
        matmul.allow_tf32 = tf32
        yield torch.set_deterministic_debug_mode(int(deterministic))


@contextmanager
def cpu_threads(n):
    """Let torch use ``n`` CPU threads within the block: their number changes the order of summation, hence the bits."""
    before = torch.get_num_threads()
    try:
        yield torch.set_num_threads(n)
    finally:
        torch.set_num_threads(before)


def load_images(paths, image_size, crop="none"):
    """Decode images and resize them by Pillow (bilinear, antialiased), as torchvision's ``Resize`` does with them.

    Parameters
    ----------
    paths, image_size : sequence of paths, int
    crop : {"none", "center"}
        The whole image, or its largest central square, as Shen et al. cropped the natural images.

    Returns
    -------
    tensor, uint8 (N, 3, image_size, image_size)
    """
    images = torch.empty((len(paths), 3, image_size, image_size), dtype=torch.uint8)
    for i, path in enumerate(paths):
        image = open_image(path)
        images[i] = _resize(square_image(image) if crop == "center" else image, image_size)
    return images


def prepare_arrays(images, image_size):
    """Images as uint8 arrays (N, height, width, 3), resized as by :func:`load_images`."""
    return torch.stack([_resize(Image.fromarray(image), image_size) for image in np.asarray(images)])


def normalise(images):
    """uint8 (N, 3, height, width) -> float32 with ImageNet's mean 0 and standard deviation 1 per colour."""
    mean, std = (torch.tensor(x, device=images.device).view(3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
    return images.to(torch.float32, copy=True).div_(255).sub_(mean).div_(std)


def batches(n, batch_size):
    """Slices that cover 0..n in order."""
    return [slice(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]


@torch.no_grad()
@cuda_arithmetic()
def compute_activations(network, images, layers=LAYERS, batch_size=50, device="auto"):
    """Activations of the layers of a network in evaluation mode.

    Parameters
    ----------
    network : CORnetS, or another module with ``activations(images) -> dict layer -> tensor``
    images : tensor, uint8 (n_stimuli, 3, height, width)
    layers : sequence of str
        May contain :data:`AVERAGE_POOL`. The result takes 1.5 MB per image for all layers of the full CORnet-S.

    Returns
    -------
    dict layer -> float32 array (n_stimuli, n_units)
    """
    device, was_training = pick_device(device), network.training
    network.to(device).eval()
    kept = {}
    for part in batches(len(images), batch_size):
        states = network.activations(normalise(images[part].to(device)))
        for layer in layers:
            values = states["IT"].mean(dim=(2, 3)) if layer == AVERAGE_POOL else states[layer].flatten(1)
            if layer not in kept:
                kept[layer] = np.empty((len(images), values.shape[1]), dtype=np.float32)
            kept[layer][part] = values.cpu().numpy()
    network.train(was_training)
    return kept


def compute_model_rdms(network, images, stimulus, layers=LAYERS, batch_size=50, device="auto"):
    """RDM of every layer: 1 - Pearson between the activations to each two images (paper, Methods).

    Returns a DataArray (layer, pair), with the stimulus ids of each pair
    """
    activations = compute_activations(network, images, layers, batch_size, device)
    rdms = np.stack([correlation_rdm(activations.pop(layer)) for layer in layers])
    return labelled(rdms, stimulus, dims=("layer",), layer=list(layers))


def _resize(image, image_size):
    """An RGB ``PIL.Image`` as a square: uint8 tensor (3, image_size, image_size); one of that size stays as it is."""
    square = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)
