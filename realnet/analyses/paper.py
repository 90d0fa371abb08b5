"""Chapter 13: what the paper reports, beside what this run has found.

Every claim is a function of the study's tables that gives what was found and how it compares. An interval decides: a
claim that something rises agrees when its interval lies above 0, differs when it lies below, and is open otherwise;
where people are shown one by one, all of them must agree.
"""

import numpy as np
import pandas as pd

from realnet.analyses.fmri import own_subject
from realnet.results import load_table

AGREES, DIFFERS, OPEN, ABSENT = "agrees", "differs", "open", "not in this study"

#: Dimensions of THINGS that the paper names as strong, by a word that is in their published label alone.
STRONG = ("food", "animal", "artificial", "electronic", "body part")


def compare_with_paper(study):
    """Every number and direction of the paper, beside what the tables of this study hold.

    Returns
    -------
    DataFrame
        ``figure`` and ``paper`` (what it reports), ``found`` (in words, with intervals), ``value lower upper`` of the
        quantity that decides, ``n_agree`` of ``n`` cases, ``verdict`` (agrees, differs, open, not in this study) and
        ``dataset``.
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


def _row(figure, paper, dataset, rows=None, verdict=None, found=None, **numbers):
    """One claim; ``rows`` are those whose intervals decide, one a person, network or layer."""
    row = {"figure": figure, "paper": paper, "dataset": dataset, "metric": "difference"}
    if rows is not None and len(rows):
        above = int((rows.lower > 0).sum())
        row |= {"value": rows.value.mean(), "lower": rows.lower.min(), "upper": rows.upper.max(), "n_agree": above,
                "n": len(rows)}  # fmt: skip
        words = f"{rows.value.mean():+.3f} on average, intervals {rows.lower.min():+.3f} to {rows.upper.max():+.3f}"
        row |= {"verdict": decide(rows.lower, rows.upper), "found": f"{words}; above 0 in {above} of {len(rows)}"}
    if rows is None or len(rows):
        row |= numbers | {key: text for key, text in (("verdict", verdict), ("found", found)) if text}
    return {"verdict": ABSENT, "found": ABSENT} | row


def _differences(table, roi="mean", model="realnet", **where):
    """Rows of differences of ReAlnets that meet ``where``."""
    rows = table[(table.metric == "difference") & (table.model == model)]
    for column, wanted in {"roi": roi, **where}.items():
        rows = rows[rows[column].isin(wanted if isinstance(wanted, tuple) else (wanted,))]
    return rows


def _own_fmri(study):
    own = own_subject(load_table(study, "fmri_within_subject"))
    name, rows = study.fmri.dataset, []
    for reference, label in (("cornet", "CORnet"), ("control", "Control")):
        part = _differences(own, reference=reference, stimulus_set="natural")
        rows.append(_row("1B", f"own subject, natural images: closer than {label}", name, part))
    ratio = own[(own.metric == "improvement") & (own.model == "realnet") & (own.stimulus_set == "natural")]
    ratio = ratio[ratio.roi != "mean"].dropna(subset="value")
    rows.append(_row("1C", "improvement above 10 % on average", name, found=_percent(ratio.value.mean(), "on average"),
                     value=ratio.value.mean(), verdict=AGREES if ratio.value.mean() > 0.1 else DIFFERS))  # fmt: skip
    rows.append(_row("1C", "improvement of 43 % at most", name, found=_percent(ratio.value.max(), "at most"),
                     value=ratio.value.max(), verdict="a size, not a direction"))  # fmt: skip
    regions = tuple(study.fmri.rois)
    below = {
        reference: [
            f"{row.subject} {row.roi}"
            for row in _differences(own, regions, reference=reference, stimulus_set="natural").itertuples()
            if row.value < 0
        ]
        for reference in ("cornet", "control")
    }
    found = (
        f"below CORnet: {', '.join(below['cornet']) or 'none'}; below Control: {', '.join(below['control']) or 'none'}"
    )
    allowed = all(case.split()[-1] in ("V4", "LOC") for case in below["cornet"]) and len(below["cornet"]) <= 2
    rows.append(_row("1B", "below CORnet in one or two cases of V4 and LOC, never below Control", name, found=found,
                     verdict=AGREES if allowed and not below["control"] else DIFFERS))  # fmt: skip
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
    rows.append(_row("3B", "the ReAlnets have the same order in both datasets", name, found=found, verdict=verdict))
    return rows


def _eeg(study):
    name = "things_eeg2"
    if not study.eeg.subjects:
        return [_row("4A", "EEG: closer in all four layers", name, rows=())]
    eeg = load_table(study, "eeg")
    eeg = eeg[(eeg.metric == "difference") & (eeg.model == "realnet")]
    rows = []
    for reference, label in (("cornet", "CORnet"), ("control", "Control")):
        part = eeg[eeg.reference == reference].assign(closer=lambda t: (t.p < 0.05) & (t.value > 0))
        counts = part.groupby("layer", sort=False).closer.sum()
        n_times = part.time.nunique()
        found = "times with p < .05: " + ", ".join(f"{layer} {count} of {n_times}" for layer, count in counts.items())
        rows.append(_row("4A", f"EEG: closer than {label} in all four layers", name, found=found,
                         verdict=AGREES if (counts > 0).all() else DIFFERS, n_agree=int((counts > 0).sum()),
                         n=len(counts)))  # fmt: skip
    gain = eeg.groupby("layer").value.mean().sort_values(ascending=False)
    found = ", ".join(f"{layer} {value:+.3f}" for layer, value in gain.items())
    rows.append(_row("4B", "the largest gain in V4 and IT", name, found=found,
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
                 found=", ".join(strongest.index),
                 verdict=_same_names(strongest.index, partial.dimension.unique()))]  # fmt: skip
    for word, sign in (("food", 1), ("artificial", 1), ("electronic", 1), ("animal", -1)):
        claim = f"{word}: {'rises' if sign > 0 else 'falls'} in IT against CORnet"
        part = changes[changes.index.str.contains(word, case=False)].head(1)
        row = _row("5B", claim, name, part)
        rows.append(row | ({"verdict": decide(-part.upper, -part.lower)} if sign < 0 and len(part) else {}))
    up = changes[(changes.p < 0.05) & (changes.lower > 0)].value.nlargest(3)
    rows.append(_row("5B", "which dimensions rise most", name, verdict="a list, not a direction",
                     found=", ".join(f"{d} {v:+.3f}" for d, v in up.items()) or "none"))  # fmt: skip
    top = list(strongest.index[:3])
    both = table[(table.metric == "partial_rho2") & table.dimension.isin(top)]
    gain = both[both.model == "realnet"].groupby("layer").value.mean()
    gain = (gain - both[both.model == "cornet"].groupby("layer").value.mean()).sort_values(ascending=False)
    found = ", ".join(f"{layer} {value:+.3f}" for layer, value in gain.items()) + f" (mean of {', '.join(top)})"
    rows.append(_row("5D", "the three strongest dimensions rise most in IT", name, found=found,
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
    return rows


def _not_below(lower, upper):
    """Agrees where no interval lies below 0."""
    return ABSENT if not len(lower) else (AGREES if (upper >= 0).all() else DIFFERS)


def _equal(lower, upper):
    """Agrees where every interval holds 0: no difference was found, which is not the same as none."""
    return ABSENT if not len(lower) else (AGREES if ((lower <= 0) & (upper >= 0)).all() else DIFFERS)


def _percent(value, words):
    return f"{100 * value:.0f} % {words}" if value == value else "no reference clearly above 0"


def _same_names(strongest, known):
    """Whether the strongest dimensions are the paper's; a study whose objects have none of those cannot say."""
    there = [word for word in STRONG if any(word in name for name in known)]
    if not there:
        return ABSENT
    return AGREES if all(any(word in name for name in strongest) for word in there) else DIFFERS
