"""Alignment with a real person: held-out images stay out of it, and the intervals are those of the differences."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from experiments import real_brains
from experiments.figures.real_brains import plot_learning, plot_real_brains
from experiments.real_brains import MEAN, SAME, STAGES, Run, StageTraining, brains_for, split, targets_of, teacher_rdms
from experiments.tables.real_brains import agreement, answers, effects
from realnet.backbones import EfficientNetLite0
from realnet.cornet import LAYERS, CORnetS
from realnet.datasets import objects92
from realnet.settings import TrainingSettings

SMALL = StageTraining(layers=LAYERS, epochs=1, n_hidden=4, learning_rate=1e-3, device="cpu")


@pytest.fixture(scope="module")
def objects():
    return objects92.load()


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (92, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def weights(run, images, rdm, categories):
    torch.manual_seed(0)
    network = CORnetS(width=0.0625, n_classes=7)
    return torch.cat(
        [p.flatten() for p in real_brains.train_run(run, images, rdm, categories, SMALL, network).parameters()]
    )


def test_folds_hold_out_every_image_once_and_every_category_alike(objects):
    categories = objects.category.values
    held_out = [split(categories, fold)[1] for fold in range(4)]
    assert sorted(np.concatenate(held_out)) == list(range(92)) and {len(rows) for rows in held_out} == {23}
    counts = pd.DataFrame([pd.Series(categories[rows]).value_counts() for rows in held_out]).fillna(0)
    assert (counts.max() - counts.min()).max() <= 1
    for fold in range(4):
        train, few = split(categories, fold)[0], split(categories, fold, 23)[0]
        assert len(train) == 69 and not set(train) & set(held_out[fold]) and set(few) < set(train) and len(few) == 23


@pytest.mark.parametrize("loss", ["encoding", "similarity"])
def test_changed_responses_to_held_out_images_give_equal_weights(objects, images, loss):
    categories, rdm = objects.category.values, teacher_rdms(objects)["BE"]
    train, test = split(categories, 1)
    full, rng = squareform(rdm), np.random.default_rng(1)
    full[test] = rng.uniform(size=(23, 92))
    full[:, test] = full[test].T
    np.fill_diagonal(full, 0)
    changed_images = images.clone()
    changed_images[test] = 255 - images[test]
    run = Run("aligned", loss, "BE", fold=1)
    before = weights(run, images, rdm, categories)
    assert torch.equal(before, weights(run, changed_images, squareform(full, checks=False), categories))
    full = squareform(rdm)
    full[train[0], train[1]] = full[train[1], train[0]] = 0.5
    assert not torch.equal(before, weights(run, images, squareform(full), categories))
    assert not torch.equal(before, weights(run._replace(model="shuffled"), images, rdm, categories))


def test_control_does_not_depend_on_a_person(objects, images):
    teachers, run = teacher_rdms(objects), Run("control")
    first, other = (weights(run, images, teachers[name], objects.category.values) for name in ("KO", MEAN))
    assert torch.equal(first, other)


def test_the_similarity_loss_is_given_the_similarities_of_the_person(objects):
    rdm = teacher_rdms(objects)["TI"]
    train, test = split(objects.category.values, 0)
    targets = targets_of(rdm, train, test, "similarity")
    np.testing.assert_allclose(targets @ targets.T, (1 - squareform(rdm))[np.ix_(train, train)], atol=1e-12)
    scores = targets_of(rdm, train, test, "encoding")
    assert scores.shape == (69, 68) and scores.std() == pytest.approx(1) and abs(scores.mean(axis=0)).max() < 1e-12


def test_the_network_is_read_out_at_four_stages_and_gives_its_own_logits():
    network = EfficientNetLite0()
    model, _ = real_brains.align(
        EfficientNetLite0(), torch.zeros(4, 3, 32, 32, dtype=torch.uint8), np.eye(4), StageTraining(epochs=1), beta=0
    )  # at beta 0 on images of its own classes hardly anything changes
    assert [name for name, _ in model.named_children()] == ["realnet", *[f"fc_{stage}" for stage in STAGES], "fc"]
    with torch.no_grad():
        images = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(network.decoder(network.activations(images)["features"]), network(images))
        torch.testing.assert_close(model.realnet(images), model(images)[0])
    assert StageTraining().model_dump(exclude={"layers", "epochs", "batch_size", "batch_norm"}) == (
        TrainingSettings().model_dump(exclude={"layers", "epochs", "batch_size", "batch_norm"})
    )


@pytest.fixture(scope="module")
def found(objects):
    """Random RDMs of held-out images for every planned run of two people, two folds and two seeds."""
    rng = np.random.default_rng(0)
    runs = real_brains.planned(["BE", "KO"], (0, 1), [0, 1])
    assert len(set(runs)) == len(runs)
    return {run: (rng.uniform(size=(4, 253)), rng.integers(0, 2, 23), 1.0) for run in runs}


@pytest.fixture(scope="module")
def table(found, objects):
    rows = real_brains.similarity_rows(found, objects)
    return pd.DataFrame(rows + real_brains.difference_rows(found, objects, ["BE", "KO"], (0, 1), [0, 1], 20))


def test_similarities_are_those_of_held_out_images_with_another_session(found, table, objects):
    run = Run("aligned", "similarity", "KO", fold=1, seed=1)
    test = split(objects.category.values, 1)[1]
    second = squareform(objects.session_rdms.sel(person="KO", session=2).values)[np.ix_(test, test)]
    expected = [spearmanr(rdm, squareform(second, checks=False)).statistic for rdm in found[run][0]]
    rows = table[
        (table.metric == "rho") & (table.model == "aligned") & (table.loss == "similarity") & (table.seed == 1)
    ]
    rows = rows[(rows.subject == "KO") & (rows.fold == 1) & (rows.roi == SAME)].set_index("layer").value
    assert rows[list(STAGES)].tolist() == pytest.approx(expected)
    assert rows["best"] == pytest.approx(max(expected)) and rows["mean"] == pytest.approx(np.mean(expected))
    assert set(brains_for(objects, "KO")) >= {SAME, "other people", "IT, monkeys", "judgements, 16 people"}


def test_differences_are_those_of_the_rows_averaged_over_people_folds_and_seeds(table):
    rho = table[(table.metric == "rho") & (table.n_train == 69) & (table.layer == "mean")]
    rho = rho[rho.subject.isin(["BE", "KO"])]
    rows = table[(table.metric == "difference") & (table.layer == "mean") & (table.n_train == 69)]
    rows = rows[rows.trained_on == "people"]
    for row in rows.itertuples():
        seeds = [0] if row.loss == "encoding" else [0, 1]  # the encoding loss has the first seed alone
        part = rho[(rho.roi == row.roi) & rho.loss.isin([row.loss, ""]) & rho.seed.isin(seeds)]
        means = part.groupby("model").value.mean()
        assert row.value == pytest.approx(means[row.model] - means[row.reference], abs=1e-12)
        assert row.lower < row.value < row.upper and row.n_seeds == len(seeds)
    assert len(rows) % 8 == 0  # two losses, five brains at least, four comparisons


def test_the_table_reads_as_text_and_figures(table):
    assert set(effects(table).index.get_level_values("loss")) == {"encoding", "similarity"}
    assert agreement(table).loc[("pretrained", "-"), 69] == 1
    assert answers(table).count("loss: ") == 2
    drawn = plot_real_brains(table, "similarity").axes[0]
    rows = table[(table.metric == "rho") & (table.layer == "mean") & (table.n_train == 69) & (table.roi == SAME)]
    rows = rows[(rows.model == "aligned") & (rows.loss == "similarity") & (rows.subject != MEAN)]
    (line,) = [x for x in drawn.lines if x.get_label() == "aligned"]
    np.testing.assert_allclose(line.get_ydata(), rows.value.mean())
    (bars,) = plot_learning(table).axes[0].containers
    kept = table[
        (table.metric == "difference") & (table.layer == "mean") & (table.roi == SAME) & (table.loss == "similarity")
    ]
    kept = kept[(kept.model == "aligned") & (kept.reference == "shuffled") & (kept.trained_on == "people")]
    np.testing.assert_allclose(bars.lines[0].get_ydata().astype(float), kept.sort_values("n_train").value)
