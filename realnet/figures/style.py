"""The one place for colours, markers, names, sizes and panel grids of all figures, and for what they have in common."""

import functools
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from realnet.errors import InvalidInput
from realnet.io import whole_file

#: Width of every figure in inches: the text column of the book; letters stay readable when a phone halves it.
WIDTH = 7.2

#: A p below this is marked.
ALPHA = 0.05


class Style(NamedTuple):
    """How one kind of network looks, told apart by luminance, marker and line as well as by hue."""

    label: str
    colour: str
    marker: str
    line: object


#: Kinds of networks in the order of all figures. L* is about 21, 45, 68, 77 and 58, so that they differ in grey too.
MODELS = {
    "cornet": Style("CORnet", "#333333", "s", (0, (4, 1.5, 1, 1.5))),
    "control": Style("Control", "#2a6db3", "^", (0, (4, 1.5))),
    "realnet": Style("ReAlnet", "#f28e2b", "o", "-"),
    "shuffled": Style("Null (shuffled)", "#bdbdbd", "X", (0, (1, 1.2))),
    "efficientnet-lite0": Style("EfficientNet-Lite0", "#2a9d8f", "D", (0, (6, 1.5))),
}

#: What ReAlnet is compared with; drawn in the colour and marker of the reference.
REFERENCES = {name: MODELS[name]._replace(label=f"vs {MODELS[name].label}") for name in ("cornet", "control")}

ROIS = ("V1", "V2", "V3", "V4", "LOC", "HVC", "EVC", "IT", "mean")
LAYERS = ("V1", "V2", "V4", "IT", "average pool", "best", "cross-validated")
STIMULUS_SETS = {
    "natural": "Natural images", "shapes": "Artificial shapes", "letters": "Letters", "things": "THINGS images",
    "objects92": "92 objects",
}  # fmt: skip
DATASETS = {"shen2019": "Shen 2019", "own": "Own experiment", "horikawa2017": "Horikawa & Kamitani 2017",
            "things_eeg2": "THINGS EEG2"}  # fmt: skip

CEILING = "#e3e3e3"
RHO = "Similarity (Spearman's rho)"
PARTIAL_RHO2 = "Squared partial Spearman's rho"
NO_RATIO = "reference not above 0"

_RC = {
    "font.family": "DejaVu Sans", "font.size": 10.5, "axes.titlesize": 11, "axes.labelsize": 10.5,
    "xtick.labelsize": 10, "ytick.labelsize": 10, "legend.fontsize": 10, "figure.titlesize": 12,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.axisbelow": True,
    "xtick.major.width": 0.8, "ytick.major.width": 0.8, "xtick.major.size": 3, "ytick.major.size": 3,
    "lines.linewidth": 1.6, "lines.markersize": 5, "legend.frameon": False, "legend.handlelength": 2.2,
    "figure.dpi": 150, "figure.facecolor": "white", "axes.facecolor": "white", "pdf.fonttype": 42,
    "axes.formatter.useoffset": False, "axes.unicode_minus": True,
}  # fmt: skip


def styled(plot):
    """Decorator: draw in the style of this project, and leave the reader's own settings as they were."""

    @functools.wraps(plot)
    def drawn(*arguments, **named):
        with mpl.rc_context(_RC):
            return plot(*arguments, **named)

    return drawn


