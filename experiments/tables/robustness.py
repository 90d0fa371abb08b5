"""Chapter 14: what the kept experiment on interruptions says, and the estimate beside what was measured."""

import numpy as np
import pandas as pd
from realnet.estimate import estimate

from experiments.tables.kept import load_kept
from realnet.errors import InvalidInput

#: What goes wrong, what the study says, and what then cures it; ``tests/test_faults.py`` makes each of them happen.
FAULTS = (
    ("killed at any moment", "(nothing; it goes on)", "the same command"),
    ("the disk is full", "... was not written: the disk of ... is full; make room, then give the same command again",
     "make room, the same command"),
    ("the disk is too small", "... has 5 MB free, but the study is to write about 1.6 GB: make room, or set"
     " REALNET_ROOT to a folder of a larger disk", "before anything runs"),
    ("results are read-only, or somebody else's", "... is read-only; make it writable, or set REALNET_ROOT",
     "make it writable, the same command"),
    ("a file is removed under a running study", "a file that a notebook had written was removed meanwhile, then give"
     " the same command again", "the same command"),
    ("a checkpoint is damaged, or of other settings, data or code", "... belongs to other settings, data or code, or is"
     " damaged: training starts from the beginning", "nothing to do"),
    ("a result is cut short", "... was damaged: it is made again", "the same command"),
    ("the clock goes back", "... files were dated in the future, as after a clock that went back: they count as of now",
     "the same command"),
    ("another run is alive in the folder", "another run of a study is alive in ...: wait for its end, or stop it",
     "wait, or stop it"),
    ("notebooks outlive their killed run", "stopped ... processes that a killed run had left at work here",
     "nothing to do"),
)  # fmt: skip


def load_interruptions():
    """The kept experiment on interruptions, by what its rows record.

    Returns
    -------
    kills : DataFrame
        One row a kill and notebook that was at work: ``kill chain step job into_step part since_start outlived
        checkpoints unfinished_files locked``; ``part`` is the fraction of the notebook's usual time.
    comparisons : DataFrame ``chain n_kills kind n_files n_equal different``
    reference : DataFrame
        The undisturbed run, one row a notebook or folder: ``record job step seconds gib bytes``.
    about : dict
    """
    table, about = load_kept("interruptions")
    if missing := {"kill", "comparison", "step", "disk"} - set(table.record):
        raise InvalidInput(f"the kept table of interruptions has no rows of {sorted(missing)[0]}: run it again")
    kills = table[table.record == "kill"].drop(columns="record").dropna(axis="columns", how="all")
    comparisons = table[table.record == "comparison"][["chain", "n_kills", "kind", "n_files", "n_equal", "different"]]
    whole = ["chain", "n_kills", "n_files", "n_equal"]  # empty cells of other records had made them fractions
    comparisons = comparisons.astype(dict.fromkeys(whole, int)).assign(different=comparisons.different.fillna(""))
    reference = table[table.record.isin(["step", "disk"])][["record", "job", "step", "seconds", "gib", "bytes"]]
    return kills, comparisons, reference, about


def equal_kills(kills, comparisons):
    """How many kills belong to a study that ended as the undisturbed one: (equal, all)."""
    compared = comparisons[comparisons.kind != "leftovers"]
    whole = compared.groupby("chain").apply(lambda rows: (rows.n_files == rows.n_equal).all(), include_groups=False)
    chains = kills.drop_duplicates("kill").chain
    return int(chains.isin(whole.index[whole]).sum()), len(chains)


def kills_by_step(kills):
    """Kills a kind of step, and how many processes outlived them until the next start.

    Returns
    -------
    DataFrame ``step kills outlived unfinished_files``
        A kill that hit two notebooks counts for both.
    """
    rows = kills.drop_duplicates(["kill", "step"]).groupby("step", sort=True)
    columns = {
        "kills": ("kill", "size"),
        "outlived": ("outlived", "sum"),
        "unfinished_files": ("unfinished_files", "sum"),
    }
    return rows.agg(**columns).reset_index().astype({"outlived": int, "unfinished_files": int})


def estimate_beside_measured(study, reference):
    """What :func:`realnet.estimate.estimate` says of the parts of a study, beside the undisturbed run.

    Returns
    -------
    DataFrame ``part quantity unit estimated measured ratio``
    """
    needs = estimate(study, 2, finished=False)
    steps = reference[reference.record == "step"].set_index("job")
    kinds = {"world": "00_simulated_data", "data": "01_data", "networks": "02_training"}
    chapters = steps[~steps.step.isin([*kinds.values(), "whole study"])]
    rows = []
    for part in needs.parts:
        found = steps[steps.step == kinds[part.name]] if part.name in kinds else chapters
        rows.append((f"{part.name}, a notebook", "time", "s", part.seconds, found.seconds.mean()))
        rows.append(
            (f"{part.name}, a notebook", "memory", "GB", part.memory_bytes / 1e9, found.gib.max() * 2**30 / 1e9)
        )
    used = reference[reference.record == "disk"].set_index("job").bytes / 1e9
    disk = {part.name: part.disk_bytes / 1e9 for part in needs.parts}
    rows += [
        ("recordings", "disk", "GB", disk["world"], used["data/raw/simulated"]),
        ("prepared arrays", "disk", "GB", disk["data"], used["data/prepared"]),
        ("results", "disk", "GB", disk["networks"] + disk["chapters"], used["results"]),
        ("whole study", "time", "s", needs.seconds, steps.seconds["whole study"]),
        ("whole study", "disk", "GB", sum(disk.values()), used.sum()),
    ]
    table = pd.DataFrame(rows, columns=["part", "quantity", "unit", "estimated", "measured"])
    return table.assign(ratio=np.round(table.estimated / table.measured, 2))


def robustness_table(kills, comparisons, reference, study):
    """The numbers of this chapter as one tidy table: kills, equal kills, files that differ, estimates and measured."""
    equal, n = equal_kills(kills, comparisons)
    different = int((comparisons.n_files - comparisons.n_equal)[comparisons.kind != "leftovers"].sum())
    leftovers = int(comparisons.n_files[comparisons.kind == "leftovers"].sum())
    numbers = {"kills": n, "kills_equal": equal, "files_different": different, "leftovers": leftovers}
    rows = [{"metric": metric, "value": value} for metric, value in numbers.items()]
    for line in estimate_beside_measured(study, reference).itertuples():
        for name in ("estimated", "measured"):
            rows.append({"metric": f"{line.quantity}_{name}", "part": line.part, "value": getattr(line, name)})
    return pd.DataFrame(rows)
