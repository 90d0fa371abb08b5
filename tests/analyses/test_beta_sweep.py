"""Chapter 08: curves over beta are the differences of the chapters before."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import spearmanr

from realnet.analyses import t_interval
from realnet.analyses.beta_sweep import at_beta, beta_curve
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_model_rdms, load_prepared


@pytest.fixture(scope="module")
def curve(study):
    return beta_curve(study)


def test_at_the_main_beta_the_curve_is_the_chapters_table(study, curve, networks):
    brains = load_prepared(study, "shen2019_rdms", "natural")
    table = fmri_differences(study, "shen2019", "natural", brains, study.main_networks(), within=True)
    table = table[(table.metric == "difference") & (table.roi == "mean") & (table.model == "realnet")]
    found = curve[(curve.curve == "own subject, natural") & (curve.beta == study.training.main_beta)]
    keys, numbers = ["trained_on", "reference"], ["value", "lower", "upper"]
    np.testing.assert_allclose(
        found.sort_values(keys)[numbers].to_numpy(float), table.sort_values(keys)[numbers].to_numpy(float), atol=1e-12
    )


def test_beta_zero_is_control_against_cornet(study, curve):
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


def test_every_beta_can_be_the_main_one(study):
    networks = at_beta(study, 40.0).main_networks()
    assert {n.model for n in networks} == {"cornet", "control", "realnet"}


def test_t_interval_is_scipys_and_one_value_has_none():
    values = [0.1, 0.4, 0.2]
    assert t_interval(values) == pytest.approx(tuple(stats.ttest_1samp(values, 0).confidence_interval()))
    assert np.isnan(t_interval([1.0])).all()
