"""What the choices of the training change (appendix 09)."""

import numpy as np

from realnet.figures.style import new_figure, ordered, panel_grid, select


def plot_choice_effects(table, labels):
    """Differences of each choice from the paper's, with their intervals: a row per choice, a panel per outcome.

    Filled: the interval does not hold 0.

    Parameters
    ----------
    table : DataFrame
        ``choice outcome value lower upper``, from :func:`experiments.tables.choices.choice_effects`.
    labels : sequence of str
        The choices in the order of the rows.
    """
    rows = select(table, "plot_choice_effects", ("value", "lower", "upper"), choice=tuple(labels))
    outcomes = ordered(rows.outcome, ())
    figure, axes = panel_grid(len(outcomes), 3, 0.27 * len(labels) + 0.75, "Difference", extra=0.3, sharey=True)
    for panel, outcome in zip(axes, outcomes, strict=True):
        part = rows[rows.outcome == outcome]
        y = part.choice.map(labels.index).to_numpy()
        sure = ((part.lower > 0) | (part.upper < 0)).to_numpy()
        panel.hlines(y, part.lower, part.upper, color="#333333", linewidth=1.4)
        panel.plot(part.value[sure], y[sure], "o", color="#333333")
        panel.plot(part.value[~sure], y[~sure], "o", color="#333333", markerfacecolor="white")
        panel.axvline(0, color="black", linewidth=0.6, zorder=1)
        panel.set(title=outcome, ylim=(len(labels) - 0.4, -0.6))
        panel.set_yticks(range(len(labels)), labels)
        panel.locator_params(axis="x", nbins=4)
    return figure


def plot_descent(curves):
    """Mean Spearman's rho of predictions with their own measurements while a loss is minimised.

    Parameters
    ----------
    curves : dict name -> array (n_steps,)
    """
    figure, axes = new_figure(2.8)
    lines = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
    for (name, values), line, colour in zip(curves.items(), lines, ("#f28e2b", "#2a6db3", "#333333"), strict=False):
        axes.plot(np.arange(len(values)), values, linestyle=line, color=colour, label=name)
    axes.set(xlabel="Step of gradient descent", ylabel="Spearman's rho (own image)", ylim=(-0.1, 1.05))
    axes.legend(loc="center right", title="Correlation in the contrastive loss")
    return figure
