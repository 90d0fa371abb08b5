"""Chapter 13: what the paper reports, beside what this run has found.

Every claim is a function of the study's tables that gives what was found and how it compares. Where a claim is about a
difference an interval decides: a claim that something rises agrees when its interval lies above 0, differs when it lies
below, and is open otherwise; where people are shown one by one, all of them must agree. Claims about the EEG are
decided by p over time, those about an order or a size by point estimates; ``decided_by`` says which.
"""

import numpy as np
import pandas as pd

from realnet.analyses.common import t_interval
from realnet.analyses.fmri import own_subject
from realnet.io import load_table

AGREES, DIFFERS, OPEN, ABSENT = "agrees", "differs", "open", "not in this study"
NO_DIFFERENCE = "no difference found"  # which is not the same as none

#: ``decided_by``: what a verdict stands on.
INTERVAL, POINT, OVER_TIME = "interval", "point estimates", "p over time"

#: Dimensions of THINGS that the paper names as strong, by a word that is in their published label alone.
STRONG = ("food", "animal", "artificial", "electronic", "body part")


def compare_with_paper(study):
    """Every number and direction of the paper, beside what the tables of this study hold.

    Returns
    -------
    DataFrame
        ``figure`` and ``paper`` (what it reports), ``found`` (in words, with intervals), ``value lower upper`` of the
        quantity that decides, ``n_agree`` of ``n`` cases, ``verdict`` (agrees, differs, open, no difference found, not
        in this study), ``decided_by`` (interval, point estimates, p over time) and ``dataset``.
    """
    rows = [
        *_own_fmri(study),
        *_other_fmri(study),
        *_eeg(study),
        *_dimensions(study),
        *_betas(study),
        *_behavior(study),
    ]
    return pd.DataFrame(rows)


def decide(lower, upper):
    """``agrees`` where all intervals lie above 0, ``differs`` where all lie below, else ``open``."""
    lower, upper = np.atleast_1d(lower), np.atleast_1d(upper)
    if not len(lower):
        return ABSENT
    if (lower > 0).all():
        return AGREES
    return DIFFERS if (upper < 0).all() else OPEN


def _row(figure, paper, dataset, rows=None, verdict=None, found=None, by=INTERVAL, falls=False, **numbers):
    """One claim; ``rows`` are those whose intervals decide, one a person, network or layer; ``falls``: below 0."""
    row = {"figure": figure, "paper": paper, "dataset": dataset, "metric": "difference", "decided_by": by}
    if rows is not None and len(rows):
        agree = int(((rows.upper < 0) if falls else (rows.lower > 0)).sum())
        row |= {"value": rows.value.mean(), "lower": rows.lower.min(), "upper": rows.upper.max(), "n_agree": agree,
                "n": len(rows)}  # fmt: skip
        words = f"{rows.value.mean():+.3f} on average, intervals {rows.lower.min():+.3f} to {rows.upper.max():+.3f}"
        ends = (-rows.upper, -rows.lower) if falls else (rows.lower, rows.upper)
        side = "below" if falls else "above"
        row |= {"verdict": decide(*ends), "found": f"{words}; {side} 0 in {agree} of {len(rows)}"}
    if rows is None or len(rows):
        row |= numbers | {key: text for key, text in (("verdict", verdict), ("found", found)) if text}
    row = {"verdict": ABSENT, "found": ABSENT} | row
    return row | ({"decided_by": ""} if row["verdict"] == ABSENT else {})


def _differences(table, roi="mean", metric="difference", **where):
    """Rows of differences of ReAlnets that meet ``where``."""
    rows = table[(table.metric == metric) & (table.model == "realnet")]
    for column, wanted in {"roi": roi, **where}.items():
        rows = rows[rows[column].isin(wanted if isinstance(wanted, tuple) else (wanted,))]
    return rows


def _own_fmri(study):
    own = own_subject(load_table(study, "fmri_within_subject"))
    name, rows = study.fmri.dataset, []
    for reference, label in (("cornet", "CORnet"), ("control", "Control")):
        part = _differences(own, reference=reference, stimulus_set="natural")
        rows.append(_row("1B", f"own subject, natural images: closer than {label}", name, part))
        same = _differences(own, metric="layer_difference", layer="mean", reference=reference, stimulus_set="natural")
        rows.append(_row("1B", f"... than {label} at the same layer, mean over layers (not in the paper)", name, same))
    ratio = own[(own.metric == "improvement") & (own.model == "realnet") & (own.stimulus_set == "natural")]
    ratio = ratio[(ratio.roi != "mean") & (ratio.reference == "cornet")].dropna(subset="value")
    rows.append(_mean_improvement(ratio, name))
    found = _percent(ratio.value.max(), "at most")
    rows.append(_row("1C", "improvement over CORnet of 43 % at most", name, found=found, by=POINT,
                     value=ratio.value.max(), verdict="a size, not a direction"))  # fmt: skip
    regions, below = tuple(study.fmri.rois), {}
    for reference in ("cornet", "control"):
        part = _differences(own, regions, reference=reference, stimulus_set="natural")
        means = part.groupby(["subject", "roi"]).value.mean()  # over seeds
        below[reference] = [f"{subject} {roi}" for (subject, roi), value in means.items() if value < 0]
    found = (
        f"below CORnet: {', '.join(below['cornet']) or 'none'}; below Control: {', '.join(below['control']) or 'none'}"
    )
    allowed = all(case.split()[-1] in ("V4", "LOC") for case in below["cornet"]) and len(below["cornet"]) <= 2
    rows.append(_row("1B", "below CORnet in one or two cases of V4 and LOC, never below Control", name, found=found,
                     by=POINT, verdict=AGREES if allowed and not below["control"] else DIFFERS))  # fmt: skip
    early = tuple(roi for roi in regions if roi != "LOC")
    for figure, images in (("2A", "shapes"), ("2B", "letters")):
        part = _differences(own, early, stimulus_set=images)
        rows.append(_row(figure, f"own subject, {images}: closer in V1 to V4", name, part))
    return rows


