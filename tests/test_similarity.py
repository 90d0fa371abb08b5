"""Similarities equal those of scipy, pingouin, neurora, rsatoolbox and literal loops; undefined ones are errors."""

import numpy as np
import pandas as pd
import pingouin
import pytest
import rsatoolbox
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from realnet.errors import InvalidInput
from realnet.rdm import difference_rdm, labelled, square
from realnet.similarity import (
    FeatureRDMs,
    compare_rdms,
    crossvalidated_best_layer,
    noise_ceiling,
    partial_spearman,
    rank,
)

SEEDS = st.integers(0, 2**32 - 1)


def correlated(n_rdms, n_pairs, seed=0, shared=1.0):
    rng = np.random.default_rng(seed)
    return shared * rng.random(n_pairs) + rng.random((n_rdms, n_pairs))


def test_ranks_are_scipys_with_ties_averaged():
    rdms = np.round(np.random.default_rng(0).normal(size=(3, 2, 300)), 1)
    np.testing.assert_array_equal(rank(rdms), rankdata(rdms, axis=-1))
    close = 1 + rdms * 1e-15
    np.testing.assert_array_equal(rank(close, tie_tolerance=0), rankdata(close, axis=-1))


def test_compare_rdms_is_scipys_spearman_of_all_with_all():
    a = correlated(6, 190).reshape(2, 3, 190)
    b = np.round(correlated(4, 190, seed=1), 1)  # with ties, as decoding accuracies have
    rho = compare_rdms(a, b)
    assert rho.shape == (2, 3, 4)
    for i, j, k in np.ndindex(2, 3, 4):
        assert rho[i, j, k] == pytest.approx(spearmanr(a[i, j], b[k]).statistic, abs=1e-12)
    assert compare_rdms(a[0, 0], b[1]) == pytest.approx(rho[0, 0, 1], abs=1e-15)
    assert compare_rdms(a[0, 0], b[1]).shape == ()
    assert compare_rdms(a, b[0]).shape == (2, 3)


def test_compare_rdms_equals_neurora_and_rsatoolbox():
    from neurora.rdm_corr import rdm_correlation_spearman

    a, b = correlated(2, 45), correlated(3, 45, seed=1)
    theirs = [[rdm_correlation_spearman(square(x), square(y))[0] for y in b] for x in a]
    np.testing.assert_allclose(compare_rdms(a, b), theirs, atol=1e-12)
    toolbox = rsatoolbox.rdm.compare(rsatoolbox.rdm.RDMs(a), rsatoolbox.rdm.RDMs(b), method="spearman")
    np.testing.assert_allclose(compare_rdms(a, b), toolbox, atol=1e-12)


def test_noise_in_the_last_bit_does_not_break_ties():
    rng = np.random.default_rng(0)
    accuracies = rng.integers(10, 33, size=190) / 32
    noisy = accuracies * (1 + rng.choice([-1, 0, 1], size=190) * np.finfo(float).eps)
    assert not np.array_equal(accuracies, noisy)
    assert compare_rdms(accuracies, noisy) == pytest.approx(1, abs=1e-15)
    assert compare_rdms(accuracies, noisy, tie_tolerance=0) < 0.9999  # what would happen otherwise


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_spearman_is_symmetric_and_blind_to_monotone_changes_and_common_reordering(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-30, 30, size=(2, 28)).astype(float)
    if len(set(a)) == 1 or len(set(b)) == 1:
        return
    rho = compare_rdms(a, b)
    order = rng.permutation(28)
    assert -1 <= rho <= 1
    assert compare_rdms(b, a) == pytest.approx(rho, abs=1e-14)
    assert compare_rdms(np.exp(a), b**3 + b) == pytest.approx(rho, abs=1e-14)
    assert compare_rdms(-a, b) == pytest.approx(-rho, abs=1e-14)
    assert compare_rdms(a[order], b[order]) == pytest.approx(rho, abs=1e-14)
    assert compare_rdms(a, a) == pytest.approx(1, abs=1e-14)


def test_rdms_of_different_stimuli_are_not_compared():
    rdm = np.random.default_rng(0).random(6)
    with pytest.raises(InvalidInput, match="row 1 of two RDMs is 'b' and 'c'"):
        compare_rdms(labelled(rdm, "abcd"), labelled(rdm, "acbd"))
    with pytest.raises(InvalidInput, match="6 and 10 pairs"):
        compare_rdms(rdm, np.arange(10.0))
    for function in (partial_spearman, crossvalidated_best_layer):
        with pytest.raises(InvalidInput, match="row 1"):
            function(labelled(rdm, "abcd"), labelled(rdm[None], "acbd", dims=("layer",)))


def test_labelled_rdms_give_a_labelled_similarity():
    a = labelled(correlated(2, 6), "abcd", dims=("layer",), layer=["V1", "IT"])
    b = labelled(correlated(3, 6, seed=1), "abcd", dims=("roi",), roi=["V1", "V4", "LOC"])
    rho = compare_rdms(a, b)
    assert rho.dims == ("layer", "roi")
    assert float(rho.sel(layer="IT", roi="V4")) == pytest.approx(spearmanr(a[1], b[1]).statistic)
    assert isinstance(compare_rdms(a, a), np.ndarray)  # one name for two axes would be ambiguous


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_undefined_rdms_are_refused_and_named(value):
    rdms = correlated(3, 15)
    constant, broken = rdms.copy(), rdms.copy()
    constant[2] = 0.5
    broken[1, 4] = value
    with pytest.raises(InvalidInput, match=r"constant RDM is not defined: RDM \(2,\) of shape \(3,\)"):
        compare_rdms(rdms, constant)
    with pytest.raises(InvalidInput, match=r"RDM \(1,\) of shape \(3,\) has NaN or Inf"):
        compare_rdms(rdms, broken)
    with pytest.raises(InvalidInput, match="not defined: the RDM"):
        compare_rdms(constant[2], rdms)


