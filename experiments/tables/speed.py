"""Chapter 12: what the benchmarks have measured, and what follows from it."""

import json

import numpy as np
import pandas as pd

from realnet.errors import InvalidInput, MissingInput
from realnet.settings import REPOSITORY

#: Benchmarks of this chapter, in its order; each leaves ``NAME.json``, and ``NAME_cuda.json`` on a machine with a GPU.
BENCHMARKS = ("decoding", "rdms", "similarity", "training", "images")

RESULTS = REPOSITORY / "benchmarks" / "results"

#: Images of the whole THINGS set (Hebart et al. 2019).
N_THINGS = 26_107


def load_benchmarks(folder=RESULTS):
    """Read the JSON files that ``make benchmarks`` writes.

    Returns
    -------
    rows : DataFrame
        One measurement a row: ``benchmark device work peer peer_seconds our_seconds ratio must aim limit reached
        agreement note``. Ratios are the peer's time over ours; ``reached`` is ``aim``, ``must`` or ``missed``, empty
        where nothing was asked for. ``growth`` holds a point of a growth curve (a dict) or None.
    machines : DataFrame
        What each benchmark ran on, one a row.

    Raises
    ------
    MissingInput, InvalidInput
        There is no measurement; a file is damaged.
    """
    tables, machines = [], []
    for name in BENCHMARKS:
        for path in sorted(folder.glob(f"{name}.json")) + sorted(folder.glob(f"{name}_*.json")):
            try:
                report = json.loads(path.read_text(encoding="utf-8"))
                about = {"benchmark": name, "device": report["device"]}
                tables.append(pd.DataFrame(report["rows"]).assign(**about))
                machines.append(about | report["machine"])
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidInput(f"{path} is not what a benchmark writes ({error!r}): run make benchmarks") from error
    if not tables:
        raise MissingInput(f"no measurements in {folder}: run make benchmarks first")
    rows = pd.concat(tables, ignore_index=True)
    if missing := {"work", "peer", "our_seconds", "ratio", "must", "aim", "limit", "growth"} - set(rows.columns):
        raise InvalidInput(f"the measurements in {folder} lack {', '.join(sorted(missing))}: run make benchmarks")
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


def growth_curve(rows, benchmark, device="cpu"):
    """The points of one benchmark's growth curve as a DataFrame, a column for each number that it noted."""
    chosen = rows[(rows.benchmark == benchmark) & (rows.device == device)]
    points = [point for point in chosen.growth if isinstance(point, dict)]
    if not points:
        raise MissingInput(f"no growth curve of {benchmark} on {device}: run python -m benchmarks {benchmark}")
    return pd.DataFrame(points)


def plan_rdm(curve, n_images=N_THINGS, n_units=25_088):
    """What an RDM of many images would take, from the growth that was measured on fewer.

    The time is continued as c n^2, with c from the largest number of images measured; the fitted exponent of the
    measured times tells whether that is right.

    Parameters
    ----------
    curve : DataFrame
        Columns ``images seconds working_mib bound_mib``.

    Returns
    -------
    Series
        ``images pairs seconds input_gib result_gib working_mib exponent``: the activations in float32, the RDM in
        float64, and the memory that the calculation needs beside these two.
    """
    largest = curve.loc[curve.images.idxmax()]
    late = curve.nlargest(3, "images")
    exponent = np.polyfit(np.log(late.images), np.log(late.seconds), 1)[0]
    pairs = n_images * (n_images - 1) // 2
    return pd.Series({
        "images": n_images, "pairs": pairs, "seconds": largest.seconds * (n_images / largest.images) ** 2,
        "input_gib": 4 * n_images * n_units / 2**30, "result_gib": 8 * pairs / 2**30,
        "working_mib": curve.bound_mib.max(), "exponent": exponent,
    })  # fmt: skip
