"""Our networks as candidates for Brain-Score: how a picture enters, and which layer stands for which region.

brainscore-vision is imported inside the functions, so that the commitments can be read where it is not installed.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

from realnet.activations import load_images, normalise
from realnet.alignment import load_realnet
from realnet.cornet import LAYERS
from realnet.errors import InvalidInput, MissingInput

#: Region of the ventral stream -> layer that stands for it. CORnet-S names its areas after the regions, so nothing has
#: to be selected on neural data (which would fetch benchmarks that are not public).
REGION_LAYERS = {layer: layer for layer in LAYERS}

#: What Brain-Score's classifier of Rajalingham2018 reads: the pooled features of the decoder (512 in the full network),
#: the layer that CORnet-S has been scored with. Tasks with labels read the decoder's 1000 classes instead.
BEHAVIOR_LAYER = "decoder.avgpool"

#: Width of the image in the visual field, in degrees.
VISUAL_DEGREES = 8

#: Pixels per side of the published networks; ours say theirs in the .json beside the weights.
PUBLISHED_IMAGE_SIZE = 224


def identify(path):
    """The name of a network on Brain-Score: the stem of its file and the first 8 digits of the file's SHA-256.

    Brain-Score keeps activations under this name; with the hash in it, weights that were trained anew never meet the
    activations of older ones.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInput(f"no network at {path}: run notebooks/02_training.ipynb for it first")
    with path.open("rb") as file:
        return f"{path.stem}-{hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


def find_image_size(path):
    """Pixels per side of the images of a network: from the .json beside our weights, 224 for published checkpoints."""
    path = Path(path)
    if path.suffix != ".safetensors":
        return PUBLISHED_IMAGE_SIZE
    about = path.with_suffix(".json")
    try:
        size = json.loads(about.read_text(encoding="utf-8"))["network"]["image_size"]
    except FileNotFoundError as error:
        raise MissingInput(f"{about} is missing: it says for which image size {path.name} was trained") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{about} does not say network.image_size: train {path.name} again") from error
    if not isinstance(size, int) or size < 1:
        raise InvalidInput(f"{about}: network.image_size is {size!r}, expected a whole number of pixels")
    return size


def load_pixels(paths, image_size):
    """Pictures as every notebook feeds them to a network: the whole of each resized, ImageNet's mean and deviation.

    Returns
    -------
    float32 array (N, 3, image_size, image_size)
    """
    return normalise(load_images(paths, image_size)).numpy()


def make_candidate(
    identifier,
    network,
    image_size,
    region_layers=REGION_LAYERS,
    behavior_layer=BEHAVIOR_LAYER,
    visual_degrees=VISUAL_DEGREES,
    batch_size=64,
):
    """Wrap a network for Brain-Score.

    Parameters
    ----------
    identifier : str
        The name under which Brain-Score keeps what it computed (see :func:`identify`).
    network : torch module
        Its last child must give the logits: Brain-Score reads them there.
    image_size : int
        Pixels per side.
    region_layers : dict region -> name of a submodule
    behavior_layer : str
        The submodule that tasks without labels read.
    visual_degrees : float
        Width of the network's image; a picture that was shown smaller is put on a grey ground of that width.
    batch_size : int
        Images that run at once; the last batch is filled up to it.

    Returns
    -------
    brainscore_vision ModelCommitment
        ``activations_model(paths, layers=[...])`` gives the activations of local pictures.
    """
    from brainscore_vision.model_helpers.activations.pytorch import PytorchWrapper
    from brainscore_vision.model_helpers.brain_transformation import ModelCommitment

    modules = dict(network.named_modules())
    unknown = [name for name in (*region_layers.values(), behavior_layer) if name not in modules]
    if unknown:
        raise InvalidInput(f"{identifier} has no layer {', '.join(unknown)}: name layers of {type(network).__name__}")
    pixels = partial(load_pixels, image_size=image_size)
    wrapper = PytorchWrapper(network.eval(), pixels, identifier=identifier, batch_size=batch_size)
    wrapper.image_size = image_size
    return ModelCommitment(
        identifier=identifier,
        activations_model=wrapper,
        layers=list(dict.fromkeys(region_layers.values())),
        behavioral_readout_layer=behavior_layer,
        region_layer_map=dict(region_layers),
        visual_degrees=visual_degrees,
    )


def load_candidate(path, batch_size=64, image_size=None):
    """A candidate from a file of weights.

    Parameters
    ----------
    path : path
        Ours (``results/<study>/networks/*.safetensors``), the published CORnet-S (``cornet_s-1d3f7974.pth``), or the
        authors' ``encoder.pt`` or ``realnet.pt``.
    batch_size : int
    image_size : int, optional
        Pixels per side; by default what :func:`find_image_size` finds.
    """
    return make_candidate(
        identify(path), load_realnet(path), image_size or find_image_size(path), batch_size=batch_size
    )


def register(paths):
    """Enter networks into Brain-Score's registry of models; they are loaded when they are asked for.

    Returns
    -------
    list of str
        Their identifiers, for :func:`load_model`.
    """
    from brainscore_vision import model_registry

    identifiers = [identify(path) for path in paths]
    for identifier, path in zip(identifiers, paths, strict=True):
        model_registry[identifier] = partial(load_candidate, path)
    return identifiers


def load_model(identifier):
    """A registered network of ours. (``brainscore_vision.load_model`` only finds models inside its own package.)"""
    from brainscore_vision import model_registry

    if identifier not in model_registry:
        raise InvalidInput(f"no network {identifier!r} is registered: call brainscore.models.register([path]) first")
    return model_registry[identifier]()
