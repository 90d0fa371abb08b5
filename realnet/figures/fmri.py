"""Similarity of networks with fMRI by region and layer, and what alignment changes."""

from itertools import product

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.transforms import offset_copy

from realnet.figures import style

ALPHA = 0.05  # results with a p below this are marked
ROIS = ("V1", "V2", "V3", "V4", "LOC", "HVC", "EVC", "IT", "mean")
SIMPLE = {name: style.MODELS[name] for name in style.MAIN} | {
    "pixels": style.Style("Pixels", "#7b3294", "v", ":"),
    "mean RGB": style.Style("Mean RGB", "#d6604d", "P", (0, (1, 1))),
    "gabor": style.Style("Gabor energy", "#1b7837", "D", (0, (3, 1))),
    "untrained": style.Style("Untrained CORnet-S", "#8c6d31", "*", (0, (5, 2, 1, 2, 1, 2))),
    "category": style.Style("Category", "#5c6b73", "h", (0, (2, 2))),
}  # beside the networks, in chapter 03b
SETS = {"natural": "Natural images", "shapes": "Artificial shapes", "letters": "Letters"}
REGION, DIFFERENCE, IMPROVEMENT = "Brain region", "Difference in\nSpearman's rho", "Improvement (%)"
NO_RATIO = "reference not above 0"
GAP_KEY = Line2D([], [], linestyle="none", label=f"Gap: {NO_RATIO}")
SIGNIFICANT_KEY = Line2D([], [], color="#333333", marker="$*$", ms=7, ls="none", label="Filled, star: p < .05")
#: Keywords of bars that show means: under the dots and wider than them.
BAR = {"marker": "_", "markersize": 18, "markeredgewidth": 2.4, "linestyle": "none", "zorder": 2.5}


def subject_styles(names):
    """Return a style per subject, for any number of them: colours of rising luminance, different markers and lines."""
    colours = sns.color_palette("viridis", len(names) + 1).as_hex()  # the last one is too light on paper
    lines = [style.MODELS[model].line for model in ("realnet", "control", "cornet", "shuffled")]
    looks = [style.Style(name, colours[i], "osD^vP*Xp<>hdH8"[i % 15], lines[i % 4]) for i, name in enumerate(names)]
    return dict(zip(names, looks, strict=True))


def draw_groups(axes, rows, column, names, by, styles, width=0.62, size=5, lines=False):
    """Draw values as dots over ``names`` (of ``column``), groups (of ``by``) beside each other, and their means.

    ``width`` is the distance of the first and the last group; means are bars, or joined by ``lines``. Missing values
    are open markers on the lower edge.
    """
    for (group, look), shift in zip(styles.items(), style.offsets(len(styles), width), strict=True):
        part = rows[rows[by] == group]
        x, alpha = part[column].map(names.index).astype(float) + shift, 0.5 if lines else 1
        axes.plot(x, part.value, **style.dot_style(look, size), alpha=alpha, label=f"{look.label} dots", zorder=3)
        means = part.groupby(column).value.mean().reindex(names)
        axes.plot(np.arange(len(names)) + shift, means, **style.line_style(look) | ({} if lines else BAR))
        missing = x[part.value.isna()].unique()
        if len(missing):
            axes.plot(missing, 0.025 + 0 * missing, **style.dot_style(look, filled=False), clip_on=False, zorder=4,
                      transform=axes.get_xaxis_transform(), label=f"{look.label} {NO_RATIO}")  # fmt: skip
    axes.axhline(0, **style.ZERO)
    axes.set(xticks=range(len(names)), xticklabels=names, xlim=(-0.5, len(names) - 0.5))


