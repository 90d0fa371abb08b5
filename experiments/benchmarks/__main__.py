"""`python -m experiments.benchmarks decoding rdms`, or `all`: print tables, write results/NAME.json."""

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
        print_table(report)
        if hasattr(benchmark, "publish"):
            benchmark.publish(report)


def print_table(report):
    """The rows, each with its note below."""
    print(f"\n{report['benchmark']} ({report['machine']['processor']})")
    for row in report["rows"]:
        peer = "-" if row["peer_seconds"] is None else f"{row['peer_seconds']:.4g} s"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3g}x"
        must = "" if row["must"] is None else f" (must {row['must']}x)"
        print(f"- {row['work']}: {row['peer']} {peer}, ours {row['our_seconds']:.4g} s: {ratio}{must}")
        print(f"    agreement: {row['agreement']}" + (f"\n    {row['note']}" if row["note"] else ""))


if __name__ == "__main__":
    main()
