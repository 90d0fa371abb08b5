"""Components equal those of a singular value decomposition; reliability has its known value; files must fit."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist, squareform
from scipy.stats import norm, spearmanr
from sklearn.decomposition import PCA

from realnet import responses
from realnet.errors import InvalidInput
from realnet.rdm import crossnobis_rdm, stimulus_ids
from realnet.responses import (
    check_same_voxels,
    component_scores,
    compute_roi_rdms,
    compute_targets,
    reliability,
    scores_from_rdm,
)
from realnet.settings import Study


def simulate(n_stimuli=40, n_voxels=60, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_stimuli, 12)) @ rng.normal(size=(12, n_voxels)) + rng.normal(size=(n_stimuli, n_voxels))
    return values * rng.uniform(0.1, 9, n_voxels) + rng.normal(size=n_voxels)


@pytest.mark.parametrize("voxel_scaling", ["zscore", "none"])
@pytest.mark.parametrize("component_scaling", ["zscore", "global", "none"])
@pytest.mark.parametrize("n_voxels", [60, 25], ids=["more voxels than images", "fewer"])
def test_components_are_those_of_a_singular_value_decomposition(voxel_scaling, component_scaling, n_voxels):
    training, test = simulate(n_voxels=n_voxels), simulate(n_stimuli=7, n_voxels=n_voxels, seed=1)
    found = component_scores(training, test, 10, voxel_scaling=voxel_scaling, component_scaling=component_scaling)
    mean, sd = training.mean(axis=0), training.std(axis=0) if voxel_scaling == "zscore" else 1.0
    _, singular, axes = np.linalg.svd((training - mean) / sd, full_matrices=False)
    scores = ((training - mean) / sd) @ axes[:10].T
    scale = {"zscore": scores.std(axis=0), "global": scores.std(), "none": 1.0}[component_scaling]
    scale = scale * np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(10)])  # the largest score is positive
    np.testing.assert_allclose(found[0], scores / scale, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found[1], (test - mean) / sd @ axes[:10].T / scale, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found[2], (singular**2 / np.sum(singular**2))[:10], rtol=1e-9)


def test_a_voxel_that_never_changes_has_no_weight():
    training = simulate()
    training[:, 3] = 0.1
    without = component_scores(np.delete(training, 3, axis=1), np.delete(training, 3, axis=1), 5)
    np.testing.assert_allclose(component_scores(training, training, 5)[0], without[0], atol=1e-9)


def test_too_many_components_are_an_error():
    with pytest.raises(InvalidInput, match="at most 39 components"):
        component_scores(simulate(), simulate(), 40)
    training = simulate(n_voxels=30)
    training[:, 10:] = training[:, :20]  # 30 voxels of rank 10 to 20
    with pytest.raises(InvalidInput, match="no variance"):
        component_scores(training, training, 25)


def recording(n_stimuli=12, n_voxels=60, subject="sub-01", seed=0):
    """As the readers return it: V1 are the first 20 voxels, V2 the next 20."""
    rois = np.array([np.arange(n_voxels) // 20 == number for number in (0, 1)])
    coords = {"stimulus": [f"image-{i:03d}" for i in range(n_stimuli)], "roi": (("roi", "voxel"), rois),
              "roi_name": ("roi", ["V1", "V2"]), "x": ("voxel", np.arange(float(n_voxels)))}  # fmt: skip
    values = {"responses": (("stimulus", "voxel"), simulate(n_stimuli, n_voxels, seed))}
    return xr.Dataset(values, coords, {"subject": subject, "file": f"{subject}.h5"})


def test_targets_are_fitted_on_the_training_images_in_the_training_regions(monkeypatch):
    sets = {"training": recording(n_stimuli=30), "natural": recording(n_stimuli=5, seed=1)}
    reader = SimpleNamespace(load=lambda root, subject, split: sets[split])
    monkeypatch.setitem(responses.TRAINING_FMRI, "shen2019", reader)
    settings = SimpleNamespace(
        dataset="shen2019", training_rois=["V2"], n_components=8, voxel_scaling="none", component_scaling="global"
    )
    targets = compute_targets(SimpleNamespace(fmri=settings, raw_folder=str), 1)
    training, test = (sets[name].responses.values[:, 20:40] for name in ("training", "natural"))
    expected = component_scores(training, test, 8, voxel_scaling="none", component_scaling="global")
    np.testing.assert_allclose(targets.components, expected[0], atol=1e-10)
    np.testing.assert_allclose(targets.test_components, expected[1], atol=1e-10)
    np.testing.assert_array_equal(targets.test_stimulus, sets["natural"].stimulus)
    assert targets.attrs == {"explained_variance": pytest.approx(expected[2].sum()), "n_voxels": 20}


def test_rdms_of_regions_are_scipys_and_an_unknown_region_is_named():
    data = recording()
    rdms = compute_roi_rdms(data, ["V2", "V1"])
    np.testing.assert_allclose(rdms.sel(roi="V1"), pdist(data.responses.values[:, :20], "correlation"), atol=1e-12)
    with pytest.raises(InvalidInput, match=r"sub-01.h5 has no region 'V9': it has V1, V2"):
        compute_roi_rdms(data, ["V9"])


def test_mixed_up_files_of_two_subjects_are_noticed():
    mine, also_mine = recording(), recording(n_stimuli=5)
    check_same_voxels(mine, also_mine)
    moved = also_mine.assign_coords(x=also_mine["x"] + 1)
    for other in (recording(subject="sub-02"), also_mine.isel(voxel=slice(0, 50)), moved):
        with pytest.raises(InvalidInput, match="same voxels of one subject"):
            check_same_voxels(mine, other)


def noisy_trials(n_stimuli=200, n_repeats=8, noise=2.0, n_voxels=40, seed=0):
    """Trials of known reliability: variance 1 of signal (V1 only), noise^2 / n_repeats of the mean."""
    rng = np.random.default_rng(seed)
    names = np.repeat([f"i{i:03d}" for i in range(n_stimuli)], n_repeats)
    signal = np.repeat(rng.normal(size=(n_stimuli, n_voxels)), n_repeats, axis=0)
    signal[:, n_voxels // 2 :] = 0
    values = signal + noise * rng.normal(size=signal.shape)
    order = rng.permutation(len(names))
    rois = np.array([np.arange(n_voxels) < n_voxels // 2, np.arange(n_voxels) >= n_voxels // 2])
    coords = {"stimulus": ("sample", names[order]), "roi": (("roi", "voxel"), rois), "roi_name": ("roi", ["V1", "V2"])}
    return xr.Dataset({"responses": (("sample", "voxel"), values[order])}, coords, {"n_repeats": n_repeats})


@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_reliability_is_the_share_of_signal_in_the_mean_over_all_repeats(noise):
    voxels, _ = reliability(noisy_trials(noise=noise), ())
    v1, v2 = (np.median(part) for part in np.split(voxels, 2))
    assert v1 == pytest.approx(1 / (1 + noise**2 / 8), abs=0.03)
    assert v2 == pytest.approx(0, abs=0.1)


def test_reliability_of_two_repeats_is_the_literal_formula():
    trials = noisy_trials(n_stimuli=30, n_repeats=2)
    values, stimuli = trials["responses"].values, trials["stimulus"].values
    halves = [np.array([values[stimuli == name][half] for name in np.unique(stimuli)]) for half in (0, 1)]
    r = np.array([np.corrcoef(halves[0][:, v], halves[1][:, v])[0, 1] for v in range(values.shape[1])])
    expected = np.median((2 * r / (1 + r))[:20])
    # with two repeats the halves can only swap image by image; many splits average that
    assert np.median(reliability(trials, ["V1"], n_splits=400)[0][:20]) == pytest.approx(expected, abs=0.05)


def test_reliability_of_an_rdm_is_the_corrected_correlation_of_those_of_two_halves():
    trials = noisy_trials(n_stimuli=30, n_repeats=2)
    values, stimuli = trials["responses"].values[:, :20], trials["stimulus"].values
    halves = [np.array([values[stimuli == name][half] for name in np.unique(stimuli)]) for half in (0, 1)]
    r = spearmanr(*(pdist(half, "correlation") for half in halves)).statistic
    assert reliability(trials, ["V1"], n_splits=400)[1][0] == pytest.approx(2 * r / (1 + r), abs=0.06)
    assert reliability(noisy_trials(noise=0.1), ["V1"])[1][0] > 0.98


def test_reliability_is_repeatable_and_needs_repeats():
    trials = noisy_trials()
    once, again = (np.concatenate(reliability(trials, ["V1"], seed=3)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    with pytest.raises(InvalidInput, match="needs 3 images with 2"):
        reliability(noisy_trials(n_repeats=1), ["V1"])


def test_crossnobis_of_a_region_is_that_of_its_repeats_in_order_of_presentation():
    trials = noisy_trials(n_stimuli=9, n_repeats=4)
    values, stimuli = trials.responses.values, trials.stimulus.values
    repeats = np.stack([values[stimuli == name][:, :20] for name in np.unique(stimuli)], axis=1)
    rdms = compute_roi_rdms(trials, ["V2", "V1"], "crossnobis")
    assert rdms.roi.values.tolist() == ["V2", "V1"] and stimulus_ids(rdms) == np.unique(stimuli).tolist()
    np.testing.assert_allclose(rdms.sel(roi="V1"), crossnobis_rdm(repeats), atol=1e-12)


def test_crossnobis_of_images_shown_once_is_refused():
    with pytest.raises(InvalidInput, match=r"i000 has one: set fmri\.distance to correlation"):
        compute_roi_rdms(noisy_trials(n_repeats=1), ["V1"], "crossnobis")


def test_the_distance_of_the_study_decides_whether_trials_are_read(monkeypatch):
    trials, study = noisy_trials(n_stimuli=9, n_repeats=4), Study(name="few", description="", fmri={"rois": ["V1"]})
    means = trials.groupby("stimulus").mean("sample")
    reader = SimpleNamespace(load=lambda root, subject, name: means, load_trials=lambda root, subject, name: trials)
    monkeypatch.setitem(responses.TRAINING_FMRI, "shen2019", reader)
    crossnobis = study.model_copy(update={"fmri": study.fmri.model_copy(update={"distance": "crossnobis"})})
    found = responses.compute_fmri_rdms(crossnobis, "natural").isel(subject=2)
    np.testing.assert_array_equal(found, compute_roi_rdms(trials, ["V1"], "crossnobis"))


def test_reliable_voxels_are_those_whose_halves_correlate_more_than_chance(monkeypatch):
    trials, ids = noisy_trials(n_stimuli=60, n_voxels=400, noise=1.0), [f"i{i:03d}" for i in range(60)]
    means = xr.Dataset({"responses": trials.responses.groupby("stimulus").mean()}).assign_coords(roi=trials.roi)
    reader = SimpleNamespace(load=lambda root, subject, name: means, load_trials=lambda root, subject, name: trials)
    monkeypatch.setitem(responses.TRAINING_FMRI, "shen2019", reader)
    study = Study(name="few", description="", fmri={"rois": ["V1", "V2"]})
    training, test, values, rois = responses.reliable_voxels(study, 1, ids[::-1], ids)
    assert rois["V1"].sum() == 200 and 0 < rois["V2"].sum() < 0.15 * 200  # V2 is noise: about 5 %, one-sided
    np.testing.assert_array_equal(training, test[::-1])
    r = values / (2 - values)
    assert norm.sf(np.arctanh(r.min()) * np.sqrt(57)) < 0.05


TRAIN, TEST = np.r_[3:20, 0, 25:38], np.r_[1, 22, 2, 39]


def standardised(patterns):
    centred = patterns - patterns.mean(axis=1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


@pytest.mark.parametrize("n_components", [5, len(TRAIN) - 1])
def test_scores_from_an_rdm_are_those_of_a_pca_of_the_patterns(n_components):
    patterns = simulate(n_voxels=90)
    scores, held_out = scores_from_rdm(pdist(patterns, "correlation"), TRAIN, TEST, n_components)
    pca = PCA(n_components, svd_solver="full").fit(standardised(patterns[TRAIN]))
    expected = pca.transform(standardised(patterns[TRAIN])), pca.transform(standardised(patterns[TEST]))
    rotation, _ = orthogonal_procrustes(scores, expected[0])
    np.testing.assert_allclose(scores @ rotation, expected[0], atol=1e-8)
    np.testing.assert_allclose(held_out @ rotation, expected[1], atol=1e-8)  # the same rotation


def test_the_rdm_of_the_scores_is_the_centred_rdm():
    rdm = pdist(simulate(), "correlation")
    scores, _ = scores_from_rdm(rdm, TRAIN, TEST, len(TRAIN) - 1)
    gram = 1 - squareform(rdm)[np.ix_(TRAIN, TRAIN)]
    centring = np.eye(len(TRAIN)) - 1 / len(TRAIN)
    np.testing.assert_allclose(scores @ scores.T, centring @ gram @ centring, atol=1e-8)
    np.testing.assert_allclose(pdist(scores, "sqeuclidean"), 2 * (1 - gram)[np.triu_indices(len(TRAIN), 1)], atol=1e-8)


def test_nothing_of_the_held_out_images_enters_the_scores_of_the_others():
    patterns = simulate()
    before, _ = scores_from_rdm(pdist(patterns, "correlation"), TRAIN, TEST, 9)
    patterns[np.setdiff1d(np.arange(40), TRAIN)] = simulate(seed=5)[: 40 - len(TRAIN)]
    after, _ = scores_from_rdm(pdist(patterns, "correlation"), TRAIN, TEST, 9)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("train", "test", "n_components", "says"),
    [
        ([0, 1, 2], [2, 3], 1, "each named once"),
        ([0, 1, 40], [2], 1, "row numbers below 40"),
        ([0, 1, 2], [3], 3, "3 training images of this RDM do not have 3 components"),
        (np.arange(30), [39], 25, "do not have 25 components"),  # of 12 voxels
    ],
)
def test_rows_and_components_that_are_not_there_are_refused(train, test, n_components, says):
    rdm = pdist(simulate(n_voxels=12), "correlation")
    with pytest.raises(InvalidInput, match=says):
        scores_from_rdm(rdm, train, test, n_components)
