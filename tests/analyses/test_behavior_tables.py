"""The table of chapter 07: accuracies and kappas found again by other means, paired intervals, absent data."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from realnet.activations import load_images, normalise
from realnet.analyses.behavior import accuracy_table, measure_rows, readable, resampled_sums
from realnet.analyses.error_consistency import consistency_table, decide_trials, find_experiments, read_experiment
from realnet.cornet import CORnetS
from realnet.datasets import geirhos2021
from realnet.datasets.files import real_folder
from realnet.errors import InvalidInput
from realnet.io import load_table, save_table
from realnet.networks import load_network, save_weights, weights_path
from realnet.settings import InferenceSettings, Network, Study
from realnet.statistics import confidence_interval
from simulation import people, published
from simulation.stimuli import make_catalogue

pytestmark = pytest.mark.filterwarnings("ignore:.*does not say what it was made from")


@pytest.fixture(scope="module")
def study(tmp_path_factory, real_data_folder):  # the real data are looked for before the place of them is patched
    """Untrained networks of two subjects and two betas, and the pictures and people of a world of 16 classes."""
    root = tmp_path_factory.mktemp("root")
    patch = pytest.MonkeyPatch()
    patch.setenv("REALNET_ROOT", str(root))
    patch.setenv("REALNET_DATA", str(root / "no real data"))
    study = Study.model_validate({
        "name": "behaving", "description": "untrained networks", "raw": "data/raw/simulated",
        "simulated": {"n_classes": 16, "n_pretraining_images": 16},
        "network": {"image_size": 64}, "fmri": {"subjects": [1, 2]}, "training": {"betas": [10, 40]},
        "inference": {"n_bootstraps": 200},
    })  # fmt: skip
    catalogue = make_catalogue(study.simulated)
    for name, picture in published.picture_files(catalogue):
        if name.startswith("imagenet"):
            published.write_picture(study.raw_folder(name), picture)
    for name, content in people.people_files(catalogue, 0):
        people.write_file(study.raw_folder(name), content)
    for i, network in enumerate(study.networks()):
        torch.manual_seed(i)
        save_weights(weights_path(study, network), CORnetS(width=0.0625, n_classes=16).eval(), {})
    yield study
    patch.undo()


@pytest.fixture(scope="module")
def accuracy(study):
    return accuracy_table(study, study.networks(), device="cpu")[0]


@pytest.fixture(scope="module")
def experiment(study):
    experiments, sentences = find_experiments(study)
    assert len(experiments) == 1 and len(sentences) == 1 and "real people were left out" in sentences[0]
    return experiments[0]


@pytest.fixture(scope="module")
def right(study, experiment):
    return decide_trials(study, experiment, study.networks(), device="cpu")


@pytest.fixture(scope="module")
def consistency(study, experiment, right):
    return consistency_table(study, experiment, right)


def test_accuracies_are_those_of_the_pictures_one_by_one(study, accuracy):
    network = study.networks()[3]
    model, hits = load_network(study, network), []
    folders = sorted((study.raw_folder("imagenet") / "val").iterdir())
    for label, folder in enumerate(folders):
        for path in folder.iterdir():
            with torch.no_grad():
                logits = model(normalise(load_images([path], 64)))[0]
            best = logits.argsort(descending=True)[:5].tolist()
            hits.append((best[0] == label, label in best))
    expected = np.mean(hits, axis=0)
    about = network.columns
    found = accuracy[(accuracy[list(about)] == pd.Series(about)).all(axis=1)].set_index("metric").value
    assert len(hits) == 80
    assert (found["top1"], found["top5"]) == pytest.approx(tuple(expected))


def test_differences_and_means_are_those_of_the_single_networks(accuracy):
    for metric in ("top1", "top5"):
        single = accuracy[(accuracy.metric == metric) & (accuracy.trained_on != "mean")]
        value = single.set_index(["model", "trained_on", "beta"]).value
        found = accuracy[(accuracy.metric == f"{metric}_difference") & (accuracy.model == "realnet")]
        for row in found.itertuples():
            taught = [row.trained_on] if row.trained_on != "mean" else ["sub-01", "sub-02"]
            against = [("cornet", "", 0) if row.reference == "cornet" else ("control", t, 0) for t in taught]
            expected = np.mean([value["realnet", t, row.beta] for t in taught]) - np.mean([value[a] for a in against])
            assert row.value == pytest.approx(expected)
            assert row.lower <= row.value <= row.upper
    keys = ["model", "trained_on", "beta", "seed", "metric", "reference"]
    assert not accuracy.duplicated(keys).any()
    assert set(accuracy.beta[accuracy.model == "realnet"]) == {10, 40}


def test_kappas_are_those_of_sklearn_for_every_person_and_condition(study, experiment, right, consistency):
    network, trials = study.networks()[2], experiment.trials
    table = geirhos2021.load(study.raw_folder("geirhos2021"))
    for condition in people.CONDITIONS:
        here = (trials.condition == condition).to_numpy()
        for subject in ("subject-01", "subject-08"):
            answers = table[(table.subject == subject) & (table.condition == condition)].set_index("stimulus")
            person = answers.correct[trials.stimulus[here]].to_numpy()
            expected = cohen_kappa_score(right[network][here], person)
            about = {**network.columns, "metric": "kappa", "subject": subject, "condition": condition}
            row = consistency[(consistency[list(about)] == pd.Series(about)).all(axis=1)]
            assert row.value.item() == pytest.approx(expected, abs=1e-12)
    about = {**network.columns, "metric": "kappa"}
    rows = consistency[(consistency[list(about)] == pd.Series(about)).all(axis=1)]
    mean = rows[(rows.subject == "mean") & (rows.condition == "mean")].value.item()
    assert mean == pytest.approx(rows[rows.condition != "mean"].value.mean())


def test_the_ceiling_is_the_mean_over_pairs_of_people(experiment, consistency):
    by_hand = []
    for condition in people.CONDITIONS:
        correct = experiment.correct[:, (experiment.trials.condition == condition).to_numpy()]
        pairs = [(i, j) for i in range(len(correct)) for j in range(i)]
        by_hand.append(np.mean([cohen_kappa_score(correct[i], correct[j]) for i, j in pairs]))
    kappa = consistency[consistency.metric == "kappa"]
    assert kappa[kappa.condition == "mean"].ceiling.unique() == pytest.approx([np.mean(by_hand)])
    assert kappa[kappa.condition == "0.03"].ceiling.unique() == pytest.approx([by_hand[1]])
    band = kappa[kappa.model == "human"].query("subject == 'mean'").iloc[0]
    assert band.ceiling_lower < band.value < band.ceiling_upper
    others = kappa[(kappa.model == "human") & (kappa.condition == "0.0")].value
    assert others.mean() == pytest.approx(by_hand[0])  # each pair is counted from both sides


def test_the_intervals_are_those_of_resamples_written_out(study, experiment, right, consistency):
    """Oracle: draw the pictures with the same generator, build every resample, ask sklearn."""
    network, trials = study.networks()[1], experiment.trials
    names, position = np.unique(trials.stimulus, return_inverse=True)
    rng = np.random.default_rng(study.inference.seed)
    rows_of = [np.flatnonzero(position == i) for i in range(len(names))]
    sampled = []
    for _ in range(40):
        drawn = np.concatenate([rows_of[i] for i in rng.integers(len(names), size=len(names))])
        kappas = []
        for condition in people.CONDITIONS:
            here = drawn[(trials.condition.to_numpy() == condition)[drawn]]
            kappas += [cohen_kappa_score(right[network][here], person[here]) for person in experiment.correct]
        sampled.append(np.nanmean(kappas))
    fewer = study.model_copy(update={"inference": InferenceSettings(n_bootstraps=40)})
    table = consistency_table(fewer, experiment, {network: right[network]})
    row = table[(table.metric == "kappa") & (table.trained_on == network.trained_on) & (table.subject == "mean")].iloc[
        0
    ]
    assert (row.lower, row.upper) == pytest.approx(confidence_interval(np.array(sampled)), abs=1e-9)
    assert len(consistency) > len(table)


def test_differences_are_paired_so_that_equal_networks_differ_by_nothing():
    rng = np.random.default_rng(0)
    hits = (rng.random((300, 1)) < 0.7).astype(float) @ np.ones((1, 3))
    networks = [Network("cornet", 0, 0, 0), Network("control", 1, 0, 0), Network("realnet", 1, 40, 0)]
    inference = InferenceSettings(n_bootstraps=300)
    samples = resampled_sums(hits, inference) / 300
    rows = pd.DataFrame(measure_rows(networks, "top1", hits.mean(axis=0), samples, inference))
    differences = rows[rows.metric == "top1_difference"]
    assert (differences[["value", "lower", "upper"]] == 0).all(axis=None) and (differences.p == 1).all()
    spread = rows[rows.model == "cornet"].iloc[0]
    p = hits[:, 0].mean()
    assert spread.upper - spread.lower == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 300), rel=0.15)


def test_the_table_can_be_saved_read_and_shown(study, accuracy, consistency):
    saved = save_table(study, "behavior", pd.concat([accuracy, consistency]))
    keys = ["dataset", "subject", "model", "trained_on", "beta", "seed", "stimulus_set", "metric", "reference",
            "condition"]  # fmt: skip
    assert not saved.duplicated(keys).any()
    assert len(load_table(study, "behavior")) == len(saved)
    shown = readable(saved[saved.dataset == "geirhos2021"], ("kappa", "accuracy16"))
    assert shown[shown.measure == "kappa"].model.tolist() == [
        "cornet",
        "control",
        "realnet",
        "realnet",
        "shuffled",
        "human",
    ]
    row = shown[(shown.measure == "kappa") & (shown.beta == 10)].iloc[0]
    expected = saved.query(
        "metric == 'kappa_difference' and beta == 10 and trained_on == 'mean' and reference == 'control'"
    )
    assert row["minus control"] == expected.value.item()
    assert shown.query("model == 'control'")["minus control"].isna().all()


def test_absent_images_leave_an_empty_table_and_a_sentence(study, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    table, sentence = accuracy_table(study, study.networks())
    assert table.empty and "imagenet/val" in sentence
    experiments, sentences = find_experiments(study)
    assert not experiments and len(sentences) == 2


def test_a_part_of_the_classes_and_a_part_of_the_pictures_are_refused(study, tmp_path, monkeypatch):
    folder = study.raw_folder("imagenet") / "val"
    first = sorted(folder.iterdir())[0]
    aside = first.rename(tmp_path / first.name)
    try:
        with pytest.raises(InvalidInput, match="15 classes, but the network tells 16 apart"):
            accuracy_table(study, study.networks()[:1], device="cpu")
    finally:
        aside.rename(first)
    root = study.raw_folder("geirhos2021")
    path = next(root.rglob("*subject-02*.csv"))
    text = path.read_text()
    path.write_text("\n".join(text.splitlines()[:-3]) + "\n")
    try:
        with pytest.raises(InvalidInput, match="subject-02 decided on 157 of 160 pictures"):
            read_experiment(root, "simulated", people.EXPERIMENT)
    finally:
        path.write_text(text)


def test_real_people_and_published_decisions_of_networks_are_read_together(study, real_data):
    edges = read_experiment(real_data, "real", "edge-experiment")
    assert len(edges.subjects) == 10 and set(edges.others) == {"alexnet", "googlenet", "vgg"}
    table = consistency_table(study, edges, {Network(n, 0, 0, 0): right for n, right in edges.others.items()})
    ceiling = table[table.metric == "kappa"].ceiling.unique()
    assert ceiling == pytest.approx([0.31844], abs=5e-6)
    assert (table.people == "real").all() and not table.metric.str.endswith("difference").any()


def rename_experiment(folder, name, tag):
    """A world's experiment under another name, with other trials."""
    for path in [*folder.rglob("*.csv"), *folder.rglob("*.png")]:
        target = path.with_name(path.name.replace(people.EXPERIMENT, name).replace(f"_{people.TAG}_", f"_{tag}_"))
        path.rename(target)
        if target.suffix == ".csv":
            target.write_text(target.read_text().replace(f"_{people.TAG}_", f"_{tag}_"))


