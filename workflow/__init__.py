"""Running a study: the Snakemake rules, the command that starts them, notebooks, and the book."""
