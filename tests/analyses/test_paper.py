"""Chapter 13: a verdict follows from the rows that a claim is about, and every claim of the paper has its row."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from realnet.analyses import paper
from realnet.analyses.beta_sweep import beta_curve
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_table
from realnet.io import empty_table, load_table, save_table

FIGURES = {"1B", "1C", "2A", "2B", "3A", "3B", "4A", "4B", "5A", "5B", "5D", "S1", "S2-S13"}
ABSENT = "not in this study"

#: Accuracy below CORnet's and not below Control's; errors as consistent as CORnet's, more so than Control's.
BEHAVIOR = pd.DataFrame([
    {"people": people, "model": "realnet", "trained_on": "mean", "beta": 40, "metric": metric, "lower": low,
     "value": (low + high) / 2, "reference": reference, "upper": high, "subject": "mean", "condition": "mean"}
    for people, metric, reference, low, high in (
        (None, "top1_difference", "cornet", -0.2, -0.1), (None, "top1_difference", "control", -0.1, 0.02),
        ("real", "kappa_difference", "cornet", -0.1, 0.1), ("real", "kappa_difference", "control", 0.01, 0.1))
])  # fmt: skip


@pytest.fixture(scope="module")
def tables(study):
    networks = study.main_networks()
    return {
        "fmri_within_subject": fmri_table(study, networks, within=True),
        "fmri_across_subjects": fmri_table(study, networks, within=False), "eeg": eeg_table(study, networks),
        "object_dimensions": dimension_table(study, networks), "beta_sweep": beta_curve(study), "behavior": BEHAVIOR,
    }  # fmt: skip


@pytest.fixture
def judged(study, tables, monkeypatch):
    """``judged(table=...)``: the claims beside the study's tables, some of them replaced."""

    validation = study.raw_folder("imagenet") / "val/n01440764"  # chapter 07 is part of a study that has such images
    validation.mkdir(parents=True, exist_ok=True)
    (validation / "a.JPEG").touch()

    def judge(study=study, **replaced):
        monkeypatch.setattr(paper, "load_table", lambda _, name: (tables | replaced)[name])
        return paper.compare_with_paper(study)

    return judge


@pytest.mark.parametrize(
    ("side", "lower", "upper", "verdict"),
    [("above", [0.1, 0.2], [0.3, 0.4], "agrees"), ("above", [-0.4, -0.2], [-0.1, -0.1], "differs"),
     ("above", [-0.1, 0.2], [0.3, 0.4], "open"), ("above", [0.0], [0.1], "open"), ("below", [-0.4], [-0.1], "agrees"),
     ("below", [0.1], [0.4], "differs"), ("first below", [-0.4, 0.1], [-0.1, 0.2], "agrees"),
     ("not below 0.02", [-0.01], [0.2], "agrees"), ("not below 0.02", [-0.2], [0.2], "open"),
     ("not below 0.02", [-0.2], [-0.1], "differs"), ("above 0.1", [0.11], [0.2], "agrees"),
     ("above 0.1", [0.05], [0.2], "open"), ("equal 0.02", [-0.01], [0.01], "agrees"),
     ("equal 0.02", [-0.1], [0.1], "open"), ("equal 0.02", [0.03], [0.1], "differs")],
)  # fmt: skip
def test_intervals_decide(side, lower, upper, verdict):
    found = paper.judge_intervals(pd.DataFrame({"value": 0.0, "lower": lower, "upper": upper}), side)
    assert found["verdict"] == verdict
    assert not paper.judge_intervals(pd.DataFrame(columns=["value", "lower", "upper"]), side)


def test_every_figure_of_the_paper_has_a_row_with_a_verdict(judged):
    found = judged()
    assert set(found.figure) == FIGURES
    assert found.verdict.notna().all() and found.found.notna().all()
    absent = found.verdict == ABSENT
    assert set(found[absent].decided_by) == {""}
    assert set(found[~absent].decided_by) == {"interval", "point estimates", "probability", "no verdict"}


