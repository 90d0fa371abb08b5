"""Synthetic tables as the notebooks write them."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_tables import KINDS, LAYERS, REFERENCES, ROIS, SUBJECTS, cross


@pytest.fixture
def rng():
    yield np.random.default_rng(0)
    plt.close("all")


@pytest.fixture
def tables(rng):
    """``fmri within across same_layer eeg dimensions history``."""
    fmri = cross(rng, model=KINDS, subject=SUBJECTS, layer=[*LAYERS, "best", "cross-validated"], roi=ROIS,
                 stimulus_set=["natural", "letters"], metric="rho", seed=[0, 1])  # fmt: skip
    fmri = fmri[(fmri.model != "cornet") | (fmri.seed == 0)]
    trained_on = fmri.subject.where(~fmri.model.isin(["cornet", "control"]))
    step = 0.01 * fmri.roi.map(ROIS.index)
    fmri = fmri.assign(trained_on=trained_on, ceiling_lower=0.4 + step, ceiling_upper=0.5 + step)
    trained = [*SUBJECTS, "mean"]
    across = cross(rng, model=["realnet", "shuffled"], trained_on=trained, subject=[*SUBJECTS, "sub-04", "mean"],
                   reference=REFERENCES, roi=[*ROIS, "mean"], stimulus_set="natural", metric="difference")  # fmt: skip
    across = pd.concat([across, across.assign(metric="improvement", value=across.value / 0.2)])
    across["dataset"] = "horikawa2017"
    within = across[across.subject == across.trained_on].reset_index(drop=True).assign(dataset="shen2019")
    same_layer = cross(rng, trained_on=trained, reference=REFERENCES, layer=[*LAYERS, "mean"], roi=[*ROIS, "mean"],
                       metric="layer_difference", model="realnet")  # fmt: skip
    at = {"layer": LAYERS, "time": [0.01 * i for i in range(20)]}
    rho = cross(rng, **at, model=KINDS, subject=[f"sub-{s:02d}" for s in range(1, 9)], metric="rho", seed=[0, 1])
    rho = rho.assign(value=rho.value + 0.1, ceiling_lower=0.12, ceiling_upper=0.15)
    difference = cross(rng, **at, model="realnet", reference=REFERENCES, subject="mean", metric="difference")
    improvement = cross(rng, **at, model="realnet", reference=REFERENCES, subject=["sub-01", "sub-02", "mean"],
                        metric="improvement")  # fmt: skip
    improvement.loc[improvement.time < 0.045, ["value", "lower", "upper"]] = np.nan
    names = [f"object dimension {d}" for d in range(20)]
    partial = cross(rng, dimension=names, layer=LAYERS, model=KINDS, trained_on=SUBJECTS, metric="partial_rho2")
    changes = cross(rng, dimension=names, model=["realnet", "shuffled"], reference=REFERENCES, metric="difference")
    losses = ["loss_class", "loss_mse", "loss_contrastive", "loss_total"]
    history = cross(rng, model=["control", "realnet"], trained_on=SUBJECTS, beta=40, seed=0, split=["training", "test"],
                    metric=losses, epoch=list(range(4)))  # fmt: skip
    history = history[(history.epoch > 0) | (history.split == "test")]
    return SimpleNamespace(
        fmri=fmri, within=within, across=across, same_layer=same_layer, eeg=pd.concat([rho, difference, improvement]),
        dimensions=pd.concat([partial, changes], ignore_index=True), history=history,
    )  # fmt: skip
