"""realnet.decoding against scikit-learn's SVC on the same pseudo-trials and folds, and against neurora."""

import numpy as np
import pytest
from neurora.rdm_cal import eegRDM_bydecoding
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from realnet.decoding import PAIRS_PER_DRAW, decoding_rdm, draw_trials
from realnet.errors import InvalidInput


def simulate(n_stimuli, n_trials, n_channels, n_times, signal, seed=0):
    """Epochs of noise with sd 1 around one pattern per stimulus and time, with sd `signal` over channels."""
    rng = np.random.default_rng(seed)
    patterns = signal * rng.standard_normal((n_stimuli, 1, n_channels, n_times))
    return patterns + rng.standard_normal((n_stimuli, n_trials, n_channels, n_times))


def literal_rdm(epochs, n_average, n_folds, n_repeats, seed):
    """The definition, one scikit-learn fit after the other, on the pseudo-trials that `decoding_rdm` draws."""
    n_stimuli, n_trials, _, n_times = epochs.shape
    first, second = np.triu_indices(n_stimuli, k=1)
    rdm = np.zeros((n_times, len(first)))
    for start in range(0, len(first), PAIRS_PER_DRAW):
        pairs = slice(start, min(start + PAIRS_PER_DRAW, len(first)))
        for pair, draws in enumerate(draw_trials(seed, pairs, n_trials, n_average, n_repeats), start):
            for time in range(n_times):
                scores = []
                for draw in draws:
                    one = epochs[first[pair], :, :, time][draw[0]].mean(axis=1)
                    other = epochs[second[pair], :, :, time][draw[1]].mean(axis=1)
                    samples, labels = np.concatenate([one, other]), np.repeat([0, 1], [len(one), len(other)])
                    for train, test in StratifiedKFold(n_folds).split(samples, labels):
                        machine = SVC(kernel="linear", C=1, tol=1e-4).fit(samples[train], labels[train])
                        scores.append(machine.score(samples[test], labels[test]))
                rdm[time, pair] = np.mean(scores)
    return rdm


@pytest.mark.parametrize("signal", [0.1, 0.35])
def test_accuracies_equal_those_of_scikit_learn(signal):
    epochs = simulate(14, 80, 17, 4, signal)
    ours = decoding_rdm(epochs, n_repeats=1, seed=3)
    theirs = literal_rdm(epochs, n_average=5, n_folds=5, n_repeats=1, seed=3)
    differs = np.abs(ours - theirs) > 1e-9
    assert differs.mean() <= 0.001
    one_prediction = 1 / (5 * 6)  # the smallest of five folds tests six pseudo-trials
    assert np.abs(ours - theirs).max() <= one_prediction + 1e-9


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((4, 20, 3, 3), {"n_average": 2, "n_folds": 4, "n_repeats": 3}),
        ((3, 91, 40, 2), {"n_average": 2, "n_folds": 3, "n_repeats": 1}),  # more than 64 samples, one trial left over
        ((4, 13, 5, 3), {"n_average": 1, "n_folds": 2, "n_repeats": 2}),
        ((3, 8, 1, 2), {"n_average": 2, "n_folds": 4, "n_repeats": 1}),  # leave one pair out, one channel
    ],
)
@pytest.mark.parametrize("scale", [1e-3, 1, 20])
def test_accuracies_equal_those_of_scikit_learn_in_other_designs(shape, settings, scale):
    epochs = scale * simulate(*shape, signal=0.5, seed=1)
    np.testing.assert_allclose(
        decoding_rdm(epochs, seed=8, **settings), literal_rdm(epochs, seed=8, **settings), atol=1e-12
    )


def test_epochs_without_any_signal_are_decoded_as_by_scikit_learn():
    epochs = np.zeros((3, 16, 2, 1))
    settings = {"n_average": 2, "n_folds": 3, "n_repeats": 1, "seed": 0}
    np.testing.assert_allclose(decoding_rdm(epochs, **settings), literal_rdm(epochs, **settings), atol=1e-12)


