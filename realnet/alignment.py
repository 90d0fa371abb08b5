"""The image-to-fMRI encoder around CORnet-S, and the contrastive loss that aligns both with a subject's fMRI."""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from realnet.cornet import LAYERS, bare_state_dict, layer_sizes, load_state, read_checkpoint
from realnet.errors import InvalidInput, MissingInput


class ReAlnet(nn.Module):
    """A CORnet-S whose four layers together predict the fMRI response to an image (paper, Methods).

    Each layer is flattened and mapped to ``n_hidden`` rectified units (``fc_v1 fc_v2 fc_v4 fc_it``); their
    concatenation is mapped linearly to the ``n_targets`` principal components of the response (``fc``).

    Parameters
    ----------
    network : CORnetS, trained together with the encoder; stored as ``self.realnet``, its key in the authors' files
        (or another module with ``activations``, of which ``decoder`` reads the last into logits)
    n_targets, n_hidden, image_size : int
    layers : sequence of str, those that are read out: all four in the paper, a subset in the ablation
    """

    def __init__(self, network, n_targets=1024, n_hidden=128, image_size=224, layers=LAYERS):
        super().__init__()
        self.realnet = network
        self.layers = tuple(layers)
        sizes = layer_sizes(network, image_size)
        for layer in self.layers:
            self.add_module(f"fc_{layer.lower()}", nn.Linear(sizes[layer], n_hidden))
        self.fc = nn.Linear(n_hidden * len(self.layers), n_targets)

    def forward(self, images):
        """Return (logits (N, n_classes), predicted components (N, n_targets)) from one pass of the network."""
        return self.outputs(images)[:2]

    def outputs(self, images):
        """Logits, predicted components and the activations of the layers read out (list), from one pass."""
        states = self.realnet.activations(images)
        layers = [states[layer] for layer in self.layers]
        heads = [getattr(self, f"fc_{layer.lower()}") for layer in self.layers]
        hidden = [torch.relu(head(layer.flatten(1))) for head, layer in zip(heads, layers, strict=True)]
        return self.realnet.decoder(list(states.values())[-1]), self.fc(torch.cat(hidden, dim=1)), layers


