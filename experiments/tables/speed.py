"""Appendix 12: what the benchmarks have measured, and what follows from it."""

import json

import numpy as np
import pandas as pd

from realnet.errors import InvalidInput, MissingInput
from realnet.settings import REPOSITORY

#: Benchmarks of this chapter, in its order; each leaves ``NAME.json``.
BENCHMARKS = ("decoding", "rdms", "similarity", "training", "images")

RESULTS = REPOSITORY / "experiments" / "benchmarks" / "results"

#: Images of the whole THINGS set (Hebart et al. 2019).
N_THINGS = 26_107


def working_bytes(n_images):
    """Memory of :func:`realnet.rdm.correlation_rdm` beside input and result: a block of 4096 units and two matrices."""
    return 8 * (n_images * 4096 + 2 * n_images**2)


def load_benchmarks(folder=RESULTS):
    """Read the JSON files that ``make benchmarks`` writes.

    Returns
    -------
    rows : DataFrame
        One measurement per row: ``benchmark work peer peer_seconds our_seconds ratio must aim limit reached agreement
        note growth``. Ratios are the peer's time over ours; ``reached`` is ``aim``, ``must`` or ``missed``, empty where
        nothing was asked for; ``growth`` holds a point of a growth curve (a dict) or None.
    machines : DataFrame
        What each benchmark ran on, one per row.

    Raises
    ------
    MissingInput, InvalidInput
        There is no measurement; a file is damaged.
    """
    tables, machines = [], []
    for path in [folder / f"{name}.json" for name in BENCHMARKS if (folder / f"{name}.json").is_file()]:
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            tables.append(pd.DataFrame(report["rows"]).assign(benchmark=path.stem))
            machines.append({"benchmark": path.stem} | report["machine"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f"{path} is not what a benchmark writes ({error!r}): run `make benchmarks`") from error
    if not tables:
        raise MissingInput(f"no measurements in {folder}: run `make benchmarks` first")
    rows = pd.concat(tables, ignore_index=True)
    numbers = ["peer_seconds", "our_seconds", "ratio", "must", "aim", "limit"]
    rows[numbers] = rows[numbers].astype(float)
    rows["reached"] = np.select(
        [rows.ratio >= rows.aim.fillna(np.inf), rows.ratio >= rows.must, rows.ratio < rows.must],
        ["aim", "must", "missed"],
        default="",
    )
    rows["growth"] = [point if isinstance(point, dict) else None for point in rows.growth]
    return rows, pd.DataFrame(machines)


def comparisons(rows):
    """The rows that have a peer: the table of this chapter."""
    return rows[rows.ratio.notna()].reset_index(drop=True)


def growth_curve(rows, benchmark):
    """The points of one benchmark's growth curve as a DataFrame, a column for each number that it noted."""
    points = [point for point in rows[rows.benchmark == benchmark].growth if isinstance(point, dict)]
    if not points:
        raise MissingInput(f"no growth curve of {benchmark}: run `python -m experiments.benchmarks {benchmark}`")
    return pd.DataFrame(points)


def plan_rdm(curve, n_images=N_THINGS, n_units=25_088):
    """What an RDM of many images would take, extrapolated as c n^2 with c from the largest number of images measured.

    Parameters
    ----------
    curve : DataFrame
        Columns ``images seconds``.

    Returns
    -------
    Series
        ``images pairs seconds input_gib result_gib working_gib exponent``: the activations in float32, the RDM in
        float64, the memory that the calculation needs beside these two, and the fitted exponent of the measured times.
    """
    largest = curve.loc[curve.images.idxmax()]
    late = curve.nlargest(3, "images")
    exponent = np.polyfit(np.log(late.images), np.log(late.seconds), 1)[0]
    pairs = n_images * (n_images - 1) // 2
    return pd.Series({
        "images": n_images, "pairs": pairs, "seconds": largest.seconds * (n_images / largest.images) ** 2,
        "input_gib": 4 * n_images * n_units / 2**30, "result_gib": 8 * pairs / 2**30,
        "working_gib": working_bytes(n_images) / 2**30, "exponent": exponent,
    })  # fmt: skip
