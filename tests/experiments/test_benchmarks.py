"""The benchmarks time what they say: ours and the peer's outputs agree. No test here asserts a time."""

import importlib
import json
import os
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from torch import nn

from experiments.tables.speed import BENCHMARKS, RESULTS
from realnet.alignment import ReAlnet, contrastive_loss
from realnet.cornet import CORnetS
from realnet.decoding import decoding_rdm
from realnet.rdm import correlation_rdm
from realnet.statistics import bootstrap_similarities

KEYS = {"work", "peer", "peer_seconds", "our_seconds", "ratio", "agreement", "must", "aim", "limit", "note", "growth"}


@pytest.fixture(scope="module")
def benchmarks():
    """All modules of the package; it sets numbers of threads for its own process, which this one takes back."""
    with mock.patch.dict(os.environ):
        names = ("timing", *BENCHMARKS)
        return SimpleNamespace(**{name: importlib.import_module(f"experiments.benchmarks.{name}") for name in names})


def test_a_row_is_the_peers_time_over_ours(benchmarks):
    row = benchmarks.timing.row("work", "peer", 6.0, 2.0, "equal", must=2.5)
    assert set(row) == KEYS and row["ratio"] == 3 and row["must"] == 2.5
    assert benchmarks.timing.row("work", "no peer", None, 2.0, "equal")["ratio"] is None


def test_the_best_of_several_runs_is_the_shortest(benchmarks, monkeypatch):
    clock = iter([0, 5, 10, 12, 20, 23])
    monkeypatch.setattr(benchmarks.timing.time, "perf_counter", lambda: next(clock))
    assert benchmarks.timing.best_of(lambda: "result", n=3) == (2, "result")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_committed_results_are_rows_of_a_described_machine(name):
    report = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert report["benchmark"] == name and report["machine"]["processor"] and report["machine"]["commit"]
    assert all(set(row) == KEYS for row in report["rows"])
    for row in report["rows"]:
        assert row["agreement"] and row["our_seconds"] > 0
        if row["peer_seconds"] is not None:
            assert row["ratio"] == pytest.approx(row["peer_seconds"] / row["our_seconds"])
        assert row["ratio"] is not None or row["growth"]


def test_decoding_equals_scikit_learn_on_the_same_draws(benchmarks):
    epochs = benchmarks.decoding.simulate(0.2, n_stimuli=3)
    exact = benchmarks.decoding.scikit_learn_rdm(epochs, seed=3)
    np.testing.assert_allclose(decoding_rdm(epochs, seed=3, n_threads=1), exact, atol=1 / 320 + 1e-9)
    assert exact.shape == (20, 3) and exact.mean() > 0.6


def test_agreement_of_two_decoding_runs_grows_with_repeats(benchmarks):
    epochs = benchmarks.decoding.simulate(0.1, n_stimuli=12)[:, :, :, :2]
    rows = list(benchmarks.decoding.repeats_rows(0.62, epochs, 1.0, 100.0, repeats=(1, 16)))
    few, many = (row["growth"] for row in rows)
    assert few["reliability"] + 0.1 < many["reliability"] <= 1
    assert (many["seconds"], many["peer_seconds"]) == (16, 1600) and set(rows[0]) == KEYS


def test_rdms_of_the_peers_are_those_of_scipy_and_ours(benchmarks):
    layer = benchmarks.rdms.simulate(8, 60)
    exact = pdist(layer.astype(float), "correlation")
    pairs = np.transpose(np.triu_indices(8, 1))
    [loop] = benchmarks.rdms.torchmetrics_rdms([torch.from_numpy(layer)], pairs)
    for rdm, tolerance in (
        (torch.stack(loop).numpy(), 1e-5), (benchmarks.rdms.neurora_rdm(layer), 1e-5), (correlation_rdm(layer), 1e-12)
    ):  # fmt: skip
        np.testing.assert_allclose(rdm, exact, atol=tolerance)


