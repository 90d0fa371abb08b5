"""Decoding RDMs: accuracy of a linear classifier for every two stimuli, at every time of an EEG epoch.

The folds of one problem share its Gram matrix and are solved side by side, by sequential minimal optimisation with
LIBSVM's second-order working sets (Fan, Chen & Lin 2005; Chang & Lin 2011, doi:10.1145/1961189.1961199). It is fast for
ten to a hundred samples: a fold only forbids its test samples a weight, so that the gradient kept for them is their
prediction; the index of a sample is kept in the last bits of its score, so that one maximum over a vector finds both
without a branch; the folds advance in turns, so that the processor works on one while another waits. All compiled loops
are in this file, as numba's cache checks the date of no other one.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from sklearn.model_selection import StratifiedKFold

from realnet.errors import InvalidInput

PAIRS_PER_DRAW = 16  # pairs that share a random stream; fixed, so that the number of threads changes no result
COST, TOLERANCE = 1.0, 1e-4  # neurora's SVC(kernel="linear", C=1, tol=1e-4)
FLATTEST = 1e-12  # LIBSVM's curvature between two equal samples
MAX_ITERATIONS = 10_000_000  # LIBSVM's bound
OUT_OF_REACH = 1e300  # larger than any gradient; finite, so that its last bits may carry an index
LANES = 32  # samples are padded to a multiple of this, without a weight: loops run in full vectors
CACHE_LINE = 8  # floats; vectors that begin on a cache line load faster

compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"})


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


@intrinsic
def _bits(typing_context, value):
    """The 64 bits of a float as an integer."""
    return numba.int64(numba.float64), lambda _, builder, __, values: builder.bitcast(values[0], ir.IntType(64))


@intrinsic
def _float(typing_context, value):
    """The float that has these 64 bits."""
    return numba.float64(numba.int64), lambda _, builder, __, values: builder.bitcast(values[0], ir.DoubleType())


@intrinsic
def _larger(typing_context, a, b):
    """max(a, b) where neither is NaN; LLVM vectorises a loop of these, unlike one of Python's max."""

    def generate(context, builder, signature, arguments):
        is_larger = builder.fcmp_ordered(">", *arguments, flags=("nnan", "nsz"))
        return builder.select(is_larger, *arguments, flags=("nnan", "nsz"))

    return numba.float64(numba.float64, numba.float64), generate


