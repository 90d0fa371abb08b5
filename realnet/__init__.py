"""ReAlnet-fMRI: align CORnet-S with human fMRI and compare both with the human visual system (Lu & Wang 2025)."""
