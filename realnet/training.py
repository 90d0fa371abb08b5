"""One training run: a CORnet-S and its encoder learn from the pictures one person saw and what that brain did."""

import ctypes
import hashlib
import inspect
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from realnet import alignment, cornet
from realnet.activations import batches, cpu_threads, normalise, pick_device
from realnet.alignment import ReAlnet, contrastive_loss
from realnet.errors import InvalidInput
from realnet.io import whole_file

#: Seconds between two checkpoints inside an epoch; one is also written after every epoch.
CHECKPOINT_SECONDS = 60

LOSSES = ("loss_class", "loss_mse", "loss_contrastive", "loss_total")


@torch.no_grad()
def teacher_labels(network, images, batch_size=50, device="auto"):
    """The class that a network in evaluation mode gives each image: int64 tensor (n_images,), on the CPU.

    Computed once before training: the teacher is frozen, so that its labels never change (paper, Methods).
    """
    device = pick_device(device)
    network = network.to(device).eval()
    parts = [
        network(normalise(images[part].to(device))).argmax(dim=1).cpu() for part in batches(len(images), batch_size)
    ]
    return torch.cat(parts)


def alignment_losses(model, images, labels, measured, beta, contrastive="spearman"):
    """The losses of one batch (paper, Methods): L = L_class + beta (L_mse + L_contrast).

    Parameters
    ----------
    model : ReAlnet
    images : float tensor (N, 3, height, width), normalised
    labels : int64 tensor (N,), the teacher's
    measured : tensor (N, n_targets), fMRI components of the same images
    beta : float
    contrastive : {"spearman", "pearson", "detached", "none"}
        ``detached`` adds the value (Pearson) without a gradient, as the released notebook does; ``none`` leaves it out.

    Returns
    -------
    dict name -> scalar tensor
        ``loss_class loss_mse loss_contrastive loss_total``; only the last is to be differentiated.
    """
    logits, predicted = model(images)
    predicted = predicted.float()
    loss_class = nn.functional.cross_entropy(logits.float(), labels)
    # at beta 0 (Control) the encoder has no say: its losses are watched, not followed
    # and in full precision, whatever that of the network: sums of ranks do not fit into bfloat16
    with (
        torch.set_grad_enabled(beta > 0 and torch.is_grad_enabled()),
        torch.autocast(images.device.type, enabled=False),
    ):
        loss_mse = nn.functional.mse_loss(predicted, measured)
        if contrastive == "none":
            loss_contrastive = torch.zeros_like(loss_mse)
        elif contrastive == "detached":
            loss_contrastive = contrastive_loss(predicted.detach(), measured, "pearson")
        else:
            loss_contrastive = contrastive_loss(predicted, measured, contrastive)
    loss_total = loss_class + beta * (loss_mse + loss_contrastive) if beta > 0 else loss_class
    return dict(zip(LOSSES, (loss_class, loss_mse, loss_contrastive, loss_total), strict=True))


