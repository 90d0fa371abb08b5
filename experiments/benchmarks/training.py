"""One training step of the full CORnet-S, and the contrastive loss alone, against the released loop.

The released loop is written out from its description: the teacher is asked at every step, the network runs once for its
classes and once more for the encoder, 256 correlations are made one by one and rebuilt with ``torch.tensor``, the
memory layout is torch's own and so is Adam.
"""

import copy
import warnings
from functools import partial

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn
from torchmetrics.functional import pearson_corrcoef

from experiments.benchmarks.timing import best_of, row
from realnet.activations import normalise
from realnet.alignment import ReAlnet, contrastive_loss
from realnet.cornet import CORnetS
from realnet.settings import TrainingSettings
from realnet.training import build_model, teacher_labels, training_step

N_IMAGES, N_TARGETS, IMAGE_SIZE, BETA = 16, 1024, 224, 40.0
PEER = "the released loop"


def run():
    """Rows: the step in float32 and in bfloat16, the loss detached and with the gradient of the exact Spearman."""
    return [*step_rows(), *loss_rows()]


def plain_pearson(one, other):
    """Pearson correlation of two vectors, the equation as it stands in a textbook."""
    one, other = one - one.mean(), other - other.mean()
    return (one * other).sum() / (one.square().sum() * other.square().sum()).sqrt()


def released_contrastive(predicted, measured, correlation=pearson_corrcoef):
    """The released contrastive loss: 1 - mean of the own correlations + mean of the others, without a gradient."""
    own, others = [], []
    for i in range(len(predicted)):
        for j in range(len(measured)):
            (own if i == j else others).append(correlation(predicted[i], measured[j]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that the gradient is lost here, and it is
        return 1 - torch.tensor(own).mean() + torch.tensor(others).mean()


def released_step(teacher, model, optimizer, images, measured):
    """The released step; returns (class, squared error, contrastive)."""
    images = normalise(images)
    with torch.no_grad():
        labels = teacher(images).argmax(dim=1)
    loss_class = nn.functional.cross_entropy(model.realnet(images), labels)
    predicted = model(images)[1]
    loss_mse = nn.functional.mse_loss(predicted, measured)
    loss_contrastive = released_contrastive(predicted, measured)
    optimizer.zero_grad()
    (loss_class + BETA * (loss_mse + loss_contrastive)).backward()
    optimizer.step()
    return loss_class.item(), loss_mse.item(), loss_contrastive.item()


def step_rows(network=None, image_size=IMAGE_SIZE, repetitions=5):
    """Time both steps from the same weights on the same batch; compare losses and gradients of the first step."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network = network or CORnetS()
    images = torch.from_numpy(rng.integers(0, 256, (N_IMAGES, 3, image_size, image_size), np.uint8))
    measured = torch.from_numpy(rng.standard_normal((N_IMAGES, N_TARGETS), np.float32))
    labels = teacher_labels(network, images, device="cpu")

    torch.manual_seed(1)
    model = ReAlnet(copy.deepcopy(network), N_TARGETS, image_size=image_size).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-5)
    expected = released_step(network.eval(), model, optimizer, images, measured)
    gradient = _gradient(model)
    peer_seconds, _ = best_of(lambda: released_step(network, model, optimizer, images, measured), n=repetitions)
    del model, optimizer
    for precision, must, aim, limit in (("float32", 2.5, 3.2, 3.5), ("bfloat16", None, 6.3, 6.9)):
        torch.manual_seed(1)
        settings = TrainingSettings(contrastive="detached", precision=precision)
        model, optimizer = build_model(copy.deepcopy(network), N_TARGETS, image_size, settings)
        model.train()
        losses = training_step(model, optimizer, images, labels, measured, BETA, settings)
        ours = [losses["loss_class"].item(), losses["loss_mse"].item(), losses["loss_contrastive"].item() + 1]
        difference = (_gradient(model) - gradient).norm() / gradient.norm()
        settings = TrainingSettings(precision=precision)  # timed with what trains: the exact Spearman and its gradient
        step = partial(training_step, model, optimizer, images, labels, measured, BETA, settings)
        our_seconds, _ = best_of(step, n=repetitions)
        agreement = (
            f"detached: largest difference of the losses {np.abs(np.subtract(ours, expected)).max():.1e}, "
            f"relative difference of the gradient {difference:.1e}"
        )
        work = f"training step, CORnet-S, batch {N_IMAGES}, {image_size}x{image_size}, {precision}"
        note = "ours is timed with the gradient of the exact Spearman; labels are computed once before training"
        yield row(work, PEER, peer_seconds, our_seconds, agreement, must, note, aim=aim, limit=limit)


def loss_rows(n_targets=N_TARGETS, repetitions=20):
    """The contrastive loss of one batch: the released one with torchmetrics and with a plain function, ours twice."""
    generator = torch.Generator().manual_seed(0)
    measured = torch.randn(N_IMAGES, n_targets, generator=generator)
    predicted = (torch.randn(N_IMAGES, n_targets, generator=generator) + measured).requires_grad_()
    detached = predicted.detach()

    def with_gradient():
        loss = contrastive_loss(predicted, measured)
        return loss, torch.autograd.grad(loss, predicted)

    peer_seconds, peer = best_of(lambda: released_contrastive(predicted, measured))
    plain_seconds, plain = best_of(lambda: released_contrastive(predicted, measured, plain_pearson))
    seconds, ours = best_of(lambda: contrastive_loss(detached, measured, "pearson"), n=repetitions)
    ours = ours.item() + 1  # the released value is ours plus 1
    work = f"contrastive loss alone, {N_IMAGES}x{N_IMAGES} correlations of {n_targets} components"
    agreement = f"difference {abs(ours - peer.item()):.1e}"
    yield row(f"{work}, detached", f"{PEER}, torchmetrics", peer_seconds, seconds, agreement, 200, aim=800)
    agreement = f"difference {abs(ours - plain.item()):.1e}"
    yield row(f"{work}, detached", f"{PEER}, a plain function", plain_seconds, seconds, agreement)
    seconds, (loss, _) = best_of(with_gradient, n=repetitions)
    r = spearmanr(detached.numpy(), measured.numpy(), axis=1).statistic[:N_IMAGES, N_IMAGES:]
    exact = (r.sum() - np.trace(r)) / (N_IMAGES * (N_IMAGES - 1)) - np.trace(r) / N_IMAGES
    agreement = f"difference to the equation with scipy's Spearman {abs(loss.item() - exact):.1e}"
    note = "the peer's is a Pearson without a gradient"
    work += ", Spearman with its gradient"
    yield row(work, f"{PEER}, torchmetrics", peer_seconds, seconds, agreement, 40, note, 150)


def _gradient(model):
    """All gradients in one vector, in the order of the weights' names."""
    return torch.cat([weights.grad.contiguous().flatten() for _, weights in sorted(model.named_parameters())])
