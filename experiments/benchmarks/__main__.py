"""``python -m experiments.benchmarks decoding rdms``, or ``all``: print tables, write results/NAME.json."""

import argparse
import importlib
import json
from pathlib import Path

from experiments import benchmarks
from experiments.benchmarks import timing

#: The last two have the C library keep memory, which the others must not profit from.
ALL = ("decoding", "rdms", "similarity", "training", "images")
NAMES = (*ALL, "full_size")  # this one writes gigabytes


def main():
    """Run the named benchmarks, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks", description=benchmarks.__doc__)
    parser.add_argument("names", nargs="+", choices=[*NAMES, "all"], metavar="NAME", help=", ".join([*NAMES, "all"]))
    names = parser.parse_args().names
    for name in ALL if "all" in names else names:
        report = {"benchmark": name, "machine": timing.machine()}
        benchmark = importlib.import_module(f"experiments.benchmarks.{name}")
        report["rows"] = list(benchmark.run())
        path = Path(__file__).resolve().parent / "results" / f"{name}.json"
        path.write_text(json.dumps(report, indent=2) + "\n")
        for row in report["rows"]:
            ratio = "" if row["ratio"] is None else f", {row['ratio']:.3g} times faster than {row['peer']}"
            print(f"{row['work']}: {row['our_seconds']:.4g} s{ratio}; {row['agreement']}; {row['note']}")
        if hasattr(benchmark, "publish"):
            benchmark.publish(report)


if __name__ == "__main__":
    main()
