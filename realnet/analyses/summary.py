"""The landing page: the findings of a study in one table; and the sentences with which chapters answer in short."""

import pandas as pd

from realnet.analyses.fmri import own_subject
from realnet.io import load_table

#: Question -> words of the landing page.
WORDING = {
    "other subjects, natural": "Closer to the fMRI of other subjects?",
    "eeg": "Closer to the EEG in layer IT?",
    "dimensions": "Dimensions that rise most in IT",
}
COLUMNS = {"cornet": "minus CORnet", "control": "minus Control", "shuffled": "minus shuffled",
           "shuffled_within": "minus shuffled within categories"}  # fmt: skip


def summary_table(study):
    """The findings of a study, one row per question and reference.

    Returns a DataFrame: ``question reference metric value lower upper p detail``. ``difference``: ReAlnet minus the
    reference, with an interval over images, subjects and seeds; ``found`` of ``n``: subjects or networks whose
    interval, or times or dimensions whose corrected p, shows a gain. ``share``: what networks trained on shuffled pairs
    gain over Control, divided by what ReAlnet gains.
    """
    rows = []
    if study.fmri.subjects:
        within = load_table(study, "fmri_within_subject")
        for name in study.fmri.test_sets:
            rows += _fmri(own_subject(within[within.stimulus_set == name]), f"own subject, {name}")
    if study.fmri.other_subjects:
        across = load_table(study, "fmri_across_subjects")
        rows += _fmri(across[across.subject == "mean"], "other subjects, natural")
    if study.eeg.subjects:
        eeg, dimensions = load_table(study, "eeg"), load_table(study, "object_dimensions")
        for layer, part in eeg.groupby("layer"):
            means, cases = part[part.metric.isin(["window_difference", "share"])], part[part.metric == "difference"]
            rows += _rows(means, cases, "eeg" if layer == "IT" else f"eeg, {layer}", "times")
        rows += _dimensions(dimensions)
    return pd.DataFrame(rows)


def _fmri(table, question):
    """Rows of the mean over regions, each network at its best layer."""
    chosen = table[(table.roi == "mean") & table.metric.isin(["difference", "share"])]
    means = chosen[chosen.trained_on == "mean"]
    return _rows(means, chosen[(chosen.trained_on != "mean") & (chosen.metric == "difference")], question, "networks")


def left_out(study):
    """What a study leaves out and why: list of sentences for the landing page."""
    sentences = []
    if not study.trains:
        why = "none were released, so that what ReAlnet gains over CORnet may come from any further training"
        sentences.append(f"Control and networks trained on shuffled pairs: {why}")
    if study.fmri.subjects and "natural" not in study.fmri.test_sets:
        sentences.append("figures 1 and 3: the natural images are given on request, and join once they are placed")
    chapters = [name for name in study.left_out if name > "01"]  # 00: simulated data
    return sentences + [f"chapters: {', '.join(chapters)}"] * bool(chapters)


def _rows(means, cases, question, unit):
    """One row per reference of ReAlnet, and the share of networks trained on shuffled pairs."""
    rows = []
    for row in means[(means.model == "realnet") & (means.metric != "share")].itertuples():
        of = cases[(cases.model == "realnet") & (cases.reference == row.reference)]
        found = int(((of.lower > 0) if unit == "networks" else (of.value > 0) & (of.p_corrected < 0.05)).sum())
        counted = f"; {found} of {len(of)} {unit}" if len(of) > 1 else ""  # one is the mean itself
        detail = interval(row) + counted
        rows.append(_row(question, row, "difference", detail) | {"found": found, "n": len(of)})
    shares = means[(means.metric == "share") & (means.model == "shuffled") & (means.reference == "control")]
    for row in shares.itertuples():
        known = row.value == row.value
        detail = f"{row.value:.0%} [{row.lower:.0%}, {row.upper:.0%}]" if known else "ReAlnet has no clear gain"
        rows.append(_row(question, row, "share", detail))
    return rows


def _row(question, row, metric, detail):
    numbers = {name: getattr(row, name) for name in ("reference", "value", "lower", "upper", "p", "n_seeds")}
    return {"question": question, "metric": metric, **numbers, "detail": detail}


def _dimensions(table):
    """The two dimensions that rise most in IT, and how many rise after correction over all."""
    for _, part in table[(table.metric == "difference") & (table.model == "realnet")].groupby("reference"):
        part = part.sort_values("value", ascending=False)
        detail = ", ".join(f"{row.dimension} {row.value:+.3f}" for row in part.head(2).itertuples())
        found = int(((part.value > 0) & (part.p_corrected < 0.05)).sum())
        first = _row("dimensions", next(part.itertuples()), "difference", f"{detail}; {found} of {len(part)} rise")
        yield first | {"found": found, "n": len(part)}


def readable(summary, truth=None):
    """The summary as the landing page shows it: one row per question, one column per reference.

    Parameters
    ----------
    summary : DataFrame of :func:`summary_table`
    truth : dict, optional
        ``effects`` (columns ``effect planted``) and ``dimensions`` (``dimension beyond_categories``) of the simulated
        data; adds the column ``planted``.
    """
    own = {name: f"Closer to the subject it is aligned with? ({name.removeprefix('own subject, ')})"
           for name in summary.question if name.startswith("own subject, ")}  # fmt: skip
    wording = {name: (own | WORDING)[name] for name in summary.question if name in own | WORDING}
    column = summary.reference.map(COLUMNS).where(summary.metric == "difference", "gained without a brain (share)")
    table = summary.assign(column=column).pivot(index="question", columns="column", values="detail").loc[list(wording)]
    order = [name for name in [*COLUMNS.values(), "gained without a brain (share)"] if name in table]
    table = table[order].rename_axis(columns=None).fillna("")
    if truth is not None:
        planted = truth["effects"].set_index("effect").planted.map({True: "yes", False: "no"})
        planted["dimensions"] = " and ".join(truth["dimensions"].query("beyond_categories").dimension) or "none"
        table["planted"] = [planted[question.split(",")[0]] for question in table.index]
    return table.rename(index=wording).rename_axis("question")


def interval(row):
    """A value with its interval, in words: ``+0.044 [+0.008, +0.080]``."""
    return f"{row.value:+.3f} [{row.lower:+.3f}, {row.upper:+.3f}]"


def differences(rows):
    """ReAlnet minus each reference with its interval, in words: ``+0.044 [+0.008, +0.080] minus CORnet; ...``.

    ``rows``: columns ``reference value lower upper n_seeds``, one row per reference.
    """
    parts = [
        f"{row.value:+.3f} [{row.lower:+.3f}, {row.upper:+.3f}] {COLUMNS[row.reference]}" for row in rows.itertuples()
    ]
    return "; ".join(parts) + (" (of one training)" if (rows.n_seeds == 1).any() else "")


def verdict(rows):
    """Whether ReAlnet is above every reference by its interval, and :func:`differences`."""
    clear = rows.lower > 0
    answer = "Not shown" if not clear.any() else "Yes" if clear.all() else "In part"
    return f"{answer}: {differences(rows)}"


def in_short(answer, look_at, mind):
    """The answer of a chapter as Markdown, with what to look at and what to keep in mind; first in the book's page."""
    return f"{answer}\n\nLook at: {look_at}.\n\nKeep in mind: {mind}."
