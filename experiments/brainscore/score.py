"""Score all networks of a study on the two behavioural benchmarks of the paper (S1): ``make brain-score``."""

import argparse
import os
import sys
import warnings

import pandas as pd

from experiments.brainscore import edge
from experiments.brainscore.models import BEHAVIOR_LAYER, identify, load_candidate
from realnet.alignment import load_realnet
from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.io import COLUMNS, table_path, whole_file
from realnet.settings import load_study

#: The sets of Geirhos et al. (2021), as their benchmarks are called.
GEIRHOS_SETS = (
    "colour", "contrast", "cueconflict", "edge", "eidolonI", "eidolonII", "eidolonIII", "falsecolour", "highpass",
    "lowpass", "phasescrambling", "powerequalisation", "rotation", "silhouette", "sketch", "stylized", "uniformnoise",
)  # fmt: skip

#: What the paper reports -> the benchmarks that Brain-Score has for it; the score of several benchmarks is their mean.
GROUPS = {
    "Rajalingham2018public-i2n": ("Rajalingham2018public-i2n",),
    "Geirhos2021-error_consistency": tuple(f"Geirhos2021{name}-error_consistency" for name in GEIRHOS_SETS),
}

#: Classes that a network must have for a benchmark that asks for labels: those of ImageNet.
N_CLASSES = 1000

#: Columns of the table after those that every table has.
FURTHER = ["raw", "raw_error", "ceiling", "weights"]


def find_weights(study):
    """List of (network, path of its weights) of every network of a study."""
    found = [(network, study.results / "networks" / f"{network.stem}.safetensors") for network in study.networks()]
    missing = [path for _, path in found if not path.is_file()]
    if missing:
        raise MissingInput(
            f"{missing[0]} is missing ({len(missing)} of {len(found)} networks of study {study.name}):"
            f" run `make study STUDY={study.name}` first"
        )
    return found


def open_benchmark(identifier):
    """A benchmark with all its data, which are fetched if they are not there; MissingInput where that fails."""
    # the environment is pinned: Brain-Score would install what its plugins name while it runs
    os.environ.setdefault("BS_INSTALL_DEPENDENCIES", "no")
    from brainscore_vision import load_benchmark

    try:
        benchmark = load_benchmark(identifier)
        _ = benchmark.ceiling  # some benchmarks fetch only when they are asked for something
    except Exception as error:  # the fetcher wraps what went wrong into a plain Exception
        reason = fetch_failure(error)
        if reason is None:
            raise
        raise MissingInput(
            f"the data of {identifier} could not be fetched from Brain-Score's storage ({reason}):"
            " see that this machine reaches it, then call the command again"
        ) from error
    return benchmark


def fetch_failure(error):
    """Why a file could not be fetched, as one line; None if ``error`` has another cause."""
    from botocore.exceptions import BotoCoreError, ClientError

    causes = [error]
    for part in error.args:
        causes += part if isinstance(part, list | tuple) else [part]
    failures = [cause for cause in causes if isinstance(cause, BotoCoreError | ClientError | OSError)]
    # signed and unsigned requests are both tried: the last one says whether the network or the file was the matter
    return " ".join(str(failures[-1]).split()) if failures else None


def make_row(network, identifier, benchmark, score):
    """One row of the table from what a benchmark returned.

    ``value`` is the score relative to ``ceiling``, the agreement of participants; ``raw`` the one before, with the
    spread ``raw_error`` that Brain-Score reports with it; ``weights`` the file's stem and hash.
    """
    raw = score.attrs["raw"]
    error = raw.attrs.get("error")
    labels = benchmark.startswith("Geirhos2021")
    return {
        **network.columns,
        "beta": float(network.beta),  # as it is read back
        "dataset": "geirhos2021" if labels else "rajalingham2018",
        "layer": "decoder" if labels else BEHAVIOR_LAYER,
        "stimulus_set": benchmark.removeprefix("Geirhos2021").split("-")[0] if labels else "objectome",
        "metric": benchmark,
        "value": float(score),
        "raw": float(raw),
        "raw_error": None if error is None else float(error),
        "ceiling": float(score.attrs["ceiling"]),
        "weights": identifier,
    }


