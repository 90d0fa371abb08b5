"""realnet.decoding against LIBSVM (through scikit-learn), and against the conditions that an optimum must meet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from realnet.decoding import LANES, aligned, fill_gram, fit_folds, lanes_for


def solve(features, labels, left_out, tolerance=1e-4):
    """Solve all folds; features (n, n_features), labels (n,) of +1, -1, left_out (n_folds, n) -> beta, decisions."""
    n, n_features = features.shape
    n_folds, lanes = len(left_out), lanes_for(n)
    padded = LANES * len(lanes)
    samples, gram, step = aligned(-(-n_features // 4) * 4, padded), aligned(padded, padded), aligned(padded, padded)
    lower, upper, gradient, beta = (aligned(n_folds, padded) for _ in range(4))
    samples[:n_features, :n] = features.T
    lower[:, :n] = np.where(~left_out & (labels < 0), -1, 0)
    upper[:, :n] = np.where(~left_out & (labels > 0), 1, 0)
    gradient[:, :n] = labels
    bias = np.empty(n_folds)
    fill_gram(samples, gram, step)
    fit_folds(lanes, gram, step, lower, upper, tolerance, gradient, beta, bias)
    return beta[:, :n], labels - gradient[:, :n] + bias[:, None]


def problem(n, n_features, n_folds, separation, scale, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat([1.0, -1.0], [n // 2, n - n // 2])
    features = scale * (rng.standard_normal((n, n_features)) + separation * labels[:, None])
    left_out = rng.integers(0, n_folds, n) == np.arange(n_folds)[:, None]
    left_out[:, [0, -1]] = False  # each fold keeps a sample of each class
    return features, labels, left_out


@pytest.mark.parametrize("separation", [0.05, 0.3, 2.0])
@pytest.mark.parametrize(("n", "n_features"), [(32, 17), (12, 3), (33, 5), (90, 40)])
def test_decisions_are_those_of_libsvm(n, n_features, separation):
    for seed in range(5):
        features, labels, left_out = problem(n, n_features, 5, separation, 1.0, seed)
        beta, decisions = solve(features, labels, left_out)
        for fold, out in enumerate(left_out):
            peer = SVC(kernel="linear", C=1, tol=1e-4, shrinking=False).fit(features[~out], -labels[~out])
            theirs = -peer.decision_function(features)
            weights = np.zeros(n)
            weights[np.flatnonzero(~out)[peer.support_]] = -peer.dual_coef_[0]
            np.testing.assert_allclose(beta[fold], weights, atol=1e-5)
            if np.isin(beta[fold], [-1, 0, 1]).all():  # no weight is free: a whole interval of biases is optimal
                assert np.ptp(decisions[fold] - theirs) < 1e-5
                assert np.all(theirs[beta[fold] > 0] < 1 + 1e-4) and np.all(theirs[beta[fold] < 0] > -1 - 1e-4)
            else:
                np.testing.assert_allclose(decisions[fold], theirs, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(4, 70), st.integers(1, 9), st.floats(0, 3), st.sampled_from([1e-3, 1, 30]), st.integers(0, 2**31))
def test_the_solution_is_feasible_and_optimal(n, n_features, separation, scale, seed):
    features, labels, left_out = problem(n, n_features, 3, separation, scale, seed)
    beta, decisions = solve(features, labels, left_out)
    kernel = features @ features.T
    for fold, out in enumerate(left_out):
        assert np.all(beta[fold][out] == 0)
        assert np.all((labels * beta[fold] >= 0) & (labels * beta[fold] <= 1))
        assert abs(beta[fold].sum()) < 1e-9
        gradient = labels - kernel @ beta[fold]
        may_rise = ~out & np.where(labels > 0, beta[fold] < 1, beta[fold] < 0)
        may_fall = ~out & np.where(labels > 0, beta[fold] > 0, beta[fold] > -1)
        rounding = 1e-6 * max(1, np.abs(kernel).max())  # of the single-precision kernel
        assert gradient[may_rise].max() - gradient[may_fall].min() < 1e-4 + rounding
        bias = decisions[fold] - kernel @ beta[fold]
        assert np.ptp(bias) < rounding


def test_samples_that_are_all_equal_are_decided_as_by_libsvm():
    labels = np.repeat([1.0, -1.0], [7, 5])
    _, decisions = solve(np.ones((12, 3)), labels, np.zeros((1, 12), dtype=bool))
    peer = SVC(kernel="linear", C=1, tol=1e-4).fit(np.ones((12, 3)), -labels)
    np.testing.assert_allclose(decisions[0], -peer.decision_function(np.ones((12, 3))))
