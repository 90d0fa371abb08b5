"""Bootstraps equal resamples written out; intervals and tests equal their definitions and keep their error."""

from itertools import product

import numpy as np
import pytest
from rsatoolbox.inference import eval_dual_bootstrap
from rsatoolbox.model import ModelFixed
from rsatoolbox.rdm import RDMs
from scipy.stats import multivariate_normal, norm, spearmanr, t, ttest_1samp

from experiments.statistics import null_data
from realnet.errors import InvalidInput
from realnet.rdm import square
from realnet.similarity import FeatureRDMs, compare_rdms, partial_spearman
from realnet.statistics import bootstrap_partial_spearman, bootstrap_similarities, cluster_test, generalise, ratio

N_IMAGES = 14


@pytest.fixture
def rdms():
    rng = np.random.default_rng(0)
    values = rng.random((5, N_IMAGES * (N_IMAGES - 1) // 2)) + rng.random(N_IMAGES * (N_IMAGES - 1) // 2)
    values[3:] = np.round(values[3:], 1)  # ties
    return values


def written_out_resamples(rdms, n_bootstraps, seed):
    """Every RDM of every resample, repeated images written out, pairs of an image with itself left out."""
    rng = np.random.default_rng(seed)
    full = square(rdms)
    first, second = np.triu_indices(N_IMAGES, 1)
    for _ in range(n_bootstraps):
        images = rng.integers(N_IMAGES, size=N_IMAGES)
        different = images[first] != images[second]
        yield full[:, images[first[different]], images[second[different]]]


def test_bootstrap_equals_spearman_of_the_written_out_resample(rdms):
    rho = bootstrap_similarities(rdms[[0, 1, 3]], rdms[[2, 4]], n_bootstraps=20, seed=7)
    assert rho.shape == (20, 3, 2)
    for sample, resample in enumerate(written_out_resamples(rdms, 20, seed=7)):
        for i, j in product(range(3), range(2)):
            expected = spearmanr(resample[[0, 1, 3][i]], resample[[2, 4][j]]).statistic
            assert rho[sample, i, j] == pytest.approx(expected, abs=1e-12)


def test_bootstrap_of_partial_correlations_equals_that_of_the_written_out_resample(rdms):
    partial = bootstrap_partial_spearman(rdms[:2], rdms[2:], n_bootstraps=10, seed=3)
    assert partial.shape == (10, 2, 3)
    for sample, resample in enumerate(written_out_resamples(rdms, 10, seed=3)):
        np.testing.assert_allclose(partial[sample], partial_spearman(resample[:2], resample[2:]), atol=1e-10)
    one = bootstrap_partial_spearman(rdms[1], FeatureRDMs(rdms[2:]), n_bootstraps=10, seed=3)
    np.testing.assert_allclose(one, partial[:, 1], atol=1e-12)


def test_resamples_are_shared_so_that_differences_are_paired(rdms):
    together = bootstrap_similarities(rdms[:2], rdms[3:4], n_bootstraps=30, seed=1)
    alone = [bootstrap_similarities(rdms[k], rdms[3], n_bootstraps=30, seed=1)[:, 0, 0] for k in (0, 1)]
    np.testing.assert_allclose(together[:, :, 0].T, alone, atol=1e-14)
    np.testing.assert_allclose(bootstrap_similarities(rdms[3], rdms[3], 30)[:, 0, 0], 1, atol=1e-14)
    assert not np.array_equal(together, bootstrap_similarities(rdms[:2], rdms[3:4], n_bootstraps=30, seed=2))


def test_the_interval_over_images_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    sources = rng.normal(size=(600, 6))  # a population of images; a model and a brain that share part of it

    def rdm(images, weights):
        return sum(((sources[images] @ w)[:, None] - (sources[images] @ w)[None]) ** 2 for w in weights)

    upper = np.triu_indices(600, 1)
    model_weights, brain_weights = rng.normal(size=(2, 4, 6))
    everything = np.arange(600)
    truth = spearmanr(rdm(everything, model_weights)[upper], rdm(everything, brain_weights)[upper]).statistic
    covered = []
    for _ in range(100):
        images = rng.choice(600, size=40, replace=False)
        pairs = np.triu_indices(40, 1)
        model, brain = rdm(images, model_weights)[pairs], rdm(images, brain_weights)[pairs]
        samples = bootstrap_similarities(model, brain, 200)[:, 0, 0]
        found = generalise(np.append(compare_rdms(model, brain), samples), n_images=40, n_factors=0, level=0.9)
        covered.append(found.lower <= truth <= found.upper)
    assert 0.8 <= np.mean(covered) <= 0.99  # 0.9 within three standard errors; resampled pairs make it a little wide


def clusters_of(values, threshold_p=0.05):
    """Clusters as their definition reads, time by time: (times, mass) of each."""
    n_subjects = len(values)
    limit = t.ppf(1 - threshold_p / 2, n_subjects - 1)
    scores, found = values.mean(0) / (values.std(0, ddof=1) / np.sqrt(n_subjects)), []
    for sign in (1, -1):
        members = []
        for time, score in enumerate([*scores, 0.0]):
            if sign * score > limit:
                members.append(time)
            elif members:
                found.append((members, abs(scores[members].sum())))
                members = []
    return found


@pytest.mark.parametrize("n_subjects", [3, 6, 9])
@pytest.mark.parametrize("seed", range(3))
def test_cluster_test_equals_its_literal_definition(n_subjects, seed):
    values = null_data(n_subjects, 15, 0.7, rng=seed)
    values[:, 3:6] += 2.5
    values[:, 10:13] -= 2.5
    flips = np.array(list(product([1, -1], repeat=n_subjects)))[:, :, None]
    heaviest = np.array([max([mass for _, mass in clusters_of(flip * values)], default=0) for flip in flips])
    expected = np.ones(15)
    for members, mass in clusters_of(values):
        expected[members] = np.mean(heaviest >= mass - 1e-9)
    assert expected.min() < 1
    np.testing.assert_allclose(cluster_test(values), expected)


def test_random_flips_give_about_the_exact_p_and_the_same_for_one_seed():
    values = null_data(12, 20, 0.7, rng=1)
    values[:, 8:14] += 0.5
    exact = cluster_test(values, n_permutations=2**11)  # 2^11 flips and their opposites
    p = cluster_test(values, n_permutations=1000, seed=3)
    assert exact[8:14].min() < 0.3
    np.testing.assert_allclose(p, exact, atol=4 * np.sqrt(0.25 / 1000))
    np.testing.assert_array_equal(p, cluster_test(values, n_permutations=1000, seed=3))
    assert not np.array_equal(p, cluster_test(values, n_permutations=1000, seed=4))


@pytest.mark.filterwarnings("error")
def test_times_without_any_difference_are_in_no_cluster():
    values = null_data(8, 10, rng=2)
    values[:, 4:7] += 3
    values[:, :3] = 0
    p = cluster_test(values)
    assert (p[:3] == 1).all() and (p[4:7] <= 0.01).all()
    assert (cluster_test(np.zeros((5, 6))) == 1).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("difference", [0.3, -1 / 3])
def test_the_same_difference_in_every_subject_is_as_clear_as_the_flips_allow(difference):
    values = null_data(8, 6, rng=3)
    values[:, 2] = difference
    assert cluster_test(values)[2] == 2 / 2**8


def test_cluster_test_keeps_its_family_wise_error():
    found = [null_data(6, 12, 0.8, rng=[9, number]) for number in range(300)]
    corrected = np.mean([cluster_test(values).min() <= 0.05 for values in found])
    uncorrected = np.mean([ttest_1samp(values, 0).pvalue.min() <= 0.05 for values in found])
    assert corrected < 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 300)
    assert uncorrected > 0.1  # what the correction is for


def test_cluster_test_refuses_undefined_values():
    for wrong in (np.array([[1.0, np.nan], [1.0, 2.0]]), np.ones((1, 4)), np.ones((3, 4, 5))):
        with pytest.raises(InvalidInput, match="two or more subjects, n_times"):
            cluster_test(wrong)


def test_without_images_and_with_one_factor_generalising_is_a_t_test():
    found = np.random.default_rng(0).normal(0.4, 1, size=(3, 8))
    effect = generalise(found[None], n_images=50, n_factors=1, level=0.9)
    expected = ttest_1samp(found, 0, axis=1)
    interval = expected.confidence_interval(0.9)
    np.testing.assert_allclose(effect[:4], [found.mean(axis=1), interval.low, interval.high, expected.pvalue])


def test_variances_over_subjects_seeds_and_images_add_up_each_with_its_own_quantile():
    rng = np.random.default_rng(1)
    found = rng.normal(0.3, 0.1, size=(4, 3))  # (subject, seed)
    samples = found + rng.normal(0, 0.2, size=(500, 1, 1))  # images that move all networks alike
    values = np.concatenate([found[None], samples])
    effect = generalise(values, n_images=50)
    parts = [(found.mean(axis=1).var(ddof=1) / 4, 3), (found.mean(axis=0).var(ddof=1) / 3, 2),
             (samples.mean(axis=(1, 2)).var(ddof=1), 49)]  # fmt: skip
    half_width = np.sqrt(sum(t.ppf(0.975, df) ** 2 * variance for variance, df in parts))
    np.testing.assert_allclose(effect[:3], [found.mean(), found.mean() - half_width, found.mean() + half_width])
    assert effect.p == pytest.approx(effect.p_corrected, abs=0.01)
    assert generalise(values, n_images=50, level=1 - effect.p).lower == pytest.approx(0, abs=1e-9)
    values[1] = np.nan  # a resample that says nothing
    assert generalise(values, n_images=50).lower == pytest.approx(effect.lower, abs=0.01)
    nothing = generalise(np.zeros((6, 3, 3)), n_images=50)
    assert nothing[:3] == (0, 0, 0) and nothing.p == nothing.p_corrected == 1


@pytest.mark.parametrize(("n_subjects", "n_seeds", "sd"), [(3, 3, 0.1), (3, 1, 0.4), (5, 3, 0.4)])
def test_few_subjects_who_differ_cause_no_more_errors_than_stated(n_subjects, n_seeds, sd):
    rng, wrong, any_wrong = np.random.default_rng(2), [], []
    for _ in range(250):
        images = rng.normal(0, 0.5, size=(50, 12))
        found = sd * rng.normal(size=(n_subjects, 1, 12)) + 0.03 * rng.normal(size=(n_subjects, n_seeds, 12))
        weights = np.vstack([np.ones(50), rng.multinomial(50, np.full(50, 1 / 50), size=100)]) / 50
        values = (weights @ images)[:, None, None] + found
        effect = generalise(np.moveaxis(values, -1, 1), n_images=50, n_draws=1000)
        wrong.append((effect.p < 0.05).mean())
        any_wrong.append(effect.p_corrected.min() < 0.05)
    assert np.mean(wrong) < 0.055 and np.mean(any_wrong) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 250)


