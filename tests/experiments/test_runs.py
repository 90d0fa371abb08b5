"""The experiments that run a study again see every difference, and kill as often as they should."""

import random

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from safetensors.torch import save_file

from experiments import interruptions
from experiments.determinism import VARIANTS, tolerance
from experiments.runs import KINDS, SMALL, compare_runs, difference, job_of
from realnet.io import save_arrays
from realnet.settings import Study


def write(folder, weight=1.0, rdm=2.0, value=3.0, name="realnet"):
    """The folder of a study with one file of each kind."""
    results = folder / "results/small"
    for path in ("data/raw/simulated", "data/prepared/small", "results/small/networks", "results/small/tables",
                 "results/small/figures"):  # fmt: skip
        (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "data/raw/simulated/simulation.json").write_text("{}")
    (results / "figures/x.png").write_text("a figure")
    array = xr.DataArray(np.array([0.5, rdm, np.nan]), dims="pair", coords={"pair": ["a", "b", "c"]})
    save_arrays(folder / "data/prepared/small/x_rdms.nc", {"natural": array})
    save_arrays(results / "rdms/x.nc", {"natural": array, "shapes": array[:2]})
    save_file({"w": torch.tensor([0.0, weight])}, results / "networks/x.safetensors")
    table = pd.DataFrame({"model": [name, "shuffled"], "metric": ["rho", "p"], "value": [value, np.nan], "n": [1, 2]})
    table.to_csv(results / "tables/fmri_x.csv", index=False)
    return folder


def compare(tmp_path, **changes):
    return compare_runs(write(tmp_path / "a"), write(tmp_path / "b", **changes)).set_index("kind")


def test_equal_runs_have_no_difference(tmp_path):
    table = compare(tmp_path)
    assert list(table.index) == [*KINDS, "leftovers"]
    assert (table.n_files == table.n_equal).all() and not table.largest_difference.any()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weight": 1.25}, {"weights": 0.25}),
        ({"rdm": 2.125}, {"prepared arrays": 0.125, "RDMs": 0.125}),
        ({"rdm": np.nextafter(2.0, 3)}, {"prepared arrays": 2.0**-51, "RDMs": 2.0**-51}),
        ({"value": 2.5}, {"tables": 0.5, "similarities": 0.5}),
        ({"value": np.nan}, {"tables": np.inf, "similarities": np.inf}),
        ({"name": "control"}, {"tables": np.inf}),
    ],
)
def test_the_largest_difference_is_found_where_it_is(tmp_path, changes, expected):
    table = compare(tmp_path, **changes)
    assert table.largest_difference[table.largest_difference > 0].to_dict() == expected


def test_missing_files_other_shapes_and_leftovers_are_infinitely_different_and_named(tmp_path):
    first, other = write(tmp_path / "a"), write(tmp_path / "b")
    (other / "results/small/networks/x.safetensors").unlink()
    (other / "results/small/figures/x.png").write_text("another")
    (first / "results/small/tables/more.csv").write_text("value\n1\n2\n")
    (other / "results/small/tables/more.csv").write_text("value\n1\n")
    (other / "results/small/tables/.n.csv.abc.part").touch()
    table = compare_runs(first, other).set_index("kind")
    names = {"weights": "networks/x.safetensors", "tables": "tables/more.csv", "figures": "figures/x.png",
             "leftovers": "tables/.n.csv.abc.part"}  # fmt: skip
    assert table.different[table.different != ""].to_dict() == {k: f"results/small/{v}" for k, v in names.items()}
    assert set(table.index[np.isinf(table.largest_difference)]) == set(names)
    assert difference(first / "small.yml", first / "small.yml") == np.inf  # asked only of files that are not equal


def test_another_training_has_no_tolerance_and_nothing_else_may_differ():
    study = Study.model_validate(SMALL)
    stems = {network.stem for network in study.networks()}
    assert VARIANTS["other order"]["first"][0].split("/")[-1].removesuffix(".safetensors") in stems
    for variant in VARIANTS:
        assert tolerance(variant, "recordings") == tolerance(variant, "prepared arrays") == 0
        assert np.isinf(tolerance(variant, "weights")) == (variant == "training on two threads")


def test_the_notebook_of_a_process_is_read_from_its_command_line():
    executed = "results/small/notebooks/02_training/sub-01_beta-0_seed-0.ipynb"
    command = ["python", "-m", "workflow.notebook", "/repo/notebooks/02_training.ipynb", executed, "logs/x.ipynb"]
    assert job_of(command) == "02_training/sub-01_beta-0_seed-0"
    assert job_of(["/bin/bash", "-c", " ".join(command)]) is None and job_of(None) is None


class FakeRun:
    """A run of steps of 10 s each, on a clock of its own; what a kill interrupts starts again."""

    def __init__(self, clock, folder):
        self.clock, self.folder, self.kills = clock, folder, []
        self.steps = ["01_data", *(f"02_training/{i}" for i in range(20))]

    def start(self):
        self.started = self.begun = self.clock.now

    def jobs(self):
        if self.steps and self.clock.now - self.begun >= 10:
            self.steps.pop(0)
            self.begun = self.clock.now
        return {self.steps[0]: self.clock.now - self.begun} if self.steps else {}

    def ended(self):
        return not self.jobs()

    def finish(self):
        while not self.ended():
            self.clock.now += 1

    def kill(self, how, rng):
        self.kills.append(how)
        return 2


def test_a_chain_kills_as_often_as_wanted_and_then_ends(monkeypatch, tmp_path):
    class Clock:
        now = 0.0

        def time(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(interruptions, "time", clock)
    run = FakeRun(clock, tmp_path)
    (tmp_path / ".x.csv.abc.part").touch()
    rows = pd.DataFrame(interruptions.run_chain(run, 6, 10, random.Random(0), dict.fromkeys(run.steps, 10.0)))
    assert rows.kill.tolist() == [1, 2, 3, 4, 5, 6] and run.kills == rows.how.tolist() and not run.steps
    assert set(rows.step) <= {"01_data", "02_training"} and np.allclose(rows.part, rows.into_step / 10)
    assert (rows.outlived == 2).all() and (rows.unfinished_files == 1).all()
    assert interruptions.run_chain(FakeRun(clock, tmp_path), 0, 12, random.Random(0)) == []
