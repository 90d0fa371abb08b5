"""Decoding RDMs: how well a linear classifier tells every two stimuli apart, at every time of an EEG epoch.

The measure is neurora's `eegRDM_bydecoding` (Lu & Ku 2020, doi:10.3389/fninf.2020.563669) with a window of one sample.
Ten subjects of THINGS EEG2 ask for 40 million support vector machines of about 26 training samples each; `realnet.svm`
fits one in microseconds, and pairs of stimuli are shared among threads.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from scipy.stats import spearmanr
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

from realnet.errors import InvalidInput
from realnet.svm import LANES, aligned, compiled, fill_gram, fit_folds, lanes_for

COST, TOLERANCE = 1.0, 1e-4  # neurora's SVC(kernel="linear", C=1, tol=1e-4)
PAIRS_PER_TASK = 16  # fixed: each task has a random stream of its own, so the number of threads changes no result


def decoding_rdm(epochs, *, n_average=5, n_folds=5, n_repeats=2, seed=0, n_threads=None, progress=False):
    """Accuracy of a linear support vector machine for every pair of stimuli and every time.

    For each pair and repeat, the trials of each stimulus are shuffled and averaged in groups of `n_average`; these
    averages (pseudo-trials) are split into `n_folds` stratified folds; a linear SVM with bias (C = 1, stopped at a
    violation of 1e-4) is fitted on all folds but one and tested on that one. The result is the mean over all of these.

    Parameters
    ----------
    epochs : array (n_stimuli, n_repeats_of_stimulus, n_channels, n_times)
        Single trials in any one unit; the scale matters, as C is fixed (THINGS EEG2 is noise-normalised).
    n_average : int
        Trials in one pseudo-trial; trials left over are dropped, other ones in each repeat.
    n_folds, n_repeats : int
        Folds of the cross-validation, and how often shuffling, averaging and validation are done anew.
    seed : int
        The same seed gives the same RDM, whatever the number of threads; numpy's global generator is not touched.
    n_threads : int, optional
        Default: what numba would use (all cores, or the environment's NUMBA_NUM_THREADS).
    progress : bool
        Show a progress bar.

    Returns
    -------
    rdm : float64 array (n_times, n_pairs)
        Mean accuracy (chance 0.5), condensed in the order of `scipy.spatial.distance.squareform`. Correct predictions
        are counted in integers and divided once at the end: equal accuracies are equal to the last bit.

    Raises
    ------
    InvalidInput
        Where `epochs` has another shape, too few trials or stimuli, or values that are not finite.

    Notes
    -----
    With the same pseudo-trials and folds the accuracies are those of scikit-learn's `SVC`: the solver takes LIBSVM's
    steps (second-order working sets, Fan, Chen & Lin 2005), down to its kernel values rounded to single precision.
    One deviation from neurora: it draws other folds for each time, here the folds are the same at all times.
    Memory: one float64 copy of `epochs`, the result, and a few MB.
    """
    epochs = _check(epochs, n_average, n_folds, n_repeats, seed)
    n_stimuli, n_trials, n_channels, n_times = epochs.shape
    epochs = epochs.reshape(n_stimuli, n_trials, n_channels * n_times)
    first, second = np.triu_indices(n_stimuli, k=1)
    n_pairs = len(first)
    folds = Folds(n_trials // n_average, n_folds)
    points = np.empty((n_times, n_pairs), dtype=np.int64)

    def score(start):
        task = slice(start, min(start + PAIRS_PER_TASK, n_pairs))
        trials = draw_trials(seed, task, n_trials, n_average, n_repeats)
        points[:, task] = _score_pairs(
            folds.lanes, epochs, n_channels, first[task], second[task], trials, folds.lower, folds.upper, folds.weight
        ).T

    tasks = range(0, n_pairs, PAIRS_PER_TASK)
    with ThreadPoolExecutor(n_threads or numba.config.NUMBA_NUM_THREADS) as pool:
        try:
            done = pool.map(score, tasks)
            for _ in tqdm(done, total=len(tasks), desc="decoding", unit="16 pairs", disable=not progress):
                pass
        except BaseException:  # also an interrupt from the keyboard: do not compute the rest first
            pool.shutdown(cancel_futures=True)
            raise
    return points / (folds.points_of_all_correct * n_repeats)


def rdm_reliability(epochs, repeats=(1, 2, 5, 10), *, seed=0, **settings):
    """How far the draw of pseudo-trials alone decides the RDM, for several numbers of repeats.

    Returns an array (len(repeats), n_times): Spearman's rho over pairs between two decoding RDMs of the same epochs
    that differ in nothing but their seeds (`seed` and `seed + 1`). It grows with the number of repeats; choose the
    smallest number whose rho is high enough. `settings` go to `decoding_rdm`, whose errors may come.
    """
    rho = []
    for n_repeats in repeats:
        one, other = (decoding_rdm(epochs, n_repeats=n_repeats, seed=s, **settings) for s in (seed, seed + 1))
        rho.append([spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)])
    return np.array(rho)


class Folds:
    """The stratified folds of two stimuli's pseudo-trials, as the bounds they set to the solver's weights.

    `StratifiedKFold` without shuffling is enough: the pseudo-trials themselves are in random order.
    `test` (n_folds, 2 n_pseudo_trials) is True for a fold's test samples. Sample s has the signed weight
    beta_s = y_s alpha_s in [lower, upper] (n_folds, n_padded): [0, C] for the first stimulus, [-C, 0] for the second,
    [0, 0] for test samples and padding. Every correct prediction of fold f earns `weight[f]` points, such that each
    fold's perfect score is the same whole number: neurora averages accuracies of folds that differ in size.
    """

    def __init__(self, n_pseudo_trials, n_folds):
        n_samples = 2 * n_pseudo_trials
        labels = np.repeat([0, 1], n_pseudo_trials)
        self.test = np.zeros((n_folds, n_samples), dtype=bool)
        for fold, (_, test) in enumerate(StratifiedKFold(n_folds).split(labels, labels)):
            self.test[fold, test] = True
        self.lanes = lanes_for(n_samples)
        padded = LANES * len(self.lanes)
        self.upper, self.lower = aligned(n_folds, padded), aligned(n_folds, padded)
        self.upper[:, :n_samples] = np.where(~self.test & (labels == 0), COST, 0)
        self.lower[:, :n_samples] = np.where(~self.test & (labels == 1), -COST, 0)
        sizes = self.test.sum(axis=1)
        perfect = math.lcm(*sizes.tolist())
        self.weight = perfect // sizes
        self.points_of_all_correct = perfect * n_folds


def draw_trials(seed, pairs, n_trials, n_average, n_repeats):
    """Trials of each pseudo-trial of some pairs: ints (n_pairs, n_repeats, 2 stimuli, n_pseudo_trials, n_average).

    The slice starts at a multiple of 16; each such start has a random stream of its own.
    """
    rng = np.random.default_rng([seed, pairs.start])
    trials = np.broadcast_to(np.arange(n_trials), (pairs.stop - pairs.start, n_repeats, 2, n_trials))
    n_pseudo_trials = n_trials // n_average
    used = rng.permuted(trials, axis=-1)[..., : n_pseudo_trials * n_average]
    return used.reshape(*used.shape[:-1], n_pseudo_trials, n_average)


def _check(epochs, n_average, n_folds, n_repeats, seed):
    """The epochs as contiguous float64, or an InvalidInput."""
    epochs = np.asarray(epochs)
    if epochs.ndim != 4 or epochs.shape[0] < 2 or 0 in epochs.shape:
        raise InvalidInput(
            "epochs must have the shape (n_stimuli >= 2, n_repeats, n_channels, n_times) with no axis empty, "
            f"but the shape is {epochs.shape}: reorder the axes."
        )
    if n_average < 1 or n_repeats < 1 or n_folds < 2 or seed < 0:
        raise InvalidInput(
            "n_average and n_repeats must be at least 1, n_folds at least 2 and seed at least 0, "
            f"but they are {n_average}, {n_repeats}, {n_folds} and {seed}: correct the one that is too small."
        )
    if epochs.shape[1] < n_average * n_folds:
        raise InvalidInput(
            f"{n_folds} folds of averages of {n_average} trials need at least {n_average * n_folds} trials a stimulus, "
            f"but epochs has {epochs.shape[1]}: lower n_average or n_folds."
        )
    if epochs.dtype.kind not in "iuf":
        raise InvalidInput(f"epochs must hold real numbers, but its type is {epochs.dtype}: convert it.")
    epochs = np.ascontiguousarray(epochs, dtype=np.float64)
    largest = max(epochs.max(), -epochs.min())  # NaN where there is one
    if not largest < 1e15:  # LIBSVM's single-precision kernel, which is ours too, overflows at about 1e19
        raise InvalidInput(
            f"epochs must be finite and below 1e15, but its largest absolute value is {largest}: "
            "drop the bad trials or channels, or change the unit."
        )
    return epochs


@compiled
def _score_pairs(lanes, epochs, n_channels, first, second, trials, lower, upper, weight):
    """Points of each pair at each time, (n_pairs, n_times), summed over repeats and folds.

    `epochs` (n_stimuli, n_trials, n_channels * n_times), `trials` as `draw_trials` gives them, the rest as in `Folds`.
    """
    n_pairs, n_repeats, _, n_pseudo, _ = trials.shape
    n_folds, n_padded = upper.shape
    n_times = epochs.shape[2] // n_channels
    points = np.zeros((n_pairs, n_times), dtype=np.int64)
    averages = aligned(2 * n_pseudo, epochs.shape[2])
    samples, gram, step = (
        aligned(-(-n_channels // 4) * 4, n_padded),
        aligned(n_padded, n_padded),
        aligned(n_padded, n_padded),
    )
    gradient, beta, bias = aligned(n_folds, n_padded), aligned(n_folds, n_padded), np.empty(n_folds)
    for pair in range(n_pairs):
        for repeat in range(n_repeats):
            _average(epochs, first[pair], trials[pair, repeat, 0], averages, 0)
            _average(epochs, second[pair], trials[pair, repeat, 1], averages, n_pseudo)
            for time in range(n_times):
                for channel in range(n_channels):
                    for s in range(2 * n_pseudo):
                        samples[channel, s] = averages[s, channel * n_times + time]
                fill_gram(samples, gram, step)
                for fold in range(n_folds):
                    for s in range(n_padded):
                        beta[fold, s] = 0.0
                        gradient[fold, s] = 1.0 if s < n_pseudo else -1.0
                fit_folds(lanes, gram, step, lower, upper, TOLERANCE, gradient, beta, bias)
                points[pair, time] += _count(gradient, bias, n_pseudo, lower, upper, weight)
    return points


@compiled
def _average(epochs, stimulus, trials, averages, start):
    """Write the mean over each row of trials (n_pseudo, n_average) into the rows of `averages` from `start` on."""
    n_pseudo, n_average = trials.shape
    for s in range(n_pseudo):
        for value in range(epochs.shape[2]):
            averages[start + s, value] = 0.0
        for k in range(n_average):
            trial = trials[s, k]
            for value in range(epochs.shape[2]):
                averages[start + s, value] += epochs[stimulus, trial, value]
        for value in range(epochs.shape[2]):
            averages[start + s, value] /= n_average


@compiled
def _count(gradient, bias, n_pseudo, lower, upper, weight):
    """Points of the test samples, which are those without room; a decision of exactly 0 means the second stimulus."""
    points = 0
    for fold in range(len(bias)):
        correct = 0
        for s in range(2 * n_pseudo):
            label = 1.0 if s < n_pseudo else -1.0
            says_first = label - gradient[fold, s] + bias[fold] > 0.0
            correct += (lower[fold, s] == upper[fold, s]) & (says_first == (s < n_pseudo))
        points += weight[fold] * correct
    return points