def test_claims_about_data_that_a_study_lacks_are_not_judged(study, judged):
    without = study.model_copy(update={
        "eeg": study.eeg.model_copy(update={"subjects": ()}),
        "fmri": study.fmri.model_copy(update={"other_subjects": ()}),
    })  # fmt: skip
    found = judged(without, eeg=None, object_dimensions=None, fmri_across_subjects=None).set_index("figure").verdict
    assert set(found[["3A", "4A", "4B", "5A", "5B", "5D"]]) == {ABSENT} and ABSENT not in set(found[["1B", "1C", "2A"]])


def test_a_planted_gain_agrees_and_its_number_is_that_of_the_table(judged, tables):
    found = judged()
    (row,) = found[found.paper.str.contains("natural images: closer than CORnet")].to_dict("records")
    assert row["verdict"] == ("agrees" if row["lower"] > 0 else "open") and row["n"] == 1
    part = tables["fmri_within_subject"].query(
        "metric == 'difference' and roi == 'mean' and model == 'realnet' and reference == 'cornet'"
    )
    part = part[(part.stimulus_set == "natural") & (part.subject == "mean")]
    assert row["value"] == part.value.item() and row["lower"] == part.lower.item()


@pytest.mark.parametrize(
    ("errors", "verdict"), [((0.001, 0.001), "agrees"), ((0.2, 0.2), "open"), ((0.001, -1), "differs")]
)
def test_an_order_is_judged_by_the_probability_that_it_holds(errors, verdict):
    own, others = [0.3, 0.2, 0.1], [0.03, 0.02, 0.01] if errors[1] > 0 else [0.01, 0.02, 0.03]
    rows = pd.DataFrame([
        {"curve": curve, "trained_on": f"sub-0{i}", "value": value, "lower": value - 1.96 * abs(errors[0]),
         "upper": value + 1.96 * abs(errors[0])}
        for curve, values in (("own subject, natural", own), ("other subjects, natural", others))
        for i, value in enumerate(values, start=1)
    ])  # fmt: skip
    row = paper._same_order(rows)
    assert row["verdict"] == verdict and row["found"].startswith("own subject: sub-01, sub-02, sub-03; other subjects")


def test_the_probability_of_an_order_is_that_of_two_normal_values():
    row = paper.judge_order([0.3, 0.1], [0.1, 0.2], lambda draws: draws[:, 0] > draws[:, 1], "")
    assert row["value"] == pytest.approx(stats.norm.cdf(0.2 / np.hypot(0.1, 0.2)), abs=0.015)


def test_dimensions_that_the_objects_do_not_have_are_not_judged(judged):
    found = judged()
    named = found[found.figure.isin(["5A", "5B"]) & ~found.paper.str.contains("which dimensions|more than in")]
    assert set(named.verdict) == {ABSENT}


def test_dimensions_of_things_are_judged_by_their_direction(judged):
    names = ["food-related / eating-related / kitchen-related", "animal-related / organic"]
    changes = pd.DataFrame({
        "dimension": names, "metric": "difference", "model": "realnet", "reference": "cornet", "layer": "IT",
        "value": [0.1, -0.1], "lower": [0.05, -0.2], "upper": [0.2, -0.05], "p_corrected": 0.01,
    })  # fmt: skip
    partial = pd.DataFrame([
        {"dimension": d, "metric": "partial_rho2", "model": m, "layer": layer, "trained_on": f"sub-0{s}", "seed": 0,
         "value": v + (layer == "IT") * (v > 0.1) + 0.001 * s}
        for d in names for m, v in (("realnet", 0.2), ("cornet", 0.1)) for layer in ("V1", "IT") for s in (1, 2)
    ])  # fmt: skip
    rows = judged(object_dimensions=pd.concat([changes, partial], ignore_index=True)).set_index("paper")
    assert rows.verdict["food: rises in IT against CORnet"] == "agrees"
    assert rows.verdict["animal: falls in IT against CORnet"] == "agrees"
    assert np.isclose(rows.value["animal: falls in IT against CORnet"], -0.1)
    assert rows.verdict["strong in IT: food, animal, artificial/hard, electronics, body parts"] == "agrees"
    assert rows.verdict["the three dimensions that rise most rise most in IT"] == "agrees"
    assert rows.found["which dimensions rise most"] == f"{names[0]} +0.100"


