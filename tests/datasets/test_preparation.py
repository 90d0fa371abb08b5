import numpy as np
import pytest
import xarray as xr
from sklearn.decomposition import PCA

from realnet.datasets import shen2019
from realnet.datasets.preparation import check_same_stimuli, check_same_voxels, fit_components, reliability
from realnet.errors import InvalidInput


def responses(n_stimuli=40, n_voxels=60, seed=0, subject="sub-01"):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_stimuli, 12)) @ rng.normal(size=(12, n_voxels)) + rng.normal(size=(n_stimuli, n_voxels))
    values = values * rng.uniform(0.1, 9, n_voxels) + rng.normal(size=n_voxels)
    names = [f"image-{i:03d}" for i in range(n_stimuli)]
    return xr.DataArray(values, dims=("stimulus", "voxel"), coords={"stimulus": names}, attrs={"subject": subject})


@pytest.mark.parametrize("voxel_scaling", ["zscore", "none"])
@pytest.mark.parametrize("component_scaling", ["zscore", "global", "none"])
@pytest.mark.parametrize("n_voxels", [60, 25], ids=["more voxels than images", "fewer"])
def test_components_are_those_of_a_singular_value_decomposition(voxel_scaling, component_scaling, n_voxels):
    training, test = responses(n_voxels=n_voxels), responses(n_stimuli=7, n_voxels=n_voxels, seed=1)
    fitted = fit_components(training, 10, voxel_scaling=voxel_scaling, component_scaling=component_scaling)
    mean, sd = training.values.mean(axis=0), training.values.std(axis=0)
    sd = sd if voxel_scaling == "zscore" else np.ones_like(sd)
    _, _, axes = np.linalg.svd((training.values - mean) / sd, full_matrices=False)
    scores = ((training.values - mean) / sd) @ axes[:10].T
    scale = {"zscore": scores.std(axis=0), "global": np.full(10, scores.std()), "none": np.ones(10)}[component_scaling]
    expected = (test.values - mean) / sd @ axes[:10].T / scale
    found = fitted.transform(test)
    assert found.dims == ("stimulus", "component")
    signs = np.sign((found.values * expected).sum(axis=0))
    np.testing.assert_allclose(found.values, expected * signs, rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(found["stimulus"], test["stimulus"])


@pytest.mark.parametrize("n_voxels", [60, 25])
def test_axes_and_shares_of_variance_are_those_of_sklearn(n_voxels):
    training = responses(n_voxels=n_voxels)
    fitted = fit_components(training, 24, voxel_scaling="none", component_scaling="none")
    oracle = PCA(24, svd_solver="full").fit(training.values)
    np.testing.assert_allclose(fitted.explained_variance_ratio, oracle.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(fitted.axes @ oracle.components_.T), np.eye(24), atol=1e-7)


def test_components_without_variance_are_an_error():
    training = responses(n_voxels=30)
    training[:, 10:] = training[:, :20].values  # 30 voxels of rank 10 to 20
    with pytest.raises(InvalidInput, match="no variance"):
        fit_components(training, 25)


def test_scores_of_training_images_have_the_variance_that_the_scaling_says():
    each = fit_components(responses(), 20).transform(responses())
    np.testing.assert_allclose(each.std("stimulus"), 1)
    together = fit_components(responses(), 20, component_scaling="global").transform(responses())
    assert float(together.std()) == pytest.approx(1)
    assert (np.diff(together.std("stimulus").values) < 0).all()


@pytest.mark.parametrize("n_voxels", [39, 40, 41, 200])
def test_the_largest_score_of_a_component_is_positive_whichever_way_it_was_found(n_voxels):
    training = responses(n_voxels=n_voxels)
    scores = fit_components(training, 10, component_scaling="none").transform(training).values
    assert (scores[np.abs(scores).argmax(axis=0), np.arange(10)] > 0).all()


def test_components_know_nothing_of_the_test_images():
    fitted = fit_components(responses(), 5)
    one = fitted.transform(responses(n_stimuli=3, seed=1)).values
    np.testing.assert_allclose(fitted.transform(responses(n_stimuli=9, seed=1)[:3]).values[0].shape, one[0].shape)
    test = responses(n_stimuli=9, seed=2)
    np.testing.assert_allclose(fitted.transform(test).values[:3], fitted.transform(test[:3]).values, atol=1e-12)


def test_a_voxel_that_never_changes_is_left_out_quietly():
    training = responses()
    training[:, 3] = 0.1
    assert np.isfinite(fit_components(training, 5).transform(training)).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_components": 40}, "1 to 39"),
        ({"n_components": 0}, "1 to 39"),
        ({"voxel_scaling": "yes"}, "zscore, none"),
        ({"component_scaling": "max"}, "zscore, global, none"),
    ],
)
def test_impossible_settings_are_errors(change, says):
    with pytest.raises(InvalidInput, match=says):
        fit_components(responses(), **{"n_components": 5} | change)


