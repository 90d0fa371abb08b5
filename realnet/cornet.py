"""CORnet-S: four recurrent areas named after the ventral stream, and their published weights."""

import math
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

from realnet.errors import InvalidInput, MissingInput
from realnet.settings import project_root

#: The four areas; the activation of a layer is the output of its last time step.
LAYERS = ("V1", "V2", "V4", "IT")
TIMES = {"V2": 2, "V4": 4, "IT": 2}  # recurrent steps
#: The published weights; the name states the beginning of the SHA-256.
URL = "https://s3.amazonaws.com/cornet-models/cornet_s-1d3f7974.pth"


class RecurrentBlock(nn.Module):
    """One area of CORnet-S after V1: a bottleneck whose convolutions are shared over ``times`` recurrent steps.

    The batch norms are not shared (``norm1_0``, ``norm1_1``, ...). The first step halves the resolution.
    """

    def __init__(self, in_channels, out_channels, times):
        super().__init__()
        hidden = 4 * out_channels
        self.times = times
        self.conv_input = nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False)
        self.skip = nn.Conv2d(out_channels, out_channels, kernel_size=1, stride=2, bias=False)
        self.norm_skip = nn.BatchNorm2d(out_channels)
        self.conv1 = nn.Conv2d(out_channels, hidden, kernel_size=1, bias=False)
        self.conv2 = nn.Conv2d(hidden, hidden, kernel_size=3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(hidden, out_channels, kernel_size=1, bias=False)
        for t in range(times):
            self.add_module(f"norm1_{t}", nn.BatchNorm2d(hidden))
            self.add_module(f"norm2_{t}", nn.BatchNorm2d(hidden))
            self.add_module(f"norm3_{t}", nn.BatchNorm2d(out_channels))

    def forward(self, x):
        """Return the state after the last step, (N, out_channels, height / 2, width / 2)."""
        x = self.conv_input(x)
        for t in range(self.times):
            stride = 2 if t == 0 else 1
            skip = self.norm_skip(self.skip(x)) if t == 0 else x
            x = torch.relu(getattr(self, f"norm1_{t}")(self.conv1(x)))
            x = nn.functional.conv2d(x, self.conv2.weight, stride=stride, padding=1)
            x = torch.relu(getattr(self, f"norm2_{t}")(x))
            x = getattr(self, f"norm3_{t}")(self.conv3(x))
            x = torch.relu(x + skip)
        return x


class CORnetS(nn.Module):
    """CORnet-S (Kubilius et al. 2019, NeurIPS), with the key names of its published weights.

    No convolution has a bias; their initial weights are from N(0, sqrt(2 / (k k out_channels))).

    Parameters
    ----------
    width : float
        Factor on the channels 64, 128, 256, 512 of V1, V2, V4, IT, rounded to whole channels in V1; 1.0 is the
        published network, the simulated data use a narrower one.
    n_classes : int
    """

    def __init__(self, width=1.0, n_classes=1000):
        super().__init__()
        self.width, self.n_classes = width, n_classes
        c = max(1, round(64 * width))
        v1 = OrderedDict(
            conv1=nn.Conv2d(3, c, kernel_size=7, stride=2, padding=3, bias=False),
            norm1=nn.BatchNorm2d(c),
            nonlin1=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            conv2=nn.Conv2d(c, c, kernel_size=3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(c),
            nonlin2=nn.ReLU(inplace=True),
        )
        self.V1 = nn.Sequential(v1)
        for i, (layer, times) in enumerate(TIMES.items()):
            self.add_module(layer, RecurrentBlock(c * 2**i, c * 2 ** (i + 1), times))
        decoder = OrderedDict(avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(8 * c, n_classes))
        self.decoder = nn.Sequential(decoder)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels)))

    def activations(self, images):
        """Dict layer -> tensor (N, channels, height, width), each at its last time step.

        ``images`` (N, 3, height, width) are RGB, normalised (:func:`realnet.activations.normalise`).
        """
        states = {}
        for layer in LAYERS:
            images = getattr(self, layer)(images)
            states[layer] = images
        return states

    def forward(self, images):
        """Return the logits (N, n_classes)."""
        return self.decoder(self.activations(images)["IT"])


def layer_sizes(network, image_size):
    """Number of units of each layer of ``network`` for square images of ``image_size`` pixels: dict layer -> int."""
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    with torch.no_grad():
        states = network.activations(torch.zeros(1, 3, image_size, image_size, device=device))
    network.train(was_training)
    return {layer: state[0].numel() for layer, state in states.items()}


def read_checkpoint(path):
    """Read a torch file on the CPU without running any code that it may contain."""
    if not Path(path).is_file():
        raise MissingInput(f"there are no weights at {path}: data/README.md says where to get them")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, zip, runtime and EOF errors
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InvalidInput(f"{path} is not a torch file of plain weights ({reason}): fetch it again") from error


def bare_state_dict(checkpoint, path="the checkpoint"):
    """The weights in a published layout: dict of tensors without the entry ``state_dict`` and the prefix ``module.``"""
    state = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InvalidInput(f"{path}: expected a dict of weights, or one under the key state_dict")
    return {key.removeprefix("module."): value for key, value in state.items()}


def load_state(state, path):
    """A :class:`CORnetS` with the weights ``state``, of their width and number of classes, in evaluation mode."""
    try:
        network = CORnetS(state["V1.conv1.weight"].shape[0] / 64, state["decoder.linear.bias"].shape[0])
        network.load_state_dict(state)
    except (KeyError, RuntimeError) as error:  # names missing, unexpected and misshapen keys
        what = "expected the weights of a CORnet-S"
        raise InvalidInput(f"{path}: {what}, but {' '.join(str(error).split()):.600}") from error
    if broken := [key for key, value in state.items() if not torch.isfinite(value).all()]:
        raise InvalidInput(f"{path}: {broken[0]} contains NaN or infinite weights; fetch or train it again")
    return network.eval()


def load_cornet_s(path=None, device="cpu"):
    """Load CORnet-S with its published weights, in evaluation mode.

    Parameters
    ----------
    path : path, optional
        A checkpoint in any published layout: ``module.*`` under ``state_dict``, bare ``module.*``, or bare keys.
        Default: the published file below ``data/raw/cornet_s``, which is downloaded if it is absent.
    device : str or torch.device

    Returns
    -------
    CORnetS
    """
    if path is not None:
        return load_state(bare_state_dict(read_checkpoint(path), path), path).to(device)
    folder = project_root() / "data" / "raw" / "cornet_s"
    path, options = folder / Path(URL).name, {"map_location": "cpu", "weights_only": True}
    try:
        checkpoint = torch.hub.load_state_dict_from_url(URL, model_dir=str(folder), check_hash=True, **options)
    except Exception as error:  # no network, another hash, or a damaged file
        raise MissingInput(f"{path} was not downloaded from {URL} ({error}): place the file there") from error
    return load_state(bare_state_dict(checkpoint, path), path).to(device)
