"""Chapters 03 and 04: each number of the tables is the one that its columns name."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from realnet.analyses import fmri
from realnet.analyses.fmri import fmri_differences, own_subject, similarity_table
from realnet.cornet import LAYERS
from realnet.io import COLUMNS, load_model_rdms, load_prepared, load_table, save_table
from realnet.rdm import correlation_rdm
from realnet.similarity import compare_rdms
from realnet.statistics import bootstrap_similarities


@pytest.fixture(scope="module")
def brains(study):
    return load_prepared(study, "shen2019_rdms", "natural")


@pytest.fixture(scope="module")
def similarities(study, networks, brains):
    return similarity_table(study, "shen2019", "natural", brains, networks)


@pytest.fixture(scope="module")
def differences(study, networks, brains):
    return fmri_differences(study, "shen2019", "natural", brains, networks, within=True)


def _rho(study, network, layer, brains, subject, roi):
    model = load_model_rdms(study, "natural", [network])[0].sel(layer=layer)
    return spearmanr(model.values, brains.sel(subject=subject, roi=roi).values).statistic


def test_every_similarity_is_scipys_spearman_of_the_two_rdms_it_names(study, networks, brains, similarities):
    rows = similarities[similarities.layer.isin(LAYERS)]
    assert len(rows) == len(networks) * 4 * 2 * 2
    by_columns = {tuple(n.columns.values()): n for n in networks}
    for row in rows.itertuples():
        network = by_columns[(row.model, row.trained_on, row.beta, row.seed)]
        assert row.value == pytest.approx(_rho(study, network, row.layer, brains, row.subject, row.roi), abs=1e-12)


def test_best_is_the_highest_layer_and_cross_validated_is_lower(similarities):
    keys = ["model", "trained_on", "subject", "roi"]
    layers = similarities[similarities.layer.isin(LAYERS)].groupby(keys).value.max()
    best = similarities[similarities.layer == "best"].set_index(keys).value
    np.testing.assert_allclose(best.loc[layers.index], layers)
    chosen = similarities[similarities.layer == "cross-validated"].set_index(keys).value
    assert chosen.mean() < best.mean()


def test_ceilings_are_those_of_the_subjects_of_each_region(brains, similarities):
    for roi, rows in similarities.groupby("roi"):
        rdms = brains.sel(roi=roi).values
        ranks = rankdata(rdms, axis=1)
        lower = np.mean([spearmanr(rdms[i], rdms[1 - i]).statistic for i in range(2)])
        upper = np.mean([spearmanr(rdm, ranks.mean(axis=0)).statistic for rdm in rdms])
        np.testing.assert_allclose(rows.ceiling_lower, lower, atol=1e-12)
        assert (rows.ceiling_upper - upper).abs().max() < 0.05  # means of raw or of rank-transformed RDMs


def test_a_difference_is_realnet_minus_its_own_reference_at_the_best_layer(similarities, differences):
    best = similarities[similarities.layer == "best"].set_index(["model", "trained_on", "subject", "roi"]).value
    rows = differences[(differences.metric == "difference") & (differences.roi != "mean")]
    assert set(rows.subject) == {"sub-01", "sub-02"} and (rows.subject == rows.trained_on).all()
    for row in rows.itertuples():
        base = best[row.reference, "" if row.reference == "cornet" else row.trained_on, row.subject, row.roi]
        assert row.value == pytest.approx(best[row.model, row.trained_on, row.subject, row.roi] - base, abs=1e-12)
        assert row.lower <= row.upper
    keys = ["model", "trained_on", "reference", "subject"]
    mean = differences[(differences.metric == "difference") & (differences.roi == "mean")].set_index(keys).value
    parts = rows.groupby(keys).value.mean()
    np.testing.assert_allclose(mean.loc[parts.index], parts, atol=1e-12)


def test_improvement_is_the_difference_over_the_reference(similarities, differences):
    best = similarities[(similarities.layer == "best") & (similarities.model == "cornet")].set_index(["subject", "roi"])
    rows = differences[(differences.reference == "cornet") & (differences.roi != "mean")]
    wide = rows.pivot_table(index=["model", "subject", "roi"], columns="metric", values="value").dropna()
    assert len(wide) > 0
    for (_, subject, roi), row in wide.iterrows():
        assert row.improvement == pytest.approx(row.difference / best.value[subject, roi])


def test_a_layer_difference_is_that_of_the_same_layer_in_both_networks(study, networks, brains, differences):
    rows = differences[differences.metric == "layer_difference"]
    by_columns = {(n.model, n.trained_on): n for n in networks}
    assert len(rows) == 4 * 2 * (len(LAYERS) + 1) * 3  # networks x references x layers and mean x regions and mean
    for row in rows[(rows.layer != "mean") & (rows.roi != "mean")].itertuples():
        reference = row.reference, "" if row.reference == "cornet" else row.trained_on
        pair = by_columns[row.model, row.trained_on], by_columns[reference]
        new, old = (_rho(study, network, row.layer, brains, row.subject, row.roi) for network in pair)
        assert row.value == pytest.approx(new - old, abs=1e-12) and row.lower <= row.upper
    keys = ["model", "trained_on", "reference"]
    for over in ("layer", "roi"):
        rest = [*keys, {"layer": "roi", "roi": "layer"}[over]]
        parts = rows[rows[over] != "mean"].groupby(rest).value.mean()
        np.testing.assert_allclose(rows[rows[over] == "mean"].set_index(rest).value.loc[parts.index], parts, atol=1e-12)


def test_intervals_are_percentiles_of_the_resamples_of_the_difference(study, networks, brains, differences):
    models = load_model_rdms(study, "natural", networks)
    new, old = ([n.model for n in networks].index(model) for model in ("realnet", "control"))
    samples = bootstrap_similarities(models.values[[new, old]].reshape(-1, models.sizes["pair"]), brains.values[0], 50)
    samples = samples.reshape(50, 2, len(LAYERS), -1)
    rows = differences[(differences.model == "realnet") & (differences.reference == "control")]
    rows = rows[rows.trained_on == "sub-01"]
    for metric, layer, of in (
        ("difference", "best", samples.max(axis=2)),
        ("layer_difference", "V4", samples[:, :, 2]),
        ("layer_difference", "mean", samples.mean(axis=2)),
    ):
        difference = of[:, 0] - of[:, 1]  # (bootstrap, roi)
        for roi, expected in (("V1", difference[:, 0]), ("mean", difference.mean(axis=1))):
            (row,) = rows[(rows.metric == metric) & (rows.layer == layer) & (rows.roi == roi)].itertuples()
            assert (row.lower, row.upper) == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])))
            assert row.p == pytest.approx((1 + (expected <= 0).sum()) / 51)


def test_a_network_unrelated_to_the_brain_is_rarely_clearly_above_zero():
    rng, clear, n_sets = np.random.default_rng(0), 0, 60
    for number in range(n_sets):
        networks, brains = correlation_rdm(rng.normal(size=(8, 20, 6))), correlation_rdm(rng.normal(size=(2, 20, 6)))
        found = compare_rdms(networks, brains).reshape(2, 4, 2)
        samples = bootstrap_similarities(networks, brains, 200, seed=number).reshape(200, 2, 4, 2)
        pairs = [(found[i], samples[:, i]) for i in (0, 1)]
        rows = fmri._difference_rows(*pairs, fmri._infer_one_subject, LAYERS, ["V1", "LOC"], 0.95)
        clear += np.isfinite([row["value"] for row in rows if row["metric"] == "improvement"]).any()
    assert clear <= 6  # 18 and more where the best layer's own interval decides


def test_a_planted_gain_is_found_and_shuffled_networks_gain_nothing(differences):
    rows = differences[(differences.metric == "difference") & (differences.roi == "mean")]
    assert (rows[rows.model == "realnet"].lower > 0).all()
    assert (rows[rows.model == "shuffled"].value < 0).all()


def test_across_subjects_every_network_is_compared_with_every_subject_and_their_mean(study, networks, brains):
    table = fmri_differences(study, "horikawa2017", "natural", brains, networks, within=False)
    rows = table[(table.metric == "difference") & (table.roi == "V1") & (table.reference == "cornet")]
    realnet = rows[rows.model == "realnet"]
    assert set(zip(realnet.trained_on, realnet.subject, strict=True)) == {
        (a, b) for a in ("sub-01", "sub-02") for b in ("sub-01", "sub-02", "mean")
    }
    subjects = realnet[realnet.subject != "mean"].groupby("trained_on").value.mean()
    mean = realnet[realnet.subject == "mean"].set_index("trained_on").value
    np.testing.assert_allclose(mean.loc[subjects.index], subjects, atol=1e-12)


def test_the_tables_contain_all_sets_of_the_own_subjects_and_natural_images_of_others(study, networks):
    within, across = (fmri.fmri_table(study, networks, within=which) for which in (True, False))
    assert set(within.stimulus_set) == {"natural", "shapes", "letters"} and set(within.dataset) == {"shen2019"}
    assert set(across.stimulus_set) == {"natural"} and set(across.dataset) == {"horikawa2017"}
    for table in (within, across):
        assert set(table.metric) == {"rho", "difference", "improvement", "layer_difference"}


def test_own_subject_keeps_cornet_and_the_networks_trained_on_the_subject(similarities):
    own = own_subject(similarities)
    assert set(own[own.model == "cornet"].subject) == {"sub-01", "sub-02"}
    assert set(zip(own.trained_on, own.subject, strict=True)) == {
        (a, b) for a in ("", "sub-01", "sub-02") for b in ("sub-01", "sub-02") if a in ("", b)
    }


def test_tables_keep_their_columns_and_the_model_called_shuffled_on_disk(study, similarities):
    saved = save_table(study, "fmri_within_subject", similarities)
    assert list(saved.columns[: len(COLUMNS)]) == COLUMNS
    loaded = load_table(study, "fmri_within_subject")
    assert set(loaded.model) == {"cornet", "control", "realnet", "shuffled"} and set(loaded.study) == {"random"}
    np.testing.assert_allclose(loaded.value, saved.value)
