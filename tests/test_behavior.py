"""Behaviour: classes, accuracies, decisions among categories, and error consistency with independent oracles."""

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score, top_k_accuracy_score
from torch import nn
from torchvision.datasets import ImageFolder

from realnet import behavior
from realnet.activations import load_images, normalise
from realnet.backbones import EfficientNetLite0
from realnet.behavior import category_decisions, classify, is_in_top
from realnet.datasets import geirhos2021
from realnet.errors import InvalidInput, MissingInput
from simulation.published import write_file


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 12))


@pytest.fixture
def folder(tmp_path, rng):
    """Three classes of four images, as ImageNet's validation set lies."""
    for wnid in ("n02", "n01", "n10"):
        for i in range(4):
            image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            write_file(tmp_path / "val" / wnid / f"ILSVRC2012_val_{i}.png", image)
    return tmp_path / "val"


def test_probabilities_are_the_softmax_of_the_network_in_evaluation_mode(network, rng):
    images = torch.tensor(rng.integers(0, 256, (7, 3, 8, 8), dtype=np.uint8))
    with torch.no_grad():
        expected = nn.functional.softmax(network(normalise(images)), dim=1).numpy()
    np.testing.assert_allclose(classify(network, images, batch_size=3), expected, atol=1e-6)


def test_a_network_that_gives_nan_is_refused(network):
    network[1].bias.data[3] = torch.nan
    with pytest.raises(InvalidInput, match="NaN"):
        classify(network, torch.zeros((2, 3, 8, 8), dtype=torch.uint8))


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_accuracy_is_that_of_sklearn(rng, k):
    scores, labels = rng.normal(size=(200, 12)), rng.integers(12, size=200)
    assert is_in_top(scores, labels, k).mean() == top_k_accuracy_score(labels, scores, k=k, labels=range(12))


def test_equal_scores_are_taken_in_order_as_argmax_takes_them():
    scores = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    assert is_in_top(scores, [2, 0], 1).tolist() == [False, True]
    assert is_in_top(scores, [2, 0], 2).tolist() == [True, True]


def test_classes_are_the_sorted_folders_as_torchvision_has_them(folder, tmp_path):
    paths, labels, n_classes = behavior.find_validation_images(folder)
    assert n_classes == 3
    assert [(str(p), label) for p, label in zip(paths, labels, strict=True)] == ImageFolder(folder).samples
    for empty, says in ((folder / "n01", "n01: .* there are none"), (tmp_path / "nowhere", "nowhere")):
        with pytest.raises(MissingInput, match=says):
            behavior.find_validation_images(empty)


def test_files_decided_in_chunks_are_decided_as_all_at_once(folder, network):
    paths, labels, _ = behavior.find_validation_images(folder)
    rows_seen = []

    def decide(probabilities, rows):
        rows_seen.append(rows)
        return is_in_top(probabilities, labels[rows], 1)

    networks = {"a": lambda: network, "b": lambda: network}
    found = behavior.classify_files(networks, paths, 8, decide, chunk=5, device="cpu")
    expected = is_in_top(classify(network, load_images(paths, 8), device="cpu"), labels, 1)
    for values in found.values():
        np.testing.assert_array_equal(values, expected)
    assert [(r.start, r.stop) for r in rows_seen[::2]] == [(0, 5), (5, 10), (10, 12)]


def test_a_category_is_chosen_by_the_mean_and_not_the_sum_of_its_classes():
    categories = {"knife": np.array([0]), "dog": np.array([1, 2, 3])}
    probabilities = np.array([[0.3, 0.25, 0.2, 0.25], [0.1, 0.2, 0.3, 0.4]])
    assert category_decisions(probabilities, categories).tolist() == ["knife", "dog"]
    with pytest.raises(InvalidInput, match="dog has classes beyond the 3"):
        category_decisions(probabilities[:, :3], categories)


def kappa(a, b):
    """From who is right on which trial."""
    return behavior.error_consistency(a.mean(axis=-1), b.mean(axis=-1), (a & b).mean(axis=-1))


def test_kappa_is_that_of_sklearn_for_any_accuracies(rng):
    for accuracy in (0.1, 0.5, 0.9):
        a, b = rng.random((2, 6, 50)) < accuracy
        expected = [cohen_kappa_score(x, y) for x, y in zip(a, b, strict=True)]
        np.testing.assert_allclose(kappa(a, b), expected, atol=1e-12)


def test_kappa_at_the_edges_is_that_of_the_original():
    right, wrong, half = np.ones(10, dtype=bool), np.zeros(10, dtype=bool), np.arange(10) < 5
    assert kappa(right, right) == kappa(wrong, wrong) == 1  # 0/0: the original says 1
    assert kappa(right, wrong) == kappa(right, half) == 0  # nothing beyond what accuracies say
    assert kappa(half, ~half) == -1


def test_a_real_network_recognises_real_drawings_above_chance(real_data):
    trials = geirhos2021.load(real_data / "geirhos_edge").query("subject == 'subject-01'")[::4]
    categories = geirhos2021.load_categories(real_data / "imagenet_meta", set(trials.category))
    images = load_images(geirhos2021.find_images(real_data / "geirhos_edge", trials), 224)
    decided = category_decisions(classify(EfficientNetLite0(), images, batch_size=8, device="cpu"), categories)
    assert (decided == trials.category).mean() > 3 / 16
