"""Pictures, and RDMs as pictures."""

import textwrap

import numpy as np
from scipy.spatial.distance import squareform

from realnet.errors import InvalidInput
from realnet.figures.style import WIDTH, new_figure, panel_grid, styled


def as_pictures(images, who):
    """Images as an array (N, H, W, 3) that ``imshow`` takes: uint8, or floats between 0 and 1.

    Raises
    ------
    InvalidInput
        Another shape, or floats outside 0 to 1 (images normalised for a network are).
    """
    if hasattr(images, "detach"):
        images = images.detach().cpu().numpy()
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] != 3 and images.shape[1] == 3:
        images = np.moveaxis(images, 1, -1)
    if images.ndim != 4 or images.shape[-1] != 3 or len(images) == 0:
        raise InvalidInput(f"{who} expects images of shape (N, H, W, 3) or (N, 3, H, W), not {images.shape}")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        raise InvalidInput(
            f"{who} expects uint8 images or values from 0 to 1, not {images.dtype} from {images.min():g} to "
            f"{images.max():g}: pass the images as they were before normalisation"
        )
    return images


def show_picture(axes, picture):
    """One picture without axes."""
    axes.imshow(picture, interpolation="nearest" if max(picture.shape[:2]) < 128 else "antialiased")
    axes.set_axis_off()


@styled
def plot_pictures(images, titles=None, n_columns=10, title=None):
    """Pictures in rows.

    Parameters
    ----------
    images : uint8 array (N, H, W, 3) or tensor (N, 3, H, W)
    titles : sequence of str, optional
        One above each picture; long ones are wrapped and cut to two lines.
    """
    images = as_pictures(images, "plot_pictures")
    if titles is not None and len(titles) != len(images):
        raise InvalidInput(f"plot_pictures expects one title a picture: {len(images)} pictures, {len(titles)} titles")
    n_columns = min(n_columns, len(images))
    side = WIDTH / n_columns * images.shape[1] / images.shape[2]
    height = side + (0.36 if titles is not None else 0.05)
    figure, axes = panel_grid(len(images), n_columns, height, extra=0.3 if title else 0)
    for i, (panel, picture) in enumerate(zip(axes, images, strict=True)):
        show_picture(panel, picture)
        if titles is not None:
            lines = textwrap.wrap(str(titles[i]), max(4, int(WIDTH / n_columns / 0.088)))
            panel.set_title("\n".join(lines[:2]) + ("…" if len(lines) > 2 else ""), fontsize=8.5, pad=2)
    if title:
        figure.suptitle(title)
    return figure


@styled
def plot_rdms(rdms, names, title=None, label="1 - Pearson r"):
    """RDMs as square pictures with one colour bar.

    Parameters
    ----------
    rdms : array (n, n_pairs)
        Condensed, as ``scipy.spatial.distance.squareform`` reads it.
    names : sequence of str
        One above each RDM.
    label : str
        What a dissimilarity is.
    """
    rdms = np.atleast_2d(np.asarray(rdms, dtype=float))
    n_stimuli = round((1 + np.sqrt(1 + 8 * rdms.shape[-1])) / 2)
    if rdms.ndim != 2 or n_stimuli * (n_stimuli - 1) // 2 != rdms.shape[1]:
        raise InvalidInput(f"plot_rdms expects condensed RDMs of shape (n, n_pairs), not {rdms.shape}")
    if len(names) != len(rdms):
        raise InvalidInput(f"plot_rdms expects one name an RDM: {len(rdms)} RDMs, {len(names)} names")
    n_columns = min(4, len(rdms))
    n_rows = -(-len(rdms) // n_columns)
    side = min(3.2, (WIDTH - 1.1) / n_columns)
    figure, axes = new_figure(
        n_rows * (side + 0.35) + 0.3 + (0.3 if title else 0), nrows=n_rows, ncols=n_columns, squeeze=False
    )
    low, high = np.nanmin(rdms), np.nanmax(rdms)
    for i, panel in enumerate(axes.flat):
        if i >= len(rdms):
            panel.set_visible(False)
            continue
        matrix = squareform(rdms[i], checks=False)
        np.fill_diagonal(matrix, np.nan)  # an image with itself is not a pair
        picture = panel.imshow(matrix, cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
        panel.set_title(str(names[i]))
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
        if i % n_columns == 0:
            panel.set_ylabel(f"{n_stimuli} images")
        if i + n_columns >= len(rdms):
            panel.set_xlabel(f"{n_stimuli} images")
    figure.colorbar(picture, ax=axes, label=f"Dissimilarity ({label})", shrink=0.85, aspect=25, pad=0.02)
    if title:
        figure.suptitle(title)
    return figure
