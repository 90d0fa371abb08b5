"""The kept sweep over betas and seeds as curves (chapter 08)."""

import pandas as pd
from scipy import stats

from experiments.statistics import t_interval

#: Measures of the kept sweep for each curve: (measure, part, or None for the mean over parts).
KEPT_CURVES = {
    "own subject, natural": ("fmri_natural", None),
    "own subject, shapes": ("fmri_shapes", None),
    "own subject, letters": ("fmri_letters", None),
    "other subjects, natural": ("fmri_others", None),
    "EEG, layer IT": ("eeg", "IT"),
    "accuracy": ("top1", None),
}


def kept_curve(table, level=0.95):
    """The kept sweep over betas and seeds, in the columns of :func:`realnet.analyses.beta_sweep.beta_curve`.

    Parameters
    ----------
    table : DataFrame
        ``beta_sweep`` of :func:`experiments.tables.kept.load_kept`.
    level : float

    Returns
    -------
    DataFrame
        One row per subject, curve, reference and beta (mean over seeds), and one for the mean over subjects, with a t
        interval over seeds.
    """
    parts = []
    for curve, (measure, part) in KEPT_CURVES.items():
        rows = table[table.measure == measure]
        rows = rows if part is None else rows[rows.part == part]
        mean = rows.groupby(["model", "trained_on", "beta", "seed"], dropna=False, as_index=False).value.mean()
        trained = mean[mean.model != "cornet"]
        for reference, keys in (("cornet", ["trained_on"]), ("control", ["trained_on", "seed"])):
            base = mean[mean.model == reference].set_index(keys).value
            base = base.reindex(trained.set_index(keys).index).to_numpy()
            part_rows = trained.assign(curve=curve, reference=reference, value=trained.value - base)
            parts.append(part_rows if reference == "cornet" else part_rows[part_rows.beta > 0])
    networks = pd.concat(parts, ignore_index=True)
    keys = ["curve", "reference", "beta"]
    subjects = networks.groupby([*keys, "trained_on"], as_index=False).value.mean()
    rows = []
    for about, of_beta in networks.groupby(keys):
        seeds = of_beta.groupby("seed").value.mean()
        lower, upper = t_interval(seeds.to_numpy(), level)
        rows.append({**dict(zip(keys, about, strict=True)), "trained_on": "mean", "value": seeds.mean(),
                     "lower": lower, "upper": upper, "n_seeds": len(seeds)})  # fmt: skip
    table = pd.concat([subjects, pd.DataFrame(rows)], ignore_index=True).assign(metric="difference")
    order = {curve: i for i, curve in enumerate(KEPT_CURVES)}
    return table.sort_values("curve", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def slopes(curve):
    """Spearman's rank correlation of an effect with beta (beta 0 left out), per curve, reference and subject."""
    trained = curve[(curve.beta > 0) & (curve.trained_on != "mean")]
    rows = []
    for (name, reference, subject), part in trained.groupby(["curve", "reference", "trained_on"]):
        part = part.groupby("beta").value.mean()
        rho = stats.spearmanr(part.index, part).statistic if len(part) > 2 else float("nan")
        rows.append({"curve": name, "reference": reference, "trained_on": subject, "rank correlation": rho,
                     "at the lowest beta": part.iloc[0], "at the highest": part.iloc[-1]})  # fmt: skip
    return pd.DataFrame(rows)