def test_responses_of_another_person_or_with_nan_are_errors():
    fitted = fit_components(responses(), 5)
    with pytest.raises(InvalidInput, match="sub-02 with 60 voxels"):
        fitted.transform(responses(subject="sub-02"))
    with pytest.raises(InvalidInput, match="59 voxels"):
        fitted.transform(responses(n_voxels=59))
    with pytest.raises(InvalidInput, match="finite"):
        fitted.transform(responses().where(responses() > 0))


def noisy_trials(n_stimuli=200, n_repeats=8, noise=2.0, n_voxels=40, seed=0):
    """Trials of known reliability: variance 1 of signal, noise^2 / n_repeats of the mean."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"i{i:03d}" for i in range(n_stimuli)], n_repeats)
    signal = np.repeat(rng.normal(size=(n_stimuli, n_voxels)), n_repeats, axis=0)
    signal[:, n_voxels // 2 :] = 0
    values = signal + noise * rng.normal(size=signal.shape)
    order = rng.permutation(len(names))
    rois = np.array([np.arange(n_voxels) < n_voxels // 2, np.arange(n_voxels) >= n_voxels // 2])
    return xr.Dataset(
        {"responses": (("sample", "voxel"), values[order])},
        coords={
            "stimulus": ("sample", names[order]),
            "roi": (("roi", "voxel"), rois),
            "roi_name": ("roi", ["V1", "V2"]),
        },
    )


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_reliability_is_the_share_of_signal_in_the_mean_over_all_repeats(noise):
    found = reliability(noisy_trials(noise=noise))
    assert float(found.sel(roi="V1")) == pytest.approx(1 / (1 + noise**2 / 8), abs=0.03)
    assert float(found.sel(roi="V2")) == pytest.approx(0, abs=0.1)


def test_reliability_of_one_split_is_the_literal_formula():
    trials = noisy_trials(n_stimuli=30, n_repeats=2)
    values, stimuli = trials["responses"].values, trials["stimulus"].values
    halves = [np.array([values[stimuli == name][half] for name in np.unique(stimuli)]) for half in (0, 1)]
    r = np.array([np.corrcoef(halves[0][:, v], halves[1][:, v])[0, 1] for v in range(values.shape[1])])
    expected = np.median((2 * r / (1 + r))[:20])
    # with two repeats the halves can only swap image by image; many splits average that
    assert float(reliability(trials, n_splits=400).sel(roi="V1")) == pytest.approx(expected, abs=0.05)


def test_reliability_is_repeatable_and_needs_repeats():
    trials = noisy_trials()
    assert reliability(trials, seed=3).identical(reliability(trials, seed=3))
    with pytest.raises(InvalidInput, match="needs 3 images with 2"):
        reliability(noisy_trials(n_repeats=1))


def test_reliability_reads_trials_of_a_published_file(write_session, tmp_path):
    write_session(tmp_path, 1, "shapes")
    found = reliability(shen2019.load_trials(tmp_path, 1, "shapes"), n_splits=5)
    assert set(found["roi"].to_numpy()) >= {"V1", "V4", "LOC", "VC"}
    assert (found > 0.8).all()  # signal and noise of variance 1, 20 repeats: 1 / (1 + 1 / 20)


def test_arrays_with_other_or_permuted_stimuli_cannot_be_compared():
    a = responses()
    check_same_stimuli(a, responses(seed=5))
    with pytest.raises(InvalidInput, match="the order differs"):
        check_same_stimuli(a, a[::-1])
    with pytest.raises(InvalidInput, match="1 images are in one of them only: image-039"):
        check_same_stimuli(a, a[:39])


def test_files_of_two_people_mixed_up_are_noticed(write_session, tmp_path):
    for subject, split in ((1, "shapes"), (1, "letters"), (2, "letters")):
        write_session(tmp_path, subject, split)
    mine, also_mine = shen2019.load(tmp_path, 1, "shapes"), shen2019.load(tmp_path, 1, "letters")
    check_same_voxels(mine, also_mine)
    with pytest.raises(InvalidInput, match="same voxels of one person"):
        check_same_voxels(mine, shen2019.load(tmp_path, 2, "letters"))
    with pytest.raises(InvalidInput, match="same voxels of one person"):
        check_same_voxels(mine, also_mine.isel(voxel=slice(0, 5)))
    moved = also_mine.assign_coords(x=also_mine["x"] + 1)
    with pytest.raises(InvalidInput, match="same voxels of one person"):
        check_same_voxels(mine, moved)
