"""Figure S1: what is drawn are the numbers of the table."""

import numpy as np
import pandas as pd
import pytest
from figure_tables import legend_texts, points
from matplotlib.colors import to_hex

from realnet import figures
from realnet.errors import InvalidInput
from realnet.figures.style import MODELS

BETAS, PEOPLE = (10, 40), ("subject-01", "subject-02")


def kinds():
    """(model, trained_on, beta), means over networks included."""
    yield "cornet", pd.NA, 0
    for model, betas in (("control", (0,)), ("realnet", BETAS), ("shuffled", (40,))):
        yield from ((model, trained_on, beta) for beta in betas for trained_on in ("sub-01", "sub-02", "mean"))


@pytest.fixture
def accuracy(rng):
    rows = []
    for metric in ("top1", "top5"):
        for model, trained_on, beta in kinds():
            value = rng.uniform(0.4, 0.8)
            rows.append({"metric": metric, "model": model, "trained_on": trained_on, "beta": beta, "value": value,
                         "lower": value - 0.03, "upper": value + 0.05})  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def kappa(rng):
    rows = []
    ceiling = {"ceiling": 0.35, "ceiling_lower": 0.3, "ceiling_upper": 0.41}
    for model, trained_on, beta in [*kinds(), ("human", pd.NA, np.nan)]:
        about = {"metric": "kappa", "model": model, "trained_on": trained_on, "beta": beta, **ceiling}
        if trained_on is pd.NA or trained_on != "mean":
            rows += [{**about, "subject": s, "condition": c, "value": rng.uniform(0, 0.3)}
                     for s in PEOPLE for c in ("0.0", "0.1")]  # fmt: skip
        value = rng.uniform(0, 0.3)
        rows.append({**about, "subject": "mean", "condition": "mean", "value": value, "lower": value - 0.05,
                     "upper": value + 0.02})  # fmt: skip
    return pd.DataFrame(rows)


def test_accuracy_shows_means_by_beta_and_references_as_lines(accuracy):
    figure = figures.plot_accuracy(accuracy)
    for panel, metric in zip(figure.axes, ("top1", "top5"), strict=True):
        part = accuracy[accuracy.metric == metric]
        means = part[(part.model == "realnet") & (part.trained_on == "mean")]
        (drawn,) = [c for c in panel.containers if c.get_label() == "ReAlnet"]
        np.testing.assert_allclose(drawn.lines[0].get_xydata(), means[["beta", "value"]])
        arms = np.stack(drawn.lines[2][0].get_segments())[:, :, 1]
        np.testing.assert_allclose(arms, means[["lower", "upper"]])
        for model, rows in (("cornet", part.model == "cornet"), ("control", part.trained_on == "mean")):
            (level,) = [x for x in panel.lines if x.get_label() == MODELS[model].label]
            assert level.get_ydata()[0] == part[rows & (part.model == model)].value.item()
            assert to_hex(level.get_color()) == MODELS[model].colour and level.get_linestyle() != "-"
        assert panel.get_xlabel() == "beta" and list(panel.get_xticks()) == list(BETAS)
    assert len(legend_texts(figure)) == 5


def test_consistency_shows_people_beside_their_mean_under_the_ceiling(kappa):
    figure = figures.plot_consistency(kappa, "Edges")
    (panel,) = figure.axes
    names = [label.get_text() for label in panel.get_xticklabels()]
    assert names[:2] == ["CORnet", "Control"] and names[2:4] == ["ReAlnet\nbeta 10", "ReAlnet\nbeta 40"]
    assert names[-1] == "People"
    band = panel.patches[0].get_bbox()
    assert (band.y0, band.y1) == pytest.approx((0.3, 0.41))
    single = kappa[(kappa.model == "control") & (kappa.subject != "mean")]
    np.testing.assert_allclose(points(panel, "control people")[1], single.groupby("subject").value.mean())
    (drawn,) = [c for c in panel.containers if c.get_label() == "human"]
    mean = kappa[(kappa.model == "human") & (kappa.subject == "mean")].iloc[0]
    assert drawn.lines[0].get_ydata()[0] == mean.value
    np.testing.assert_allclose(drawn.lines[2][0].get_segments()[0][:, 1], (mean.lower, mean.upper))


def test_networks_that_only_left_decisions_have_a_column_of_their_name(kappa):
    published = kappa.assign(model=kappa.model.replace({"shuffled": "alexnet"}))
    published = published[published.model.isin(["alexnet", "human"])]
    (panel,) = figures.plot_consistency(published).axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["alexnet", "People"]


def test_people_without_a_pair_have_no_band(kappa):
    alone = kappa[kappa.model != "human"].assign(ceiling=np.nan, ceiling_lower=np.nan, ceiling_upper=np.nan)
    assert not figures.plot_consistency(alone).axes[0].patches


def test_a_table_without_the_measure_is_refused(accuracy, kappa):
    with pytest.raises(InvalidInput, match="plot_accuracy expects rows with metric"):
        figures.plot_accuracy(kappa)
    with pytest.raises(InvalidInput, match="plot_consistency expects"):
        figures.plot_consistency(accuracy)
