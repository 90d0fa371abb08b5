"""Statistics that only the calibration and the benchmarks need: tests beside those of the study, and null data."""

import numpy as np
from scipy import stats


def sign_flip_test(values, alternative="greater", n_permutations=10000, seed=0):
    """p that the mean over subjects is 0, from flipping the signs of whole subjects: (n_subjects, ...) -> (...).

    Exact (all flips) where 2^n_subjects <= n_permutations. p is at least 2^-n_subjects (twice that two-sided), whatever
    the effect. Not corrected for the number of values.
    """
    settings = {"permutation_type": "samples", "n_resamples": n_permutations, "vectorized": True, "rng": seed}
    return stats.permutation_test((np.asarray(values),), np.mean, alternative=alternative, **settings).pvalue


def resample_subjects(samples, axis=-1, seed=0):
    """Mean over subjects drawn with replacement, drawn again per bootstrap on axis 0: ``samples`` without ``axis``.

    With a bootstrap over images, both are resampled. Percentiles of these means are too narrow where few subjects
    differ much.
    """
    samples = np.moveaxis(np.asarray(samples, dtype=float), axis, -1)
    n_subjects = samples.shape[-1]
    drawn = np.random.default_rng(seed).multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=len(samples))
    return np.einsum("b...s,bs->b...", samples, drawn / n_subjects)


def percentile_interval(samples, level=0.95):
    """Percentile interval of bootstrap samples (n, ...) without NaN: (lower, upper)."""
    return tuple(np.nanquantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0))


def bootstrap_p(samples):
    """Two-sided p that a bootstrapped quantity is 0, twice the smaller share of samples (n, ...) at or beyond 0."""
    beyond = np.minimum((samples <= 0).sum(axis=0), (samples >= 0).sum(axis=0))
    return np.minimum(1, 2 * (1 + beyond) / (1 + len(samples)))


def t_interval(values, level=0.95, further_variance=0.0):
    """Student's t interval of the mean of ``values`` (n,) with n - 1 degrees of freedom: (lower, upper).

    ``further_variance`` of the mean, such as that over resampled images, is added. NaN for a single value.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return np.nan, np.nan
    error = np.sqrt(values.var(ddof=1) / len(values) + further_variance)
    half_width = stats.t.ppf(0.5 + level / 2, len(values) - 1) * error
    return values.mean() - half_width, values.mean() + half_width


def null_data(n_subjects, n_times, autocorrelation=0.0, shared_offset=0.0, rng=None):
    """Differences (n_subjects, n_times) without an effect, to try a test on.

    Normal, variance 1 at each time, correlated autocorrelation^lag over times; plus an offset of standard deviation
    ``shared_offset`` that a subject has at all times, of mean 0 over subjects.
    """
    rng = np.random.default_rng(rng)
    noise = rng.standard_normal((n_subjects, n_times))
    for time in range(1, n_times):
        noise[:, time] = autocorrelation * noise[:, time - 1] + np.sqrt(1 - autocorrelation**2) * noise[:, time]
    return noise + shared_offset * rng.standard_normal((n_subjects, 1))
