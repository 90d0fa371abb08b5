"""Chapters 05, 06 and the landing page: each number of the tables is the one that its columns name."""

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy.stats import rankdata, spearmanr

from realnet.analyses.dimensions import beside_truth, dimension_table, top_dimensions
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_table
from realnet.analyses.summary import readable, summary_table, verdict
from realnet.io import load_model_rdms, load_prepared, save_table
from realnet.similarity import partial_spearman
from realnet.statistics import bootstrap_partial_spearman, bootstrap_similarities, cluster_test, generalise


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
    rows = eeg[(eeg.metric == "rho") & (eeg[list(network.columns)] == pd.Series(network.columns)).all(axis=1)]
    assert len(rows) == 4 * 4 * 5
    for row in rows.itertuples():
        brain = brains.sel(subject=row.subject, time=row.time).values
        assert row.value == pytest.approx(spearmanr(model.sel(layer=row.layer).values, brain).statistic, abs=1e-9)


def test_eeg_differences_are_means_over_subjects_and_networks_with_the_inference_over_all(study, networks, eeg):
    rho = eeg[eeg.metric == "rho"].groupby(["model", "layer", "time", "subject"]).value.mean()
    rows = eeg[(eeg.metric == "difference") & (eeg.model == "realnet")]
    assert len(rows) == 3 * 4 * 5 and set(rows.n_seeds) == {2}
    for row in rows.itertuples():
        subjects = rho["realnet", row.layer, row.time] - rho[row.reference, row.layer, row.time]
        assert row.value == pytest.approx(subjects.mean())
        assert row.lower <= row.value <= row.upper and 0 < row.p <= row.p_corrected <= 1
    models = load_model_rdms(study, "things", networks)
    brains = load_prepared(study, "things_eeg2_rdms", "things")
    stems = [[f"sub-0{s}_beta-40_seed-{k}" for k in (0, 1)] for s in (1, 2)]
    new = [[spearman_over_resamples(models.sel(network=n, layer="IT"), brains[:, 2]) for n in line] for line in stems]
    old = [spearman_over_resamples(models.sel(network=f"control_seed-{k}", layer="IT"), brains[:, 2]) for k in (0, 1)]
    values = np.array(new) - np.array(old)  # (trained_on, seed, sample, EEG subject)
    expected = generalise(values.transpose(2, 3, 0, 1), n_images=16, n_factors=3)
    row = rows[(rows.reference == "control") & (rows.layer == "IT") & (rows.time == 0.02)]
    np.testing.assert_allclose(row[["value", "lower", "upper", "p"]].to_numpy(float)[0], expected[:4])


def spearman_over_resamples(model, brains):
    found = bootstrap_similarities(model.values, brains.values, 50)[:, 0]
    return np.concatenate([[[spearmanr(model.values, brain).statistic for brain in brains.values]], found])


def test_the_papers_cluster_test_stays_beside_the_inference(eeg):
    rho = eeg[eeg.metric == "rho"].groupby(["model", "layer", "subject", "time"]).value.mean()
    rows = eeg[(eeg.metric == "difference") & (eeg.model == "shuffled") & (eeg.reference == "cornet")]
    for layer, part in rows.groupby("layer"):
        values = (rho["shuffled", layer] - rho["cornet", layer]).unstack("time").to_numpy()
        np.testing.assert_allclose(part.p_cluster, cluster_test(values, 100))


def test_the_window_is_the_mean_over_times_and_ratios_are_those_of_means(eeg):
    means = eeg[eeg.metric == "difference"].groupby(["model", "reference", "layer"]).value.mean()
    rows = eeg[eeg.metric == "window_difference"].set_index(["model", "reference", "layer"]).value
    np.testing.assert_allclose(rows.loc[means.index], means)
    for key, value in eeg[eeg.metric == "share"].set_index(["model", "reference", "layer"]).value.dropna().items():
        assert value == pytest.approx(rows[key] / rows[("realnet", *key[1:])])
    rho = eeg[eeg.metric == "rho"].groupby(["model", "layer", "time", "subject"]).value.mean()
    gains = eeg[(eeg.metric == "improvement") & eeg.value.notna()]
    assert len(gains) > 0 and {"mean", "sub-01"} <= set(gains.subject)
    for row in gains.itertuples():
        new, old = rho["realnet", row.layer, row.time], rho[row.reference, row.layer, row.time]
        expected = (new - old).mean() / old.mean() if row.subject == "mean" else new[row.subject] / old[row.subject] - 1
        assert row.value == pytest.approx(expected)


