"""Chapter 13: a verdict follows from intervals, and every claim of the paper has its row."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from realnet.analyses import main_networks, paper
from realnet.analyses.beta_sweep import beta_curve
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_differences, similarity_table
from realnet.io import empty_table, load_prepared, load_table, save_table

FIGURES = {"1B", "1C", "2A", "2B", "3A", "3B", "4A", "4B", "5A", "5B", "5D", "S1", "S2-S13"}

#: Accuracy below CORnet's and not below Control's; errors as consistent as CORnet's, more so than Control's.
BEHAVIOR = pd.DataFrame([
    {"people": people, "model": "realnet", "trained_on": "mean", "beta": 40, "metric": metric, "lower": low,
     "value": (low + high) / 2, "reference": reference, "upper": high, "subject": "mean", "condition": "mean"}
    for people, metric, reference, low, high in (
        (None, "top1_difference", "cornet", -0.2, -0.1), (None, "top1_difference", "control", -0.1, 0.02),
        ("real", "kappa_difference", "cornet", -0.1, 0.1), ("real", "kappa_difference", "control", 0.01, 0.1))
])  # fmt: skip


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [([0.1, 0.2], [0.3, 0.4], "agrees"), ([-0.4, -0.2], [-0.1, -0.1], "differs"), ([-0.1, 0.2], [0.3, 0.4], "open"),
     ([0.0], [0.1], "open"), ([], [], "not in this study")],
)  # fmt: skip
def test_intervals_decide(lower, upper, verdict):
    assert paper.decide(lower, upper) == verdict


@pytest.fixture(scope="module")
def found(study):
    networks = main_networks(study)
    within = []
    for name in study.fmri.test_sets:
        brains = load_prepared(study, "shen2019_rdms", name)
        within.append(similarity_table(study, "shen2019", name, brains, networks))
        within.append(fmri_differences(study, "shen2019", name, brains, networks, within=True))
    others = load_prepared(study, "horikawa2017_rdms", "natural")
    across = fmri_differences(study, "horikawa2017", "natural", others, networks, within=False)
    tables = {
        "fmri_within_subject": pd.concat(within, ignore_index=True), "fmri_across_subjects": across,
        "eeg": eeg_table(study, networks), "object_dimensions": dimension_table(study, networks),
        "beta_sweep": beta_curve(study), "behavior": BEHAVIOR,
    }  # fmt: skip
    # not written: other tests of the same study leave tables of their own
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "load_table", lambda _, name: tables[name])
        return paper.compare_with_paper(study)


def test_every_figure_of_the_paper_has_a_row_with_a_verdict(found):
    assert set(found.figure) >= FIGURES
    assert found.verdict.notna().all() and found.found.notna().all()
    absent = found.verdict == "not in this study"
    assert set(found[absent].decided_by) == {""}
    assert set(found[~absent].decided_by) == {"interval", "point estimates", "p over time"}


def test_a_planted_gain_agrees_and_its_number_is_the_tables(found, study):
    (row,) = found[found.paper.str.contains("natural images: closer than CORnet")].to_dict("records")
    assert row["verdict"] == "agrees" and row["n_agree"] == row["n"] == 2
    brains = load_prepared(study, "shen2019_rdms", "natural")
    table = fmri_differences(study, "shen2019", "natural", brains, main_networks(study), within=True)
    part = table.query("metric == 'difference' and roi == 'mean' and model == 'realnet' and reference == 'cornet'")
    assert row["value"] == pytest.approx(part.value.mean())


def test_dimensions_that_the_objects_do_not_have_are_not_judged(found):
    named = found[found.figure.isin(["5A", "5B"]) & ~found.paper.str.startswith("which")]
    assert set(named.verdict) == {"not in this study"}


def test_dimensions_of_things_are_judged_by_their_direction(study, found):
    names = ["food-related / eating-related / kitchen-related", "animal-related / organic"]
    changes = pd.DataFrame({
        "dimension": names, "metric": "difference", "model": "realnet", "reference": "cornet", "layer": "IT",
        "value": [0.1, -0.1], "lower": [0.05, -0.2], "upper": [0.2, -0.05], "p": 0.01,
    })  # fmt: skip
    partial = pd.DataFrame([
        {"dimension": d, "metric": "partial_rho2", "model": m, "layer": layer, "value": v}
        for d in names for m, v in (("realnet", 0.2), ("cornet", 0.1)) for layer in ("V1", "IT")
    ])  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "load_table", lambda *_: pd.concat([changes, partial], ignore_index=True))
        rows = pd.DataFrame(paper._dimensions(study)).set_index("paper")
    assert rows.verdict["food: rises in IT against CORnet"] == "agrees"
    assert rows.verdict["animal: falls in IT against CORnet"] == "agrees"
    assert np.isclose(rows.value["animal: falls in IT against CORnet"], -0.1)
    assert rows.n_agree["animal: falls in IT against CORnet"] == 1
    assert rows.found["animal: falls in IT against CORnet"].endswith("below 0 in 1 of 1")


def test_behaviour_is_judged_by_what_the_paper_claims_of_it(found, study):
    rows = found[found.figure == "S1"].set_index("paper").verdict
    absent = "not in this study"
    assert list(rows) == ["agrees", "no difference found", "agrees", absent]

    def verdicts(table):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paper, "load_table", lambda *_: table)
            return [row["verdict"] for row in paper._behavior(study)]

    assert verdicts(BEHAVIOR.assign(lower=-0.2, upper=-0.1)) == [*["differs"] * 3, absent]
    assert verdicts(BEHAVIOR.assign(people="simulated")) == ["agrees", absent, absent, absent]
    more = BEHAVIOR.head(1).assign(beta=50)
    for value, verdict in ((-0.3, "agrees"), (0.1, "differs")):
        assert verdicts(pd.concat([BEHAVIOR, more.assign(value=value)]))[-1] == verdict


def test_a_study_without_pictures_or_people_for_behaviour_is_not_judged_by_it(study, networks):
    empty = save_table(study, "behavior_absent", empty_table())
    accuracy = BEHAVIOR[BEHAVIOR.metric == "top1_difference"].drop(columns=["people", "condition", "subject"])
    for table, expected in ((empty, ["not in this study"] * 4), (accuracy, ["agrees", *["not in this study"] * 3])):
        saved = save_table(study, "behavior_absent", table)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paper, "load_table", lambda *_, saved=saved: load_table(study, "behavior_absent"))
            assert [row["verdict"] for row in paper._behavior(study)] == expected


def test_times_decide_about_the_eeg_and_one_way_only_where_a_layer_is_farther(study):
    def verdict(p, value):
        rows = [
            {"metric": "difference", "model": model, "reference": reference, "layer": layer, "time": t, "p": p[layer],
             "value": value}
            for model in ("realnet", "shuffled") for reference in ("cornet", "control") for layer in p for t in (0, 1)
        ]  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paper, "load_table", lambda *_: pd.DataFrame(rows))
            return paper._eeg(study)[0]

    assert verdict({"V1": 0.01, "IT": 0.01}, 0.1)["verdict"] == "agrees"
    assert verdict({"V1": 0.01, "IT": 0.2}, 0.1)["verdict"] == "open"
    assert verdict({"V1": 0.01, "IT": 0.2}, -0.1)["verdict"] == "differs"
    assert (
        verdict({"V1": 0.01, "IT": 0.2}, 0.1)["found"]
        == "times of 2 with p < .05: V1 2, IT 0 (null networks: V1 2, IT 0)"
    )


def test_the_mean_improvement_is_judged_by_its_interval_over_people():
    def row(*values):
        people = [f"sub-{i:02d}" for i in range(len(values))]
        return paper._mean_improvement(pd.DataFrame({"subject": people, "value": values}), "shen2019")

    assert row(0.2, 0.21, 0.22)["verdict"] == "agrees" and row(0.02, 0.021, 0.022)["verdict"] == "differs"
    assert row(0.2, 0.05, 0.3)["verdict"] == "open" and row(0.3)["verdict"] == "open"
    assert row()["verdict"] == "open" and row()["found"] == "no reference clearly above 0"
    half = stats.t.ppf(0.975, 2) * stats.sem([0.2, 0.21, 0.22])
    assert row(0.2, 0.21, 0.22)["lower"] == pytest.approx(0.21 - half)


def test_cases_below_the_reference_are_counted_once_whatever_the_number_of_seeds(study, found):
    own = pd.DataFrame([
        {"metric": "difference", "model": "realnet", "trained_on": "sub-01", "subject": "sub-01", "seed": seed,
         "roi": "LOC", "reference": reference, "stimulus_set": "natural", "value": value, "lower": -1.0, "upper": 1.0,
         "layer": "best"}
        for seed in (0, 1, 2) for reference, value in (("cornet", -0.1), ("control", 0.1))
    ])  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "load_table", lambda *_: own)
        rows = {row["paper"]: row for row in paper._own_fmri(study)}
    row = rows["below CORnet in one or two cases of V4 and LOC, never below Control"]
    assert row["found"] == "below CORnet: sub-01 LOC; below Control: none" and row["verdict"] == "agrees"
