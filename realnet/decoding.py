"""Decoding RDMs: how well a linear classifier tells every two stimuli apart, at every time of an EEG epoch.

The measure is neurora's `eegRDM_bydecoding` (Lu & Ku 2020, doi:10.3389/fninf.2020.563669) with a window of one sample.
Ten subjects of THINGS EEG2 ask for 40 million support vector machines of about 26 training samples each; `realnet.svm`
fits one in microseconds, and pairs of stimuli are shared among threads.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

from realnet.errors import InvalidInput
from realnet.svm import COST, LANES, TOLERANCE, aligned, lanes_for, score_pairs
from realnet.svm_torch import decide_folds

PAIRS_PER_DRAW = 16  # pairs that share a random stream; fixed, so that the number of threads changes no result
PROBLEMS_PER_GPU_TASK = 16_384  # pairs x times x repeats: about 300 MB for 32 pseudo-trials


def decoding_rdm(epochs, *, n_average=5, n_folds=5, n_repeats=2, seed=0, n_threads=None, progress=False, device="cpu"):
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
    device : str
        "cpu" runs the compiled loops; another torch device, such as "cuda", runs `realnet.svm_torch` on the same draws.

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
    on_gpu = torch.device(device).type != "cpu"
    values = torch.as_tensor(epochs, device=device) if on_gpu else epochs
    problems_per_task = PAIRS_PER_DRAW * n_times * n_repeats
    pairs_per_task = PAIRS_PER_DRAW * (max(1, PROBLEMS_PER_GPU_TASK // problems_per_task) if on_gpu else 1)

    def score(start):
        task = slice(start, min(start + pairs_per_task, n_pairs))
        trials = draw_trials(seed, task, n_trials, n_average, n_repeats)
        scorer = _score_pairs_torch if on_gpu else score_pairs
        arguments = values, n_channels, first[task], second[task], trials, folds.lower, folds.upper, folds.weight
        points[:, task] = scorer(folds.lanes, *arguments).T

    tasks = range(0, n_pairs, pairs_per_task)
    with tqdm(total=n_pairs, desc="decoding", unit="pair", disable=not progress) as bar:
        for start in _in_threads(score, tasks, 1 if on_gpu else n_threads or numba.config.NUMBA_NUM_THREADS):
            bar.update(min(pairs_per_task, n_pairs - start))
    return points / (folds.points_of_all_correct * n_repeats)


def _in_threads(work, tasks, n_threads):
    """Do work(task) for all tasks and yield each when it is done, in order; an error or interrupt drops the rest."""
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for task, _ in zip(tasks, pool.map(work, tasks), strict=True):
                yield task
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


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

    `pairs` is a slice that starts at a multiple of 16. Every 16 pairs have a random stream of their own.
    """
    n_used = n_trials // n_average * n_average
    draws = []
    for start in range(pairs.start, pairs.stop, PAIRS_PER_DRAW):
        shape = min(PAIRS_PER_DRAW, pairs.stop - start), n_repeats, 2, n_trials
        trials = np.broadcast_to(np.arange(n_trials), shape)
        draws.append(np.random.default_rng([seed, start]).permuted(trials, axis=-1)[..., :n_used])
    draws = np.concatenate(draws)
    return draws.reshape(*draws.shape[:-1], -1, n_average)


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


def _score_pairs_torch(lanes, epochs, n_channels, first, second, trials, lower, upper, weight):
    """`realnet.svm.score_pairs` on the device of the tensor `epochs`; `lanes` only matters to the compiled loops."""
    n_pairs, n_repeats, _, n_pseudo, _ = trials.shape
    stimuli = np.stack([first, second], axis=1)[:, None, :, None, None]
    averages = epochs[torch.as_tensor(stimuli), torch.as_tensor(trials)].mean(dim=4)
    # (pair, repeat, stimulus, pseudo-trial, channel and time) -> (pair, repeat, time; sample; channel)
    samples = averages.reshape(n_pairs, n_repeats, 2 * n_pseudo, n_channels, -1).permute(0, 1, 4, 2, 3).flatten(0, 2)
    lower, upper = (torch.as_tensor(bound[:, : 2 * n_pseudo], device=epochs.device) for bound in (lower, upper))
    decisions = decide_folds(samples, lower, upper, TOLERANCE)
    says_first = decisions > 0
    is_first = torch.arange(2 * n_pseudo, device=epochs.device) < n_pseudo
    correct = ((says_first == is_first) & (lower == upper)).sum(dim=2)  # (problem, fold)
    points = (correct * torch.as_tensor(weight, device=epochs.device)).sum(dim=1)
    return points.view(n_pairs, n_repeats, -1).sum(dim=1).cpu().numpy()
