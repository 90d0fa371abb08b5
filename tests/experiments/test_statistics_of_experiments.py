"""The statistics that only experiments need equal their literal versions."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from experiments.statistics import (
    bootstrap_p,
    null_data,
    percentile_interval,
    resample_subjects,
    sign_flip_test,
    t_interval,
)


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


def test_percentiles_and_p_of_a_bootstrap_are_counts():
    samples = np.random.default_rng(0).normal(0.5, size=(1000, 3))
    lower, upper = percentile_interval(np.vstack([samples, np.full(3, np.nan)]), 0.9)
    np.testing.assert_allclose([lower, upper], np.percentile(samples, [5, 95], axis=0))
    few = np.array([-0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert bootstrap_p(few) == 6 / 10 == bootstrap_p(-few) and bootstrap_p(few - 0.3) == 1


def test_the_t_interval_is_scipys_and_one_value_has_none():
    values = np.random.default_rng(1).normal(size=7)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert t_interval(values, 0.9) == pytest.approx(tuple(expected))
    further = np.var(values, ddof=1) / 7 * 3  # four times the variance: twice the width
    assert np.ptp(t_interval(values, 0.9, further)) == pytest.approx(2 * np.ptp(expected))
    assert np.isnan(t_interval([1.0])).all()


def test_null_data_have_the_structure_they_name():
    values = null_data(4000, 6, autocorrelation=0.8, rng=0)
    np.testing.assert_allclose(np.corrcoef(values.T)[0], 0.8 ** np.arange(6), atol=0.06)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=0.05)
    shared = null_data(4000, 6, shared_offset=2.0, rng=0)
    np.testing.assert_allclose(shared.std(axis=0), np.sqrt(5), atol=0.1)
    np.testing.assert_allclose(np.corrcoef(shared.T)[0, 1:], 4 / 5, atol=0.03)
