"""What alignment changes in similarity with fMRI: improvements, differences with intervals, and across datasets."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from realnet.errors import InvalidInput
from realnet.figures.style import (
    ALPHA,
    DATASETS,
    LAYERS,
    MODELS,
    NO_RATIO,
    REFERENCES,
    ROIS,
    STIMULUS_SETS,
    dot_style,
    key,
    legend_below,
    mean_style,
    new_figure,
    offsets,
    ordered,
    panel_grid,
    person_styles,
    select,
    styled,
)

IMPROVEMENT = "Improvement (%)"
OPEN_KEY = {"markerfacecolor": "white", "linestyle": "none"}


def draw_missing(axes, x, style, label):
    """Open markers on the lower edge at the places whose ratio does not exist."""
    if not len(x):  # an empty line that is not clipped would lie at the figure's corner and stretch the layout
        return
    axes.plot(x, np.full(len(x), 0.025), **dot_style(style, filled=False), transform=axes.get_xaxis_transform(),
              label=label, clip_on=False, zorder=4)  # fmt: skip


@styled
def plot_improvement(table, stimulus_sets):
    """Improvement of ReAlnet over each reference per region, in per cent: a dot a person, bars are means.

    Open markers on the lower edge: the reference is not clearly above 0, so that there is no ratio.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``improvement`` (a ratio), ``model`` ``realnet``; columns ``subject reference roi stimulus_set
        value``.
    stimulus_sets : sequence of str
        One panel each.
    """
    sets = [stimulus_sets] if isinstance(stimulus_sets, str) else list(stimulus_sets)
    rows = select(table, "plot_improvement", ("subject", "roi", "value"), metric="improvement", model="realnet",
                  reference=tuple(REFERENCES))  # fmt: skip
    rows = select(rows[rows.subject != "mean"], "plot_improvement", stimulus_set=tuple(sets))
    figure, axes = panel_grid(len(sets), 2 if len(sets) > 1 else 1, 2.5, extra=0.6, sharey=True)
    rois, references = ordered(rows.roi, ROIS), ordered(rows.reference, REFERENCES)
    missing = rows.value.isna().any()
    for i, (panel, images) in enumerate(zip(axes, sets, strict=True)):
        of_set = select(rows, "plot_improvement", stimulus_set=images)
        for reference, shift in zip(references, offsets(len(references), 0.34), strict=True):
            part, style = of_set[of_set.reference == reference], REFERENCES[reference]
            x, percent = part.roi.map({roi: r + shift for r, roi in enumerate(rois)}), 100 * part.value
            panel.plot(x[percent.notna()], percent.dropna(), **dot_style(style), zorder=3,
                       label=f"{style.label} dots")  # fmt: skip
            draw_missing(panel, x[percent.isna()].unique(), style, f"{style.label} {NO_RATIO}")
            means = percent.groupby(part.roi).mean().reindex(rois)
            panel.plot(np.arange(len(rois)) + shift, means, **mean_style(style))
        panel.axhline(0, color="black", linewidth=0.6, zorder=1)
        panel.set_title(STIMULUS_SETS.get(images, images))
        panel.set_xticks(range(len(rois)), rois)
        panel.set_xlim(-0.5, len(rois) - 0.5)
        panel.margins(y=0.12)
        panel.set_xlabel("Brain region")
        if i % 2 == 0:
            panel.set_ylabel(IMPROVEMENT)
    handles = [key(REFERENCES[r], f"ReAlnet {REFERENCES[r].label}", linestyle="none") for r in references]
    if missing:
        handles.append(Line2D([], [], color="#333333", marker="o", label=f"Open: {NO_RATIO}", **OPEN_KEY))
    legend_below(figure, handles)
    return figure


@styled
def plot_differences(table, title=None):
    """Difference in similarity (mean over regions) with its interval: a row a person and network, the null beside.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``difference``, ``roi`` ``mean``, ``model`` ``realnet`` and, where trained, ``null``; columns
        ``subject trained_on reference stimulus_set value lower upper p``. Filled markers and a star: p < .05.
    """
    rows = select(
        table, "plot_differences", ("subject", "trained_on", "stimulus_set", "value", "lower", "upper", "p"),
        metric="difference", roi="mean", model=("realnet", "shuffled"), reference=tuple(REFERENCES),
    )  # fmt: skip
    models = [model for model in ("realnet", "shuffled") if model in set(rows.model)]
    sets, references = ordered(rows.stimulus_set, STIMULUS_SETS), ordered(rows.reference, REFERENCES)
    within = (rows.subject == rows.trained_on).all()
    pairs = {images: _pairs(rows[rows.stimulus_set == images]) for images in sets}
    heights = [len(found) + 1 for found in pairs.values()]
    figure, axes = new_figure(
        0.3 * sum(heights) + 0.35 * len(sets) + 1.2, nrows=len(sets), ncols=len(models), squeeze=False,
        sharex=True, sharey="row", height_ratios=heights,
    )  # fmt: skip
    for line, images in zip(axes, sets, strict=True):
        for panel, model in zip(line, models, strict=True):
            part = rows[(rows.stimulus_set == images) & (rows.model == model)]
            for reference, shift in zip(references, offsets(len(references), 0.36), strict=True):
                places = {pair: i + shift for i, pair in enumerate(pairs[images])}
                of_reference = part[part.reference == reference]
                y = np.array([places[pair] for pair in zip(of_reference.trained_on, of_reference.subject, strict=True)])
                draw_intervals(panel, of_reference, y, REFERENCES[reference])
            panel.axvline(0, color="black", linewidth=0.6, zorder=1)
            panel.set_title(f"{MODELS[model].label}, {STIMULUS_SETS.get(images, images).lower()}")
        line[0].set_yticks(range(len(pairs[images])), [s if within else f"{s} | {t}" for t, s in pairs[images]])
        line[0].set_ylim(len(pairs[images]) - 0.4, -0.6)
        line[0].set_ylabel("Person" if within else "Person | taught by")
    for panel in axes[-1]:
        panel.set_xlabel("Difference in Spearman's rho")
    legend_below(figure, [key(REFERENCES[r], linestyle="none") for r in references] + [significant_key()])
    if title:
        figure.suptitle(title)
    return figure


@styled
def plot_layer_differences(table, title=None):
    """Difference in similarity at the same layer of both networks (mean over regions), and its mean over the layers.

    Parameters
    ----------
    table : DataFrame
        ``metric`` ``layer_difference``, ``roi`` ``mean``, ``model`` ``realnet`` of one stimulus set, one row a network,
        ``reference`` and ``layer``; columns ``trained_on value lower upper p``. Filled markers and a star: p < .05.
    """
    rows = select(
        table, "plot_layer_differences", ("trained_on", "layer", "value", "lower", "upper", "p"),
        metric="layer_difference", roi="mean", model="realnet", reference=tuple(REFERENCES),
    )  # fmt: skip
    layers = ordered(rows.layer, LAYERS)
    styles = person_styles(sorted(set(rows.trained_on)))
    references = ordered(rows.reference, REFERENCES)
    figure, axes = new_figure(0.45 * len(layers) + 1.3, ncols=len(references), sharex=True, sharey=True, squeeze=False)
    for panel, reference in zip(axes[0], references, strict=True):
        for (person, style), shift in zip(styles.items(), offsets(len(styles), 0.5), strict=True):
            part = rows[(rows.reference == reference) & (rows.trained_on == person)]
            y = part.layer.map({layer: place + shift for place, layer in enumerate(layers)}).to_numpy()
            draw_intervals(panel, part, y, style)
        panel.axvline(0, color="black", linewidth=0.6, zorder=1)
        panel.set(title=f"ReAlnet {REFERENCES[reference].label}", xlabel="Difference in Spearman's rho")
    axes[0, 0].set_yticks(range(len(layers)), ["mean of layers" if layer == "mean" else layer for layer in layers])
    axes[0, 0].set_ylim(len(layers) - 0.5, -0.5)
    axes[0, 0].set_ylabel("Layer")
    legend_below(
        figure,
        [
            *(key(style, f"ReAlnet of {person}", linestyle="none") for person, style in styles.items()),
            significant_key(),
        ],
    )
    if title:
        figure.suptitle(title)
    return figure


def draw_intervals(axes, rows, y, style):
    """Values with their intervals at heights ``y``; filled with a star beside the interval where p < .05."""
    axes.hlines(y, rows.lower, rows.upper, color=style.colour, linewidth=1.4, label=f"{style.label} interval", zorder=2)
    sure = (rows.p < ALPHA).to_numpy()
    axes.plot(rows.value[~sure], y[~sure], **dot_style(style, filled=False), label=f"{style.label} n.s.", zorder=3)
    axes.plot(rows.value[sure], y[sure], **dot_style(style, size=7), label=style.label, zorder=3)
    for side, end in ((1, rows.upper), (-1, rows.lower)):  # the star stands beyond the end that is farther from 0
        here = sure & ((rows.value >= 0) == (side > 0)).to_numpy()
        beside = axes.transData + ScaledTranslation(side * 7 / 72, 0, axes.get_figure(root=True).dpi_scale_trans)
        axes.plot(end[here], y[here], marker="$*$", markersize=6, color=style.colour, linestyle="none",
                  markeredgewidth=0.3, transform=beside, label=f"{style.label} p < .05")  # fmt: skip
    axes.margins(x=0.1)
    axes.locator_params(axis="x", nbins=4)


def significant_key():
    """The legend's entry for stars and filled markers."""
    return Line2D([], [], color="#333333", marker="$*$", markersize=7, linestyle="none", label="Filled, star: p < .05")


