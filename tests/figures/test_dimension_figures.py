"""Figures of object dimensions: what is drawn, read back from the artists, equals pandas."""

import numpy as np
from figure_tables import LAYERS, REFERENCES, assert_forest, assert_means, legend_texts, points

from realnet.figures import dimensions as figures
from realnet.figures.style import MODELS


def test_dimensions_are_means_over_networks_sorted_by_realnet(tables):
    axes = figures.plot_dimensions(tables.dimensions, layer="V4").axes[0]
    rows = tables.dimensions[(tables.dimensions.metric == "partial_rho2") & (tables.dimensions.layer == "V4")]
    means = rows.pivot_table(index="dimension", columns="model", values="value").sort_values("realnet", ascending=False)
    assert [t.get_text() for t in axes.get_yticklabels()] == list(means.index)
    assert_means(axes, means)


def test_changes_of_dimensions_have_intervals_and_marks_exactly_below_05(tables):
    figure = figures.plot_dimension_changes(tables.dimensions)
    rows = tables.dimensions[(tables.dimensions.metric == "difference") & (tables.dimensions.model == "realnet")]
    names = list(rows[rows.reference == "cornet"].sort_values("value", ascending=False).dimension)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == names
    for axes, reference in zip(figure.axes, REFERENCES, strict=True):
        part = rows[rows.reference == reference].set_index("dimension").loc[names]
        assert_forest(axes, f"vs {MODELS[reference].label}", part, p="p_corrected")
        assert len(points(axes, "Shuffled")[0]) == (reference != "shuffled") * len(names)
    without = figures.plot_dimension_changes(tables.dimensions[tables.dimensions.model != "shuffled"])
    assert "Shuffled" in legend_texts(figure) and "Shuffled" not in legend_texts(without)


def test_dimension_layers_are_means_over_networks(tables):
    chosen = ["object dimension 3", "object dimension 1"]
    for axes, name in zip(figures.plot_dimension_layers(tables.dimensions, chosen).axes, chosen, strict=True):
        rows = tables.dimensions[(tables.dimensions.dimension == name) & (tables.dimensions.metric == "partial_rho2")]
        assert axes.get_title() == name
        assert_means(axes, rows.pivot_table(index="layer", columns="model", values="value").loc[LAYERS])


def test_dimension_images_are_the_highest_and_the_lowest():
    images = np.stack([np.full((8, 8, 3), i, np.uint8) for i in range(10)])
    values = np.stack([np.arange(10), -np.arange(10)], axis=1)
    figure = figures.plot_dimension_images(images, values, ["up", "down"], n=2)
    shown = [int(a.images[0].get_array()[0, 0, 0]) for a in figure.axes if a.images]
    assert shown == [9, 8, 1, 0, 0, 1, 8, 9]
