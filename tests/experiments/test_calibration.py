"""Appendix 11: the cells of the calibration equal slow literal versions, and the kept table holds what it must."""

import numpy as np
import pandas as pd
import pytest
from mne.stats import permutation_t_test
from scipy import stats

from experiments import calibration, calibration_data, controls
from experiments.calibration_data import draw_differences, draw_dimensions, draw_rdms, true_similarities
from experiments.statistics import null_data
from experiments.tables import calibration as chapter
from experiments.tables.calibration import control_errors
from experiments.tables.kept import load_kept
from realnet.statistics import cluster_test

EEG = {"family": "eeg", "n_subjects": 10, "n_times": 20, "autocorrelation": 0.8, "shared_offset": 0.0, "width": 8,
       "effect": 0.0}  # fmt: skip
RDM = {"family": "rdm", "n_subjects": 1, "n_images": 12, "n_layers": 1, "subject_sd": 0.0, "effect": 0.0}


kept = pytest.fixture(lambda: chapter.load_calibration()[0])


@pytest.fixture(autouse=True)
def fewer_true_images(monkeypatch):
    monkeypatch.setattr(calibration_data, "N_TRUE_IMAGES", 300)
    true_similarities.cache_clear()
    yield
    true_similarities.cache_clear()


def by_test(rows):
    return {(row["test"], row["quantity"], row["metric"]): row for row in rows}


def test_a_cell_counts_the_sets_on_which_a_test_finds_anything():
    rows = by_test(calibration.run_cell(EEG, sets=15, seed=1))
    assert rows["generalise, corrected", "", "family_wise_error"]["ours"]
    sets = [null_data(10, 20, 0.8, 0.0, calibration.generator(EEG, 1, number)) for number in range(15)]
    literal = {"cluster mass": [cluster_test(values).min() for values in sets],
               "t tests, uncorrected": [stats.ttest_1samp(values, 0).pvalue.min() for values in sets]}  # fmt: skip
    for test, p in literal.items():
        row = rows[test, "", "family_wise_error"]
        expected = np.mean(np.array(p) <= 0.05)
        assert row["n_sets"] == 15 and row["value"] == expected and not row["ours"]
        variance = max(0.05 * 0.95, expected * (1 - expected))
        assert row["standard_error"] == pytest.approx(np.sqrt(variance / 15))


def test_the_largest_t_is_mnes_permutation_t_test():
    flips = np.array([[1 - 2 * ((k >> i) & 1) for i in range(7)] for k in range(2**7)])
    for seed in range(5):
        values = null_data(7, 12, 0.5, rng=seed) + 0.4
        _, p, _ = permutation_t_test(values, n_permutations="all", tail=0, verbose="ERROR")
        assert calibration.largest_t(values) == pytest.approx(p.min(), abs=2.01 / 2**7)
        largest = np.abs([stats.ttest_1samp(flip[:, None] * values, 0).statistic for flip in flips]).max(axis=1)
        assert calibration.largest_t(values) == pytest.approx(np.mean(largest >= largest[0] - 1e-9))


def test_neuroras_cluster_test_is_ours_without_single_times():
    for seed in range(8):
        values = null_data(6, 20, 0.8, rng=seed) + 0.5
        ours = cluster_test(values)
        runs = "".join("x" if p <= 0.05 else " " for p in ours).split()
        found = max(map(len, runs), default=0) >= 2 and ours.min() < 0.05
        assert calibration.neurora_cluster(values, 0) == (0 if found else 1)


def test_differences_have_their_effect_in_the_middle():
    added = draw_differences(EEG | {"effect": 2.0}, np.random.default_rng(3))
    added -= draw_differences(EEG, np.random.default_rng(3))
    expected = np.r_[np.zeros(6), np.full(8, 2.0), np.zeros(6)]
    np.testing.assert_allclose(added, np.broadcast_to(expected, (10, 20)), atol=1e-12)


