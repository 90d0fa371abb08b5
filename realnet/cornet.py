"""CORnet-S: four recurrent areas named after the ventral stream, and the weights published for them."""

import math
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from realnet.errors import InvalidInput, MissingInput

#: The four areas whose last time step is "the activation of a layer".
LAYERS = ("V1", "V2", "V4", "IT")

#: How often the recurrent block of each area runs.
TIMES = {"V2": 2, "V4": 4, "IT": 2}


class RecurrentBlock(nn.Module):
    """One area of CORnet-S after V1: a bottleneck whose weights are shared over ``times`` steps.

    The convolutions are shared over time, the batch norms are not (``norm1_0``, ``norm1_1``, ...).

    Parameters
    ----------
    in_channels, out_channels : int
    times : int
        Number of recurrent steps; the first one halves the resolution.
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

    Parameters
    ----------
    width : float
        Factor on the channels 64, 128, 256, 512 of V1, V2, V4, IT, rounded to whole channels in V1. The published
        network has 1.0; the simulated world uses a narrow one.
    n_classes : int

    Notes
    -----
    No convolution has a bias. Convolutions are drawn from N(0, sqrt(2 / (k k out_channels))), batch norms start at
    weight 1 and bias 0, the linear layer at torch's default.
    """

    def __init__(self, width=1.0, n_classes=1000):
        super().__init__()
        self.width, self.n_classes = width, n_classes
        c = max(1, round(64 * width))  # of V1, and twice as many from area to area: weights tell the width again
        channels = {layer: c * 2**i for i, layer in enumerate(LAYERS)}
        self.V1 = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, c, kernel_size=7, stride=2, padding=3, bias=False),
                norm1=nn.BatchNorm2d(c),
                nonlin1=nn.ReLU(inplace=True),
                pool=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
                conv2=nn.Conv2d(c, c, kernel_size=3, padding=1, bias=False),
                norm2=nn.BatchNorm2d(c),
                nonlin2=nn.ReLU(inplace=True),
            )
        )
        for before, layer in pairwise(LAYERS):
            self.add_module(layer, RecurrentBlock(channels[before], channels[layer], TIMES[layer]))
        self.decoder = nn.Sequential(
            OrderedDict(
                avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(channels["IT"], n_classes)
            )
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels)))

    def activations(self, images):
        """Run the network once and return what every layer did.

        Parameters
        ----------
        images : tensor, shape (N, 3, height, width)
            Normalised RGB (see :func:`realnet.activations.normalise`).

        Returns
        -------
        dict layer -> tensor (N, channels, height, width)
            ``V1 V2 V4 IT``, each at its last time step.
        """
        states = {}
        for layer in LAYERS:
            images = getattr(self, layer)(images)
            states[layer] = images
        return states

    def forward(self, images):
        """Return the logits, shape (N, n_classes)."""
        return self.decoder(self.activations(images)["IT"])


def layer_sizes(network, image_size):
    """Number of units of each layer of ``network`` for square images of ``image_size`` pixels: dict layer -> int."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with torch.no_grad():
        states = network.activations(torch.zeros(1, 3, image_size, image_size, device=device))
    network.train(was_training)
    return {layer: state[0].numel() for layer, state in states.items()}


def read_checkpoint(path):
    """Read a torch file on the CPU without running any code that it may hold.

    Raises
    ------
    MissingInput, InvalidInput
        The file is absent, cut short, or holds something else than tensors in plain containers.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInput(f"no weights at {path}: fetch or place them there (data/README.md says where from)")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here: pickle, zip, runtime and EOF errors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput(f"{path} is not a torch file of plain weights ({reason}): fetch it again") from error


def bare_state_dict(checkpoint, path="the checkpoint"):
    """Strip the wrappings of the published layouts: a ``state_dict`` entry around it, ``module.`` before each key."""
    if not isinstance(checkpoint, dict):
        raise InvalidInput(f"{path} holds a {type(checkpoint).__name__} where a dict of weights is expected")
    state = checkpoint.get("state_dict", checkpoint)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InvalidInput(f"{path} does not hold a state_dict of tensors")
    return {key.removeprefix("module."): value for key, value in state.items()}


def load_state(module, state, path):
    """Load ``state`` into ``module``; a missing, unknown or misshapen key is named in one sentence."""
    expected = module.state_dict()
    # counters of batch norm are absent from checkpoints written by old torch; they play no role at a fixed momentum
    optional = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = sorted(set(expected) - set(state) - optional)
    unknown = sorted(set(state) - set(expected))
    if missing or unknown:
        raise InvalidInput(
            f"{path} does not fit {type(module).__name__}: missing {_some(missing)}, unknown {_some(unknown)}"
        )
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise InvalidInput(f"{path}: {key} has shape {tuple(value.shape)}, expected {tuple(expected[key].shape)}")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InvalidInput(f"{path}: {key} holds NaN or infinite weights")
    module.load_state_dict(state, strict=False)
    return module


def network_like(state):
    """An untrained :class:`CORnetS` of the width and number of classes that the weights in ``state`` have."""
    try:
        width = state["V1.conv1.weight"].shape[0] / 64
        n_classes = state["decoder.linear.bias"].shape[0]
    except KeyError as error:
        raise InvalidInput(f"these weights are not those of a CORnet-S: the key {error} is missing") from error
    return CORnetS(width=width, n_classes=n_classes)


def load_cornet_s(path=None, device="cpu"):
    """Load CORnet-S with its published weights, in evaluation mode.

    Parameters
    ----------
    path : path, optional
        A checkpoint in any published layout: ``module.*`` under ``state_dict``, bare ``module.*``, or bare keys.
        Without it the file that ``realnet data fetch cornet_s`` puts under ``data/raw/cornet_s`` is read, and fetched
        where it is absent.
    device : str or torch.device

    Returns
    -------
    CORnetS
        Of the width and number of classes that the file has.
    """
    if path is None:
        from realnet.datasets import registry  # only here: everything else works without the list of downloads

        path = registry.fetch("cornet_s")[0]
    state = bare_state_dict(read_checkpoint(path), path)
    return load_state(network_like(state), state, path).eval().to(device)


def _some(names, n=3):
    """The first few names of a list, and how many more there are."""
    if not names:
        return "nothing"
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
