"""Synthetic tables, and reading back what a figure shows."""

from itertools import product

import numpy as np
import pandas as pd

from realnet.figures.style import MODELS

ROIS, LAYERS, SUBJECTS = ["V1", "V2", "V3", "V4", "LOC"], ["V1", "V2", "V4", "IT"], ["sub-01", "sub-02", "sub-03"]
KINDS, REFERENCES = ["cornet", "control", "realnet", "shuffled"], ["cornet", "control", "shuffled"]


def cross(rng, **columns):
    """A table of every combination of the columns' values, with random values, intervals and p."""
    levels = [values if isinstance(values, list) else [values] for values in columns.values()]
    table = pd.DataFrame(list(product(*levels)), columns=list(columns))
    value, p = rng.normal(0.02, 0.03, len(table)), rng.choice([0.001, 0.0499, 0.05, 0.3], len(table))
    table = table.assign(value=value, lower=value - 0.02, upper=value + 0.04, p=p, p_corrected=p[::-1])
    both = {"model", "reference"} <= set(table)
    return table[table.model != table.reference].reset_index(drop=True) if both else table


def line(axes, label):
    """The one line with this label."""
    (found,) = [x for x in axes.lines if x.get_label() == label]
    return found


def points(axes, label):
    """x and y of all lines with this label, joined."""
    found = [x for x in axes.lines if x.get_label() == label]
    return tuple(np.concatenate([np.asarray(getattr(x, f"get_{d}data")(), float) for x in found]) for d in "xy")


def intervals(axes, label, along):
    """(start, end) of each interval with this label along the axis x or y."""
    (bars,) = [c for c in axes.collections if c.get_label() == label]
    return [tuple(segment[:, "xy".index(along)]) for segment in bars.get_segments()]


def assert_means(axes, means):
    """The line of each kind of network (column) shows its values from left to right, or from above in a list."""
    for model in set(means) - {"shuffled"}:
        x, y = points(axes, MODELS[model].label)
        np.testing.assert_allclose(x if axes.yaxis_inverted() else y, means[model])


def assert_forest(axes, label, rows, p="p"):
    """Values from above with their intervals, filled with a star exactly where ``p`` < .05."""
    (x, y), sure = np.concatenate([points(axes, label), points(axes, f"{label} n.s.")], axis=1), rows[p] < 0.05
    np.testing.assert_allclose(x[np.argsort(y)], rows.value)
    assert sorted(intervals(axes, f"{label} interval", "x")) == sorted(zip(rows.lower, rows.upper, strict=True))
    assert sorted(points(axes, label)[0]) == sorted(rows.value[sure])
    assert sorted(points(axes, f"{label} p < .05")[1]) == sorted(points(axes, label)[1])


def legend_texts(figure):
    legends = [legend for part in (figure, *figure.subfigs) for legend in part.legends]
    return [text.get_text() for legend in legends for text in legend.get_texts()]
