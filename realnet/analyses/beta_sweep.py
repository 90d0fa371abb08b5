"""Chapter 08: the size of each effect at each beta (supplement S2-S13)."""

import numpy as np
import pandas as pd

from realnet.analyses import REFERENCES, effect_rows, network_grid, training_subjects
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_model_rdms, load_prepared
from realnet.similarity import compare_rdms
from realnet.statistics import generalise


def at_beta(study, beta):
    """The study with ``beta`` as the one of its main figures and the seeds that were trained with it."""
    training = study.training
    seeds = training.seeds if beta == training.main_beta else training.seeds[:1]
    changes = {"main_beta": beta, "seeds": seeds, "shuffled": False, "shuffled_within": False}
    return study.model_copy(update={"training": training.model_copy(update=changes)})


def beta_curve(study):
    """Difference of ReAlnet from CORnet and from Control, by beta.

    Returns a DataFrame: ``metric`` ``difference`` in Spearman's rho. Column ``curve``: ``own subject, <images>`` and
    ``other subjects, natural`` (mean over regions at the best layer, as in chapters 03 and 04) and
    ``EEG, layer <layer>`` (mean over times and EEG subjects; interval over subjects and seeds). Rows per subject that
    networks were trained on, and their ``mean``.
    """
    dataset, parts = study.fmri.dataset, []
    sets = [(dataset, name, f"own subject, {name}") for name in study.fmri.test_sets]
    sets += [("horikawa2017", "natural", "other subjects, natural")] if study.fmri.other_subjects else []
    for beta in study.training.betas:
        chosen = at_beta(study, beta)
        networks = chosen.main_networks()
        for recording, name, curve in sets:
            brains, within = load_prepared(study, f"{recording}_rdms", name), recording == dataset
            table = fmri_differences(chosen, recording, name, brains, networks, within)
            parts.append(table[within | (table.subject == "mean")].assign(curve=curve))
        if study.eeg.subjects:
            parts.append(_eeg_rows(chosen, networks))
    table = pd.concat(parts, ignore_index=True)
    return table[(table.metric == "difference") & (table.roi.isna() | (table.roi == "mean"))]


def _eeg_rows(study, networks):
    """Difference in similarity with the EEG, mean over the window, for every layer."""
    models = load_model_rdms(study, "things", networks)
    rho = compare_rdms(models, load_prepared(study, "things_eeg2_rdms", "things")).mean("time")
    values, rows = rho.transpose("network", "layer", "subject").values, []
    grids = {model: network_grid(networks, model) for model in ("realnet", *REFERENCES)}
    trained = [*training_subjects(networks), "mean"]
    curves = {"curve": [f"EEG, layer {layer}" for layer in rho.layer.values]}
    for reference in REFERENCES:
        difference = values[grids["realnet"]] - values[grids[reference]]  # (trained_on, seed, layer, EEG subject)
        for i, name in enumerate(trained):
            part = difference if name == "mean" else difference[i : i + 1]
            effect = generalise(np.moveaxis(part, 2, 0)[None], n_factors=3, level=study.inference.level)
            about = {"model": "realnet", "reference": reference, "trained_on": name, "subject": "mean"}
            rows += effect_rows(effect, curves, **about, metric="difference")
    return pd.DataFrame(rows).assign(dataset="things_eeg2", stimulus_set="things", beta=study.training.main_beta)
