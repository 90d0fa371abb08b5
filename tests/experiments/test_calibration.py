"""Chapter 11: the calibration's cells equal slow literal versions, and the kept table holds what it must."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments import calibration, calibration_data
from experiments.calibration_data import PART, draw_differences, draw_rdms, true_similarities
from experiments.calibration_peers import largest_t, mne_cluster, neurora_cluster, uncorrected_t
from experiments.tables import calibration as chapter
from experiments.tables.kept import KEPT
from realnet.errors import InvalidInput
from realnet.rdm import square
from realnet.statistics import cluster_test, null_data

EEG = {"family": "eeg", "n_subjects": 10, "n_times": 20, "autocorrelation": 0.8, "shared_offset": 0.0, "width": 8,
       "effect": 0.0}  # fmt: skip
RDM = {"family": "rdm", "n_subjects": 1, "n_images": 12, "n_layers": 1, "subject_sd": 0.0, "effect": 0.0}


@pytest.fixture
def kept():
    if not (KEPT / "calibration.csv").is_file():
        pytest.skip("experiments/results/calibration.csv is not there yet: python -m experiments.calibration")
    return chapter.load_calibration()


@pytest.fixture(autouse=True)
def fewer_true_images(monkeypatch):
    monkeypatch.setattr(calibration_data, "N_TRUE_IMAGES", 300)
    true_similarities.cache_clear()
    yield
    true_similarities.cache_clear()


def by_test(rows):
    return {(row["test"], row["alternative"], row["quantity"], row["metric"]): row for row in rows}


@pytest.fixture(scope="module")
def eeg_rows():
    return by_test(calibration.run_cell(EEG, sets=40, fast_sets=400, seed=1))


def test_a_cell_counts_the_sets_on_which_a_test_finds_anything(eeg_rows):
    row = eeg_rows["cluster mass", "greater", "", "family_wise_error"]
    literal = 0
    for number in range(400):
        values = null_data(10, 20, 0.8, 0.0, calibration.generator(EEG, 1, number))
        literal += bool((cluster_test(values, alternative="greater") <= 0.05).any())
    assert row["n_sets"] == 400 and row["value"] == literal / 400 and row["ours"]
    assert row["standard_error"] == pytest.approx(np.sqrt(max(0.05 * 0.95, row["value"] * (1 - row["value"])) / 400))


def test_a_stopped_run_goes_on_with_the_cells_that_it_kept(tmp_path, monkeypatch):
    settings = {"sets": 8, "bootstraps": 20}
    rows, seconds = calibration.run_once(RDM, tmp_path, **settings)
    assert rows == calibration.run_cell(RDM, **settings)
    monkeypatch.setattr(calibration, "run_cell", lambda *_, **__: pytest.fail("this cell was kept"))
    assert calibration.run_once(RDM, tmp_path, **settings) == [rows, seconds]
    monkeypatch.setattr(calibration, "run_cell", lambda *_, **__: [])
    assert calibration.run_once(RDM, tmp_path, **settings | {"sets": 9})[0] == []  # other settings, another cell


def test_exact_tests_keep_the_level_and_tests_without_correction_do_not(eeg_rows):
    for side in calibration.SIDES:
        for test in ("cluster mass", "cluster mass, 500 random flips", "largest t, exact"):
            row = eeg_rows[test, side, "", "family_wise_error"]
            hits = round(row["value"] * row["n_sets"])
            assert stats.binomtest(hits, row["n_sets"], 0.05, "greater").pvalue > 1e-3
        row = eeg_rows["t tests, uncorrected", side, "", "family_wise_error"]
        hits = round(row["value"] * row["n_sets"])
        assert stats.binomtest(hits, row["n_sets"], 0.1, "greater").pvalue < 1e-6


def test_independent_times_without_correction_err_as_often_as_the_binomial_says():
    cell = EEG | {"autocorrelation": 0.0}
    hits = [uncorrected_t(draw_differences(cell, np.random.default_rng(n)), "greater") <= 0.05 for n in range(2000)]
    expected = 1 - stats.binom.pmf(0, 20, 0.05)
    assert abs(np.mean(hits) - expected) < 3 * np.sqrt(expected * (1 - expected) / 2000)


@pytest.mark.parametrize("alternative", calibration.SIDES)
def test_the_largest_t_is_mnes_permutation_t_test(alternative):
    from mne.stats import permutation_t_test

    for seed in range(5):
        values = null_data(7, 12, 0.5, rng=seed) + 0.4
        if alternative == "two-sided":  # mne's one-sided test compares t with the largest |t|
            _, p, _ = permutation_t_test(values, n_permutations="all", tail=0, verbose="ERROR")
            assert largest_t(values, alternative) == pytest.approx(p.min(), abs=2.01 / 2**7)
        t = [stats.ttest_1samp(flip[:, None] * values, 0).statistic for flip in _flips(7)]
        largest = np.max(np.abs(t) if alternative == "two-sided" else t, axis=1)
        assert largest_t(values, alternative) == pytest.approx(np.mean(largest >= largest[0] - 1e-9))


def _flips(n):
    return np.array([[1 - 2 * ((k >> i) & 1) for i in range(n)] for k in range(2**n)])


def test_peers_agree_with_ours_two_sided_and_mnes_exact_one_sided_test_counts_the_data_twice():
    differences = []
    for seed in range(12):
        values = null_data(6, 20, 0.8, rng=seed) + 0.5
        ours = cluster_test(values)
        assert mne_cluster(values, "two-sided") == pytest.approx(ours.min())
        runs = _longest_run(ours <= 0.05)
        assert neurora_cluster(values, "two-sided", 0) == (0 if runs >= 2 and ours.min() < 0.05 else 1)
        differences.append((mne_cluster(values, "greater") - cluster_test(values, alternative="greater").min()) * 2**6)
    differences = np.round(differences, 6)
    assert set(differences) <= {0.0, 1.0} and 1.0 in differences


def _longest_run(found):
    return max((len(run) for run in "".join("x" if f else " " for f in found).split()), default=0)


def test_differences_have_their_effect_in_the_middle():
    rng = [np.random.default_rng(3), np.random.default_rng(3)]
    added = draw_differences(EEG | {"effect": 2.0}, rng[0]) - draw_differences(EEG, rng[1])
    expected = np.r_[np.zeros(6), np.full(8, 2.0), np.zeros(6)]
    np.testing.assert_allclose(added, np.broadcast_to(expected, (10, 20)), atol=1e-12)


def test_networks_and_brains_share_their_images_and_no_network_is_closer_without_effect():
    networks, brains = draw_rdms(400, [0.0, 0.8], np.random.default_rng(0), n_layers=4, roi_noise=(0.7, 1.5))
    assert networks.shape == (2, 4, 400 * 399 // 2) and brains.shape == (2, 2, 400 * 399 // 2)
    rho = np.array(
        [[stats.spearmanr(networks[k, layer], brains[0, 0]).statistic for layer in range(4)] for k in (0, 1)]
    )
    np.testing.assert_allclose(rho[0], rho[1], atol=0.06)
    assert (np.diff(rho.mean(axis=0)) > 0).all()  # the last layer is the best
    moved = [stats.spearmanr(networks[k, 3], brains[1, 0]).statistic for k in (0, 1)]
    assert moved[0] - moved[1] > 0.3
    assert PART * 2 == 16 and square(networks[0, 0]).shape == (400, 400)


def test_the_truth_is_the_similarity_of_very_many_images():
    equal = true_similarities(0.0)
    assert equal[0] == equal[1]
    different = true_similarities(0.3)
    networks, brains = draw_rdms(1000, [0.3], np.random.default_rng(9))
    expected = [stats.spearmanr(networks[k, 0], brains[0, 0]).statistic for k in (0, 1)]
    np.testing.assert_allclose(different, expected, atol=0.03)


def test_an_rdm_cell_has_error_and_coverages_from_its_sets():
    rows = by_test(calibration.run_cell(RDM, sets=60, bootstraps=100))
    assert {key[2:] for key in rows} == {
        ("difference", "family_wise_error"), ("difference", "coverage"), ("similarity", "coverage"),
    }  # fmt: skip
    assert rows["bootstrap over images", "greater", "difference", "coverage"]["value"] >= 0.85
    with_effect = by_test(calibration.run_cell(RDM | {"effect": 0.9, "n_images": 30}, sets=40, bootstraps=100))
    power = with_effect["bootstrap over images", "greater", "difference", "power"]
    assert power["value"] > 0.7 and power["n_sets"] == 20 and power["truth"] > 0.3


def test_three_people_cannot_be_significant_over_people_but_over_images():
    cell = RDM | {"family": "fmri", "n_subjects": 3, "n_rois": 5, "n_layers": 4, "n_images": 30, "effect": 0.9}
    rows = by_test(calibration.run_cell(cell, sets=12, bootstraps=100))
    assert rows["sign flips, FDR over ROIs", "greater", "any ROI", "power"]["value"] == 0
    assert rows["bootstrap over images, FDR over ROIs", "greater", "any ROI, mean person", "power"]["value"] > 0.5


def test_few_people_who_differ_are_covered_by_t_and_not_by_percentiles():
    cell = RDM | {"family": "subjects", "n_subjects": 3, "subject_sd": 0.6, "n_images": 30}
    rows = by_test(calibration.run_cell(cell, sets=100, bootstraps=100))
    covered = {key[0]: row["value"] for key, row in rows.items() if key[2:] == ("difference", "coverage")}
    assert covered["images and subjects, t"] >= 0.9
    assert covered["images and subjects, percentiles"] < 0.88
    assert covered["images only, percentiles"] < covered["images and subjects, percentiles"]


def test_the_grid_has_the_structure_of_ours():
    cells = calibration.grid()
    null = [cell for cell in cells if cell["family"] == "eeg" and not cell["effect"] and cell["n_subjects"] == 10]
    offset = {(r, 1.0) for r in (0.0, 0.95)}
    found = {(c["autocorrelation"], c["shared_offset"]) for c in null}
    assert found == offset | {(r, 0.0) for r in (0.0, 0.5, 0.8, 0.95)}
    assert {cell["family"] for cell in cells} == {"eeg", "fmri", "layers", "rdm", "subjects"}
    assert all(set(cell) <= set(calibration.COLUMNS) for cell in cells)


def small_table():
    rows = [
        {"family": "eeg", "test": "cluster mass", "ours": True, "metric": "family_wise_error", "value": 0.058,
         "standard_error": 0.005, "n_sets": 2000},
        {"family": "eeg", "test": "mne cluster", "ours": False, "metric": "family_wise_error", "value": 0.061,
         "standard_error": 0.005, "n_sets": 2000},
        {"family": "rdm", "test": "bootstrap over images", "ours": True, "metric": "coverage", "value": 0.93,
         "standard_error": 0.005, "n_sets": 2000},
        {"family": "rdm", "test": "bootstrap over images", "ours": True, "metric": "power", "value": 0.5,
         "standard_error": 0.01, "n_sets": 2000},
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_verdict_allows_two_standard_errors():
    assert chapter.add_verdicts(small_table()).verdict.tolist() == ["holds", "errs too often", "errs too often", ""]


def test_an_unknown_metric_is_refused():
    with pytest.raises(InvalidInput, match="metric"):
        chapter.add_verdicts(small_table().assign(metric="speed"))


def test_the_kept_table_has_2000_null_sets_a_cell_and_all_peers(kept):
    table, about = kept
    null = table[(table.metric != "power") & ~(table.effect > 0)]
    assert null.n_sets.min() >= 2000
    assert {"mne cluster", "neurora cluster", "cluster mass"} <= set(null.test)
    assert about["settings"]["level"] == 0.05


def test_the_studys_tests_hold_in_every_cell_of_the_kept_table(kept):
    table = kept[0]
    ours = table[table.ours & (table.metric != "power")]
    missed = ours[ours.verdict != "holds"]
    # ten people have few enough flips to take them all; 500 at random are what more people would have
    assert len(ours) > 60 and set(missed.test) <= {"cluster mass, 500 random flips"}, missed.to_string()
    # and of so many cells, some lie outside two standard errors by chance
    assert len(missed) <= stats.binom.ppf(0.99, len(ours), stats.norm.sf(2))
    assert (missed.value - 0.05 <= 3 * missed.standard_error).all()


def test_ours_is_not_weaker_than_an_exact_test_where_an_effect_lasts(kept):
    compared = chapter.against_exact(kept[0])
    assert len(compared) >= 10
    wide = compared[compared.width > 1]
    assert (wide.difference >= -2 * wide.standard_error).all(), wide.to_string()
    # at a single time the largest t is stronger, as the chapter says
    brief = compared[(compared.width == 1) & (compared.exact == "largest t, exact")]
    assert (brief.difference <= 0).all() and brief.difference.min() < -0.3


def test_a_best_layer_errs_where_layers_are_unlike_and_fixed_layers_do_not(kept):
    layers = kept[0].query("family == 'layers' and n_images == 50").set_index(["test", "profile"])
    best, fixed = (layers.loc[f"bootstrap over images, {which}"] for which in ("best layer", "fixed layers"))
    assert (best.loc[["one stands out", "one alone"]].verdict == "errs too often").all()
    assert best.value["alike"] < 0.05 and (fixed.verdict == "holds").all() and fixed.ours.all() and not best.ours.any()


def test_what_is_found_in_worlds_is_counted_apart_for_planted_and_not():
    table = pd.DataFrame([
        {"world": world, "effect": effect, "model": model, "reference": "control", "planted": planted, "up": up,
         "down": 0, "n": n, "value": 0.1}
        for world, up in ((0, 1), (1, 2))
        for effect, model, planted, n in (("own subject", "realnet", True, 3), ("own subject", "shuffled", False, 3),
                                          ("dimension", "realnet", True, 2), ("dimension", "realnet", False, 6))
    ])  # fmt: skip
    found = chapter.how_often_found(table).set_index(["effect", "model"])
    assert found.loc[("own subject", "realnet"), "found above"].item() == 3 / 6
    assert found.loc[("dimension (planted)", "realnet"), "cases"].item() == 4
    assert found.loc[("dimension", "realnet"), "cases"].item() == 12
    assert list(found.planted)[:2] == [True, True] and set(found.worlds) == {2}