def draw_forest(axes, rows, column, names, by, styles, width=0.36, p="p"):
    """Draw differences with their intervals, a row per name (of ``column``), groups (of ``by``) below each other.

    Where ``p`` (a column) < .05 the marker is filled, and a star stands beyond the end of the interval farther from 0.
    """
    for (group, look), shift in zip(styles.items(), style.offsets(len(styles), width), strict=True):
        part = rows[rows[by] == group]
        y, sure = part[column].map(names.index).astype(float) + shift, part[p] < ALPHA
        axes.hlines(y, part.lower, part.upper, color=look.colour, linewidth=1.4, label=f"{look.label} interval")
        axes.plot(part.value[~sure], y[~sure], **style.dot_style(look, filled=False), label=f"{look.label} n.s.")
        axes.plot(part.value[sure], y[sure], **style.dot_style(look, size=7), label=look.label)
        for side, end in ((0.1, part.upper), (-0.1, part.lower)):
            here = sure & ((part.value >= 0) == (side > 0))
            beside = offset_copy(axes.transData, axes.get_figure(root=True), side)
            axes.plot(end[here], y[here], marker="$*$", markersize=6, color=look.colour, markeredgewidth=0.3,
                      linestyle="none", transform=beside, label=f"{look.label} p < .05")  # fmt: skip
    axes.axvline(0, **style.ZERO)
    axes.margins(x=0.1)
    axes.locator_params(axis="x", nbins=4)
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))


def plot_reliability(table):
    """Reliability of the voxels by region: one line per subject, means as bars, one panel per dataset and stimulus set.

    ``table``: DataFrame, ``metric`` ``reliability``, columns ``dataset stimulus_set subject roi value``
    """
    rows = style.select(table, "plot_reliability", ("dataset", "stimulus_set", "subject", "roi"), metric="reliability")
    groups, rois = list(rows.groupby(["dataset", "stimulus_set"], sort=False)), style.ordered(rows.roi, ROIS)
    label = "Split-half reliability\n(Pearson's r, corrected)"
    figure, axes = style.panel_grid(len(groups), 2, 2.2, REGION, label, extra=0.5, sharex=True, sharey=True)
    for panel, ((dataset, images), part) in zip(axes, groups, strict=True):
        wide = part.pivot(index="roi", columns="subject", values="value").reindex(rois)
        subject, *_ = panel.plot(rois, wide, color="#8a8a8a", marker="o", markersize=4, linewidth=0.8)
        panel.plot(rois, wide.mean(axis=1), color="black", label="Mean", **BAR)
        panel.margins(x=0.1)
        panel.set_title(f"{style.DATASETS.get(dataset, dataset)}: {SETS.get(images, images).lower()}", fontsize=10)
        panel.axhline(0, **style.ZERO)
    subject.set_label("One subject")
    mean = Line2D([], [], color="black", label="Mean", **BAR | {"markersize": 12})
    return style.legend_below(figure, [subject, mean])


def plot_fmri_similarity(table, stimulus_set, title=None):
    """Similarity of the networks with each region, at the best layer (figures 1B, 2A, 2B, 3A).

    Dots are subjects and networks, lines join networks aligned with one subject, bars are means, the band is the noise
    ceiling of the dataset.

    ``table``: ``metric`` ``rho``, columns
    ``model subject trained_on seed layer roi stimulus_set value ceiling_lower ceiling_upper``. All its rows are drawn:
    keep those you mean, such as ``trained_on == subject``.
    """
    figure, axes = style.new_figure(3.9)
    handles = draw_fmri(axes, table, stimulus_set, "plot_fmri_similarity")
    axes.set_title(title or SETS.get(stimulus_set, stimulus_set))
    return style.legend_below(figure, handles)


def draw_fmri(axes, table, stimulus_set, who):
    """Draw the panel of :func:`plot_fmri_similarity`; return the entries of its legend."""
    needed = ("subject", "trained_on", "seed", "roi", "ceiling_lower", "ceiling_upper")
    rows = style.select(table, who, needed, metric="rho", layer="best", stimulus_set=stimulus_set)
    rois, styles = style.ordered(rows.roi, ROIS), style.styles_in(rows.model)
    draw_groups(axes, rows, "roi", rois, "model", styles)
    ceilings = rows.groupby("roi")[["ceiling_lower", "ceiling_upper"]].mean().dropna()
    axes.bar([rois.index(roi) for roi in ceilings.index], ceilings.ceiling_upper - ceilings.ceiling_lower, width=0.9,
             bottom=ceilings.ceiling_lower, color=style.CEILING, edgecolor=style.CEILING, linewidth=2,
             label="Noise ceiling", zorder=0)  # fmt: skip
    shifts, common = dict(zip(styles, style.offsets(len(styles)), strict=True)), rows[rows.trained_on == ""]
    for (subject, _, seed), path in rows[rows.trained_on != ""].groupby(["subject", "trained_on", "seed"]):
        same = (common.subject == subject) & ((common.model == "cornet") | (common.seed == seed))
        path = pd.concat([path, common[same]])
        path = path.pivot_table(index="model", columns="roi", values="value")
        path = path.reindex(index=styles, columns=rois).dropna(how="all")
        x = path.index.map(shifts).to_numpy()[:, None] + np.arange(len(rois))
        axes.plot(x, path, color="#9a9a9a", linewidth=0.7)
    axes.set(xlabel=REGION, ylabel=style.RHO)
    return [style.CEILING_KEY] * bool(len(ceilings)) + style.keys(styles, linestyle="none")


