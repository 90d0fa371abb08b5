"""Calibration of the inference: errors, power and coverage where the truth is known (appendix 11)."""

import textwrap

import numpy as np

from realnet.figures.style import Style, key, legend_below, new_figure, offsets, ordered, panel_grid, select

#: Tests over times: ours in orange, peers and bad examples apart by luminance, marker and line.
TESTS = {
    "generalise, corrected": Style("realnet: participants, largest t", "#f28e2b", "o", "-"),
    "cluster mass": Style("cluster mass (paper)", "#5d3f8f", "p", "-"),
    "cluster mass, 500 random flips": Style("cluster mass, 500 random flips", "#c26a10", "P", (0, (4, 1.5))),
    "sign flips, FDR over times": Style("sign flips, FDR", "#f7b977", "v", (0, (1, 1.2))),
    "mne cluster": Style("mne: cluster mass", "#2a6db3", "s", (0, (6, 1.5))),
    "neurora cluster": Style("neurora: cluster mass", "#2a9d8f", "^", (0, (4, 1.5, 1, 1.5))),
    "largest t, exact": Style("largest t, exact", "#333333", "D", "-"),
    "t tests, uncorrected": Style("t tests, uncorrected", "#bdbdbd", "X", (0, (1, 1.2))),
}

#: Tests and intervals of RDMs and dimensions: ours in orange, the others blue and grey. Not all are in every table.
METHODS = {
    "generalise": Style("realnet", "#f28e2b", "o", "-"),
    "generalise, corrected": Style("realnet, corrected", "#f28e2b", "s", "-"),
    "generalise, fixed layers": Style("realnet, fixed layers", "#f28e2b", "s", "-"),
    "generalise, best layer": Style("realnet, best layer", "#333333", "D", "-"),
    "generalise, seeds averaged": Style("realnet, without a variance over seeds", "#707070", "X", "-"),
    "generalise, one seed": Style("realnet, one seed", "#333333", "D", "-"),
    "generalise, uncorrected": Style("realnet, uncorrected", "#707070", "X", "-"),
    "bootstrap over images": Style("bootstrap over images, percentiles", "#2a6db3", "o", "-"),
    "bootstrap over images, FDR": Style("bootstrap over images, FDR", "#2a6db3", "s", "-"),
    "bootstrap over images, FDR over ROIs": Style("bootstrap over images, FDR", "#2a6db3", "s", "-"),
    "bootstrap over images, fixed layers": Style("bootstrap over images, fixed layers", "#2a6db3", "s", "-"),
    "bootstrap over images, best layer": Style("bootstrap over images, best layer", "#333333", "D", "-"),
    "images and subjects, t": Style("images and participants, t", "#2a6db3", "o", "-"),
    "sign flips, FDR over ROIs": Style("sign flips, FDR", "#c26a10", "v", "-"),
    "bootstrap over images, uncorrected": Style("bootstrap over images, uncorrected", "#707070", "X", "-"),
    "images and subjects, percentiles": Style("images and participants, percentiles", "#333333", "D", "-"),
    "images only, percentiles": Style("images only, percentiles", "#9a9a9a", "X", "-"),
}

METRICS = {"family_wise_error": ("Error at a nominal .05", 0.05), "coverage": ("Coverage of 95 % intervals", 0.95)}


def plot_calibration_errors(table):
    """Family-wise error of the tests over times against autocorrelation, without and with offsets, on a log axis.

    Bars are two standard errors; the line is the nominal level.

    Parameters
    ----------
    table : DataFrame
        Columns ``autocorrelation shared_offset test value standard_error``: null cells of family ``eeg``.
    """
    columns = ("autocorrelation", "shared_offset", "test", "value", "standard_error")
    table = select(table, "plot_calibration_errors", columns)
    tests, levels = ordered(table.test, TESTS), sorted(table.autocorrelation.unique())
    figure, axes = panel_grid(table.shared_offset.nunique(), 2, 2.6, "Autocorrelation from time to time",
                              "Family-wise error", sharey=True)  # fmt: skip
    for panel, (offset, part) in zip(axes, table.groupby("shared_offset"), strict=True):
        panel.axhline(0.05, color="black", linewidth=0.8)
        for shift, test in zip(np.linspace(-0.3, 0.3, len(tests)), tests, strict=True):
            rows = part[part.test == test]
            places = np.array([levels.index(value) for value in rows.autocorrelation]) + shift
            panel.errorbar(places, rows.value.clip(lower=0.005), yerr=2 * rows.standard_error, linestyle="none",
                           color=TESTS[test].colour, marker=TESTS[test].marker, elinewidth=1)  # fmt: skip
        panel.set(title="Offsets shared by times" if offset else "No offsets", yscale="log", ylim=(0.005, 1.0))
        panel.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], [".01", ".02", ".05", ".1", ".2", ".5", "1"])
        panel.minorticks_off()
        panel.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
    return legend_below(figure, [key(TESTS[test], linestyle="none") for test in tests], n_columns=3)


def plot_calibration_power(table):
    """Power of the tests over times against the effect: a panel for each width of it.

    Parameters
    ----------
    table : DataFrame
        Columns ``effect width test value``: cells of family ``eeg`` with an effect.
    """
    table = select(table, "plot_calibration_power", ("effect", "width", "test", "value"))
    tests = [test for test in ordered(table.test, TESTS) if test != "t tests, uncorrected"]
    widths = sorted(table.width.unique(), reverse=True)
    figure, axes = panel_grid(len(widths), 2, 2.5, "Effect (standard deviations)", "Power", sharey=True)
    for panel, width in zip(axes, widths, strict=True):
        for test in tests:
            rows = table[(table.width == width) & (table.test == test)].sort_values("effect")
            style = TESTS[test]
            panel.plot(rows.effect, rows.value, color=style.colour, marker=style.marker, linestyle=style.line)
        panel.set(title=f"Effect at {width:.0f} {'time' if width == 1 else 'times'}", ylim=(0, 1.03))
    return legend_below(figure, [key(TESTS[test]) for test in tests], n_columns=3)


def plot_calibration_cells(table, metric):
    """A line per cell, on it a dot per test with two standard errors to each side, beside the nominal value.

    Parameters
    ----------
    table : DataFrame
        Columns ``cell test metric value standard_error``, as :func:`experiments.tables.calibration.describe_cells`
        makes it.
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
    return legend_below(figure, [key(METHODS[test], linestyle="none") for test in tests], n_columns=3)


def plot_difference_power(table):
    """Power against the true difference of two networks' similarities.

    Parameters
    ----------
    table : DataFrame
        Columns ``truth test value standard_error``: one curve per test, errors at a true difference of 0 included.
    """
    table = select(table, "plot_difference_power", ("truth", "test", "value", "standard_error"))
    figure, axes = new_figure(3.0)
    for test, rows in table.groupby("test", sort=False):
        rows, style = rows.sort_values("truth"), METHODS[test]
        axes.errorbar(rows.truth, rows.value, yerr=2 * rows.standard_error, marker=style.marker, color=style.colour,
                      linestyle=style.line, label=test)  # fmt: skip
    axes.axhline(0.05, color="black", linewidth=0.8)
    axes.set(xlabel="True difference of the similarities (Spearman's rho)", ylabel="Found", ylim=(0, 1.03))
    return figure