def test_a_damaged_experiment_is_left_out_with_a_sentence_and_the_others_stay(study, tmp_path, monkeypatch):
    root = tmp_path / "published"
    world = study.raw_folder("geirhos2021")
    shutil.copytree(world, root)
    shutil.copytree(world / people.EXPERIMENT, root / "other")
    rename_experiment(root / "other", "other-noise", "oth")
    monkeypatch.setenv("REALNET_DATA", str(root))

    def real():
        experiments, sentences = find_experiments(study)
        return [experiment.name for experiment in experiments if experiment.people == "real"], sentences

    assert real() == (["other-noise", people.EXPERIMENT], [])
    shutil.copytree(root / "other" / "dnn", root / "other" / "again")  # the images lie there twice
    names, sentences = real()
    assert names == [people.EXPERIMENT] and len(sentences) == 1
    assert (
        sentences[0].startswith("The experiment other-noise with real people was left out") and "also" in sentences[0]
    )
    shutil.rmtree(root / "other" / "again")
    next((root / "other").rglob("*.csv")).write_text("<html>")
    names, (sentence,) = real()
    assert names == [people.EXPERIMENT] and "other-noise" in sentence
    (root / "human_categories.py").write_text("oven_indices = [5]")  # differs from the mapping that is there
    assert real()[0] == [] and len(real()[1]) == 2