@pytest.fixture
def features():
    return difference_rdm(np.random.default_rng(5).gamma(1.0, size=(6, 20)))


def test_partial_spearman_equals_pingouin(features):
    rdm = features[0] + 0.5 * features[3] + np.random.default_rng(6).random(190)
    names = [f"feature{k}" for k in range(6)]
    table = pd.DataFrame(np.vstack([features, rdm]).T, columns=[*names, "rdm"])
    others = {name: [other for other in names if other != name] for name in names}
    theirs = [
        pingouin.partial_corr(table, "rdm", y, covar, method="spearman")["r"].item() for y, covar in others.items()
    ]
    np.testing.assert_allclose(partial_spearman(rdm, features), theirs, atol=1e-10, rtol=0)


def test_partial_spearman_equals_the_correlation_of_residuals(features):
    rdms = np.random.default_rng(7).random((2, 3, 190)) + features[1]
    together = partial_spearman(rdms, FeatureRDMs(features))
    assert together.shape == (2, 3, 6)
    ranked = rankdata(features, axis=-1)
    for i, j, k in np.ndindex(2, 3, 6):
        others = np.column_stack([np.ones(190), *np.delete(ranked, k, axis=0)])
        pair = np.column_stack([rankdata(rdms[i, j]), ranked[k]])
        residual = pair - others @ np.linalg.lstsq(others, pair, rcond=None)[0]
        assert together[i, j, k] == pytest.approx(np.corrcoef(residual.T)[0, 1], abs=1e-10)
    np.testing.assert_allclose(partial_spearman(rdms[1, 2], features), together[1, 2], atol=1e-14)


def test_partial_spearman_refuses_what_is_not_defined(features):
    with pytest.raises(InvalidInput, match=r"\[2, 6\] are collinear"):
        FeatureRDMs(np.vstack([features, features[2] ** 2]))  # the same ranks
    with pytest.raises(InvalidInput, match="collinear"):
        FeatureRDMs(np.random.default_rng(0).random((15, 15)))  # as many features as pairs
    with pytest.raises(InvalidInput, match="explain the RDM completely"):
        partial_spearman(features[4], features)
    with pytest.raises(InvalidInput, match="6 and 190 pairs"):
        partial_spearman(np.arange(6.0), features)


def test_noise_ceiling_equals_the_literal_loop_and_rsatoolbox():
    rdms = correlated(5, 66, shared=0.7) ** 4  # skewed, so that means of ranks are not ranks of means
    lower, upper = noise_ceiling(rdms)
    ranks = rankdata(rdms, axis=1)
    others = [spearmanr(rdms[s], np.delete(ranks, s, 0).mean(0)).statistic for s in range(5)]
    assert lower == pytest.approx(np.mean(others))
    assert upper == pytest.approx(np.mean([spearmanr(rdm, ranks.mean(0)).statistic for rdm in rdms]))
    np.testing.assert_allclose(
        (lower, upper), rsatoolbox.inference.boot_noise_ceiling(rsatoolbox.rdm.RDMs(rdms), "spearman"), atol=1e-9
    )


def test_no_rdm_agrees_better_with_all_subjects_than_the_upper_noise_ceiling():
    rdms = correlated(4, 45, shared=0.5) ** 4
    candidates = np.concatenate([rdms, rdms.mean(axis=0)[None], correlated(50, 45, seed=3)])
    assert compare_rdms(candidates, rdms).mean(axis=1).max() <= noise_ceiling(rdms)[1] + 1e-12


def test_a_noise_ceiling_needs_two_subjects():
    for wrong in (np.arange(6.0)[None], np.arange(6.0)):
        with pytest.raises(InvalidInput, match="two or more"):
            noise_ceiling(wrong)


def test_crossvalidated_best_layer_equals_the_literal_procedure():
    model, brain = correlated(3, 66, seed=3), correlated(2, 66, seed=4)
    rho, share = crossvalidated_best_layer(model, brain, n_folds=3, n_repeats=4, seed=9)
    rng, held_out, chosen = np.random.default_rng(9), [], []
    upper = np.triu_indices(12, 1)
    for _ in range(4):
        order = rng.permutation(12)
        for fold in np.array_split(order, 3):
            in_fold = np.isin(upper, fold).sum(axis=0)  # images of the pair within the fold
            scores = [spearmanr(layer[in_fold == 0], brain[1][in_fold == 0]).statistic for layer in model]
            chosen.append(np.argmax(scores))
            held_out.append(spearmanr(model[chosen[-1]][in_fold == 2], brain[1][in_fold == 2]).statistic)
    assert rho.shape == (2,) and share.shape == (2, 3)
    assert rho[1] == pytest.approx(np.mean(held_out), abs=1e-12)
    np.testing.assert_allclose(share[1], np.bincount(chosen, minlength=3) / 12)


def test_choosing_the_layer_on_other_images_takes_the_bias_away():
    rng = np.random.default_rng(11)
    chosen_here, chosen_elsewhere = [], []
    for _ in range(60):
        model, brain = rng.random((8, 190)), rng.random(190)  # no layer has anything to do with the brain
        chosen_here.append(compare_rdms(model, brain).max())
        chosen_elsewhere.append(crossvalidated_best_layer(model, brain, n_repeats=3)[0])
    assert np.mean(chosen_here) > 0.07
    assert abs(np.mean(chosen_elsewhere)) < 3 * np.std(chosen_elsewhere) / np.sqrt(60)
