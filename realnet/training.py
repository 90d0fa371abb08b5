"""One training run: CORnet-S and its encoder are aligned with the fMRI responses of one subject."""

import ctypes
import hashlib
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from realnet.activations import batches, cpu_threads, cuda_arithmetic, device_name, normalise, pick_device
from realnet.alignment import ReAlnet, contrastive_loss, similarity_loss
from realnet.errors import InvalidInput
from realnet.io import whole_file

CHECKPOINT_SECONDS = 60  # between two checkpoints within an epoch; one is also written after every epoch
#: What is logged for each ``training.loss``; the last is the sum that is trained on.
LOSSES = {
    "encoding": ("loss_class", "loss_mse", "loss_contrastive", "loss_total"),
    "similarity": ("loss_class", "loss_similarity", "loss_total"),
    "both": ("loss_class", "loss_mse", "loss_contrastive", "loss_similarity", "loss_total"),
}


@torch.no_grad()
def teacher_labels(network, images, batch_size=50, device="auto"):
    """The class that a frozen network gives to each uint8 image (paper, Methods): int64 tensor (n_images,)."""
    device = pick_device(device)
    network = network.to(device).eval()
    parts = [network(normalise(images[part].to(device))).argmax(dim=1) for part in batches(len(images), batch_size)]
    return torch.cat(parts).cpu()


def alignment_losses(model, images, labels, measured, beta, settings):
    r"""The losses of one batch; those of the paper (Methods) with ``settings.loss`` ``encoding``.

    .. math:: L = L_\text{class} + \beta (L_\text{MSE} + L_\text{contrastive}),\quad
        L = L_\text{class} + \beta L_\text{similarity}\quad\text{or all four}

    Parameters
    ----------
    model : ReAlnet
    images, labels, measured : tensors (N, 3, height, width), (N,), (N, n_targets)
        uint8 images, the classes that the network gave them before training, and their fMRI components. Their Gram
        matrix (products of the components) is 1 - the RDM of :func:`realnet.alignment.similarity_loss`.
    beta : float
    settings : realnet.settings.TrainingSettings
        ``precision`` is that of the network; losses are in float32, because sums of ranks exceed bfloat16.

    Returns
    -------
    dict name (:data:`LOSSES`) -> scalar tensor; only the last is to be differentiated
    """
    inputs = normalise(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=settings.precision == "bfloat16"):
        logits, predicted, layers = model.outputs(inputs)
    logits, predicted = logits.float(), predicted.float()
    losses = {"loss_class": nn.functional.cross_entropy(logits, labels)}
    # at beta 0 (Control) the losses of the responses are logged, not back-propagated
    with torch.set_grad_enabled(beta > 0 and torch.is_grad_enabled()):
        if settings.loss != "similarity":
            losses["loss_mse"] = nn.functional.mse_loss(predicted, measured)
            none, kind = torch.zeros_like(losses["loss_mse"]), settings.contrastive
            if kind == "detached":  # as in the released notebook, the value has no gradient
                predicted, kind = predicted.detach(), "pearson"
            losses["loss_contrastive"] = none if kind == "none" else contrastive_loss(predicted, measured, kind)
        if settings.loss != "encoding":
            rdm = 1 - (measured @ measured.T)[tuple(torch.triu_indices(len(measured), len(measured), 1))]
            losses["loss_similarity"] = similarity_loss([layer.float() for layer in layers], rdm)
    loss_class, *others = losses.values()
    return losses | {"loss_total": loss_class + beta * sum(others) if beta > 0 else loss_class}


def reuse_memory():
    """Keep freed memory in this process (glibc): requesting it anew takes a tenth of a training step on the CPU."""
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large tensor
        mallopt(-1, -1)  # M_TRIM_THRESHOLD: return nothing to the system


