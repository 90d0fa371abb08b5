"""Tests over times that are tried beside ours: mne's and neurora's, the largest t, and no correction at all."""

import contextlib
import io
import warnings

import mne
import numpy as np
from mne.stats import permutation_cluster_1samp_test
from scipy import stats

with contextlib.redirect_stdout(io.StringIO()):  # importing neurora prints
    from neurora.stuff import (
        clusterbased_permutation_1d_1samp_1sided,
        clusterbased_permutation_1d_1samp_2sided,
    )

np.seterr(all="warn")  # importing neurora changes it for the whole process

#: mne counts every flip, where it is asked for as many or more.
N_FLIPS = 1024


def mne_cluster(values, alternative):
    """Smallest p of mne's cluster test as it comes, all flips: 1 where it finds no cluster."""
    with warnings.catch_warnings(), mne.use_log_level("ERROR"):
        warnings.simplefilter("ignore")  # "no clusters found", and the new name of its seed
        _, _, p, _ = permutation_cluster_1samp_test(
            values, n_permutations=N_FLIPS, tail=1 if alternative == "greater" else 0
        )
    return min(p, default=1.0)


def neurora_cluster(values, alternative, seed):
    """0 where neurora's cluster test (2.0.1, its defaults: 1000 iterations, two times or more) marks a time, else 1."""
    two_sided = alternative == "two-sided"
    test = clusterbased_permutation_1d_1samp_2sided if two_sided else clusterbased_permutation_1d_1samp_1sided
    with warnings.catch_warnings(), mne.use_log_level("ERROR"):
        warnings.simplefilter("ignore")
        marked = test(values, random_state=seed)
    return 1.0 - np.any(marked != 0)


def largest_t(values, alternative):
    """Exact p of the largest t (two-sided: |t|) over times among all flips of subjects; a single step, no clusters."""
    n_subjects = len(values)
    flips = 1 - 2 * ((np.arange(2**n_subjects)[:, None] >> np.arange(n_subjects)) & 1)
    mean = flips @ values / n_subjects
    variance = ((values**2).sum(axis=0) - n_subjects * mean**2) / (n_subjects - 1)
    t = mean / np.sqrt(variance / n_subjects)
    largest = (np.abs(t) if alternative == "two-sided" else t).max(axis=1)
    return np.mean(largest >= largest[0] * (1 - 1e-9) if largest[0] > 0 else largest >= largest[0])


def uncorrected_t(values, alternative):
    """Smallest p of a t test at each time: what happens without a correction."""
    return stats.ttest_1samp(values, 0, alternative=alternative).pvalue.min()
