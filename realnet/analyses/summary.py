"""The landing page: the findings of a study in one table, beside the planted truth if the data are simulated."""

import numpy as np
import pandas as pd

from realnet.analyses import REFERENCES
from realnet.analyses.fmri import own_subject
from realnet.io import load_table

#: Question -> words of the landing page.
WORDING = {
    "own subject, natural": "Closer to the subject it was trained on? (natural images)",
    "own subject, shapes": "... with artificial shapes",
    "shuffled": "Gain of networks trained on shuffled pairs",
    "other subjects, natural": "Closer to the fMRI of other subjects?",
    "eeg": "Closer to the EEG of other subjects in layer IT?",
    "dimensions": "Dimensions that rise most in IT",
}


def summary_table(study):
    """The findings of a study, one row per question and reference.

    Returns
    -------
    DataFrame
        ``question reference metric value detail``, and ``found`` of ``n`` (subjects, networks, times or dimensions).
    """
    rows, mean = [], "metric == 'difference' and roi == 'mean' and reference == @reference"
    for reference in REFERENCES:
        own = own_subject(load_table(study, "fmri_within_subject")).query(mean)
        rows += [_closer(own, reference, "own subject", name) for name in study.fmri.test_sets]
        rows.append(_shuffled_share(own, reference))
        if study.fmri.other_subjects:
            others = load_table(study, "fmri_across_subjects").query(f"{mean} and subject == 'mean'")
            rows.append(_closer(others, reference, "other subjects", "natural"))
        if study.eeg.subjects:
            chosen = "metric == 'difference' and model == 'realnet' and reference == @reference"
            rows += _eeg_rows(load_table(study, "eeg").query(chosen), reference)
            rows.append(_dimensions(load_table(study, "object_dimensions").query(chosen), reference))
    return pd.DataFrame(rows, columns=["question", "reference", "metric", "value", "found", "n", "detail"])


def readable(summary, truth=None):
    """The summary as the landing page shows it: one row per question, one column per reference.

    Parameters
    ----------
    summary : DataFrame of :func:`summary_table`
    truth : dict, optional
        ``dimensions``: DataFrame with columns ``dimension beyond_categories``; adds the column ``planted``.
    """
    own = {name: f"... with {name.split(', ')[1]}" for name in summary.question if name.startswith("own subject, ")}
    wording = {name: (own | WORDING)[name] for name in summary.question if name in own | WORDING}
    table = summary.pivot(index="question", columns="reference", values="detail").loc[list(wording), list(REFERENCES)]
    table.columns = ["ReAlnet against CORnet", "ReAlnet against Control"]
    if truth is not None:
        planted = dict.fromkeys(wording, "yes: all subjects share their sources")
        planted |= dict.fromkeys(own.keys() - {"own subject, natural"}, "not planted: unlike the training images")
        planted["shuffled"] = "none: images and responses do not belong together"
        planted["dimensions"] = " and ".join(truth["dimensions"].query("beyond_categories").dimension)
        table["planted"] = pd.Series(planted)
    return table.rename(index=wording).rename_axis("question")


def _closer(rows, reference, question, stimulus_set):
    """For how many subjects (or networks) the interval of the difference is above 0."""
    rows = rows[(rows.model == "realnet") & (rows.stimulus_set == stimulus_set)]
    found, values = int((rows.lower > 0).sum()), rows.value
    detail = f"{found} of {len(rows)}; {values.mean():+.3f} on average ({values.min():+.3f} to {values.max():+.3f})"
    return f"{question}, {stimulus_set}", reference, "difference", values.mean(), found, len(rows), detail


def _shuffled_share(own, reference):
    """The gain of networks trained on shuffled pairs as a share of ReAlnet's (natural images); found: below 25 %."""
    gain = own[own.stimulus_set == "natural"].groupby("model").value.mean()
    if "shuffled" not in gain:
        return "shuffled", reference, "share", np.nan, np.nan, np.nan, "not trained"
    share = gain["shuffled"] / gain["realnet"]
    detail = f"{gain['shuffled']:+.3f}, {share:.0%} of ReAlnet's"
    return "shuffled", reference, "share", share, int(share < 0.25), 1, detail


def _eeg_rows(rows, reference):
    """At how many times each layer is significantly closer."""
    for layer, times in rows.groupby("layer"):
        closer, most = times[(times.p < 0.05) & (times.value > 0)], times.value.max()
        when = f", {1000 * closer.time.min():.0f} to {1000 * closer.time.max():.0f} ms" if len(closer) else ""
        detail = f"{len(closer)} of {len(times)} times{when}; {most:+.3f} at most"
        name = "eeg" if layer == "IT" else f"eeg, {layer}"
        yield name, reference, "difference", most, len(closer), len(times), detail


def _dimensions(rows, reference):
    """The two dimensions that rise most in IT, and how many have an interval above 0."""
    rows = rows.sort_values("value", ascending=False)
    detail = ", ".join(f"{row.dimension} {row.value:+.3f}" for row in rows.head(2).itertuples())
    found = int(((rows.lower > 0) & (rows.p < 0.05)).sum())
    return "dimensions", reference, "difference", rows.value.iloc[0], found, len(rows), detail
