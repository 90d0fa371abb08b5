"""Appendix 14: kills and equal files are counted as the kept table says."""

import json

import pandas as pd
import pytest

from experiments.figures.robustness import plot_kills
from experiments.tables import kept, robustness

KILLS = [  # kill, chain, step, part, processes that outlived it
    (1, 1, "00_simulated_data", 0.2, 1),
    (2, 1, "02_training", 0.5, 2),
    (2, 1, "12_speed", 0.9, 2),
    (3, 2, "between notebooks", None, 0),
]


@pytest.fixture
def write(tmp_path, monkeypatch):
    def write(n_equal=5, leftovers=0):
        columns = ["kill", "chain", "step", "part", "outlived"]
        rows = [dict(zip(columns, kill, strict=True), record="kill", unfinished_files=1) for kill in KILLS]
        for chain, equal in ((1, 5), (2, n_equal)):
            about = {"record": "comparison", "chain": chain, "n_kills": 2, "different": ""}
            rows.append(about | {"kind": "weights", "n_files": 5, "n_equal": equal})
            rows.append(about | {"kind": "leftovers", "n_files": leftovers, "n_equal": 0})
        pd.DataFrame(rows).to_csv(tmp_path / "interruptions.csv", index=False)
        (tmp_path / "interruptions.json").write_text(json.dumps({"experiment": "interruptions"}))
        monkeypatch.setattr(kept, "KEPT", tmp_path)
        return robustness.load_interruptions()[:2]

    return write


def test_one_file_that_differs_takes_all_kills_of_its_study(write):
    assert robustness.equal_kills(*write()) == (3, 3)
    found = write(n_equal=4, leftovers=2)
    assert robustness.equal_kills(*found) == (2, 3)
    numbers = robustness.robustness_table(*found).set_index("metric").value
    assert numbers.to_dict() == {"kills": 3, "kills_equal": 2, "files_different": 1, "leftovers": 4}


def test_a_kill_counts_once_for_every_step_that_it_hit(write):
    by_step = robustness.kills_by_step(write()[0]).set_index("step")
    assert by_step.kills.to_dict() == {"00_simulated_data": 1, "02_training": 1, "12_speed": 1, "between notebooks": 1}
    assert by_step.outlived["02_training"] == 2


def test_every_kill_is_in_the_figure_at_its_step(write):
    axes = plot_kills(write()[0]).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["between notebooks (1)", "00_simulated_data (1)", "02_training (1)", "12_speed (1)"]
    marks = [(x, round(y)) for line in axes.lines if line.get_marker() != "None" for x, y in line.get_xydata()]
    assert len(marks) == 4 and {(0.2, 2), (0.5, 1), (0.9, 0)} <= set(marks)
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend == ["study 1 (2 kills)", "study 2 (1 kills)"]


def test_in_the_kept_tables_all_kills_are_equal_and_every_difference_is_within_its_tolerance():
    kills, comparisons, about = robustness.load_interruptions()
    n_kills = about["settings"]["kills"]
    assert robustness.equal_kills(kills, comparisons) == (n_kills, n_kills) and n_kills >= 20
    assert comparisons.n_files[comparisons.kind == "leftovers"].sum() == 0
    determinism, _ = kept.load_kept("determinism")
    assert (determinism.largest_difference <= determinism.tolerance).all() and determinism.reached.all()