def new_figure(height, **layout):
    """A figure of the book's width, ``height`` in inches, and its axes.

    It is closed in pyplot at once, so that a notebook shows it only where a cell returns it, and none pile up.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, height), layout="constrained", **layout)
    plt.close(figure)
    return figure, axes


def panel_grid(n_panels, n_columns, panel_height, extra=0.9, **layout):
    """A figure with ``n_panels`` axes in rows of ``n_columns``, and their list; ``extra`` inches are for legends."""
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure, axes = new_figure(n_rows * panel_height + extra, nrows=n_rows, ncols=n_columns, squeeze=False, **layout)
    axes = list(axes.flat)
    for unused in axes[n_panels:]:
        unused.remove()
    for panel in axes[max(0, n_panels - n_columns) : n_panels]:
        panel.tick_params(labelbottom=True)  # a shared axis hides the ticks above a panel that was removed
    return figure, axes[:n_panels]


def select(table, who, columns=(), **where):
    """Rows of a tidy table in which each column of ``where`` has the wanted value (or one of a tuple of them).

    Raises
    ------
    InvalidInput
        A column is missing, or no row is left; the sentence says what ``who`` expected and what the table has.
    """
    for column in (*where, *columns):
        if column not in table.columns:
            has = ", ".join(map(str, table.columns))
            raise InvalidInput(f"{who} expects a table with the column {column!r}, but its columns are {has}")
    for column, wanted in where.items():
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        found = table[table[column].isin(wanted)]
        if found.empty:
            has = ", ".join(sorted({str(value) for value in table[column].dropna()})) or "nothing"
            expected = " or ".join(repr(value) for value in wanted)
            raise InvalidInput(f"{who} expects rows with {column} {expected}, but the rows left have {has}")
        table = found
    if table.empty:
        raise InvalidInput(f"{who} expects at least one row, but the table is empty")
    # empty is what CORnet has here; as NaN it would drop out of every group
    if "trained_on" in table.columns:
        table = table.assign(trained_on=table["trained_on"].astype(object).where(table["trained_on"].notna(), ""))
    return table


def ordered(values, order):
    """The different values, known ones in the given order and others after them as they come."""
    values = list(dict.fromkeys(value for value in values if value == value))
    return [value for value in order if value in values] + [value for value in values if value not in order]


def models_in(table):
    """Kinds of networks in a table, in the order of all figures; `InvalidInput` for one that has no style."""
    models = ordered(table["model"], MODELS)
    if unknown := [str(model) for model in models if model not in MODELS]:
        raise InvalidInput(f"the column 'model' expects {', '.join(MODELS)}, but the table has {', '.join(unknown)}")
    return models


def offsets(n, width=0.62):
    """Places of ``n`` things beside each other around 0."""
    return np.linspace(-width / 2, width / 2, n) if n > 1 else np.zeros(1)


def line_style(style):
    """The keywords of a line in this style."""
    return {"color": style.colour, "marker": style.marker, "linestyle": style.line, "label": style.label}


def dot_style(style, size=5, filled=True):
    """The keywords of single dots in this style; ``filled`` False leaves them open."""
    face = style.colour if filled else "white"
    return {"color": style.colour, "marker": style.marker, "linestyle": "none", "markersize": size,
            "markerfacecolor": face, "markeredgecolor": style.colour if not filled else "white",
            "markeredgewidth": 1.2 if not filled else 0.5}  # fmt: skip


def person_styles(names):
    """A style for each of any number of people: colours of falling luminance, different markers and lines."""
    colours = sns.color_palette("viridis", len(names) + 1)[:-1]  # the last one is too light on paper
    markers, lines = "osD^vP*Xp<>hdH8", ("-", (0, (4, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1, 1.2)))
    return {
        name: Style(str(name), mpl.colors.to_hex(colour), markers[i % len(markers)], lines[i % len(lines)])
        for i, (name, colour) in enumerate(zip(names, colours, strict=True))
    }


def legend_below(figure, handles, n_columns=5):
    """One legend for all panels, under them, in as many columns (``n_columns`` at most) as the width allows."""
    widths = [44 + 5.6 * len(handle.get_label()) for handle in handles]  # in points: handle, gaps, letters
    n_columns = min(n_columns, len(handles))
    while n_columns > 1 and sum(max(part) for part in np.array_split(widths, n_columns)) > 72 * WIDTH:
        n_columns -= 1
    figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, columnspacing=1.4)


def ceiling_handle():
    """The legend's entry for the noise ceiling."""
    return Patch(facecolor=CEILING, label="Noise ceiling")


def mean_style(style, size=18):
    """The keywords of bars that show means: under the dots and wider than them."""
    return {"color": style.colour, "marker": "_", "markersize": size, "markeredgewidth": 2.4, "linestyle": "none",
            "label": style.label, "zorder": 2.5}  # fmt: skip


def key(style, label=None, **changes):
    """A legend entry for a style; ``changes`` are properties of the line."""
    return Line2D([], [], **{**line_style(style), "label": label or style.label, **changes})


def mark_simulated(figure):
    """Write "simulated people" down the right edge, once, in a strip that no panel uses."""
    if any(text.get_gid() == "simulated" for text in figure.texts):
        return figure
    if figure.get_layout_engine() is not None:
        figure.get_layout_engine().set(rect=(0, 0, 1 - 0.2 / figure.get_figwidth(), 1))
    figure.text(0.997, 0.99, "simulated people", ha="right", va="top", rotation=90, fontsize=8.5, color="#707070",
                gid="simulated")  # fmt: skip
    return figure


def save_figure(study, name, figure, simulated=None):
    """Write ``results/<study>/figures/<name>.png`` (200 dpi) and ``.pdf``, each whole or not at all.

    Figures of a study with simulated recordings say so at the edge; ``simulated`` False says that this one shows real
    people all the same (chapter 10).

    Returns
    -------
    Figure
        The same one, so that the last line of a notebook's cell shows it; its axes stay where the file has them.

    Raises
    ------
    InvalidInput
        ``figure`` is not a matplotlib figure.
    """
    if not isinstance(figure, mpl.figure.Figure):
        raise InvalidInput(f"save_figure expects a matplotlib Figure for {name!r}, not {type(figure).__name__}")
    if study.simulated is not None if simulated is None else simulated:
        mark_simulated(figure)
    for ending, metadata in (("png", None), ("pdf", {"CreationDate": None})):
        with whole_file(study.results / "figures" / f"{name}.{ending}") as temporary, mpl.rc_context(_RC):
            figure.savefig(temporary, format=ending, dpi=200, metadata=metadata)
        figure.set_layout_engine("none")  # to find the layout takes a third of the time of every drawing
    return figure
