"""Many small support vector machines: the folds of one problem share its Gram matrix and are solved side by side.

The solver is sequential minimal optimisation with LIBSVM's second-order working sets (Fan, Chen & Lin 2005; Chang & Lin
2011, doi:10.1145/1961189.1961199), compiled by numba. It is fast for problems of ten to a hundred samples, because

- a fold only forbids its test samples a weight: the gradient that the solver keeps for them anyway is their prediction;
- the index of a sample travels in the last bits of its score, so one maximum over a vector finds both without a branch;
- the folds advance in turns, so that the processor works on one while another waits for its result.

The machine code is kept beside this file (`__pycache__`): only the first call on a machine waits some seconds for it.
All compiled loops stand in this one file, as numba notices that kept code is out of date by the file's own date alone.
"""

import math

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

COST, TOLERANCE = 1.0, 1e-4  # neurora's SVC(kernel="linear", C=1, tol=1e-4)
FLATTEST = 1e-12  # LIBSVM's stand-in for the curvature between two equal samples
MAX_ITERATIONS = 10_000_000  # LIBSVM's bound
OUT_OF_REACH = 1e300  # larger than any gradient; finite, so that its last bits may carry an index
LANES = (
    32  # samples are padded to a multiple of this, with ones that never get a weight: loops then run in full vectors
)
CACHE_LINE = 8  # floats; vectors that begin on a cache line load faster by a seventh

compiled = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"})


@intrinsic
def _bits(typing_context, value):
    """The 64 bits of a float, as an integer."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return numba.int64(numba.float64), generate


@intrinsic
def _float(typing_context, value):
    """The float that has these 64 bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return numba.float64(numba.int64), generate


@intrinsic
def _larger(typing_context, a, b):
    """max(a, b) where neither is NaN: unlike Python's max, LLVM turns a loop of these into vector instructions."""

    def generate(context, builder, signature, arguments):
        flags = ("nnan", "nsz")
        is_larger = builder.fcmp_ordered(">", *arguments, flags=flags)
        return builder.select(is_larger, *arguments, flags=flags)

    return numba.float64(numba.float64, numba.float64), generate


def lanes_for(n_samples):
    """A tuple with an entry for every 32 samples: unlike an integer's value, its length is compiled into the code."""
    return (0,) * -(-n_samples // LANES)


@compiled
def aligned(n_rows, n_columns):
    """An array (n_rows, n_columns) of zeros that begins on a cache line."""
    buffer = np.zeros(n_rows * n_columns + CACHE_LINE)
    start = (-(buffer.ctypes.data // 8)) % CACHE_LINE
    return buffer[start : start + n_rows * n_columns].reshape(n_rows, n_columns)


@compiled
def fill_gram(samples, gram, step):
    """Write the Gram matrix (n, n) of samples (n_features, n), and the Newton step per gradient for each two samples.

    The number of features must be a multiple of four (add zeros): four at a time keep the processor from waiting for
    memory. LIBSVM keeps kernel values in single precision; rounding likewise, this solver takes the very same steps.
    """
    n_features, n = samples.shape
    norms = np.zeros(n)
    for s in range(n):
        for t in range(n):
            gram[s, t] = 0.0
        for f in range(0, n_features, 4):
            x0, x1, x2, x3 = samples[f, s], samples[f + 1, s], samples[f + 2, s], samples[f + 3, s]
            norms[s] += x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3
            for t in range(n):
                first, second = (
                    x0 * samples[f, t] + x1 * samples[f + 1, t],
                    x2 * samples[f + 2, t] + x3 * samples[f + 3, t],
                )
                gram[s, t] += first + second
    for s in range(n):
        norm = norms[s]
        for t in range(n):
            product = np.float64(np.float32(gram[s, t]))
            curvature = norm + norms[t] - 2.0 * product
            gram[s, t] = product
            step[s, t] = 1.0 / (curvature if curvature > 0.0 else FLATTEST)


@compiled
def fit_folds(lanes, gram, step, lower, upper, tolerance, gradient, beta, bias):
    """Solve every fold's dual problem: maximise beta.y - beta.K.beta / 2 with sum(beta) = 0 and lower <= beta <= upper.

    beta_s = y_s alpha_s is a sample's signed weight; `lower` and `upper` (n_folds, n) are 0 for samples that the fold
    leaves out. Expects `gradient` (n_folds, n) = y and `beta` = 0; leaves gradient = y - K beta, the solution beta, and
    `bias` (n_folds,), so that K beta + bias = y - gradient + bias is the decision for every sample, left out or not.
    `lanes` is `lanes_for(n)`. Each iteration moves weight from j to i: i has the largest gradient of those that may
    rise, j promises the largest gain of those that may fall. It ends where the gradients of those that may rise exceed
    those of the others by less than `tolerance`. A weight at its bound is exactly there, and only others set the bias.
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
                bias[fold] = _bias(gradient[fold], beta[fold], lower[fold], upper[fold], 0.5 * (top - lowest))
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
            # read before choosing: a choice between two values is no branch, one between two loads is
            highest_i, lowest_j, beta_i, beta_j = upper[fold, i], lower[fold, j], beta[fold, i], beta[fold, j]
            room_i, room_j = highest_i - beta_i, beta_j - lowest_j
            move = -_larger(-(top - gradient[fold, j]) * step[i, j], _larger(-room_i, -room_j))
            beta[fold, i] = highest_i if move >= room_i else beta_i + move  # the bound itself, not a rounding beside it
            beta[fold, j] = lowest_j if move >= room_j else beta_j - move
            last_i[fold], last_j[fold], last_move[fold] = i, j, move
            n_iterations += 1
            turn += 1


@compiled
def _bias(gradient, beta, lower, upper, middle):
    """The mean gradient of the samples that are free to move; where all are at a bound, the middle of the gap."""
    total, n_free = 0.0, 0
    for t in range(len(beta)):
        if lower[t] < beta[t] < upper[t]:
            total += gradient[t]
            n_free += 1
    return total / n_free if n_free > 0 else middle


@compiled
def score_pairs(lanes, epochs, n_channels, first, second, trials, lower, upper, weight):
    """Points of each pair at each time, (n_pairs, n_times), summed over repeats and folds.

    `epochs` (n_stimuli, n_trials, n_channels * n_times), `trials` as `realnet.decoding.draw_trials` gives them, the
    rest as in `realnet.decoding.Folds`.
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