def test_the_eeg_of_one_subject_is_generalised_over_images_and_networks_alone(study, networks, monkeypatch):
    one = load_prepared(study, "things_eeg2_rdms", "things").isel(subject=[0])
    monkeypatch.setattr("realnet.analyses.eeg.load_prepared", lambda *_: one)
    rows = eeg_table(study, networks).query("metric == 'difference'")
    assert rows[["value", "lower", "upper"]].notna().all(axis=None) and rows.p_cluster.isna().all()


def test_partial_correlations_are_pingouins(study, networks, dimensions):
    features = load_prepared(study, "things_dimensions_rdms", "things")
    network = networks[1]
    model = load_model_rdms(study, "things", [network])[0].sel(layer="V4")
    frame = pd.DataFrame(rankdata(features.values, axis=1).T, columns=list("abcdef")).assign(model=model.values)
    for name in "abcdef":
        others = [other for other in "abcdef" if other != name]
        expected = pingouin.partial_corr(frame, x="model", y=name, covar=others, method="spearman").r.item() ** 2
        chosen = dimensions.query("metric == 'partial_rho2' and layer == 'V4' and dimension == @name")
        chosen = chosen[(chosen[list(network.columns)] == pd.Series(network.columns)).all(axis=1)]
        assert chosen.value.item() == pytest.approx(expected, abs=1e-10)


def test_dimension_changes_are_differences_of_means_in_it_with_their_interval(study, networks, dimensions):
    means = dimensions.query("metric == 'partial_rho2' and layer == 'IT'").groupby(["model", "dimension"]).value.mean()
    rows = dimensions[dimensions.metric == "difference"]
    for row in rows.itertuples():
        assert row.value == pytest.approx(means[row.model, row.dimension] - means[row.reference, row.dimension])
        assert row.lower <= row.value <= row.upper and 0 <= row.p <= row.p_corrected <= 1
    features = load_prepared(study, "things_dimensions_rdms", "things")
    models = load_model_rdms(study, "things", networks).sel(layer="IT")
    stems = [f"sub-0{s}_beta-40_seed-{k}" for s in (1, 2) for k in (0, 1)] + ["control_seed-0", "control_seed-1"]
    rdms = models.sel(network=stems).values
    samples = bootstrap_partial_spearman(rdms, features.values, 50) ** 2
    values = np.concatenate([partial_spearman(rdms, features.values)[None] ** 2, samples])
    pairs = values[:, :4].reshape(51, 2, 2, 6) - values[:, None, 4:]  # (sample, trained_on, seed, dimension)
    expected = generalise(np.moveaxis(pairs, -1, 1), n_images=16)
    found = rows[(rows.model == "realnet") & (rows.reference == "control")]
    np.testing.assert_allclose(found[["value", "lower", "upper", "p", "p_corrected"]].to_numpy(float).T, expected)


def test_top_dimensions_rise_most_in_realnets_it(dimensions):
    means = dimensions.query("metric == 'partial_rho2' and layer == 'IT'").groupby(["model", "dimension"]).value.mean()
    rise = (means["realnet"] - means["cornet"]).sort_values(ascending=False)
    assert top_dimensions(dimensions, n=2) == list(rise.index[:2])


