"""Chapter 05: layers against the EEG of other subjects, time by time."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from realnet.analyses import REFERENCES, add_ceilings, ceilings_of, kinds_of, tidy
from realnet.io import load_model_rdms, load_prepared
from realnet.similarity import compare_rdms, improvement
from realnet.statistics import cluster_test


def eeg_table(study, networks):
    """Similarity of every layer with the EEG over time, and of ReAlnet minus its references (figure 4).

    Returns
    -------
    DataFrame
        ``rho``: per EEG subject, network, layer and time (s), with noise ceilings per time.
        ``difference``: ReAlnet (mean over networks) minus reference, mean over EEG subjects (``subject`` = ``mean``),
        with standard error over them (``sem``), and ``p`` of a sign-flip test with maximum cluster mass over time.
        ``improvement``: its ratio to the reference, where the reference is significantly above 0.
        ``sem``, ``p`` and the ratio are NaN for a single EEG subject.
    """
    brains = load_prepared(study, "things_eeg2_rdms", "things")
    rho = compare_rdms(load_model_rdms(study, "things", networks), brains)
    about = {"dataset": "things_eeg2", "stimulus_set": "things"}
    table = add_ceilings(tidy(rho, networks, metric="rho", **about), "time", ceilings_of(brains, "time"))
    names = kinds_of(networks)
    kinds = [rho.sel(network=[n.stem for n in networks if n.model == kind]).mean("network") for kind in names]
    kinds = xr.concat(kinds, dim=pd.Index(names, name="model")).transpose("model", "layer", "subject", "time")
    rows = []
    for model in [name for name in names if name in ("realnet", "shuffled")]:
        for reference in REFERENCES:
            for layer in kinds.layer.values:
                new, old = kinds.sel(model=model, layer=layer), kinds.sel(model=reference, layer=layer)
                rows += _eeg_rows(new, old, study.inference, model=model, reference=reference, layer=str(layer))
    return pd.concat([table, pd.DataFrame(rows).assign(**about, beta=study.training.main_beta)], ignore_index=True)


def _eeg_rows(new, old, inference, **about):
    """Difference with its cluster-corrected p, and improvement, at each time; arrays are (subject, time)."""
    difference = (new - old).values
    p = sem = ratio = np.full(difference.shape[1], np.nan)
    if len(difference) > 1:
        p = cluster_test(difference, n_permutations=inference.n_permutations, seed=inference.seed)
        sem = stats.sem(difference, axis=0)
        reference = old.values.mean(axis=0)
        half_width = stats.t.ppf(0.5 + inference.level / 2, len(difference) - 1) * stats.sem(old.values, axis=0)
        ratio = improvement(new.values.mean(axis=0), reference, lower=reference - half_width)
    rows = []
    for t, time in enumerate(new.time.values):
        common = {**about, "subject": "mean", "time": float(time)}
        rows.append({**common, "metric": "difference", "value": difference[:, t].mean(), "sem": sem[t], "p": p[t]})
        rows.append({**common, "metric": "improvement", "value": ratio[t]})
    return rows
