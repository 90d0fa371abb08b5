"""Calibration of the inference: errors, power and coverage where the truth is known (chapter 11)."""

import textwrap

import numpy as np

from realnet.figures.style import Style, key, legend_below, new_figure, offsets, ordered, select, styled

#: Tests over times: ours in one colour, peers and bad examples apart by luminance, marker and line.
TESTS = {
    "cluster mass": Style("realnet: cluster mass", "#f28e2b", "o", "-"),
    "cluster mass, 500 random flips": Style("realnet: cluster mass, 500 random flips", "#c26a10", "P", (0, (4, 1.5))),
    "sign flips, FDR over times": Style("realnet: sign flips, FDR", "#f7b977", "v", (0, (1, 1.2))),
    "mne cluster": Style("mne: cluster mass", "#2a6db3", "s", (0, (6, 1.5))),
    "neurora cluster": Style("neurora: cluster mass", "#2a9d8f", "^", (0, (4, 1.5, 1, 1.5))),
    "largest t, exact": Style("largest t, exact", "#333333", "D", "-"),
    "t tests, uncorrected": Style("t tests, uncorrected", "#bdbdbd", "X", (0, (1, 1.2))),
}

SIDES = {"two-sided": "Two-sided", "greater": "One-sided"}

#: Tests and intervals of RDMs: ours in orange, the others grey.
METHODS = {
    "bootstrap over images": Style("realnet: bootstrap over images", "#f28e2b", "o", "-"),
    "bootstrap over images, FDR over ROIs": Style("realnet: bootstrap over images, FDR", "#f28e2b", "s", "-"),
    "bootstrap over images, fixed layers": Style("realnet: bootstrap over images, fixed layers", "#f28e2b", "s", "-"),
    "bootstrap over images, best layer": Style("bootstrap over images, best layer", "#333333", "D", "-"),
    "images and subjects, t": Style("realnet: images and people, t", "#f28e2b", "o", "-"),
    "sign flips, FDR over ROIs": Style("realnet: sign flips, FDR", "#c26a10", "v", "-"),
    "bootstrap over images, uncorrected": Style("bootstrap over images, uncorrected", "#707070", "X", "-"),
    "images and subjects, percentiles": Style("images and people, percentiles", "#333333", "D", "-"),
    "images only, percentiles": Style("images only, percentiles", "#9a9a9a", "X", "-"),
}

METRICS = {
    "family_wise_error": ("Error at a nominal .05", 0.05),
    "coverage": ("Coverage of 95 % intervals", 0.95),
}


@styled
def plot_calibration_errors(table):
    """Family-wise error of the tests over times against autocorrelation, without and with offsets, on a log axis.

    Bars are two standard errors; the line is the nominal level.

    Parameters
    ----------
    table : DataFrame
        Columns ``autocorrelation shared_offset test alternative value standard_error``: null cells of family ``eeg``.
    """
    columns = ("autocorrelation", "shared_offset", "test", "alternative", "value", "standard_error")
    table = select(table, "plot_calibration_errors", columns)
    offsets_found = sorted(table.shared_offset.unique())
    sides = ordered(table.alternative, SIDES)
    tests = ordered(table.test, TESTS)
    figure, axes = new_figure(
        2.5 * len(offsets_found) + 1.3, nrows=len(offsets_found), ncols=len(sides), sharex=True, sharey=True,
        squeeze=False,
    )  # fmt: skip
    levels = sorted(table.autocorrelation.unique())
    shifts = np.linspace(-0.3, 0.3, len(tests))
    for (row, offset), (column, side) in ((r, c) for r in enumerate(offsets_found) for c in enumerate(sides)):
        panel = axes[row, column]
        panel.axhline(0.05, color="black", linewidth=0.8)
        for shift, test in zip(shifts, tests, strict=True):
            rows = table[(table.shared_offset == offset) & (table.alternative == side) & (table.test == test)]
            places = np.array([levels.index(value) for value in rows.autocorrelation]) + shift
            error = 2 * rows.standard_error
            panel.errorbar(places, rows.value.clip(lower=0.005), yerr=error, color=TESTS[test].colour,
                           marker=TESTS[test].marker, linestyle="none", elinewidth=1)  # fmt: skip
        panel.set_title(f"{SIDES[side]}, {'offsets shared by times' if offset else 'no offsets'}")
    axes[0, 0].set(yscale="log", ylim=(0.005, 1.0))
    axes[0, 0].set_yticks([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], [".01", ".02", ".05", ".1", ".2", ".5", "1"])
    axes[0, 0].minorticks_off()
    axes[0, 0].set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    for panel in axes[:, 0]:
        panel.set_ylabel("Family-wise error")
    for panel in axes[-1]:
        panel.set_xlabel("Autocorrelation from time to time")
    legend_below(figure, [key(TESTS[test], linestyle="none") for test in tests], n_columns=3)
    return figure


