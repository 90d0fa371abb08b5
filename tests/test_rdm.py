"""RDMs equal those of scipy and rsatoolbox, stay within their memory, and carry the ids of their stimuli."""

import tracemalloc

import numpy as np
import pytest
import rsatoolbox
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from realnet import rdm as rdms
from realnet.errors import InvalidInput


@pytest.fixture
def patterns():
    # skewed and positive, like activations
    return np.random.default_rng(0).gamma(2.0, size=(12, 57)).astype(np.float32)


KINDS = {"float32": lambda x: x, "float64": lambda x: x.astype(float), "int": lambda x: np.round(x * 10).astype(int),
         "strided": lambda x: np.asfortranarray(x)[::-1, ::2],
         "DataArray": lambda x: xr.DataArray(x, dims=("stimulus", "voxel")), "tensor": torch.from_numpy,
         "tensor with gradient": lambda x: torch.from_numpy(x).requires_grad_()}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_correlation_rdm_equals_scipy_whatever_holds_the_patterns(patterns, kind):
    given_as = KINDS[kind](patterns)
    values = given_as.detach().numpy() if isinstance(given_as, torch.Tensor) else np.asarray(given_as)
    rdm = rdms.correlation_rdm(given_as)
    assert isinstance(rdm, np.ndarray) and rdm.dtype == np.float64
    np.testing.assert_allclose(rdm, pdist(values.astype(float), "correlation"), atol=1e-12)


