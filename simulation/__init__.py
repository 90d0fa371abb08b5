"""A small world with planted truth, written as raw files in the published formats.

Everything that reads it cannot know whether a person or a formula was recorded; :func:`read_truth` tells what a good
analysis should find.
"""

from simulation.dataset import write_simulated_data
from simulation.truth import read_truth

__all__ = ["read_truth", "write_simulated_data"]