class _SoftRank(torch.autograd.Function):
    """Exact average ranks forward; backward as if every value moved alone, through the density of its own row.

    d rank_k / d x_k = (j - i) / (x_(j) - x_(i)): how many values x_k overtakes per unit between x_(i) and x_(j), which
    are max(n / 16, sqrt(n)) places below and above it. Where neighbours tie it is at most 10 n / sd, 25 times that in
    the middle of a normally distributed row. The gradient is projected orthogonally to shift and scale of the row, to
    which ranks are invariant; it is zero for a constant row.
    """

    @staticmethod
    def forward(ctx, values):
        """Ranks along the last axis."""
        ranks = exact_rank(values)
        ctx.save_for_backward(values, ranks)
        return ranks

    @staticmethod
    def backward(ctx, gradient):
        """The gradient with respect to the values."""
        values, ranks = ctx.saved_tensors
        n, place, ordered = values.shape[-1], ranks.long() - 1, values.sort(dim=-1).values
        k = max(n // 16, math.isqrt(n))
        low, high = (place - k).clamp(0, n - 1), (place + k).clamp(0, n - 1)
        gap = (ordered.gather(-1, high) - ordered.gather(-1, low)).clamp_min(torch.finfo(values.dtype).tiny)
        sd = values.std(dim=-1, keepdim=True, correction=0)
        sd = torch.where(sd > _rounding(values), sd, torch.inf)
        z = (values - values.mean(dim=-1, keepdim=True)) / sd
        passed = gradient * torch.minimum((high - low) / gap, 10 * n / sd)
        return passed - passed.mean(dim=-1, keepdim=True) - z * (passed * z).mean(dim=-1, keepdim=True)


def exact_rank(values):
    """Ranks of a tensor (..., n) from 1 along the last axis; as ``scipy.stats.rankdata``, also for ties and NaN."""
    if values.device.type == "cpu":  # numpy sorts a batch six times faster than torch
        order = torch.from_numpy(np.argsort(values.detach().numpy(), axis=-1))
        ordered = values.gather(-1, order)
    else:
        ordered, order = values.sort(dim=-1)
    ascending = torch.arange(1, values.shape[-1] + 1, dtype=values.dtype, device=values.device).expand_as(ordered)
    # a run of ties begins where the sorted value changes; its members share the mean of first and last rank
    begins = torch.ones_like(ordered, dtype=torch.bool)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    ends = torch.ones_like(begins)
    ends[..., :-1] = begins[..., 1:]
    first = torch.where(begins, ascending, torch.zeros_like(ascending)).cummax(dim=-1).values
    far = torch.where(ends, ascending, torch.full_like(ascending, values.shape[-1] + 1))
    last = far.flip(-1).cummin(dim=-1).values.flip(-1)
    ranks = torch.empty_like(ordered).scatter_(-1, order, (first + last) / 2)
    return torch.where(ordered[..., -1:].isnan(), torch.nan, ranks)  # NaN is sorted to the end


def correlation_matrix(predicted, measured, correlation="spearman"):
    """Correlation of every predicted pattern with every measured one.

    Parameters
    ----------
    predicted, measured : tensor (N, n_targets)
        Computed in the wider of the two types, at least float32.
    correlation : {"spearman", "pearson"}
        Spearman has the exact value and a smooth gradient (:class:`_SoftRank`).

    Returns
    -------
    tensor (N, N)
        Rows: predicted, columns: measured patterns. 0 for a constant pattern, NaN for one with a NaN.
    """
    if correlation not in ("spearman", "pearson"):
        raise InvalidInput(f"correlation is {correlation!r}, expected 'spearman' or 'pearson'")
    predicted, measured = torch.as_tensor(predicted), torch.as_tensor(measured)
    kind = torch.promote_types(torch.promote_types(predicted.dtype, measured.dtype), torch.float32)
    predicted, measured = predicted.to(kind), measured.to(kind)
    if predicted.shape != measured.shape or predicted.ndim != 2:
        raise InvalidInput(f"predicted {tuple(predicted.shape)} and measured {tuple(measured.shape)} must be (N, n)")
    if correlation == "spearman":
        predicted, measured = _SoftRank.apply(predicted), exact_rank(measured)
    return _standardise(predicted) @ _standardise(measured).T


def contrastive_loss(predicted, measured, correlation="spearman"):
    r"""The contrastive part of the alignment loss (paper, Methods).

    .. math:: L = \frac1N \sum_i (1 - r(P_i, M_i)) - \frac{1}{N(N-1)} \sum_{i \ne j} (1 - r(P_i, M_j))

    Parameters
    ----------
    predicted, measured : tensor (N, n_targets)
    correlation : {"spearman", "pearson"}

    Returns
    -------
    scalar tensor
        From -2 to 2, with a gradient in both cases. The released notebook reports this value plus 1, without gradient.
    """
    r = correlation_matrix(predicted, measured, correlation)
    n = len(r)
    mismatched = (r.sum() - r.diagonal().sum()) / (n * (n - 1))
    return mismatched - r.diagonal().mean()


def similarity_loss(activations, rdm):
    r"""One minus the similarity of the representations of a batch in the layers with those in a brain.

    .. math:: L = \frac1{n_\ell} \sum_\ell \Bigl(1 - r\bigl(\{G^\ell_{ij}\}_{i<j}, \{1 - d_{ij}\}_{i<j}\bigr)\Bigr),
        \quad G^\ell = Z_\ell Z_\ell^\top

    Z: activations of a layer, standardised for each image (mean 0, length 1); r: Pearson's correlation over pairs.

    Parameters
    ----------
    activations : list of tensors (N, ...), one per layer, of three images or more
    rdm : tensor or array (N (N - 1) / 2,), condensed, 1 - Pearson of the same images in the brain

    Returns
    -------
    scalar tensor, from 0 to 2, with a gradient; a layer whose entries are all equal has r = 0
    """
    n = len(activations[0])
    brain = 1 - torch.as_tensor(rdm).to(activations[0])
    if n < 3 or brain.shape != (n * (n - 1) // 2,):
        raise InvalidInput(f"{n} images and an RDM of shape {tuple(brain.shape)}: expected 3 or more, and their pairs")
    upper, layers = tuple(torch.triu_indices(n, n, 1)), [_standardise(layer.flatten(1)) for layer in activations]
    r = torch.stack([_standardise((layer @ layer.T)[upper]) @ _standardise(brain) for layer in layers])
    return 1 - r.mean()


def load_realnet(path):
    """Load an aligned CORnet-S, in evaluation mode on the CPU.

    Parameters
    ----------
    path : path
        A file of ours (``sub-01_beta-40_seed-0.safetensors``), or the authors' ``encoder.pt`` (keys
        ``realnet.module.*`` and ``fc*``) or ``realnet.pt`` (keys ``module.*``).

    Returns
    -------
    CORnetS, without the encoder's readouts
    """
    if Path(path).suffix == ".safetensors":
        try:
            state = load_file(path)
        except FileNotFoundError as error:
            raise MissingInput(f"there is no network at {path}: run notebooks/02_training.ipynb first") from error
        except Exception as error:
            raise InvalidInput(f"{path} is not a complete safetensors file ({error}): train it again") from error
    else:
        state = bare_state_dict(read_checkpoint(path), path)
    state = {key.removeprefix("realnet."): value for key, value in state.items() if not key.startswith(("fc_", "fc."))}
    return load_state(bare_state_dict(state, path), path)


def _standardise(values):
    """Rows with mean 0 and length 1 (constant rows: 0), so that products are correlations."""
    centred = values - values.mean(dim=-1, keepdim=True)
    length = centred.norm(dim=-1, keepdim=True)
    constant = length <= _rounding(values) * math.sqrt(values.shape[-1])
    return centred / torch.where(constant, torch.inf, length)


def _rounding(values):
    """The spread that rounding errors can give a constant row, (..., 1)."""
    return 4 * torch.finfo(values.dtype).eps * values.detach().abs().amax(dim=-1, keepdim=True)