@styled
def plot_calibration_power(table):
    """Power of the tests over times against the effect: panels for its width and for one- and two-sided tests.

    Parameters
    ----------
    table : DataFrame
        Columns ``effect width test alternative value``: cells of family ``eeg`` with an effect.
    """
    table = select(table, "plot_calibration_power", ("effect", "width", "test", "alternative", "value"))
    widths, sides = sorted(table.width.unique(), reverse=True), ordered(table.alternative, SIDES)
    tests = [test for test in ordered(table.test, TESTS) if test != "t tests, uncorrected"]
    figure, axes = new_figure(
        2.4 * len(widths) + 1.3, nrows=len(widths), ncols=len(sides), sharex=True, sharey=True, squeeze=False
    )
    for (row, width), (column, side) in ((r, c) for r in enumerate(widths) for c in enumerate(sides)):
        panel = axes[row, column]
        for test in tests:
            rows = table[(table.width == width) & (table.alternative == side) & (table.test == test)]
            rows = rows.sort_values("effect")
            style = TESTS[test]
            panel.plot(rows.effect, rows.value, color=style.colour, marker=style.marker, linestyle=style.line)
        panel.set_title(f"{SIDES[side]}, effect at {width:.0f} {'time' if width == 1 else 'times'}")
    axes[0, 0].set_ylim(0, 1.03)
    for panel in axes[:, 0]:
        panel.set_ylabel("Power")
    for panel in axes[-1]:
        panel.set_xlabel("Effect (standard deviations over people)")
    legend_below(figure, [key(TESTS[test]) for test in tests], n_columns=3)
    return figure


@styled
def plot_calibration_cells(table, metric):
    """A line a cell, on it a dot a test with two standard errors to each side, beside what is promised.

    Parameters
    ----------
    table : DataFrame
        Columns ``cell test metric value standard_error``, as `experiments.tables.calibration.describe_cells` makes it.
    metric : str
        ``family_wise_error`` or ``coverage``.
    """
    table = select(table, "plot_calibration_cells", ("cell", "test", "value", "standard_error"), metric=metric)
    cells, tests = list(dict.fromkeys(table.cell)), ordered(table.test, METHODS)
    figure, axes = new_figure(0.24 * len(cells) + 1.3)
    label, nominal = METRICS[metric]
    axes.axvline(nominal, color="black", linewidth=0.8)
    for shift, test in zip(offsets(len(tests), 0.4), tests, strict=True):
        rows, style = table[table.test == test], METHODS[test]
        places = len(cells) - 1 - np.array([cells.index(cell) for cell in rows.cell]) - shift
        axes.errorbar(rows.value.to_numpy(), places, xerr=2 * rows.standard_error.to_numpy(), linestyle="none",
                      marker=style.marker, markersize=4, color=style.colour, elinewidth=1)  # fmt: skip
    axes.set_yticks(range(len(cells)), [textwrap.shorten(cell, 80) for cell in cells[::-1]], fontsize=8)
    axes.set(xlabel=label, ylim=(-0.7, len(cells) - 0.3))
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, -0.01), min(high, 1.01))
    axes.grid(axis="y", linewidth=0.4, color="#e3e3e3")
    legend_below(figure, [key(METHODS[test], linestyle="none") for test in tests], n_columns=3)
    return figure


@styled
def plot_difference_power(table):
    """Power of the bootstrap over images against the true difference of two networks' similarities.

    Parameters
    ----------
    table : DataFrame
        Columns ``truth test value standard_error``: one curve a test, errors at a true difference of 0 included.
    """
    table = select(table, "plot_difference_power", ("truth", "test", "value", "standard_error"))
    figure, axes = new_figure(3.0)
    for test, rows in table.groupby("test", sort=False):
        rows, style = rows.sort_values("truth"), METHODS[test]
        axes.errorbar(rows.truth, rows.value, yerr=2 * rows.standard_error, marker=style.marker, color=style.colour,
                      linestyle=style.line, label=test)  # fmt: skip
    axes.axhline(0.05, color="black", linewidth=0.8)
    axes.set(xlabel="True difference of the similarities (Spearman's rho)", ylabel="Found (one-sided)", ylim=(0, 1.03))
    return figure
