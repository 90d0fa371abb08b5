"""Published files in, labelled arrays out: one file a dataset, and the simulated world that writes the same files."""

import warnings

# pooch looks for the notebook's own progress bar, whose scripts come from outside; ours are plain text
warnings.filterwarnings("ignore", message="IProgress not found")
