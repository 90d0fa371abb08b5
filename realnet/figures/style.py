"""Colours, markers, names and sizes of all figures, and what the figures share: panels, legends, saving."""

from collections import namedtuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from realnet.errors import InvalidInput
from realnet.io import whole_file
from realnet.rdm import square

WIDTH = 7.2  # of every figure in inches: the text column of the book

#: How one group of values is drawn.
Style = namedtuple("Style", "label colour marker line")
#: Kinds of networks in the order of all figures. They differ in luminance (L* about 21, 45, 68, 77, 34 and 58), marker
#: and line as well as in hue, so that figures can be read without colour.
MODELS = {
    "cornet": Style("CORnet", "#333333", "s", (0, (4, 1.5, 1, 1.5))),
    "control": Style("Control", "#2a6db3", "^", (0, (4, 1.5))),
    "realnet": Style("ReAlnet", "#f28e2b", "o", "-"),
    "shuffled": Style("Shuffled", "#bdbdbd", "X", (0, (1, 1.2))),
    "shuffled_within": Style("Shuffled within category", "#5d3f8f", "P", (0, (2, 1.2))),
    "efficientnet-lite0": Style("EfficientNet-Lite0", "#2a9d8f", "D", (0, (6, 1.5))),
}
MAIN = ("cornet", "control", "realnet")
REFERENCES = {name: MODELS[name]._replace(label=f"vs {MODELS[name].label}")
              for name in ("cornet", "control", "shuffled", "shuffled_within")}  # fmt: skip
PAPER = ("cornet", "control")  # the references of the paper
LAYERS = ("V1", "V2", "V4", "IT", "average pool", "best", "cross-validated")
DATASETS = {"shen2019": "Shen 2019", "own": "Own experiment", "horikawa2017": "Horikawa & Kamitani 2017"}
TIME, RHO, SIMULATED = "Time after image onset (ms)", "Similarity (Spearman's rho)", "simulated data"
ZERO = {"color": "black", "linewidth": 0.6, "zorder": 1}  # keywords of a line at 0
CEILING = "#e3e3e3"
CEILING_KEY = Patch(facecolor=CEILING, label="Noise ceiling")

# set on import, as seaborn.set_theme would: what a notebook draws itself then looks alike
mpl.rcParams.update({
    "font.size": 10, "axes.titlesize": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 150,
    "lines.linewidth": 1.6, "lines.markersize": 5, "legend.frameon": False, "pdf.fonttype": 42,
    "axes.formatter.useoffset": False,
})  # fmt: skip


def new_figure(height, **layout):
    """Return a figure of the book's width and ``height`` in inches, and its axes; ``layout`` as in ``plt.subplots``."""
    return plt.subplots(figsize=(WIDTH, height), layout="constrained", **layout)


def panel_grid(n_panels, n_columns, panel_height, xlabel="", ylabel="", extra=0.9, **layout):
    """Return a figure and the list of its panels, in rows of ``n_columns``; ``extra`` inches are for the legend."""
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure, axes = new_figure(n_rows * panel_height + extra, nrows=n_rows, ncols=n_columns, squeeze=False, **layout)
    for panel in axes.flat[n_panels:]:
        panel.remove()
    for panel in axes.flat[max(0, n_panels - n_columns) : n_panels]:
        panel.set_xlabel(xlabel)
        panel.tick_params(labelbottom=True)  # a shared axis hides the ticks above a panel that was removed
    for panel in axes[:, 0]:
        panel.set_ylabel(ylabel)
    return figure, list(axes.flat[:n_panels])


def select(table, who, columns=(), **where):
    """Return the rows of a table with the wanted value, or one of a tuple of them, in each column of ``where``.

    A missing ``trained_on`` (CORnet) becomes "", since groups drop missing values. Raises ``InvalidInput`` in the name
    of ``who`` where one of ``where`` or ``columns`` is no column, or no row is left.
    """
    if missing := [column for column in (*where, *columns) if column not in table.columns]:
        raise InvalidInput(f"{who} expects a table with the column {missing[0]!r}, not just {', '.join(table.columns)}")
    for column, wanted in where.items():
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        found = table[table[column].isin(wanted)]
        if found.empty:
            has = ", ".join(sorted({str(value) for value in table[column].dropna()})) or "nothing"
            expected = " or ".join(map(repr, wanted))
            raise InvalidInput(f"{who} expects rows with {column} {expected}, but the rows left have {has}")
        table = found
    if "trained_on" in table.columns:
        table = table.assign(trained_on=table.trained_on.astype(object).where(table.trained_on.notna(), ""))
    return table


def ordered(values, order):
    """Return the different values: known ones in the given order, others after them as they come."""
    known = [value for value in order if value in set(values)]
    return list(dict.fromkeys([*known, *(value for value in values if value == value)]))


def styles_in(values, known=MODELS):
    """Return the styles (dict) of the values of a column in the order of ``known``, which must hold them all."""
    if unknown := sorted(set(values) - set(known)):
        raise InvalidInput(f"the column {values.name!r} expects {', '.join(known)}, but has {', '.join(unknown)}")
    return {name: known[name] for name in ordered(values, known)}


def offsets(n, width=0.62):
    """Return the places of ``n`` things beside each other around 0."""
    return np.linspace(-width / 2, width / 2, n) if n > 1 else np.zeros(1)


