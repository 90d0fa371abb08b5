"""Images, and RDMs as images."""

import numpy as np
from scipy.spatial.distance import squareform

from realnet.errors import InvalidInput
from realnet.figures.style import WIDTH, panel_grid


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
    images : uint8 array (N, H, W, 3) or tensor (N, 3, H, W)
    n_columns : int
    """
    images = as_images(images, "plot_images")
    height = WIDTH / min(n_columns, len(images)) * images.shape[1] / images.shape[2] + 0.05
    figure, axes = panel_grid(len(images), n_columns, height, extra=0)
    for panel, image in zip(axes, images, strict=True):
        show_image(panel, image)
    return figure


def plot_rdms(rdms, names, title=None):
    """RDMs (1 - Pearson's r) as square images with one colour bar.

    Parameters
    ----------
    rdms : array (n, n_pairs)
        Condensed, as ``scipy.spatial.distance.squareform`` reads it.
    names : sequence of str (n,)
        Title of each RDM.
    title : str
    """
    rdms = np.atleast_2d(np.asarray(rdms, dtype=float))
    n_columns = min(4, len(rdms))
    side = min(3.2, (WIDTH - 1.1) / n_columns)
    n_stimuli = round((1 + np.sqrt(1 + 8 * rdms.shape[-1])) / 2)
    label = f"{n_stimuli} images"
    figure, axes = panel_grid(len(rdms), n_columns, side + 0.35, label, label, extra=0.6 if title else 0.3)
    for panel, rdm, name in zip(axes, rdms, names, strict=True):
        matrix = squareform(rdm)
        np.fill_diagonal(matrix, np.nan)  # an image with itself is not a pair
        image = panel.imshow(matrix, vmin=np.nanmin(rdms), vmax=np.nanmax(rdms), interpolation="nearest")
        panel.set(title=name, xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="Dissimilarity (1 - Pearson's r)", shrink=0.85, aspect=25, pad=0.02)
    if title:
        figure.suptitle(title)
    return figure
