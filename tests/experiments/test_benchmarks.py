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

from experiments.tables.speed import BENCHMARKS, RESULTS
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


def test_the_released_step_has_our_losses_and_gradient(benchmarks):
    """In float32; without a gradient of the contrastive loss, as the released loop has it."""
    rows = list(benchmarks.training.step_rows(CORnetS(width=0.125, n_classes=10), image_size=64, repetitions=1))
    assert [row["must"] for row in rows] == [2.5, None] and set(rows[0]) == KEYS
    difference, gradient = (float(part.split()[-1]) for part in rows[0]["agreement"].split(","))
    assert difference < 1e-5 and gradient < 0.02


def test_the_loss_rows_compare_with_scipy(benchmarks):
    rows = list(benchmarks.training.loss_rows(n_targets=40, repetitions=1))
    assert [row["must"] for row in rows] == [200, None, 40]
    assert all(float(row["agreement"].split()[-1]) < 1e-5 for row in rows)


def test_a_cached_epoch_is_bitwise_the_decoded_one(benchmarks):
    [row] = benchmarks.images.run(n_images=3)
    assert row["agreement"] == "bitwise equal" and set(row) == KEYS
