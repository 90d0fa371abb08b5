"""What is said of a study before it starts is near what its parts come to."""

import os
from collections import namedtuple

import pytest
import torch
from safetensors.torch import save_file

from realnet import estimate as module
from realnet.alignment import ReAlnet
from realnet.cornet import CORnetS
from realnet.datasets.simulated import write_world
from realnet.errors import InvalidInput
from realnet.estimate import check_room, describe, estimate, n_parameters
from realnet.study import Study, load_study

WORLD = {"n_classes": 10, "n_pretraining_images": 20, "pretraining_epochs": 1, "n_voxels": 20, "n_eeg_subjects": 1}
SMALL = {
    "name": "small",
    "description": "-",
    "eeg": {"subjects": [1]},
    "network": {"image_size": 64},
    "fmri": {"n_components": 32},
    "simulated": WORLD,
}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    return tmp_path


def part(needs, name):
    return next(part for part in needs.parts if part.name == name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training": {"layers": ["IT"], "n_hidden": 16}},
        {"simulated": {"width": 0.25, "n_classes": 100, "n_eeg_subjects": 1}, "fmri": {"n_components": 256}},
    ],
)
def test_parameters_are_those_of_the_model(changes, tmp_path):
    study = Study.model_validate(SMALL | changes)
    network = CORnetS(study.simulated.width, study.simulated.n_classes)
    size, training = study.network.image_size, study.training
    model = ReAlnet(network, study.fmri.n_components, training.n_hidden, size, training.layers)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "a.safetensors")
    assert 4 * n_parameters(study) == pytest.approx((tmp_path / "a.safetensors").stat().st_size, rel=0.03)


def test_parameters_of_the_full_network():
    with torch.device("meta"):
        model = ReAlnet(CORnetS(), 1024, 128, 224)
    assert n_parameters(load_study("paper")) == pytest.approx(
        sum(v.numel() for v in model.state_dict().values()), rel=0.01
    )


def test_a_world_takes_the_room_that_was_said(root):
    study = Study.model_validate(SMALL)
    said = part(estimate(study), "world").disk_bytes
    write_world(root / study.raw, study.simulated, progress=False)
    written = sum(path.stat().st_size for path in (root / study.raw).rglob("*") if path.is_file())
    assert said == pytest.approx(written, rel=0.15)
    assert "world" not in [part.name for part in estimate(study).parts]  # it is there
    (root / study.raw / "world.json").unlink()
    assert part(estimate(study), "world").disk_bytes < 0.15 * said  # a little is left to write


def test_finished_parts_are_not_counted_again(root):
    study = load_study("demo")
    whole = estimate(study, 2)
    done = study.results / "notebooks" / "02_training"
    done.mkdir(parents=True)
    for network in study.networks()[:4]:
        (done / f"{network.stem}.ipynb").touch()
    less = estimate(study, 2)
    assert part(less, "networks").n == part(whole, "networks").n - 4
    assert less.disk_bytes < whole.disk_bytes and less.seconds < whole.seconds
    assert estimate(study, 2, finished=False) == whole


def test_more_of_anything_takes_more():
    small, paper = estimate(load_study("demo"), 2), estimate(load_study("paper"), 2)
    assert paper.disk_bytes > small.disk_bytes and paper.seconds > 50 * small.seconds
    assert paper.memory_bytes > small.memory_bytes
    four = estimate(load_study("paper"), 4)
    assert four.seconds < paper.seconds and four.memory_bytes > paper.memory_bytes


def test_a_disk_without_room_is_named_with_both_numbers(root, monkeypatch):
    needs = estimate(load_study("demo"), 2)
    check_room(needs, root)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: usage(10**9, 0, 3 * 10**8))
    with pytest.raises(InvalidInput, match=r"has 300 MB free, but the study is to write about 1\.\d GB: make room"):
        check_room(needs, root)


def test_the_line_for_people_names_disk_memory_time_and_too_little_memory(monkeypatch):
    needs = estimate(load_study("demo"), 2)
    line = describe(needs)
    assert "GB of memory with 2 jobs at once" in line and "minutes on this machine" in line and "only" not in line
    monkeypatch.setattr(os, "sysconf", lambda name: 2**10)
    assert "has only 1 MB of memory: give it fewer --cores" in describe(needs)
