"""Kills and equal files are counted as the kept table says."""

import json

import pandas as pd
import pytest

from experiments.determinism import tolerance
from realnet import figures
from realnet.analyses import kept, robustness
from realnet.errors import InvalidInput
from realnet.settings import load_study

KILLS = [  # kill, chain, step, part, processes that outlived it
    (1, 1, "00_simulated_data", 0.2, 1),
    (2, 1, "02_training", 0.5, 2),
    (2, 1, "12_speed", 0.9, 2),
    (3, 2, "between notebooks", None, 0),
]
JOBS = {"00_simulated_data": 80.0, "01_data": 100.0, "02_training/cornet": 8.0, "02_training/sub-01": 22.0,
        "index": 8.0, "whole study": 350.0}  # fmt: skip


@pytest.fixture
def write(tmp_path, monkeypatch):
    def write(n_equal=5, leftovers=0, kills=KILLS):
        columns = ["kill", "chain", "step", "part", "outlived"]
        rows = [dict(zip(columns, kill, strict=True), record="kill", unfinished_files=1) for kill in kills]
        for chain, equal in ((1, 5), (2, n_equal)):
            about = {"record": "comparison", "chain": chain, "n_kills": 2, "different": ""}
            rows.append(about | {"kind": "weights", "n_files": 5, "n_equal": equal})
            rows.append(about | {"kind": "leftovers", "n_files": leftovers, "n_equal": 0})
        rows += [{"record": "step", "job": job, "step": job.split("/")[0], "seconds": seconds, "gib": 1.0}
                 for job, seconds in JOBS.items()]  # fmt: skip
        for folder, used in {"data/raw/simulated": 1.5e9, "data/prepared": 5e7, "results": 1e8}.items():
            rows.append({"record": "disk", "job": folder, "bytes": used})
        pd.DataFrame(rows).to_csv(tmp_path / "interruptions.csv", index=False)
        (tmp_path / "interruptions.json").write_text(json.dumps({"experiment": "interruptions"}))
        monkeypatch.setattr(kept, "KEPT", tmp_path)
        return robustness.load_interruptions()

    return write


def test_all_kills_are_equal_where_every_study_ended_as_the_undisturbed_one(write):
    kills, comparisons, *_ = write()
    assert robustness.equal_kills(kills, comparisons) == (3, 3)


def test_one_file_that_differs_takes_all_kills_of_its_study(write):
    kills, comparisons, *_ = write(n_equal=4, leftovers=2)
    assert robustness.equal_kills(kills, comparisons) == (2, 3)
    table = robustness.robustness_table(*write(n_equal=4, leftovers=2)[:3], load_study("demo"))
    numbers = table.set_index("metric").value
    assert (numbers.kills, numbers.kills_equal, numbers.files_different, numbers.leftovers) == (3, 2, 1, 4)


def test_a_kill_counts_once_for_every_step_that_it_hit(write):
    by_step = robustness.kills_by_step(write()[0]).set_index("step")
    assert by_step.kills.to_dict() == {"00_simulated_data": 1, "02_training": 1, "12_speed": 1, "between notebooks": 1}
    assert by_step.outlived["02_training"] == 2


def test_the_estimate_stands_beside_the_same_part_of_the_measured_run(write):
    table = robustness.estimate_beside_measured(load_study("demo"), write()[2])
    measured = table.set_index(["part", "quantity"]).measured
    assert measured["networks, a notebook", "time"] == 15.0 and measured["chapters, a notebook", "time"] == 8.0
    assert measured["whole study", "disk"] == pytest.approx(1.65) and measured["whole study", "time"] == 350.0
    assert (table.ratio > 0).all()


def test_every_kill_is_in_the_figure_at_its_step(write):
    kills = write()[0]
    axes = figures.plot_kills(kills).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["between notebooks (1)", "00_simulated_data (1)", "02_training (1)", "12_speed (1)"]
    marks = [(x, round(y)) for line in axes.lines if line.get_marker() != "None" for x, y in line.get_xydata()]
    assert len(marks) == 4 and {(0.2, 2), (0.5, 1), (0.9, 0)} <= set(marks)
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend == ["study 1 (2 kills)", "study 2 (1 kills)"]


def test_a_table_without_kills_is_refused(write):
    with pytest.raises(InvalidInput, match="no rows of kill"):
        write(kills=[])


def test_in_the_kept_tables_all_sixty_kills_are_equal_and_every_difference_is_within_its_tolerance():
    kills, comparisons, _, about = robustness.load_interruptions()
    assert robustness.equal_kills(kills, comparisons) == (60, 60) and about["settings"]["kills"] == 60
    assert comparisons.n_files[comparisons.kind == "leftovers"].sum() == 0
    determinism, _ = kept.load_kept("determinism")
    assert (determinism.largest_difference <= determinism.tolerance).all() and determinism.reached.all()
    for variant, rows in determinism.groupby("variant"):
        assert list(rows.tolerance) == [tolerance(variant, kind) for kind in rows.kind]