def with_means(rows):
    """``rows`` with the mean of each group of several benchmarks, for the networks that have all of them."""
    rows = [row for row in rows if row["metric"] not in GROUPS or len(GROUPS[row["metric"]]) == 1]
    means = []
    for group, members in GROUPS.items():
        for weights in dict.fromkeys(row["weights"] for row in rows):
            of = [row for row in rows if row["weights"] == weights and row["metric"] in members]
            if len(members) > 1 and len(of) == len(members):
                mean = {key: sum(row[key] for row in of) / len(of) for key in ("value", "raw", "ceiling")}
                means.append({**of[0], "stimulus_set": None, "metric": group, "raw_error": None, **mean})
    return rows + means


def write_table(study, rows):
    """Write the tidy table: the columns of every table, then :data:`FURTHER`; the means are added."""
    table = pd.DataFrame(with_means(rows)).assign(study=study.name).reindex(columns=[*COLUMNS, *FURTHER])
    with whole_file(table_path(study, "brain_score")) as temporary:
        table.to_csv(temporary, index=False)


def read_rows(study, identifiers):
    """The rows of an earlier run that belong to the networks as they are now."""
    path = table_path(study, "brain_score")
    if not path.is_file():
        return []
    table = pd.read_csv(path, float_precision="round_trip")  # what is written again has the same digits
    return [row for row in table.to_dict("records") if row["weights"] in identifiers]


def score_networks(study, networks, benchmark, rows):
    """Score what has no row yet on one benchmark; the table is written after each network.

    ``networks``: identifier -> (Network, path of its weights); new rows are appended to ``rows``.
    """
    done = {row["weights"] for row in rows if row["metric"] == benchmark}
    waiting = [identifier for identifier in networks if identifier not in done]
    opened = open_benchmark(benchmark) if waiting else None
    for identifier in waiting:
        network, path = networks[identifier]
        score = opened(load_candidate(path))
        rows.append(make_row(network, identifier, benchmark, score))
        write_table(study, rows)
        print(f"{network.stem}: {benchmark} {float(score):.4f}", flush=True)


def score_study(study, groups, edge_folder=None):
    """Score every network of a study on ``groups`` (as :data:`GROUPS`).

    ``edge_folder``: published files of the edge drawings, which are then not fetched. Returns what could not be done, a
    sentence for each group; what could be done is in the table.
    """
    weights = find_weights(study)
    networks = {identify(path): (network, path) for network, path in weights}
    n_classes = load_realnet(weights[0][1]).n_classes
    if edge_folder is not None:
        edge.read_folder(edge_folder)
        # first, so that it is scored even where the others of its group cannot be fetched
        groups = {edge.BENCHMARK: (edge.BENCHMARK,), **groups}
    rows, problems = read_rows(study, networks), []
    for benchmarks in groups.values():
        try:
            for benchmark in benchmarks:
                if benchmark.startswith("Geirhos2021") and n_classes != N_CLASSES:
                    raise InvalidInput(
                        f"the networks of study {study.name} have {n_classes} classes, and Geirhos2021 asks for the"
                        f" {N_CLASSES} of ImageNet: score a study that starts from the published CORnet-S"
                    )
                if edge_folder is not None and benchmark == edge.BENCHMARK:
                    edge.register_edge(edge_folder)
                score_networks(study, networks, benchmark, rows)
        except RealnetError as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))


def main(arguments=None):
    """``python -m experiments.brainscore.score STUDY``; returns 1 if something could not be scored, else 0."""
    parser = argparse.ArgumentParser(prog="python -m experiments.brainscore.score", description=__doc__)
    parser.add_argument("study", help="demo, paper, released, or the path of your own .yml file")
    parser.add_argument("--benchmarks", nargs="+", choices=list(GROUPS), default=list(GROUPS), metavar="NAME")
    parser.add_argument("--edge", metavar="FOLDER", help="published files of the edge drawings, instead of fetching")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        study = load_study(options.study)
        problems = score_study(study, {name: GROUPS[name] for name in options.benchmarks}, options.edge)
    except RealnetError as error:
        problems = [str(error)]
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
