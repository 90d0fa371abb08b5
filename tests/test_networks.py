"""A network of a study: which images it is trained on, and what is written and read back."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image
from safetensors import safe_open
from scipy.spatial.distance import pdist

from realnet import networks
from realnet.activations import normalise
from realnet.cornet import LAYERS, CORnetS
from realnet.errors import InvalidInput, MissingInput
from realnet.io import load_model_rdms, load_table, save_prepared
from realnet.networks import load_network, load_stimuli, save_network, train_network, weights_path
from realnet.settings import Network, Study


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Eight training images and five test images of 32 x 32 pixels, and a narrow CORnet-S."""
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = Study.model_validate({
        "name": "small", "description": "small", "network": {"image_size": 32}, "eeg": {"subjects": []},
        "fmri": {"test_sets": ["natural"], "subjects": [1]},
        "training": {"betas": [40], "epochs": 1, "batch_size": 4, "learning_rate": 1e-3, "device": "cpu"},
    })  # fmt: skip
    rng, rows = np.random.default_rng(0), []
    for name, n in (("training", 8), ("natural", 5)):
        for i in range(n):
            rows.append((name, f"c{i // 4}_{i}", tmp_path / f"{name}-{i}.png" if i else f"{name}-0.png"))
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / f"{name}-{i}.png")
    study.prepared.mkdir(parents=True)
    table = pd.DataFrame(rows, columns=["stimulus_set", "stimulus", "path"])
    table.to_csv(study.prepared / "stimuli.csv", index=False)
    ids = {name: part.stimulus.tolist() for name, part in table.groupby("stimulus_set")}
    components = {
        name: xr.DataArray(rng.normal(size=(len(ids[of]), 3)), dims=(dim, "component"), coords={dim: ids[of]})
        for name, of, dim in (("components", "training", "stimulus"), ("test_components", "natural", "test_stimulus"))
    }
    save_prepared(study, "targets_sub-01", components)
    torch.manual_seed(0)
    study.raw_folder("cornet_s").mkdir(parents=True)
    torch.save(CORnetS(width=0.0625, n_classes=4).state_dict(), study.raw_folder("cornet_s") / "weights.pth")
    return study


def test_images_are_those_of_the_list_in_its_order_and_decoded_once(study, tmp_path, monkeypatch):
    stimulus, images = load_stimuli(study, "natural")
    assert stimulus == ["c0_0", "c0_1", "c0_2", "c0_3", "c1_4"]
    for i, image in enumerate(images):
        assert (np.asarray(Image.open(tmp_path / f"natural-{i}.png")) == image.permute(1, 2, 0).numpy()).all()
    assert load_stimuli(study, "natural")[1] is images
    with pytest.raises(MissingInput, match=r"no images 'things'.*01_data"):
        load_stimuli(study, "things")
    (study.prepared / "stimuli.csv").unlink()
    with pytest.raises(MissingInput, match=r"stimuli\.csv is missing: run notebooks/01_data\.ipynb"):
        load_stimuli(study, "natural")


