"""Curves over beta and effects of choices show the numbers of their tables."""

import numpy as np
import pandas as pd
import pytest
from figure_tables import legend_texts, line

from realnet.errors import InvalidInput
from realnet.figures import plot_beta_curves, plot_choice_effects, plot_descent


@pytest.fixture
def curve():
    rows = [
        {"curve": name, "reference": reference, "beta": beta, "trained_on": person, "value": value + beta / 100,
         "lower": value, "upper": 1.0, "metric": "difference"}
        for name in ("own subject, natural", "EEG, layer IT", "accuracy", "other people, natural")
        for reference, betas in (("cornet", (0, 10, 40)), ("control", (10, 40))) for beta in betas
        for person, value in (("sub-01", 0.1), ("sub-02", 0.3))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_curve_is_the_mean_over_people_at_each_beta(curve):
    figure = plot_beta_curves(curve)
    assert len(figure.axes) == 4
    np.testing.assert_allclose(line(figure.axes[0], "vs CORnet").get_ydata(), [0.2, 0.3, 0.6])
    np.testing.assert_allclose(line(figure.axes[1], "vs Control").get_ydata(), [0.3, 0.6])
    assert {"ReAlnet vs CORnet", "taught by sub-01"} <= set(legend_texts(figure))


def test_rows_of_the_mean_are_drawn_with_their_interval_where_they_are_given(curve):
    mean = curve[curve.trained_on == "sub-01"].assign(trained_on="mean", value=0.7, lower=0.5, upper=0.9)
    figure = plot_beta_curves(pd.concat([curve, mean]))
    np.testing.assert_allclose(line(figure.axes[0], "vs CORnet").get_ydata(), 0.7)
    thick = [c for c in figure.axes[0].collections if c.get_linewidth()[0] > 2]
    assert all(np.allclose(segment[:, 1], [0.5, 0.9]) for lines in thick for segment in lines.get_segments())


def test_effects_whose_interval_holds_zero_are_open():
    effects = pd.DataFrame([
        {"choice": "a", "outcome": "own fMRI", "value": 0.2, "lower": 0.1, "upper": 0.3},
        {"choice": "b", "outcome": "own fMRI", "value": 0.1, "lower": -0.1, "upper": 0.3},
        {"choice": "a", "outcome": "accuracy", "value": -0.2, "lower": -0.3, "upper": -0.1},
        {"choice": "b", "outcome": "accuracy", "value": 0.0, "lower": -0.1, "upper": 0.1},
    ])  # fmt: skip
    figure = plot_choice_effects(effects, {"b": "b: first row", "a": "a: second row"})
    panel = figure.axes[0]
    filled, hollow = (x for x in panel.lines if x.get_marker() == "o")
    assert (filled.get_xdata()[0], filled.get_ydata()[0]) == (0.2, 1)
    assert (hollow.get_xdata()[0], hollow.get_ydata()[0]) == (0.1, 0)
    assert hollow.get_markerfacecolor() == "white"
    assert [t.get_text() for t in panel.get_yticklabels()] == ["b: first row", "a: second row"]


def test_descent_draws_one_line_a_correlation():
    figure = plot_descent({"spearman": np.linspace(0, 1, 5), "detached": np.zeros(5)})
    np.testing.assert_allclose(line(figure.axes[0], "detached").get_ydata(), 0)


def test_a_table_without_betas_is_refused(curve):
    with pytest.raises(InvalidInput, match="beta"):
        plot_beta_curves(curve.drop(columns="beta"))
