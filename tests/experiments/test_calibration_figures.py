"""Appendix 11: every cell of the calibration is drawn where its number says."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from experiments.figures import calibration as figures
from experiments.figures.calibration import TESTS
from experiments.tables.calibration import describe_cells

LEVELS = (0.0, 0.5, 0.8)


def row(**changes):
    empty = dict.fromkeys(("profile", "n_subjects", "n_images", "n_layers", "subject_sd", "autocorrelation",
                           "shared_offset", "effect", "width"), np.nan)  # fmt: skip
    return empty | {"quantity": "", "standard_error": 0.005} | changes


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.fixture
def errors():
    return pd.DataFrame([
        row(autocorrelation=level, shared_offset=offset, test=test, value=0.6 if "uncorrected" in test else 0.05)
        for level, offset, test in product(LEVELS, (0.0, 1.0), TESTS)
    ])  # fmt: skip


@pytest.fixture
def power():
    tests = [(width, test) for width, test in product((8, 1), TESTS) if width == 8 or "cluster" not in test[3:]]
    return pd.DataFrame([row(effect=effect, width=width, test=test, value=effect / 2)
                         for effect, (width, test) in product((0.5, 1.0, 1.5), tests)])  # fmt: skip


@pytest.fixture
def cells():
    few = {"n_subjects": 3, "n_images": 50, "n_layers": 1, "subject_sd": 0.4}
    return describe_cells(pd.DataFrame([
        row(**few, quantity="difference", metric="coverage", test="images and subjects, t", value=0.96),
        row(**few, quantity="difference", metric="coverage", test="images only, percentiles", value=0.7),
        row(n_subjects=1, n_images=10, n_layers=4, quantity="difference", metric="family_wise_error",
            test="bootstrap over images", value=0.01),
    ]))  # fmt: skip


def test_errors_have_a_panel_per_offset_and_a_dot_per_test_and_level(errors):
    figure = figures.plot_calibration_errors(errors)
    assert len(figure.axes) == 2
    for panel in figure.axes:
        dots = [container.lines[0] for container in panel.containers]
        assert len(dots) == len(TESTS) and all(len(line.get_xdata()) == len(LEVELS) for line in dots)
        assert sorted(set(np.concatenate([line.get_ydata() for line in dots]))) == [0.05, 0.6]
        assert panel.get_yscale() == "log" and panel.get_ylim()[1] >= 0.6
    assert legend_texts(figure) == [style.label for style in TESTS.values()]


def test_power_has_a_curve_per_test_without_the_one_that_does_not_hold(power):
    figure = figures.plot_calibration_power(power)
    assert [panel.get_title() for panel in figure.axes] == ["Effect at 8 times", "Effect at 1 time"]
    for line in [line for panel in figure.axes for line in panel.lines]:
        np.testing.assert_allclose(line.get_ydata(), np.array(line.get_xdata()) / 2)
    assert "t tests, uncorrected" not in legend_texts(figure) and len(legend_texts(figure)) == len(TESTS) - 1


def test_cells_are_named_by_what_distinguishes_them(cells):
    few = "difference, 3 participants, 50 images, 1 layers, participants differ by 0.4"
    assert cells.cell.tolist() == [few, few, "difference, 1 participants, 10 images, 4 layers"]
    assert describe_cells(cells[:2]).cell.tolist() == ["difference", "difference"]


@pytest.mark.parametrize(("metric", "values", "nominal"), [("coverage", [0.7, 0.96], 0.95),
                                                          ("family_wise_error", [0.01], 0.05)])  # fmt: skip
def test_each_cell_is_a_dot_at_its_value_beside_the_nominal_one(cells, metric, values, nominal):
    figure = figures.plot_calibration_cells(cells, metric)
    [axes] = figure.axes
    drawn = np.concatenate([container.lines[0].get_xdata() for container in axes.containers])
    np.testing.assert_allclose(sorted(drawn), values)
    assert any(np.allclose(line.get_xdata(), nominal) for line in axes.lines)
    assert [label.get_text() for label in axes.get_yticklabels()] == [cells[cells.metric == metric].cell.iloc[0]]
    assert len(legend_texts(figure)) == len(values)


def test_the_power_of_a_difference_rises_with_the_true_difference():
    table = pd.DataFrame({"truth": [0.2, 0.0, 0.1], "test": "bootstrap over images", "value": [0.9, 0.02, 0.4],
                          "standard_error": 0.01})  # fmt: skip
    [axes] = figures.plot_difference_power(table).axes
    curve = axes.containers[0].lines[0]
    np.testing.assert_allclose(curve.get_xdata(orig=False), [0, 0.1, 0.2])
    np.testing.assert_allclose(curve.get_ydata(orig=False), [0.02, 0.4, 0.9])
