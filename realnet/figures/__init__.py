"""The figures: one function a figure, tidy table in, matplotlib Figure out.

Nothing is saved but by :func:`save_figure`; colours, markers, sizes and names are in :mod:`realnet.figures.style`.
Networks differ in luminance, marker and line as well as in hue, so that figures can be read without colour. A table
without a needed column, or without rows that a figure needs, raises :class:`realnet.errors.InvalidInput`.
"""

from realnet.figures.differences import plot_across_datasets, plot_differences, plot_improvement
from realnet.figures.dimensions import (
    plot_dimension_changes,
    plot_dimension_layers,
    plot_dimension_pictures,
    plot_dimensions,
)
from realnet.figures.eeg import plot_eeg_improvement, plot_eeg_similarity
from realnet.figures.fmri import plot_fmri_similarity, plot_layers, plot_reliability
from realnet.figures.headline import plot_headline
from realnet.figures.objects92 import plot_objects92
from realnet.figures.pictures import plot_pictures, plot_rdms
from realnet.figures.recordings import plot_decoding
from realnet.figures.speed import plot_growth, plot_repeats, plot_speed
from realnet.figures.style import mark_simulated, save_figure
from realnet.figures.training import plot_training, plot_training_all

__all__ = [
    "mark_simulated",
    "plot_across_datasets",
    "plot_decoding",
    "plot_differences",
    "plot_dimension_changes",
    "plot_dimension_layers",
    "plot_dimension_pictures",
    "plot_dimensions",
    "plot_eeg_improvement",
    "plot_eeg_similarity",
    "plot_fmri_similarity",
    "plot_growth",
    "plot_headline",
    "plot_improvement",
    "plot_layers",
    "plot_objects92",
    "plot_pictures",
    "plot_rdms",
    "plot_reliability",
    "plot_repeats",
    "plot_speed",
    "plot_training",
    "plot_training_all",
    "save_figure",
]
