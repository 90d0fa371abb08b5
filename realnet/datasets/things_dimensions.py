"""The object dimensions of THINGS: how much each of 49 properties holds for each of 1854 object concepts.

Article: Hebart et al. 2020, doi 10.1038/s41562-020-00951-3; data: OSF z2784. The rows of the embedding follow
``item_names.tsv``, and not the numbers that THINGS EEG2 gives to concepts, so everything here is joined by name.
"""

import numpy as np
import pandas as pd
import xarray as xr

from realnet.datasets.files import find_one
from realnet.errors import InvalidInput


def load(root):
    """Weights of concepts on dimensions.

    Parameters
    ----------
    root : path of a folder that holds ``spose_embedding_49d_sorted.txt``, ``item_names.tsv`` and ``labels_49d.txt``

    Returns
    -------
    DataArray (concept, dimension), 1854 x 49 as published; ``concept`` is the unique id in THINGS
    """
    path, items, labels = files(root)
    try:
        weights = np.loadtxt(path, ndmin=2, comments=None, encoding="utf-8-sig")
        table = pd.read_csv(items, sep="\t", index_col=False, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        names = [line.strip() for line in labels.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        coordinates = {"concept": table["uniqueID"].str.strip().to_numpy(str), "dimension": names}
        data = xr.DataArray(weights, coordinates, ("concept", "dimension"))
        names_fit = all(index.is_unique and "" not in index for index in data.indexes.values())
        if not names_fit or not np.isfinite(weights).all():
            raise ValueError("a name is there twice or empty, or a weight is not finite")
    except (KeyError, ValueError) as error:
        expected = f"a finite weight per line of {items.name} (column uniqueID) and line of {labels.name}"
        raise InvalidInput(f"{path}: expected {expected}, but {error}; fetch the three files again") from error
    return data


def for_concepts(dimensions, concepts):
    """Rows of ``dimensions`` (concept, dimension) by name, in the order of ``concepts``, where one may come twice."""
    if missing := [name for name in concepts if name not in dimensions.indexes["concept"]]:
        raise InvalidInput(f"object dimensions: expected a row per concept of the EEG, but {missing[:5]} have none")
    return dimensions.sel(concept=list(concepts))


def files(root):
    """Paths of what :func:`load` opens: embedding, names of concepts, labels of dimensions."""
    path = find_one(root, r"spose_embedding_\d+d_sorted\.txt", "the embedding spose_embedding_49d_sorted.txt")
    labels = f"labels_{path.name.split('_')[2]}.txt"
    items = find_one(root, r"item_names\.tsv", "item_names.tsv of THINGS")
    return [path, items, find_one(root, labels.replace(".", r"\."), f"{labels} of THINGS")]