def repeats(n_repeats=6, n_stimuli=10, n_features=25, signal=1.0, seed=0):
    """Patterns with noise that is correlated over features."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_repeats, n_stimuli, n_features)) @ rng.normal(size=(n_features, n_features))
    return signal * rng.normal(size=(n_stimuli, n_features)) + noise


def test_crossnobis_equals_rsatoolbox_with_the_variances_of_the_residuals():
    patterns = repeats()
    variance = np.sum((patterns - patterns.mean(axis=0)) ** 2, axis=(0, 1)) / (5 * 10)
    numbers = {"image": np.tile(np.arange(10), 6), "run": np.repeat(np.arange(6), 10)}
    data = rsatoolbox.data.Dataset(patterns.reshape(-1, 25), obs_descriptors=numbers)
    noise = np.diag(1 / variance)
    theirs = rsatoolbox.rdm.calc_rdm(data, "crossnobis", "image", noise=noise, cv_descriptor="run")
    np.testing.assert_allclose(rdms.crossnobis_rdm(patterns), theirs.dissimilarities[0], rtol=1e-8, atol=1e-12)


def test_crossnobis_is_the_mean_product_of_differences_of_different_repeats():
    patterns = repeats(n_repeats=3, n_stimuli=4)
    sd = np.sqrt(patterns.var(axis=0, ddof=1).mean(axis=0))
    difference = (patterns[:, 1] - patterns[:, 3]) / sd
    products = [difference[m] @ difference[k] / 25 for m in range(3) for k in range(3) if k != m]
    assert squareform(rdms.crossnobis_rdm(patterns))[1, 3] == pytest.approx(np.mean(products), rel=1e-9)


def test_crossnobis_of_equal_responses_is_zero_on_average_unlike_the_distance_of_means():
    noise = [repeats(n_repeats=8, n_stimuli=40, signal=0.0, seed=seed) for seed in range(60)]
    plain = [pdist(x.mean(axis=0), "sqeuclidean").mean() / 25 for x in noise]
    scale = np.mean([x.var(axis=0, ddof=1).mean() for x in noise])
    assert np.mean(plain) / scale == pytest.approx(2 / 8, rel=0.1)
    assert abs(np.mean([rdms.crossnobis_rdm(x).mean() for x in noise])) < 0.02 * 2 / 8


def test_correlation_rdm_equals_rsatoolbox(patterns):
    theirs = rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(patterns.astype(float)), method="correlation")
    np.testing.assert_allclose(rdms.correlation_rdm(patterns), theirs.dissimilarities[0], atol=1e-12)


def test_axes_before_the_stimuli_are_kept(patterns):
    stack = np.stack([[patterns, patterns**2], [patterns[::-1], np.sqrt(patterns)], [patterns + 1, -patterns]])
    rdm = rdms.correlation_rdm(stack)
    assert rdm.shape == (3, 2, 66)
    for index in np.ndindex(3, 2):
        np.testing.assert_allclose(rdm[index], pdist(stack[index].astype(float), "correlation"), atol=1e-12)


@pytest.mark.parametrize("block", [1, 7, 57, 1000])
def test_blocks_of_features_do_not_change_the_rdm(patterns, block):
    expected = pdist(patterns.astype(float), "correlation")
    np.testing.assert_allclose(rdms.correlation_rdm(patterns, block=block), expected, atol=1e-12)
    np.testing.assert_allclose(rdms.correlation_rdm(patterns, block=block, dtype="float32"), expected, atol=2e-6)


def test_a_large_common_offset_does_not_cost_precision():
    patterns = 1e6 + np.random.default_rng(1).normal(size=(6, 400))
    centred = patterns.astype(np.longdouble)
    centred -= centred.mean(axis=1, keepdims=True)
    unit = centred / np.sqrt((centred**2).sum(axis=1, keepdims=True))
    expected = [float(1 - unit[i] @ unit[j]) for i in range(6) for j in range(i + 1, 6)]
    np.testing.assert_allclose(rdms.correlation_rdm(patterns, block=50), expected, atol=1e-9)


@pytest.mark.parametrize("n_stimuli", [150, 600])
def test_working_memory_is_bounded_by_the_block(n_stimuli):
    patterns = np.random.default_rng(2).random((n_stimuli, 9000), dtype=np.float32)
    rdms.correlation_rdm(patterns[:2])  # whatever is imported late is imported now
    tracemalloc.start()
    rdm = rdms.correlation_rdm(patterns, block=2000)
    peak = tracemalloc.get_traced_memory()[1] - rdm.nbytes
    tracemalloc.stop()
    assert peak < 8 * 2 * n_stimuli * (2000 + n_stimuli) + 100_000  # the rest: means, norms, buffers of numpy


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-30, 12345.678])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_pattern_is_refused_and_named(value, dtype):
    patterns = np.random.default_rng(3).random((8, 1001)).astype(dtype)
    patterns[[3, 6]] = value
    with pytest.raises(InvalidInput, match=r"constant: stimulus rows 3, 6$"):
        rdms.correlation_rdm(patterns)
    with pytest.raises(InvalidInput, match=r"stimulus rows 3, 6$"):
        rdms.correlation_rdm(patterns, dtype="float32", block=100)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pattern_that_is_not_finite_is_refused_and_named(patterns, value):
    stack = np.stack([patterns, patterns])
    stack[1, 4, 7] = value
    with pytest.raises(InvalidInput, match=r"not finite: stimulus rows 4 in set \(1,\)"):
        rdms.correlation_rdm(stack)


def test_difference_rdm_is_the_absolute_difference():
    values = np.random.default_rng(4).normal(size=(3, 9))
    expected = [pdist(row[:, None], "cityblock") for row in values]
    np.testing.assert_array_equal(rdms.difference_rdm(values), expected)
    np.testing.assert_array_equal(rdms.difference_rdm(values[1]), expected[1])


def test_square_keeps_the_axes_before_the_pairs():
    rdm = np.random.default_rng(5).random((2, 3, 15))
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(rdms.square(rdm)[index], squareform(rdm[index]))


def test_count_stimuli_refuses_numbers_that_are_no_count_of_pairs():
    assert [rdms.count_stimuli(n * (n - 1) // 2) for n in (2, 3, 50, 200, 26107)] == [2, 3, 50, 200, 26107]
    for wrong in (0, 2, 4, 1226, 19899):
        with pytest.raises(InvalidInput, match=str(wrong)):
            rdms.count_stimuli(wrong)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(3, 12), data=st.data())
def test_pairs_among_finds_the_rdm_of_a_subset_in_its_own_order(n, data):
    images = data.draw(st.lists(st.integers(0, n - 1), min_size=2, unique=True))
    rdm = np.random.default_rng(n).random(n * (n - 1) // 2)
    expected = squareform(squareform(rdm)[np.ix_(images, images)])
    np.testing.assert_array_equal(rdm[rdms.pairs_among(n, images)], expected)


def test_labels_survive_netcdf(tmp_path):
    ids = ["n01443537_22563", "naïve image", "c", "d"]
    labelled = rdms.labelled(np.arange(12.0).reshape(2, 6), ids, dims=("layer",), layer=["V1", "IT"])
    labelled.to_netcdf(tmp_path / "rdm.nc", engine="h5netcdf")
    with xr.open_dataarray(tmp_path / "rdm.nc", engine="h5netcdf") as read:
        assert rdms.stimulus_ids(read) == ids
        rdms.check_same_stimuli(labelled, read)
        xr.testing.assert_equal(read, labelled)


def test_different_stimuli_and_orders_cannot_be_compared():
    rdm = np.arange(6.0)
    reference = rdms.labelled(rdm, "abcd")
    rdms.check_same_stimuli(reference, rdms.labelled(rdm + 1, "abcd"))
    rdms.check_same_stimuli(reference, rdm)
    with pytest.raises(InvalidInput, match="row 1 of two RDMs is 'b' and 'c'"):
        rdms.check_same_stimuli(reference, rdms.labelled(rdm, "acbd"))
    with pytest.raises(InvalidInput, match="6 and 3 pairs"):
        rdms.check_same_stimuli(reference, rdms.labelled(rdm[:3], "abc"))
    with pytest.raises(InvalidInput, match="condensed order"):
        rdms.stimulus_ids(reference[::-1])


def test_select_stimuli_gives_the_rdm_of_these_ids_in_this_order():
    rdm = np.random.default_rng(6).random((2, 10))
    selected = rdms.select_stimuli(rdms.labelled(rdm, "abcde", dims=("roi",), roi=["V1", "V2"]), ["d", "a", "e"])
    assert rdms.stimulus_ids(selected) == ["d", "a", "e"]
    assert list(selected.roi.values) == ["V1", "V2"]
    for row in (0, 1):
        np.testing.assert_array_equal(rdms.square(selected)[row], squareform(rdm[row])[np.ix_([3, 0, 4], [3, 0, 4])])
    with pytest.raises(InvalidInput, match="no 'x'"):
        rdms.select_stimuli(selected, ["d", "x"])


def test_labels_must_fit_the_rdm():
    with pytest.raises(InvalidInput, match="4 different stimulus ids"):
        rdms.labelled(np.arange(6.0), "abca")
    with pytest.raises(InvalidInput, match="4 different stimulus ids, not these 5"):
        rdms.labelled(np.arange(6.0), "abcde")
    with pytest.raises(InvalidInput, match="no stimulus ids on a last axis"):
        rdms.stimulus_ids(np.arange(6.0))