def build_model(network, n_targets, image_size, settings, device="cpu"):
    """The encoder around a network and its optimizer: (ReAlnet, Adam)."""
    reuse_memory()
    model = ReAlnet(network, n_targets, settings.n_hidden, image_size, settings.layers)
    model = model.to(device, memory_format=torch.channels_last)  # the fastest layout of convolutions
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = settings.batch_norm_momentum
    return model, torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)


def training_step(model, optimizer, images, labels, measured, beta, settings):
    """One step of the optimizer; returns the losses before it, as :func:`alignment_losses` does."""
    losses = alignment_losses(model, images, labels, measured, beta, settings)
    optimizer.zero_grad(set_to_none=True)
    losses["loss_total"].backward()
    optimizer.step()
    return losses


def align(network, images, targets, settings, *, beta, seed=0, test=None, checkpoint=None, progress=True):
    """Train a network and its image-to-fMRI encoder on the responses of one subject.

    Parameters
    ----------
    network : CORnetS, pretrained, which also gives the labels; it is changed in place
    images, targets : uint8 tensor (n_images, 3, size, size), fMRI components (n_images, n_components)
    settings : realnet.settings.TrainingSettings
    beta, seed : float, int
        Weight of the fMRI losses (0: Control); seed of the encoder's initial weights and of the order of the images.
    test : (images, targets), optional
        Their losses are logged after every epoch; ``settings.selection`` ``best_test_loss`` selects an epoch by them.
    checkpoint : path, optional
        Written during training and resumed on the same kind of device, bit-identical; the caller removes it.
    progress : bool, print about one line per minute on stderr, and nothing in the first minute

    Returns
    -------
    model : ReAlnet, in evaluation mode on the CPU
    history : DataFrame ``epoch split metric value``; epoch 0 is the state before training
    """
    for shown, responses in [(images, targets), *([test] if test is not None else [])]:
        if len(shown) != len(responses) or len(shown) < 2:
            raise InvalidInput(f"{len(shown)} images and {len(responses)} responses: expected equally many, at least 2")
    if settings.selection == "best_test_loss" and test is None:
        raise InvalidInput("selection best_test_loss needs test images and responses: give `test`, or select the last")
    with cpu_threads(settings.threads), cuda_arithmetic(settings.tf32, settings.deterministic):
        run = _Run(network, images, targets, settings, beta, seed, test, pick_device(settings.device), checkpoint)
        if not run.restore():
            run.log_test()
        options = {"desc": "training", "delay": 60, "mininterval": 60, "disable": not progress}
        with tqdm(total=settings.epochs * run.n_steps, initial=run.step, **options) as bar:
            while run.epoch < settings.epochs:
                run.train_epoch(bar)
    if run.best is not None:
        run.model.load_state_dict(run.best[1])
    model = run.model.to("cpu", memory_format=torch.contiguous_format).eval()
    return model, pd.DataFrame(run.history, columns=["epoch", "split", "metric", "value"])