def _other_fmri(study):
    name, rows = "horikawa2017", []
    if not study.fmri.other_subjects:
        return [_row("3A", "other people: closer", name, rows=())]
    others = load_table(study, "fmri_across_subjects")
    mean = others[others.subject == "mean"]
    for reference, label in (("cornet", "CORnet"), ("control", "Control")):
        rows.append(_row("3A", f"other people: closer than {label}", name, _differences(mean, reference=reference)))
        same = _differences(mean, metric="layer_difference", layer="mean", reference=reference)
        rows.append(_row("3A", f"... than {label} at the same layer, mean over layers (not in the paper)", name, same))
    part = _differences(mean, "LOC", reference="control")
    rows.append(_row("3A", "other people, LOC: still above Control", name, part))
    own = own_subject(load_table(study, "fmri_within_subject"))
    order = [
        _differences(table, reference="control", stimulus_set="natural").groupby("trained_on").value.mean()
        for table in (own, mean)
    ]
    first, second = (list(values.sort_values(ascending=False).index) for values in order)
    found = f"own subject: {', '.join(first)}; other people: {', '.join(second)}"
    verdict = AGREES if first == second else OPEN
    rows.append(_row("3B", "the ReAlnets have the same order in both datasets", name, found=found, verdict=verdict,
                     by=POINT))  # fmt: skip
    return rows


def _eeg(study):
    name = "things_eeg2"
    if not study.eeg.subjects:
        return [_row("4A", "EEG: closer in all four layers", name, rows=())]
    eeg = load_table(study, "eeg")
    eeg = eeg[eeg.metric == "difference"]
    rows = []
    for reference, label in (("cornet", "CORnet"), ("control", "Control")):
        times = {model: eeg[(eeg.reference == reference) & (eeg.model == model)] for model in ("realnet", "shuffled")}
        closer, farther = (_significant_times(times["realnet"], sign) for sign in (1, -1))
        n_times = times["realnet"].time.nunique()
        found = f"times of {n_times} with p < .05: " + _counts(closer)
        found += (
            f" (null networks: {_counts(_significant_times(times['shuffled'], 1))})" if len(times["shuffled"]) else ""
        )
        worse = ((farther > 0) & (closer == 0)).any()
        rows.append(_row("4A", f"EEG: closer than {label} in all four layers", name, found=found, by=OVER_TIME,
                         verdict=AGREES if (closer > 0).all() else DIFFERS if worse else OPEN,
                         n_agree=int((closer > 0).sum()), n=len(closer)))  # fmt: skip
    gain = eeg[eeg.model == "realnet"].groupby("layer").value.mean().sort_values(ascending=False)
    found = ", ".join(f"{layer} {value:+.3f}" for layer, value in gain.items())
    rows.append(_row("4B", "the largest gain in V4 and IT", name, found=found, by=POINT,
                     verdict=AGREES if set(gain.index[:2]) == {"V4", "IT"} else DIFFERS))  # fmt: skip
    return rows


def _dimensions(study):
    name = "things_dimensions"
    if not study.eeg.subjects:
        return [_row("5B", "dimensions that rise", name, rows=())]
    table = load_table(study, "object_dimensions")
    partial = table[(table.metric == "partial_rho2") & (table.model == "realnet")]
    strongest = partial[partial.layer == "IT"].groupby("dimension").value.mean().nlargest(5)
    changes = table[(table.metric == "difference") & (table.model == "realnet") & (table.reference == "cornet")]
    changes = changes.set_index("dimension")
    rows = [_row("5A", "strong in IT: food, animal, artificial/hard, electronics, body parts", name,
                 found=", ".join(strongest.index), by=POINT,
                 verdict=_same_names(strongest.index, partial.dimension.unique()))]  # fmt: skip
    for word, sign in (("food", 1), ("artificial", 1), ("electronic", 1), ("animal", -1)):
        claim = f"{word}: {'rises' if sign > 0 else 'falls'} in IT against CORnet"
        part = changes[changes.index.str.contains(word, case=False)].head(1)
        rows.append(_row("5B", claim, name, part, falls=sign < 0))
    up = changes[(changes.p < 0.05) & (changes.lower > 0)].value.nlargest(3)
    rows.append(_row("5B", "which dimensions rise most", name, verdict="a list, not a direction",
                     found=", ".join(f"{d} {v:+.3f}" for d, v in up.items()) or "none"))  # fmt: skip
    top = list(strongest.index[:3])
    both = table[(table.metric == "partial_rho2") & table.dimension.isin(top)]
    gain = both[both.model == "realnet"].groupby("layer").value.mean()
    gain = (gain - both[both.model == "cornet"].groupby("layer").value.mean()).sort_values(ascending=False)
    found = ", ".join(f"{layer} {value:+.3f}" for layer, value in gain.items()) + f" (mean of {', '.join(top)})"
    rows.append(_row("5D", "the three strongest dimensions rise most in IT", name, found=found, by=POINT,
                     verdict=AGREES if gain.index[0] == "IT" else DIFFERS))  # fmt: skip
    return rows


