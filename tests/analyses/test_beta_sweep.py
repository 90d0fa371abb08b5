"""Chapter 08: curves over beta are the differences of the chapters before, and nothing is counted twice."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import spearmanr

from experiments.tables.kept import load_kept, made_by
from realnet.analyses.beta_sweep import KEPT_CURVES, at_beta, beta_curve, kept_curve, slopes
from realnet.analyses.common import main_networks, t_interval
from realnet.analyses.fmri import fmri_differences
from realnet.errors import MissingInput
from realnet.io import load_model_rdms, load_prepared


@pytest.fixture(scope="module")
def curve(study):
    return beta_curve(study)


def test_at_the_main_beta_the_curve_is_the_chapters_table(study, curve, networks):
    brains = load_prepared(study, "shen2019_rdms", "natural")
    table = fmri_differences(study, "shen2019", "natural", brains, main_networks(study), within=True)
    table = table[(table.metric == "difference") & (table.roi == "mean") & (table.model == "realnet")]
    found = curve[(curve.curve == "own subject, natural") & (curve.beta == study.training.main_beta)]
    keys, numbers = ["trained_on", "reference"], ["value", "lower", "upper"]
    np.testing.assert_allclose(
        found.sort_values(keys)[numbers].to_numpy(float), table.sort_values(keys)[numbers].to_numpy(float), atol=1e-12
    )


def test_beta_zero_is_control_seen_from_cornet(study, curve):
    zero = curve[curve.beta == 0]
    assert set(zero.reference) == {"cornet"}
    (row,) = zero[(zero.curve == "EEG, layer IT") & (zero.trained_on == "sub-01")].to_dict("records")
    brains = load_prepared(study, "things_eeg2_rdms", "things")
    rdms = load_model_rdms(study, "things", [n for n in study.networks() if n.model in ("cornet", "control")])
    control, cornet = (
        [np.mean([spearmanr(rdms.sel(network=stem, layer="IT"), one).statistic for one in person]) for person in brains]
        for stem in ("sub-01_beta-0_seed-0", "cornet")
    )
    difference = np.subtract(control, cornet)
    assert row["value"] == pytest.approx(difference.mean())
    assert row["lower"] == pytest.approx(stats.ttest_1samp(difference, 0).confidence_interval(0.95).low)


def test_a_study_can_be_looked_at_from_every_beta(study):
    networks = main_networks(at_beta(study, 40.0))
    assert {n.model for n in networks} == {"cornet", "control", "realnet"}


def test_t_interval_is_scipys_and_one_value_has_none():
    values = [0.1, 0.4, 0.2]
    assert t_interval(values) == pytest.approx(tuple(stats.ttest_1samp(values, 0).confidence_interval()))
    assert np.isnan(t_interval([1.0])).all()


def _sweep(effect):
    """A kept sweep in which every measure is 1 for CORnet, 2 + seed for Control and ``effect`` x beta more."""
    rows = [("cornet", np.nan, 0.0, 0, 1.0)]
    for person in ("sub-01", "sub-02"):
        for seed in (0, 1, 2):
            rows += [("control", person, 0.0, seed, 2.0 + seed)]
            rows += [("realnet", person, float(beta), seed, 2.0 + seed + effect * beta) for beta in (10, 20, 30)]
    table = pd.DataFrame(rows, columns=["model", "trained_on", "beta", "seed", "value"])
    return pd.concat(
        [table.assign(measure=measure, part=part or "x") for measure, part in KEPT_CURVES.values()], ignore_index=True
    )


def test_the_kept_curve_pairs_each_network_with_its_own_control():
    curve = kept_curve(_sweep(0.1))
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
    counts = trained.drop_duplicates(["trained_on", "beta", "seed"]).groupby("beta").size()
    assert (counts >= 9).all()
    assert about["machine"]["commit"] in made_by(about)
