"""Published files in, labelled arrays out: one file a dataset, and the simulated world that writes the same files."""
