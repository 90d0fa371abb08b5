"""Behaviour of networks and humans: accuracy by beta, and agreement on errors (supplement S1)."""

from matplotlib.patches import Patch

from realnet.figures import style

ACCURACIES = {"top1": "Top-1 accuracy", "top5": "Top-5 accuracy"}
SINGLE = style.Style("One subject", "#8a8a8a", "o", "none")


def plot_accuracy(table):
    """Top-1 and top-5 accuracy by beta, with intervals over images; CORnet and Control as lines across (S1).

    Small dots are single networks (subjects they are aligned with, seeds); lines and large markers their means.

    ``table``: ``metric`` ``top1`` and ``top5``, columns ``model trained_on beta value lower upper``, with rows of
    ``trained_on`` ``mean`` for all kinds but CORnet.
    """
    rows = style.select(table, "plot_accuracy", ("trained_on", "beta", "lower", "upper"), metric=tuple(ACCURACIES),
                        model=(*style.MAIN, "shuffled"))  # fmt: skip
    styles, betas = style.styles_in(rows.model), sorted(rows.beta[rows.model == "realnet"].unique())
    figure, axes = style.new_figure(3.6, ncols=2)
    for panel, (metric, label) in zip(axes, ACCURACIES.items(), strict=True):
        for model, look in styles.items():
            part = rows[(rows.metric == metric) & (rows.model == model)].sort_values("beta")
            mean = part[part.trained_on == ("" if model == "cornet" else "mean")]
            if model in ("cornet", "control"):
                panel.axhspan(mean.lower.iloc[0], mean.upper.iloc[0], color=look.colour, alpha=0.12, lw=0, zorder=0)
                panel.axhline(mean.value.iloc[0], color=look.colour, linestyle=look.line, label=look.label, zorder=1)
                continue
            single, shift = part[part.trained_on != "mean"], 1.5 * (model == "shuffled")
            panel.plot(single.beta + shift, single.value, **style.dot_style(look, size=3.5, filled=False), zorder=2)
            panel.vlines(mean.beta + shift, mean.lower, mean.upper, color=look.colour, linewidth=1.4)
            panel.plot(mean.beta + shift, mean.value, **style.line_style(look), markersize=7, zorder=3)
        panel.set(title=label, xlabel=r"$\beta$", ylabel="Share of images", xticks=betas)
        panel.set_xlim(min(betas, default=0) - 7, max(betas, default=0) + 7)
    single = style.key(SINGLE, "One network", markerfacecolor="white", markersize=4)
    return style.legend_below(figure, [*style.keys(styles, "{} with CI"), single], 3)


def plot_consistency(table, title=None):
    """Error consistency of each kind of network with humans, mean over conditions; the human ceiling as a band (S1).

    Grey dots are subjects: with each, the mean over the networks of this kind; for subjects, with the mean of the
    others. Markers are means over subjects with intervals over images; the band is that of the mean over pairs.

    ``table``: Of one experiment: ``metric`` ``kappa``, columns
    ``model trained_on beta subject condition value lower upper ceiling ceiling_lower ceiling_upper``.
    """
    columns = ("trained_on", "beta", "subject", "lower", "upper", "ceiling", "ceiling_lower", "ceiling_upper")
    rows = style.select(table, "plot_consistency", columns, metric="kappa")
    rows = rows.assign(beta=rows.beta.fillna(0))
    averaged = rows.model.isin(rows.model[rows.trained_on == "mean"])
    means = rows[(rows.subject == "mean") & ((rows.trained_on == "mean") | ~averaged)]
    means = means.sort_values("beta", kind="stable")
    last = [model for model in ("shuffled", "human") if model in set(means.model)]
    models = [model for model in style.ordered(means.model, style.MODELS) if model not in last] + last
    means = [mean for model in models for mean in means[means.model == model].itertuples()]
    looks, names = {**style.MODELS, "human": style.Style("Humans", "black", "P", "none")}, []
    figure, panel = style.new_figure(3.9)
    panel.axhspan(means[0].ceiling_lower, means[0].ceiling_upper, color=style.CEILING, linewidth=0, zorder=0)
    panel.axhline(means[0].ceiling, color="#8a8a8a", linewidth=0.9, zorder=0.5)
    for x, mean in enumerate(means):
        look = looks.get(mean.model, style.Style(mean.model, "#7a4fa3", "v", "none"))
        names.append(look.label.replace("EfficientNet-", "EfficientNet-\n"))
        if mean.model == "realnet":
            names[-1] += f"\nbeta {mean.beta:g}"
        single = rows[(rows.model == mean.model) & (rows.beta == mean.beta) & (rows.subject != "mean")]
        single = single[single.trained_on != "mean"].groupby("subject").value.mean()
        panel.plot([x - 0.18] * len(single), single, **style.dot_style(SINGLE, size=4), label=f"{mean.model} subjects")
        panel.vlines(x + 0.08, mean.lower, mean.upper, color=look.colour, linewidth=1.5, label=f"{mean.model} interval")
        panel.plot(x + 0.08, mean.value, look.marker, color=look.colour, markersize=7, label=mean.model)
    panel.axhline(0, **style.ZERO)
    panel.set_xticks(range(len(means)), names, fontsize=9)
    panel.set(ylabel="Error consistency with humans\n(Cohen's kappa)", xlim=(-0.6, len(means) - 0.4), title=title or "")
    mean = style.key(style.Style("Mean over subjects with CI", "#333333", "s", "none"))
    ceiling = Patch(color=style.CEILING, label="Human ceiling with CI")
    return style.legend_below(figure, [style.key(SINGLE, markersize=4), mean, ceiling])
