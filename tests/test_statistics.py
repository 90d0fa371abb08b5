"""Resampling equals the resample written out; tests equal their literal versions, keep their error and their bounds."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import false_discovery_control, spearmanr, t, ttest_1samp

from realnet.errors import InvalidInput
from realnet.rdm import difference_rdm, labelled, square
from realnet.similarity import FeatureRDMs, compare_rdms, partial_spearman
from realnet.statistics import (
    bootstrap_p,
    bootstrap_partial_spearman,
    bootstrap_similarities,
    cluster_test,
    confidence_interval,
    family_wise_error,
    fdr,
    generalise_to_subjects,
    null_data,
    permutation_p,
    permute_partial_spearman,
    resample_subjects,
    sign_flip_test,
    smallest_sign_flip_p,
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

    def rdm(images, weights, noise):
        return (
            np.stack([((sources[images] @ w)[:, None] - (sources[images] @ w)[None]) ** 2 for w in weights]).sum(0)
            + noise
        )

    upper = np.triu_indices(600, 1)
    model_weights, brain_weights = rng.normal(size=(2, 4, 6))
    everything = np.arange(600)
    truth = spearmanr(rdm(everything, model_weights, 0)[upper], rdm(everything, brain_weights, 0)[upper]).statistic
    covered = []
    for _ in range(100):
        images = rng.choice(600, size=40, replace=False)
        pairs = np.triu_indices(40, 1)
        samples = bootstrap_similarities(
            rdm(images, model_weights, 0)[pairs], rdm(images, brain_weights, 0)[pairs], 200
        )
        lower, higher = confidence_interval(samples[:, 0, 0], level=0.9)
        covered.append(lower <= truth <= higher)
    assert 0.8 <= np.mean(covered) <= 0.98  # 0.9 within three standard errors and the known slight bias of percentiles


def test_a_bootstrap_needs_images_and_the_same_stimuli(rdms):
    with pytest.raises(InvalidInput, match="4 images"):
        bootstrap_similarities(np.arange(3.0), np.arange(3.0))
    with pytest.raises(InvalidInput, match="91 pairs and brain RDMs 6"):
        bootstrap_similarities(rdms, np.arange(6.0))
    with pytest.raises(InvalidInput, match="row 1"):
        bootstrap_similarities(labelled(np.arange(6.0), "abcd"), labelled(np.arange(6.0), "acbd"))
    with pytest.raises(InvalidInput, match="n_rdms, n_pairs"):
        bootstrap_similarities(rdms[None, None], rdms)


def test_permutations_are_partial_correlations_of_the_permuted_rdm(rdms):
    null = permute_partial_spearman(rdms[0], rdms[2:], n_permutations=150, seed=4)
    orders = np.random.default_rng(4).permuted(np.tile(np.arange(N_IMAGES), (150, 1)), axis=1)
    upper = np.triu_indices(N_IMAGES, 1)
    permuted = np.stack([square(rdms[0])[np.ix_(order, order)][upper] for order in orders])
    np.testing.assert_allclose(null, partial_spearman(permuted, rdms[2:]), atol=1e-5)


def test_permutations_give_uniform_p_where_there_is_no_effect():
    rng = np.random.default_rng(6)
    p = []
    for seed in range(200):
        features = difference_rdm(rng.normal(size=(3, 20)))
        rdm = difference_rdm(rng.normal(size=20))
        null = permute_partial_spearman(rdm, features, n_permutations=99, seed=seed)
        p.append(permutation_p(partial_spearman(rdm, features), null)[0])
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 3 * np.sqrt(0.1 * 0.9 / 200)
    assert abs(np.mean(p) - 0.505) < 3 * np.sqrt(1 / 12 / 200)


def test_resampling_subjects_has_the_variance_of_a_mean_over_subjects():
    samples = np.broadcast_to(np.random.default_rng(2).normal(size=(3, 6)), (20_000, 3, 6))
    means = resample_subjects(samples)
    assert means.shape == (20_000, 3)
    np.testing.assert_allclose(means.mean(axis=0), samples[0].mean(axis=1), atol=0.02)
    np.testing.assert_allclose(means.var(axis=0), samples[0].var(axis=1) / 6, rtol=0.05)
    np.testing.assert_allclose(resample_subjects(np.ones((10, 4, 2)), axis=1), 1)


def test_confidence_interval_is_the_percentiles():
    samples = np.random.default_rng(3).normal(size=(1001, 2))
    lower, upper = confidence_interval(samples)
    np.testing.assert_allclose(lower, np.percentile(samples, 2.5, axis=0))
    np.testing.assert_allclose(upper, np.percentile(samples, 97.5, axis=0))
    np.testing.assert_allclose(confidence_interval(samples.T, level=0.5, axis=1)[0], np.percentile(samples, 25, axis=0))
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        confidence_interval(samples, level=95)


def test_p_of_a_bootstrap_counts_the_samples_beyond_zero():
    samples = np.array([0.1, 0.2, -0.1, 0.3, 0.4, 0.0, 0.2, 0.3, 0.5])
    assert bootstrap_p(samples) == 3 / 10
    assert bootstrap_p(samples, "less") == 9 / 10
    assert bootstrap_p(samples, "two-sided") == 6 / 10
    assert bootstrap_p(np.stack([samples, -samples], axis=1)).tolist() == [3 / 10, 9 / 10]
    assert bootstrap_p([np.nan, 0.1, 0.2]) == 2 / 4  # a resample that says nothing counts against the effect
    with pytest.raises(InvalidInput, match="greater, less, two-sided"):
        bootstrap_p(samples, "bigger")


def sign_flips(n_subjects):
    return np.array(list(product([1, -1], repeat=n_subjects)))


@pytest.mark.parametrize("n_subjects", [3, 5, 10])
def test_sign_flip_test_counts_all_flips(n_subjects):
    values = np.random.default_rng(n_subjects).normal(0.5, size=(n_subjects, 4))
    means = sign_flips(n_subjects) @ values / n_subjects
    greater = (means >= means[0] - 1e-12).mean(axis=0)
    less = (means <= means[0] + 1e-12).mean(axis=0)
    np.testing.assert_allclose(sign_flip_test(values), greater)
    np.testing.assert_allclose(sign_flip_test(values, "less"), less)
    np.testing.assert_allclose(sign_flip_test(values, "two-sided"), np.minimum(1, 2 * np.minimum(greater, less)))


def test_three_subjects_cannot_be_significant():
    assert sign_flip_test(np.array([100.0, 101.0, 99.0])) == smallest_sign_flip_p(3) == 0.125
    assert sign_flip_test(np.array([100.0, 101.0, 99.0]), "two-sided") == smallest_sign_flip_p(3, "two-sided") == 0.25
    assert smallest_sign_flip_p(10) == 1 / 1024


def test_tests_over_subjects_refuse_undefined_values():
    for wrong in (np.array([[1.0, np.nan], [1.0, 2.0]]), np.ones((1, 4)), np.float64(3.0)):
        with pytest.raises(InvalidInput, match="two subjects or more"):
            sign_flip_test(wrong)
        with pytest.raises(InvalidInput, match="two subjects or more"):
            cluster_test(wrong)
    with pytest.raises(InvalidInput, match="n_subjects, n_times"):
        cluster_test(np.ones((3, 4, 5)))


def test_fdr_is_scipys():
    p = np.random.default_rng(1).random((4, 5)) ** 3
    np.testing.assert_allclose(fdr(p), false_discovery_control(p.ravel()).reshape(4, 5))
    for wrong in ([], [0.2, np.nan], [1.2]):
        with pytest.raises(InvalidInput, match="p values between 0 and 1"):
            fdr(wrong)


def literal_cluster_p(values, alternative, threshold_p=0.05):
    """The cluster test as its definition reads, flip by flip and time by time."""
    n_subjects = len(values)
    signs = {"greater": [1], "less": [-1], "two-sided": [1, -1]}[alternative]
    limit = t.ppf(1 - threshold_p / len(signs), n_subjects - 1)

    def clusters(x):
        scores = x.mean(0) / (x.std(0, ddof=1) / np.sqrt(n_subjects))
        found = []
        for sign in signs:
            members = []
            for time, score in enumerate([*scores, 0.0]):
                if sign * score > limit:
                    members.append(time)
                elif members:
                    found.append((members, abs(scores[members].sum())))
                    members = []
        return found

    heaviest = [
        max([mass for _, mass in clusters(flip[:, None] * values)], default=0) for flip in sign_flips(n_subjects)
    ]
    p = np.ones(values.shape[1])
    for members, mass in clusters(values):
        p[members] = np.mean(np.array(heaviest) >= mass - 1e-9)
    return p


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("seed", range(4))
def test_cluster_test_equals_its_literal_definition(alternative, seed):
    values = null_data(6, 15, autocorrelation=0.7, rng=seed)
    values[:, 3:6] += 1.5
    values[:, 10:13] -= 1.5
    expected = literal_cluster_p(values, alternative)
    assert expected.min() < 1
    np.testing.assert_allclose(cluster_test(values, alternative=alternative), expected)


@pytest.mark.parametrize("seed", range(4))
def test_the_two_sided_cluster_test_is_mnes(seed):
    from mne.stats import permutation_cluster_1samp_test

    values = null_data(7, 15, autocorrelation=0.7, rng=seed)
    values[:, 3:6] += 1.0
    values[:, 10:13] -= 1.5
    _, clusters, cluster_p, _ = permutation_cluster_1samp_test(
        values, out_type="mask", n_permutations=1000, verbose=False
    )
    expected = np.ones(15)
    for cluster, p in zip(clusters, cluster_p, strict=True):
        expected[cluster] = p
    np.testing.assert_allclose(cluster_test(values), expected)


def test_cluster_test_finds_a_planted_effect_and_is_the_same_for_one_seed():
    values = null_data(16, 20, autocorrelation=0.5, rng=1)  # 2^16 flips are more than are tried
    values[:, 8:14] += 1.5
    p = cluster_test(values, n_permutations=500, seed=3)
    assert (p[8:14] <= 0.01).all() and (p[:6] == 1).all()
    np.testing.assert_array_equal(p, cluster_test(values, n_permutations=500, seed=3))


def test_times_without_any_difference_are_in_no_cluster():
    values = null_data(8, 10, rng=2)
    values[:, 4:7] += 3
    values[:, :3] = 0
    p = cluster_test(values)
    assert (p[:3] == 1).all() and (p[4:7] <= 0.01).all()
    assert (cluster_test(np.zeros((5, 6))) == 1).all()


def test_the_same_difference_in_every_subject_is_as_clear_as_the_flips_allow():
    values = null_data(8, 6, rng=3)
    values[:, 2] = 0.3
    assert cluster_test(values, alternative="greater")[2] == 1 / 256
    assert cluster_test(values)[2] == 2 / 256
    assert cluster_test(values, alternative="less")[2] == 1


def test_cluster_test_keeps_its_family_wise_error():
    rate, error = family_wise_error(
        lambda values: cluster_test(values, alternative="greater"),
        lambda rng: null_data(6, 12, 0.8, rng=rng),
        n_sets=300,
    )
    uncorrected, _ = family_wise_error(
        lambda values: sign_flip_test(values), lambda rng: null_data(6, 12, 0.8, rng=rng), n_sets=300
    )
    assert rate < 0.05 + 2.5 * error
    assert uncorrected > 0.1  # what the correction is for


def test_family_wise_error_is_the_share_of_sets_with_any_small_p():
    rate, error = family_wise_error(lambda p: p, lambda rng: rng.random(4), n_sets=4000)
    expected = 1 - 0.95**4
    assert abs(rate - expected) < 3 * error
    assert error == pytest.approx(np.sqrt(expected * (1 - expected) / 4000), rel=0.05)


def test_null_data_have_the_structure_they_name():
    values = null_data(4000, 6, autocorrelation=0.8, rng=0)
    np.testing.assert_allclose(np.corrcoef(values.T)[0], 0.8 ** np.arange(6), atol=0.06)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=0.05)
    shared = null_data(4000, 6, shared_offset=2.0, rng=0)
    np.testing.assert_allclose(shared.std(axis=0), np.sqrt(5), atol=0.1)
    np.testing.assert_allclose(np.corrcoef(shared.T)[0, 1:], 4 / 5, atol=0.03)


def test_the_similarity_of_all_images_lies_within_its_bootstrap(rdms):
    samples = bootstrap_similarities(rdms[:1], rdms[1:2], 400)[:, 0, 0]
    lower, upper = confidence_interval(samples)
    assert lower < compare_rdms(rdms[0], rdms[1]) < upper


def test_generalising_to_subjects_is_a_t_test_where_images_do_not_matter():
    found = np.random.default_rng(0).normal(0.4, 1, size=(3, 8))
    samples = np.broadcast_to(found, (50, 3, 8))
    mean, lower, upper, p = generalise_to_subjects(found, samples, level=0.9)
    expected = ttest_1samp(found, 0, axis=1, alternative="greater")
    interval = ttest_1samp(found, 0, axis=1).confidence_interval(0.9)
    np.testing.assert_allclose(mean, found.mean(axis=1))
    np.testing.assert_allclose([lower, upper], [interval.low, interval.high])
    np.testing.assert_allclose(p, expected.pvalue)
    for alternative in ("less", "two-sided"):
        p = generalise_to_subjects(found, samples, alternative=alternative)[3]
        np.testing.assert_allclose(p, ttest_1samp(found, 0, axis=1, alternative=alternative).pvalue)


def test_generalising_to_subjects_adds_the_variance_over_images():
    rng = np.random.default_rng(1)
    found = np.array([0.3, 0.5, 0.1, 0.2])
    samples = found + rng.normal(0, 0.2, size=(4000, 1))  # images that move all people alike
    mean, lower, upper, p = generalise_to_subjects(found, samples)
    error = np.sqrt(found.var(ddof=1) / 4 + samples.mean(axis=1).var(ddof=1))
    assert upper - mean == pytest.approx(t.ppf(0.975, 3) * error) and mean - lower == pytest.approx(upper - mean)
    assert p == pytest.approx(t.sf(found.mean() / error, 3))
    samples[0] = np.nan  # a resample that said nothing
    assert generalise_to_subjects(found, samples)[1] == pytest.approx(lower, abs=0.01)
    nothing = generalise_to_subjects(np.zeros(3), np.zeros((5, 3)))
    assert nothing[:3] == (0, 0, 0) and nothing[3] == 0.5


def test_generalising_needs_two_subjects_and_samples_of_the_same_shape():
    for found, samples in ((np.ones(1), np.ones((9, 1))), (np.ones(3), np.ones((9, 4))), (np.ones(3), np.ones((1, 3)))):
        with pytest.raises(InvalidInput, match="samples of shape"):
            generalise_to_subjects(found, samples)
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        generalise_to_subjects(np.ones(3), np.ones((9, 3)), level=95)
