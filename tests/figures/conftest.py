"""Synthetic tables as the notebooks write them."""

import numpy as np
import pandas as pd
import pytest
from figure_tables import LAYERS, PEOPLE, ROIS, differences, networks


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def fmri(rng):
    """Similarities of each network with its teacher; CORnet with everyone."""
    rows = [
        {"subject": s, "model": m, "trained_on": t, "beta": 40, "seed": 0, "layer": layer, "roi": roi,
         "stimulus_set": images, "metric": "rho", "value": rng.uniform(0.1, 0.3), "ceiling_lower": 0.4 + 0.01 * r,
         "ceiling_upper": 0.5 + 0.01 * r}
        for images in ("natural", "letters") for m, t in networks() for s in PEOPLE if t is pd.NA or s == t
        for layer in [*LAYERS, "best", "cross-validated"] for r, roi in enumerate(ROIS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def within(rng):
    table = differences(rng, PEOPLE)
    return table[table.subject == table.trained_on].reset_index(drop=True)


@pytest.fixture
def eeg(rng):
    rows = []
    for layer in LAYERS:
        for i in range(20):
            at = {"layer": layer, "time": i * 0.01}
            rows += [
                {**at, "subject": f"sub-{s:02d}", "model": m, "trained_on": t, "metric": "rho",
                 "value": rng.normal(0.1, 0.02), "ceiling_lower": 0.12, "ceiling_upper": 0.15}
                for m, t in networks() for s in range(1, 9)
            ]  # fmt: skip
            for reference in ("cornet", "control"):
                about = {**at, "subject": "mean", "model": "realnet", "reference": reference}
                p = rng.choice([0.01, 0.05, 0.2])
                rows.append({**about, "metric": "difference", "value": 0.01, "sem": 0.01, "p": p})
                rows.append({**about, "metric": "improvement", "value": np.nan if i < 5 else rng.normal(0.2, 0.1)})
    return pd.DataFrame(rows)


@pytest.fixture
def history(rng):
    return pd.DataFrame([
        {"epoch": e, "split": split, "metric": m, "value": rng.random()}
        for e in range(4) for split in ("training", "test") if e or split == "test"
        for m in ("loss_class", "loss_mse", "loss_contrastive", "loss_total")
    ])  # fmt: skip