def test_a_trained_network_is_read_back_with_its_rdms_and_what_made_it(study):
    network = study.find_network("sub-01_beta-40_seed-0")
    model, history = train_network(study, network, progress=False)
    rdms = save_network(study, network, model, history)
    assert not list(weights_path(study, network).parent.glob("*.checkpoint"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_network(study, network)
    images = load_stimuli(study, "natural")[1]
    with torch.no_grad():
        assert torch.equal(loaded(normalise(images)), model.realnet(normalise(images)))
        units = loaded.activations(normalise(images))["IT"].flatten(1).double()
    np.testing.assert_allclose(rdms["natural"].sel(layer="IT"), pdist(units, "correlation"), atol=1e-6)
    xr.testing.assert_equal(load_model_rdms(study, "natural", [network])[0].drop_vars("network"), rdms["natural"])
    assert tuple(rdms["natural"].layer.values) == LAYERS
    with safe_open(weights_path(study, network), "pt") as file:
        about = file.metadata()
    assert json.loads(about["settings"])["training"]["epochs"] == 1 and about["commit"]
    assert (about["model"], about["trained_on"], about["beta"], about["seed"]) == ("realnet", "sub-01", "40.0", "0")
    assert about["device"] == "cpu"
    table = load_table(study, f"training/{network.stem}")
    np.testing.assert_allclose(table.value, history.value)
    longer = study.model_copy(update={"training": study.training.model_copy(update={"epochs": 2})})
    with pytest.warns(UserWarning, match=r"sub-01_beta-40_seed-0\.safetensors was made with training"):
        load_network(longer, network)


def test_rdms_are_calculated_on_the_device_of_the_training(study, monkeypatch):
    network, seen = study.find_network("cornet"), []
    monkeypatch.setattr(networks, "compute_model_rdms", lambda *arguments, device: seen.append(device))
    monkeypatch.setattr(networks, "save_model_rdms", lambda *arguments: None)
    monkeypatch.setattr(networks, "pick_device", lambda device: torch.device({"cpu": "meta"}[device]))
    save_network(study, network, *train_network(study, network))
    assert seen == [torch.device("meta")]
    with safe_open(weights_path(study, network), "pt") as file:
        assert file.metadata()["device"] == "meta"


def test_cornet_is_not_trained_and_shuffled_networks_get_the_same_responses_in_another_order(study, monkeypatch):
    cornet, history = train_network(study, Network("cornet", 0, 0, 0))
    assert torch.equal(cornet.V1.conv1.weight, networks.load_pretrained(study).V1.conv1.weight) and history.empty
    seen = {}
    monkeypatch.setattr(networks, "align", lambda *arguments, **options: arguments[2])
    for model in ("realnet", "shuffled", "shuffled_within"):
        seen[model] = train_network(study, Network(model, 1, 40, 0))[:, 0]
    own = seen.pop("realnet")
    categories = np.array([name.split("_")[0] for name in load_stimuli(study, "training")[0]])
    for model, found in seen.items():
        assert not np.array_equal(own, found) and set(own) == set(found)
        kept = [set(own[categories == c]) == set(found[categories == c]) for c in set(categories)]
        assert all(kept) == (model == "shuffled_within")
    order = networks._shuffle(list("abc"), Network("shuffled", 1, 40, 0))
    assert sorted(order) == [0, 1, 2]
    with pytest.raises(InvalidInput, match="needs several training images per category, named category_image"):
        networks._shuffle(list("abc"), Network("shuffled_within", 1, 40, 0))


def test_control_is_trained_without_a_subject_on_targets_of_the_first(study, monkeypatch):
    monkeypatch.setattr(networks, "align", lambda *arguments, **options: (arguments[2], options["beta"]))
    found, beta = train_network(study, Network("control", 0, 0, 0))
    assert beta == 0 and np.array_equal(found, train_network(study, Network("realnet", 1, 40, 0))[0])


@pytest.mark.parametrize("name", ["sub-01/encoder.pt", "below/sub-01/realnet.pt", "ReAlnet01_best_model_params.pt"])
def test_a_released_network_is_read_in_each_published_layout_and_not_trained(study, name):
    settings = {**study.model_dump(), "network": {"aligned": "released", "image_size": 32}, "fmri": {"subjects": [1]}}
    released, network = Study.model_validate(settings), Network("realnet", 1, 40, 0)
    with pytest.raises(MissingInput, match=r"realnet_weights: expected a folder"):
        train_network(released, network)
    cornet = CORnetS(width=0.0625, n_classes=4)
    encoder = {f"realnet.module.{key}": value for key, value in cornet.state_dict().items()} | {
        "fc_v1.bias": torch.ones(2)
    }
    bare = {f"module.{key}": value for key, value in cornet.state_dict().items()}
    path = released.raw_folder("realnet_weights") / name
    path.parent.mkdir(parents=True)
    torch.save(bare if path.stem == "realnet" else encoder, path)
    loaded, history = train_network(released, network)
    assert history.empty and torch.equal(loaded.IT.conv3.weight, cornet.IT.conv3.weight)
    with pytest.raises(MissingInput, match=r"expected sub-02/encoder\.pt or sub-02/realnet\.pt .*Google Drive"):
        train_network(released, Network("realnet", 2, 40, 0))
    other = released.raw_folder("realnet_weights") / "other" / "sub-01" / "realnet.pt"
    other.parent.mkdir(parents=True)
    torch.save(bare, other)
    with pytest.raises(InvalidInput, match=r"sub-01 is both .*: move one elsewhere"):
        train_network(released, network)


def test_responses_in_another_order_than_the_images_are_refused(study):
    table = pd.read_csv(study.prepared / "stimuli.csv", dtype=str)
    table.iloc[::-1].to_csv(study.prepared / "stimuli.csv", index=False)
    with pytest.raises(InvalidInput, match=r"training images and responses differ in order.*01_data"):
        train_network(study, Network("realnet", 1, 40, 0))
