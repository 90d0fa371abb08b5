"""Chapter 08: curves over beta are the differences of the chapters before."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from realnet.analyses.beta_sweep import beta_curve
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_model_rdms, load_prepared
from realnet.statistics import generalise


@pytest.fixture(scope="module")
def curve(study):
    return beta_curve(study)


def test_at_the_main_beta_the_curve_is_the_chapters_table(study, curve):
    brains = load_prepared(study, "shen2019_rdms", "natural")
    table = fmri_differences(study, "shen2019", "natural", brains, study.main_networks(), within=True)
    table = table.query("metric == 'difference' and roi == 'mean' and model == 'realnet' and reference != 'shuffled'")
    found = curve[(curve.curve == "own subject, natural") & (curve.beta == study.training.main_beta)]
    found, keys = found[found.model == "realnet"], ["trained_on", "reference"]
    numbers = ["value", "lower", "upper"]
    np.testing.assert_allclose(
        found.sort_values(keys)[numbers].to_numpy(float), table.sort_values(keys)[numbers].to_numpy(float), atol=1e-12
    )


def test_the_eeg_is_the_mean_over_times_with_an_interval_over_subjects_and_seeds(study, curve):
    (row,) = curve.query("curve == 'EEG, layer IT' and trained_on == 'sub-01' and reference == 'control'").itertuples()
    brains = load_prepared(study, "things_eeg2_rdms", "things")
    rdms = load_model_rdms(study, "things").sel(layer="IT")

    def means(stem):
        rdm = rdms.sel(network=stem)
        return np.array([np.mean([spearmanr(rdm, one).statistic for one in person]) for person in brains])

    difference = [means(f"sub-01_beta-40_seed-{seed}") - means(f"control_seed-{seed}") for seed in (0, 1)]
    expected = generalise(np.array(difference)[None], n_images=2)
    np.testing.assert_allclose((row.value, row.lower, row.upper), expected[:3])


def test_every_beta_has_its_rows(study, monkeypatch):
    more = study.model_copy(update={"training": study.training.model_copy(update={"betas": (40, 10)})})
    stems = [n.stem for n in more.networks()]
    assert "sub-02_beta-10_seed-0" in stems and "sub-02_beta-10_seed-1" not in stems
    same = {f"sub-0{s}_beta-10_seed-0": f"sub-0{s}_beta-40_seed-0" for s in (1, 2)}

    def load(study, stimulus_set, networks):
        names = [same.get(n.stem, n.stem) for n in networks]
        return load_model_rdms(
            study, stimulus_set, [n for n in study.networks() if n.stem in names and n.beta != 10]
        ).sel(network=names)

    for module in ("fmri", "beta_sweep"):
        monkeypatch.setattr(f"realnet.analyses.{module}.load_model_rdms", load)
    table = beta_curve(more)
    assert set(table.beta) == {10, 40}
    seed0 = table.query("beta == 10 and trained_on == 'sub-01' and curve == 'own subject, natural'")
    assert len(seed0) == 2 and seed0.value.notna().all()
