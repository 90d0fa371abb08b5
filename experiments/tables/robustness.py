"""Appendix 14: what the kept experiment on interruptions found."""

import pandas as pd

from experiments.tables.kept import load_kept

#: What goes wrong, what the study says, and what then helps.
FAULTS = (
    ("killed at any moment", "nothing: it continues", "the same command"),
    ("the disk is full", "the file that cannot be written: No space left on device", "free space, the same command"),
    ("results are read-only or belong to somebody else", "the file that cannot be written, and why",
     "make it writable, the same command"),
    ("a file is removed while the study runs", "the file that is missing", "the same command"),
    ("a checkpoint is damaged, or of other settings or data", "that training starts from the beginning",
     "nothing to do"),
    ("another run is active in the folder", "that it is, and where", "wait until it ends, or stop it"),
    ("processes outlive a killed run", "nothing: the next run stops them", "nothing to do"),
)  # fmt: skip


def load_interruptions():
    """The kept experiment on interruptions, by what its rows record.

    Returns
    -------
    kills : DataFrame
        One row per kill and notebook that was running: ``kill chain step part outlived unfinished_files`` and others;
        ``part`` is the fraction of the notebook's usual time, missing between notebooks.
    comparisons : DataFrame ``chain n_kills kind n_files n_equal different``
    about : dict
    """
    table, about = load_kept("interruptions")
    kills = table[table.record == "kill"].dropna(axis="columns", how="all")
    comparisons = table[table.record == "comparison"][["chain", "n_kills", "kind", "n_files", "n_equal", "different"]]
    whole = ["chain", "n_kills", "n_files", "n_equal"]  # empty cells of other records had made them floats
    return kills, comparisons.astype(dict.fromkeys(whole, int)).fillna({"different": ""}), about


def equal_kills(kills, comparisons):
    """How many kills belong to a study that ended like the undisturbed one: (equal, all)."""
    compared = comparisons[comparisons.kind != "leftovers"]
    whole = (compared.n_files == compared.n_equal).groupby(compared.chain).all()
    chains = kills.drop_duplicates("kill").chain
    return int(chains.isin(whole.index[whole]).sum()), len(chains)


def kills_by_step(kills):
    """Kills per kind of step, with the processes that were still alive afterwards and the files left unfinished.

    Returns
    -------
    DataFrame ``step kills outlived unfinished_files``
        A kill that hit two notebooks counts for both.
    """
    rows = kills.drop_duplicates(["kill", "step"]).groupby("step", as_index=False)
    found = rows.agg(kills=("kill", "size"), outlived=("outlived", "sum"), unfinished_files=("unfinished_files", "sum"))
    return found.astype({"outlived": int, "unfinished_files": int})


def robustness_table(kills, comparisons):
    """Kills, kills of studies that ended equal, files that differ, and leftovers: DataFrame ``metric value``."""
    equal, n = equal_kills(kills, comparisons)
    leftover = comparisons.kind == "leftovers"
    different = int((comparisons.n_files - comparisons.n_equal)[~leftover].sum())
    values = {"kills": n, "kills_equal": equal, "files_different": different,
              "leftovers": int(comparisons.n_files[leftover].sum())}  # fmt: skip
    return pd.DataFrame({"metric": values.keys(), "value": values.values()})