def test_a_factor_with_one_level_adds_nothing_and_one_value_alone_has_no_interval():
    samples = np.random.default_rng(2).normal(0.1, 1, size=(40, 5, 1, 1))
    over_images = generalise(samples, n_images=20)
    error = samples[1:, :, 0, 0].std(axis=0, ddof=1)
    np.testing.assert_allclose(over_images.upper - over_images.value, t.ppf(0.975, 19) * error)
    with pytest.raises(InvalidInput, match="resampled images, or a factor with two levels"):
        generalise(samples[:1], n_images=20)


def test_the_standard_error_is_a_little_above_that_of_rsatoolboxs_dual_bootstrap():
    rng, n_images, n_subjects = np.random.default_rng(3), 30, 6
    shared = rng.normal(size=(n_images, 8))
    rdms = np.stack([square_distances(shared + rng.normal(size=shared.shape)) for _ in range(n_subjects)])
    models = np.stack([square_distances(shared + s * rng.normal(size=shared.shape)) for s in (0.5, 1.5)])
    values = np.concatenate([compare_rdms(models, rdms)[None], bootstrap_similarities(models, rdms, 400)])
    difference = values[:, 0] - values[:, 1]
    ours = generalise(difference, n_images, n_factors=1)
    fixed = [ModelFixed(str(i), rdm) for i, rdm in enumerate(models)]
    theirs = eval_dual_bootstrap(fixed, RDMs(rdms), method="spearman", k_pattern=1, k_rdm=1, N=400)
    error = np.sqrt(theirs.diff_var[0]).item()
    # with few degrees of freedom over subjects t is compared, not the standard error
    spread = np.sqrt(difference[1:].mean(axis=1).var(ddof=1) + difference[0].var(ddof=1) / n_subjects)
    assert 0.9 < spread / error < 1.5 and ours.upper - ours.value > 1.96 * spread


