"""Chapter 03b: every number equals that of another package or of a literal loop."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pingouin
import pytest
import torch
from scipy.ndimage import convolve
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.preprocessing import StandardScaler

from realnet.activations import normalise
from realnet.analyses import baselines
from realnet.analyses.baselines import (
    ALPHAS,
    LOW_LEVEL,
    baseline_rdms,
    baseline_similarity,
    encoding,
    gabor_energy,
    predict_voxels,
    specificity,
    unique_variance,
)
from realnet.cornet import LAYERS, CORnetS
from realnet.io import load_model_rdms, load_prepared
from realnet.rdm import stimulus_ids
from realnet.statistics import bootstrap_partial_spearman, bootstrap_similarities, generalise

TRAINED = ("sub-01", "sub-02")


@pytest.fixture(autouse=True)
def images(monkeypatch):
    """Random images with the ids of the random study, and a small network."""

    def load(study, stimulus_set):
        n = {"natural": 40, "shapes": 10, "letters": 8, "things": 16}[stimulus_set]
        rng = np.random.default_rng(n)
        return [f"{stimulus_set}-{i}" for i in range(n)], torch.from_numpy(
            rng.integers(0, 256, (n, 3, 32, 32), np.uint8)
        )

    monkeypatch.setattr(baselines, "load_stimuli", load)
    monkeypatch.setattr(baselines, "load_pretrained", lambda study: SimpleNamespace(width=1 / 16))
    return load


def select(rdms, model, layer="best"):
    return rdms.values[(rdms.model == model) & (rdms.layer == layer)][0]


def test_low_level_rdms_are_scipys_distances_of_pixels_and_mean_colours(study, images):
    rdms, (ids, pixels) = baseline_rdms(study, "natural"), images(study, "natural")
    pixels = pixels.numpy().astype(float)
    assert stimulus_ids(rdms) == ids
    np.testing.assert_allclose(select(rdms, "pixels"), pdist(pixels.reshape(40, -1), "correlation"), atol=1e-12)
    np.testing.assert_allclose(select(rdms, "mean RGB"), pdist(pixels.mean(axis=(2, 3))), atol=1e-12)
    energy = gabor_energy(images(study, "natural")[1]).numpy().astype(float)
    np.testing.assert_allclose(select(rdms, "gabor"), pdist(energy, "correlation"), atol=1e-9)


def test_gabor_energy_is_that_of_a_convolution_with_complex_gabor_functions():
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32), np.uint8))
    found = gabor_energy(image).numpy().reshape(3, 8, 8, 8)  # 2, 4 and 8 cycles: 16 are too many for 32 pixels
    grey = image[0].numpy().astype(float).mean(axis=0)
    y, x = np.mgrid[-16:17, -16:17] / 32
    c, sd = 4, 3 / (2 * np.pi * 4)  # SD of the Gaussian in space; that of its transform is c / 3
    for j in (0, 1, 5):
        along = x * np.cos(np.pi * j / 8) + y * np.sin(np.pi * j / 8)
        gabor = np.exp(-(x**2 + y**2) / (2 * sd**2) + 2j * np.pi * c * along) / (2 * np.pi * sd**2 * 32**2)
        real, imaginary = (convolve(grey - grey.mean(), part, mode="wrap") for part in (gabor.real, gabor.imag))
        energy = (real**2 + imaginary**2).reshape(8, 4, 8, 4).mean(axis=(1, 3))
        np.testing.assert_allclose(found[1, j], energy, rtol=2e-3, atol=1e-3 * energy.max())


def test_categories_are_ids_before_the_first_underscore_and_left_out_where_constant(study, images, monkeypatch):
    ids, pixels = [f"n{i % 4}_{i}" for i in range(12)], images(study, "natural")[1][:12]
    monkeypatch.setattr(baselines, "load_stimuli", lambda study, name: (ids, pixels))
    differ = [float(ids[i].split("_")[0] != ids[j].split("_")[0]) for i in range(12) for j in range(i + 1, 12)]
    np.testing.assert_array_equal(select(baseline_rdms(study, ""), "category"), differ)
    for constant in ([f"n{i}_1" for i in range(12)], [f"letter_{i}" for i in range(12)]):
        monkeypatch.setattr(baselines, "load_stimuli", lambda study, name, ids=constant: (ids, pixels))
        assert "category" not in baseline_rdms(study, "").model.values


def test_the_untrained_network_is_the_same_every_time_and_leaves_torchs_seed_alone(study, images):
    torch.manual_seed(1)
    first, drawn = baseline_rdms(study, "shapes"), torch.rand(1)
    torch.manual_seed(2)
    np.testing.assert_array_equal(first, baseline_rdms(study, "shapes"))
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    assert first.layer.values[first.model == "untrained"].tolist() == list(LAYERS)
    torch.manual_seed(0)
    network = CORnetS(1 / 16)
    states = network.eval().activations(normalise(images(study, "shapes")[1]))
    layer = states["V2"].detach().flatten(1).numpy().astype(float)
    np.testing.assert_allclose(select(first, "untrained", "V2"), pdist(layer, "correlation"), atol=1e-5)


def test_every_similarity_is_scipys_and_best_is_the_highest_layer(study):
    rdms_of = {name: baseline_rdms(study, name) for name in study.stimulus_sets}
    table = baseline_similarity(study, rdms_of)
    assert set(zip(table.dataset, table.stimulus_set, strict=True)) == {
        ("shen2019", "natural"), ("shen2019", "shapes"), ("shen2019", "letters"), ("horikawa2017", "natural"),
        ("things_eeg2", "things"),
    }  # fmt: skip
    places = {"shen2019": ["subject", "roi"], "horikawa2017": ["subject", "roi"], "things_eeg2": ["subject", "time"]}
    for (dataset, images), rows in table.groupby(["dataset", "stimulus_set"]):
        rdms, brains = rdms_of[images], load_prepared(study, f"{dataset}_rdms", images)
        for row in rows[(rows.layer != "best") | (rows.model != "untrained")].sample(20, random_state=0).itertuples():
            brain = brains.sel({name: getattr(row, name) for name in places[dataset]})
            assert row.value == pytest.approx(spearmanr(select(rdms, row.model, row.layer), brain).statistic, abs=1e-12)
        untrained = rows[rows.model == "untrained"].assign(best=rows.layer == "best")
        highest = untrained.groupby(["best", *places[dataset]]).value.max()
        np.testing.assert_array_equal(highest[True], highest[False])


def stems_of(networks, model, subject):
    """The names of the networks of a kind and subject, by seed."""
    return [n.stem for n in networks if n.model == model and n.trained_on in ("", subject)]


def assert_rows(table, values, n_images):
    """Every row is `generalise` of values(model, subject, roi) (1 + n_bootstraps, n_seeds), or of their difference."""
    for row in table.itertuples():
        rois = ["V1", "LOC"] if row.roi == "mean" else [row.roi]
        subjects = TRAINED if row.subject == "mean" else [row.subject]
        found = [[np.stack([values(model, s, roi) for s in subjects], axis=1) for roi in rois]
                 for model in (row.model, row.reference) if isinstance(model, str)]  # fmt: skip
        found = np.mean(found[0], axis=0) - (np.mean(found[1], axis=0) if len(found) > 1 else 0)
        expected = generalise(found, n_images)
        assert row.value == pytest.approx(expected.value, abs=1e-9)
        np.testing.assert_allclose([row.lower, row.upper, row.p], [*expected[1:3], expected.p], atol=1e-6)
        assert row.p_corrected >= row.p and row.trained_on == row.subject


def test_unique_variance_is_pingouins_partial_spearman_squared_with_its_sign(study, networks):
    low = baseline_rdms(study, "natural")
    table = unique_variance(study, networks, low)
    models, brains = load_model_rdms(study, "natural", networks), load_prepared(study, "shen2019_rdms", "natural")
    assert set(table.model) == {"control", "realnet", "shuffled"}
    pairs = set(zip(table.model, table.reference.fillna(""), strict=True))
    assert {("realnet", "control"), ("realnet", "shuffled"), ("shuffled", "control")} < pairs
    given = {layer: models.sel(network="cornet", layer=layer).values for layer in LAYERS}
    given |= {name: select(low, name) for name in LOW_LEVEL}

    @cache
    def values(model, subject, roi):
        brain, found = brains.sel(subject=subject, roi=roi).values, []
        for stem in stems_of(networks, model, subject)[:2]:
            best = max(models.sel(network=stem).values, key=lambda rdm: spearmanr(rdm, brain).statistic)
            data = pd.DataFrame({"own": best, "brain": brain, **given})
            r = pingouin.partial_corr(data, "own", "brain", list(given), method="spearman").r.item()
            drawn = bootstrap_partial_spearman(brain, np.stack([best, *given.values()]), 50, 0)[:, 0]
            found.append(np.array([r, *drawn]))
        return np.stack([r * abs(r) for r in found], axis=1)

    assert_rows(table, values, 40)
    means = table[(table.subject == "mean") & (table.roi == "mean") & table.reference.isna()].set_index("model").value
    assert means["realnet"] > 0.1 > abs(means["shuffled"])  # as the RDMs were drawn


def test_specificity_is_the_own_network_minus_those_of_the_other_subjects(study, networks):
    table = specificity(study, networks)
    assert set(table.model) == {"realnet", "shuffled"} and set(table.reference.dropna()) == {"shuffled"}
    models, brains = load_model_rdms(study, "natural", networks), load_prepared(study, "shen2019_rdms", "natural")

    @cache
    def values(model, subject, roi):
        brain, best = brains.sel(subject=subject, roi=roi).values, {}
        for trained in TRAINED:
            rdms = [models.sel(network=stem).values for stem in stems_of(networks, model, trained)]
            found = [[max(spearmanr(layer, brain).statistic for layer in rdm)] for rdm in rdms]
            drawn = [bootstrap_similarities(rdm, brain[None], 50, 0).max(axis=1)[:, 0] for rdm in rdms]
            best[trained] = np.concatenate([found, drawn], axis=1).T
        return best[subject] - best[TRAINED[1 - TRAINED.index(subject)]]

    assert_rows(table[table.stimulus_set == "natural"], values, 40)


def test_a_single_subject_has_no_specificity(study, networks):
    alone = study.model_copy(update={"fmri": study.fmri.model_copy(update={"subjects": (1,)})})
    assert specificity(alone, [n for n in networks if n.subject in (0, 1)]).empty


@pytest.mark.parametrize("n_features", [30, 90], ids=["fewer features than images", "more"])
def test_voxels_are_predicted_by_the_ridge_regression_with_the_smallest_leave_one_out_error(n_features):
    rng = np.random.default_rng(0)
    x, new = rng.gamma(1.0, size=(60, n_features)), rng.gamma(1.0, size=(7, n_features))
    x[:, 3] = new[:, 3] = 0.5  # a unit that never changes
    y = 5 + np.repeat([0.0, 0.3, 3.0], 3) * (x @ rng.normal(size=(n_features, 9))) + 4 * rng.normal(size=(60, 9))
    scaler = StandardScaler().fit(x)
    z, z_new = (scaler.transform(part) / np.sqrt(n_features) for part in (x, new))
    chosen, found = [], np.hstack(predict_voxels(x, new, [y[:, :4], y[:, 4:]]))
    for voxel in range(9):
        errors = [-cross_val_score(Ridge(a), z, y[:, voxel], cv=LeaveOneOut(), scoring="neg_mean_squared_error").mean()
                  for a in ALPHAS]  # fmt: skip
        chosen.append(ALPHAS[np.argmin(errors)])
        expected = Ridge(chosen[-1]).fit(z, y[:, voxel]).predict(z_new)
        np.testing.assert_allclose(found[:, voxel], expected, rtol=1e-7, atol=1e-7)
    assert len(set(chosen)) > 2


def test_encoding_is_scikit_learns_r2_over_the_reliability_on_all_and_on_resampled_images(study, networks, monkeypatch):
    rng, n_voxels, n = np.random.default_rng(0), 12, 40
    rois = {"V1": np.arange(n_voxels) < 5, "LOC": np.arange(n_voxels) >= 5}
    voxels = {s: (rng.normal(size=(n, n_voxels)), rng.normal(size=(n, n_voxels)), rng.uniform(0.4, 1, n_voxels), rois)
              for s in (1, 2)}  # fmt: skip
    load = baselines.load_stimuli
    monkeypatch.setattr(baselines, "load_stimuli", lambda study, name: load(study, "natural"))
    monkeypatch.setattr(baselines, "reliable_voxels", lambda study, s, *ids: voxels[s])
    monkeypatch.setattr(baselines, "load_network", lambda study, network: network.stem)
    features = {n.stem: {layer: rng.normal(size=(40, 8)) for layer in LAYERS} for n in networks}
    monkeypatch.setattr(baselines, "compute_activations", lambda stem, images: features[stem])
    table = encoding(study, networks)
    assert set(table.model) == {"cornet", "control", "realnet", "shuffled"} and set(table.layer) == set(LAYERS)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), 50)
    drawn = [np.arange(n), *(np.repeat(np.arange(n), count) for count in counts)]

    @cache
    def values(model, subject, roi):
        training, test, reliability, _ = voxels[int(subject[-1])]
        found = []
        for stem in (stems_of(networks, model, subject) * 2)[:2]:  # there is one CORnet for both seeds
            [predicted] = predict_voxels(features[stem]["V4"], features[stem]["V4"], [training])
            r2 = np.stack([r2_score(test[rows], predicted[rows], multioutput="raw_values") for rows in drawn])
            found.append(np.mean((r2 / reliability)[:, rois[roi]], axis=1))
        return np.stack(found, axis=1)

    assert_rows(table[table.layer == "V4"], values, n)


def test_images_shown_once_have_no_encoding(study, networks, monkeypatch):
    load = baselines.load_stimuli
    monkeypatch.setattr(baselines, "load_stimuli", lambda study, name: load(study, "natural"))
    monkeypatch.setattr(baselines, "reliable_voxels", lambda *given: None)
    table = encoding(study, networks)
    assert table.empty and {"reference", "metric"} <= set(table.columns)
