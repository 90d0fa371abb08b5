"""What choices change."""

import numpy as np

from realnet.figures.style import new_figure, ordered, select, styled


@styled
def plot_choice_effects(table, labels, title=None):
    """Differences of each choice from the paper's, with their intervals: a row a choice, a panel an outcome.

    Parameters
    ----------
    table : DataFrame
        ``choice outcome value lower upper``, from :func:`experiments.tables.choices.choice_effects`.
    labels : dict choice -> str
        What stands at each row; rows come in its order.

    Filled: the interval does not hold 0.
    """
    rows = select(table, "plot_choice_effects", ("value", "lower", "upper"), choice=tuple(labels))
    outcomes = ordered(rows.outcome, ())
    n_rows = -(-len(outcomes) // 3)
    height = n_rows * (0.27 * len(labels) + 0.75) + 0.3
    figure, axes = new_figure(height, nrows=n_rows, ncols=min(3, len(outcomes)), sharey=True, squeeze=False)
    places = {choice: i for i, choice in enumerate(labels)}
    for panel, outcome in zip(axes.flat, outcomes, strict=False):
        part = rows[rows.outcome == outcome]
        y = part.choice.map(places).to_numpy()
        sure = ((part.lower > 0) | (part.upper < 0)).to_numpy()
        panel.hlines(y, part.lower, part.upper, color="#333333", linewidth=1.4)
        panel.plot(part.value[sure], y[sure], "o", color="#333333", markersize=5)
        panel.plot(part.value[~sure], y[~sure], "o", color="#333333", markerfacecolor="white", markersize=5)
        panel.axvline(0, color="black", linewidth=0.6, zorder=1)
        panel.set_title(outcome)
        panel.set_yticks(range(len(labels)), list(labels.values()))
        panel.set_ylim(len(labels) - 0.4, -0.6)
        panel.locator_params(axis="x", nbins=4)
    for panel in axes.flat[len(outcomes) :]:
        panel.remove()
    for panel in axes[-1]:
        panel.set_xlabel("Difference")
    if title:
        figure.suptitle(title)
    return figure


@styled
def plot_descent(curves):
    """Mean Spearman's rho of predictions with their own measurements while a loss is followed.

    Parameters
    ----------
    curves : dict name -> array (n_steps,)
    """
    figure, axes = new_figure(2.8)
    lines = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
    for (name, values), line, colour in zip(curves.items(), lines, ("#f28e2b", "#2a6db3", "#333333"), strict=False):
        axes.plot(np.arange(len(values)), values, linestyle=line, color=colour, label=name)
    axes.set(xlabel="Step of gradient descent", ylabel="Spearman's rho (own image)", ylim=(-0.1, 1.05))
    axes.legend(loc="center right", title="Correlation in the contrast")
    return figure
