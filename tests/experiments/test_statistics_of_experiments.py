"""The statistics that only experiments need equal their literal versions."""

from itertools import product

import numpy as np
import pytest

from experiments.statistics import null_data, resample_subjects, sign_flip_test


@pytest.mark.parametrize("n_subjects", [3, 10])
def test_sign_flip_test_counts_all_flips(n_subjects):
    values = np.random.default_rng(n_subjects).normal(0.5, size=(n_subjects, 4))
    means = np.array(list(product([1, -1], repeat=n_subjects))) @ values / n_subjects
    greater = (means >= means[0] - 1e-12).mean(axis=0)
    less = (means <= means[0] + 1e-12).mean(axis=0)
    np.testing.assert_allclose(sign_flip_test(values), greater)
    np.testing.assert_allclose(sign_flip_test(values, "two-sided"), np.minimum(1, 2 * np.minimum(greater, less)))


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