def square_distances(patterns):
    first, second = np.triu_indices(len(patterns), 1)
    return ((patterns[first] - patterns[second]) ** 2).sum(axis=1)


def test_corrected_p_is_that_of_the_largest_of_correlated_normal_values():
    rng = np.random.default_rng(4)
    samples = rng.normal(0, 0.7, size=(4000, 4)) + rng.normal(0, 0.7, size=(4000, 1))
    values = np.vstack([np.array([2.4, 0.5, 1.5, 0]) * samples.std(axis=0, ddof=1), samples])
    effect = generalise(values, n_images=100_000, n_factors=0)
    correlation = np.corrcoef(samples.T)
    for cell, z in enumerate(norm.isf(effect.p / 2)):
        limit = np.full(4, z)
        inside = multivariate_normal(np.zeros(4), correlation).cdf(limit, lower_limit=-limit)
        assert effect.p_corrected[cell] == pytest.approx(1 - inside, abs=0.015)


def test_networks_that_differ_by_seed_alone_are_seldom_different_once_seeds_are_a_factor():
    rng, with_seeds, without = np.random.default_rng(5), [], []
    for _ in range(400):
        seeds = rng.normal(0, 0.02, size=(1, 3, 1)) + rng.normal(0, 0.005, size=(3, 3, 6))
        samples = (seeds + rng.normal(0, 0.004, size=(60, 1, 1, 6))).transpose(0, 3, 1, 2)
        values = np.concatenate([seeds.transpose(2, 0, 1)[None], samples])
        with_seeds.append(generalise(values, n_images=50, n_draws=500).p_corrected.min() < 0.05)
        fixed = values.mean(axis=-1, keepdims=True)
        without.append(generalise(fixed, n_images=50, n_draws=500).p_corrected.min() < 0.05)
    assert np.mean(with_seeds) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean(without) > 0.2  # what the factor is for


