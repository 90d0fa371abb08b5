"""What a study costs as it grows (appendix 15): measured points beside their laws, and the hours of a plan."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator

from realnet.figures.style import MODELS, key, legend_below, ordered, panel_grid, select

#: What is drawn: the measured column, the law's, and the label of the axis.
QUANTITIES = {"seconds": ("law_seconds", "Processor time (s)"), "peak_gib": ("law_gib", "Peak memory (GiB)")}

PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def plot_scale(table, quantity="seconds"):
    """Time or memory against what grows, a panel for each kind of work and size, the fitted law as a line.

    Parameters
    ----------
    table : DataFrame
        ``work axis``, a column for each size, ``seconds peak_gib law_seconds law_gib``, from
        :func:`experiments.tables.scale.with_laws`.
    quantity : str
        ``seconds`` or ``peak_gib``.
    """
    law, label = QUANTITIES[quantity]
    table = select(table, "plot_scale", ("work", "axis", quantity, law))
    panels = list(table.groupby(["work", "axis"], sort=False))
    figure, axes = panel_grid(len(panels), 4, 1.75)
    colour = MODELS["control"].colour
    for panel, ((work, axis), part) in zip(axes, panels, strict=True):
        part = part.sort_values(axis)
        panel.plot(part[axis], part[law], color="black", linestyle=":", linewidth=1.4)
        panel.plot(part[axis], part[quantity], "o", color=colour)
        panel.set(xscale="log", yscale="log", title=work, xlabel=axis)
        ticks = part[axis].iloc[:: 1 + (len(part) > 4)]  # room for four numbers, or for every other one
        panel.set_xticks(ticks, [_short(n) for n in ticks])
        panel.minorticks_off()
        low, high = part[[quantity, law]].min().min(), part[[quantity, law]].max().max()
        panel.set_ylim(low / 1.6, max(high * 1.6, low * 4))
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(PLAIN)
        panel.tick_params(labelsize=8.5)
    figure.supylabel(label, fontsize=10.5)
    dots = Line2D([], [], marker="o", linestyle="none", color=colour, label="measured")
    return legend_below(figure, [dots, Line2D([], [], color="black", linestyle=":", label="fitted law")])


def plot_lab_hours(plans):
    """Hours of each stage of a lab's study on each set of machines: a panel per lab, logarithmic.

    Parameters
    ----------
    plans : DataFrame
        ``lab machines stage hours``.
    """
    plans = select(plans, "plot_lab_hours", ("lab", "machines", "stage", "hours"))
    labs, stages = ordered(plans.lab, ()), ordered(plans.stage, ())[::-1]
    machines = ordered(plans.machines, ())
    figure, axes = panel_grid(len(labs), 2, 0.42 * len(stages) + 0.6, sharex=True, sharey=True)
    places = {stage: i for i, stage in enumerate(stages)}
    styles = [MODELS["control"], MODELS["realnet"], MODELS["shuffled"]]
    for panel, lab in zip(axes, labs, strict=True):
        for style, name, size in zip(styles, machines, (10, 6, 4), strict=False):  # equal ones stay visible
            part = plans[(plans.lab == lab) & (plans.machines == name)]
            y = part.stage.map(places)
            panel.plot(part.hours, y, linestyle="none", marker=style.marker, color=style.colour, markersize=size)
        for hours, word in ((1, "hour"), (24, "day"), (24 * 30, "month")):
            panel.axvline(hours, color="#c8c8c8", linewidth=0.8, zorder=0)
            panel.text(hours, len(stages) - 0.4, word, ha="center", va="bottom", fontsize=8, color="#606060")
        panel.set(xscale="log", xlabel="Hours", ylim=(-0.6, len(stages) - 0.4))
        panel.set_title(lab, pad=16)
        panel.set_yticks(range(len(stages)), stages)
    handles = [key(style, name, linestyle="none") for style, name in zip(styles, machines, strict=False)]
    return legend_below(figure, handles)


def _short(n):
    """300 -> 300, 25088 -> 25k."""
    return f"{n / 1000:.3g}k" if n >= 10_000 else f"{np.round(n):g}"
