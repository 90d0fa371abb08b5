"""Chapter 13: what the paper reports, beside what this study has found.

``paper_claims.csv`` has one line per claim: a table of the study, the rows of it that the claim is about (``filter``, a
query of pandas) and how they are judged. Claims about differences are judged by intervals, those about the EEG by p
over time, those about an order or a size by point estimates (``decided_by``).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from realnet.analyses import t_interval
from realnet.analyses.dimensions import top_dimensions
from realnet.io import load_table

AGREES, DIFFERS, OPEN, ABSENT = "agrees", "differs", "open", "not in this study"
NO_DIFFERENCE = "no difference found"  # which does not show that there is none


def compare_with_paper(study):
    """Every number and direction of the paper, beside what the tables of this study contain.

    Returns
    -------
    DataFrame
        ``figure dataset paper`` (what it reports), ``found`` (in words), ``value lower upper`` of the quantity that
        decides, ``n_agree`` of ``n`` cases, ``verdict`` and ``decided_by`` (interval, point estimates, p over time).
    """
    absent = [] if study.fmri.other_subjects else ["fmri_across_subjects"]
    absent += [] if study.eeg.subjects else ["eeg", "object_dimensions"]
    betas = {f"{beta:g}": beta for beta in study.training.betas if beta != study.training.main_beta}
    betas = betas or {"other than the main one": np.nan}
    names = {"main_beta": study.training.main_beta, "people": "simulated" if study.simulated else "real"}
    optional = ["condition", "lower", "people", "reference", "upper"]  # not in every study's table of behaviour
    claims = pd.read_csv(Path(__file__).with_name("paper_claims.csv"), keep_default_na=False)
    tables = {name: load_table(study, name) for name in claims.table.unique() if name not in absent}
    rows = []
    for claim in claims.itertuples():
        for words, beta in betas.items() if "{beta}" in claim.claim else [("", np.nan)]:
            row = {"verdict": ABSENT, "found": ABSENT, "figure": claim.figure, "paper": claim.claim.format(beta=words),
                   "dataset": claim.dataset or study.fmri.dataset, "metric": "difference",
                   "decided_by": claim.decided_by}  # fmt: skip
            if claim.table in tables:
                table = tables[claim.table]
                chosen = table.reindex(columns=table.columns.union(optional, sort=False))
                chosen = chosen.query(claim.filter, local_dict=names | {"beta": beta}, engine="python")
                row |= JUDGES[claim.judge](chosen) if claim.judge in JUDGES else judge_intervals(chosen, claim.judge)
            rows.append(row | ({"decided_by": ""} if row["verdict"] == ABSENT else {}))
    return pd.DataFrame(rows)


def judge_intervals(rows, side="above"):
    """The verdict on differences (columns ``value lower upper``) by their intervals, as a dict; empty without rows.

    ``side`` is what the paper claims about 0: "above", "below", "not below", "equal", or "first above": of row 1.
    "above" agrees if all intervals are above 0, differs if all are below 0, and is open otherwise.
    """
    rows, side = rows.head(1) if side.startswith("first ") else rows, side.removeprefix("first ")
    if rows.empty:
        return {}
    value, low, high = rows.value.mean(), rows.lower.min(), rows.upper.max()
    lower, upper = (-rows.upper, -rows.lower) if side == "below" else (rows.lower, rows.upper)
    if side == "not below":
        verdict = AGREES if (upper >= 0).all() else DIFFERS
    elif side == "equal":
        verdict = NO_DIFFERENCE if ((lower <= 0) & (upper >= 0)).all() else DIFFERS
    else:
        verdict = AGREES if (lower > 0).all() else DIFFERS if (upper < 0).all() else OPEN
    agree, word = int((lower > 0).sum()), "below" if side == "below" else "above"
    found = f"{value:+.3f} on average, intervals {low:+.3f} to {high:+.3f}; {word} 0 in {agree} of {len(rows)}"
    numbers = {"value": value, "lower": low, "upper": high, "n_agree": agree, "n": len(rows)}
    return {**numbers, "verdict": verdict, "found": found}


def _mean_improvement(rows):
    """The mean ratio over regions, with Student's interval over subjects, against the paper's 10 %."""
    subjects = rows.dropna(subset="value").groupby("subject").value.mean()
    mean, (lower, upper) = subjects.mean(), t_interval(subjects)
    interval = f", {100 * lower:.0f} to {100 * upper:.0f} % over {len(subjects)} subjects" if lower == lower else ""
    return {"metric": "improvement", "value": mean, "lower": lower, "upper": upper,
            "found": _percent(mean, f"on average{interval}"),
            "verdict": AGREES if lower > 0.1 else DIFFERS if upper < 0.1 else OPEN}  # fmt: skip


def _maximum(rows):
    value = rows.value.max()
    return {"value": value, "found": _percent(value, "at most"), "verdict": "a size, not a direction"}


def _percent(value, words):
    return f"{100 * value:.0f} % {words}" if value == value else "no reference clearly above 0"


def _few_below(rows):
    """At most two cases (subject and region) below CORnet, in V4 and LOC, and none below Control."""
    means = rows.groupby(["reference", "subject", "roi"]).value.mean()
    cornet, control = ([f"{s} {r}" for (s, r), v in means[name].items() if v < 0] for name in ("cornet", "control"))
    allowed = len(cornet) <= 2 and all(case.endswith((" V4", " LOC")) for case in cornet) and not control
    found = f"below CORnet: {', '.join(cornet) or 'none'}; below Control: {', '.join(control) or 'none'}"
    return {"found": found, "verdict": AGREES if allowed else DIFFERS}


def _same_order(rows):
    """The same order of the networks in both curves."""
    means = rows.groupby(["curve", "trained_on"]).value.mean().sort_values(ascending=False)
    order = {curve.split(",")[0]: ", ".join(means[curve].index) for curve in rows.curve.unique()}
    found = "; ".join(f"{curve}: {names}" for curve, names in order.items())
    return {"found": found, "verdict": OPEN if len(set(order.values())) > 1 else AGREES} if len(order) > 1 else {}


def _over_time(rows):
    """In every layer some times closer with p < .05; differs if a layer is only farther."""
    hits = rows.assign(closer=(rows.p < 0.05) & (rows.value > 0), farther=(rows.p < 0.05) & (rows.value < 0))
    hits = hits.groupby(["model", "layer"], sort=False)[["closer", "farther"]].sum()
    counts = hits.closer.groupby("model").agg(lambda n: ", ".join(f"{layer} {k}" for (_, layer), k in n.items()))
    shuffled = f" (shuffled: {counts['shuffled']})" if "shuffled" in counts else ""
    closer, farther = hits.loc["realnet"].closer, hits.loc["realnet"].farther
    return {"found": f"times of {rows.time.nunique()} with p < .05: {counts['realnet']}{shuffled}",
            "verdict": AGREES if (closer > 0).all() else DIFFERS if ((farther > 0) & (closer == 0)).any() else OPEN,
            "n_agree": int((closer > 0).sum()), "n": len(closer)}  # fmt: skip


def _largest_gain(rows, layers):
    """Whether the gain (of the three strongest dimensions) is largest in these layers."""
    top = top_dimensions(rows) if "dimension" in rows else []
    means = (rows[rows.dimension.isin(top)] if top else rows).groupby(["model", "layer"]).value.mean()
    gain = (means["realnet"] - means.get("cornet", 0)).sort_values(ascending=False)
    found = ", ".join(f"{layer} {value:+.3f}" for layer, value in gain.items())
    found += f" (mean of {', '.join(top)})" if top else ""
    return {"found": found, "verdict": AGREES if set(gain.index[: len(layers)]) == layers else DIFFERS}


def _strongest(rows):
    """Whether the strongest dimensions are those of the paper that the objects of the study have."""
    top, named = top_dimensions(rows, n=5), ("food", "animal", "artificial", "electronic", "body part")
    known = [word for word in named if any(word in name for name in rows.dimension.unique())]
    verdict = AGREES if all(any(word in name for name in top) for word in known) else DIFFERS
    return {"found": ", ".join(top), "verdict": verdict if known else ABSENT}


def _list(rows):
    found = ", ".join(f"{row.dimension} {row.value:+.3f}" for row in rows.nlargest(3, "value").itertuples())
    return {"found": found or "none", "verdict": "a list, not a direction"}


def _falls_with_beta(rows):
    rows = rows.sort_values("beta")
    steps = np.diff(rows.value)
    found = ", ".join(f"beta {row.beta:g} {row.value:+.3f}" for row in rows.itertuples()) + " against CORnet"
    verdict = AGREES if (steps <= 0).all() else DIFFERS if (steps > 0).all() else OPEN
    return {"found": found, "verdict": verdict} if len(steps) else {}


#: ``judge`` of the claims that are not judged by intervals of differences.
JUDGES = {
    "mean above 10 %": _mean_improvement, "maximum": _maximum, "few below": _few_below, "same order": _same_order,
    "p over time": _over_time, "largest in V4 IT": lambda rows: _largest_gain(rows, {"V4", "IT"}),
    "largest in IT": lambda rows: _largest_gain(rows, {"IT"}), "strongest": _strongest, "list": _list,
    "falls with beta": _falls_with_beta,
}  # fmt: skip