def test_an_experiment_without_people_is_left_out(study, tmp_path, monkeypatch):
    shutil.copytree(study.raw_folder("geirhos2021"), tmp_path / "published")
    for path in sorted((tmp_path / "published").rglob("*.csv")):
        path.write_text(path.read_text().replace("subject-", "network-"))
    monkeypatch.setenv("REALNET_DATA", str(tmp_path / "published"))
    experiments, (sentence,) = find_experiments(study)
    assert [experiment.people for experiment in experiments] == ["simulated"] and "of no person" in sentence


def test_published_decisions_lie_in_the_raw_folder_of_the_study_or_in_data_raw(study, tmp_path, monkeypatch):
    monkeypatch.delenv("REALNET_DATA")
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    simulated = study.raw_folder("geirhos2021")
    real = study.model_copy(update={"simulated": None, "raw": "elsewhere"})
    assert real_folder(study, "geirhos2021") == tmp_path / "data" / "raw" / "geirhos2021" != simulated
    assert real_folder(real, "geirhos2021") == tmp_path / "elsewhere" / "geirhos2021"
    (tmp_path / "data" / "raw" / "geirhos2021").mkdir(parents=True)
    assert real_folder(real, "geirhos2021") == tmp_path / "data" / "raw" / "geirhos2021"
    (tmp_path / "elsewhere" / "geirhos2021").mkdir(parents=True)
    write_decisions(tmp_path / "elsewhere" / "geirhos2021" / "edge_subject-01_session_1.csv")
    assert find_experiments(real)[1][0].startswith("The experiment edge with real people was left out")


def write_decisions(path):
    """A file of decisions whose pictures are not at hand."""
    path.write_text(
        "subj,session,trial,rt,object_response,category,condition,imagename\n"
        "subject-01,1,1,0.5,oven,oven,0,0001_edg_s01_0_oven_00_oven10.png\n"
    )
