"""Appendix 09: effects of choices are paired within simulated data sets."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.figures.choices import plot_choice_effects, plot_descent
from experiments.tables import choices
from experiments.tables.kept import load_kept
from realnet.settings import load_study


@pytest.fixture(scope="module")
def table():
    """Two participants in four data sets: choice `b` adds .1 and a little noise to `paper`, `same` adds nothing."""
    rng = np.random.default_rng(0)
    rows = []
    for simulation in range(4):
        for measure, part in choices.OUTCOMES.values():
            rows.append((simulation, "cornet", np.nan, measure, part or "x", 10.0 * simulation - 1))
            for subject in ("sub-01", "sub-02"):
                level, noise = 10.0 * simulation, 0.01 * rng.normal()
                for choice, value in (("paper", level), ("b", level + 0.1 + noise), ("same", level)):
                    rows.append((simulation, choice, subject, measure, part or "x", value))
    return pd.DataFrame(rows, columns=["simulation", "choice", "trained_on", "measure", "part", "value"])


def test_effects_are_paired_differences_with_students_interval_over_data_sets(table):
    effects = choices.choice_effects(table)
    (row,) = effects[(effects.choice == "b") & (effects.outcome == "own fMRI")].to_dict("records")
    part = table[table.measure == "fmri_natural"].groupby(["simulation", "choice"]).value.mean().unstack()
    expected = stats.ttest_rel(part["b"], part["paper"]).confidence_interval()
    assert row["value"] == pytest.approx((part["b"] - part["paper"]).mean())
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(expected))
    assert row["n_simulations"] == 4
    assert row["upper"] - row["lower"] < 0.1  # levels that differ by tens between data sets have no influence


def test_equal_choices_have_no_difference_and_the_gain_is_over_the_cornet_of_the_same_data_set(table):
    assert choices.largest_difference(table, "paper", "same") == 0
    assert choices.largest_difference(table, "paper", "b") > 0.05
    np.testing.assert_allclose(choices.gain_over_cornet(table).value, 1)


def test_words_give_value_and_interval():
    assert choices.in_words({"value": 0.0123, "lower": -0.2, "upper": 1.5}) == "+.012 [-.200, +1.500]"


def test_settings_beside_shows_what_differs_and_nothing_else():
    beside = choices.settings_beside(load_study("paper"), load_study("released"))
    assert beside.loc["training.contrastive"].to_dict() == {"paper": "spearman", "released": "detached"}
    assert {"training.epochs", "training.selection", "training.batch_norm_momentum", "eeg.window"} <= set(beside.index)
    assert "training.batch_size" not in beside.index


@pytest.mark.parametrize(
    ("correlation", "low", "high"), [("spearman", 0.9, 1), ("pearson", 0.9, 1), ("detached", -0.1, 0.1)]
)
def test_only_a_term_with_a_gradient_brings_predictions_to_their_measurements(correlation, low, high):
    found = choices.descend(correlation)
    assert abs(found[0]) < 0.1
    assert low <= found[-1] <= high


def test_effects_are_drawn_filled_where_their_interval_leaves_out_zero(table):
    effects = choices.choice_effects(table)
    figure = plot_choice_effects(effects, ["same", "b"])
    assert [axes.get_title() for axes in figure.axes] == list(choices.OUTCOMES)
    filled, opened = figure.axes[0].lines[:2]
    assert filled.get_ydata().tolist() == [1] and opened.get_xydata().tolist() == [[0, 0]]
    assert opened.get_markerfacecolor() == "white" != filled.get_markerfacecolor()


def test_descent_draws_one_line_per_correlation():
    curves = {"spearman": np.linspace(0, 1, 5), "detached": np.zeros(5)}
    drawn = {line.get_label(): line.get_ydata() for line in plot_descent(curves).axes[0].lines}
    np.testing.assert_array_equal([drawn[name] for name in curves], list(curves.values()))


def test_in_the_kept_ablation_a_term_without_gradient_has_no_effect():
    table, about = load_kept("ablation")
    assert choices.largest_difference(table, "none", "detached") == 0
    assert about["settings"]["simulations"] >= 3
    assert set(about["settings"]["choices"]) == set(table.choice) - {"cornet"}