def reuse_memory():
    """Have the C library keep the memory that a step on the CPU frees for the next one (glibc; elsewhere nothing).

    A step asks for gigabytes and frees them; when they go back to the kernel each time, fetching them again page by
    page takes about a tenth of the step. The process then holds on to its peak until it ends.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(-4, 0)  # M_MMAP_MAX: no block of its own for a large tensor
        mallopt(-1, -1)  # M_TRIM_THRESHOLD: never hand back


def build_model(network, n_targets, image_size, settings, device="cpu"):
    """The encoder around a network, laid out as convolutions like it best, and its optimizer: (ReAlnet, Adam)."""
    if torch.device(device).type == "cpu":
        reuse_memory()
    model = ReAlnet(network, n_targets, settings.n_hidden, image_size, settings.layers)
    model = model.to(device, memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = settings.batch_norm_momentum
    return model, torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)


def batch_losses(model, images, labels, measured, beta, settings):
    """:func:`alignment_losses` of uint8 ``images`` (N, 3, height, width), under the precision of the settings."""
    inputs = normalise(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=settings.precision == "bfloat16"):
        return alignment_losses(model, inputs, labels, measured, beta, settings.contrastive)


def training_step(model, optimizer, images, labels, measured, beta, settings):
    """Follow the gradient of one batch by one step; returns the losses before it, as :func:`batch_losses` does."""
    losses = batch_losses(model, images, labels, measured, beta, settings)
    optimizer.zero_grad(set_to_none=True)
    losses["loss_total"].backward()
    optimizer.step()
    return losses


def align(
    network, images, targets, settings, *, beta, seed=0, test=None, device="auto", checkpoint=None, progress=True
):
    """Train a network and its image-to-fMRI encoder on one person's responses.

    Parameters
    ----------
    network : CORnetS
        The pretrained network, which also is the teacher; it is changed in place.
    images : tensor, uint8, shape (n_images, 3, size, size)
    targets : array (n_images, n_components)
        The person's fMRI components, row by row the response to the same image.
    settings : realnet.settings.TrainingSettings
    beta : float
        Weight of the brain; 0 is Control.
    seed : int
        Of the encoder's first weights and of the order of the images.
    test : (images, targets), optional
        Watched after every epoch; it only decides anything where ``settings.selection`` is ``best_test_loss``.
    checkpoint : path, optional
        Written in between; where it exists, training goes on from there and ends with the same weights bit by bit
        (same machine). The caller removes it when the result is safe.

    Returns
    -------
    model : ReAlnet
        In evaluation mode, on the CPU.
    history : DataFrame
        Columns ``epoch split metric value``; epoch 0 is the state before training.
    """
    device = pick_device(device)
    for shown, responses in [(images, targets), *([test] if test is not None else [])]:
        if len(shown) != len(responses) or len(shown) < 2:
            raise InvalidInput(
                f"{len(shown)} images and {len(responses)} responses: there must be one response an image, and two"
                " images or more"
            )
        if shown.dtype != torch.uint8:
            raise InvalidInput(
                f"align expects images as uint8, 0 to 255 (realnet.activations.load_images), not {shown.dtype}"
            )
    if settings.selection == "best_test_loss" and test is None:
        raise InvalidInput("selection best_test_loss needs test images and responses: give `test`, or select the last")
    if not np.isfinite(np.asarray(targets)).all():
        raise InvalidInput("the fMRI components hold NaN or infinite values: run notebooks/01_data.ipynb again")
    with cpu_threads(settings.threads):
        run = _Run(network, images, targets, settings, beta, seed, test, device)
        if checkpoint is not None and Path(checkpoint).exists():
            run.restore(checkpoint)
        elif run.epoch == 0:
            run.watch_test()
        with tqdm(total=settings.epochs * run.n_steps, initial=run.step, desc="training", disable=not progress) as bar:
            while run.epoch < settings.epochs:
                run.train_epoch(bar, checkpoint)
        return run.finish()


class _Run:
    """All that changes while one network is trained, so that it can be written down and taken up again."""

    def __init__(self, network, images, targets, settings, beta, seed, test, device):
        self.settings, self.beta, self.seed, self.device = settings, beta, seed, device
        # everything lives on the device: inside an epoch nothing waits for the CPU
        self.images = images.to(device)
        self.targets = torch.as_tensor(np.asarray(targets), dtype=torch.float32).to(device)
        self.labels = teacher_labels(network, images, device=device).to(device)
        self.test = None
        if test is not None:
            test_images, test_targets = test
            labels = teacher_labels(network, test_images, device=device).to(device)
            test_targets = torch.as_tensor(np.asarray(test_targets), dtype=torch.float32).to(device)
            self.test = (test_images.to(device), labels, test_targets)
        torch.manual_seed(seed)
        self.model, self.optimizer = build_model(network, self.targets.shape[1], images.shape[-1], settings, device)
        self.epoch, self.step, self.history = 0, 0, []
        self.sums = torch.zeros(len(LOSSES), device=device)
        self.best = None  # (test loss, weights), for selection "best_test_loss" alone
        self.n_steps = len(batches(len(images), settings.batch_size))
        self.identity = self._identity(images, targets, test)

    def train_epoch(self, bar, checkpoint):
        """The rest of the current epoch, from the step at which it stands."""
        self.model.train()
        if self.settings.batch_norm == "frozen":
            for module in self.model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        # the order follows from seed and epoch alone, so that a resumed run needs no generator state
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.images))
        order = torch.from_numpy(order).to(self.device)
        parts = _at_least_two(batches(len(order), self.settings.batch_size))
        saved = time.monotonic()
        for part in parts[self.step - self.epoch * self.n_steps :]:
            rows = order[part]
            batch = self.images[rows], self.labels[rows], self.targets[rows]
            losses = training_step(self.model, self.optimizer, *batch, self.beta, self.settings)
            self.sums += torch.stack([losses[name].detach() for name in LOSSES]) * len(rows)
            self.step += 1
            bar.update()
            if checkpoint is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save(checkpoint)
                saved = time.monotonic()
        self.step = (self.epoch + 1) * self.n_steps
        self.epoch += 1
        if not torch.isfinite(self.sums).all():
            raise InvalidInput(
                f"the training has diverged: a loss of epoch {self.epoch} is not finite; lower training.learning_rate"
                " (or the beta) in the study file"
            )
        self.note("training", self.sums / len(order))
        self.sums.zero_()
        self.watch_test()
        if checkpoint is not None:
            self.save(checkpoint)

    @torch.no_grad()
    def watch_test(self):
        """Losses on the test images in evaluation mode, one batch at a time as in training."""
        if self.test is None:
            return
        self.model.eval()
        images, labels, targets = self.test
        sums = torch.zeros(len(LOSSES), device=self.device)
        for part in _at_least_two(batches(len(images), self.settings.batch_size)):
            batch = images[part], labels[part], targets[part]
            losses = batch_losses(self.model, *batch, self.beta, self.settings)
            sums += torch.stack([losses[name] for name in LOSSES]) * (part.stop - part.start)
        means = sums / len(images)
        self.note("test", means)
        if self.settings.selection == "best_test_loss" and self.epoch > 0:
            loss = means[LOSSES.index("loss_total")].item()
            if self.best is None or loss < self.best[0]:
                self.best = (loss, {key: value.detach().clone() for key, value in self.model.state_dict().items()})

    def note(self, split, means):
        """Add one row per loss to the history."""
        for name, value in zip(LOSSES, means.tolist(), strict=True):
            self.history.append({"epoch": self.epoch, "split": split, "metric": name, "value": value})

    def _identity(self, images, targets, test):
        """What must be equal for a checkpoint to be continued: settings, first weights, data and code."""
        digest = hashlib.sha256()
        for array in (*self.model.state_dict().values(), images, targets, *(test or ())):
            digest.update(np.ascontiguousarray(torch.as_tensor(array).cpu()).data)
        for module in (alignment, cornet, sys.modules[__name__]):
            digest.update(inspect.getsource(module).encode())
        return {"settings": self.settings.model_dump_json(), "beta": float(self.beta), "seed": self.seed,
                "torch": str(torch.__version__), "data_and_code": digest.hexdigest()}  # fmt: skip

    def save(self, path):
        """Write everything that the rest of the run depends on, whole or not at all."""
        state = {
            "identity": self.identity, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch, "step": self.step, "sums": self.sums, "history": self.history, "best": self.best,
        }  # fmt: skip
        with whole_file(path) as temporary:
            torch.save(state, temporary)

    def restore(self, path):
        """Take a run up where :meth:`save` left it; a checkpoint of another run or a broken one is put aside."""
        try:
            with zipfile.ZipFile(path) as archive:  # torch does not look at the sums that it writes
                sound = archive.testzip() is None
            state = torch.load(path, map_location=self.device, weights_only=True)
            same = sound and state["identity"] == self.identity
        except Exception:  # cut short or damaged: torch raises many kinds
            same = False
        if not same:
            print(f"{path} belongs to other settings, data or code, or is damaged: training starts from the beginning")
            self.watch_test()
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name in ("epoch", "step", "sums", "history", "best"):
            setattr(self, name, state[name])

    def finish(self):
        """The trained model on the CPU and its history."""
        if self.best is not None:
            self.model.load_state_dict(self.best[1])
        model = self.model.to("cpu", memory_format=torch.contiguous_format).eval()
        return model, pd.DataFrame(self.history, columns=["epoch", "split", "metric", "value"])


def _at_least_two(parts):
    """Join a last batch of a single image to the one before: neither batch norm nor the contrast can use it alone."""
    if len(parts) > 1 and parts[-1].stop - parts[-1].start == 1:
        parts = [*parts[:-2], slice(parts[-2].start, parts[-1].stop)]
    return parts