def _betas(study):
    """Supplement S2-S13: the same pattern at the other betas."""
    curve = load_table(study, "beta_sweep")
    rows = []
    for beta in study.training.betas:
        part = curve[(curve.beta == beta) & curve.curve.isin(["own subject, natural", "other people, natural"])]
        if beta != study.training.main_beta:
            claim = f"beta {beta:g}: fMRI of own and other people, natural images, the same pattern"
            rows.append(_row("S2-S13", claim, study.fmri.dataset, part))
    return rows or [_row("S2-S13", "the same pattern at other betas", study.fmri.dataset, rows=())]


def _behavior(study):
    """Supplement S1: accuracy and error consistency, one row a claim; people simulated or real as the study's."""
    table = load_table(study, "behavior")
    # of a study without ImageNet's pictures or without people's decisions these columns are absent
    table = table.reindex(columns=table.columns.union(["condition", "lower", "people", "reference", "upper"]))
    table = table[(table.model == "realnet") & (table.trained_on == "mean")]
    top1 = table[table.metric == "top1_difference"]  # no people in it
    kappa = table[(table.metric == "kappa_difference") & (table.subject == "mean") & (table.condition == "mean")]
    kappa = kappa[kappa.people == ("simulated" if study.simulated else "real")]
    rows = []
    like_cornet = kappa[(kappa.reference == "cornet") & (kappa.beta > 10)]
    like_control = kappa[kappa.reference == "control"]
    for claim, part, judge, dataset in (
        ("accuracy hardly below Control", top1[top1.reference == "control"], _not_below, "imagenet"),
        ("errors as consistent with people's as CORnet's (beta above 10)", like_cornet, _equal, "geirhos2021"),
        ("errors more consistent with people's than Control's", like_control, decide, "geirhos2021"),
    ):
        rows.append(_row("S1", claim, dataset, part, verdict=judge(part.lower, part.upper)))
    by_beta = top1[top1.reference == "cornet"].sort_values("beta")
    found = ", ".join(f"beta {row.beta:g} {row.value:+.3f}" for row in by_beta.itertuples())
    steps = np.diff(by_beta.value)
    verdict = AGREES if (steps <= 0).all() else DIFFERS if (steps > 0).all() else OPEN
    several = {"found": f"{found} against CORnet", "verdict": verdict} if len(steps) else {"rows": ()}
    rows.append(_row("S1", "accuracy drops a little with beta", "imagenet", by=POINT, **several))
    return rows


def _mean_improvement(ratio, dataset):
    """The mean ratio over regions, with Student's interval over people, against the paper's 10 %."""
    people = ratio.groupby("subject").value.mean()
    mean, (lower, upper) = people.mean(), t_interval(people)
    found = _percent(mean, "on average")
    if lower == lower:
        found += f", {100 * lower:.0f} to {100 * upper:.0f} % over {len(people)} people"
    verdict = AGREES if lower > 0.1 else DIFFERS if upper < 0.1 else OPEN
    return _row("1C", "improvement over CORnet above 10 % on average", dataset, found=found, verdict=verdict,
                value=mean, lower=lower, upper=upper, metric="improvement")  # fmt: skip


def _significant_times(rows, sign):
    """In each layer the number of times with p < .05 on one side of 0."""
    return rows.assign(hit=(rows.p < 0.05) & (sign * rows.value > 0)).groupby("layer", sort=False).hit.sum()


def _counts(counts):
    return ", ".join(f"{layer} {count}" for layer, count in counts.items())


def _not_below(lower, upper):
    """Agrees where no interval lies below 0."""
    return ABSENT if not len(lower) else (AGREES if (upper >= 0).all() else DIFFERS)


def _equal(lower, upper):
    """No difference found where every interval holds 0; differs where one does not."""
    return ABSENT if not len(lower) else (NO_DIFFERENCE if ((lower <= 0) & (upper >= 0)).all() else DIFFERS)


def _percent(value, words):
    return f"{100 * value:.0f} % {words}" if value == value else "no reference clearly above 0"


def _same_names(strongest, known):
    """Whether the strongest dimensions are the paper's; a study whose objects have none of those cannot say."""
    there = [word for word in STRONG if any(word in name for name in known)]
    if not there:
        return ABSENT
    return AGREES if all(any(word in name for name in strongest) for word in there) else DIFFERS
