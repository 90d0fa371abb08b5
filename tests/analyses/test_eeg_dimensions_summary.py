"""Chapters 05, 06 and the landing page: each number of the tables is the one that its columns name."""

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy.stats import rankdata, sem, spearmanr

from realnet.analyses.dimensions import beside_truth, dimension_table, top_dimensions
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_table
from realnet.analyses.summary import readable, summary_table
from realnet.io import load_model_rdms, load_prepared, save_table


@pytest.fixture(scope="module")
def eeg(study, networks):
    return eeg_table(study, networks)


@pytest.fixture(scope="module")
def dimensions(study, networks):
    return dimension_table(study, networks)


def test_every_eeg_similarity_is_scipys_spearman_at_its_time(study, networks, eeg):
    brains = load_prepared(study, "things_eeg2_rdms", "things")
    network = networks[-1]
    model = load_model_rdms(study, "things", [network])[0]
    rows = eeg[(eeg.metric == "rho") & (eeg.model == network.model) & (eeg.trained_on == network.trained_on)]
    assert len(rows) == 4 * 4 * 5
    for row in rows.itertuples():
        brain = brains.sel(subject=row.subject, time=row.time).values
        assert row.value == pytest.approx(spearmanr(model.sel(layer=row.layer).values, brain).statistic, abs=1e-9)


def test_eeg_differences_average_networks_before_subjects(eeg):
    rho = eeg[eeg.metric == "rho"].groupby(["model", "layer", "time", "subject"]).value.mean()
    rows = eeg[(eeg.metric == "difference") & (eeg.model == "realnet")]
    assert len(rows) == 2 * 4 * 5
    for row in rows.itertuples():
        subjects = rho["realnet", row.layer, row.time] - rho[row.reference, row.layer, row.time]
        assert row.value == pytest.approx(subjects.mean()) and row.sem == pytest.approx(sem(subjects))
        assert 0 < row.p <= 1


def test_the_eeg_of_one_subject_has_differences_and_no_inference(study, networks, eeg, monkeypatch):
    one = load_prepared(study, "things_eeg2_rdms", "things").isel(subject=[0])
    monkeypatch.setattr("realnet.analyses.eeg.load_prepared", lambda *_: one)
    table = eeg_table(study, networks)
    rows = table[table.metric == "difference"]
    assert rows.value.notna().all() and rows.p.isna().all() and rows["sem"].isna().all()
    assert table[table.metric == "improvement"].value.isna().all()


def test_partial_correlations_are_pingouins(study, networks, dimensions):
    features = load_prepared(study, "things_dimensions_rdms", "things")
    network = networks[1]
    model = load_model_rdms(study, "things", [network])[0].sel(layer="V4")
    frame = pd.DataFrame(rankdata(features.values, axis=1).T, columns=list("abcdef")).assign(model=model.values)
    for name in "abcdef":
        others = [other for other in "abcdef" if other != name]
        expected = pingouin.partial_corr(frame, x="model", y=name, covar=others, method="spearman").r.item() ** 2
        chosen = dimensions.query("metric == 'partial_rho2' and layer == 'V4' and dimension == @name")
        chosen = chosen[(chosen.model == network.model) & (chosen.trained_on == network.trained_on)]
        assert chosen.value.item() == pytest.approx(expected, abs=1e-10)


def test_dimension_changes_are_differences_of_means_in_it_with_their_interval(dimensions):
    means = dimensions.query("metric == 'partial_rho2' and layer == 'IT'").groupby(["model", "dimension"]).value.mean()
    for row in dimensions[dimensions.metric == "difference"].itertuples():
        assert row.value == pytest.approx(means[row.model, row.dimension] - means[row.reference, row.dimension])
        assert row.lower <= row.upper and 0 <= row.p <= 1


def test_top_dimensions_have_the_largest_partial_correlation_with_realnets_it(dimensions):
    means = dimensions.query("metric == 'partial_rho2' and layer == 'IT' and model == 'realnet'")
    means = means.groupby("dimension").value.mean()
    top = top_dimensions(dimensions, n=2)
    assert means[top[0]] == means.max() and means[top[1]] == np.sort(means)[-2]


def test_the_summary_counts_what_the_tables_hold(study, networks, eeg, dimensions):
    within, across = (fmri_table(study, networks, within=which) for which in (True, False))
    for name, table in (("fmri_within_subject", within), ("fmri_across_subjects", across), ("eeg", eeg),
                        ("object_dimensions", dimensions)):  # fmt: skip
        save_table(study, name, table)
    summary = summary_table(study).set_index(["question", "reference"])
    rows = within[(within.metric == "difference") & (within.roi == "mean") & (within.model == "realnet")]
    rows = rows[(rows.stimulus_set == "natural") & (rows.reference == "control")]
    own = summary.loc[("own subject, natural", "control")]
    assert (own.found, own.n) == ((rows.lower > 0).sum(), 2) and own.value == pytest.approx(rows.value.mean())
    it = eeg[
        (eeg.metric == "difference") & (eeg.model == "realnet") & (eeg.layer == "IT") & (eeg.reference == "cornet")
    ]
    assert summary.loc[("eeg", "cornet")].found == ((it.p < 0.05) & (it.value > 0)).sum()
    change = dimensions[(dimensions.metric == "difference") & (dimensions.model == "realnet")]
    change = change[change.reference == "cornet"].set_index("dimension").value
    assert summary.loc[("dimensions", "cornet")].detail.startswith(change.idxmax())
    truth = {"dimensions": pd.DataFrame({"dimension": ["a", "b"], "beyond_categories": [True, False]})}
    shown = readable(summary_table(study), truth)
    assert list(shown.columns) == ["ReAlnet against CORnet", "ReAlnet against Control", "planted"]
    assert shown.notna().all(axis=None) and shown.planted["Dimensions that rise most in IT"] == "a"


def test_the_change_of_each_dimension_is_beside_what_was_planted(dimensions):
    truth = pd.DataFrame({"dimension": list("abcdef"), "weight": range(6), "beyond_categories": [True] + 5 * [False]})
    table = beside_truth(dimensions, truth)
    assert list(table.loc[list("abcdef")].weight) == list(range(6)) and table.loc["a"].beyond_categories
    found = dimensions.query("metric == 'difference' and model == 'realnet' and reference == 'control'")
    np.testing.assert_allclose(table["change against control"], found.value.sort_values(ascending=False))
