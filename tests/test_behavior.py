"""Behaviour: classes, accuracies, decisions among categories, and error consistency with independent oracles."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score, top_k_accuracy_score
from torch import nn

from realnet.activations import load_images, normalise
from realnet.backbones import EfficientNetLite0
from realnet.behavior import (
    category_decisions,
    classify,
    classify_files,
    consistency_of_rates,
    error_consistency,
    find_validation_images,
    human_ceiling,
    is_in_top,
    top_k_accuracy,
)
from realnet.datasets import geirhos2021
from realnet.errors import InvalidInput, MissingInput
from simulation.people import write_file


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 12))


@pytest.fixture
def folder(tmp_path, rng):
    """Three classes of four pictures, as ImageNet's validation set lies."""
    for wnid in ("n02", "n01", "n10"):
        for i in range(4):
            picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            write_file(tmp_path / "val" / wnid / f"ILSVRC2012_val_{i}.png", picture)
    return tmp_path / "val"


def test_probabilities_are_the_softmax_of_the_network_in_evaluation_mode(network, rng):
    images = torch.tensor(rng.integers(0, 256, (7, 3, 8, 8), dtype=np.uint8))
    with torch.no_grad():
        expected = nn.functional.softmax(network(normalise(images)), dim=1).numpy()
    np.testing.assert_allclose(classify(network, images, batch_size=3), expected, atol=1e-6)


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_accuracy_is_that_of_sklearn(rng, k):
    scores, labels = rng.normal(size=(200, 12)), rng.integers(12, size=200)
    assert top_k_accuracy(scores, labels, k) == top_k_accuracy_score(labels, scores, k=k, labels=range(12))


def test_equal_scores_are_taken_in_order_as_argmax_takes_them():
    scores = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    assert is_in_top(scores, [2, 0], 1).tolist() == [False, True]
    assert is_in_top(scores, [2, 0], 2).tolist() == [True, True]


def test_classes_are_the_sorted_folders_as_torchvision_has_them(folder):
    from torchvision.datasets import ImageFolder

    paths, labels, n_classes = find_validation_images(folder)
    expected = ImageFolder(folder)
    assert n_classes == 3
    assert [(str(p), label) for p, label in zip(paths, labels, strict=True)] == expected.samples


def test_an_index_file_orders_the_classes_where_only_some_folders_are_there(folder):
    index = {str(i): [wnid, "name"] for i, wnid in enumerate(["n00", "n01", "n10", "n02"])}
    (folder.parent / "imagenet_class_index.json").write_text(json.dumps(index))
    paths, labels, n_classes = find_validation_images(folder)
    assert n_classes == 4
    assert {path.parent.name: label for path, label in zip(paths, labels, strict=True)} == {
        "n01": 1,
        "n10": 2,
        "n02": 3,
    }
    (folder.parent / "imagenet_class_index.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"n01.*no class has this name"):
        find_validation_images(folder)
    (folder.parent / "imagenet_class_index.json").write_text('{"7": 3}')
    with pytest.raises(InvalidInput, match=r"imagenet_class_index.json"):
        find_validation_images(folder)


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(MissingInput, match="nowhere"):
        find_validation_images(tmp_path / "nowhere")
    with pytest.raises(MissingInput, match="there are none"):
        find_validation_images(tmp_path)


def test_files_decided_in_chunks_are_decided_as_all_at_once(folder, network):
    paths, labels, _ = find_validation_images(folder)
    rows_seen = []

    def decide(probabilities, rows):
        rows_seen.append(rows)
        return is_in_top(probabilities, labels[rows], 1)

    found = classify_files({"a": lambda: network, "b": lambda: network}, paths, 8, decide, chunk=5, device="cpu")
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


# -- error consistency


def test_kappa_is_that_of_sklearn_for_any_accuracies(rng):
    for accuracy in (0.1, 0.5, 0.9):
        a, b = rng.random((2, 6, 50)) < accuracy
        expected = [cohen_kappa_score(x, y) for x, y in zip(a, b, strict=True)]
        np.testing.assert_allclose(error_consistency(a, b), expected, atol=1e-12)


def test_kappa_at_the_edges_is_that_of_the_original():
    right, wrong = np.ones(10, dtype=bool), np.zeros(10, dtype=bool)
    assert error_consistency(right, right) == 1  # 0/0: the original says 1
    assert error_consistency(wrong, wrong) == 1
    assert error_consistency(right, wrong) == 0
    half = np.arange(10) < 5
    assert error_consistency(right, half) == 0  # nothing beyond what accuracies say
    assert error_consistency(half, ~half) == -1
    assert consistency_of_rates(np.array([0.5, 1.0]), np.array([0.5, 1.0]), np.array([0.25, 1.0])).tolist() == [0, 1]


@pytest.mark.parametrize("b", [np.ones(9, dtype=bool), np.ones(10), np.ones((10, 0), dtype=bool)])
def test_kappa_refuses_other_trials_and_numbers_that_are_not_right_or_wrong(b):
    with pytest.raises(InvalidInput, match="right or wrong"):
        error_consistency(np.ones(10, dtype=bool), b)


def test_the_human_ceiling_needs_two_people(rng):
    assert np.isnan(human_ceiling(rng.random((1, 20)) < 0.5))
    people = rng.random((2, 20)) < 0.5
    assert human_ceiling(people) == pytest.approx(cohen_kappa_score(*people))


# -- real people, real networks


@pytest.fixture(scope="module")
def edges(real_data):
    decisions = geirhos2021.load(real_data / "geirhos_edge")
    return decisions.pivot(index="stimulus", columns="subject", values="correct")


def test_the_ceiling_of_the_ten_people_on_edge_drawings_is_the_known_one(edges):
    people = edges.filter(like="subject-").to_numpy(dtype=bool).T
    assert people.shape == (10, 160)
    assert human_ceiling(people) == pytest.approx(0.31844, abs=5e-6)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "vgg"])
def test_kappas_of_published_decisions_are_those_of_sklearn(edges, name):
    for subject in edges.filter(like="subject-"):
        expected = cohen_kappa_score(edges[name], edges[subject])
        a, b = (edges[column].to_numpy(dtype=bool) for column in (name, subject))
        assert error_consistency(a, b) == pytest.approx(expected, abs=1e-12)


def test_a_real_network_recognises_real_drawings_above_chance(real_data):
    trials = geirhos2021.load(real_data / "geirhos_edge").query("subject == 'subject-01'")[::4]
    categories = geirhos2021.load_categories(real_data / "imagenet_meta", set(trials.category))
    images = load_images(geirhos2021.find_images(real_data / "geirhos_edge", trials), 224)
    decided = category_decisions(classify(EfficientNetLite0(), images, batch_size=8, device="cpu"), categories)
    assert (decided == trials.category).mean() > 3 / 16
