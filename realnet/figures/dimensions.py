"""What networks share with object dimensions (figure 5)."""

import numpy as np

from realnet.errors import InvalidInput
from realnet.figures.differences import draw_intervals, significant_key
from realnet.figures.pictures import as_pictures, show_picture
from realnet.figures.style import (
    LAYERS,
    MODELS,
    PARTIAL_RHO2,
    REFERENCES,
    WIDTH,
    dot_style,
    key,
    legend_below,
    models_in,
    new_figure,
    offsets,
    ordered,
    panel_grid,
    select,
    styled,
)

#: Inches between two dimensions in a list of them.
ROW = 0.21


@styled
def plot_dimensions(table, layer="IT", n_top=None):
    """Partial similarity of a layer with each object dimension, sorted by ReAlnet (figure 5A): means over networks.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``partial_rho2``, columns ``model layer dimension value``.
    n_top : int, optional
        Only so many dimensions, the strongest of ReAlnet.
    """
    rows = select(table, "plot_dimensions", ("dimension", "value"), metric="partial_rho2", layer=layer,
                  model=("cornet", "control", "realnet"))  # fmt: skip
    means = rows.groupby(["dimension", "model"]).value.mean().unstack("model")
    models = models_in(rows)
    means = means.sort_values("realnet" if "realnet" in models else models[-1], ascending=False)[:n_top]
    figure, axes = new_figure(ROW * len(means) + 1.1)
    y = np.arange(len(means))
    axes.hlines(y, means.min(axis=1), means.max(axis=1), color="#c8c8c8", linewidth=1.2, zorder=1)
    for model in models:
        axes.plot(means[model], y, **dot_style(MODELS[model], size=6), label=MODELS[model].label, zorder=3)
    _name_dimensions(axes, means.index)
    axes.set_xlim(left=min(0, means.min().min()) - 0.02 * means.max().max())
    axes.set(xlabel=PARTIAL_RHO2, title=f"Layer {layer}")
    legend_below(figure, [key(MODELS[model], linestyle="none") for model in models])
    return figure


@styled
def plot_dimension_changes(table):
    """ReAlnet minus each reference per object dimension, with intervals; filled and a star where p < .05 (figure 5B).

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``difference``, columns ``model reference dimension value lower upper p``; rows of ``realnet`` are
        drawn with intervals, those of ``null``, where there are any, as pale crosses.
    """
    needed = ("dimension", "value", "lower", "upper", "p")
    rows = select(table, "plot_dimension_changes", needed, metric="difference", model=("realnet", "shuffled"),
                  reference=tuple(REFERENCES))  # fmt: skip
    realnet = select(rows, "plot_dimension_changes", model="realnet")
    references = ordered(realnet.reference, REFERENCES)
    names = by_change(realnet, references[0])
    figure, axes = new_figure(ROW * len(names) + 1.3, ncols=len(references), sharey=True, sharex=True, squeeze=False)
    handles = []
    for panel, reference in zip(axes.flat, references, strict=True):
        draw_dimension_changes(panel, rows, names, reference)
        panel.set_title(f"ReAlnet {REFERENCES[reference].label}")
        panel.set_xlabel("Difference in squared\npartial Spearman's rho")
        handles.append(key(REFERENCES[reference], linestyle="none"))
    if "shuffled" in set(rows.model):
        handles.append(key(MODELS["shuffled"], linestyle="none"))
    legend_below(figure, [*handles, significant_key()])
    return figure


def by_change(rows, reference):
    """Names of dimensions from the largest rise to the largest fall against a reference."""
    return list(rows[rows.reference == reference].sort_values("value", ascending=False).dimension)


def draw_dimension_changes(axes, rows, names, reference):
    """A panel of :func:`plot_dimension_changes` with the dimensions ``names``, from above."""
    places = {name: i for i, name in enumerate(names)}
    part = rows[(rows.reference == reference) & rows.dimension.isin(names)]
    null, realnet = part[part.model == "shuffled"], part[part.model == "realnet"]
    axes.plot(null.value, null.dimension.map(places), **dot_style(MODELS["shuffled"], size=6), label="Null", zorder=1.5)
    draw_intervals(axes, realnet, realnet.dimension.map(places).to_numpy(), REFERENCES[reference])
    axes.axvline(0, color="black", linewidth=0.6, zorder=1)
    _name_dimensions(axes, names)


