"""Bootstraps equal resamples written out; tests equal their literal definitions and keep their error."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import false_discovery_control, spearmanr, t, ttest_1samp

from experiments.statistics import null_data
from realnet.errors import InvalidInput
from realnet.rdm import square
from realnet.similarity import FeatureRDMs, partial_spearman
from realnet.statistics import (
    bootstrap_p,
    bootstrap_partial_spearman,
    bootstrap_similarities,
    cluster_test,
    confidence_interval,
    fdr,
    generalise_to_subjects,
)

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
        samples = bootstrap_similarities(rdm(images, model_weights)[pairs], rdm(images, brain_weights)[pairs], 200)
        lower, higher = confidence_interval(samples[:, 0, 0], level=0.9)
        covered.append(lower <= truth <= higher)
    assert 0.8 <= np.mean(covered) <= 0.98  # 0.9 within three standard errors and the known slight bias of percentiles


def test_confidence_interval_is_the_percentiles():
    samples = np.random.default_rng(3).normal(size=(1001, 2))
    lower, upper = confidence_interval(samples)
    np.testing.assert_allclose(lower, np.percentile(samples, 2.5, axis=0))
    np.testing.assert_allclose(upper, np.percentile(samples, 97.5, axis=0))
    np.testing.assert_allclose(confidence_interval(samples.T, level=0.5, axis=1)[0], np.percentile(samples, 25, axis=0))


def test_p_of_a_bootstrap_counts_the_samples_beyond_zero():
    samples = np.array([0.1, 0.2, -0.1, 0.3, 0.4, 0.0, 0.2, 0.3, 0.5])
    assert bootstrap_p(samples) == 3 / 10
    assert bootstrap_p(samples, "two-sided") == 6 / 10
    assert bootstrap_p(np.stack([samples, -samples], axis=1)).tolist() == [3 / 10, 9 / 10]
    assert bootstrap_p([np.nan, 0.1, 0.2]) == 2 / 4  # a resample that says nothing counts against the effect
    with pytest.raises(InvalidInput, match="'greater' or 'two-sided'"):
        bootstrap_p(samples, "bigger")


def test_fdr_corrects_over_all_values_and_keeps_their_shape():
    p = np.random.default_rng(1).random((4, 5)) ** 3
    np.testing.assert_allclose(fdr(p), false_discovery_control(p.ravel()).reshape(4, 5))
    for wrong in ([0.2, np.nan], [1.2]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            fdr(wrong)


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


def test_generalising_to_subjects_is_a_t_test_where_images_do_not_matter():
    found = np.random.default_rng(0).normal(0.4, 1, size=(3, 8))
    samples = np.broadcast_to(found, (50, 3, 8))
    mean, lower, upper, p = generalise_to_subjects(found, samples, level=0.9)
    expected = ttest_1samp(found, 0, axis=1, alternative="greater")
    interval = ttest_1samp(found, 0, axis=1).confidence_interval(0.9)
    np.testing.assert_allclose(mean, found.mean(axis=1))
    np.testing.assert_allclose([lower, upper], [interval.low, interval.high])
    np.testing.assert_allclose(p, expected.pvalue)


def test_generalising_to_subjects_adds_the_variance_over_images():
    rng = np.random.default_rng(1)
    found = np.array([0.3, 0.5, 0.1, 0.2])
    samples = found + rng.normal(0, 0.2, size=(4000, 1))  # images that move all subjects alike
    mean, lower, upper, p = generalise_to_subjects(found, samples)
    error = np.sqrt(found.var(ddof=1) / 4 + samples.mean(axis=1).var(ddof=1))
    assert upper - mean == pytest.approx(t.ppf(0.975, 3) * error) and mean - lower == pytest.approx(upper - mean)
    assert p == pytest.approx(t.sf(found.mean() / error, 3))
    samples[0] = np.nan  # a resample that said nothing
    assert generalise_to_subjects(found, samples)[1] == pytest.approx(lower, abs=0.01)
    nothing = generalise_to_subjects(np.zeros(3), np.zeros((5, 3)))
    assert nothing[:3] == (0, 0, 0) and nothing[3] == 0.5