def plot_layers(table, stimulus_set):
    """Every layer and the best one: heat maps of mean similarity, layer x region, one per kind of network.

    ``table``: ``metric`` ``rho``, columns ``model layer roi stimulus_set value``; means are over subjects and networks.
    """
    rows = style.select(table, "plot_layers", ("roi",), metric="rho", stimulus_set=stimulus_set, model=style.MAIN)
    layers, rois = style.ordered(rows.layer, style.LAYERS), style.ordered(rows.roi, ROIS)
    styles, means = style.styles_in(rows.model), rows.groupby(["model", "layer", "roi"]).value.mean()
    figure, axes = style.new_figure(0.36 * len(layers) + 1.5, ncols=len(styles), sharey=True, squeeze=False)
    for panel, model in zip(axes.flat, styles, strict=True):
        sns.heatmap(means[model].unstack("roi").reindex(index=layers, columns=rois), ax=panel, cmap="YlGnBu",
                    vmin=min(0, means.min()), vmax=means.max(), annot=True, fmt=".2f", annot_kws={"fontsize": 8.5},
                    cbar=False, linewidths=0.5)  # fmt: skip
        panel.set(title=styles[model].label, xlabel=REGION, ylabel="Model layer" if panel is axes[0, 0] else "")
        panel.tick_params(length=0, rotation=0)
        panel.axhline(sum(layer not in ("best", "cross-validated") for layer in layers), color="white", linewidth=5)
    figure.colorbar(panel.collections[0], ax=axes, label=style.RHO.replace(" (", "\n("), aspect=15, pad=0.02)
    figure.suptitle(SETS.get(stimulus_set, stimulus_set))
    return figure


def plot_improvement(table, stimulus_sets):
    """Improvement of ReAlnet over each reference by region, in per cent: one dot per subject, bars are means (1C).

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``improvement`` (a ratio), ``model`` ``realnet``; columns ``subject reference roi stimulus_set
        value``. Missing ratios (reference not clearly above 0) are open markers on the lower edge.
    stimulus_sets : sequence of str, one panel each
    """
    rows = style.select(table, "plot_improvement", ("subject", "roi"), metric="improvement", model="realnet",
                        reference=style.PAPER)  # fmt: skip
    rows = rows[rows.subject != "mean"].assign(value=100 * rows.value)
    parts = [style.select(rows, "plot_improvement", stimulus_set=images) for images in stimulus_sets]
    rois, styles = style.ordered(rows.roi, ROIS), style.styles_in(rows.reference, style.REFERENCES)
    figure, axes = style.panel_grid(len(parts), 2, 2.5, REGION, IMPROVEMENT, extra=0.6, sharey=True)
    for panel, part, images in zip(axes, parts, stimulus_sets, strict=True):
        draw_groups(panel, part, "roi", rois, "reference", styles, width=0.34)
        panel.set_title(SETS.get(images, images))
        panel.margins(y=0.12)
    missing = Line2D([], [], color="#333333", marker="o", mfc="white", ls="none", label=f"Open: {NO_RATIO}")
    handles = style.keys(styles, "ReAlnet {}", linestyle="none")
    return style.legend_below(figure, handles + [missing] * bool(pd.concat(parts).value.isna().any()))


