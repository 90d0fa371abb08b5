"""What Brain-Score's extractor returns for pictures of one's own, to be compared with our own activations."""

import argparse
import sys
from pathlib import Path

import numpy as np

from experiments.brainscore.models import load_candidate
from realnet.cornet import LAYERS
from realnet.errors import RealnetError
from realnet.io import whole_file

#: The four areas, what behaviour is read from, and the classes.
EXTRACTED = (*LAYERS, "decoder.avgpool", "decoder")


def extract(candidate, paths, layers=EXTRACTED):
    """Activations through Brain-Score's own extractor.

    Returns
    -------
    dict layer -> float32 array (n_stimuli, n_units)
        Pictures in the order of ``paths``, units in the order of the flattened layer.
    """
    paths = [str(path) for path in paths]
    assembly = candidate.activations_model(paths, layers=list(layers))
    if list(assembly["stimulus_path"].values) != paths:
        raise RuntimeError("Brain-Score returned the pictures in another order than they were given")
    assembly = assembly.transpose("presentation", "neuroid")
    of_layer = assembly["layer"].values
    return {layer: np.ascontiguousarray(assembly.values[:, of_layer == layer]) for layer in layers}


def main(arguments=None):
    """``python -m brainscore.extract WEIGHTS OUT.npz PICTURE ...``; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m brainscore.extract", description=__doc__)
    parser.add_argument("weights", type=Path, help="a network of a study, or a published checkpoint")
    parser.add_argument("out", type=Path, help="where the activations go: one array a layer (.npz)")
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args(arguments)
    try:
        candidate = load_candidate(options.weights, batch_size=options.batch_size)
        activations = extract(candidate, options.pictures)
    except RealnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with whole_file(options.out) as temporary, temporary.open("wb") as file:
        np.savez(file, **activations)
    return 0


if __name__ == "__main__":
    sys.exit(main())
