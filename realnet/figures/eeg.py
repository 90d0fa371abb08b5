"""How similar networks are to EEG over time."""

import numpy as np
from matplotlib.lines import Line2D

from realnet.figures.differences import IMPROVEMENT
from realnet.figures.style import (
    ALPHA,
    CEILING,
    LAYERS,
    MODELS,
    NO_RATIO,
    REFERENCES,
    RHO,
    ceiling_handle,
    key,
    legend_below,
    models_in,
    ordered,
    panel_grid,
    select,
    styled,
)

TIME = "Time after image onset (ms)"

#: A noise ceiling higher than this many times the curves would flatten them: the axis ends there, and a note says so.
HIGHEST_CEILING = 1.5


def milliseconds(seconds):
    """Times in ms, free of the last-bit noise of binary fractions."""
    return np.round(1000 * np.asarray(seconds, dtype=float), 6)


@styled
def plot_eeg_similarity(table):
    """Similarity of each layer with the EEG over time: mean and SEM over people, one panel a layer (figure 4A).

    Networks of one kind are averaged for each person first. Marks above the curves: ReAlnet differs from a reference,
    p < .05 (cluster-corrected over time).

    Parameters
    ----------
    table : DataFrame
        Rows ``rho`` (columns ``model subject layer time value``, and the ceilings where they are known) and rows
        ``difference`` of ``realnet`` (column ``reference p``) where they are known. ``time`` is in s.
    """
    rows = similarity_rows(table, "plot_eeg_similarity")
    layers = ordered(rows.layer, LAYERS)
    figure, axes = panel_grid(len(layers), 2, 2.5, sharex=True, sharey=True)
    for i, (panel, layer) in enumerate(zip(axes, layers, strict=True)):
        handles = draw_eeg_layer(panel, table, rows, layer)
        panel.set_title(f"Layer {layer}")
        _label(panel, i, len(layers), RHO)
    legend_below(figure, handles)
    return figure


def similarity_rows(table, who):
    """The rows of a table that the curves are drawn from."""
    needed = ("subject", "layer", "time", "value")
    return select(table, who, needed, metric="rho", model=("cornet", "control", "realnet"))


def draw_eeg_layer(axes, table, rows, layer):
    """One panel of :func:`plot_eeg_similarity`; the axis fits the ``rows`` of all layers. Returns legend entries."""
    people = rows.groupby(["layer", "model", "subject", "time"]).value.mean()
    curves = people.groupby(["layer", "model", "time"]).agg(["mean", "sem"])
    handles = []
    for model in models_in(rows):
        style, curve = MODELS[model], curves.loc[layer, model]
        time, sem = milliseconds(curve.index), curve["sem"].fillna(0)
        axes.fill_between(time, curve["mean"] - sem, curve["mean"] + sem, color=style.colour, alpha=0.25, linewidth=0,
                          label=f"{style.label} SEM", zorder=2)  # fmt: skip
        axes.plot(time, curve["mean"], color=style.colour, linestyle=style.line, marker=style.marker, markersize=4,
                  markeredgewidth=0, label=style.label, zorder=3)  # fmt: skip
        handles.append(key(style, f"{style.label} ± SEM", markersize=4))
    low = min(0, (curves["mean"] - curves["sem"].fillna(0)).min())
    high = (curves["mean"] + curves["sem"].fillna(0)).max()
    ceiling = _draw_ceiling(axes, rows[rows.layer == layer])
    if ceiling > HIGHEST_CEILING * high > 0:
        axes.text(0.98, 0.8, f"ceiling up to {ceiling:.2f}", transform=axes.transAxes, ha="right", fontsize=8.5,
                  color="#555555")  # fmt: skip
        high *= HIGHEST_CEILING
    else:
        high = max(high, ceiling)
    if ceiling > -np.inf:
        handles.append(ceiling_handle())
    axes.axhline(0, color="black", linewidth=0.6, zorder=1)
    axes.set_ylim(low - 0.06 * (high - low), high + 0.25 * (high - low))
    return handles + _draw_significance(axes, table, layer)


