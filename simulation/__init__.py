"""Simulated data with a planted truth, written in the file formats of the published data sets.

Images are drawn by formula; voxels, EEG channels and participants respond to them by formula. The loaders in
``realnet.datasets`` read the files as they read recordings, and :func:`read_truth` returns what was planted.
Nothing in ``realnet`` imports this package.
"""

from simulation.dataset import write_simulated_data
from simulation.stimuli import SIMULATION_VERSION
from simulation.truth import read_truth

__all__ = ["SIMULATION_VERSION", "read_truth", "write_simulated_data"]
