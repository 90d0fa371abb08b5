"""The simulated world: published formats, planted truth that can be found again, written once and whole."""

import json

import bdpy
import h5py
import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from realnet.activations import load_images, normalise
from realnet.cornet import load_cornet_s
from realnet.datasets import horikawa2017, shen2019, things_dimensions, things_eeg2
from realnet.datasets.bdata import stimulus_id
from realnet.datasets.stimuli import find_images
from realnet.errors import InvalidInput, MissingInput
from realnet.settings import SimulationSettings
from simulation import images, published, read_truth, responses, write_simulated_data
from simulation.dataset import world_digest
from simulation.stimuli import generator, make_catalogue

SMALL = SimulationSettings(n_classes=10, n_pretraining_images=200, pretraining_epochs=1, n_voxels=12, n_eeg_subjects=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_simulated_data(folder, SMALL, progress=False)
    return folder


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue(SMALL)


def modification_times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# -- published formats


@pytest.mark.parametrize("split", ["training", "natural", "shapes", "letters"])
def test_shen_sessions_have_the_published_design_and_a_picture_for_every_stimulus(world, split):
    data = shen2019.load(world, 2, split)
    assert data.sizes["stimulus"] == shen2019.SPLITS[split].n_stimuli
    assert data.sizes["voxel"] == 5 * 12 + 2 * 3
    paths = find_images(world / "shen2019", data.stimulus.values)
    assert load_images(paths, 64).shape == (data.sizes["stimulus"], 3, 64, 64)
    assert {path.suffix for path in paths} == {{"shapes": ".tiff", "letters": ".tif"}.get(split, ".JPEG")}


def test_regions_overlap_as_in_the_recordings(world):
    roi = shen2019.load(world, 1, "letters").roi
    assert (roi.sel(roi="LOC") <= roi.sel(roi="HVC")).all()
    assert roi.sel(roi="HVC").sum() > roi.sel(roi="LOC").sum()
    assert (roi <= roi.sel(roi="VC")).all()
    assert (roi.sel(roi=["V1", "V2", "V3", "V4", "HVC"]).sum("roi") == 1).all()


def test_horikawa_subjects_have_the_three_kinds_of_samples_and_the_same_test_images(world):
    data = horikawa2017.load(world, 5)
    assert list(data.stimulus.values) == list(shen2019.load(world, 1, "natural").stimulus.values)
    with h5py.File(world / "horikawa2017" / "Subject5.h5") as file:
        keys = [key.decode() for key in file["metadata/key"][()]]
        column = np.flatnonzero(file["metadata/value"][keys.index("DataType")] == 1)[0]
        assert np.unique(file["dataset"][:, column], return_counts=True)[1].tolist() == [1200, 1750, 500]
    assert "ROI_V4" in keys and "ROI_hV4" not in keys


def test_bdpy_reads_the_files_and_finds_the_stimulus_id_in_the_second_label_column(world):
    path = world / "shen2019" / "sub-01_perceptionNaturalImageTest_original_VC.h5"
    file = bdpy.BData(str(path))
    labels = file.select("Label = 1")
    np.testing.assert_array_equal(labels[:, 1], file.get("stimulus_id")[:, 0])
    assert file.select("ROI_hV4 = 1").shape == (1200, 12)
    runs, blocks = np.unique(file.get("Run"), return_counts=True)
    assert len(runs) == 24 and set(blocks) == {50}
    # an independent mean over repeats, label by label
    name = shen2019.load(world, 1, "natural").stimulus.values[7]
    mine = shen2019.load(world, 1, "natural").responses.sel(stimulus=name).values
    rows = np.isclose(labels[:, 1], stimulus_id(str(name)), rtol=0, atol=1e-8)
    np.testing.assert_allclose(mine, file.select("VoxelData = 1")[rows].mean(axis=0), atol=1e-9)


def test_names_hold_the_traps_of_the_published_ones(catalogue):
    numbers = [name.split("_")[1] for name in catalogue.training.names + catalogue.natural.names]
    assert sum(number.endswith("0") for number in numbers) > 50, "decimals that end in zero"
    assert min(map(len, numbers)) == 2, "decimals that begin with zeros"
    assert len(set(catalogue.training.names)) == 1200
    assert not {name[:9] for name in catalogue.training.names} & {name[:9] for name in catalogue.natural.names}


def test_the_network_knows_the_share_of_categories_that_cornet_knows():
    catalogue = make_catalogue(SimulationSettings(n_pretraining_images=100))
    known = set(catalogue.classes)
    assert len(known) == 100
    assert len(known & {name[:9] for name in catalogue.training.names}) == 59
    assert len(known & {name[:9] for name in catalogue.natural.names}) == 20


def test_eeg_is_read_with_its_published_shape_channels_and_pictures(world):
    eeg = things_eeg2.load(world / "things_eeg2", 1)
    assert eeg.shape == (200, 80, 17, 100) and eeg.dtype == np.float32
    assert tuple(eeg.channel.values) == things_eeg2.CHANNELS
    assert eeg.time.values[[0, 20, -1]].tolist() == [-0.2, 0.0, 0.79]
    for path in eeg.image.values[:3]:
        assert (world / "things_eeg2" / str(path)).is_file()


def test_object_dimensions_join_by_name_and_not_by_number(world, catalogue):
    dimensions = things_dimensions.load(world / "things_dimensions")
    assert dimensions.shape == (1854, 8) and (dimensions >= 0).all()
    metadata = things_eeg2.load_metadata(world / "things_eeg2")
    values = things_dimensions.for_concepts(dimensions, metadata.concept).values
    planted = catalogue.eeg.dimensions
    assert np.abs(values - 1 - planted).mean() < 0.2
    content = np.load(world / "things_eeg2" / "image_metadata.npy", allow_pickle=True).item()
    by_number = [int(name[:5]) - 1 for name in content["test_img_concepts_THINGS"]]
    wrong = dimensions.concept.values[by_number] != metadata.concept.to_numpy()
    assert wrong.sum() == 3, "three of the 200 land on a wrong row by number, as in the published files"


def test_checkpoint_has_the_published_layout_and_names_held_out_pictures_as_world_json_says(world):
    path = world / "cornet_s" / "cornet_s-simulated.pth"
    keys = torch.load(path, weights_only=True)["state_dict"]
    assert all(key.startswith("module.") for key in keys)
    network = load_cornet_s(path)
    folders = sorted(folder.name for folder in (world / "imagenet" / "val").iterdir())
    paths = [sorted((world / "imagenet" / "val" / folder).glob("*.JPEG")) for folder in folders]
    assert {len(files) for files in paths} == {5}
    with torch.no_grad():
        logits = network(normalise(load_images([file for files in paths for file in files], 64)))
    share = (logits.argmax(dim=1).numpy() == np.repeat(np.arange(10), 5)).mean()
    # JPEG moves pixels a little, so that single pictures may change their class
    assert share == pytest.approx(json.loads((world / "simulation.json").read_text())["held_out_accuracy"], abs=0.1)


# -- planted truth


@pytest.fixture(scope="module")
def source_rdms(catalogue):
    sources = responses.Sources(catalogue.training, SMALL.seed)
    features = sources.features(catalogue.natural)
    return {name: pdist(values, "sqeuclidean") for name, values in features.items()}


def test_v1_follows_gabor_energy_and_loc_the_object_dimensions(catalogue, source_rdms):
    sources = responses.Sources(catalogue.training, SMALL.seed)
    brain = responses.make_brain("somebody", sources.features(catalogue.training), 100, seed=3)
    signal = brain.responses(sources.features(catalogue.natural))
    rng = generator(3, "noise")
    mean = np.mean([responses.add_noise(signal, rng) for _ in range(24)], axis=0)
    rho = {
        (roi, source): spearmanr(pdist(mean[:, brain.rois[roi]]), rdm).statistic
        for roi in ("V1", "LOC")
        for source, rdm in source_rdms.items()
    }
    assert rho["V1", "gabor"] > rho["V1", "object"] + 0.3
    assert rho["LOC", "object"] > rho["LOC", "gabor"] + 0.3


def test_voxel_noise_and_signal_have_the_planted_size(world):
    trials = shen2019.load_trials(world, 1, "natural")
    values = trials.responses.groupby("stimulus").var(ddof=1).mean("stimulus")
    truth = read_truth(world)["noise"].set_index("quantity")["value"]
    assert np.sqrt(values.mean()) == pytest.approx(truth["voxel noise, sd of a single repeat"], rel=0.03)


def test_people_share_sources_but_not_mixing(catalogue):
    sources = responses.Sources(catalogue.training, SMALL.seed)
    training, natural = sources.features(catalogue.training), sources.features(catalogue.natural)
    one, two = (responses.make_brain(name, training, 60, seed=0).responses(natural) for name in ("one", "two"))
    assert np.abs(np.corrcoef(one.T, two.T)[: one.shape[1], one.shape[1] :].mean()) < 0.05, "voxels are not the same"
    rho = spearmanr(pdist(one, "correlation"), pdist(two, "correlation")).statistic
    assert 0.5 < rho < 0.99, "geometries are alike but not equal"


def test_eeg_tells_images_apart_after_the_first_onset_only(world):
    eeg = things_eeg2.load(world / "things_eeg2", 1)
    spread = eeg.mean("repeat").var("stimulus").mean("channel") * 80  # 1 where there is noise alone
    truth = read_truth(world)
    onset = truth["latencies"].onset.min()
    np.testing.assert_allclose(spread.sel(time=slice(None, onset)), 1, atol=0.1)
    assert spread.sel(time=slice(0.08, 0.15)).min() > 1.5
    assert (truth["eeg"].query("time <= 0").weight == 0).all()
    assert float(eeg.var()) == pytest.approx(1, abs=0.05)


def test_eeg_follows_the_sources_in_their_planted_order(catalogue):
    sources = responses.Sources(catalogue.training, SMALL.seed)
    features = sources.features(catalogue.eeg)
    mean = responses.record_eeg("somebody", features, 20, seed=1).mean(axis=1)
    early, late = (mean[:, :, np.argmin(abs(responses.TIMES - t))] for t in (0.06, 0.17))
    rho = {
        (when, source): spearmanr(pdist(values), pdist(features[source])).statistic
        for when, values in (("early", early), ("late", late))
        for source in ("gabor", "object")
    }
    assert rho["early", "gabor"] > rho["early", "object"]
    assert rho["late", "object"] > rho["late", "gabor"]


def test_truth_names_what_was_planted(world, catalogue):
    truth = read_truth(world)
    regions = truth["regions"].pivot(index="roi", columns="source", values="weight")
    assert regions.loc["V1"].idxmax() == "gabor" and regions.loc["LOC"].idxmax() == "object"
    assert truth["dimensions"].query("beyond_categories").dimension.tolist() == ["hue", "saturation"]
    natural = truth["stimuli"].query("stimulus_set == 'natural'")
    assert natural.stimulus.tolist() == catalogue.natural.names
    np.testing.assert_allclose(natural[list(images.DIMENSIONS)].to_numpy(), catalogue.natural.dimensions)


# -- written once, whole, and always the same


def test_a_second_call_writes_nothing(world):
    before = modification_times(world)
    write_simulated_data(world, SMALL, progress=False)
    assert modification_times(world) == before


def test_a_world_that_lost_files_is_repaired_to_the_same_bytes_and_nothing_else_is_touched(world):
    lost = world / "horikawa2017" / "Subject2.h5"
    cut = world / "shen2019" / "stimulus_NaturalImageTest.tsv"
    before, bytes_before = modification_times(world), (lost.read_bytes(), cut.read_bytes())
    lost.unlink()
    cut.write_bytes(bytes_before[1][:40])
    write_simulated_data(world, SMALL, progress=False)
    assert (lost.read_bytes(), cut.read_bytes()) == bytes_before
    changed = {path.name for path, time in modification_times(world).items() if before[path] != time}
    assert changed == {lost.name, cut.name, "simulation.json", ".simulation.json"}


def test_an_interrupted_world_goes_on_without_a_trace_of_the_interruption(tmp_path, monkeypatch, world):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(published, "write_horikawa_subject", stop)
        with pytest.raises(KeyboardInterrupt):
            write_simulated_data(tmp_path, SMALL, progress=False)
    assert not (tmp_path / "simulation.json").exists()
    monkeypatch.setattr("simulation.dataset.pretrain", None)  # the network is there already
    write_simulated_data(tmp_path, SMALL, progress=False)
    names = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    assert names == {path.relative_to(world) for path in world.rglob("*")}
    made = [
        "horikawa2017/Subject4.h5",
        "things_eeg2/sub-01/preprocessed_eeg_test.npy",
        "cornet_s/cornet_s-simulated.pth",
    ]
    for name in made:
        assert (tmp_path / name).read_bytes() == (world / name).read_bytes(), "same seed, same bytes"


def test_recordings_from_elsewhere_are_never_deleted(tmp_path):
    (tmp_path / "shen2019").mkdir()
    (tmp_path / "shen2019" / "precious.h5").write_bytes(b"real")
    with pytest.raises(InvalidInput, match="was not simulated"):
        write_simulated_data(tmp_path, SMALL, progress=False)
    assert (tmp_path / "shen2019" / "precious.h5").read_bytes() == b"real"


def test_files_of_other_settings_are_gone_before_the_first_new_one_is_written(tmp_path, monkeypatch):
    (tmp_path / "shen2019").mkdir()
    (tmp_path / "shen2019" / "old.h5").write_bytes(b"of another seed")
    (tmp_path / "simulation.json").write_text(json.dumps({"digest": "other", "files": {"shen2019/old.h5": 15}}))
    (tmp_path / ".simulation.json").write_text("other")

    def first_picture(*_):
        assert not (tmp_path / "shen2019").exists() and not (tmp_path / "simulation.json").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(published, "write_picture", first_picture)
    with pytest.raises(KeyboardInterrupt):
        write_simulated_data(tmp_path, SMALL, progress=False)
    assert world_digest(SMALL) != world_digest(SMALL.model_copy(update={"seed": 1}))


def test_seeds_make_different_worlds_and_names_independent_streams(catalogue):
    other = make_catalogue(SMALL.model_copy(update={"seed": 1}))
    assert not np.array_equal(other.natural.pictures, catalogue.natural.pictures)
    assert np.array_equal(make_catalogue(SMALL).natural.pictures, catalogue.natural.pictures)
    a, b = (generator(0, name).standard_normal(1000) for name in ("a", "b"))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1


def test_truth_of_a_world_that_was_never_written_is_asked_for_in_one_sentence(tmp_path):
    with pytest.raises(MissingInput, match="00_simulated_data"):
        read_truth(tmp_path)