def _draw_ceiling(axes, rows):
    """The band between the noise ceilings; returns its highest value, -inf where there is none."""
    if not {"ceiling_lower", "ceiling_upper"} <= set(rows.columns):
        return -np.inf
    band = rows.groupby("time")[["ceiling_lower", "ceiling_upper"]].mean().dropna()
    if band.empty:
        return -np.inf
    axes.fill_between(milliseconds(band.index), band.ceiling_lower, band.ceiling_upper, color=CEILING, linewidth=0,
                      label="Noise ceiling", zorder=0)  # fmt: skip
    return float(band.ceiling_upper.max())


def _draw_significance(axes, table, layer):
    """A row of marks for each reference at the times where p < .05, open where ReAlnet is farther; legend entries."""
    handles = []
    if not {"reference", "p"} <= set(table.columns):
        return handles
    tests = table[(table.metric == "difference") & (table.model == "realnet") & (table.layer == layer)]
    for reference, height in zip(ordered(tests.reference, REFERENCES), (0.965, 0.89), strict=False):
        style = REFERENCES[reference]
        sure = tests[(tests.reference == reference) & (tests.p < ALPHA)]
        for which, label, face in ((sure.value > 0, "closer", style.colour), (sure.value <= 0, "farther", "white")):
            time = milliseconds(sure.time[which])
            axes.plot(time, np.full(len(time), height), color=style.colour, marker=style.marker, markerfacecolor=face,
                      markersize=4, linestyle="none", transform=axes.get_xaxis_transform(),
                      label=f"{style.label} {label}, p < .05", zorder=4)  # fmt: skip
        handles.append(key(style, f"ReAlnet {style.label}: p < .05", linestyle="none", markersize=4))
    return handles


@styled
def plot_eeg_improvement(table):
    """Improvement of ReAlnet over each reference over time, in per cent, one panel a layer (figure 4B).

    A gap in a line: the reference is not clearly above 0 at that time, so that there is no ratio.

    Parameters
    ----------
    table : DataFrame
        Rows ``improvement`` (a ratio) of ``realnet``: columns ``reference layer time value``; ``time`` in s.
    """
    rows = select(table, "plot_eeg_improvement", ("layer", "time", "value"), metric="improvement", model="realnet",
                  reference=tuple(REFERENCES))  # fmt: skip
    layers, references = ordered(rows.layer, LAYERS), ordered(rows.reference, REFERENCES)
    figure, axes = panel_grid(len(layers), 2, 2.4, extra=0.6, sharex=True, sharey=True)
    for i, (panel, layer) in enumerate(zip(axes, layers, strict=True)):
        for reference in references:
            part = rows[(rows.layer == layer) & (rows.reference == reference)].sort_values("time")
            style = REFERENCES[reference]
            panel.plot(milliseconds(part.time), 100 * part.value, color=style.colour, marker=style.marker,
                       markersize=4, linestyle=style.line, label=style.label)  # fmt: skip
        panel.axhline(0, color="black", linewidth=0.6, zorder=1)
        panel.set_xlim(milliseconds(rows.time.min()) - 5, milliseconds(rows.time.max()) + 5)
        panel.set_title(f"Layer {layer}")
        _label(panel, i, len(layers), IMPROVEMENT)
    handles = [key(REFERENCES[r], f"ReAlnet {REFERENCES[r].label}", markersize=4) for r in references]
    if rows.value.isna().any():
        handles.append(Line2D([], [], linestyle="none", label=f"Gap: {NO_RATIO}"))
    legend_below(figure, handles)
    return figure


def _label(panel, i, n_panels, label):
    """Names of the axes at the left and lower edge of a grid with two columns."""
    if i % 2 == 0:
        panel.set_ylabel(label)
    if i + 2 >= n_panels:
        panel.set_xlabel(TIME)