def lanes_for(n_samples):
    """A tuple with one entry per 32 samples: its length, unlike the value of an integer, is compiled into the code."""
    return (0,) * -(-n_samples // LANES)


@compiled
def aligned(n_rows, n_columns):
    """An array (n_rows, n_columns) of zeros that begins on a cache line."""
    buffer = np.zeros(n_rows * n_columns + CACHE_LINE)
    start = -(buffer.ctypes.data // 8) % CACHE_LINE
    return buffer[start : start + n_rows * n_columns].reshape(n_rows, n_columns)


@compiled
def fill_gram(samples, gram, step):
    """Write the Gram matrix, rounded to single precision as in LIBSVM, and the Newton step of each two samples.

    Parameters
    ----------
    samples : array (n_features, n), n_features a multiple of four (pad with zeros)
    gram, step : array (n, n), written
    """
    n_features, n = samples.shape
    norms = np.zeros(n)
    gram[:] = 0.0
    for s in range(n):
        for f in range(0, n_features, 4):
            x0, x1, x2, x3 = samples[f, s], samples[f + 1, s], samples[f + 2, s], samples[f + 3, s]
            norms[s] += x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3
            for t in range(n):
                half = x0 * samples[f, t] + x1 * samples[f + 1, t]
                gram[s, t] += half + (x2 * samples[f + 2, t] + x3 * samples[f + 3, t])
    for s in range(n):
        for t in range(n):
            product = np.float64(np.float32(gram[s, t]))
            curvature = norms[s] + norms[t] - 2.0 * product
            gram[s, t] = product
            step[s, t] = 1.0 / (curvature if curvature > 0.0 else FLATTEST)


@compiled
def fit_folds(lanes, gram, step, lower, upper, tolerance, gradient, beta, bias):
    """Solve the dual problem of every fold.

        maximise beta y - beta K beta / 2 with sum(beta) = 0 and lower <= beta <= upper, where beta_s = y_s alpha_s

    Each iteration moves weight from j to i: i has the largest gradient of the samples that may rise, j the largest gain
    of those that may fall. It ends where gradients of the former exceed those of the latter by less than ``tolerance``.

    Parameters
    ----------
    lanes, gram, step : `lanes_for(n)`, and the arrays of `fill_gram`
    lower, upper : array (n_folds, n), 0 for samples that the fold leaves out
    gradient, beta : array (n_folds, n), given as y and 0, returned as y - K beta and the solution
    bias : array (n_folds,), returned: y - gradient + bias is the decision for every sample, left out or not
    """
    n_folds, n = len(beta), LANES * len(lanes)
    index = (1 << math.ceil(math.log2(n))) - 1  # the bits that carry a sample's index
    last_i, last_j, last_move = np.zeros(n_folds, np.int64), np.zeros(n_folds, np.int64), np.zeros(n_folds)
    running, n_running, n_iterations = np.arange(n_folds), n_folds, 0
    while n_running > 0:
        turn = 0
        while turn < n_running:
            fold = running[turn]
            i, j, move = last_i[fold], last_j[fold], last_move[fold]
            highest, lowest = -OUT_OF_REACH, -OUT_OF_REACH
            for t in range(n):
                slope = gradient[fold, t] - move * (gram[i, t] - gram[j, t])
                gradient[fold, t] = slope
                may_rise = slope if beta[fold, t] < upper[fold, t] else -OUT_OF_REACH
                may_fall = -slope if beta[fold, t] > lower[fold, t] else -OUT_OF_REACH
                highest = _larger(highest, _float((_bits(may_rise) & ~index) | t))
                lowest = _larger(lowest, may_fall)
            i = _bits(highest) & index
            top = _float(_bits(highest) & ~index)
            if top + lowest < tolerance or n_iterations >= MAX_ITERATIONS:
                free = (lower[fold] < beta[fold]) & (beta[fold] < upper[fold])
                bias[fold] = gradient[fold][free].mean() if free.any() else 0.5 * (top - lowest)
                n_running -= 1
                running[turn] = running[n_running]
                continue
            best = 0.0
            for t in range(n):
                gap = top - gradient[fold, t]
                gain = (gap if gap > 0.0 else 0.0) * gap * step[i, t]
                gain = gain if beta[fold, t] > lower[fold, t] else 0.0
                best = _larger(best, _float((_bits(gain) & ~index) | t))
            j = _bits(best) & index
            # load first, so that the compiler emits a select instead of a branch
            highest_i, lowest_j, beta_i, beta_j = upper[fold, i], lower[fold, j], beta[fold, i], beta[fold, j]
            room_i, room_j = highest_i - beta_i, beta_j - lowest_j
            move = -_larger(-(top - gradient[fold, j]) * step[i, j], _larger(-room_i, -room_j))
            beta[fold, i] = highest_i if move >= room_i else beta_i + move  # the bound itself, not a rounding beside it
            beta[fold, j] = lowest_j if move >= room_j else beta_j - move
            last_i[fold], last_j[fold], last_move[fold] = i, j, move
            n_iterations += 1
            turn += 1


@compiled
def score_pairs(lanes, epochs, n_channels, first, second, trials, lower, upper, weight):
    """Points of each pair of stimuli at each time (n_pairs, n_times), summed over repeats and folds.

    Parameters
    ----------
    epochs : array (n_stimuli, n_trials, n_channels * n_times)
    first, second, trials, lower, upper, weight
        Pairs (n_pairs,), what `draw_trials` gives for them, and `make_folds`.
    """
    n_pairs, n_repeats, _, n_pseudo, _ = trials.shape
    (n_folds, n_padded), n_times = upper.shape, epochs.shape[2] // n_channels
    points = np.zeros((n_pairs, n_times), dtype=np.int64)
    averages = aligned(2 * n_pseudo, epochs.shape[2])
    samples = aligned(-(-n_channels // 4) * 4, n_padded)
    gram, step = aligned(n_padded, n_padded), aligned(n_padded, n_padded)
    gradient, beta, bias = aligned(n_folds, n_padded), aligned(n_folds, n_padded), np.empty(n_folds)
    for pair in range(n_pairs):
        for repeat in range(n_repeats):
            _average(epochs, first[pair], trials[pair, repeat, 0], averages, 0)
            _average(epochs, second[pair], trials[pair, repeat, 1], averages, n_pseudo)
            for time in range(n_times):
                samples[:n_channels, : 2 * n_pseudo] = averages[:, time::n_times].T
                fill_gram(samples, gram, step)
                beta[:] = 0.0
                gradient[:, :n_pseudo], gradient[:, n_pseudo:] = 1.0, -1.0
                fit_folds(lanes, gram, step, lower, upper, TOLERANCE, gradient, beta, bias)
                points[pair, time] += _count(gradient, bias, n_pseudo, lower, upper, weight)
    return points


@compiled
def _average(epochs, stimulus, trials, averages, start):
    """Write the mean over each row of trials (n_pseudo, n_average) into `averages`, from row `start` on."""
    for s in range(len(trials)):
        average = averages[start + s]
        average[:] = 0.0
        for trial in trials[s]:
            average += epochs[stimulus, trial]
        average /= trials.shape[1]


@compiled
def _count(gradient, bias, n_pseudo, lower, upper, weight):
    """Points of the held-out samples, whose bounds are equal; a decision of exactly 0 is the second stimulus."""
    points = 0
    for fold in range(len(bias)):
        for s in range(2 * n_pseudo):
            is_first = s < n_pseudo
            says_first = (1.0 if is_first else -1.0) - gradient[fold, s] + bias[fold] > 0.0
            points += weight[fold] * ((lower[fold, s] == upper[fold, s]) & (says_first == is_first))
    return points
