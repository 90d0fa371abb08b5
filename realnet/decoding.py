"""Decoding RDMs: accuracy of a linear classifier for every two stimuli, at every time of an EEG epoch."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.model_selection import StratifiedKFold

from realnet.errors import InvalidInput
from realnet.svm import COST, LANES, aligned, lanes_for, score_pairs

PAIRS_PER_DRAW = 16  # pairs that share a random stream; fixed, so that the number of threads changes no result


def decoding_rdm(epochs, *, n_average=5, n_folds=5, n_repeats=2, seed=0, n_threads=None):
    """Accuracy of a linear support vector machine (SVM) for every pair of stimuli and every time.

    For each pair and repeat, the trials of each stimulus are shuffled and averaged in groups of ``n_average``; these
    pseudo-trials are split into ``n_folds`` stratified folds; a linear SVM with bias (C = 1, tolerance 1e-4) is fitted
    on all folds but one and tested on that one. The result is the mean over folds and repeats. The measure is neurora's
    ``eegRDM_bydecoding`` (Lu & Ku 2020, doi:10.3389/fninf.2020.563669) for windows of one sample, but with the same
    folds at all times. Given pseudo-trials and folds, it equals `sklearn.svm.SVC`.

    Parameters
    ----------
    epochs : array (n_stimuli, n_repeats_of_stimulus, n_channels, n_times)
        Single trials; as C is fixed, the scale matters (THINGS EEG2 is noise-normalised).
    n_average : int, trials per pseudo-trial; trials left over are dropped, different ones in each repeat
    n_folds, n_repeats, seed : int
        Folds of the cross-validation, and how often shuffling, averaging and validation are repeated.
    n_threads : int, optional; it changes no result. Default: OMP_NUM_THREADS (Snakemake sets it), or all cores

    Returns
    -------
    array (n_times, n_pairs), float64
        Chance is 0.5. Correct predictions are counted in integers: equal accuracies are equal to the last bit.
    """
    epochs = np.ascontiguousarray(epochs, dtype=np.float64)
    n_stimuli, n_trials, n_channels, n_times = epochs.shape
    if n_trials < n_average * n_folds:
        needed = f"{n_folds} folds of averages of {n_average} trials need {n_average * n_folds} trials per stimulus"
        raise InvalidInput(f"{needed}, but epochs has {n_trials}: lower n_average or n_folds.")
    largest = max(epochs.max(), -epochs.min())  # NaN where there is one
    if not largest < 1e15:  # the single-precision kernel of LIBSVM, which is ours too, overflows at about 1e19
        raise InvalidInput(f"epochs must be finite and below 1e15, but the largest absolute value is {largest}.")
    epochs = epochs.reshape(n_stimuli, n_trials, n_channels * n_times)
    first, second = np.triu_indices(n_stimuli, k=1)
    lower, upper, weight, perfect = make_folds(n_trials // n_average, n_folds)
    lanes = lanes_for(lower.shape[1])
    points = np.empty((n_times, len(first)), dtype=np.int64)

    def score(start):
        task = slice(start, min(start + PAIRS_PER_DRAW, len(first)))
        pairs = first[task], second[task], draw_trials(seed, task, n_trials, n_average, n_repeats)
        points[:, task] = score_pairs(lanes, epochs, n_channels, *pairs, lower, upper, weight).T

    with ThreadPoolExecutor(n_threads or int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count())) as pool:
        list(pool.map(score, range(0, len(first), PAIRS_PER_DRAW)))
    return points / (perfect * n_repeats)


def make_folds(n_pseudo_trials, n_folds):
    """The stratified folds of two stimuli's (random) pseudo-trials, as bounds of the signed weights ``y alpha``.

    Returns
    -------
    lower, upper : array (n_folds, n_padded)
        [0, C] for the first stimulus, [-C, 0] for the second, [0, 0] for test samples and padding.
    weight : array of int (n_folds,)
        Points for a correct prediction: as in neurora, folds of different size count the same.
    perfect : int, points if all predictions are correct
    """
    n_samples = 2 * n_pseudo_trials
    labels = np.repeat([0, 1], n_pseudo_trials)
    test = np.zeros((n_folds, n_samples), dtype=bool)
    for fold, (_, members) in enumerate(StratifiedKFold(n_folds).split(labels, labels)):
        test[fold, members] = True
    padded = LANES * len(lanes_for(n_samples))
    upper, lower = aligned(n_folds, padded), aligned(n_folds, padded)
    upper[:, :n_samples] = np.where(~test & (labels == 0), COST, 0)
    lower[:, :n_samples] = np.where(~test & (labels == 1), -COST, 0)
    sizes = test.sum(axis=1)
    perfect = math.lcm(*sizes.tolist())
    return lower, upper, perfect // sizes, perfect * n_folds


def draw_trials(seed, pairs, n_trials, n_average, n_repeats):
    """Trials of each pseudo-trial: ints (n_pairs, n_repeats, 2 stimuli, n_pseudo_trials, n_average).

    `pairs` is a slice of at most 16 pairs that starts at a multiple of 16: these have a random stream of their own.
    """
    trials = np.broadcast_to(np.arange(n_trials), (pairs.stop - pairs.start, n_repeats, 2, n_trials))
    draws = np.random.default_rng([seed, pairs.start]).permuted(trials, axis=-1)
    return draws[..., : n_trials // n_average * n_average].reshape(*draws.shape[:-1], -1, n_average)
