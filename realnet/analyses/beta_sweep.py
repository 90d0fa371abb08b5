"""Chapter 08: the size of each effect at each beta (supplement S2-S13)."""

import pandas as pd

from realnet.analyses import REFERENCES, reference_stem, t_interval
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_model_rdms, load_prepared
from realnet.settings import Network
from realnet.similarity import compare_rdms


def at_beta(study, beta):
    """The study with ``beta`` as the one of its main figures, so that every analysis can be made for every beta."""
    training = study.training.model_copy(update={"main_beta": beta, "shuffled": False})
    return study.model_copy(update={"training": training})


def beta_curve(study):
    """Difference of each network from CORnet and from Control, by beta; beta 0 is Control itself.

    Returns
    -------
    DataFrame
        ``metric`` ``difference`` in Spearman's rho. Column ``curve``: ``own subject, <images>`` and ``other subjects,
        natural`` (mean over regions at the best layer, interval over images, for the others over images and subjects)
        and ``EEG, layer <layer>`` (mean over times and subjects, t interval over subjects). One row per network;
        ``subject`` is the subject compared with, or ``mean``.
    """
    networks = [network for network in study.networks() if network.model != "shuffled"]
    # Control again as a ReAlnet of beta 0, which has the same file names
    networks += [Network("realnet", n.subject, 0.0, n.seed) for n in networks if n.model == "control"]
    dataset, parts = study.fmri.dataset, []
    for name in study.fmri.test_sets:
        brains = load_prepared(study, f"{dataset}_rdms", name)
        own = fmri_differences(study, dataset, name, brains, networks, within=True)
        parts.append(own.assign(curve=f"own subject, {name}"))
    if study.fmri.other_subjects:
        brains = load_prepared(study, "horikawa2017_rdms", "natural")
        others = fmri_differences(study, "horikawa2017", "natural", brains, networks, within=False)
        parts.append(others[others.subject == "mean"].assign(curve="other subjects, natural"))
    table = pd.concat(parts, ignore_index=True).query("metric == 'difference' and roi == 'mean'")
    if study.eeg.subjects:
        table = pd.concat([table, _eeg_rows(study, networks)], ignore_index=True)
    return table[~((table.beta == 0) & (table.reference == "control"))]  # Control against itself


def _eeg_rows(study, networks):
    """Difference in similarity with the EEG, mean over the window, for every network and layer."""
    models = load_model_rdms(study, "things", networks)
    rho = compare_rdms(models, load_prepared(study, "things_eeg2_rdms", "things")).mean("time")
    stems, values = [n.stem for n in networks], rho.transpose("network", "layer", "subject").values
    rows = []
    for i, network in enumerate(networks):
        for reference in REFERENCES if network.model == "realnet" else ():
            difference = values[i] - values[stems.index(reference_stem(networks, network, reference))]
            for layer, subjects in zip(rho.layer.values, difference, strict=True):
                lower, upper = t_interval(subjects, study.inference.level)
                rows.append({**network.columns, "reference": reference, "layer": str(layer), "subject": "mean",
                             "curve": f"EEG, layer {layer}", "metric": "difference", "value": subjects.mean(),
                             "lower": lower, "upper": upper})  # fmt: skip
    return pd.DataFrame(rows).assign(dataset="things_eeg2", stimulus_set="things")