def test_the_summary_counts_what_the_tables_hold(study, networks, eeg, dimensions):
    within, across = (fmri_table(study, networks, within=which) for which in (True, False))
    for name, table in (("fmri_within_subject", within), ("fmri_across_subjects", across), ("eeg", eeg),
                        ("object_dimensions", dimensions)):  # fmt: skip
        save_table(study, name, table)
    summary = summary_table(study)
    found = summary[summary.metric == "difference"].set_index(["question", "reference"])
    rows = within.query("metric == 'difference' and roi == 'mean' and model == 'realnet' and reference == 'shuffled'")
    rows = rows[rows.stimulus_set == "natural"].set_index("subject")
    own = found.loc[("own subject, natural", "shuffled")]
    assert (own.value, own.lower) == (rows.value["mean"], rows.lower["mean"])
    assert (own.found, own.n) == ((rows.drop("mean").lower > 0).sum(), 2)
    times = eeg.query("metric == 'difference' and model == 'realnet' and layer == 'IT' and reference == 'cornet'")
    assert found.loc[("eeg", "cornet")].found == ((times.p_corrected < 0.05) & (times.value > 0)).sum()
    change = dimensions.query("metric == 'difference' and model == 'realnet' and reference == 'cornet'")
    top = change.set_index("dimension").value.idxmax()
    assert found.loc[("dimensions", "cornet")].detail.startswith(top)
    share = within.query("metric == 'share' and roi == 'mean' and subject == 'mean' and reference == 'control'")
    share = share[share.stimulus_set == "natural"].value.item()
    stated = summary[(summary.metric == "share") & (summary.question == "own subject, natural")].value.item()
    assert stated == share or (np.isnan(stated) and np.isnan(share))
    truth = {
        "effects": pd.DataFrame({"effect": ["own subject", "other subjects", "eeg", "dimensions"], "planted": True}),
        "dimensions": pd.DataFrame({"dimension": ["a", "b"], "beyond_categories": [True, False]}),
    }
    shown = readable(summary, truth)
    assert "Closer to the subject it is aligned with? (natural)" in shown.index
    assert list(shown.columns) == ["minus CORnet", "minus Control", "minus shuffled", "gained without a brain (share)",
                                   "planted"]  # fmt: skip
    assert shown.notna().all(axis=None) and shown.planted["Dimensions that rise most in IT"] == "a"


def test_a_single_participant_is_not_counted_beside_its_own_mean(study, networks):
    table = fmri_table(study, networks, within=True)
    rows = table[~table.trained_on.isin(["sub-02"]) & (table.subject != "sub-02")]
    save_table(study, "fmri_within_subject", rows)
    alone = study.model_copy(update={"eeg": study.eeg.model_copy(update={"subjects": ()}),
                                     "fmri": study.fmri.model_copy(update={"other_subjects": ()})})  # fmt: skip
    details = summary_table(alone).query("metric == 'difference'").detail
    assert len(details) == 9 and not details.str.contains("networks").any()


def test_the_change_of_each_dimension_is_beside_what_was_planted(dimensions):
    truth = pd.DataFrame({"dimension": list("abcdef"), "weight": range(6), "beyond_categories": [True] + 5 * [False]})
    table = beside_truth(dimensions, truth)
    assert list(table.loc[list("abcdef")].weight) == list(range(6)) and table.loc["a"].beyond_categories
    found = dimensions.query("metric == 'difference' and model == 'realnet' and reference == 'control'")
    np.testing.assert_allclose(table["change against control"], found.value.sort_values(ascending=False))


def test_a_chapter_says_yes_only_where_every_interval_lies_above_zero():
    rows = pd.DataFrame({"reference": ["cornet", "control"], "value": [0.044, 0.02], "lower": [0.008, 0.001],
                         "upper": [0.08, 0.04], "n_seeds": [3, 3]})  # fmt: skip
    assert verdict(rows) == "Yes: +0.044 [+0.008, +0.080] minus CORnet; +0.020 [+0.001, +0.040] minus Control"
    assert verdict(rows.assign(lower=[0.008, -0.001])).startswith("In part: ")
    assert verdict(rows.assign(lower=-0.1)).startswith("Not shown: ") and verdict(rows[:0]).startswith("Not shown")
    assert verdict(rows.assign(n_seeds=1)).endswith("minus Control (of one training)")