class _Run:
    """The state of one training run, so that it can be saved and resumed."""

    def __init__(self, network, images, targets, settings, beta, seed, test, device, checkpoint):
        self.settings, self.beta, self.seed, self.device, self.checkpoint = settings, beta, seed, device, checkpoint

        def on_device(images, targets):  # all data: within an epoch nothing waits for the CPU
            targets = torch.as_tensor(np.asarray(targets)).float()
            return [x.to(device) for x in (images, teacher_labels(network, images, device=device), targets)]

        self.training = on_device(images, targets)
        self.test = None if test is None else on_device(*test)
        torch.manual_seed(seed)
        self.model, self.optimizer = build_model(network, targets.shape[1], images.shape[-1], settings, device)
        self.epoch, self.step, self.history, self.best = 0, 0, [], None  # best: (test loss, weights)
        self.losses, self.saved = LOSSES[settings.loss], time.monotonic()
        self.sums = torch.zeros(len(self.losses), device=device)
        self.n_steps = len(_whole_batches(len(images), settings))
        digest = hashlib.sha256()
        for array in (*self.model.state_dict().values(), images, targets, *(test or ())):
            digest.update(np.ascontiguousarray(torch.as_tensor(array).cpu()).data)
        self.identity = {"settings": settings.model_dump_json(), "beta": float(beta), "device": device_name(device),
                         "seed": seed, "torch": str(torch.__version__), "data": digest.hexdigest()}  # fmt: skip

    def train_epoch(self, bar):
        """Train from the current step to the end of its epoch."""
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train(self.settings.batch_norm == "train")
        # the order depends only on seed and epoch: resuming needs no state of a random generator
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.training[0]))
        order = torch.from_numpy(order).to(self.device)
        for part in _whole_batches(len(order), self.settings)[self.step - self.epoch * self.n_steps :]:
            batch = [values[order[part]] for values in self.training]
            losses = training_step(self.model, self.optimizer, *batch, self.beta, self.settings)
            self.sums += torch.stack([losses[name].detach() for name in self.losses]) * (part.stop - part.start)
            self.step += 1
            bar.update()
            if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                self.save()
        self.epoch += 1
        if not self.sums.isfinite().all():
            raise InvalidInput(f"the training diverged in epoch {self.epoch}: lower training.learning_rate or beta")
        self.log("training", self.sums / len(order))
        self.sums.zero_()
        self.log_test()
        self.save()

    @torch.no_grad()
    def log_test(self):
        """Log the losses on the test images in evaluation mode, in batches as in training."""
        if self.test is None:
            return
        self.model.eval()
        sums, n_images, settings = torch.zeros_like(self.sums), len(self.test[0]), self.settings
        for part in _whole_batches(n_images, settings):
            batch = [values[part] for values in self.test]
            losses = alignment_losses(self.model, *batch, self.beta, settings)
            sums += torch.stack([losses[name] for name in self.losses]) * (part.stop - part.start)
        self.log("test", sums / n_images)
        total = self.history[-1][-1]
        if settings.selection == "best_test_loss" and self.epoch and (self.best is None or total < self.best[0]):
            self.best = (total, {key: value.detach().clone() for key, value in self.model.state_dict().items()})

    def log(self, split, means):
        """Add one row per loss to the history."""
        self.history += [(self.epoch, split, *pair) for pair in zip(self.losses, means.tolist(), strict=True)]

    def save(self):
        """Write everything on which the rest of the run depends."""
        if self.checkpoint is not None:
            state = {name: getattr(self, name) for name in ("identity", "epoch", "step", "sums", "history", "best")}
            state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            with whole_file(self.checkpoint) as temporary:
                torch.save(state, temporary)
            self.saved = time.monotonic()

    def restore(self):
        """Resume from the checkpoint; False if there is none, or it belongs to another run or is damaged."""
        if self.checkpoint is None or not Path(self.checkpoint).exists():
            return False
        try:
            intact = zipfile.ZipFile(self.checkpoint).testzip() is None  # torch does not verify its checksums
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            found = dict(state["identity"]) if intact else {}
        except Exception:  # torch raises pickle, zip, runtime and EOF errors
            found = {}
        if found != self.identity:
            why, own = "belongs to other settings or data, or is damaged", self.identity["device"]
            if found | {"device": own} == self.identity:
                why = f"was begun on another kind of device ({found['device']}; this is {own})"
            print(f"{self.checkpoint} {why}: training starts again")
            return False
        self.model.load_state_dict(state.pop("model"))
        self.optimizer.load_state_dict(state.pop("optimizer"))
        self.__dict__.update(state)
        return True


def _whole_batches(n, settings):
    """:func:`batches`; a last one of fewer than two images (three, where pairs are correlated) joins the one before."""
    parts, least = batches(n, settings.batch_size), 2 if settings.loss == "encoding" else 3
    if len(parts) > 1 and parts[-1].stop - parts[-1].start < least:
        parts = [*parts[:-2], slice(parts[-2].start, parts[-1].stop)]
    return parts