def plot_differences(table, title=None):
    """Difference in similarity (mean over regions) with its interval: one row per subject and network, and their means.

    ``table``: ``metric`` ``difference``, ``roi`` ``mean``, ``model`` ``realnet`` and, where trained, shuffled ones;
    columns ``subject trained_on reference stimulus_set value lower upper p``. Filled markers and a star: p < .05.
    """
    columns = ("subject", "trained_on", "stimulus_set", "lower", "upper", "p")
    rows = style.select(table, "plot_differences", columns, metric="difference", roi="mean")
    within = (rows.subject == rows.trained_on).all()
    rows = rows[(rows.subject == "mean") | (rows.trained_on == "mean") | within]
    rows = rows.iloc[np.lexsort((rows.subject, rows.subject == "mean", rows.trained_on, rows.trained_on == "mean"))]
    rows = rows.assign(row=rows.subject if within else rows.subject + " | " + rows.trained_on)
    sets, models = style.ordered(rows.stimulus_set, SETS), style.styles_in(rows.model)
    styles = style.styles_in(rows.reference, style.REFERENCES)
    names = {images: list(rows.row[rows.stimulus_set == images].unique()) for images in sets}
    heights = [len(found) + 1 for found in names.values()]
    figure, axes = style.new_figure(0.3 * sum(heights) + 0.35 * len(sets) + 1.2, nrows=len(sets), ncols=len(models),
                                    squeeze=False, sharex=True, sharey="row", height_ratios=heights)  # fmt: skip
    for panel, (images, model) in zip(axes.flat, product(sets, models), strict=True):
        part = rows[(rows.stimulus_set == images) & (rows.model == model)]
        draw_forest(panel, part, "row", names[images], "reference", styles)
        panel.set(title=f"{models[model].label}\n{SETS.get(images, images).lower()}", xlabel=DIFFERENCE,
                  ylabel="Subject" if within else "Subject | aligned with")  # fmt: skip
        panel.label_outer()
    return style.legend_below(figure, [*style.keys(styles, linestyle="none"), SIGNIFICANT_KEY], title=title)


def plot_layer_differences(table, title=None):
    """Difference in similarity at the same layer of both networks (mean over regions), and its mean over the layers.

    ``table``: ``metric`` ``layer_difference``, ``roi`` ``mean``, ``model`` ``realnet`` of one stimulus set, one row per
    network, ``reference`` and ``layer``; columns ``trained_on value lower upper p``. Filled, star: p < .05.
    """
    rows = style.select(table, "plot_layer_differences", ("trained_on", "layer", "lower", "upper", "p"),
                        metric="layer_difference", roi="mean", model="realnet")  # fmt: skip
    layers, last = style.ordered(rows.layer, style.LAYERS), ["mean"] * ("mean" in set(rows.trained_on))
    subjects = subject_styles(sorted(set(rows.trained_on) - {"mean"}) + last)
    references, height = style.styles_in(rows.reference, style.REFERENCES), 0.45 * len(layers) + 1.3
    figure, axes = style.panel_grid(len(references), 3, height, DIFFERENCE, "Layer", extra=0, sharex=True, sharey=True)
    for panel, (reference, look) in zip(axes, references.items(), strict=True):
        draw_forest(panel, rows[rows.reference == reference], "layer", layers, "trained_on", subjects, width=0.5)
        panel.set_title(f"ReAlnet {look.label}")
    axes[0].set_yticks(range(len(layers)), ["mean of layers" if layer == "mean" else layer for layer in layers])
    handles = [*style.keys(subjects, "aligned with {}", linestyle="none"), SIGNIFICANT_KEY]
    return style.legend_below(figure, handles, title=title)


