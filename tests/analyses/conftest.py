"""A study without recordings: random RDMs of networks, subjects and dimensions, as the notebooks would write them."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from realnet.cornet import LAYERS
from realnet.io import save_model_rdms, save_prepared, save_table
from realnet.rdm import correlation_rdm, difference_rdm, labelled
from realnet.settings import Study

N_STIMULI = {"natural": 40, "shapes": 10, "letters": 8, "things": 16}
ROIS = ("V1", "LOC")


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Two fMRI subjects, two other subjects, four EEG subjects; the RDMs of ReAlnet are similar to those of all."""
    patch = pytest.MonkeyPatch()
    patch.setenv("REALNET_ROOT", str(tmp_path_factory.mktemp("root")))
    study = Study.model_validate({
        "name": "random", "description": "random RDMs",
        "fmri": {"subjects": [1, 2], "other_subjects": [1, 2], "rois": ROIS},
        "training": {"betas": [40], "seeds": [0, 1]}, "eeg": {"subjects": [1, 2, 3, 4]},
        "inference": {"n_bootstraps": 50, "n_permutations": 100},
    })  # fmt: skip
    rng = np.random.default_rng(0)
    ids = {name: [f"{name}-{i}" for i in range(n)] for name, n in N_STIMULI.items()}
    truth = {name: rng.normal(size=(n, 6)) for name, n in N_STIMULI.items()}

    def noisy(name, noise, *lead):
        return correlation_rdm(truth[name] + noise * rng.normal(size=(*lead, *truth[name].shape)))

    noises = {"cornet": 0.7, "control": 0.7, "realnet": 0.3, "shuffled": 4.0}
    for network in study.networks():
        rdms = {
            name: labelled(noisy(name, noises[network.model], len(LAYERS)), ids[name], ("layer",), layer=list(LAYERS))
            for name in study.stimulus_sets
        }
        save_model_rdms(study, network, rdms)
    axes = {"subject": ["sub-01", "sub-02"], "roi": list(ROIS)}
    fmri = {
        name: labelled(noisy(name, 0.7, 2, len(ROIS)), ids[name], ("subject", "roi"), **axes)
        for name in study.fmri.test_sets
    }
    save_prepared(study, "shen2019_rdms", fmri)
    rows = product(("sub-01", "sub-02"), ROIS, study.fmri.test_sets)
    reliable = pd.DataFrame(rows, columns=["subject", "roi", "stimulus_set"]).assign(dataset="shen2019", value=0.81)
    save_table(study, "reliability", reliable.assign(metric="rdm_reliability"))
    save_prepared(study, "horikawa2017_rdms", {"natural": fmri["natural"]})
    eeg = labelled(
        noisy("things", 0.4, 4, 5), ids["things"], ("subject", "time"),
        subject=[f"sub-{i:02d}" for i in range(1, 5)], time=[0.0, 0.01, 0.02, 0.03, 0.04],
    )  # fmt: skip
    save_prepared(study, "things_eeg2_rdms", {"things": eeg})
    dimensions = labelled(difference_rdm(truth["things"].T), ids["things"], ("dimension",), dimension=list("abcdef"))
    save_prepared(study, "things_dimensions_rdms", {"things": dimensions})
    yield study
    patch.undo()


@pytest.fixture(scope="session")
def networks(study):
    """The networks of the main figures."""
    return study.main_networks()
