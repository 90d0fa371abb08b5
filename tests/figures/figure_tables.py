"""Synthetic tables, and reading back what a figure shows."""

import numpy as np
import pandas as pd

ROIS, LAYERS = ["V1", "V2", "V3", "V4", "LOC"], ["V1", "V2", "V4", "IT"]
KINDS = ["cornet", "control", "realnet", "shuffled"]
PEOPLE = ["sub-01", "sub-02", "sub-03"]


def networks(models=tuple(KINDS)):
    """(model, trained_on) of every network."""
    return [(m, t) for m in models for t in ([pd.NA] if m == "cornet" else PEOPLE)]


def differences(rng, people):
    """Differences and improvements of each ReAlnet and null network with each of some people."""
    rows = []
    for model in ("realnet", "shuffled"):
        for teacher in PEOPLE:
            for subject in people:
                for reference in ("cornet", "control"):
                    for roi in [*ROIS, "mean"]:
                        value = rng.normal(0.02, 0.03)
                        about = {"model": model, "trained_on": teacher, "subject": subject, "reference": reference,
                                 "roi": roi, "stimulus_set": "natural", "layer": "best",
                                 "dataset": "shen2019"}  # fmt: skip
                        p = rng.choice([0.001, 0.0499, 0.05, 0.3])
                        rows += [{**about, "metric": "difference", "value": value, "lower": value - 0.02,
                                  "upper": value + 0.04, "p": p},
                                 {**about, "metric": "improvement", "value": value / 0.2}]  # fmt: skip
    return pd.DataFrame(rows)


def layer_differences(rng):
    """Differences at the same layer of each ReAlnet and its references, and their means over layers and regions."""
    rows = []
    for teacher in PEOPLE:
        for reference in ("cornet", "control"):
            for layer in [*LAYERS, "mean"]:
                for roi in [*ROIS, "mean"]:
                    value = rng.normal(0.02, 0.03)
                    rows.append({"model": "realnet", "trained_on": teacher, "subject": teacher, "reference": reference,
                                 "roi": roi, "stimulus_set": "natural", "layer": layer, "metric": "layer_difference",
                                 "value": value, "lower": value - 0.02, "upper": value + 0.04,
                                 "p": rng.choice([0.001, 0.0499, 0.05, 0.3])})  # fmt: skip
    return pd.DataFrame(rows)


def dimensions(rng, n_dims):
    names = [f"object dimension {d}" for d in range(n_dims)]
    rows = [
        {"model": m, "trained_on": t, "layer": layer, "dimension": d, "metric": "partial_rho2",
         "value": rng.uniform(0, 0.05)}
        for layer in LAYERS for m, t in networks() for d in names
    ]  # fmt: skip
    for model in ("realnet", "shuffled"):
        for reference in ("cornet", "control"):
            for d in names:
                value = rng.normal(0, 0.01)
                rows.append({"model": model, "reference": reference, "layer": "IT", "dimension": d,
                             "metric": "difference", "value": value, "lower": value - 0.01, "upper": value + 0.02,
                             "p": rng.choice([0.01, 0.05, 0.5])})  # fmt: skip
    return pd.DataFrame(rows)


def line(axes, label):
    """The one line with this label."""
    (found,) = [x for x in axes.lines if x.get_label() == label]
    return found


def points(axes, label):
    """x and y of all lines with this label, joined."""
    found = [x for x in axes.lines if x.get_label() == label]
    return tuple(np.concatenate([np.asarray(getattr(x, f"get_{d}data")(), float) for x in found]) for d in "xy")


def legend_texts(figure):
    parts = [figure, *figure.subfigs]
    return [text.get_text() for part in parts for legend in part.legends for text in legend.get_texts()]
