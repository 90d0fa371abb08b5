"""Our networks as candidates for Brain-Score: how an image enters, and which layer stands for which region.

brainscore-vision is imported inside the functions, so that the commitments can be read where it is not installed.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

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

#: Pixels per side of the published networks; ours carry theirs in the header of the weights.
PUBLISHED_IMAGE_SIZE = 224


def identify(path):
    """The name of a network on Brain-Score: the stem of its file and the first 8 digits of the file's SHA-256.

    Brain-Score keeps activations under this name: with the hash in it, weights that were trained anew never meet the
    activations of older ones.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInput(f"no network at {path}: run notebooks/02_training.ipynb for it first")
    with path.open("rb") as file:
        return f"{path.stem}-{hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


def find_image_size(path):
    """Pixels per side of the images of a network: from the header of our weights, 224 for published checkpoints."""
    if Path(path).suffix != ".safetensors":
        return PUBLISHED_IMAGE_SIZE
    try:
        with safe_open(path, "pt") as file:
            return int(json.loads(file.metadata()["settings"])["network"]["image_size"])
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InvalidInput(f"{path} does not state network.image_size in its settings: train it again") from error


def load_pixels(paths, image_size):
    """Images as every notebook feeds them to a network: whole images resized, ImageNet's mean and deviation."""
    return normalise(load_images(paths, image_size)).numpy()


def make_candidate(
    identifier, network, image_size, region_layers=REGION_LAYERS, behavior_layer=BEHAVIOR_LAYER,
    visual_degrees=VISUAL_DEGREES, batch_size=64,
):  # fmt: skip
    """Wrap a network for Brain-Score.

    Parameters
    ----------
    identifier : str
        The name under which Brain-Score keeps what it computed (see :func:`identify`).
    network : torch module
        Its last child must give the logits: Brain-Score reads them there.
    image_size, batch_size : int
        Pixels per side; images that run at once.
    region_layers, behavior_layer : dict region -> name of a submodule, and that read by tasks without labels
    visual_degrees : float
        Width of the network's image; an image that was shown smaller is put on a grey ground of that width.

    Returns
    -------
    brainscore_vision ModelCommitment
        ``activations_model(paths, layers=[...])`` gives the activations of local images.
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
    return ModelCommitment(identifier=identifier, activations_model=wrapper,
                           layers=list(dict.fromkeys(region_layers.values())), behavioral_readout_layer=behavior_layer,
                           region_layer_map=dict(region_layers), visual_degrees=visual_degrees)  # fmt: skip


def load_candidate(path, batch_size=64):
    """A candidate from a file of weights: ours (``results/<study>/networks/*.safetensors``), the published CORnet-S
    (``cornet_s-1d3f7974.pth``), or the authors' ``encoder.pt`` or ``realnet.pt``."""
    return make_candidate(identify(path), load_realnet(path), find_image_size(path), batch_size=batch_size)


def extract(candidate, paths, layers):
    """Activations through Brain-Score's own extractor: dict layer -> float32 array (n_stimuli, n_units), flattened."""
    paths = [str(path) for path in paths]
    assembly = candidate.activations_model(paths, layers=list(layers))
    if list(assembly["stimulus_path"].values) != paths:
        raise RuntimeError("Brain-Score returned the images in another order than they were given")
    assembly = assembly.transpose("presentation", "neuroid")
    of_layer = assembly["layer"].values
    return {layer: np.ascontiguousarray(assembly.values[:, of_layer == layer]) for layer in layers}
