"""Chapter 13: what the paper reports, beside what this study has found.

``paper_claims.csv`` has one line per claim: a table of the study, the rows of it that the claim is about (``filter``, a
query of pandas) and how they are judged (``decided_by``): claims about differences by their interval, which generalises
over images, subjects and seeds; claims about an order by the probability that it holds, given the standard errors.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from realnet.analyses import kinds_of
from realnet.analyses.dimensions import top_dimensions
from realnet.io import MAKERS, load_table

AGREES, DIFFERS, OPEN, ABSENT = "agrees", "differs", "open", "not in this study"
SURE = 0.95  # probability from which an order is said to hold


def compare_with_paper(study):
    """Every number and direction of the paper, beside what the tables of this study contain.

    Returns a DataFrame: ``figure dataset paper`` (what it reports), ``found`` (in words), ``value lower upper`` of the
    quantity that decides, ``n_agree`` of ``n`` cases, ``verdict`` and ``decided_by`` (interval, probability, point
    estimates).
    """
    present = {*kinds_of(study.networks()), *study.stimulus_sets}
    betas = {f"{beta:g}": beta for beta in study.training.betas if beta != study.training.main_beta}
    betas = betas or {"other than the main one": np.nan}
    names = {"main_beta": study.training.main_beta, "people": "simulated" if study.simulated else "real"}
    optional = ["condition", "lower", "people", "reference", "upper"]  # not in every study's table of behaviour
    claims = pd.read_csv(Path(__file__).with_name("paper_claims.csv"), keep_default_na=False)
    made = [name for name in claims.table.unique() if MAKERS[name] not in study.left_out]
    tables = {name: load_table(study, name) for name in made}
    rows = []
    for claim in claims.itertuples():
        for words, beta in betas.items() if "{beta}" in claim.claim else [("", np.nan)]:
            row = {"verdict": ABSENT, "found": ABSENT, "figure": claim.figure, "paper": claim.claim.format(beta=words),
                   "dataset": claim.dataset or study.fmri.dataset, "metric": "difference",
                   "decided_by": claim.decided_by}  # fmt: skip
            named = re.findall(r"(?:reference|stimulus_set) == '(\w+)'", claim.filter)
            if claim.table in tables and present.issuperset(named):
                table = tables[claim.table]
                chosen = table.reindex(columns=table.columns.union(optional, sort=False))
                chosen = chosen.query(claim.filter, local_dict=names | {"beta": beta}, engine="python")
                row |= JUDGES[claim.judge](chosen) if claim.judge in JUDGES else judge_intervals(chosen, claim.judge)
            if row["verdict"] == ABSENT:
                row["decided_by"] = ""
            elif "'control'" in claim.filter and "control" not in present:
                row["found"] += "; against CORnet alone"
            rows.append(row)
    return pd.DataFrame(rows)


def judge_intervals(rows, side="above"):
    """The verdict on differences (columns ``value lower upper``) by their intervals, as a dict; empty without rows.

    ``side`` is what the paper claims about 0: "above", "below", or "first above": of row 1; "above 0.1" has another
    bound, "not below 0.02" and "equal 0.02" allow for a margin. The claim agrees if all intervals lie where it says,
    differs if all lie outside, and is open otherwise: a wide interval supports nothing.
    """
    rows, side = rows.head(1) if side.startswith("first ") else rows, side.removeprefix("first ")
    if rows.empty:
        return {}
    side, bound = side.rsplit(" ", 1) if side[-1].isdigit() else (side, "0")
    bound, lower, upper = float(bound), rows.lower, rows.upper
    inside, outside = {
        "above": (lower > bound, upper < bound), "below": (upper < -bound, lower > -bound),
        "not below": (lower > -bound, upper < -bound),
        "equal": ((lower > -bound) & (upper < bound), (lower > bound) | (upper < -bound)),
    }[side]  # fmt: skip
    value, low, high, agree = rows.value.mean(), lower.min(), upper.max(), int(inside.sum())
    found = f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
    found += f" on average and at the extremes; {agree} of {len(rows)} as claimed" if len(rows) > 1 else ""
    return {"value": value, "lower": low, "upper": high, "n_agree": agree, "n": len(rows), "found": found,
            "verdict": AGREES if inside.all() else DIFFERS if outside.all() else OPEN}  # fmt: skip


def judge_order(values, errors, holds, found):
    """The verdict on an order: the probability that it holds for normal values with these standard errors, as a dict.

    ``values``, ``errors``: arrays (n,), taken as independent; ``holds``: of draws (n_draws, n) -> bool (n_draws,).
    """
    values, errors = np.asarray(values, dtype=float), np.nan_to_num(np.asarray(errors, dtype=float))
    draws = values + errors * np.random.default_rng(0).standard_normal((10_000, len(values)))
    probability = float(np.mean(holds(draws)))
    verdict = AGREES if probability >= SURE else DIFFERS if probability <= 1 - SURE else OPEN
    return {"verdict": verdict, "value": probability, "metric": "probability",
            "found": f"{found} (the claim holds with a probability of {probability:.2f})"}  # fmt: skip


def _errors(rows):
    """Standard errors of values with 95 % intervals."""
    return (rows.upper - rows.lower) / 3.92


def _maximum(rows):
    value = rows.value.max()
    return {"value": value, "found": _percent(value, "at most"), "verdict": "a size, not a direction"}


def _percent(value, words):
    return f"{100 * value:.0f} % {words}" if value == value else "no reference clearly above 0"


def _few_below(rows):
    """At most two cases (subject and region) below CORnet, in V4 and LOC, and none below Control."""
    means = rows.groupby(["reference", "subject", "roi"]).value.mean()
    if not {"cornet", "control"} <= set(rows.reference):
        return {}
    cornet, control = ([f"{s} {r}" for (s, r), v in means[name].items() if v < 0] for name in ("cornet", "control"))
    allowed = len(cornet) <= 2 and all(case.endswith((" V4", " LOC")) for case in cornet) and not control
    # with no case below CORnet, half of the claim is not found
    verdict = DIFFERS if not allowed else AGREES if cornet else OPEN
    found = f"below CORnet: {', '.join(cornet) or 'none'}; below Control: {', '.join(control) or 'none'}"
    return {"found": found, "verdict": verdict}


def _same_order(rows):
    """The same order of the networks in both curves."""
    means = rows.assign(error=_errors(rows)).groupby(["curve", "trained_on"])[["value", "error"]].mean()
    curves = list(dict.fromkeys(rows.curve))
    if len(curves) < 2:
        return {}
    means, n = means.loc[curves], means.index.get_level_values("trained_on").nunique()
    order = {c.split(",")[0]: means.loc[c].value.sort_values(ascending=False).index for c in curves}
    found = "; ".join(f"{curve}: {', '.join(names)}" for curve, names in order.items())

    def holds(draws):
        first, second = draws[:, :n].argsort(axis=1), draws[:, n:].argsort(axis=1)
        return (first == second).all(axis=1)

    return judge_order(means.value, means.error, holds, found)


def _cluster_test(rows):
    """The paper's own test over time: how many times it marks."""
    hits = rows.assign(closer=(rows.p_cluster < 0.05) & (rows.value > 0)).groupby(["model", "layer"]).closer.sum()
    counts = {
        m: ", ".join(f"{layer} {k}" for layer, k in hits[m].items()) for m in ("realnet", "shuffled") if m in hits
    }
    found = f"times of {rows.time.nunique()} with p < .05: " + "; ".join(f"{m} {text}" for m, text in counts.items())
    return {"found": found, "verdict": "no evidence: the test also separates two Controls (chapter 11)"}


