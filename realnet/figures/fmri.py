"""How similar networks are to brain regions: reliability of the data, similarity per region, every layer."""

import numpy as np
import seaborn as sns
from matplotlib.lines import Line2D

from realnet.figures.style import (
    CEILING,
    DATASETS,
    LAYERS,
    MODELS,
    RHO,
    ROIS,
    STIMULUS_SETS,
    Style,
    ceiling_handle,
    dot_style,
    key,
    legend_below,
    mean_style,
    models_in,
    new_figure,
    offsets,
    ordered,
    panel_grid,
    select,
    styled,
)

#: A mean over people, of the data alone.
MEAN = Style("Mean", "black", "_", "none")


@styled
def plot_reliability(table):
    """Reliability of the voxels per region: one line a person, the mean as a bar, one panel a dataset and stimulus set.

    Parameters
    ----------
    table : DataFrame
        ``tables/reliability.csv``: ``metric`` ``reliability``, columns ``dataset stimulus_set subject roi value``.
    """
    rows = select(
        table, "plot_reliability", ("dataset", "stimulus_set", "subject", "roi", "value"), metric="reliability"
    )
    groups = list(rows.groupby(["dataset", "stimulus_set"], sort=False))
    figure, axes = panel_grid(len(groups), 2, 2.2, extra=0.5, sharey=True, sharex=True)
    rois = ordered(rows.roi, ROIS)
    for i, (panel, ((dataset, images), part)) in enumerate(zip(axes, groups, strict=True)):
        people = part.pivot_table(index="roi", columns="subject", values="value").reindex(rois)
        panel.plot(range(len(rois)), people, color="#8a8a8a", marker="o", markersize=4, linewidth=0.8)
        panel.plot(range(len(rois)), people.mean(axis=1), **mean_style(MEAN))
        panel.set_title(f"{DATASETS.get(dataset, dataset)}: {STIMULUS_SETS.get(images, images).lower()}", fontsize=10)
        panel.axhline(0, color="black", linewidth=0.6)
        panel.set_xticks(range(len(rois)), rois)
        panel.set_xlim(-0.4, len(rois) - 0.6)
        if i % 2 == 0:
            panel.set_ylabel("Split-half reliability\n(Pearson's r, corrected)")
        if i + 2 >= len(groups):
            panel.set_xlabel("Brain region")
    person = Line2D([], [], color="#8a8a8a", marker="o", markersize=4, linewidth=0.8, label="One person")
    legend_below(figure, [person, Line2D([], [], **mean_style(MEAN, size=12))])
    return figure


@styled
def plot_fmri_similarity(table, stimulus_set, title=None):
    """Similarity of the networks with each region, at the best layer (figures 1B, 2A, 2B, 3A).

    Each dot is one person and network; thin lines join the dots of one person and teacher; bars are means over dots;
    the band is the noise ceiling of the people of this dataset.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``rho``, columns ``model subject trained_on seed layer roi stimulus_set value``, and the ceilings
        where they are known. All its rows are drawn: keep those you mean, such as ``trained_on == subject``.
    """
    figure, axes = new_figure(3.9)
    handles = draw_fmri(axes, table, stimulus_set, "plot_fmri_similarity")
    legend_below(figure, handles)
    axes.set_title(title or STIMULUS_SETS.get(stimulus_set, stimulus_set))
    return figure


def draw_fmri(axes, table, stimulus_set, who):
    """The panel of :func:`plot_fmri_similarity`; returns the entries of its legend."""
    needed = ("model", "subject", "trained_on", "seed", "roi", "value")
    rows = select(table, who, needed, metric="rho", layer="best", stimulus_set=stimulus_set)
    rois, models = ordered(rows.roi, ROIS), models_in(rows)
    places = np.arange(len(rois))
    handles = []
    if draw_ceilings(axes, rows, "roi", rois):
        handles.append(ceiling_handle())
    shifts = dict(zip(models, offsets(len(models)), strict=True))
    for values in _paths(rows, models):
        for roi, place in zip(rois, places, strict=True):
            found = [(place + shifts[m], values[m][roi]) for m in models if roi in values.get(m, ())]
            axes.plot(*zip(*found, strict=True), color="#9a9a9a", linewidth=0.7, zorder=2)
    for model in models:
        style, of_model = MODELS[model], rows[rows.model == model]
        x = of_model.roi.map(dict(zip(rois, places + shifts[model], strict=True)))
        axes.plot(x, of_model.value, **dot_style(style), label=f"{style.label} dots", zorder=3)
        means = of_model.groupby("roi").value.mean().reindex(rois)
        axes.plot(places + shifts[model], means, **mean_style(style))
        handles.append(key(style, linestyle="none", markersize=6))
    axes.axhline(0, color="black", linewidth=0.6, zorder=1)
    axes.set_xticks(places, rois)
    axes.set(xlabel="Brain region", ylabel=RHO, xlim=(-0.5, len(rois) - 0.5))
    return handles