def test_the_interval_of_a_ratio_holds_the_ratios_whose_difference_could_be_zero():
    rng = np.random.default_rng(6)
    shared = rng.normal(0, 0.05, size=(200, 1, 1, 1))
    b = 0.4 + shared + rng.normal(0, 0.05, size=(200, 2, 4, 3))
    a = 0.5 * b + rng.normal(0, 0.03, size=b.shape)
    value, lower, upper = ratio(a, b, n_images=30)
    np.testing.assert_allclose(value, a[0].mean(axis=(1, 2)) / b[0].mean(axis=(1, 2)))
    grid = np.linspace(-1, 2, 3001)
    for cell in range(2):
        inside = []
        for s in grid:
            effect = generalise((a - s * b)[:, cell], n_images=30)
            inside.append(effect.lower <= 0 <= effect.upper)
        ends = grid[inside][[0, -1]]
        np.testing.assert_allclose(
            [lower[cell], upper[cell]], ends, atol=0.12 * (ends[1] - ends[0])
        )  # df differ a little


def test_a_ratio_to_a_reference_that_is_not_clearly_above_zero_is_missing():
    values = np.random.default_rng(7).normal(0.0, 1, size=(100, 1, 3, 3))
    assert np.isnan(ratio(values, values - 0.2, n_images=20)).all()
    assert np.isnan(ratio(values, -abs(values), n_images=20)).all()
