"""Chapter 13: a verdict follows from intervals, and every claim of the paper has its row."""

import numpy as np
import pandas as pd
import pytest

from realnet.analyses import paper
from realnet.analyses.beta_sweep import beta_curve
from realnet.analyses.common import main_networks
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_differences, similarity_table
from realnet.results import load_prepared

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


def test_behaviour_is_judged_by_what_the_paper_claims_of_it(found, study):
    rows = found[found.figure == "S1"].set_index("paper").verdict
    assert set(rows) == {"agrees"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "load_table", lambda *_: BEHAVIOR.assign(lower=-0.2, upper=-0.1))
        assert {row["verdict"] for row in paper._behavior(study)} == {"differs"}
        patch.setattr(paper, "load_table", lambda *_: BEHAVIOR.assign(people="simulated"))
        assert [row["verdict"] for row in paper._behavior(study)] == ["agrees", *["not in this study"] * 2]
