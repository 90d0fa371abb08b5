"""Chapter 10b: similarity of networks with real people on held-out images."""

import numpy as np

from experiments.tables.real_brains import KINDS
from realnet.figures import style

LOOKS = dict(zip(KINDS, ("cornet", "control", "realnet", "shuffled"), strict=True))
LABELS = {"pretrained": "before", "control": "Control", "aligned": "aligned", "shuffled": "shuffled"}


def plot_real_brains(table, loss, layer="mean", n_train=69):
    """Every fold, seed and person as a dot and the mean as a line, per kind of network: one panel per brain.

    ``table``: ``metric`` ``rho``, columns ``model loss subject trained_on n_train fold seed roi layer value``.
    """
    rows = style.select(table, "plot_real_brains", ("model", "roi", "subject"), metric="rho", layer=layer)
    rows = rows[rows.loss.isin([loss, ""]) | rows.loss.isna()]
    rows = rows[(rows.n_train == n_train) & (rows.subject != "mean of 4")]
    kinds, brains = style.ordered(rows.model, KINDS), style.ordered(rows.roi, ())
    people = style.ordered(rows.subject, ())
    figure, axes = style.panel_grid(len(brains), 3, 2.2, "", style.RHO, extra=0.4, sharey=True)
    for panel, brain in zip(axes, brains, strict=True):
        for i, kind in enumerate(kinds):
            look, found = style.MODELS[LOOKS[kind]], rows[(rows.roi == brain) & (rows.model == kind)]
            for shift, person in zip(style.offsets(len(people), 0.5), people, strict=True):
                values = found[found.subject == person].value
                panel.plot(np.full(len(values), i + shift), values, "o", color=look.colour, markersize=2.5, alpha=0.6)
            panel.plot([i - 0.35, i + 0.35], [found.value.mean()] * 2, color=look.colour, linewidth=2, label=kind)
        panel.axhline(0, **style.ZERO)
        panel.set_xticks(range(len(kinds)), [LABELS[kind] for kind in kinds], rotation=30, ha="right")
        panel.set_title(brain, fontsize=10)
    return figure


def plot_learning(table, layer="mean"):
    """Aligned minus shuffled by the number of training images, similarity loss, with intervals: one panel per brain."""
    columns = ("loss", "roi", "n_train", "lower", "upper")
    rows = style.select(table, "plot_learning", columns, metric="difference", model="aligned", reference="shuffled")
    rows = rows[(rows.layer == layer) & (rows.trained_on == "people") & (rows.loss == "similarity")]
    brains, look = style.ordered(rows.roi, ()), style.MODELS["realnet"]
    figure, axes = style.panel_grid(len(brains), 3, 2.2, "Training images", "Aligned - shuffled", sharey=True)
    for panel, brain in zip(axes, brains, strict=True):
        found = rows[rows.roi == brain].sort_values("n_train")
        errors = [found.value - found.lower, found.upper - found.value]
        panel.errorbar(found.n_train, found.value, yerr=errors, capsize=3, **style.line_style(look))
        panel.axhline(0, **style.ZERO)
        panel.set_xticks(sorted(set(rows.n_train)))
        panel.set_title(brain, fontsize=10)
    return figure
