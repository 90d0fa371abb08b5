"""The statistics that only experiments need equal their literal versions."""

from itertools import product

import numpy as np
import pytest
from scipy.spatial.distance import squareform

from experiments.statistics import null_data, permute_partial_spearman, resample_subjects, sign_flip_test
from realnet.rdm import difference_rdm
from realnet.similarity import partial_spearman


@pytest.mark.parametrize("n_subjects", [3, 10])
def test_sign_flip_test_counts_all_flips(n_subjects):
    values = np.random.default_rng(n_subjects).normal(0.5, size=(n_subjects, 4))
    means = np.array(list(product([1, -1], repeat=n_subjects))) @ values / n_subjects
    greater = (means >= means[0] - 1e-12).mean(axis=0)
    less = (means <= means[0] + 1e-12).mean(axis=0)
    np.testing.assert_allclose(sign_flip_test(values), greater)
    np.testing.assert_allclose(sign_flip_test(values, "two-sided"), np.minimum(1, 2 * np.minimum(greater, less)))


def test_permutations_are_partial_correlations_of_the_permuted_rdm():
    rng = np.random.default_rng(0)
    rdm, features = rng.random(91), difference_rdm(rng.gamma(1.0, size=(3, 14)))
    null = permute_partial_spearman(rdm, features, n_permutations=150, seed=4)
    orders = np.random.default_rng(4).permuted(np.tile(np.arange(14), (150, 1)), axis=1)
    permuted = np.stack([squareform(squareform(rdm)[np.ix_(order, order)]) for order in orders])
    np.testing.assert_allclose(null, partial_spearman(permuted, features), atol=1e-5)


def test_permutations_give_uniform_p_where_there_is_no_effect():
    rng = np.random.default_rng(6)
    p = []
    for seed in range(200):
        features = difference_rdm(rng.normal(size=(3, 20)))
        rdm = difference_rdm(rng.normal(size=20))
        null = permute_partial_spearman(rdm, features, n_permutations=99, seed=seed)
        p.append((1 + (null[:, 0] >= partial_spearman(rdm, features)[0]).sum()) / 100)
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 3 * np.sqrt(0.1 * 0.9 / 200)
    assert abs(np.mean(p) - 0.505) < 3 * np.sqrt(1 / 12 / 200)


def test_resampling_subjects_has_the_variance_of_a_mean_over_subjects():
    samples = np.broadcast_to(np.random.default_rng(2).normal(size=(3, 6)), (20_000, 3, 6))
    means = resample_subjects(samples)
    assert means.shape == (20_000, 3)
    np.testing.assert_allclose(means.mean(axis=0), samples[0].mean(axis=1), atol=0.02)
    np.testing.assert_allclose(means.var(axis=0), samples[0].var(axis=1) / 6, rtol=0.05)
    np.testing.assert_allclose(resample_subjects(np.ones((10, 4, 2)), axis=1), 1)


def test_null_data_have_the_structure_they_name():
    values = null_data(4000, 6, autocorrelation=0.8, rng=0)
    np.testing.assert_allclose(np.corrcoef(values.T)[0], 0.8 ** np.arange(6), atol=0.06)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=0.05)
    shared = null_data(4000, 6, shared_offset=2.0, rng=0)
    np.testing.assert_allclose(shared.std(axis=0), np.sqrt(5), atol=0.1)
    np.testing.assert_allclose(np.corrcoef(shared.T)[0, 1:], 4 / 5, atol=0.03)
