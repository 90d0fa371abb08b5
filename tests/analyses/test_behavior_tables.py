"""The table of chapter 07: accuracies and kappas found again by other means, paired intervals, absent data."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from realnet.activations import load_images, normalise
from realnet.analyses import behavior
from realnet.analyses.behavior import accuracy_table, consistency_table, find_experiments, read_experiment, readable
from realnet.cornet import CORnetS
from realnet.datasets import geirhos2021
from realnet.errors import InvalidInput
from realnet.io import load_table, save_table
from realnet.settings import InferenceSettings, Network, Study
from realnet.statistics import generalise
from simulation import participants, published
from simulation.stimuli import make_catalogue


@pytest.fixture(scope="module")
def study(tmp_path_factory, real_data_folder):  # the real data are looked for before the place of them is patched
    """Simulated images and participants, 16 classes; untrained networks of two subjects and two betas."""
    study = Study.model_validate({
        "name": "behaving", "description": "untrained networks", "raw": "data/raw/simulated",
        "simulated": {"n_classes": 16, "n_pretraining_images": 16},
        "network": {"image_size": 64}, "fmri": {"subjects": [1, 2]}, "training": {"betas": [10, 40]},
        "inference": {"n_bootstraps": 200},
    })  # fmt: skip
    models, root, catalogue = {}, tmp_path_factory.mktemp("root"), make_catalogue(study.simulated)
    for i, network in enumerate(study.networks()):
        torch.manual_seed(i)
        models[network] = CORnetS(width=0.0625, n_classes=16).eval()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALNET_ROOT", str(root))
        patch.setenv("REALNET_DATA", str(root / "no real data"))
        patch.setattr(behavior, "load_network", lambda study, network: models[network])
        for name, content in [*published.image_files(catalogue), *participants.behavior_files(catalogue, 0)]:
            if name.startswith(("imagenet", "geirhos2021")):
                published.write_file(study.raw_folder(name), content)
        yield study


@pytest.fixture(scope="module")
def accuracy(study):
    return accuracy_table(study, study.networks(), device="cpu")[0]


@pytest.fixture(scope="module")
def experiment(study):
    experiments, (sentence,) = find_experiments(study)
    assert len(experiments) == 1 and "real people were left out" in sentence
    return experiments[0]


@pytest.fixture(scope="module")
def right(study, experiment):
    return behavior.decide_trials(study, experiment, study.networks(), device="cpu")


@pytest.fixture(scope="module")
def consistency(study, experiment, right):
    return consistency_table(study, experiment, right)


def rows_of(table, **about):
    return table[(table[list(about)] == pd.Series(about)).all(axis=1)]


def test_accuracies_are_those_of_the_images_one_by_one(study, accuracy):
    network, hits = study.networks()[3], []
    model = behavior.load_network(study, network)
    for label, folder in enumerate(sorted((study.raw_folder("imagenet") / "val").iterdir())):
        for path in folder.iterdir():
            with torch.no_grad():
                best = model(normalise(load_images([path], 64)))[0].argsort(descending=True)[:5].tolist()
            hits.append((best[0] == label, label in best))
    found = rows_of(accuracy, **network.columns).set_index("metric").value
    assert len(hits) == 80
    assert (found["top1"], found["top5"]) == pytest.approx(tuple(np.mean(hits, axis=0)))


def test_differences_and_means_are_those_of_the_single_networks(accuracy):
    for metric in ("top1", "top5"):
        single = accuracy[(accuracy.metric == metric) & (accuracy.trained_on != "mean")]
        value = single.set_index(["model", "trained_on", "beta"]).value
        for row in rows_of(accuracy, metric=f"{metric}_difference", model="realnet").itertuples():
            against = value[row.reference, "", 0]
            expected = np.mean([value["realnet", s, row.beta] for s in ("sub-01", "sub-02")]) - against
            assert row.trained_on == "mean" and row.value == pytest.approx(expected)
            assert row.lower <= row.value <= row.upper
    assert not accuracy.duplicated(["model", "trained_on", "beta", "seed", "metric", "reference"]).any()
    assert set(accuracy.beta[accuracy.model == "realnet"]) == {10, 40}


def test_kappas_are_those_of_sklearn_for_every_participant_and_condition(study, experiment, right, consistency):
    network, trials = study.networks()[2], experiment.trials
    table = geirhos2021.load(study.raw_folder("geirhos2021"))
    kappas = rows_of(consistency, **network.columns, metric="kappa")
    for condition in participants.CONDITIONS:
        here = (trials.condition == condition).to_numpy()
        for subject in ("subject-01", "subject-08"):
            answers = rows_of(table, subject=subject, condition=condition).set_index("stimulus")
            person = answers.correct[trials.stimulus[here]].to_numpy()
            found = rows_of(kappas, subject=subject, condition=condition).value.item()
            assert found == pytest.approx(cohen_kappa_score(right[network][here], person), abs=1e-12)
    mean = rows_of(kappas, subject="mean", condition="mean").value.item()
    assert mean == pytest.approx(kappas[kappas.condition != "mean"].value.mean())


def test_the_ceiling_is_the_mean_over_pairs_of_participants(experiment, consistency):
    by_hand = []
    for condition in participants.CONDITIONS:
        correct = experiment.correct[:, (experiment.trials.condition == condition).to_numpy()]
        pairs = [(i, j) for i in range(len(correct)) for j in range(i)]
        by_hand.append(np.mean([cohen_kappa_score(correct[i], correct[j]) for i, j in pairs]))
    kappa = rows_of(consistency, metric="kappa")
    for condition, expected in (("mean", np.mean(by_hand)), ("0.03", by_hand[1])):
        assert rows_of(kappa, condition=condition).ceiling.unique() == pytest.approx([expected])
    band = rows_of(kappa, model="human", subject="mean").iloc[0]
    assert band.ceiling_lower < band.value < band.ceiling_upper
    others = rows_of(kappa, model="human", condition="0.0").value
    assert others.mean() == pytest.approx(by_hand[0])  # each pair is counted from both sides


def test_the_intervals_are_those_of_resamples_written_out(study, experiment, right):
    """Oracle: draw the images with the same generator, build every resample, ask sklearn."""
    network, trials = study.networks()[1], experiment.trials
    names, position = np.unique(trials.stimulus, return_inverse=True)
    rng = np.random.default_rng(study.inference.seed)
    rows_at = [np.flatnonzero(position == i) for i in range(len(names))]
    sampled = []
    for _ in range(40):
        drawn = np.concatenate([rows_at[i] for i in rng.integers(len(names), size=len(names))])
        kappas = []
        for condition in participants.CONDITIONS:
            here = drawn[(trials.condition.to_numpy() == condition)[drawn]]
            kappas += [cohen_kappa_score(right[network][here], person[here]) for person in experiment.correct]
        sampled.append(np.nanmean(kappas))
    fewer = study.model_copy(update={"inference": InferenceSettings(n_bootstraps=40)})
    table = consistency_table(fewer, experiment, {network: right[network]})
    row = rows_of(table, metric="kappa", trained_on=network.trained_on, subject="mean").iloc[0]
    expected = generalise(np.array([row.value, *sampled]), n_images=len(names), n_factors=0)
    assert (row.lower, row.upper) == pytest.approx(expected[1:3], abs=1e-9)


def test_differences_are_paired_so_that_equal_networks_differ_by_nothing():
    rng = np.random.default_rng(0)
    hits = (rng.random((300, 1)) < 0.7).astype(float) @ np.ones((1, 3))
    networks = [Network("cornet", 0, 0, 0), Network("control", 0, 0, 0), Network("realnet", 1, 40, 0)]
    inference = InferenceSettings(n_bootstraps=300)
    shares = behavior.resampled_sums(hits, inference) / 300
    np.testing.assert_allclose(shares[0], hits.mean(axis=0))
    rows = pd.DataFrame(behavior.measure_rows(networks, "top1", shares, 300, inference))
    differences = rows[rows.metric == "top1_difference"]
    assert (differences[["value", "lower", "upper"]] == 0).all(axis=None) and (differences.p == 1).all()
    spread, p = rows[rows.model == "cornet"].iloc[0], hits[:, 0].mean()
    assert spread.upper - spread.lower == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 300), rel=0.15)


def test_the_table_can_be_saved_read_and_shown(study, accuracy, consistency):
    saved = save_table(study, "behavior", pd.concat([accuracy, consistency]))
    keys = ["dataset", "subject", "model", "trained_on", "beta", "seed", "metric", "reference", "condition"]
    assert not saved.duplicated(keys).any() and len(load_table(study, "behavior")) == len(saved)
    shown = readable(saved[saved.dataset == "geirhos2021"], ("kappa", "accuracy16"))
    kappa = rows_of(shown, measure="kappa")
    assert kappa.model.tolist() == ["cornet", "control", "realnet", "realnet", "shuffled", "human"]
    expected = rows_of(saved, metric="kappa_difference", beta=10, trained_on="mean", reference="control")
    assert rows_of(kappa, beta=10)["minus control"].item() == expected.value.item()
    assert rows_of(shown, model="control")["minus control"].isna().all()


def test_absent_images_leave_an_empty_table_and_a_sentence(study, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    table, sentence = accuracy_table(study, study.networks())
    assert table.empty and "imagenet/val" in sentence
    experiments, sentences = find_experiments(study)
    assert not experiments and len(sentences) == 2


def test_a_part_of_the_classes_and_a_part_of_the_images_are_refused(study, tmp_path, monkeypatch):
    shutil.copytree(study.raw_folder(""), tmp_path / study.raw)
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    shutil.rmtree(next((study.raw_folder("imagenet") / "val").iterdir()))
    with pytest.raises(InvalidInput, match="15 classes, but the network 16"):
        accuracy_table(study, study.networks()[:1], device="cpu")
    root = study.raw_folder("geirhos2021")
    path = next(root.rglob("*subject-02*.csv"))
    path.write_text("\n".join(path.read_text().splitlines()[:-3]) + "\n")
    with pytest.raises(InvalidInput, match="subject-02 decided on 157 of 160 images"):
        read_experiment(root, "simulated", participants.EXPERIMENT)


def test_real_participants_and_published_decisions_of_networks_are_read_together(study, real_data):
    edges = read_experiment(real_data, "real", "edge-experiment")
    assert len(edges.subjects) == 10 and set(edges.others) == {"alexnet", "googlenet", "vgg"}
    table = consistency_table(study, edges, {Network(n, 0, 0, 0): right for n, right in edges.others.items()})
    assert rows_of(table, metric="kappa").ceiling.unique() == pytest.approx([0.31844], abs=5e-6)
    assert (table.people == "real").all() and not table.metric.str.endswith("difference").any()


def test_a_damaged_experiment_is_left_out_with_a_sentence_and_the_others_stay(study, tmp_path, monkeypatch):
    shutil.copytree(study.raw_folder("geirhos2021"), tmp_path / "published")
    monkeypatch.setenv("REALNET_DATA", str(tmp_path / "published"))
    text = next(tmp_path.rglob("*subject-01*.csv")).read_text()
    for content, says in (
        ("<html>", "expected rows of"),
        (text.replace(f"_{participants.TAG}_", "_oth_"), "160 of 160 images of other are missing"),
        (text.replace("subject-", "network-"), "of no person"),
    ):
        (tmp_path / "published" / "other_subject-01_session_1.csv").write_text(content)
        experiments, (sentence,) = find_experiments(study)
        assert [(e.name, e.people) for e in experiments] == [
            (participants.EXPERIMENT, p) for p in ("simulated", "real")
        ]
        assert sentence.startswith("The experiment other with real people was left out") and says in sentence
