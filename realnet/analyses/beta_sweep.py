"""Chapter 08: how much of each effect there is at each beta (supplement S2-S13)."""

import pandas as pd
from scipy import stats

from realnet.analyses.common import REFERENCES, reference_stem, t_interval
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_model_rdms, load_prepared
from realnet.settings import Network
from realnet.similarity import compare_rdms

#: Measures of the kept sweep, as the curves name them: (measure, part or None for the mean over parts).
KEPT_CURVES = {
    "own subject, natural": ("fmri_natural", None),
    "own subject, shapes": ("fmri_shapes", None),
    "own subject, letters": ("fmri_letters", None),
    "other people, natural": ("fmri_others", None),
    "EEG, layer IT": ("eeg", "IT"),
    "accuracy": ("top1", None),
}


def at_beta(study, beta):
    """The study as if ``beta`` were that of its main figures, so that every analysis can be made for every beta."""
    training = study.training.model_copy(update={"main_beta": beta, "shuffled": False})
    return study.model_copy(update={"training": training})


def beta_curve(study):
    """How far each network lies from CORnet and from Control, by beta; beta 0 is Control itself.

    Returns
    -------
    DataFrame
        ``metric`` ``difference`` in Spearman's rho. Column ``curve``: ``own subject, <images>`` and ``other people,
        natural`` (mean over regions at the best layer, interval over images, for other people over images and people)
        and ``EEG, layer <layer>`` (mean over times and people, t interval over people). One row a network, so that
        each person who taught one is a row of ``trained_on``; ``subject`` is the person compared with, or ``mean``.
    """
    networks = [network for network in study.networks() if network.model != "shuffled"]
    # Control once more under the name of a ReAlnet of beta 0: its files have no other name
    networks += [Network("realnet", n.subject, 0.0, n.seed) for n in networks if n.model == "control"]
    dataset = study.fmri.dataset
    parts = []
    for name in study.fmri.test_sets:
        brains = load_prepared(study, f"{dataset}_rdms", name)
        own = fmri_differences(study, dataset, name, brains, networks, within=True)
        parts.append(own.assign(curve=f"own subject, {name}"))
    if study.fmri.other_subjects:
        brains = load_prepared(study, "horikawa2017_rdms", "natural")
        others = fmri_differences(study, "horikawa2017", "natural", brains, networks, within=False)
        parts.append(others[others.subject == "mean"].assign(curve="other people, natural"))
    table = pd.concat(parts, ignore_index=True)
    table = table[(table.metric == "difference") & (table.roi == "mean")]
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
        if network.model != "realnet":
            continue
        for reference in REFERENCES:
            difference = values[i] - values[stems.index(reference_stem(networks, network, reference))]
            for layer, people in zip(rho.layer.values, difference, strict=True):
                lower, upper = t_interval(people, study.inference.level)
                rows.append({**network.columns, "reference": reference, "layer": str(layer), "subject": "mean",
                             "curve": f"EEG, layer {layer}", "metric": "difference", "value": people.mean(),
                             "lower": lower, "upper": upper})  # fmt: skip
    return pd.DataFrame(rows).assign(dataset="things_eeg2", stimulus_set="things")


def kept_curve(table, level=0.95):
    """The kept sweep over betas and seeds, in the columns of :func:`beta_curve`.

    Parameters
    ----------
    table : DataFrame
        ``beta_sweep`` of :func:`experiments.tables.kept.load_kept`.

    Returns
    -------
    DataFrame
        One row a person, curve, reference and beta (mean over seeds), and one for the mean over people, with a t
        interval over seeds.
    """
    parts = []
    for curve, (measure, part) in KEPT_CURVES.items():
        rows = table[table.measure == measure]
        rows = rows if part is None else rows[rows.part == part]
        rows = rows.fillna({"trained_on": ""})
        mean = rows.groupby(["model", "trained_on", "beta", "seed"], as_index=False).value.mean()
        trained = mean[mean.model != "cornet"]
        cornet = mean[mean.model == "cornet"].value.item()
        control = mean[mean.model == "control"].set_index(["trained_on", "seed"]).value
        own_control = control.loc[list(zip(trained.trained_on, trained.seed, strict=True))].to_numpy()
        for reference, base in (("cornet", cornet), ("control", own_control)):
            part_rows = trained.assign(curve=curve, reference=reference, value=trained.value - base)
            parts.append(part_rows if reference == "cornet" else part_rows[part_rows.beta > 0])
    networks = pd.concat(parts, ignore_index=True)
    keys = ["curve", "reference", "beta"]
    people = networks.groupby([*keys, "trained_on"], as_index=False).value.mean()
    rows = []
    for about, of_beta in networks.groupby(keys):
        seeds = of_beta.groupby("seed").value.mean()
        lower, upper = t_interval(seeds.to_numpy(), level)
        rows.append({**dict(zip(keys, about, strict=True)), "trained_on": "mean", "value": seeds.mean(),
                     "lower": lower, "upper": upper, "n_seeds": len(seeds)})  # fmt: skip
    table = pd.concat([people, pd.DataFrame(rows)], ignore_index=True).assign(metric="difference")
    order = {curve: i for i, curve in enumerate(KEPT_CURVES)}
    return table.sort_values("curve", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def slopes(curve):
    """Whether an effect grows with beta: Spearman's rank correlation of its value with beta, per curve and person.

    Rows of beta 0 are left out: the question is how much of the brain, not whether any.
    """
    trained = curve[(curve.beta > 0) & (curve.trained_on != "mean")]
    rows = []
    for (name, reference, person), part in trained.groupby(["curve", "reference", "trained_on"]):
        part = part.groupby("beta").value.mean()
        rho = stats.spearmanr(part.index, part).statistic if len(part) > 2 else float("nan")
        rows.append({"curve": name, "reference": reference, "trained_on": person, "rank correlation": rho,
                     "at the lowest beta": part.iloc[0], "at the highest": part.iloc[-1]})  # fmt: skip
    return pd.DataFrame(rows)
