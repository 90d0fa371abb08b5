"""Decoding RDMs of one THINGS EEG2 subject (200 stimuli x 80 trials x 17 channels x 20 times) against neurora 2.0.1.

neurora would need an hour and a half, so it is timed on the first stimuli and multiplied by the number of pairs; we are
timed on the same few stimuli, and on all of them.
"""

import contextlib
import io

import numpy as np
from neurora.rdm_cal import eegRDM_bydecoding
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from experiments.benchmarks import THREADS
from experiments.benchmarks.timing import best_of, row
from realnet.decoding import PAIRS_PER_DRAW, decoding_rdm, draw_trials

N_STIMULI, N_TRIALS, N_CHANNELS, N_TIMES = 200, 80, 17, 20
N_SLICE = 7  # stimuli for neurora: 21 pairs, 4200 fits
SIGNALS = {0.95: 0.35, 0.62: 0.1}  # accuracy: sd of the stimuli's patterns, in sds of a trial's noise
MUST, AIM, LIMIT = {0.95: 200, 0.62: None}, {0.95: 1000, 0.62: None}, {0.95: 840, 0.62: 600}  # limit: in C++
REPEATS = (1, 2, 4, 8, 16, 32)
N_FEW, N_FEW_TIMES = 60, 4  # stimuli and times of the curve over repeats


def simulate(signal, n_stimuli=N_STIMULI, seed=0):
    """Epochs (n_stimuli, n_trials, n_channels, n_times): a random pattern per stimulus and time, in noise of sd 1."""
    rng = np.random.default_rng(seed)
    patterns = signal * rng.standard_normal((n_stimuli, 1, N_CHANNELS, N_TIMES))
    return patterns + rng.standard_normal((n_stimuli, N_TRIALS, N_CHANNELS, N_TIMES))


def neurora_rdm(epochs):
    """neurora's RDMs (n_times, n_pairs) without its progress bars and warnings."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        rdms = eegRDM_bydecoding(epochs[:, None], time_win=1, time_step=1, navg=5, nfolds=5, nrepeats=2)[0]
    return np.array([squareform(rdm) for rdm in rdms])


def scikit_learn_rdm(epochs, seed):
    """SVC's accuracies (n_times, n_pairs) on the pseudo-trials and folds that ``decoding_rdm`` draws with this seed."""
    first, second = np.triu_indices(len(epochs), k=1)
    rdm = np.zeros((N_TIMES, len(first)))
    labels = np.repeat([0, 1], N_TRIALS // 5)
    for start in range(0, len(first), PAIRS_PER_DRAW):
        pairs = slice(start, min(start + PAIRS_PER_DRAW, len(first)))
        for pair, draws in enumerate(draw_trials(seed, pairs, N_TRIALS, 5, 2), start):
            scores = []
            for one, other in draws:
                samples = np.concatenate([epochs[first[pair]][one], epochs[second[pair]][other]]).mean(axis=1)
                for train, test in StratifiedKFold(5).split(labels, labels):
                    for time in range(N_TIMES):
                        machine = SVC(kernel="linear", C=1, tol=1e-4).fit(samples[train, :, time], labels[train])
                        scores.append(machine.score(samples[test, :, time], labels[test]))
            rdm[:, pair] = np.mean(np.reshape(scores, (-1, N_TIMES)), axis=0)
    return rdm


def run():
    """Rows: the slice that neurora was timed on, and one subject, at two accuracies."""
    n_part, n_all = N_SLICE * (N_SLICE - 1) // 2, N_STIMULI * (N_STIMULI - 1) // 2
    for accuracy, signal in SIGNALS.items():
        epochs = simulate(signal)
        part = epochs[:N_SLICE]
        decoding_rdm(part, n_threads=THREADS)  # compile, or read the compiled code
        peer_seconds, peer = best_of(lambda part=part: neurora_rdm(part))
        part_seconds, ours = best_of(lambda part=part: decoding_rdm(part, n_threads=THREADS), n=20)
        all_seconds, rdm = best_of(lambda epochs=epochs: decoding_rdm(epochs, n_threads=THREADS))
        exact = scikit_learn_rdm(part, seed=0)
        equal = np.mean(np.abs(ours - exact) < 1e-9)
        agreement = (
            f"{equal:.2%} of {exact.size} accuracies equal SVC's on the same folds, largest difference "
            f"{np.abs(ours - exact).max():.3g}; mean accuracy {ours.mean():.4f}, neurora's own draw {peer.mean():.4f}"
        )
        work, note = f"decoding RDMs at accuracy {accuracy}", f"{n_part} pairs, the same input"
        yield row(f"{work}, {N_SLICE} stimuli", "neurora", peer_seconds, part_seconds, agreement, note=note)
        note = f"neurora's time is that of {n_part} pairs x {n_all / n_part:.0f}; mean accuracy {rdm.mean():.4f}, "
        note += f"{all_seconds / (n_all * N_TIMES * 10) * 1e6:.2f} us per fit, ten subjects {10 * all_seconds:.0f} s"
        peer_all = peer_seconds * n_all / n_part
        targets = {"must": MUST[accuracy], "aim": AIM[accuracy], "limit": LIMIT[accuracy]}
        yield row(f"{work}, one subject", "neurora", peer_all, all_seconds, agreement, note=note, **targets)
        yield from repeats_rows(accuracy, epochs[:N_FEW, :, :, :N_FEW_TIMES], all_seconds / 2, peer_all / 2)


def repeats_rows(accuracy, epochs, our_seconds, peer_seconds, repeats=REPEATS):
    """Rows: how well two runs with other seeds agree, by their number of repeats, and the time of a repeat."""
    n_stimuli, _, _, n_times = epochs.shape
    for n_repeats in repeats:
        one, other = (decoding_rdm(epochs, n_repeats=n_repeats, seed=seed, n_threads=THREADS) for seed in (1, 2))
        reliability = np.mean([spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)])
        growth = {"accuracy": accuracy, "repeats": n_repeats, "reliability": float(reliability),
                  "seconds": our_seconds * n_repeats, "peer_seconds": peer_seconds * n_repeats}  # fmt: skip
        agreement = f"Spearman of two runs with other seeds {reliability:.3f}"
        note = f"{n_stimuli} stimuli, {n_times} times; the time is that of one subject of {N_STIMULI} and {N_TIMES}"
        work = f"decoding RDMs at accuracy {accuracy}, {n_repeats} repeats"
        yield row(work, "no peer", None, growth["seconds"], agreement, note=note, growth=growth)
