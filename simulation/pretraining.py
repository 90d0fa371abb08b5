"""A small CORnet-S learns the categories of its world before any brain teaches it."""

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from realnet.activations import cpu_threads, normalise, prepare_arrays
from realnet.cornet import CORnetS

BATCH_SIZE = 64
PEAK_LEARNING_RATE = 4e-3


def pretrain(pictures, labels, settings, progress=True):
    """Train a :class:`~realnet.cornet.CORnetS` to name the category of a picture.

    Parameters
    ----------
    pictures : uint8 array (n, size, size, 3)
    labels : int array (n,)
    settings : realnet.settings.SimulationSettings

    Returns
    -------
    CORnetS
        In evaluation mode. The learning rate rises and falls once (Adam); pictures are mirrored at random. One thread,
        so that the weights do not depend on the number of cores, nor on what else they do: a minute or so in the demo.
    """
    images, labels = prepare_arrays(pictures, settings.image_size), torch.as_tensor(labels)
    with cpu_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = CORnetS(width=settings.width, n_classes=settings.n_classes).to(memory_format=torch.channels_last)
        rng = np.random.default_rng(settings.seed)
        n_steps = settings.pretraining_epochs * (len(images) // BATCH_SIZE)
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=max(n_steps, 2))
        bar = tqdm(total=n_steps, desc="pretraining", disable=not progress)
        for _ in range(settings.pretraining_epochs):
            order = torch.from_numpy(rng.permutation(len(images)))
            for rows in order.split(BATCH_SIZE)[: len(images) // BATCH_SIZE]:
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
def accuracy(network, pictures, labels):
    """Share of pictures whose category the network names."""
    images = prepare_arrays(pictures, pictures.shape[1])
    named = torch.cat([network(normalise(part)).argmax(dim=1) for part in images.split(100)])
    return float((named == torch.as_tensor(labels)).float().mean())