def plot_across_datasets(within, across):
    """Improvement over a reference by region, one line per ReAlnet: with its own subject, and with others (figure 3B).

    Parameters
    ----------
    within, across : DataFrame
        ``metric`` ``improvement``, ``model`` ``realnet``, ``reference`` ``control`` (``cornet`` without it),
        ``stimulus_set`` ``natural``; columns ``dataset subject trained_on roi value``. Of ``within`` rows with
        ``trained_on == subject`` are drawn; of ``across`` those with ``subject`` ``mean``, or else means over subjects.
    """
    who, columns = "plot_across_datasets", ("dataset", "subject", "trained_on", "roi")
    reference = "control" if "control" in set(within.reference) else "cornet"
    wanted = {"metric": "improvement", "model": "realnet", "reference": reference, "stimulus_set": "natural"}
    own, others = (style.select(table, who, columns, **wanted) for table in (within, across))
    own, others = own[(own.subject == own.trained_on) & (own.subject != "mean")], others[others.trained_on != "mean"]
    if (others.subject == "mean").any():
        others = others[others.subject == "mean"]
    rois = [roi for roi in style.ordered([*own.roi, *others.roi], ROIS) if roi != "mean"]
    styles, gaps = subject_styles(sorted({*own.trained_on, *others.trained_on})), False
    label = f"Improvement over {style.MODELS[reference].label} (%)"
    figure, axes = style.panel_grid(2, 2, 2.8, REGION, label, sharey=True)
    for panel, rows, whose in zip(axes, (own, others), ("own subject", "mean over other subjects"), strict=True):
        percent = 100 * rows.groupby(["roi", "trained_on"]).value.mean().unstack("trained_on").reindex(rois)
        for name in percent:
            panel.plot(rois, percent[name], **style.line_style(styles[name]))
        gaps |= bool(percent.isna().any(axis=None))
        panel.axhline(0, **style.ZERO)
        panel.margins(x=0.1)
        panel.set_title(f"{style.DATASETS.get(rows.dataset.iloc[0], rows.dataset.iloc[0])}\n({whose})")
    return style.legend_below(figure, style.keys(styles, "aligned with {}") + [GAP_KEY] * gaps)


def plot_baselines(table, title=None):
    """Similarity of baselines and networks, each at its best layer, by region (dots: subjects) or over time.

    ``table``: rows ``rho`` of one recording from chapters 03b and 03, 04 or 05; means are over networks and subjects.
    """
    rows = style.select(table, "plot_baselines", ("roi", "time"), metric="rho", model=tuple(SIMPLE))
    place, label = ("time", style.TIME) if rows.time.notna().all() else ("roi", REGION)
    keys = ["model", "trained_on", "seed", "subject", place]
    rows = rows[rows.layer != "cross-validated"].groupby(keys, dropna=False).value.max()
    rows = rows.groupby(["model", "subject", place]).mean().reset_index()
    styles, (figure, axes) = style.styles_in(rows.model, SIMPLE), style.new_figure(3.9)
    if place == "roi":
        draw_groups(axes, rows, "roi", style.ordered(rows.roi, ROIS), "model", styles, width=0.75, size=4)
    else:
        means = rows.groupby(["time", "model"]).value.mean().unstack("model")
        for model, look in styles.items():
            axes.plot(1000 * means.index, means[model], **style.line_style(look), markersize=4)
    axes.set(xlabel=label, ylabel=style.RHO, title=title)
    return style.legend_below(figure, style.keys(styles, **{"linestyle": "none"} if place == "roi" else {}), 4)


def plot_by_region(table, panel, by, label, title=None):
    """Values with intervals by region (columns ``roi value lower upper p_corrected``; filled, star: p_corrected < .05).

    One panel per value of the column ``panel``, one colour per ``by`` (``model`` or ``reference``); ``label``: of x.
    """
    rows = style.select(table, "plot_by_region", (panel, by, "roi", "lower", "upper", "p_corrected"))
    styles = style.styles_in(rows[by], style.MODELS if by == "model" else style.REFERENCES)
    names, rois = style.ordered(rows[panel], style.LAYERS), style.ordered(rows.roi, ROIS)
    height = 0.4 * len(rois) + 0.9
    figure, axes = style.panel_grid(len(names), 2, height, label, extra=0.6, sharex=True, sharey=True)
    for axis, name in zip(axes, names, strict=True):
        draw_forest(axis, rows[rows[panel] == name], "roi", rois, by, styles, width=0.5, p="p_corrected")
        axis.set_title(f"Layer {name}" if panel == "layer" else name)
    return style.legend_below(figure, [*style.keys(styles, linestyle="none"), SIGNIFICANT_KEY], title=title)
