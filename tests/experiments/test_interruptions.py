"""The experiment that kills a study looks where it should, and sees a difference where there is one."""

import json
import random

import pytest

from experiments import interruptions
from experiments.runs import compare_runs, outputs


@pytest.mark.parametrize("n", [1, 7, 60, 61])
def test_kills_are_shared_out_over_all_kinds_of_steps(n):
    steps = ["00_simulated_data", "01_data", "02_training", "02_training", "03_fmri", "05_eeg", "index"]
    counts = interruptions.plan(n, steps)
    assert sum(counts.values()) == n and set(counts) == {"start", *steps}
    if n >= 60:
        assert min(counts.values()) >= 4 and counts["02_training"] == max(counts.values())


@pytest.fixture
def runs(tmp_path):
    """Two equal folders of one study."""
    for name in ("a", "b"):
        root = tmp_path / name
        for file in ("data/raw/simulated/x.npy", "data/prepared/s/t.nc", "results/s/networks/n.safetensors",
                     "results/s/tables/training/n.csv"):  # fmt: skip
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(file)
        write_notebook(root, f"made in {root.resolve()}, T_{'abcde' if name == 'a' else '12345'}", "10% 0:01" + name)
    return tmp_path / "a", tmp_path / "b"


def write_notebook(root, text, progress="", source="1"):
    path = root / "results/s/notebooks/index.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = [{"output_type": "stream", "name": "stdout", "text": [text]}]
    shown.append({"output_type": "stream", "name": "stderr", "text": [progress]})
    path.write_text(json.dumps({"cells": [{"source": source, "metadata": {}, "outputs": shown}], "metadata": {}}))


def different(runs):
    rows = {row["kind"]: row for row in compare_runs(*runs)}
    leftovers = rows.pop("leftovers")["n_files"]
    return {kind: row["different"] for kind, row in rows.items() if row["n_equal"] < row["n_files"]}, leftovers


def test_equal_runs_are_equal_whatever_their_folder_and_the_speed_of_their_progress_bars(runs):
    assert different(runs) == ({}, 0)


def test_what_differs_is_named(runs):
    (runs[1] / "results/s/networks/n.safetensors").write_text("one bit")
    (runs[1] / "results/s/tables/training/n.csv").unlink()
    (runs[1] / "results/s/tables/.n.csv.abc.host-12.part").touch()
    write_notebook(runs[1], "another number")
    found, leftovers = different(runs)
    assert set(found) == {"weights", "tables", "executed notebooks"} and leftovers == 1
    assert found["tables"] == "results/s/tables/training/n.csv"


def test_what_a_notebook_shows_and_its_code_count(runs):
    first = outputs(runs[0] / "results/s/notebooks/index.ipynb", runs[0])
    write_notebook(runs[0], "made in elsewhere")
    second = outputs(runs[0] / "results/s/notebooks/index.ipynb", runs[0])
    write_notebook(runs[0], "made in elsewhere", source="2")
    assert first != second != outputs(runs[0] / "results/s/notebooks/index.ipynb", runs[0])


def test_what_is_printed_may_come_in_pieces(runs):
    path = runs[0] / "results/s/notebooks/index.ipynb"
    path.write_text(path.read_text().replace('"text": ["made in', '"text": ["made ", "in'))
    assert different(runs) == ({}, 0)
    notebook = json.loads(path.read_text())
    [printed, progress] = notebook["cells"][0]["outputs"]
    first, rest = printed | {"text": ["ma"]}, printed | {"text": ["".join(printed["text"])[2:]]}
    notebook["cells"][0]["outputs"] = [first, progress, rest]
    path.write_text(json.dumps(notebook))
    assert different(runs) == ({}, 0)


class FakeRun:
    """A run of two steps, each 10 s long, on a clock of its own."""

    def __init__(self, clock):
        self.clock, self.launches, self.done, self.kills = clock, 0, [], []

    def launch(self):
        self.launches += 1
        self.started = self.clock.now

    def jobs(self):
        since = self.clock.now - self.started - 2
        steps = [step for step in ("01_data", "02_training/a") if step not in self.done]
        if since >= 10 and steps:
            self.done.append(steps.pop(0))
            self.started, since = self.clock.now - 2, 0
        return {steps[0]: (since, 0)} if steps and since >= 0 else {}

    def ended(self):
        self.jobs()
        return len(self.done) == 2

    def kill(self):
        self.kills.append(self.clock.now)
        return {"outlived": 0, "checkpoints": 0, "unfinished_files": 0, "locked": True}


def test_a_chain_kills_as_often_as_wanted_within_the_steps_and_then_ends(monkeypatch, tmp_path):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(interruptions, "time", clock)
    run = FakeRun(clock)
    run.folder = tmp_path
    wanted = interruptions.Counter({"01_data": 3, "02_training": 2})
    durations = {"01_data": 10.0, "02_training/a": 10.0}
    rows = interruptions.run_chain(run, wanted, durations, random.Random(0), until=1e9)
    assert len(run.kills) == 5 and run.done == ["01_data", "02_training/a"] and not any(wanted.values())
    assert {row["aim"] for row in rows} == {"01_data", "02_training"}
    assert all(0 <= row["part"] <= 1 for row in rows if row["job"])