def test_rdm_agrees_with_neurora(capsys, monkeypatch):
    generator = np.random.default_rng(0)  # neurora cannot be seeded from outside
    monkeypatch.setattr("neurora.decoding._make_subject_seeds", lambda n, **_: generator.integers(2**31, size=n))
    strength = np.linspace(0, 0.6, 8)[:, None, None, None]  # stimuli from alike to distinct
    epochs = strength * simulate(8, 1, 6, 3, 1.0) + simulate(8, 40, 6, 3, 0, seed=1)
    with np.errstate(all="ignore"):
        peer = eegRDM_bydecoding(epochs[:, None], time_win=1, time_step=1, navg=4, nfolds=5, nrepeats=8)[0]
    capsys.readouterr()
    peer = np.array([squareform(rdm) for rdm in peer])
    ours = decoding_rdm(epochs, n_average=4, n_folds=5, n_repeats=20)
    # theirs, over eight repeats, has a standard deviation of about .025 around the expectation, which ours approaches
    assert abs(np.mean(ours - peer)) < 0.02
    assert np.sqrt(np.mean((ours - peer) ** 2)) < 0.05
    assert spearmanr(ours.ravel(), peer.ravel()).statistic > 0.95


def test_pairs_are_in_the_order_of_squareform():
    epochs = simulate(6, 20, 4, 1, signal=0)
    epochs[2] += 3  # stimulus 2 differs from all others, which are alike
    square = squareform(decoding_rdm(epochs, n_average=2)[0])
    others = np.delete(np.arange(6), 2)
    assert np.all(square[2, others] == 1)
    assert np.all(square[np.ix_(others, others)] < 0.9)


def test_noise_is_at_chance():
    rdm = decoding_rdm(simulate(40, 80, 17, 2, signal=0))
    assert abs(rdm.mean() - 0.5) < 0.01


def test_equal_accuracies_are_equal_to_the_last_bit():
    rdm = decoding_rdm(simulate(14, 80, 17, 3, signal=0.2), n_repeats=3)
    n_steps = 5 * 42 * 3  # folds x least common multiple of their sizes 6 and 7 x repeats
    assert np.array_equal(rdm, np.rint(rdm * n_steps) / n_steps)


def test_seed_decides_the_rdm_and_nothing_else_does():
    epochs = simulate(13, 20, 5, 2, signal=0.3)  # 78 pairs: five tasks
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    rdm = decoding_rdm(epochs, n_average=2, seed=5, n_threads=1)
    assert np.array_equal(state, np.random.get_state()[1])
    assert np.array_equal(rdm, decoding_rdm(epochs, n_average=2, seed=5, n_threads=3))
    assert np.array_equal(rdm, decoding_rdm(np.asfortranarray(epochs), n_average=2, seed=5))
    assert not np.array_equal(rdm, decoding_rdm(epochs, n_average=2, seed=6))


def test_pairs_draw_different_trials_and_each_trial_once():
    starts = (slice(start, start + 16) for start in (0, 16, 32, 48))
    draws = np.concatenate([draw_trials(0, pairs, n_trials=17, n_average=3, n_repeats=2) for pairs in starts])
    assert draws.shape == (64, 2, 2, 5, 3)
    rows = draws.reshape(-1, 15)
    assert all(len(set(row)) == 15 for row in rows.tolist())
    assert len({tuple(row) for row in rows.tolist()}) == len(rows)
    assert np.unique(draws).tolist() == list(range(17))  # the trials left over vary


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e[:, :24], "need 25 trials per stimulus"),
        (lambda e: np.where(e == e.max(), np.nan, e), "finite"),
        (lambda e: np.where(e == e.min(), -np.inf, e), "finite"),
        (lambda e: e * 1e20, "below 1e15"),
    ],
)
def test_epochs_that_cannot_be_decoded_are_errors(change, words):
    with pytest.raises(InvalidInput, match=words):
        decoding_rdm(change(simulate(3, 30, 2, 2, signal=0)))
