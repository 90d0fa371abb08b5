"""Figures of the study as a whole: losses of training, curves over beta, 92 objects, and the landing page."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from realnet.figures import style
from realnet.figures.dimensions import draw_dimension_changes, select_changes
from realnet.figures.eeg import draw_eeg
from realnet.figures.fmri import ROIS, SETS, SIGNIFICANT_KEY, draw_fmri, subject_styles

LOSSES = {  # title and unit
    "loss_class": ("Classification", "Cross-entropy (nats)"),
    "loss_mse": ("Mean squared error", "Squared component units"),
    "loss_contrastive": ("Contrastive loss", "1 - r, own minus others"),
    "loss_similarity": ("Similarity of representations", "1 - r, mean over layers"),
    "loss_total": ("Total", "Weighted sum"),
}
SPLITS = {"training": style.Style("Training images", "#707070", "", "-"),
          "test": style.Style("Test images", "#707070", "", (0, (4, 1.5)))}  # fmt: skip


def plot_training(history, title=None):
    """The losses by epoch, one line per network: training solid, test dashed. Epoch 0 is the state before training.

    ``history``: Columns ``epoch split metric value`` of :func:`realnet.training.align`, and those that name a network:
    ``model trained_on beta seed``.
    """
    names = ["split", "model", "trained_on", "beta", "seed"]
    rows = style.select(history, "plot_training", ("epoch", *names), metric=tuple(LOSSES)).sort_values("epoch")
    metrics, styles = style.ordered(rows.metric, LOSSES), style.styles_in(rows.model)
    figure, axes = style.panel_grid(len(metrics), 2, 2.3, "Epoch (0: before training)", sharex=True)
    for panel, metric in zip(axes, metrics, strict=True):
        for (split, model, *_), line in rows[rows.metric == metric].groupby(names):
            look = style.line_style(styles[model]._replace(line=SPLITS[split].line))
            panel.plot(line.epoch, line.value, **look, linewidth=1.2, markevery=[-1])
        panel.set(title=LOSSES[metric][0], ylabel=LOSSES[metric][1])
        panel.locator_params(axis="x", integer=True, nbins=8)
    handles = style.keys(styles, linestyle="-") + style.keys(SPLITS)
    return style.legend_below(figure, handles, title=title)


def plot_beta_curves(table, title=None):
    """Difference of ReAlnet from CORnet and from Control by beta: one panel per measure; small dots are subjects.

    ``table``: ``metric`` ``difference``; columns ``curve reference beta trained_on value lower upper``. The line is the
    mean over ``trained_on``, or its rows ``mean`` where there are any, then with their interval; subjects have thin
    intervals where they have one of their own.
    """
    columns = ("curve", "beta", "trained_on", "lower", "upper")
    rows = style.select(table, "plot_beta_curves", columns, metric="difference")
    curves, subjects = style.ordered(rows.curve, ()), subject_styles(sorted(set(rows.trained_on) - {"mean"}))
    betas = np.array(sorted(set(rows.beta)))
    width = 0.5 * np.diff(betas).min() if len(betas) > 1 else 1.0
    figure, axes = style.panel_grid(len(curves), 3, 2.1, r"$\beta$", "Difference", sharex=True)
    for panel, curve in zip(axes, curves, strict=True):
        for reference, side in zip(style.PAPER, (-0.12, 0.12), strict=True):
            look = style.REFERENCES[reference]
            part = rows[(rows.curve == curve) & (rows.reference == reference)]
            _draw_beta_curve(panel, part.assign(beta=part.beta + side * width), look, subjects, 0.12 * width)
        panel.axhline(0, **style.ZERO)
        panel.set_title(curve, fontsize=10)
        panel.set_xticks(betas, [f"{beta:g}" for beta in betas])
    handles = style.keys({name: style.REFERENCES[name] for name in style.PAPER}, "ReAlnet {}")
    handles += style.keys(subjects, "aligned with {}", color="#777777", linestyle="none")
    return style.legend_below(figure, handles, title=title)


def _draw_beta_curve(panel, rows, look, subjects, step):
    """Draw one reference in one panel: subjects beside the line of their mean."""
    for name, shift in zip(subjects, style.offsets(len(subjects), (len(subjects) - 1) * step), strict=True):
        own = rows[rows.trained_on == name].groupby("beta")[["value", "lower", "upper"]].mean()
        dots = {"color": look.colour, "alpha": 0.55, "label": f"{name} {look.label}"}
        panel.plot(own.index + shift, own.value, subjects[name].marker, markersize=3, **dots)
        panel.vlines(own.index + shift, own.lower, own.upper, linewidth=0.7, **dots)
    means = rows[rows.trained_on == "mean"].set_index("beta").sort_index()
    panel.vlines(means.index, means.lower, means.upper, color=look.colour, linewidth=2.2)
    means = means.value if len(means) else rows.groupby("beta").value.mean()
    panel.plot(means.index, means, **style.line_style(look) | {"marker": "_", "markersize": 9})


def plot_objects92(table):
    """Similarity of each layer with each group of people or monkeys, and their noise ceiling as a band.

    ``table``: ``metric`` ``rho``, columns ``model subject layer roi value lower upper ceiling_lower ceiling_upper``.
    Bars are the rows of ``subject`` ``mean`` with their interval, dots the others; networks with other layers have
    panels of their own.
    """
    columns = ("subject", "layer", "roi", "lower", "upper", "ceiling_lower", "ceiling_upper")
    rows = style.select(table, "plot_objects92", columns, metric="rho")
    rois, styles, groups = style.ordered(rows.roi, ROIS), style.styles_in(rows.model), {}
    for model in styles:
        groups.setdefault(tuple(style.ordered(rows.layer[rows.model == model], style.LAYERS)), []).append(model)
    panels = list(product(groups.items(), rois))
    figure, axes = style.panel_grid(len(panels), 2, 2.6, "Model layer", style.RHO, extra=0.6, sharey=True)
    for panel, ((layers, models), roi) in zip(axes, panels, strict=True):
        ceiling = rows[rows.roi == roi][["ceiling_lower", "ceiling_upper"]].mean()
        panel.axhspan(*ceiling, color=style.CEILING, linewidth=0, label="Noise ceiling", zorder=0)
        for model, shift in zip(models, style.offsets(len(models), 0.3), strict=True):
            found = rows[(rows.roi == roi) & (rows.model == model)]
            people, mean = found[found.subject != "mean"], found[found.subject == "mean"].set_index("layer")
            mean = mean.reindex(layers)
            dots = {"color": styles[model].colour, "alpha": 0.35, "markersize": 2.5, "label": "people"}
            panel.plot([layers.index(layer) + shift + 0.12 for layer in people.layer], people.value, "o", **dots)
            errors = abs(mean[["lower", "upper"]].sub(mean.value, axis=0)).T
            look = style.line_style(styles[model]) | {"linestyle": "none"}
            panel.errorbar(np.arange(len(layers)) + shift, mean.value, yerr=errors, capsize=3, **look)
        panel.axhline(0, **style.ZERO)
        panel.set_xticks(range(len(layers)), layers, **{"rotation": 45, "ha": "right"} if len(layers) > 5 else {})
        panel.set_title(roi)
    handles = style.keys(styles, "{}, mean and interval", linestyle="none")
    return style.legend_below(figure, handles + [style.CEILING_KEY] * bool(rows.ceiling_lower.notna().any()))


def plot_headline(fmri, eeg, dimensions, n_dimensions=14, stimulus_set="natural"):
    """Three results in one figure: fMRI by region (one image set), EEG and layer IT over time, changes of dimensions.

    ``fmri``, ``eeg``, ``dimensions``: tables as ``plot_fmri_similarity`` (each network with the subject it is aligned
    with), ``plot_eeg_similarity`` and ``plot_dimension_changes`` take them; dimensions are drawn against CORnet, at
    most ``n_dimensions``: half that rise most, half that fall most.
    """
    changes, names = select_changes(dimensions, "plot_headline")
    if len(names) > n_dimensions:
        names = names[: n_dimensions // 2] + names[-(n_dimensions // 2) :]
    low = 0.21 * len(names) + 1.0
    figure = plt.figure(figsize=(style.WIDTH, 6.3 + low), layout="constrained")
    # two parts, so that long names of dimensions do not narrow the panels above
    above, below = figure.subfigures(2, 1, height_ratios=[6.3, low])
    (top, middle), bottom = above.subplots(2, 1), below.subplots()
    draw_fmri(top, fmri, stimulus_set, "plot_headline")
    images = SETS.get(stimulus_set, stimulus_set).lower()
    top.set_title(f"a  fMRI, {images}: each network and the subject it is aligned with", loc="left")
    draw_eeg({"IT": middle}, eeg, "plot_headline")
    middle.set(xlabel=style.TIME, ylabel=style.RHO)
    middle.set_title("b  EEG of other subjects: layer IT (shading: SEM)", loc="left")
    draw_dimension_changes(bottom, changes, names, "cornet")
    bottom.set_xlabel("Difference in squared partial Spearman's rho")
    bottom.set_title("c  Object dimensions in layer IT: ReAlnet minus CORnet", loc="left")
    marks = style.styles_in(eeg.reference.dropna(), style.REFERENCES)
    marks = style.keys(marks, "b: ReAlnet {}, p < .05", linestyle="none", markersize=4)
    style.legend_below(above, [*style.keys(style.styles_in(fmri.model)), style.CEILING_KEY, *marks])
    minus = style.key(style.REFERENCES["cornet"], "ReAlnet minus CORnet", linestyle="none")
    style.legend_below(below, [minus, SIGNIFICANT_KEY])
    return figure