def draw_ceilings(axes, rows, column, names):
    """A band from the lower to the upper noise ceiling at each name; False where the table knows none."""
    if not {"ceiling_lower", "ceiling_upper"} <= set(rows.columns):
        return False
    means = rows.groupby(column)[["ceiling_lower", "ceiling_upper"]].mean().reindex(names).astype(float)
    known = means.notna().all(axis=1).to_numpy()
    axes.bar(np.arange(len(names))[known], (means.ceiling_upper - means.ceiling_lower)[known], width=0.9,
             bottom=means.ceiling_lower[known], color=CEILING, label="Noise ceiling", zorder=0)  # fmt: skip
    return bool(known.any())


def _paths(rows, models):
    """For each person and teacher, model -> (roi -> value); CORnet, whom nobody taught, is part of every path."""
    means = rows.groupby(["subject", "trained_on", "seed", "model", "roi"]).value.mean()
    untaught = rows[rows.trained_on == ""].groupby(["subject", "model", "roi"]).value.mean()
    taught = rows[rows.trained_on != ""]
    for subject, teacher, seed in taught.groupby(["subject", "trained_on", "seed"]).groups:
        found = means.loc[subject, teacher, seed]
        path = {model: found.loc[model].to_dict() for model in models if model in found.index}
        for model in models:
            if (subject, model) in untaught.index.droplevel("roi"):
                path.setdefault(model, untaught.loc[subject, model].to_dict())
        yield path


@styled
def plot_layers(table, stimulus_set):
    """Every layer beside the best one: heat maps of mean similarity, layer x region, one for each kind of network.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``rho``, columns ``model layer roi stimulus_set value``; means are over people and networks.
    """
    rows = select(
        table, "plot_layers", ("layer", "roi", "value"), metric="rho", stimulus_set=stimulus_set,
        model=("cornet", "control", "realnet"),
    )  # fmt: skip
    layers, rois, models = ordered(rows.layer, LAYERS), ordered(rows.roi, ROIS), models_in(rows)
    means = rows.groupby(["model", "layer", "roi"]).value.mean()
    figure, axes = new_figure(0.36 * len(layers) + 1.5, ncols=len(models), sharey=True, squeeze=False)
    low, high = min(0, means.min()), means.max()
    for panel, model in zip(axes.flat, models, strict=True):
        matrix = means[model].unstack("roi").reindex(index=layers, columns=rois)
        sns.heatmap(matrix, ax=panel, vmin=low, vmax=high, cmap="YlGnBu", annot=True, fmt=".2f", cbar=False,
                    annot_kws={"fontsize": 8.5}, linewidths=0.5)  # fmt: skip
        panel.set(title=MODELS[model].label, xlabel="Brain region", ylabel="")
        panel.tick_params(length=0)
        panel.tick_params(axis="x", rotation=0)
        panel.tick_params(axis="y", rotation=0)
        n_single = sum(layer not in ("best", "cross-validated") for layer in layers)
        if 0 < n_single < len(layers):
            panel.axhline(n_single, color="white", linewidth=5)
    axes.flat[0].set_ylabel("Model layer")
    figure.colorbar(panel.collections[0], ax=axes, label=RHO.replace(" (", "\n("), aspect=15, pad=0.02)
    figure.suptitle(STIMULUS_SETS.get(stimulus_set, stimulus_set))
    return figure
