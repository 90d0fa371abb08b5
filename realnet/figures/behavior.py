"""Behaviour of networks and people: accuracy against beta, and agreement on errors (supplement S1)."""

import matplotlib as mpl
from matplotlib.lines import Line2D

from realnet.figures.style import (
    CEILING,
    MODELS,
    Style,
    dot_style,
    key,
    legend_below,
    line_style,
    new_figure,
    ordered,
    select,
    styled,
)

ACCURACIES = {"top1": "Top-1 accuracy", "top5": "Top-5 accuracy"}
KAPPA = "Error consistency with people (kappa)"
PERSON = Style("One person", "#8a8a8a", "o", "none")
#: Networks whose decisions were published with those of the people.
PUBLISHED = Style("Network with published decisions", "#7a4fa3", "v", "none")


@styled
def plot_accuracy(table):
    """Top-1 and top-5 accuracy against beta, with intervals over images; CORnet and Control as lines (S1).

    Small dots are single networks (people who taught them, seeds); lines and large markers their means.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``top1`` and ``top5``, columns ``model trained_on beta value lower upper``, with rows of
        ``trained_on`` ``mean`` for all kinds but CORnet.
    """
    needed = ("model", "trained_on", "beta", "value", "lower", "upper")
    rows = select(table, "plot_accuracy", needed, metric=tuple(ACCURACIES))
    figure, axes = new_figure(3.6, ncols=2, sharex=True)
    for panel, (metric, label) in zip(axes, ACCURACIES.items(), strict=True):
        part = select(rows, "plot_accuracy", metric=metric)
        for model in ("cornet", "control"):
            _draw_level(panel, part[(part.model == model) & part.trained_on.isin(("", "mean"))], MODELS[model])
        for model, shift in (("realnet", 0.0), ("shuffled", 1.5)):
            of_model = part[part.model == model].sort_values("beta")
            single, mean = of_model[of_model.trained_on != "mean"], of_model[of_model.trained_on == "mean"]
            if of_model.empty:
                continue
            style = MODELS[model]
            panel.plot(single.beta + shift, single.value, **dot_style(style, size=3.5, filled=False), zorder=2)
            panel.errorbar(mean.beta + shift, mean.value, yerr=_arms(mean), **line_style(style), markersize=7,
                           capsize=3, elinewidth=1.4, zorder=3)  # fmt: skip
        panel.set(title=label, xlabel="beta", ylabel="Share of images")
        betas = sorted(part.beta[part.model == "realnet"].unique())
        panel.set_xticks(betas)
        panel.set_xlim(min(betas, default=0) - 7, max(betas, default=0) + 7)
    kinds = [model for model in ("cornet", "control", "realnet", "shuffled") if (rows.model == model).any()]
    single = Line2D([], [], **dot_style(PERSON, size=4, filled=False), label="Single networks")
    legend_below(
        figure,
        [*(key(MODELS[kind], f"{MODELS[kind].label}, interval", **_without_marker(kind)) for kind in kinds), single],
        3,
    )
    return figure


def _without_marker(kind):
    """Lines across the panel have no markers."""
    return {"marker": ""} if kind in ("cornet", "control") else {}


def _draw_level(panel, rows, style):
    """A network that has no beta, as a line across the panel with its interval as a band."""
    if rows.empty:
        return
    row = rows.iloc[0]
    panel.axhspan(row.lower, row.upper, color=style.colour, alpha=0.12, linewidth=0, zorder=0)
    panel.axhline(row.value, color=style.colour, linestyle=style.line, label=style.label, zorder=1)


def _arms(rows):
    """The arms of an error bar; a percentile interval need not hold the value itself."""
    return [(rows.value - rows.lower).clip(lower=0), (rows.upper - rows.value).clip(lower=0)]


@styled
def plot_consistency(table, title=None):
    """Error consistency of each kind of network with people, mean over conditions; the human ceiling as a band (S1).

    Grey dots are people: with each, the mean over the networks of this kind; for people, with the mean of the others.
    Markers are means over people with intervals over images; the band is that of the mean over pairs of people.

    Parameters
    ----------
    table : DataFrame
        Of one experiment: ``metric`` ``kappa``, columns ``model trained_on beta subject condition value lower upper
        ceiling ceiling_lower ceiling_upper``.
    """
    needed = ("trained_on", "beta", "subject", "condition", "value", "lower", "upper", "ceiling_lower", "ceiling_upper")
    rows = select(table, "plot_consistency", needed, metric="kappa")
    rows = rows.assign(beta=rows.beta.fillna(0))
    means = rows[(rows.subject == "mean") & rows.trained_on.isin(("", "mean"))]
    order = [*[model for model in MODELS if model != "shuffled"], *ordered(means.model, MODELS), "shuffled", "human"]
    means = means.assign(place=means.model.map({model: i for i, model in reversed(list(enumerate(order)))}))
    means = means.sort_values(["place", "beta"]).reset_index(drop=True)
    means = means.assign(style=[_style_of(model) for model in means.model])
    figure, panel = new_figure(3.9)
    band = means.iloc[0]
    if band.ceiling_lower == band.ceiling_lower:
        panel.axhspan(band.ceiling_lower, band.ceiling_upper, color=CEILING, linewidth=0, zorder=0, label="Ceiling")
        panel.axhline(band.ceiling, color="#8a8a8a", linewidth=0.9, zorder=0.5)
    for x, mean in means.iterrows():
        people = rows[(rows.model == mean.model) & (rows.beta == mean.beta) & (rows.subject != "mean")]
        people = people[people.trained_on != "mean"].groupby("subject").value.mean()
        panel.plot(
            [x - 0.18] * len(people), people, **dot_style(PERSON, size=4), label=f"{mean.model} people", zorder=2
        )
        arms = _arms(means.loc[[x]])
        look = {"color": mean["style"].colour, "marker": mean["style"].marker, "markersize": 7, "linestyle": "none"}
        panel.errorbar(
            [x + 0.08], [mean.value], yerr=arms, capsize=4, elinewidth=1.5, label=mean.model, zorder=3, **look
        )
    panel.axhline(0, color="black", linewidth=0.6, zorder=1)
    panel.set_xticks(range(len(means)), [_name_of(mean, means) for _, mean in means.iterrows()], fontsize=9)
    panel.set(ylabel=KAPPA.replace(" (", "\n("), xlim=(-0.6, len(means) - 0.4), title=title or "")
    ceiling = mpl.patches.Patch(facecolor=CEILING, label="Human ceiling, interval")
    mean = Line2D([], [], color="#333333", marker="s", linestyle="none", label="Mean over people, interval")
    legend_below(figure, [Line2D([], [], **dot_style(PERSON, size=5), label=PERSON.label), mean, ceiling])
    return figure


def _style_of(model):
    return Style("People", "black", "P", "none") if model == "human" else MODELS.get(model, PUBLISHED)


def _name_of(mean, means):
    """The name of a kind of network under its column, with its beta where there are several."""
    if mean.model == "human":
        return "People"
    name = MODELS[mean.model].label if mean.model in MODELS else str(mean.model)
    name = name.replace(" (", "\n(").replace("EfficientNet-", "EfficientNet-\n")
    return f"{name}\nbeta {mean.beta:g}" if mean.model == "realnet" else name