def _name_dimensions(axes, names):
    """Names of dimensions down the left side, the first one above; long ones are cut."""
    names = [name if len(name) <= 34 else f"{name[:33]}…" for name in map(str, names)]
    axes.set_yticks(range(len(names)), names, fontsize=9.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#efefef", linewidth=0.8)


@styled
def plot_dimension_pictures(images, values, names, n=5):
    """For each object dimension the ``n`` images highest and the ``n`` lowest on it (figure 5C).

    Parameters
    ----------
    images : uint8 array (N, H, W, 3) or tensor (N, 3, H, W)
    values : array (N, n_dims)
        Of each image on each dimension.
    names : sequence of str
        The n_dims dimensions.
    """
    images, values = as_pictures(images, "plot_dimension_pictures"), np.asarray(values, dtype=float)
    if values.shape != (len(images), len(names)):
        raise InvalidInput(
            f"plot_dimension_pictures expects values of shape ({len(images)}, {len(names)}), one row an image and one "
            f"column a dimension, not {values.shape}"
        )
    if not 1 <= n <= len(images) // 2:
        raise InvalidInput(f"plot_dimension_pictures shows 1 to {len(images) // 2} of {len(images)} images, not {n}")
    side = (WIDTH - 0.3) / (2 * n)
    figure, axes = new_figure(
        len(names) * (side * images.shape[1] / images.shape[2] + 0.32), nrows=len(names), ncols=2 * n + 1,
        squeeze=False, width_ratios=[1] * n + [0.15] + [1] * n,
    )  # fmt: skip
    for line, name, column in zip(axes, names, values.T, strict=True):
        order = np.argsort(-column, kind="stable")
        for panel, i in zip([*line[:n], *line[n + 1 :]], [*order[:n], *order[-n:]], strict=True):
            show_picture(panel, images[i])
        line[n].set_axis_off()
        for panel, text in ((line[0], f"{name}: highest"), (line[n + 1], "lowest")):
            # left out of the layout, which would widen the column of the first picture to the title's width
            panel.text(0, 1.04, text, transform=panel.transAxes, fontsize=11).set_in_layout(False)
    figure.get_layout_engine().set(h_pad=0.12)
    return figure


@styled
def plot_dimension_layers(table, dimensions):
    """Partial similarity with some object dimensions from layer to layer: mean over networks, a dot each (5D, S14).

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``partial_rho2``, columns ``model layer dimension value``.
    dimensions : sequence of str
        One panel each.
    """
    dimensions = [dimensions] if isinstance(dimensions, str) else list(dimensions)
    rows = select(table, "plot_dimension_layers", ("layer", "value"), metric="partial_rho2",
                  model=("cornet", "control", "realnet"))  # fmt: skip
    parts = [select(rows, "plot_dimension_layers", dimension=name) for name in dimensions]
    layers, models = ordered(rows.layer, LAYERS), models_in(rows)
    n_columns = min(3, len(parts))
    figure, axes = panel_grid(len(parts), n_columns, 2.4, extra=0.6, sharey=True)
    shifts = dict(zip(models, offsets(len(models), 0.24), strict=True))
    for i, (panel, part, name) in enumerate(zip(axes, parts, dimensions, strict=True)):
        for model in models:
            style, of_model = MODELS[model], part[part.model == model]
            x = of_model.layer.map({layer: place + shifts[model] for place, layer in enumerate(layers)})
            panel.plot(x, of_model.value, **dot_style(style, size=3.5), alpha=0.5, label=f"{style.label} dots")
            means = of_model.groupby("layer").value.mean().reindex(layers)
            panel.plot(np.arange(len(layers)) + shifts[model], means, color=style.colour, marker=style.marker,
                       linestyle=style.line, label=style.label)  # fmt: skip
        panel.set_xticks(range(len(layers)), layers)
        panel.set_title(str(name) if len(str(name)) < 26 else f"{str(name)[:25]}…")
        panel.set_xlabel("Model layer")
        if i % n_columns == 0:
            panel.set_ylabel("Squared partial\nSpearman's rho")
    legend_below(figure, [key(MODELS[model]) for model in models])
    return figure
