"""Simulated participants have the published layout, and what makes them err alike is what was planted."""

import json
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import cohen_kappa_score

from realnet.datasets import geirhos2021
from realnet.settings import SimulationSettings
from simulation import participants, published
from simulation.stimuli import make_catalogue


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue(SimulationSettings(n_pretraining_images=200))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, catalogue):
    root = tmp_path_factory.mktemp("participants")
    for name, content in participants.behavior_files(catalogue, 0):
        published.write_file(root / name, content)
    return root


@pytest.fixture(scope="module")
def decisions(folder):
    return geirhos2021.load(folder)


def ceiling(right):
    """Mean kappa over pairs of participants."""
    return np.mean([cohen_kappa_score(a, b) for a, b in combinations(right, 2)])


def test_simulated_participants_have_the_published_layout(folder, decisions, catalogue):
    assert decisions.subject.nunique() == participants.N_PARTICIPANTS and decisions.person.all()
    assert set(decisions.condition) == set(participants.CONDITIONS)
    assert 0 < (decisions.object_response == "na").mean() < 0.03
    categories = geirhos2021.load_categories(folder, set(decisions.category))
    assert sorted(np.concatenate(list(categories.values()))) == list(range(100)) and len(categories) == 16
    trials = decisions[decisions.subject == "subject-01"]
    paths = geirhos2021.find_images(folder, trials)
    held_out = dict(zip(catalogue.held_out.names, catalogue.held_out.images, strict=True))
    classes = dict(zip(catalogue.held_out.names, catalogue.held_out.category, strict=True))
    for i in np.flatnonzero((trials.condition == "0.0").to_numpy())[:5]:
        np.testing.assert_array_equal(np.asarray(Image.open(paths[i])), held_out[trials.stimulus.iloc[i]])
    assert all(classes[t.stimulus] in categories[t.category] for t in trials.itertuples())


def test_simulated_participants_are_worse_in_noise_and_agree_beyond_their_accuracy(decisions):
    rng = np.random.default_rng(0)
    accuracy = []
    for condition in participants.CONDITIONS:
        rows = decisions[decisions.condition == condition]
        right = rows.pivot(index="subject", columns="stimulus", values="correct").to_numpy(dtype=bool)
        accuracy.append(right.mean())
        assert ceiling(right) > 0.2 and abs(ceiling([rng.permutation(row) for row in right])) < 0.06
    assert 0.9 > accuracy[0] > accuracy[1] + 0.04 > 0.4


def test_the_shared_evidence_is_what_makes_them_agree(catalogue, monkeypatch):
    centres = participants._class_centres(catalogue)
    category = participants.make_categories(centres)
    dimensions = catalogue.held_out.dimensions
    truth, condition = category[catalogue.held_out.category], np.full(len(dimensions), "0.03")

    def agreement(shared):
        monkeypatch.setattr(participants, "SHARED", shared)
        answers = [participants.decide(dimensions, condition, centres, category, 0, number) for number in range(1, 5)]
        return ceiling([answer == truth for answer in answers])

    alone, some, same = (agreement(shared) for shared in (0.0, 0.6, 1.0))
    assert alone + 0.1 < some < same - 0.1


def test_few_classes_fill_as_many_categories_as_they_can():
    centres = np.random.default_rng(0).uniform(-1, 1, (10, 8))
    assert len(set(participants.make_categories(centres))) == 10
    category = participants.make_categories(np.random.default_rng(1).uniform(-1, 1, (40, 8)))
    assert np.unique(category, return_counts=True)[1].tolist().count(2) >= 8


def test_the_same_seed_gives_the_same_files_and_another_one_others(folder, catalogue):
    name = "raw-data/simulated-noise_subject-03_session_1.csv"
    written = (folder / "geirhos2021" / participants.EXPERIMENT / name).read_text()
    again, other = (
        next(text for path, text in participants.behavior_files(catalogue, seed) if path.endswith(name))
        for seed in (0, 1)
    )
    assert again == written != other
    mapping = json.loads((folder / "geirhos2021" / "sixteen_class_mapping.json").read_text())
    assert all([catalogue.classes[i] for i in e["imagenet_indices"]] == e["wnids"] for e in mapping.values())