def _largest_gain(rows, layers):
    """Whether a gain over CORnet is largest in these layers: improvement, or in the dimensions that rise most."""
    if "dimension" in rows and rows.dimension.notna().any():
        top = top_dimensions(rows)
        rows = rows[(rows.metric == "partial_rho2") & rows.dimension.isin(top)]
        means = rows.groupby(["model", "trained_on", "seed", "layer"], dropna=False).value.mean().unstack("layer")
        gain = means.loc["realnet"] - (means.loc["cornet"].mean() if "cornet" in means.index else 0)
        gain, error, words = gain.mean(), gain.sem(), f" (mean of {', '.join(top)})"
    else:
        rows = rows.assign(error=_errors(rows)).groupby("layer")[["value", "error"]].mean().dropna()
        gain, error, words = rows.value, rows.error, ""
    if not set(layers) < set(gain.index):
        return {"verdict": OPEN, "found": "no reference clearly above 0 in some layer"}
    inside = gain.index.isin(layers)
    found = ", ".join(f"{layer} {value:+.3f}" for layer, value in gain.sort_values(ascending=False).items()) + words
    return judge_order(gain, error, lambda d: d[:, inside].min(axis=1) > d[:, ~inside].max(axis=1), found)


def _strongest(rows):
    """Whether the strongest dimensions are those of the paper that the objects of the study have."""
    named = ("food", "animal", "artificial", "electronic", "body part")
    means = rows.groupby("dimension").value.agg(["mean", "sem"]).sort_values("mean", ascending=False)
    known = [means.index.str.contains(word, case=False) for word in named]
    known = [mask for mask in known if mask.any()]
    if not known:
        return {"verdict": ABSENT, "found": ABSENT}

    def holds(draws):
        top = draws >= np.sort(draws, axis=1)[:, -min(5, draws.shape[1])][:, None]
        return np.all([top[:, mask].any(axis=1) for mask in known], axis=0)

    return judge_order(means["mean"], means["sem"], holds, ", ".join(means.index[:5]))


def _list(rows):
    found = ", ".join(f"{row.dimension} {row.value:+.3f}" for row in rows.nlargest(3, "value").itertuples())
    return {"found": found or "none", "verdict": "a list, not a direction"}


def _falls_with_beta(rows):
    rows = rows.sort_values("beta")
    found = ", ".join(f"beta {row.beta:g} {row.value:+.3f}" for row in rows.itertuples()) + " against CORnet"
    holds = lambda draws: (np.diff(draws, axis=1) <= 0).all(axis=1)  # noqa: E731
    return judge_order(rows.value, _errors(rows), holds, found) if len(rows) > 1 else {}


#: ``judge`` of the claims that are not judged by intervals of differences.
JUDGES = {
    "maximum": _maximum, "few below": _few_below, "same order": _same_order, "cluster test": _cluster_test,
    "largest in V4 IT": lambda rows: _largest_gain(rows, ["V4", "IT"]),
    "largest in IT": lambda rows: _largest_gain(rows, ["IT"]), "strongest": _strongest, "list": _list,
    "falls with beta": _falls_with_beta,
}  # fmt: skip
