"""The figures of the ablation show the numbers of their tables."""

import numpy as np
import pandas as pd
from figure_tables import line

from experiments.figures.choices import plot_choice_effects, plot_descent


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


def test_descent_draws_one_line_per_correlation():
    figure = plot_descent({"spearman": np.linspace(0, 1, 5), "detached": np.zeros(5)})
    np.testing.assert_allclose(line(figure.axes[0], "detached").get_ydata(), 0)
