"""Figures of object dimensions and 92 objects: what is drawn, read back from the artists, equals pandas and scipy."""

import numpy as np
import pandas as pd
import pytest
from figure_tables import LAYERS, ROIS, dimensions, legend_texts, line, points
from scipy import stats

from realnet import figures
from realnet.figures.style import MODELS


@pytest.mark.parametrize("n_dims", [8, 49])
def test_dimensions_are_means_over_networks_sorted_by_realnet(rng, n_dims):
    table = dimensions(rng, n_dims)
    axes = figures.plot_dimensions(table).axes[0]
    means = table[(table.metric == "partial_rho2") & (table.layer == "IT")].groupby(["model", "dimension"]).value.mean()
    order = means["realnet"].sort_values(ascending=False).index
    assert [t.get_text() for t in axes.get_yticklabels()] == list(order)
    for model in ("cornet", "control", "realnet"):
        np.testing.assert_allclose(line(axes, MODELS[model].label).get_xdata(), means[model][order])
    top = figures.plot_dimensions(table, layer="V1", n_top=5).axes[0]
    assert len(top.get_yticklabels()) == 5


@pytest.mark.parametrize("n_dims", [8, 49])
def test_changes_of_dimensions_have_intervals_and_marks_exactly_below_05(rng, n_dims):
    table = dimensions(rng, n_dims)
    figure = figures.plot_dimension_changes(table)
    rows = table[(table.metric == "difference") & (table.model == "realnet")]
    first = rows[rows.reference == "cornet"].sort_values("value", ascending=False)
    names = list(first.dimension)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == names
    for axes, reference, label in zip(figure.axes, ("cornet", "control"), ("vs CORnet", "vs Control"), strict=True):
        part = rows[rows.reference == reference].set_index("dimension").loc[names]
        sure = np.flatnonzero(part.p < 0.05)
        assert sorted(points(axes, f"{label} p < .05")[1]) == list(sure)
        x, y = points(axes, label)
        np.testing.assert_allclose(x[np.argsort(y)], part.value.to_numpy()[sure])
        (bars,) = [c for c in axes.collections if c.get_label() == f"{label} interval"]
        ends = {s[0, 1]: tuple(s[:, 0]) for s in bars.get_segments()}
        assert ends == dict(enumerate(zip(part.lower, part.upper, strict=True)))
        assert len(points(axes, "Null")[0]) == n_dims
    without = figures.plot_dimension_changes(table[table.model != "shuffled"])
    assert "Null (shuffled)" not in legend_texts(without)


def test_dimension_layers_are_means_over_networks(rng):
    table = dimensions(rng, 8)
    chosen = ["object dimension 3", "object dimension 1"]
    figure = figures.plot_dimension_layers(table, chosen)
    for axes, name in zip(figure.axes, chosen, strict=True):
        means = (
            table[(table.dimension == name) & (table.metric == "partial_rho2")].groupby(["model", "layer"]).value.mean()
        )
        assert axes.get_title() == name
        for model in ("cornet", "control", "realnet"):
            np.testing.assert_allclose(line(axes, MODELS[model].label).get_ydata(), means[model][LAYERS])


def test_dimension_pictures_are_the_highest_and_the_lowest():
    images = np.stack([np.full((8, 8, 3), i, np.uint8) for i in range(10)])
    values = np.stack([np.arange(10), -np.arange(10)], axis=1)
    figure = figures.plot_dimension_pictures(images, values, ["up", "down"], n=2)
    shown = [int(a.images[0].get_array()[0, 0, 0]) for a in figure.axes if a.images]
    assert shown == [9, 8, 1, 0, 0, 1, 8, 9]


def test_objects92_shows_mean_and_sem_over_people_and_the_ceiling(rng):
    table = pd.DataFrame([
        {"subject": s, "model": "cornet", "layer": layer, "roi": roi, "metric": "rho", "value": rng.random(),
         "ceiling_lower": 0.2, "ceiling_upper": 0.3}
        for s in range(15) for layer in LAYERS for roi in ("EVC", "IT")
    ])  # fmt: skip
    figure = figures.plot_objects92(table)
    for axes, roi in zip(figure.axes, ("EVC", "IT"), strict=True):
        (bars,) = axes.containers
        values = [table[(table.roi == roi) & (table.layer == layer)].value for layer in LAYERS]
        np.testing.assert_allclose(bars.lines[0].get_ydata().astype(float), [v.mean() for v in values])
        halves = [np.ptp(s[:, 1]) / 2 for s in bars.lines[2][0].get_segments()]
        np.testing.assert_allclose(halves, [stats.sem(v) for v in values])
        (band,) = [p for p in axes.patches if p.get_label() == "Noise ceiling"]
        assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.2, 0.3))


def test_headline_has_the_three_results(rng, fmri, eeg):
    table = dimensions(rng, 49)
    top, middle, bottom = figures.plot_headline(fmri, eeg, table).axes
    best = fmri[(fmri.layer == "best") & (fmri.stimulus_set == "natural") & (fmri.model == "realnet")]
    np.testing.assert_allclose(line(top, "ReAlnet").get_ydata(), best.groupby("roi").value.mean()[ROIS])
    it = eeg[(eeg.metric == "rho") & (eeg.layer == "IT") & (eeg.model == "realnet")]
    np.testing.assert_allclose(line(middle, "ReAlnet").get_ydata(), it.groupby("time").value.mean())
    rows = table[(table.metric == "difference") & (table.model == "realnet") & (table.reference == "cornet")]
    rows = rows.sort_values("value", ascending=False).dimension
    assert [t.get_text() for t in bottom.get_yticklabels()] == [*rows[:7], *rows[-7:]]


def test_objects92_gives_networks_with_other_layers_panels_of_their_own(rng):
    layers = {"cornet": LAYERS, "realnet": LAYERS, "efficientnet-lite0": ["stem", *(f"stage {i}" for i in range(2, 8))]}
    table = pd.DataFrame([
        {"subject": s, "model": m, "layer": layer, "roi": roi, "metric": "rho", "value": rng.random()}
        for m, names in layers.items() for s in range(15) for layer in names for roi in ("EVC", "IT")
    ])  # fmt: skip
    axes = figures.plot_objects92(table).axes
    drawn = [([c.get_label() for c in a.containers], [t.get_text() for t in a.get_xticklabels()]) for a in axes]
    first, second = (["CORnet", "ReAlnet"], LAYERS), (["EfficientNet-Lite0"], layers["efficientnet-lite0"])
    assert drawn == [first, first, second, second]
