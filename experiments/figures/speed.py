"""How fast: ratios to the peers, growth with the number of images, and what the time saved buys (appendix 12)."""

import textwrap

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, ScalarFormatter

from realnet.figures.style import MODELS, legend_below, new_figure, select

BAR, MISSED = "#8fb3d9", "#d95f5f"

#: What a ratio is held against: label and marker.
MARKS = {"must": ("must", "|"), "aim": ("aim", "d"), "limit": ("known limit, two cores", "*")}

TIMES = FuncFormatter(lambda ratio, _: f"{ratio:g}x")


def plot_speed(rows):
    """How many times faster than the peer each calculation is, on a logarithmic axis, with must, aim and known limit.

    Parameters
    ----------
    rows : DataFrame
        Columns ``work peer ratio must aim limit``, as :func:`experiments.tables.speed.comparisons` returns it.
    """
    rows = select(rows, "plot_speed", ("work", "peer", "ratio", *MARKS))
    figure, axes = new_figure(0.36 * len(rows) + 1.1)
    places = np.arange(len(rows))[::-1]
    colours = np.where(rows.ratio < rows.must, MISSED, BAR)
    axes.barh(places, rows.ratio, color=colours, height=0.62)
    for name, (_, marker) in MARKS.items():
        axes.plot(rows[name], places, linestyle="none", marker=marker, color="black", markersize=7, zorder=3)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(TIMES)
    labels = [textwrap.fill(f"{row.work} ({row.peer})", 56) for row in rows.itertuples()]
    axes.set_yticks(places, labels, fontsize=7.5)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set(xlabel="Times faster than the peer", xlim=(0.5, None))
    marks = [Line2D([], [], linestyle="none", marker=m, color="black", label=label) for label, m in MARKS.values()]
    return legend_below(figure, [Patch(color=BAR, label="measured"), *marks])


def plot_growth(curve):
    """Time and working memory of an RDM against the number of images, beside n^2 and what is expected.

    Parameters
    ----------
    curve : DataFrame
        Columns ``images seconds working_mib bound_mib``.
    """
    curve = select(curve, "plot_growth", ("images", "seconds", "working_mib", "bound_mib")).sort_values("images")
    figure, (time, memory) = new_figure(3.0, ncols=2)
    style = {"color": MODELS["control"].colour, "marker": "o"}
    time.plot(curve.images, curve.seconds, label="measured", **style)
    last = curve.iloc[-1]
    square = last.seconds * (curve.images / last.images) ** 2
    time.plot(curve.images, square, color="black", linestyle=":", label="proportional to n²")
    time.set(xscale="log", yscale="log", ylabel="Time (s)", title="Time")
    memory.plot(curve.images, curve.working_mib, **style)
    memory.plot(curve.images, curve.bound_mib, color="black", linestyle="--", label="expected")
    memory.set(xscale="log", ylabel="Beside input and result (MiB)", title="Working memory")
    memory.set_ylim(0, 1.15 * curve[["working_mib", "bound_mib"]].max().max())
    for panel in (time, memory):
        panel.set_xlabel("Images")
        panel.set_xticks(curve.images, curve.images.astype(str))
        panel.minorticks_off()
    return legend_below(figure, [*time.lines, memory.lines[1]])


def plot_repeats(curve):
    """Agreement of two runs of decoding with other seeds, against the number of repeats and against their time.

    Parameters
    ----------
    curve : DataFrame
        Columns ``accuracy repeats reliability seconds peer_seconds``.
    """
    curve = select(curve, "plot_repeats", ("accuracy", "repeats", "reliability", "seconds", "peer_seconds"))
    figure, (by_number, by_time) = new_figure(3.2, ncols=2, sharey=True)
    lines = []
    for accuracy, style in zip(sorted(curve.accuracy.unique()), MODELS.values(), strict=False):
        rows = curve[curve.accuracy == accuracy].sort_values("repeats")
        drawn = {"color": style.colour, "marker": style.marker}
        lines += by_number.plot(rows.repeats, rows.reliability, label=f"accuracy {accuracy:g}", **drawn)
        by_time.plot(rows.seconds / 60, rows.reliability, **drawn)
        by_time.plot(rows.peer_seconds / 60, rows.reliability, linestyle=":", markerfacecolor="white", **drawn)
    by_number.set(xscale="log", xlabel="Repeats", ylabel="Agreement of two runs (rho)", ylim=(0, 1.02))
    by_number.set_xticks(sorted(curve.repeats.unique()))
    by_number.xaxis.set_major_formatter(ScalarFormatter())
    by_number.minorticks_off()
    by_time.set(xscale="log", xlabel="Minutes for one participant")
    by_time.xaxis.set_major_formatter(FuncFormatter(lambda minutes, _: f"{minutes:g}"))
    grey = {"color": "#707070"}
    lines += [Line2D([], [], label="realnet", **grey), Line2D([], [], linestyle=":", label="neurora", **grey)]
    return legend_below(figure, lines)
