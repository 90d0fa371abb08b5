"""Write what an experiment found where a chapter looks for it."""

import json
from pathlib import Path

from realnet.io import whole_file

RESULTS = Path(__file__).resolve().parent / "results"


def keep(name, table, settings, seconds):
    """Write ``results/<name>.csv`` and, beside it, what made it.

    Parameters
    ----------
    name : str
    table : DataFrame
        Tidy: one row a number.
    settings : dict
        All that was chosen; anything JSON can hold.
    seconds : float
        How long the experiment took.
    """
    from experiments.benchmarks.timing import machine  # here: importing the benchmarks sets their number of threads

    RESULTS.mkdir(exist_ok=True)
    about = {"experiment": name, "settings": settings, "seconds": round(seconds, 1), "machine": machine()}
    with whole_file(RESULTS / f"{name}.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    with whole_file(RESULTS / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    print(f"{name}: {len(table)} rows in {seconds:.0f} s, kept in {RESULTS}")
