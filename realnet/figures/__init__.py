"""The figures: one function a figure, tidy table in, matplotlib Figure out.

Nothing is saved but by :func:`save_figure`; colours, markers, sizes and names are in :mod:`realnet.figures.style`.
Networks differ in luminance, marker and line as well as in hue, so that figures can be read without colour. A table
without a needed column, or without rows that a figure needs, raises :class:`realnet.errors.InvalidInput`.
"""

from experiments.figures.calibration import (
    plot_calibration_cells,
    plot_calibration_errors,
    plot_calibration_power,
    plot_difference_power,
)
from experiments.figures.choices import plot_choice_effects, plot_descent
from experiments.figures.robustness import plot_kills
from experiments.figures.scale import plot_lab_hours, plot_scale
from experiments.figures.speed import plot_growth, plot_repeats, plot_speed
from realnet.figures.behavior import plot_accuracy, plot_consistency
from realnet.figures.beta_sweep import plot_beta_curves
from realnet.figures.differences import (
    plot_across_datasets,
    plot_differences,
    plot_improvement,
    plot_layer_differences,
)
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
from realnet.figures.style import mark_simulated, save_figure
from realnet.figures.training import plot_training, plot_training_all

__all__ = [
    "mark_simulated",
    "plot_accuracy",
    "plot_across_datasets",
    "plot_beta_curves",
    "plot_calibration_cells",
    "plot_calibration_errors",
    "plot_calibration_power",
    "plot_choice_effects",
    "plot_consistency",
    "plot_decoding",
    "plot_descent",
    "plot_difference_power",
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
    "plot_kills",
    "plot_lab_hours",
    "plot_layer_differences",
    "plot_layers",
    "plot_objects92",
    "plot_pictures",
    "plot_rdms",
    "plot_reliability",
    "plot_repeats",
    "plot_scale",
    "plot_speed",
    "plot_training",
    "plot_training_all",
    "save_figure",
]
