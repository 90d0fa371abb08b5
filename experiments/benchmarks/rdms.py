"""Model RDMs of 200 images from the four full-size layers of CORnet-S, and how the work grows with the images.

The released notebook correlates pair by pair (torchmetrics); it is timed on a few pairs and multiplied by their number.
"""

import contextlib
import io
import tracemalloc

import numpy as np
import rsatoolbox
import torch
from neurora.rdm_cal import eegRDM
from scipy.spatial.distance import pdist, squareform
from torchmetrics.functional import pearson_corrcoef

from experiments.benchmarks.timing import best_of, row
from experiments.tables.speed import working_bytes
from realnet.rdm import correlation_rdm

N_STIMULI = 200
LAYERS = {"V1": 200_704, "V2": 100_352, "V4": 50_176, "IT": 25_088}
N_PAIRS = N_STIMULI * (N_STIMULI - 1) // 2
N_SLICE = 40  # pairs per layer for torchmetrics
GROWTH = (200, 400, 800, 1600, 3200)
MUST = {"float64": 60, "float32": 100}
AIM, LIMIT = {"float64": 200, "float32": 400}, {"float64": 296, "float32": 580}


def simulate(n_stimuli, n_units, seed=0):
    """Activations like those after a relu: (n_stimuli, n_units) float32, half of them zero."""
    rng = np.random.default_rng(seed)
    activations = rng.standard_normal((n_stimuli, n_units), dtype=np.float32)
    return np.maximum(activations, 0, out=activations)


def torchmetrics_rdms(layers, pairs):
    """The distances of these pairs in every layer, one call of torchmetrics per pair."""
    return [[1 - pearson_corrcoef(layer[i], layer[j]) for i, j in pairs] for layer in layers]


def neurora_rdm(layer):
    """neurora's RDM (n_pairs,), without its progress bars."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return squareform(eegRDM(layer[:, None, None, :, None], time_win=1)[0], checks=False)


def run():
    """Rows: the released loop in both precisions, neurora and rsatoolbox on one layer, the growth with images."""
    layers = [simulate(N_STIMULI, n_units, seed) for seed, n_units in enumerate(LAYERS.values())]
    exact = [pdist(layer.astype(float), "correlation") for layer in layers]
    return [*_released_loop(layers, exact), *_toolboxes(layers[-1], exact[-1]), *_growth()]


def _released_loop(layers, exact):
    chosen = np.random.default_rng(0).choice(N_PAIRS, N_SLICE, replace=False)
    pairs = np.transpose(np.triu_indices(N_STIMULI, 1))[chosen]
    tensors = [torch.from_numpy(layer) for layer in layers]
    torchmetrics_rdms(tensors, pairs[:2])
    peer_seconds, peer = best_of(lambda: torchmetrics_rdms(tensors, pairs))
    peer_error = max(np.abs(torch.stack(r).numpy() - e[chosen]).max() for r, e in zip(peer, exact, strict=True))
    for dtype, must in MUST.items():
        our_seconds, ours = best_of(lambda dtype=dtype: [correlation_rdm(layer, dtype=dtype) for layer in layers], n=5)
        error = max(np.abs(r - e).max() for r, e in zip(ours, exact, strict=True))
        agreement = f"largest difference to scipy in float64: ours {error:.1e}, torchmetrics (float32) {peer_error:.1e}"
        note = f"torchmetrics' time is that of {N_SLICE} pairs per layer x {N_PAIRS / N_SLICE:.0f}"
        work = f"RDMs of four full-size layers, {N_STIMULI} images, {dtype}"
        peer_all = peer_seconds * N_PAIRS / N_SLICE
        targets = {"must": must, "aim": AIM[dtype], "limit": LIMIT[dtype]}
        yield row(work, "torchmetrics, a pair at a time", peer_all, our_seconds, agreement, note=note, **targets)


def _toolboxes(layer, exact):
    data = rsatoolbox.data.Dataset(layer)
    peers = {
        "rsatoolbox": lambda: rsatoolbox.rdm.calc_rdm(data, method="correlation").dissimilarities[0],
        "neurora": lambda: neurora_rdm(layer),
    }
    our_seconds, ours = best_of(lambda: correlation_rdm(layer), n=5)
    for name, work in peers.items():
        peer_seconds, theirs = best_of(work)
        our_error, their_error = np.abs(ours - exact).max(), np.abs(theirs - exact).max()
        agreement = f"largest difference to scipy: ours {our_error:.1e}, theirs {their_error:.1e}"
        yield row(f"RDM of layer IT, {len(layer)} images", name, peer_seconds, our_seconds, agreement)


def _growth():
    for n_stimuli in GROWTH:
        layer = simulate(n_stimuli, LAYERS["IT"])
        n_pairs = n_stimuli * (n_stimuli - 1) // 2
        seconds, _ = best_of(lambda layer=layer: correlation_rdm(layer), n=2)
        tracemalloc.start()
        rdm = correlation_rdm(layer)
        working = tracemalloc.get_traced_memory()[1] - rdm.nbytes
        tracemalloc.stop()
        few = np.random.default_rng(0).choice(n_stimuli, 10, replace=False)
        exact = squareform(pdist(layer[few].astype(float), "correlation"))
        error = np.abs(squareform(rdm)[np.ix_(few, few)] - exact).max()
        bound = working_bytes(n_stimuli)
        note = f"{seconds / n_pairs * 1e6:.2f} us per pair; working memory beside input and result "
        note += f"{working / 2**20:.0f} MiB, expected {bound / 2**20:.0f}"
        agreement = f"largest difference to scipy on ten images {error:.1e}"
        growth = {"images": n_stimuli, "seconds": seconds, "working_mib": working / 2**20, "bound_mib": bound / 2**20}
        work = f"RDM of layer IT, {n_stimuli} images"
        yield row(work, "no peer", None, seconds, agreement, note=note, growth=growth)