def test_networks_and_brains_share_their_images_and_no_network_is_closer_without_effect():
    networks, brains = draw_rdms(400, [0.0, 0.8], np.random.default_rng(0), n_layers=4, roi_noise=(0.7, 1.5))
    assert networks.shape == (2, 4, 400 * 399 // 2) and brains.shape == (2, 2, 400 * 399 // 2)
    rho = np.array([[stats.spearmanr(layer, brains[0, 0]).statistic for layer in network] for network in networks])
    np.testing.assert_allclose(rho[0], rho[1], atol=0.06)
    assert (np.diff(rho.mean(axis=0)) > 0).all()  # the last layer is the best
    moved = [stats.spearmanr(network[3], brains[1, 0]).statistic for network in networks]
    assert moved[0] - moved[1] > 0.3


def test_the_truth_is_the_similarity_of_very_many_images():
    assert len(set(true_similarities(0.0))) == 1
    networks, brains = draw_rdms(1000, [0.3], np.random.default_rng(9))
    expected = [stats.spearmanr(networks[k, 0], brains[0, 0]).statistic for k in (0, 1)]
    np.testing.assert_allclose(true_similarities(0.3), expected, atol=0.03)


def test_an_rdm_cell_has_error_and_coverages_from_its_sets():
    rows = by_test(calibration.run_cell(RDM, sets=60, bootstraps=100))
    quantities = {("difference", "family_wise_error"), ("difference", "coverage"), ("similarity", "coverage")}
    assert set(rows) == {(test, *of) for test in ("generalise", "bootstrap over images") for of in quantities}
    for test in ("generalise", "bootstrap over images"):
        covered, error = (rows[test, "difference", metric]["value"] for metric in ("coverage", "family_wise_error"))
        assert covered >= 0.85 and error == pytest.approx(1 - covered)  # the true difference is 0
    with_effect = by_test(calibration.run_cell(RDM | {"effect": 0.9, "n_images": 30}, sets=40, bootstraps=100))
    power = with_effect["generalise", "difference", "power"]
    assert power["value"] > 0.7 and power["n_sets"] == 20 and power["truth"] > 0.3


def test_three_participants_cannot_be_significant_over_participants_but_over_images():
    cell = RDM | {"family": "fmri", "n_subjects": 3, "n_rois": 5, "n_layers": 4, "n_images": 30, "effect": 0.9}
    rows = by_test(calibration.run_cell(cell, sets=12, bootstraps=100))
    assert rows["sign flips, FDR over ROIs", "any ROI", "power"]["value"] == 0
    assert rows["generalise, corrected", "any ROI, mean person", "power"]["value"] > 0.5


def test_few_participants_who_differ_are_covered_by_t_and_not_by_percentiles():
    cell = RDM | {"family": "subjects", "n_subjects": 3, "subject_sd": 0.6, "n_images": 30}
    rows = by_test(calibration.run_cell(cell, sets=100, bootstraps=100))
    covered = {key[0]: row["value"] for key, row in rows.items() if key[1:] == ("difference", "coverage")}
    assert covered["images and subjects, t"] >= 0.9 and covered["generalise"] >= 0.9
    assert covered["images and subjects, percentiles"] < 0.88
    assert covered["images only, percentiles"] < covered["images and subjects, percentiles"]


def test_trainings_that_differ_are_no_finding_once_seeds_are_a_factor():
    cell = RDM | {"family": "seeds", "n_subjects": 3, "n_seeds": 3, "n_images": 30, "seed_sd": 0.3}
    rows = by_test(calibration.run_cell(cell, sets=60, bootstraps=50))
    error = {key[0]: row["value"] for key, row in rows.items()}
    assert error["generalise"] <= 0.1 and rows["generalise", "difference", "family_wise_error"]["ours"]
    assert error["generalise, seeds averaged"] > 0.3 and error["generalise, one seed"] > 0.3


def test_dimensions_are_means_of_resampled_images_and_one_of_49_that_changes_is_found():
    cell = {"family": "dimensions", "n_dimensions": 49, "n_images": 100, "n_subjects": 3, "n_seeds": 3,
            "subject_sd": 0.0, "seed_sd": 0.0, "effect": 3.0}  # fmt: skip
    values = draw_dimensions(cell, np.random.default_rng(0), 400)
    assert values.shape == (401, 49, 3, 3)
    np.testing.assert_allclose(values[0, :, 0, 0], np.r_[3, np.zeros(48)], atol=0.5)
    np.testing.assert_allclose(values[1:, :, 0, 0].std(axis=0), np.sqrt(1.25 / 100), rtol=0.3)
    differ = draw_dimensions(cell | {"seed_sd": 5.0, "n_dimensions": 2000}, np.random.default_rng(0), 1)[0]
    np.testing.assert_allclose(np.std(differ[:, 0, 0] - differ[:, 0, 1]), 5 * np.sqrt(2), rtol=0.05)
    rows = by_test(calibration.run_cell(cell | {"effect": 1.2}, sets=20, bootstraps=100))
    power = {key[0]: row["value"] for key, row in rows.items()}
    assert power["generalise, corrected"] >= 0.9
    # with 100 resamples the smallest p, corrected over 49 dimensions, is 49 * 2 / 101
    assert power["bootstrap over images, FDR"] == 0


def test_a_verdict_allows_two_standard_errors():
    metrics = ["family_wise_error", "family_wise_error", "coverage", "power"]
    table = pd.DataFrame({"metric": metrics, "value": [0.058, 0.061, 0.93, 0.5], "standard_error": 0.005})
    assert chapter.add_verdicts(table).verdict.tolist() == ["holds", "errs too often", "errs too often", ""]


def test_the_tests_of_the_study_hold_in_every_cell_of_the_kept_table(kept):
    ours = kept[kept.ours & (kept.metric != "power")]
    missed = ours[ours.verdict != "holds"]
    # of so many cells, some lie outside two standard errors by chance
    assert len(ours) > 60 and len(missed) <= stats.binom.ppf(0.99, len(ours), stats.norm.sf(2)), missed.to_string()
    assert kept.n_sets[(kept.metric != "power") & ~(kept.effect > 0)].min() >= 200


def test_the_cluster_test_is_not_weaker_than_an_exact_test_where_an_effect_lasts(kept):
    compared = chapter.against_exact(kept)
    wide = compared[compared.width > 1]
    assert len(wide) >= 5 and (wide.difference >= -2 * wide.standard_error).all(), wide.to_string()
    # at a single time the largest t is stronger, as the chapter says
    brief = compared[(compared.width == 1) & (compared.exact == "largest t, exact")]
    assert (brief.difference <= 2 * brief.standard_error).all() and brief.difference.min() < -0.3


def test_a_best_layer_errs_where_layers_are_unlike_and_fixed_layers_do_not(kept):
    layers = kept.query("family == 'layers' and n_images == 50").set_index("profile")  # of the test of any run
    best, fixed = (layers[layers.test.str.endswith(which)] for which in ("best layer", "fixed layers"))
    assert (best.value > 2 * fixed.value)[["one stands out", "one alone"]].all()
    assert best.value["alike"] < 0.05 and (fixed.verdict == "holds").all() and fixed.ours.all() and not best.ours.any()


def test_what_is_found_in_simulated_data_is_counted_apart_for_planted_and_not():
    table = pd.DataFrame([
        {"simulation": simulation, "effect": effect, "model": model, "reference": "control", "planted": planted,
         "shared": 0.7, "up": up, "down": 0, "n": n, "value": 0.1 + 0.02 * simulation}
        for simulation, up in ((0, 1), (1, 2))
        for effect, model, planted, n in (("own subject", "realnet", True, 3), ("own subject", "shuffled", False, 3),
                                          ("dimensions", "realnet", True, 2), ("dimensions", "realnet", False, 6))
    ])  # fmt: skip
    found = chapter.how_often_found(table).set_index(["effect", "model"])
    assert found.loc[("own subject", "realnet"), "found above"].item() == 3 / 6
    assert found.loc[("dimensions (planted)", "realnet"), "cases"].item() == 4
    assert found.loc[("dimensions", "realnet"), "cases"].item() == 12
    assert list(found.planted)[:2] == [True, True] and set(found.simulations) == {2}
    interval = stats.ttest_1samp([0.1, 0.12], 0).confidence_interval()
    np.testing.assert_allclose(found[["lower", "upper"]], [interval] * len(found))


def test_the_kept_data_sets_show_what_was_planted_and_nothing_where_nothing_is_shared():
    table, about = load_kept("truth")
    assert set(table.simulation) == set(range(10)) and about["settings"]["seeds"] == 3
    found = chapter.how_often_found(table).set_index(["shared", "effect", "model", "reference"]).sort_index()
    limit = 0.05 + 2 * np.sqrt(0.05 * 0.95 / 10)  # cases of one data set are not independent
    absent = found[~found.planted]
    assert len(absent) == 17 and (absent[["found above", "found below"]] <= limit).all(axis=None)
    planted = found.loc[(0.7, ["own subject", "other subjects"], "realnet")]
    assert (planted.lower > 0.02).all() and (planted["found above"] > limit).sum() == 6
    not_shared = found.loc[(0.0, ["other subjects", "eeg"], "realnet")]
    assert (not_shared.lower < 0).all() and (not_shared.upper > 0).all()


def test_pairs_of_controls_share_no_seed_within_an_order():
    pairs = controls.draw_pairs(12, 6, 2, np.random.default_rng(0))
    assert pairs.shape == (6, 2, 2)
    assert all(len(set(pair.ravel())) == 4 for pair in pairs) and sorted(pairs[:3].ravel()) == list(range(12))


def test_errors_of_controls_are_shares_per_test_beside_their_limit():
    rows = [{"n_seeds": 3, "pair": p, "test": "a", "part": part, "found": p == 0 and part == "x"}
            for p in range(20) for part in ("x", "y")]  # fmt: skip
    (row,) = control_errors(pd.DataFrame(rows)).to_dict("records")
    assert (row["found"], row["cases"], row["share"], row["worst part"]) == (1, 40, 1 / 40, 1 / 20)
    assert row["limit"] == pytest.approx(0.05 + 2 * np.sqrt(0.05 * 0.95 / 20)) and row["holds"]
