"""Chapters 03 and 04: each number of the tables is the one that its columns name."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from realnet.analyses import fmri, network_grid, training_subjects
from realnet.analyses.fmri import fmri_differences, own_subject, similarity_table
from realnet.cornet import LAYERS
from realnet.io import COLUMNS, load_model_rdms, load_prepared, load_table, save_table
from realnet.rdm import correlation_rdm
from realnet.settings import Network
from realnet.similarity import compare_rdms
from realnet.statistics import bootstrap_similarities, generalise


@pytest.fixture(scope="module")
def brains(study):
    return load_prepared(study, "shen2019_rdms", "natural")


@pytest.fixture(scope="module")
def similarities(study, networks, brains):
    return similarity_table(study, "shen2019", "natural", brains, networks, within=True)


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
    keys = ["model", "trained_on", "seed", "subject", "roi"]
    layers = similarities[similarities.layer.isin(LAYERS)].groupby(keys).value.max()
    best = similarities[similarities.layer == "best"].set_index(keys).value
    np.testing.assert_allclose(best.loc[layers.index], layers)
    chosen = similarities[similarities.layer == "cross-validated"].set_index(keys).value
    assert chosen.mean() < best.mean()


def test_within_a_subject_the_ceiling_is_the_root_of_the_reliability_of_its_rdm(similarities):
    assert (similarities[["ceiling_lower", "ceiling_upper"]] == 0.9).all(axis=None)


def test_between_subjects_the_ceilings_are_those_of_the_subjects_of_each_region(study, networks, brains):
    for roi, rows in similarity_table(study, "shen2019", "natural", brains, networks, within=False).groupby("roi"):
        rdms = brains.sel(roi=roi).values
        ranks = rankdata(rdms, axis=1)
        lower = np.mean([spearmanr(rdms[i], rdms[1 - i]).statistic for i in range(2)])
        upper = np.mean([spearmanr(rdm, ranks.mean(axis=0)).statistic for rdm in rdms])
        np.testing.assert_allclose(rows.ceiling_lower, lower, atol=1e-12)
        np.testing.assert_allclose(rows.ceiling_upper, upper, atol=1e-12)


def _of(table, model, subject, seed):
    """The rows of the network of one subject and seed."""
    same = (table.model == model) & (table.subject == subject) & (table.seed == (0 if model == "cornet" else seed))
    return table[same & (table.trained_on == ("" if model in ("cornet", "control") else subject))]


def test_a_difference_is_the_mean_over_seeds_of_pairs_of_the_same_subject_and_seed(similarities, differences):
    best = similarities[similarities.layer == "best"]
    rows = differences[(differences.metric == "difference") & (differences.roi != "mean")]
    assert set(rows.subject) == {"sub-01", "sub-02", "mean"} and (rows.subject == rows.trained_on).all()
    assert set(rows.n_seeds) == {2} and (rows.lower <= rows.value).all() and (rows.value <= rows.upper).all()
    for row in rows[rows.subject != "mean"].itertuples():
        pairs = []
        for seed in (0, 1):
            new, old = (_of(best, m, row.subject, seed).set_index("roi").value[row.roi] for m in row[1:3])
            pairs.append(new - old)
        assert row.value == pytest.approx(np.mean(pairs), abs=1e-12)
    keys = ["model", "reference"]
    table = differences[differences.metric == "difference"].set_index([*keys, "subject", "roi"]).value
    for (model, reference, subject, roi), value in table.items():
        if roi == "mean":
            assert value == pytest.approx(np.mean([table[model, reference, subject, r] for r in ("V1", "LOC")]))
        if subject == "mean":
            assert value == pytest.approx(np.mean([table[model, reference, f"sub-0{s}", roi] for s in (1, 2)]))


def test_improvement_and_share_are_ratios_of_the_differences(similarities, differences):
    best = similarities[similarities.layer == "best"].groupby(["model", "subject", "roi"]).value.mean()
    rows = differences[differences.subject == "sub-01"].set_index(["metric", "model", "reference", "roi"])
    rows = rows[rows.layer == "best"]
    difference = rows.value["difference"]
    gain = rows.loc["improvement"].dropna(subset="value")
    assert len(gain) > 0 and (gain.lower < gain.value).all()
    for (model, reference, roi), value in gain.value.items():
        if roi != "mean" and reference == "cornet":
            assert value == pytest.approx(difference[model, reference, roi] / best[reference, "sub-01", roi])
    for (model, reference, roi), value in rows.value["share"].dropna().items():
        expected = difference[model, reference, roi] / difference["realnet", reference, roi]
        assert value == pytest.approx(expected)


def test_a_layer_difference_is_that_of_the_same_layer_in_both_networks(similarities, differences):
    rows = differences[differences.metric == "layer_difference"]
    assert (
        len(rows) == 5 * 3 * (len(LAYERS) + 1) * 3
    )  # comparisons x subjects and mean x layers and mean x regions, mean
    for row in rows[(rows.layer != "mean") & (rows.roi != "mean") & (rows.subject == "sub-02")].itertuples():
        pairs = []
        for seed in (0, 1):
            parts = (_of(similarities, m, "sub-02", seed).set_index(["layer", "roi"]).value for m in row[1:3])
            new, old = (part[row.layer, row.roi] for part in parts)
            pairs.append(new - old)
        assert row.value == pytest.approx(np.mean(pairs), abs=1e-12)
    for over in ("layer", "roi"):
        rest = ["model", "reference", "trained_on", {"layer": "roi", "roi": "layer"}[over]]
        parts = rows[rows[over] != "mean"].groupby(rest).value.mean()
        np.testing.assert_allclose(rows[rows[over] == "mean"].set_index(rest).value.loc[parts.index], parts, atol=1e-12)


def test_intervals_are_those_of_the_resamples_and_seeds_of_the_difference(study, networks, brains, differences):
    stems = [f"sub-01_beta-40_seed-{seed}" for seed in (0, 1)] + [f"control_seed-{seed}" for seed in (0, 1)]
    models = load_model_rdms(study, "natural", networks).sel(network=stems)
    samples = bootstrap_similarities(models.values.reshape(-1, models.sizes["pair"]), brains.values[0], 50)
    found = compare_rdms(models.values, brains.values[0])
    values = np.concatenate([found[None], samples.reshape(50, *found.shape)])  # (sample, network, layer, roi)
    rows = differences[(differences.model == "realnet") & (differences.reference == "control")]
    rows = rows[rows.trained_on == "sub-01"]
    for metric, layer, of in (
        ("difference", "best", values.max(axis=2)),
        ("layer_difference", "V4", values[:, :, 2]),
        ("layer_difference", "mean", values.mean(axis=2)),
    ):
        pairs = of[:, :2] - of[:, 2:]  # (sample, seed, roi)
        expected = generalise(pairs.mean(axis=2), n_images=40, n_factors=1)
        (row,) = rows[(rows.metric == metric) & (rows.layer == layer) & (rows.roi == "mean")].itertuples()
        np.testing.assert_allclose((row.value, row.lower, row.upper, row.p), expected[:4])


def test_the_improvement_over_a_network_unrelated_to_the_brain_is_missing(study, networks, brains, monkeypatch):
    rng, clear, n_sets = np.random.default_rng(0), 0, 20
    for _ in range(n_sets):
        models = load_model_rdms(study, "natural", networks)
        unrelated = models.copy(data=correlation_rdm(rng.normal(size=(*models.shape[:2], 40, 6))))
        monkeypatch.setattr(fmri, "load_model_rdms", lambda *_, unrelated=unrelated: unrelated)
        table = fmri_differences(study, "shen2019", "natural", brains, networks, within=True)
        rows = table[(table.metric == "improvement") & (table.subject == "sub-01") & (table.reference == "cornet")]
        clear += rows[rows.model == "realnet"].value.notna().any()
    assert clear <= 4  # .05 and two standard errors; about a third where the best layer's own interval decides


def test_a_planted_gain_is_found_and_shuffled_networks_gain_nothing(differences):
    rows = differences[(differences.metric == "difference") & (differences.roi == "mean")]
    rows = rows[(rows.subject == "mean") & rows.reference.isin(["cornet", "control"])]
    assert (rows[rows.model == "realnet"].value > 0.1).all()  # two subjects and two seeds: an interval would be wide
    assert (rows[rows.model == "shuffled"].value < 0).all()


def test_across_subjects_every_network_is_compared_with_every_subject_and_their_mean(study, networks, brains):
    table = fmri_differences(study, "horikawa2017", "natural", brains, networks, within=False)
    rows = table[(table.metric == "difference") & (table.roi == "V1") & (table.reference == "cornet")]
    realnet = rows[rows.model == "realnet"]
    assert set(zip(realnet.trained_on, realnet.subject, strict=True)) == {
        (a, b) for a in ("sub-01", "sub-02", "mean") for b in ("sub-01", "sub-02", "mean")
    }
    subjects = realnet[realnet.subject != "mean"].groupby("trained_on").value.mean()
    mean = realnet[realnet.subject == "mean"].set_index("trained_on").value
    np.testing.assert_allclose(mean.loc[subjects.index], subjects, atol=1e-12)


def test_the_tables_contain_all_sets_of_the_own_subjects_and_natural_images_of_others(study, networks):
    within, across = (fmri.fmri_table(study, networks, within=which) for which in (True, False))
    assert set(within.stimulus_set) == {"natural", "shapes", "letters"} and set(within.dataset) == {"shen2019"}
    assert set(across.stimulus_set) == {"natural"} and set(across.dataset) == {"horikawa2017"}
    for table in (within, across):
        assert set(table.metric) == {"rho", "difference", "improvement", "layer_difference", "share"}


def test_names_and_positions_of_training_subjects_have_one_order_beyond_99_subjects():
    networks = [Network("cornet", 0, 0, 0), Network("control", 0, 0, 0)]
    networks += [Network("realnet", subject, 40, 0) for subject in (100, 11, 2)]  # "sub-100" sorts before "sub-11"
    positions = network_grid(networks, "realnet")[:, 0]
    assert training_subjects(networks) == [networks[i].trained_on for i in positions] == ["sub-02", "sub-11", "sub-100"]


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
