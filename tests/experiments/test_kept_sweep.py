"""Chapter 08: the kept sweep over betas and seeds as curves."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.tables.beta_sweep import KEPT_CURVES, kept_curve, slopes
from experiments.tables.kept import PRETRAINED, load_kept, made_by, pretrained_digest, same_start
from realnet.errors import MissingInput
from simulation.pretraining import KEPT


def _sweep(effect):
    """A kept sweep in which every measure is 1 for CORnet, 2 + seed for Control and ``effect`` x beta more; 10 more in
    all networks for the second participant."""
    rows = []
    for subject, more in (("sub-01", 0.0), ("sub-02", 10.0)):
        rows.append(("cornet", subject, np.nan, 0, more + 1))
        for seed in (0, 1, 2):
            rows.append(("control", subject, 0.0, seed, more + 2 + seed))
            rows += [("realnet", subject, float(beta), seed, more + 2 + seed + effect * beta) for beta in (10, 20, 30)]
    table = pd.DataFrame(rows, columns=["model", "trained_on", "beta", "seed", "value"])
    return pd.concat(
        [table.assign(measure=measure, part=part or "x") for measure, part in KEPT_CURVES.values()], ignore_index=True
    )


def test_the_kept_curve_pairs_each_network_with_the_control_of_its_seed_and_participant():
    curve = kept_curve(_sweep(0.1))
    assert set(curve.trained_on) == {"sub-01", "sub-02", "mean"}
    of_control = curve[(curve.reference == "control") & (curve.curve == "accuracy")]
    np.testing.assert_allclose(of_control.value, 0.1 * of_control.beta)
    mean = of_control[of_control.trained_on == "mean"]
    np.testing.assert_allclose(mean.upper - mean.lower, 0, atol=1e-9)  # Control takes the differences of seeds with it
    of_cornet = curve[(curve.reference == "cornet") & (curve.trained_on == "mean") & (curve.curve == "accuracy")]
    np.testing.assert_allclose(of_cornet.value, 2 + 0.1 * of_cornet.beta)
    low = stats.ttest_1samp([1, 2, 3], 0).confidence_interval().low
    assert of_cornet[of_cornet.beta == 0].lower.item() == pytest.approx(low)


@pytest.mark.parametrize(("effect", "sign"), [(0.1, 1), (-0.1, -1)])
def test_slopes_say_whether_an_effect_grows(effect, sign):
    found = slopes(kept_curve(_sweep(effect)))
    np.testing.assert_allclose(found["rank correlation"], sign)


def test_a_missing_kept_table_names_its_command():
    with pytest.raises(MissingInput, match=r"python -m experiments\.nothing"):
        load_kept("nothing")


def test_the_kept_sweep_has_all_betas_and_at_least_three_seeds():
    table, about = load_kept("beta_sweep")
    trained = table[table.model.isin(["control", "realnet"])]
    assert set(trained.beta) == {0, 10, 20, 30, 40, 50}
    assert (trained.groupby(["model", "beta"]).seed.nunique() >= 3).all()
    assert (trained[trained.beta > 0].groupby("beta").trained_on.nunique() == 3).all()
    assert about["machine"]["commit"] in made_by(about)


def test_a_kept_run_says_whether_it_started_from_the_present_pretrained_network():
    assert PRETRAINED == KEPT
    assert same_start({"settings": {"pretrained": pretrained_digest()}}).startswith("It started from the same")
    for settings in ({}, {"pretrained": "0" * 64}):
        assert "another pretrained network" in same_start({"settings": settings})
