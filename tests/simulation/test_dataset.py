"""Simulated data have the published formats, contain the planted truth, and are the same after an interruption."""

import json

import bdpy
import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import rankdata, spearmanr

from realnet.activations import load_images, normalise
from realnet.cornet import load_cornet_s
from realnet.datasets import horikawa2017, shen2019, things_dimensions, things_eeg2
from realnet.datasets.files import find_images
from realnet.errors import InvalidInput
from realnet.rdm import correlation_rdm
from realnet.settings import SimulationSettings
from simulation import dataset, images, published, read_truth, responses, write_simulated_data
from simulation.stimuli import generator, make_catalogue
from simulation.truth import write_truth

SMALL = SimulationSettings(n_voxels=12, n_eeg_subjects=1)  # with the kept network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    write_simulated_data(folder, SMALL, progress=False)
    return folder


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue(SMALL)


@pytest.fixture(scope="module")
def features(catalogue):
    return responses.source_features(catalogue, SMALL.seed)


def contents(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize("split", ["training", "natural", "shapes", "letters"])
def test_shen_sessions_have_the_published_design_and_an_image_for_every_stimulus(folder, split):
    data = shen2019.load(folder, 2, split)
    assert data.sizes["stimulus"] == shen2019.SPLITS[split].n_stimuli
    assert (data.roi.sel(roi=["V1", "V2", "V3", "V4", "HVC"]).sum("roi").values == [1] * (5 * 12 + 2 * 3)).all()
    assert (data.roi.sel(roi="LOC") <= data.roi.sel(roi="HVC")).all()
    paths = find_images(folder / "shen2019", data.stimulus.values)
    assert load_images(paths, 64).shape == (data.sizes["stimulus"], 3, 64, 64)
    assert {path.suffix for path in paths} == {{"shapes": ".tiff", "letters": ".tif"}.get(split, ".JPEG")}


def test_bdpy_reads_a_shen_session_and_finds_the_stimulus_id_in_the_second_label_column(folder):
    file = bdpy.BData(str(folder / "shen2019" / "sub-01_perceptionNaturalImageTest_original_VC.h5"))
    labels = file.select("Label = 1")
    np.testing.assert_array_equal(labels[:, 1], file.get("stimulus_id")[:, 0])
    assert file.select("ROI_hV4 = 1").shape == (1200, 12)
    assert np.unique(file.get("Run"), return_counts=True)[1].tolist() == [50] * 24
    # the mean over repeats of one stimulus, selected by its id
    loaded = shen2019.load(folder, 1, "natural").responses[7]
    name = str(loaded.stimulus.values)
    rows = np.isclose(labels[:, 1], float(f"{int(name[1:9])}.{int(name[10:]):06d}"), rtol=0, atol=1e-8)
    np.testing.assert_allclose(loaded, file.select("VoxelData = 1")[rows].mean(axis=0), atol=1e-9)


def test_horikawa_subjects_have_the_three_kinds_of_samples_and_the_same_test_images(folder):
    np.testing.assert_array_equal(horikawa2017.load(folder, 5).stimulus, shen2019.load(folder, 1, "natural").stimulus)
    file = bdpy.BData(str(folder / "horikawa2017" / "Subject5.h5"))
    assert np.unique(file.get("DataType"), return_counts=True)[1].tolist() == [1200, 1750, 500]
    assert file.select("ROI_V4 = 1").shape[1] == 12
    imagined = file.get("stimulus_id")[file.get("DataType") == 3]
    assert (imagined == np.floor(imagined)).all(), "a category is imagined, not one of its images"


def test_names_and_classes_are_like_the_published_ones(catalogue):
    training, natural = catalogue.training.names, catalogue.natural.names
    numbers = [name.split("_")[1] for name in training + natural]
    assert sum(number.endswith("0") for number in numbers) > 50, "decimals that end in zero"
    assert min(map(len, numbers)) == 2, "decimals that begin with zeros"
    training, natural, known = {n[:9] for n in training}, {n[:9] for n in natural}, set(catalogue.classes)
    shared = training & natural, known & training, known & natural
    assert [len(part) for part in (known, *shared)] == [100, 0, 59, 20], "as the classes of CORnet-S"


def test_numpy_reads_the_eeg_with_its_published_shape_channels_and_images(folder):
    content = np.load(folder / "things_eeg2/sub-01/preprocessed_eeg_test.npy", allow_pickle=True).item()
    trials = content["preprocessed_eeg_data"]
    assert trials.shape == (200, 80, 17, 100) and trials.dtype == np.float32
    assert content["times"][[0, 20, -1]].tolist() == [-0.2, 0.0, 0.79]
    eeg = things_eeg2.load(folder / "things_eeg2", 1)
    np.testing.assert_array_equal(eeg, trials)
    assert eeg.channel.values.tolist() == content["ch_names"]
    assert {path.stem for path in (folder / "things_eeg2").rglob("*.jpg")} == set(eeg.stimulus.values)


def test_object_dimensions_join_by_name_and_not_by_number(folder, catalogue):
    dimensions = things_dimensions.load(folder / "things_dimensions")
    assert dimensions.shape == (1854, 8) and (dimensions >= 0).all()
    metadata = things_eeg2.load_metadata(folder / "things_eeg2")
    values = things_dimensions.for_concepts(dimensions, metadata.concept).values
    assert np.abs(values - 1 - catalogue.eeg.dimensions).mean() < 0.2
    content = np.load(folder / "things_eeg2" / "image_metadata.npy", allow_pickle=True).item()
    by_number = [int(name[:5]) - 1 for name in content["test_img_concepts_THINGS"]]
    wrong = dimensions.concept.values[by_number] != metadata.concept.to_numpy()
    assert wrong.sum() == 3, "three of the 200 get a wrong row by number, as in the published files"


def test_the_checkpoint_has_the_published_layout_and_the_reported_accuracy_on_the_held_out_images(folder):
    path = folder / "cornet_s" / "cornet_s-simulated.pth"
    assert all(key.startswith("module.") for key in torch.load(path, weights_only=True)["state_dict"])
    paths = sorted((folder / "imagenet" / "val").glob("*/*.JPEG"))
    with torch.no_grad():
        logits = load_cornet_s(path)(normalise(load_images(paths, 64)))
    correct = (logits.argmax(dim=1).numpy() == np.repeat(np.arange(100), 5)).mean()
    # JPEG changes pixels a little
    assert correct == pytest.approx(json.loads((folder / "simulation.json").read_text())["held_out_accuracy"], abs=0.02)


def test_v1_follows_gabor_energy_and_loc_the_object_dimensions(features):
    voxels = responses.make_voxels("shen2019/sub-01", features["training"], 100, 3, 0.7)
    signal = voxels.responses(features["eeg"])
    v1, loc = (pdist(signal[:, voxels.rois[roi]]) for roi in ("V1", "LOC"))
    gabor, objects = (pdist(features["eeg"][source]) for source in ("gabor", "object"))
    assert spearmanr(v1, gabor).statistic > spearmanr(v1, objects).statistic + 0.2
    assert spearmanr(loc, objects).statistic > spearmanr(loc, gabor).statistic + 0.2


def test_the_noise_has_the_planted_sd_and_half_of_it_lies_in_the_patterns(features):
    voxels = responses.make_voxels("shen2019/sub-01", features["training"], 100, 3, 0.7)
    signal = np.zeros((4000, len(voxels.regions)), dtype=np.float32)
    noise = responses.add_noise(signal, voxels.noise, 5.5, generator(3, "noise"))
    np.testing.assert_allclose(noise.std(axis=0), 5.5, rtol=0.06)
    variances = np.sort(np.linalg.eigvalsh(np.cov(noise.T)))[::-1]
    n = responses.N_NOISE_PATTERNS
    expected = 0.5 + 0.5 * n / noise.shape[1]  # the independent half also has variance along the patterns
    assert variances[:n].sum() / variances.sum() == pytest.approx(expected, abs=0.02)


def similarity_between_subjects(features, shared):
    """Spearman correlations between the noise-free RDMs of all pairs of fMRI subjects and the EEG, (36,)."""
    rdms = []
    for subject in responses.PRIVATE[:-1]:
        voxels = responses.make_voxels(subject, features["training"], 40, 0, shared)
        rdms.append(correlation_rdm(voxels.responses(features["eeg"])))
    eeg = responses.simulate_signal("things_eeg2/sub-01", features["eeg"], SMALL.model_copy(update={"shared": shared}))
    rdms.append(correlation_rdm(eeg[:, :, np.argmin(abs(responses.TIMES - 0.1))]))
    return pdist(rankdata(rdms, axis=1), lambda a, b: np.corrcoef(a, b)[0, 1])


def test_rdms_of_subjects_and_of_the_eeg_agree_as_far_as_sources_are_shared(features):
    apart, some, same = (similarity_between_subjects(features, shared) for shared in (0.0, 0.7, 1.0))
    # the standard error of one correlation of RDMs of 200 images, about .01, is that of permuted images
    assert abs(apart.mean()) < 0.01 and np.abs(apart).max() < 0.05
    assert some.min() > 0.2 and same.mean() > some.mean() + 0.05
    assert same.max() < 0.99, "voxels differ"


def test_the_shared_and_the_private_features_have_their_shares_of_the_variance(features):
    gabor, n = features["training"]["gabor"], responses.N_PRIVATE * len(responses.PRIVATE)
    mixing = responses.mix(np.random.default_rng(0), gabor, 50, "shen2019/sub-02", 0.7)
    np.testing.assert_allclose((gabor[:, :-n] @ mixing[:-n]).var(axis=0), 0.7)
    np.testing.assert_allclose((gabor[:, -n:] @ mixing[-n:]).var(axis=0), 0.3)
    own = np.flatnonzero(mixing[-n:].any(axis=1))
    assert own.tolist() == list(range(responses.N_PRIVATE, 2 * responses.N_PRIVATE))


def test_eeg_differs_between_images_after_the_first_onset_only(folder):
    eeg = things_eeg2.load(folder / "things_eeg2", 1)
    spread = eeg.mean("repeat").var("stimulus").mean("channel") * 80  # 1 for noise alone
    truth = read_truth(folder)
    np.testing.assert_allclose(spread.sel(time=slice(None, truth["latencies"].onset.min())), 1, atol=0.1)
    assert spread.sel(time=slice(0.08, 0.15)).min() > 1.5
    assert (truth["eeg"].query("time <= 0").weight == 0).all()
    assert float(eeg.var()) == pytest.approx(1, abs=0.05)


def test_eeg_follows_the_sources_in_their_planted_order(features):
    signal = responses.simulate_signal("a subject", features["eeg"], SMALL)
    early, late = (pdist(signal[:, :, np.argmin(abs(responses.TIMES - t))]) for t in (0.06, 0.17))
    gabor, objects = (pdist(features["eeg"][source]) for source in ("gabor", "object"))
    assert spearmanr(early, gabor).statistic > spearmanr(early, objects).statistic
    assert spearmanr(late, objects).statistic > spearmanr(late, gabor).statistic


def test_truth_contains_what_was_planted(folder, catalogue):
    truth = read_truth(folder)
    variance = shen2019.load_trials(folder, 1, "natural").responses.groupby("stimulus").var(ddof=1).mean()
    assert np.sqrt(variance) == pytest.approx(truth["noise"].value[0], rel=0.03)
    regions = truth["regions"].pivot(index="roi", columns="source", values="weight")
    assert regions.loc["V1"].idxmax() == "gabor" and regions.loc["LOC"].idxmax() == "object"
    assert truth["dimensions"].query("beyond_categories").dimension.tolist() == ["hue", "saturation", "elongation"]
    assert truth["effects"].planted.all()
    natural = truth["stimuli"].query("stimulus_set == 'natural'")
    assert natural.stimulus.tolist() == catalogue.natural.names
    np.testing.assert_allclose(natural[list(images.DIMENSIONS)].to_numpy(), catalogue.natural.dimensions)


def test_without_shared_sources_only_the_effect_on_the_own_subject_is_planted(catalogue, tmp_path):
    write_truth(tmp_path / "truth.nc", catalogue, SMALL.model_copy(update={"shared": 0.0}))
    truth = read_truth(tmp_path)
    assert truth["effects"].query("planted").effect.tolist() == ["own subject"]
    assert not truth["dimensions"].beyond_categories.any()


def test_the_planted_share_of_training_images_shows_forms_and_no_other_image_changes(catalogue):
    plain = make_catalogue(SMALL.model_copy(update={"forms": 0.0}))
    changed = (catalogue.training.images != plain.training.images).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(SMALL.forms, abs=1e-9)
    corners = catalogue.training.images[changed][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 128).all(axis=2).mean() > 0.95, "forms lie on grey"
    assert catalogue.training.names == plain.training.names
    np.testing.assert_array_equal(catalogue.natural.images, plain.natural.images)


def test_only_complete_data_with_equal_settings_and_version_are_left_alone(folder, monkeypatch):
    monkeypatch.setattr(dataset, "_refuse_other_data", None)  # with which writing begins
    write_simulated_data(folder, SMALL, progress=False)
    with pytest.raises(TypeError):
        write_simulated_data(folder, SMALL.model_copy(update={"n_eeg_subjects": 2}), progress=False)
    path = folder / "shen2019" / "stimulus_NaturalImageTest.tsv"
    content = path.read_bytes()
    path.write_bytes(content[:40])
    with pytest.raises(TypeError):
        write_simulated_data(folder, SMALL, progress=False)
    path.write_bytes(content)
    monkeypatch.setattr(dataset, "SIMULATION_VERSION", -1)
    with pytest.raises(TypeError):
        write_simulated_data(folder, SMALL, progress=False)


def test_an_interrupted_replacement_of_other_data_ends_with_the_same_bytes(folder, tmp_path, monkeypatch):
    old = tmp_path / "things_eeg2" / "sub-07" / "preprocessed_eeg_test.npy"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of other settings")
    (tmp_path / "simulation.json").write_text(json.dumps({"version": 1, "settings": {}, "files": {}}))
    with monkeypatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(published, "shen_files", None)
        write_simulated_data(tmp_path, SMALL, progress=False)
    assert not (tmp_path / "simulation.json").exists() and old.exists()
    (tmp_path / "shen2019" / ".sub-01.h5.part").write_bytes(b"of a killed process")
    write_simulated_data(tmp_path, SMALL, progress=False)
    assert contents(tmp_path) == contents(folder)


def test_a_folder_with_data_that_were_not_simulated_is_refused(tmp_path):
    (tmp_path / "shen2019").mkdir()
    (tmp_path / "shen2019" / "recording.h5").write_bytes(b"recorded")
    with pytest.raises(InvalidInput, match="was not simulated"):
        write_simulated_data(tmp_path, SMALL, progress=False)
    assert contents(tmp_path) == {"shen2019": False, "shen2019/recording.h5": b"recorded"}
