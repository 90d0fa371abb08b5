"""A small world with planted truth, written as raw files in the published formats.

Everything that reads it cannot know whether a person or a formula was recorded; :func:`read_truth` tells what a good
analysis should find.
"""

from realnet.datasets.simulated.truth import read_truth
from realnet.datasets.simulated.world import write_world

__all__ = ["read_truth", "write_world"]
