"""The object dimensions of THINGS: how much each of 49 properties holds for each of 1854 object concepts.

Article: Hebart et al. 2020, doi 10.1038/s41562-020-00951-3; data: OSF z2784. The rows of the embedding follow
`item_names.tsv`, and not the numbers that THINGS EEG2 gives to concepts, so everything here is joined by name.
"""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from realnet.datasets.files import find_one
from realnet.errors import InvalidInput


def load(root: str | Path, n_dimensions: int | None = None) -> xr.DataArray:
    """Weights (concept, dimension), float64; 1854 x 49 in the published file.

    `root`: a folder that holds `spose_embedding_49d_sorted.txt`, `item_names.tsv` and `labels_49d.txt`, at any depth.
    `n_dimensions`: which embedding, where several are there. Coordinates: `concept` (unique id in THINGS), `dimension`
    (its name). Raises `MissingInput` if a file is not there, `InvalidInput` if one is damaged or two do not fit.
    """
    n = r"\d+" if n_dimensions is None else str(int(n_dimensions))
    path = find_one(root, rf"spose_embedding_{n}d_sorted\.txt", "the embedding spose_embedding_49d_sorted.txt")
    n = re.search(r"_(\d+)d_", path.name).group(1)
    weights = _read_matrix(path)
    concepts = _read_concepts(find_one(root, r"item_names\.tsv", "item_names.tsv of THINGS"))
    labels_path = find_one(root, rf"labels_{n}d\.txt", f"labels_{n}d.txt of THINGS")
    labels = [line.strip() for line in _read_text(labels_path).splitlines() if line.strip()]
    if weights.shape != (len(concepts), len(labels)) or weights.shape[1] != int(n):
        raise InvalidInput(
            f"{path}: expected {len(concepts)} concepts (item_names.tsv) x {n} dimensions with {len(labels)} names"
            f" ({labels_path.name}), got {weights.shape}; fetch the three files again"
        )
    if len(set(labels)) != len(labels):
        raise InvalidInput(f"{labels_path}: expected every name of a dimension once; fetch the file again")
    return xr.DataArray(
        weights,
        dims=("concept", "dimension"),
        coords={"concept": concepts, "dimension": labels},
        attrs={"dataset": "things_dimensions", "file": path.name},
    )


def for_concepts(dimensions: xr.DataArray, concepts: Iterable[str]) -> xr.DataArray:
    """The rows of `concepts`, in that order and by name (a concept may come several times).

    Raises `InvalidInput` naming the concepts that have no row.
    """
    concepts = [str(concept) for concept in concepts]
    known = {name: row for row, name in enumerate(dimensions["concept"].to_numpy().tolist())}
    missing = [name for name in dict.fromkeys(concepts) if name not in known]
    if missing:
        raise InvalidInput(
            f"{dimensions.attrs.get('file', 'object dimensions')}: {len(missing)} concepts have no row, among them"
            f" {', '.join(missing[:5])}; use the tables and the EEG of one THINGS version"
        )
    return dimensions.isel(concept=[known[name] for name in concepts])


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: expected UTF-8 text ({error}); fetch the file again") from error


def _read_matrix(path: Path) -> np.ndarray:
    """A text file of numbers, one row a line."""
    text = _read_text(path)
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines or len({len(line) for line in lines}) != 1:
        raise InvalidInput(f"{path}: expected lines of equally many numbers; fetch the file again")
    try:
        if "_" in text:  # Python reads 1_0 as ten
            raise ValueError("an underscore in a number")
        weights = np.array(lines, dtype=float)
    except ValueError as error:
        raise InvalidInput(f"{path}: expected numbers only ({error}); fetch the file again") from error
    if not np.isfinite(weights).all():
        raise InvalidInput(f"{path}: expected weights that are finite numbers; fetch the file again")
    return weights


def _read_concepts(path: Path) -> list[str]:
    """The column uniqueID of item_names.tsv."""
    try:
        rows = list(csv.reader(_read_text(path).splitlines(), delimiter="\t", strict=True))
        column = rows[0].index("uniqueID")
        concepts = [row[column].strip() for row in rows[1:] if row]
    except (ValueError, IndexError, csv.Error) as error:
        raise InvalidInput(
            f"{path}: expected a table with tabs and a column uniqueID ({error}); fetch it again"
        ) from error
    if len(set(concepts)) != len(concepts) or "" in concepts:
        raise InvalidInput(f"{path}: expected every concept of the column uniqueID once; fetch the file again")
    return concepts
