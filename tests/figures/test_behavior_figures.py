"""Figure S1: what is drawn are the numbers of the table."""

import numpy as np
import pandas as pd
import pytest
from figure_tables import cross, intervals, line, points
from matplotlib.colors import to_hex

from realnet.figures.behavior import plot_accuracy, plot_consistency
from realnet.figures.style import MODELS

NAMES = ["sub-01", "sub-02", "mean"]
#: Columns that name the networks, means over networks included.
KINDS = [{"model": model, "trained_on": names, "beta": beta} for model, names, beta in (
    ("cornet", np.nan, 0), ("control", NAMES, 0), ("realnet", NAMES, [10, 40]), ("shuffled", NAMES, 40))]  # fmt: skip


def test_accuracy_shows_means_by_beta_and_references_as_lines(rng):
    accuracy = pd.concat([cross(rng, metric=["top1", "top5"], **kind) for kind in KINDS])
    for panel, metric in zip(plot_accuracy(accuracy).axes, ("top1", "top5"), strict=True):
        part = accuracy[accuracy.metric == metric]
        means = part[(part.model == "realnet") & (part.trained_on == "mean")]
        np.testing.assert_allclose(line(panel, "ReAlnet").get_xydata(), means[["beta", "value"]])
        bars = [c.get_segments() for c in panel.collections if to_hex(c.get_color()[0]) == MODELS["realnet"].colour]
        np.testing.assert_allclose(np.stack(bars[0])[:, :, 1], means[["lower", "upper"]])
        for model, rows in (("cornet", part.model == "cornet"), ("control", part.trained_on == "mean")):
            level = line(panel, MODELS[model].label)
            assert level.get_ydata()[0] == part[rows & (part.model == model)].value.item()
            assert to_hex(level.get_color()) == MODELS[model].colour and level.get_linestyle() != "-"
        assert list(panel.get_xticks()) == [10, 40]


def test_consistency_shows_subjects_beside_their_mean_under_the_ceiling(rng):
    kinds = [*KINDS, {"model": "human", "trained_on": np.nan, "beta": np.nan}]
    single = [cross(rng, subject=["subject-01", "subject-02"], condition=["0.0", "0.1"], **kind) for kind in kinds]
    means = [cross(rng, subject="mean", condition="mean", **kind) for kind in kinds]
    kappa = pd.concat([*single, *means]).assign(metric="kappa", ceiling=0.35, ceiling_lower=0.3, ceiling_upper=0.41)
    (panel,) = plot_consistency(kappa, "Edges").axes
    names = ["CORnet", "Control", "ReAlnet\nbeta 10", "ReAlnet\nbeta 40", "Shuffled", "Humans"]
    assert [label.get_text() for label in panel.get_xticklabels()] == names
    band = panel.patches[0].get_bbox()
    assert (band.y0, band.y1) == pytest.approx((0.3, 0.41))
    single = kappa[(kappa.model == "control") & (kappa.subject != "mean") & (kappa.trained_on != "mean")]
    np.testing.assert_allclose(points(panel, "control subjects")[1], single.groupby("subject").value.mean())
    mean = kappa[(kappa.model == "human") & (kappa.subject == "mean")].iloc[0]
    assert points(panel, "human")[1] == [mean.value]
    assert intervals(panel, "human interval", "y") == [(mean.lower, mean.upper)]
    published = kappa.assign(model=kappa.model.replace({"shuffled": "alexnet"}))
    (panel,) = plot_consistency(published[published.model.isin(["alexnet", "human"])]).axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["alexnet", "Humans"]
