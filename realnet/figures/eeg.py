"""EEG: decoding accuracy of the recordings, and similarity of networks with them over time."""

from itertools import product

import numpy as np
import seaborn as sns

from realnet.figures import style
from realnet.figures.fmri import ALPHA, GAP_KEY, IMPROVEMENT


def plot_decoding(rdms):
    """Pairwise decoding accuracy over time, mean over pairs: one thin line per subject, their mean thick.

    ``rdms``: DataArray (subject, time, pair) of decoding accuracies (0 to 1), time in s
    """
    accuracy, time = rdms.mean("pair").transpose("time", "subject"), 1000 * rdms.time.values
    figure, axes = style.new_figure(3.2)
    subject, *_ = axes.plot(time, accuracy, color="#9a9a9a", linewidth=0.9)
    subject.set_label("One subject")
    (mean,) = axes.plot(time, accuracy.mean("subject"), color="black", linewidth=2.4, label="Mean")
    chance = axes.axhline(0.5, color="black", linewidth=0.8, linestyle=":", label="Chance")
    axes.set(xlabel=style.TIME, ylabel="Pairwise decoding accuracy")
    return style.legend_below(figure, [subject, mean, chance])


def plot_eeg_similarity(table):
    """Similarity of each layer with the EEG over time: mean and SEM over subjects, one panel per layer (figure 4A).

    Networks of one kind are averaged for each subject. Marks: p < .05 (corrected over times), open where less similar.

    ``table``: rows ``rho`` (columns ``model subject layer time value ceiling_lower ceiling_upper``) and, where known,
    rows ``difference`` of ``realnet`` (columns ``reference p_corrected``). ``time`` is in s.
    """
    layers = style.ordered(style.select(table, "plot_eeg_similarity", ("layer",), metric="rho").layer, style.LAYERS)
    figure, axes = style.panel_grid(len(layers), 2, 2.5, style.TIME, style.RHO, sharex=True, sharey=True)
    handles = draw_eeg(dict(zip(layers, axes, strict=True)), table, "plot_eeg_similarity")
    for layer, panel in zip(layers, axes, strict=True):
        panel.set_title(f"Layer {layer}")
    return style.legend_below(figure, handles)


def draw_eeg(panels, table, who):
    """Draw the ``panels`` (dict layer -> Axes) of :func:`plot_eeg_similarity`; return the entries of their legend."""
    columns = ("subject", "time", "ceiling_lower", "ceiling_upper")
    rows = style.select(table, who, columns, metric="rho", model=style.MAIN, layer=tuple(panels))
    rows, styles = rows.assign(time=1000 * rows.time), style.styles_in(rows.model)
    subjects = rows.groupby(["layer", "model", "subject", "time"], as_index=False).value.mean()
    for layer, panel in panels.items():
        for model, look in styles.items():
            curve = subjects[(subjects.layer == layer) & (subjects.model == model)]
            sns.lineplot(curve, x="time", y="value", errorbar="se", ax=panel, **style.line_style(look), markersize=4,
                         markeredgewidth=0, err_kws={"linewidth": 0, "alpha": 0.25}, legend=False)  # fmt: skip
        panel.axhline(0, **style.ZERO)
    low, high = panel.get_ylim()
    ceiling = rows.groupby("time")[["ceiling_lower", "ceiling_upper"]].mean().dropna()
    top = ceiling.ceiling_upper.max()
    for panel in panels.values():
        panel.fill_between(ceiling.index, ceiling.ceiling_lower, ceiling.ceiling_upper, color=style.CEILING,
                           linewidth=0, label="Noise ceiling", zorder=0)  # fmt: skip
        if top > 1.5 * high:  # it would flatten the curves: the axis ends there
            panel.text(0.98, 0.8, f"ceiling up to {top:.2f}", transform=panel.transAxes, ha="right", fontsize=8.5,
                       color="#555555")  # fmt: skip
    high = np.nanmax([high, min(top, 1.5 * high)])
    panel.set_ylim(low, high + 0.25 * (high - low))
    handles = style.keys(styles, "{} ± SEM", markersize=4) + [style.CEILING_KEY] * bool(len(ceiling))
    return handles + _draw_significance(panels, table)


def _draw_significance(panels, table):
    """Draw one row of marks per reference at the times where p < .05; return their legend entries."""
    tests = table[(table.metric == "difference") & (table.model == "realnet")]
    if tests.empty:
        return []
    styles = style.styles_in(tests.reference, style.REFERENCES)
    for (layer, panel), (reference, look) in product(panels.items(), styles.items()):
        sure = tests[(tests.layer == layer) & (tests.reference == reference) & (tests.p_corrected < ALPHA)]
        for which, label, filled in ((sure.value > 0, "closer", True), (sure.value <= 0, "farther", False)):
            height = np.full(which.sum(), 0.965 - 0.05 * list(styles).index(reference))
            panel.plot(1000 * sure.time[which], height, **style.dot_style(look, 5.5, filled), zorder=4,
                       transform=panel.get_xaxis_transform(), label=f"{look.label} {label}, p < .05")  # fmt: skip
    return style.keys(styles, "ReAlnet {}: p < .05", linestyle="none", markersize=4)


def plot_eeg_improvement(table):
    """Improvement of ReAlnet over each reference over time, in per cent, one panel per layer (figure 4B).

    Lines are means with their intervals, dots are EEG subjects.

    ``table``: rows ``improvement`` (a ratio, missing where the reference is not clearly above 0: a gap in the line) of
    ``realnet``: columns ``reference layer subject time value lower upper``; ``time`` in s.
    """
    rows = style.select(table, "plot_eeg_improvement", ("layer", "time", "subject", "lower", "upper"),
                        metric="improvement", model="realnet", reference=style.PAPER).sort_values("time")  # fmt: skip
    rows = rows.assign(**{name: 100 * rows[name] for name in ("value", "lower", "upper")}, time=1000 * rows.time)
    layers, styles = style.ordered(rows.layer, style.LAYERS), style.styles_in(rows.reference, style.REFERENCES)
    figure, axes = style.panel_grid(len(layers), 2, 2.4, style.TIME, IMPROVEMENT, extra=0.6, sharex=True, sharey=True)
    for panel, layer in zip(axes, layers, strict=True):
        for (reference, look), shift in zip(styles.items(), style.offsets(len(styles), 3), strict=True):
            part = rows[(rows.layer == layer) & (rows.reference == reference)]
            mean, single = part[part.subject == "mean"], part[part.subject != "mean"]
            panel.plot(single.time + shift, single.value, ".", color=look.colour, markersize=2, alpha=0.5)
            panel.fill_between(mean.time, mean.lower, mean.upper, color=look.colour, alpha=0.15, linewidth=0)
            panel.plot(mean.time, mean.value, **style.line_style(look), markersize=4)
        panel.axhline(0, **style.ZERO)
        panel.set(title=f"Layer {layer}", xlim=(rows.time.min() - 5, rows.time.max() + 5))
    means = rows[rows.subject == "mean"]
    if means.value.notna().any():  # wide intervals at single times would flatten the lines
        axes[0].set_ylim(*(np.nanquantile(means[name], end) for name, end in (("lower", 0.02), ("upper", 0.98))))
    handles = style.keys(styles, "ReAlnet {}", markersize=4)
    return style.legend_below(figure, handles + [GAP_KEY] * bool(means.value.isna().any()))
