"""The landing page: what was found, in one table, beside what was planted where the people are simulated."""

import pandas as pd

from realnet.analyses.common import REFERENCES
from realnet.analyses.fmri import own_subject
from realnet.io import load_table

#: Below this share of ReAlnet's gain, what the null network gains is called small.
NULL_SHARE = 0.25


def summary_table(study):
    """The findings of a study, one row a question and reference.

    Returns
    -------
    DataFrame
        ``question``, ``reference``, ``metric`` (what ``value`` is), ``value``, ``found`` of ``n`` (people, networks or
        times that show it) and ``detail``.
    """
    own = _mean_differences(own_subject(load_table(study, "fmri_within_subject")))
    rows = []
    for reference in REFERENCES:
        for stimulus_set in study.fmri.test_sets:
            rows.append(_closer(own, reference, "own subject", stimulus_set))
        rows.append(_null_share(own, reference))
        if study.fmri.other_subjects:
            others = _mean_differences(load_table(study, "fmri_across_subjects"))
            rows.append(_closer(others[others.subject == "mean"], reference, "other people", "natural"))
        if study.eeg.subjects:
            rows += _eeg_rows(load_table(study, "eeg"), reference)
            rows += _dimension_rows(load_table(study, "object_dimensions"), reference)
    return pd.DataFrame(rows)


def readable(summary, truth=None):
    """The summary as the landing page shows it: one row a question, one column a reference, and the planted truth.

    Parameters
    ----------
    summary : DataFrame
        From :func:`summary_table`.
    truth : dict of DataFrame, optional
        From :func:`simulation.read_truth`.
    """
    found = list(dict.fromkeys(summary.question))
    named = ("own subject, natural", "own subject, shapes", "own subject, letters")
    further = [question for question in found if question.startswith("own subject, ") and question not in named]
    wording = {
        "own subject, natural": "Closer to the brain that taught it? (natural images)",
        "own subject, shapes": "... with artificial shapes",
        "own subject, letters": "... with letters",
        **{question: f"... with {question.split(', ')[1]}" for question in further},
        "null networks": "Gain of networks trained on shuffled pairs",
        "other people, natural": "Closer to other people's fMRI?",
        "eeg": "Closer to other people's EEG in layer IT?",
        "dimensions": "Dimensions that rise most in IT",
    }
    wording = {question: words for question, words in wording.items() if question in found}
    table = summary[summary.question.isin(wording)].pivot(index="question", columns="reference", values="detail")
    table = table.reindex(list(wording))[list(REFERENCES)]
    table.columns = [f"ReAlnet against {'CORnet' if name == 'cornet' else 'Control'}" for name in REFERENCES]
    if truth is not None:
        beyond = truth["dimensions"].query("beyond_categories").dimension
        outside = "not planted: unlike the training images"
        planted = dict.fromkeys(wording, "yes: all people share their sources") | {
            "own subject, shapes": outside,
            "own subject, letters": outside,
            "null networks": "none: images and responses do not belong together",
            "dimensions": " and ".join(beyond),
        }
        table["planted"] = pd.Series(planted)
    return table.rename(index=wording).rename_axis("question")


def _mean_differences(table):
    """Rows of differences in the mean over regions."""
    return table[(table.metric == "difference") & (table.roi == "mean")]


def _closer(table, reference, question, stimulus_set):
    """In how many people (or networks) the interval of the difference lies above 0."""
    chosen = (table.model == "realnet") & (table.reference == reference) & (table.stimulus_set == stimulus_set)
    rows = table[chosen]
    found, n = int((rows.lower > 0).sum()), len(rows)
    detail = f"{found} of {n}; {rows.value.mean():+.3f} on average ({rows.value.min():+.3f} to {rows.value.max():+.3f})"
    return {"question": f"{question}, {stimulus_set}", "reference": reference, "metric": "difference",
            "value": rows.value.mean(), "found": found, "n": n, "detail": detail}  # fmt: skip


def _null_share(own, reference):
    """How much of ReAlnet's gain a network gains that was trained on shuffled pairs (natural images)."""
    rows = own[(own.reference == reference) & (own.stimulus_set == "natural")]
    gain = rows.groupby("model").value.mean()
    if "shuffled" not in gain:
        return {"question": "null networks", "reference": reference, "metric": "share", "detail": "not trained"}
    share = gain["shuffled"] / gain["realnet"]
    return {"question": "null networks", "reference": reference, "metric": "share", "value": share,
            "found": int(share < NULL_SHARE), "n": 1,
            "detail": f"{gain['shuffled']:+.3f}, {share:.0%} of ReAlnet's"}  # fmt: skip


def _eeg_rows(eeg, reference):
    """At how many times after the image each layer is significantly closer."""
    rows = eeg[(eeg.metric == "difference") & (eeg.model == "realnet") & (eeg.reference == reference)]
    result = []
    for layer, times in rows.groupby("layer"):
        closer = times[(times.p < 0.05) & (times.value > 0)]
        when = f", {1000 * closer.time.min():.0f} to {1000 * closer.time.max():.0f} ms" if len(closer) else ""
        detail = f"{len(closer)} of {len(times)} times{when}; {times.value.max():+.3f} at most"
        name = "eeg" if layer == "IT" else f"eeg, {layer}"
        result.append({"question": name, "reference": reference, "metric": "difference", "value": times.value.max(),
                       "found": len(closer), "n": len(times), "detail": detail})  # fmt: skip
    return result


def _dimension_rows(dimensions, reference):
    """Which dimensions rise most in IT, and whether their interval lies above 0."""
    rows = dimensions[(dimensions.metric == "difference") & (dimensions.model == "realnet")]
    rows = rows[rows.reference == reference].sort_values("value", ascending=False)
    top = rows.head(2)
    names = ", ".join(f"{name} {value:+.3f}" for name, value in zip(top.dimension, top.value, strict=True))
    return [{"question": "dimensions", "reference": reference, "metric": "difference", "value": top.value.iloc[0],
             "found": int(((rows.lower > 0) & (rows.p < 0.05)).sum()), "n": len(rows), "detail": names}]  # fmt: skip
