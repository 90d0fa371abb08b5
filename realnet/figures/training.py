"""Losses over the epochs of training."""

from realnet.figures.style import (
    MODELS,
    Style,
    key,
    legend_below,
    line_style,
    models_in,
    ordered,
    panel_grid,
    select,
    styled,
)

#: Title of each loss and its unit.
LOSSES = {
    "loss_class": ("Classification", "Cross-entropy (nats)"),
    "loss_mse": ("Mean squared error", "Squared component units"),
    "loss_contrastive": ("Contrast", "1 - r, own minus others"),
    "loss_total": ("Total", "Weighted sum of the three"),
}

SPLITS = {"training": Style("Training images", "#333333", "o", "-"),
          "test": Style("Test images", "#f28e2b", "s", (0, (4, 1.5)))}  # fmt: skip


@styled
def plot_training(history, title=None):
    """The four losses of one network over epochs; epoch 0 is the state before training.

    Parameters
    ----------
    history : DataFrame
        Columns ``epoch split metric value``, as :func:`realnet.training.align` returns it.
    """
    losses = select(history, "plot_training", ("epoch", "value"), metric=tuple(LOSSES), split=tuple(SPLITS))
    figure, axes = _panels(losses)
    for panel, metric in zip(axes, ordered(losses.metric, LOSSES), strict=True):
        for split, style in SPLITS.items():
            means = losses[(losses.metric == metric) & (losses.split == split)].groupby("epoch").value.mean()
            if len(means):
                panel.plot(means.index, means, color=style.colour, marker=style.marker, linestyle=style.line,
                           label=style.label)  # fmt: skip
    legend_below(figure, [key(style) for split, style in SPLITS.items() if split in set(losses.split)])
    if title:
        figure.suptitle(title)
    return figure


@styled
def plot_training_all(histories):
    """The losses of every network of a study, one thin line each: training solid, test dashed.

    Parameters
    ----------
    histories : DataFrame
        Columns ``epoch split metric value`` and those that name a network: ``model trained_on beta seed``.
    """
    names = ["model", "trained_on", "beta", "seed"]
    losses = select(
        histories, "plot_training_all", ("epoch", "value", *names), metric=tuple(LOSSES), split=tuple(SPLITS)
    )
    figure, axes = _panels(losses)
    for panel, metric in zip(axes, ordered(losses.metric, LOSSES), strict=True):
        for (model, *_, split), rows in losses[losses.metric == metric].groupby([*names, "split"], dropna=False):
            rows = rows.sort_values("epoch")
            style = {**line_style(MODELS[model]), "linestyle": SPLITS[split].line}
            panel.plot(rows.epoch, rows.value, **style, linewidth=1, alpha=0.8, markersize=4, markevery=[-1])
    handles = [key(MODELS[model], linestyle="-") for model in models_in(losses)]
    handles += [key(style, color="#707070", marker="", linestyle=style.line) for style in SPLITS.values()]
    legend_below(figure, handles)
    return figure


def _panels(losses):
    """One panel for each loss, with names and units."""
    metrics = ordered(losses.metric, LOSSES)
    figure, axes = panel_grid(len(metrics), 2, 2.3, sharex=True)
    for i, (panel, metric) in enumerate(zip(axes, metrics, strict=True)):
        panel.set_title(LOSSES[metric][0])
        panel.set_ylabel(LOSSES[metric][1])
        panel.locator_params(axis="x", integer=True, nbins=8)
        if i + 2 >= len(metrics):
            panel.set_xlabel("Epoch (0: before training)")
    return figure, axes
