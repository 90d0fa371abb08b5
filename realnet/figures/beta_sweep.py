"""Curves over beta."""

import numpy as np

from realnet.figures.style import (
    REFERENCES,
    key,
    legend_below,
    line_style,
    ordered,
    panel_grid,
    person_styles,
    select,
    styled,
)


@styled
def plot_beta_curves(table, title=None):
    """How far ReAlnet lies from CORnet and from Control, by beta: one panel a measure; small dots are people.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``difference``; columns ``curve reference beta trained_on value lower upper``. The line is the mean
        over ``trained_on``, or its rows ``mean`` where there are any, then with their interval; people have thin
        intervals where they have one of their own. Beta 0 is Control.
    """
    columns = ("curve", "beta", "trained_on", "value", "lower", "upper")
    rows = select(table, "plot_beta_curves", columns, metric="difference", reference=tuple(REFERENCES))
    curves, people = ordered(rows.curve, ()), sorted(set(rows.trained_on) - {"mean"})
    betas = np.array(sorted(set(rows.beta)))
    width = 0.5 * np.diff(betas).min() if len(betas) > 1 else 1.0
    figure, axes = panel_grid(len(curves), 3, 2.1, extra=0.9, sharex=True)
    markers = {name: style.marker for name, style in person_styles(people).items()}
    for panel, curve in zip(axes, curves, strict=True):
        for reference, side in zip(REFERENCES, (-0.12, 0.12), strict=True):
            part = rows[(rows.curve == curve) & (rows.reference == reference)]
            if len(part):
                _draw_reference(panel, part, REFERENCES[reference], markers, side * width, width)
        panel.axhline(0, color="black", linewidth=0.6, zorder=1)
        panel.set_title(curve, fontsize=10)
        panel.set_xticks(betas, [f"{beta:g}" for beta in betas])
    for panel in axes[-3:]:
        panel.set_xlabel(r"$\beta$")
    for panel in axes[::3]:
        panel.set_ylabel("Difference")
    handles = [key(REFERENCES[reference], f"ReAlnet {REFERENCES[reference].label}") for reference in REFERENCES]
    handles += [
        key(REFERENCES["cornet"]._replace(marker=marker), f"taught by {name}", linestyle="none", color="#777777")
        for name, marker in markers.items()
    ]
    legend_below(figure, handles)
    if title:
        figure.suptitle(title)
    return figure


def _draw_reference(panel, rows, style, markers, shift, width):
    """One reference in one panel: people beside the mean's line."""
    for place, (person, marker) in enumerate(markers.items()):
        own = rows[rows.trained_on == person].groupby("beta")[["value", "lower", "upper"]].mean()
        x = own.index + shift + (place - (len(markers) - 1) / 2) * width * 0.12
        panel.plot(x, own.value, marker=marker, linestyle="none", markersize=3, color=style.colour, alpha=0.55,
                   label=f"{person} {style.label}")  # fmt: skip
        known = own.lower.notna()
        panel.vlines(x[known], own.lower[known], own.upper[known], color=style.colour, linewidth=0.7, alpha=0.55)
    means = rows[rows.trained_on == "mean"].set_index("beta").sort_index()
    if means.empty:
        means = rows.groupby("beta")[["value"]].mean()
    else:
        panel.vlines(means.index + shift, means.lower, means.upper, color=style.colour, linewidth=2.2)
    panel.plot(means.index + shift, means.value, **line_style(style) | {"marker": "_", "markersize": 9})
