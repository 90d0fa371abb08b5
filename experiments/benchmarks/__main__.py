"""`python -m benchmarks decoding rdms --device cuda`, or `all`: print tables, write benchmarks/results/NAME.json."""

import argparse
import importlib
import json
import pkgutil
from pathlib import Path

from experiments import benchmarks
from experiments.benchmarks import timing

RESULTS = Path(__file__).resolve().parent / "results"
LAST = ("training", "images")  # they have the C library keep memory, which the others shall not profit from
FOUND = {m.name for m in pkgutil.iter_modules(benchmarks.__path__)} - {"__main__", "timing"}
NAMES = [*sorted(FOUND - set(LAST)), *LAST]
APART = {"full_size"}  # not of `all`: it writes gigabytes


def main():
    """Run the named benchmarks, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("names", nargs="+", choices=[*NAMES, "all"], metavar="NAME", help=", ".join([*NAMES, "all"]))
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:0")
    arguments = parser.parse_args()
    for name in [n for n in NAMES if n not in APART] if "all" in arguments.names else arguments.names:
        report = {"benchmark": name, "device": arguments.device, "machine": timing.machine(arguments.device)}
        benchmark = importlib.import_module(f"benchmarks.{name}")
        report["rows"] = benchmark.run(device=arguments.device)
        RESULTS.mkdir(parents=True, exist_ok=True)
        stem = name if arguments.device == "cpu" else f"{name}_{arguments.device.replace(':', '')}"
        (RESULTS / f"{stem}.json").write_text(json.dumps(report, indent=2) + "\n")
        print_table(report)
        if hasattr(benchmark, "publish"):
            benchmark.publish(report)


def print_table(report):
    """The rows, each with its note below."""
    print(f"\n{report['benchmark']} on {report['device']} ({report['machine']['processor']})")
    for row in report["rows"]:
        peer = "-" if row["peer_seconds"] is None else f"{row['peer_seconds']:.4g} s"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3g}x"
        below = row["ratio"] is not None and row["must"] is not None and row["ratio"] < row["must"]
        must = "" if row["must"] is None else f" (must {row['must']}x{', MISSED' if below else ''})"
        print(f"- {row['work']}: {row['peer']} {peer}, ours {row['our_seconds']:.4g} s: {ratio}{must}")
        print(f"    agreement: {row['agreement']}" + (f"\n    {row['note']}" if row["note"] else ""))


if __name__ == "__main__":
    main()
