"""The figures of chapter 15 show the numbers of their tables."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from realnet.errors import InvalidInput
from realnet.figures import plot_lab_hours, plot_scale


@pytest.fixture
def curves():
    rows = [
        {"work": work, "axis": axis, axis: n, "seconds": n * 1e-3, "peak_gib": 0.1 * n, "law_seconds": n * 1.1e-3,
         "law_gib": 0.11 * n}
        for work, axis in (("rdm", "images"), ("rdm", "units"), ("preparation", "voxels"))
        for n in (400, 100, 200)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("quantity, law", [("seconds", "law_seconds"), ("peak_gib", "law_gib")])
def test_each_work_and_size_has_a_panel_with_points_and_law(curves, quantity, law):
    figure = plot_scale(curves, quantity)
    assert [(a.get_title(), a.get_xlabel()) for a in figure.axes] == [
        ("rdm", "images"), ("rdm", "units"), ("preparation", "voxels")
    ]  # fmt: skip
    line, dots = figure.axes[1].lines
    part = curves[(curves.axis == "units")].sort_values("units")
    np.testing.assert_array_equal(line.get_xydata(), part[["units", law]])
    np.testing.assert_array_equal(dots.get_xydata(), part[["units", quantity]])
    assert all(axes.get_xscale() == axes.get_yscale() == "log" for axes in figure.axes)


def test_hours_are_drawn_per_lab_and_machine():
    plans = pd.DataFrame([
        {"lab": lab, "machines": machines, "stage": stage, "hours": hours}
        for lab in ("NSD", "THINGS")
        for machines, factor in (("one", 1.0), ("sixteen", 16.0))
        for stage, hours in (("training", 32 / factor), ("bootstrap", 5.0))
    ])  # fmt: skip
    figure = plot_lab_hours(plans)
    assert [axes.get_title() for axes in figure.axes] == ["NSD", "THINGS"]
    drawn = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert [sorted(line.get_xdata()) for line in drawn] == [[5, 32], [2, 5]]
    assert drawn[0].get_marker() != drawn[1].get_marker()


def test_a_table_without_laws_is_refused(curves):
    with pytest.raises(InvalidInput, match="law_seconds"):
        plot_scale(curves.drop(columns="law_seconds"))


def test_numbers_on_an_axis_of_five_points_do_not_run_into_each_other():
    sizes = [600, 1200, 2400, 4800, 9600]
    rows = [{"work": f"work {i}", "axis": "images", "images": n, "seconds": n, "law_seconds": n}
            for i in range(4) for n in sizes]  # fmt: skip
    figure = plot_scale(pd.DataFrame(rows))
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert len(boxes) == 3 and all(one.x1 < other.x0 for one, other in pairwise(boxes))
