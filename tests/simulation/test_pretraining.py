"""A study whose settings are those of the kept network uses it; any other study trains its own."""

import pytest
import torch
from safetensors.torch import load_file

from realnet.cornet import CORnetS
from realnet.settings import SimulationSettings
from simulation import pretraining
from simulation.stimuli import make_catalogue

TINY = SimulationSettings(n_classes=10, n_pretraining_images=200, pretraining_epochs=1)


def test_equal_settings_use_the_kept_weights_and_their_accuracy(monkeypatch):
    monkeypatch.setattr(pretraining, "pretrain", None)
    catalogue = make_catalogue(SimulationSettings())
    checkpoint = pretraining.pretrained_network(catalogue, SimulationSettings())
    kept = {key: value.float() for key, value in load_file(pretraining.KEPT).items()}
    assert all(torch.equal(checkpoint["state_dict"][f"module.{key}"], value) for key, value in kept.items())
    network = CORnetS(width=0.125, n_classes=100).eval()
    network.load_state_dict(kept)
    accuracy = pretraining.accuracy(network, catalogue.held_out)
    assert accuracy == pytest.approx(checkpoint["held_out_accuracy"], abs=0.004) and accuracy > 0.6


@pytest.mark.parametrize("key", pretraining.DECISIVE)
def test_other_settings_do_not_use_the_kept_network(key):
    settings = SimulationSettings()
    other = settings.model_copy(update={key: getattr(settings, key) + 1})
    assert pretraining.load_kept(other) == (None, None)


def test_a_study_trains_the_network_that_would_be_kept_and_twice_the_same_bytes(tmp_path):
    once, again = tmp_path / "once.safetensors", tmp_path / "again.safetensors"
    assert pretraining.keep(TINY, once) == pretraining.keep(TINY, again)
    assert once.read_bytes() == again.read_bytes()
    state = pretraining.pretrained_network(make_catalogue(TINY), TINY, progress=False)["state_dict"]
    assert all(torch.equal(state[f"module.{key}"].to(value.dtype), value) for key, value in load_file(once).items())