def _pairs(rows):
    """(teacher, person) of the rows, teacher by teacher, the mean over people last."""
    pairs = set(zip(rows.trained_on, rows.subject, strict=True))
    return sorted(pairs, key=lambda pair: (pair[0], pair[1] == "mean", pair[1]))


@styled
def plot_across_datasets(within, across):
    """Improvement over Control per region, one line a ReAlnet: with its teacher, and with other people (figure 3B).

    Parameters
    ----------
    within, across : DataFrame
        ``metric`` ``improvement``, ``model`` ``realnet``, ``reference`` ``control``, ``stimulus_set`` ``natural``. Of
        ``within`` rows with ``trained_on == subject`` are drawn; of ``across`` those with ``subject`` ``mean``, or else
        the mean over people. Gaps: Control is not clearly above 0.
    """
    wanted = {"metric": "improvement", "model": "realnet", "reference": "control", "stimulus_set": "natural"}
    own, others = (
        select(t, "plot_across_datasets", ("dataset", "subject", "trained_on", "roi", "value"), **wanted)
        for t in (within, across)
    )
    own = own[own.subject == own.trained_on]
    if own.empty:
        raise InvalidInput(
            "plot_across_datasets expects rows of `within` with trained_on equal to subject: it has none"
        )
    if (others.subject == "mean").any():
        others = others[others.subject == "mean"]
    rois = [roi for roi in ordered([*own.roi, *others.roi], ROIS) if roi != "mean"]
    styles = person_styles(ordered(sorted({*own.trained_on, *others.trained_on}), ()))
    figure, axes = new_figure(3.7, ncols=2, sharey=True)
    missing = False
    taught, tested = (DATASETS.get(name, name) for name in (own.dataset.iloc[0], others.dataset.iloc[0]))
    titles = (f"{taught}\n(person who taught it)", f"{tested}\n(mean over other people)")
    for panel, rows, title in zip(axes, (own, others), titles, strict=True):
        for teacher, part in rows.groupby("trained_on"):
            percent = 100 * part.groupby("roi").value.mean().reindex(rois)
            style = styles[teacher]
            panel.plot(range(len(rois)), percent, color=style.colour, marker=style.marker, linestyle=style.line,
                       label=teacher)  # fmt: skip
            missing |= bool(percent.isna().any())
        panel.axhline(0, color="black", linewidth=0.6, zorder=1)
        panel.set_xticks(range(len(rois)), rois)
        panel.set(title=title, xlabel="Brain region", xlim=(-0.4, len(rois) - 0.6))
    axes[0].set_ylabel("Improvement over Control (%)")
    handles = [key(style, f"ReAlnet of {name}") for name, style in styles.items()]
    if missing:
        handles.append(Line2D([], [], linestyle="none", label=f"Gap: {NO_RATIO}"))
    legend_below(figure, handles)
    return figure