def test_resamples_written_out_give_the_bootstraps(benchmarks):
    rdms = np.random.default_rng(0).random((2, 45))
    exact = [spearmanr(*resample).statistic for resample in benchmarks.similarity.written_out_resamples(rdms, 4)]
    np.testing.assert_allclose(bootstrap_similarities(rdms[:1], rdms[1:], 4)[:, 0, 0], exact, atol=1e-12)


def test_the_released_loss_is_ours_plus_one_without_a_gradient(benchmarks):
    predicted = torch.randn(4, 30, generator=torch.Generator().manual_seed(0)).requires_grad_()
    measured = torch.randn(4, 30, generator=torch.Generator().manual_seed(1))
    loss = benchmarks.training.released_contrastive(predicted, measured)
    r = np.corrcoef(predicted.detach().numpy(), measured.numpy())[:4, 4:]
    expected = 1 - np.trace(r) / 4 + (r.sum() - np.trace(r)) / 12
    assert loss.item() == pytest.approx(expected, abs=1e-6) and not loss.requires_grad
    plain = benchmarks.training.released_contrastive(predicted, measured, benchmarks.training.plain_pearson)
    assert plain.item() == pytest.approx(expected, abs=1e-6)


def test_the_released_step_has_our_losses_and_gradient(benchmarks):
    """In float32; without a gradient of the contrastive loss, as the released loop has it."""
    rows = list(benchmarks.training.step_rows(CORnetS(width=0.125, n_classes=10), image_size=64, repetitions=1))
    assert [row["must"] for row in rows] == [2.5, None] and set(rows[0]) == KEYS
    difference, gradient = (float(part.split()[-1]) for part in rows[0]["agreement"].split(","))
    assert difference < 1e-5 and gradient < 0.02


def test_in_float64_the_gradient_of_two_passes_is_that_of_one(benchmarks):
    """So that what the table says about float32 is its rounding."""
    torch.manual_seed(0)
    model = ReAlnet(CORnetS(width=0.125, n_classes=10), n_targets=20, n_hidden=8, image_size=32).double().train()
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    labels, measured = torch.tensor([1, 2, 3, 4]), torch.randn(4, 20, dtype=torch.float64)
    losses = nn.functional.cross_entropy, nn.functional.mse_loss
    predicted = model(images)[1]
    contrastive = benchmarks.training.released_contrastive(predicted, measured)
    (losses[0](model.realnet(images), labels) + 40 * (losses[1](predicted, measured) + contrastive)).backward()
    expected = {name: weights.grad.clone() for name, weights in model.named_parameters()}
    model.zero_grad()
    logits, predicted = model(images)
    contrastive = contrastive_loss(predicted.detach(), measured, "pearson")
    (losses[0](logits, labels) + 40 * (losses[1](predicted, measured) + contrastive)).backward()
    for name, weights in model.named_parameters():
        torch.testing.assert_close(weights.grad, expected[name], rtol=1e-8, atol=1e-10)


def test_the_loss_rows_compare_with_scipy(benchmarks):
    rows = list(benchmarks.training.loss_rows(n_targets=40, repetitions=1))
    assert [row["must"] for row in rows] == [200, None, 40]
    assert all(float(row["agreement"].split()[-1]) < 1e-5 for row in rows)


def test_a_cached_epoch_is_bitwise_the_decoded_one(benchmarks, tmp_path):
    [row] = benchmarks.images.run(n_images=3)
    assert row["agreement"] == "bitwise equal" and set(row) == KEYS
    paths = benchmarks.images.write_images(tmp_path, n_images=3, side=40)
    other = benchmarks.images.load_images(paths, 224).flip(0)
    order = np.arange(3)
    [decoded], [cached] = benchmarks.images.decoded_epoch(paths, order), benchmarks.images.cached_epoch(other, order)
    assert not torch.equal(decoded, cached)