def test_behaviour_is_judged_by_what_the_paper_claims_of_it(judged):
    def verdicts(table):
        return judged(behavior=table).query("figure == 'S1'").verdict.tolist()

    assert verdicts(BEHAVIOR) == ["open", "open", "agrees", ABSENT]
    assert verdicts(BEHAVIOR.assign(lower=-0.2, upper=-0.1)) == [*["differs"] * 3, ABSENT]
    assert verdicts(BEHAVIOR.assign(people="simulated", lower=-0.01)) == ["agrees", ABSENT, ABSENT, ABSENT]
    more = BEHAVIOR.head(1).assign(beta=50)
    for value, verdict in ((-0.9, "agrees"), (0.6, "differs")):
        changed = more.assign(value=value, lower=value - 0.01, upper=value + 0.01)
        assert verdicts(pd.concat([BEHAVIOR, changed]))[-1] == verdict


def test_a_study_without_imagenet_or_human_decisions_is_not_judged_by_them(study, judged):
    accuracy = BEHAVIOR[BEHAVIOR.metric == "top1_difference"].drop(columns=["people", "condition", "subject"])
    for table, expected in ((empty_table(), [ABSENT] * 4), (accuracy, ["open", *[ABSENT] * 3])):
        save_table(study, "behavior", table)
        found = judged(behavior=load_table(study, "behavior"))
        assert found[found.figure == "S1"].verdict.tolist() == expected


def test_all_four_layers_decide_about_the_eeg(judged, tables):
    (row,) = judged().query("paper == 'EEG: closer than Control in all four layers'").to_dict("records")
    part = tables["eeg"].query("metric == 'window_difference' and model == 'realnet' and reference == 'control'")
    assert row["n"] == 4 and row["n_agree"] == (part.lower > 0).sum()
    assert (row["verdict"] == "agrees") == (part.lower > 0).all()


def test_the_papers_test_over_time_is_shown_and_decides_nothing(judged, tables):
    row = judged().query("paper.str.contains('CORnet by the paper')").iloc[0]
    rows = tables["eeg"].query(
        "metric == 'difference' and model == 'realnet' and reference == 'cornet' and layer == 'V1'"
    )
    marked = ((rows.p_cluster < 0.05) & (rows.value > 0)).sum()
    assert f"V1 {marked}" in row.found.split("shuffled")[0] and row.verdict.startswith("no evidence")


def test_cases_below_the_reference_are_counted_once_whatever_the_number_of_seeds(judged, tables):
    own = pd.DataFrame([
        {"metric": "difference", "model": "realnet", "trained_on": "sub-01", "subject": "sub-01", "seed": seed,
         "roi": "LOC", "reference": reference, "stimulus_set": "natural", "value": value, "lower": -1.0, "upper": 1.0,
         "layer": "best"}
        for seed in (0, 1, 2) for reference, value in (("cornet", -0.1), ("control", 0.1))
    ])  # fmt: skip
    found = judged(fmri_within_subject=own).set_index("paper")
    row = found.loc["below CORnet in one or two cases of V4 and LOC, never below Control"]
    assert row.found == "below CORnet: sub-01 LOC; below Control: none" and row.verdict == "agrees"
    above = judged(fmri_within_subject=own.assign(value=0.1)).set_index("paper").loc[row.name]
    assert above.found == "below CORnet: none; below Control: none" and above.verdict == "open"
