"""The command line: `realnet data status | fetch [NAME ...] | verify [NAME ...]`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from realnet.commands import Parser
from realnet.datasets import registry
from realnet.errors import MissingInput, RealnetError

_EPILOG = """NAME is a dataset (shen2019), a group of its files (shen2019-C-vc), a file, or a pattern ('sub-01_*').
Without names, fetch brings what the analyses of the paper need. Sizes, licences and request forms: data/README.md."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 1 if something is missing or wrong that was asked for."""
    parser = Parser(prog="realnet", description="Published data of the ReAlnet-fMRI study.")
    data = parser.add_subparsers(dest="topic", required=True).add_parser("data", help="the published datasets")
    commands = data.add_subparsers(dest="command", required=True)
    for name, about in {
        "status": "what is here, and where to get the rest",
        "fetch": "download what is not here yet; goes on after a break",
        "verify": "read and check again everything that is here",
    }.items():
        command = commands.add_parser(
            name, help=about, description=about, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_argument("names", nargs="*", metavar="NAME")
        command.add_argument("--root", help="the folder of raw data (default: data/raw of the project)")
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            return fetch(options.names, options.root)
        if options.root is not None and not Path(options.root).is_dir():
            raise MissingInput(f"--root {options.root}: expected the folder of raw data, but there is none; correct it")
        table = getattr(registry, options.command)(*options.names, root=options.root)
        print_table(table)
        return int(options.command == "verify" and (table["state"] == "wrong").any())
    except RealnetError as error:
        print(f"realnet: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def fetch(names: Sequence[str], root: str | None) -> int:
    """Fetch file by file: one that is not available does not keep the others from coming."""
    failed, unreachable = 0, set()
    for file in registry.select(names):
        if file.access != "public" and not names:
            continue
        try:
            print(f"{registry.fetch_file(file, root, unreachable=unreachable)}: present, checks passed")
        except RealnetError as error:
            failed += 1
            print(f"realnet: {error}", file=sys.stderr)
    if not names:
        print("Not fetched, as they have to be asked for or placed by hand (see `.venv/bin/realnet data status`):")
        print("  " + ", ".join(file.place for file in registry.FILES if file.access != "public"))
    return int(failed > 0)


def print_table(table: pd.DataFrame) -> None:
    """Two lines a file, and a count of the states."""
    for row in table.itertuples():
        size = "size not published" if pd.isna(row.size) else f"{row.size:,} bytes"
        print(f"{row.state:<10} {row.place}" + (f"  ({row.detail})" if row.detail else ""))
        print(f"{'':<10} {row.address} · {size} · {row.hash or 'no hash published'} · licence: {row.licence}")
    print(", ".join(f"{n} {state}" for state, n in table["state"].value_counts().items()))


if __name__ == "__main__":
    sys.exit(main())
