"""The pretrained network of a simulated study: a small CORnet-S that classifies the simulated images.

The network of the default settings is kept in this package. ``python -m simulation.pretraining`` trains it again, on
one thread; the file has the same bytes each time on the same kind of processor. Do so, and increase
``SIMULATION_VERSION``, whenever the images or the training change.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from realnet.activations import cpu_threads, normalise, prepare_arrays
from realnet.cornet import CORnetS
from realnet.io import whole_file
from realnet.settings import SimulationSettings
from simulation.stimuli import SIMULATION_VERSION, make_catalogue

BATCH_SIZE = 64
PEAK_LEARNING_RATE = 4e-3

#: The kept network in float16; the metadata hold the settings that it was trained with and its held-out accuracy.
KEPT = Path(__file__).parent / "pretrained" / "cornet_s-simulated.safetensors"
#: The settings that decide the weights.
DECISIVE = ("seed", "image_size", "width", "n_classes", "n_pretraining_images", "pretraining_epochs")


def pretrained_network(catalogue, settings, progress=True):
    """The network of a simulated study: the kept one if it was trained with these settings, else trained here.

    Returns
    -------
    dict
        As the published checkpoint: ``epoch``, ``held_out_accuracy``, ``state_dict`` with ``module.*`` in float32.
    """
    state, held_out = load_kept(settings)
    if state is None:
        network = pretrain(catalogue.pretraining, settings, progress)
        state, held_out = network.state_dict(), accuracy(network, catalogue.held_out)
    return {"epoch": settings.pretraining_epochs, "held_out_accuracy": held_out,
            "state_dict": {f"module.{key}": value for key, value in state.items()}}  # fmt: skip


def load_kept(settings, path=KEPT):
    """Weights (float32) and held-out accuracy of the kept network, or (None, None) if it has other settings."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
        if about["trained_with"] != _trained_with(settings):
            return None, None
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    return {key: _to_float(value, torch.float32) for key, value in state.items()}, about["held_out_accuracy"]


def pretrain(stimuli, settings, progress=True):
    """Train a :class:`~realnet.cornet.CORnetS` to classify images.

    Adam with a one-cycle learning rate; batches are mirrored at random. One thread, so that the weights do not depend
    on the number of cores.

    Parameters
    ----------
    stimuli : simulation.stimuli.Stimuli
    settings : realnet.settings.SimulationSettings

    Returns
    -------
    CORnetS
        In evaluation mode.
    """
    images, labels = prepare_arrays(stimuli.images, settings.image_size), torch.as_tensor(stimuli.category)
    n_batches = len(images) // BATCH_SIZE
    n_steps = settings.pretraining_epochs * n_batches
    with cpu_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = CORnetS(width=settings.width, n_classes=settings.n_classes).to(memory_format=torch.channels_last)
        rng = np.random.default_rng(settings.seed)
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=max(n_steps, 2))
        bar = tqdm(total=n_steps, desc="pretraining", unit=" steps", delay=60, mininterval=60, disable=not progress)
        for _ in range(settings.pretraining_epochs):
            order = torch.from_numpy(rng.permutation(len(images)))
            for rows in order.split(BATCH_SIZE)[:n_batches]:
                batch = images[rows]
                if rng.random() < 0.5:
                    batch = batch.flip(-1)
                loss = nn.functional.cross_entropy(network(normalise(batch)), labels[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
        bar.close()
    return network.to(memory_format=torch.contiguous_format).eval()


@torch.no_grad()
def accuracy(network, stimuli):
    """Share of the stimuli that the network classifies correctly."""
    images = prepare_arrays(stimuli.images, stimuli.images.shape[1])
    answers = torch.cat([network(normalise(part)).argmax(dim=1) for part in images.split(100)])
    return float((answers == torch.as_tensor(stimuli.category)).float().mean())


def keep(settings, path=KEPT):
    """Train the network of ``settings`` and write it, rounded to float16, with the accuracy of the rounded weights."""
    catalogue = make_catalogue(settings)
    network = pretrain(catalogue.pretraining, settings)
    state = {key: _to_float(value, torch.float16) for key, value in network.state_dict().items()}
    network.load_state_dict({key: _to_float(value, torch.float32) for key, value in state.items()})
    about = {"trained_with": _trained_with(settings), "held_out_accuracy": accuracy(network, catalogue.held_out)}
    with whole_file(path) as temporary:
        # one key, because safetensors writes several in a random order
        save_file(state, temporary, metadata={"about": json.dumps(about)})
    return about


def _trained_with(settings):
    """What the weights depend on."""
    return {"version": SIMULATION_VERSION} | {name: getattr(settings, name) for name in DECISIVE}


def _to_float(value, dtype):
    """Tensors of numbers as ``dtype``; the counters of batch norm stay integers."""
    return value.to(dtype) if value.is_floating_point() else value


if __name__ == "__main__":
    print(keep(SimulationSettings()))
