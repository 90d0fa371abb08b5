"""What networks share with object dimensions (figure 5)."""

import numpy as np

from realnet.errors import InvalidInput
from realnet.figures import style
from realnet.figures.fmri import SIGNIFICANT_KEY, draw_forest, draw_groups

ROW = 0.21  # inches between two dimensions in a list of them


def plot_dimensions(table, layer="IT"):
    """Partial similarity of a layer with each object dimension, mean over networks, sorted by ReAlnet (figure 5A).

    ``table``: DataFrame, ``metric`` ``partial_rho2``, columns ``model layer dimension value``
    """
    rows = style.select(table, "plot_dimensions", ("dimension",), metric="partial_rho2", layer=layer, model=style.MAIN)
    styles = style.styles_in(rows.model)
    means = rows.groupby(["dimension", "model"]).value.mean().unstack("model")[list(styles)]
    means = means.sort_values("realnet" if "realnet" in styles else means.columns[-1], ascending=False)
    figure, axes = style.new_figure(ROW * len(means) + 1.1)
    y = np.arange(len(means))
    axes.hlines(y, means.min(axis=1), means.max(axis=1), color="#c8c8c8", linewidth=1.2, zorder=1)
    for model, look in styles.items():
        axes.plot(means[model], y, **style.dot_style(look, size=6), label=look.label, zorder=3)
    _name_dimensions(axes, means.index)
    axes.set_xlim(left=min(0, means.min(axis=None)) - 0.02 * means.max(axis=None))
    axes.set(xlabel="Squared partial Spearman's rho", title=f"Layer {layer}")
    return style.legend_below(figure, style.keys(styles, linestyle="none"))


def plot_dimension_changes(table):
    """ReAlnet minus each reference per object dimension, with intervals; filled where p_corrected < .05 (5B).

    ``table``: ``metric`` ``difference``, columns ``model reference dimension value lower upper p_corrected``; rows of
    ``realnet`` are drawn with intervals, those of ``shuffled``, where there are any, as pale crosses.
    """
    rows, names = select_changes(table, "plot_dimension_changes")
    styles, height = style.styles_in(rows.reference, style.REFERENCES), ROW * len(names) + 1.3
    label = "Difference in squared\npartial Spearman's rho"
    figure, axes = style.panel_grid(len(styles), 3, height, label, extra=0, sharey=True, sharex=True)
    for panel, (reference, look) in zip(axes, styles.items(), strict=True):
        draw_dimension_changes(panel, rows, names, reference)
        panel.set_title(f"ReAlnet {look.label}")
    if "shuffled" in set(rows.model):
        styles["shuffled"] = style.MODELS["shuffled"]
    return style.legend_below(figure, [*style.keys(styles, linestyle="none"), SIGNIFICANT_KEY])


def select_changes(table, who):
    """Return the rows of :func:`plot_dimension_changes`, and the dimensions from the largest rise to the lowest."""
    columns = ("model", "reference", "dimension", "lower", "upper", "p_corrected")
    rows = style.select(table, who, columns, metric="difference")
    first = rows[(rows.reference == style.ordered(rows.reference, style.REFERENCES)[0]) & (rows.model == "realnet")]
    return rows, list(first.sort_values("value", ascending=False).dimension)


def draw_dimension_changes(axes, rows, names, reference):
    """Draw a panel of :func:`plot_dimension_changes` with the dimensions ``names``, from above."""
    rows = rows[(rows.reference == reference) & rows.dimension.isin(names)]
    shuffled = rows[rows.model == "shuffled"]
    look, y = style.dot_style(style.MODELS["shuffled"], size=6), shuffled.dimension.map(names.index)
    axes.plot(shuffled.value, y, **look, label="Shuffled", zorder=1.5)
    styles = {reference: style.REFERENCES[reference]}
    draw_forest(axes, rows[rows.model == "realnet"], "dimension", names, "reference", styles, p="p_corrected")
    _name_dimensions(axes, names)


def _name_dimensions(axes, names):
    """Write the names of dimensions down the left side, the first one above; long ones are cut."""
    axes.set_yticks(range(len(names)), [name if len(name) <= 34 else f"{name[:33]}…" for name in names], fontsize=9.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#efefef", linewidth=0.8)
    axes.set_axisbelow(True)


def plot_dimension_images(images, values, names, n=5):
    """For each object dimension the ``n`` images highest and the ``n`` lowest on it (figure 5C).

    Parameters
    ----------
    images : uint8 array (N, H, W, 3) or tensor (N, 3, H, W)
    values, names, n : array (N, n_dims), sequence of str (n_dims,), int
    """
    images, values = style.as_images(images, "plot_dimension_images"), np.asarray(values, dtype=float)
    if len(values) != len(images):
        raise InvalidInput(f"plot_dimension_images expects values of {len(images)} images, not {values.shape}")
    side = (style.WIDTH - 0.3) / (2 * n)
    height = len(names) * (side * images.shape[1] / images.shape[2] + 0.32)
    figure, axes = style.new_figure(height, nrows=len(names), ncols=2 * n + 1, squeeze=False,
                                    width_ratios=[1] * n + [0.15] + [1] * n)  # fmt: skip
    for line, name, column in zip(axes, names, values.T, strict=True):
        order = np.argsort(-column, kind="stable")
        for panel, i in zip([*line[:n], *line[n + 1 :]], [*order[:n], *order[-n:]], strict=True):
            style.show_image(panel, images[i])
        line[n].set_axis_off()
        for panel, text in ((line[0], f"{name}: highest"), (line[n + 1], "lowest")):
            # left out of the layout, which would widen the column of the first image to the title's width
            panel.text(0, 1.04, text, transform=panel.transAxes, fontsize=11).set_in_layout(False)
    figure.get_layout_engine().set(h_pad=0.12)
    return figure


def plot_dimension_layers(table, dimensions):
    """Partial similarity with some object dimensions from layer to layer: one dot per network, means as lines (5D).

    Parameters
    ----------
    table : DataFrame, ``metric`` ``partial_rho2``, columns ``model layer dimension value``
    dimensions : sequence of str, one panel each
    """
    rows = style.select(table, "plot_dimension_layers", ("layer",), metric="partial_rho2", model=style.MAIN)
    layers, styles = style.ordered(rows.layer, style.LAYERS), style.styles_in(rows.model)
    label = "Squared partial\nSpearman's rho"
    figure, axes = style.panel_grid(len(dimensions), 3, 2.4, "Model layer", label, extra=0.6, sharey=True)
    for panel, name in zip(axes, dimensions, strict=True):
        part = style.select(rows, "plot_dimension_layers", dimension=name)
        draw_groups(panel, part, "layer", layers, "model", styles, width=0.24, size=3.5, lines=True)
        panel.set_title(name if len(name) < 26 else f"{name[:25]}…")
    return style.legend_below(figure, style.keys(styles))