def line_style(style):
    """Return the keywords of ``Axes.plot`` for a line with markers."""
    return {"color": style.colour, "marker": style.marker, "linestyle": style.line, "label": style.label}


def dot_style(style, size=5, filled=True):
    """Return the keywords of ``Axes.plot`` for dots without a line, filled or open."""
    face, edge, width = (style.colour, "white", 0.5) if filled else ("white", style.colour, 1.2)
    return {"color": style.colour, "marker": style.marker, "linestyle": "none", "markersize": size,
            "markerfacecolor": face, "markeredgecolor": edge, "markeredgewidth": width}  # fmt: skip


def key(style, label=None, **changes):
    """Return a legend entry for a style; ``changes`` are properties of the line."""
    return Line2D([], [], **{**line_style(style), "label": label or style.label, **changes})


def keys(styles, label="{}", **changes):
    """Return the legend entries of a dict of styles; ``label`` is filled with the label of each."""
    return [key(style, label.format(style.label), **changes) for style in styles.values()]


def legend_below(figure, handles, n_columns=5, title=None):
    """Put one legend below all panels, at most ``n_columns`` wide, and a title above them; return the figure."""
    widths = [44 + 5.6 * len(handle.get_label()) for handle in handles]  # in points: handle, gaps, letters
    columns = range(2, min(n_columns, len(handles)) + 1)
    fits = [n for n in columns if sum(map(max, np.array_split(widths, n))) < 72 * WIDTH]
    figure.legend(handles=handles, loc="outside lower center", ncols=max(fits, default=1), columnspacing=1.4)
    if title:
        figure.suptitle(title)
    return figure


def save_figure(study, name, figure, simulated=None):
    """Write ``figures/<name>.png`` (200 dpi) and ``.pdf``, each whole or not at all.

    Parameters
    ----------
    study, name, figure : Study, str, Figure
    simulated : bool, optional
        Whether to mark the figure as one of simulated data; otherwise the study decides.

    Returns
    -------
    Figure, the same one for the notebook to show; pyplot, which would show it a second time, forgets it
    """
    plt.close(figure)
    marked = SIMULATED in [text.get_text() for text in figure.texts]
    if not marked and (study.simulated is not None if simulated is None else simulated):
        figure.get_layout_engine().set(rect=(0, 0, 1 - 0.2 / figure.get_figwidth(), 1))  # a strip without panels
        figure.text(0.997, 0.99, SIMULATED, ha="right", va="top", rotation=90, fontsize=8.5, color="#707070")
    for ending, metadata in (("png", None), ("pdf", {"CreationDate": None})):
        with whole_file(study.results / "figures" / f"{name}.{ending}") as temporary:
            figure.savefig(temporary, format=ending, dpi=200, metadata=metadata)
        figure.set_layout_engine("none")  # the layout takes a third of the time of every drawing
    return figure


def as_images(images, who):
    """Return an array or tensor of images, colours last or second, as an array (N, H, W, 3) that ``imshow`` takes."""
    images = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    if images.ndim == 4 and images.shape[-1] != 3 and images.shape[1] == 3:
        images = np.moveaxis(images, 1, -1)
    if images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0:
        raise InvalidInput(f"{who} expects images of shape (N, H, W, 3) or (N, 3, H, W), not {images.shape}")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        raise InvalidInput(f"{who} expects uint8 images or values from 0 to 1: pass them as before normalisation")
    return images


def show_image(axes, image):
    """Show one image without axes."""
    axes.imshow(image, interpolation="nearest" if max(image.shape[:2]) < 128 else "antialiased")
    axes.set_axis_off()


def plot_images(images, n_columns=10):
    """Images in rows.

    Parameters
    ----------
    images, n_columns : uint8 array (N, H, W, 3) or tensor (N, 3, H, W), int
    """
    images = as_images(images, "plot_images")
    height = WIDTH / min(n_columns, len(images)) * images.shape[1] / images.shape[2] + 0.05
    figure, axes = panel_grid(len(images), n_columns, height, extra=0)
    for panel, image in zip(axes, images, strict=True):
        show_image(panel, image)
    return figure


def plot_rdms(rdms, names, title=None, measure="1 - Pearson's r"):
    """RDMs (of the named ``measure``) as square images with one colour bar.

    Parameters
    ----------
    rdms, names : condensed array (n, n_pairs), sequence of n titles
    title : str
    """
    rdms = np.atleast_2d(np.asarray(rdms, dtype=float))
    n_columns = min(4, len(rdms))
    side = min(3.2, (WIDTH - 1.1) / n_columns)
    matrices = square(rdms)
    label = f"{matrices.shape[-1]} images"
    figure, axes = panel_grid(len(rdms), n_columns, side + 0.35, label, label, extra=0.6 if title else 0.3)
    for panel, matrix, name in zip(axes, matrices, names, strict=True):
        np.fill_diagonal(matrix, np.nan)  # an image with itself is not a pair
        image = panel.imshow(matrix, vmin=np.nanmin(rdms), vmax=np.nanmax(rdms), interpolation="nearest")
        panel.set(title=name, xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label=f"Dissimilarity ({measure})", shrink=0.85, aspect=25, pad=0.02)
    if title:
        figure.suptitle(title)
    return figure
