"""Networks and human fMRI of 92 objects (chapter 10)."""

import numpy as np

from realnet.figures.style import (
    CEILING,
    LAYERS,
    MODELS,
    RHO,
    ROIS,
    ceiling_handle,
    key,
    legend_below,
    models_in,
    offsets,
    ordered,
    panel_grid,
    select,
    styled,
)

REGIONS = {"EVC": "Early visual cortex (EVC)", "IT": "Inferior temporal cortex (IT)"}


@styled
def plot_objects92(table):
    """Similarity of each layer with early visual cortex and IT: mean and SEM over people, noise ceiling as a band.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``rho``, columns ``model subject layer roi value``, and the ceilings where they are known. Several
        networks of one kind are averaged for each person first; kinds with other layers have panels of their own.
    """
    rows = select(table, "plot_objects92", ("model", "subject", "layer", "roi", "value"), metric="rho")
    rois, groups = ordered(rows.roi, ROIS), _same_layers(rows)
    people = rows.groupby(["roi", "model", "layer", "subject"]).value.mean()
    found = people.groupby(["roi", "model", "layer"]).agg(["mean", "sem"])
    figure, axes = panel_grid(len(rois) * len(groups), len(rois), 2.9, extra=0.6, sharey=True)
    bands = False
    for i, panel in enumerate(axes):
        (layers, models), roi = groups[i // len(rois)], rois[i % len(rois)]
        bands |= _draw_band(panel, rows[rows.roi == roi])
        for model, shift in zip(models, offsets(len(models), 0.3), strict=True):
            style, values = MODELS[model], found.xs((roi, model)).reindex(layers)
            panel.errorbar(np.arange(len(layers)) + shift, values["mean"], yerr=values["sem"], color=style.colour,
                           marker=style.marker, markersize=5, linestyle="none", capsize=4, elinewidth=1.5,
                           label=style.label)  # fmt: skip
        panel.axhline(0, color="black", linewidth=0.6, zorder=1)
        tilt = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if len(layers) > 5 else {}
        panel.set_xticks(range(len(layers)), layers, **tilt)
        panel.set(title=REGIONS.get(roi, roi), xlabel="Model layer", xlim=(-0.5, len(layers) - 0.5))
        if i % len(rois) == 0:
            panel.set_ylabel(RHO)
    handles = [key(MODELS[model], f"{MODELS[model].label} ± SEM", linestyle="none") for model in models_in(rows)]
    legend_below(figure, handles + [ceiling_handle()] * bands)
    return figure


def _same_layers(rows):
    """(layers, kinds of networks that have them), for each set of layers."""
    groups = {}
    for model in models_in(rows):
        layers = tuple(ordered(rows.layer[rows.model == model], LAYERS))
        groups.setdefault(layers, []).append(model)
    return list(groups.items())


def _draw_band(panel, rows):
    """The noise ceiling of one region across the panel; False where it is not known."""
    if not {"ceiling_lower", "ceiling_upper"} <= set(rows.columns):
        return False
    lower, upper = rows.ceiling_lower.mean(), rows.ceiling_upper.mean()
    if not np.isfinite([lower, upper]).all():
        return False
    panel.axhspan(lower, upper, color=CEILING, linewidth=0, label="Noise ceiling", zorder=0)
    return True
