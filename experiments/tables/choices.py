"""Appendix 09: what the choices change in which the paper's words and its released notebooks differ."""

import numpy as np
import pandas as pd
import torch

from experiments.statistics import t_interval
from realnet.alignment import contrastive_loss, correlation_matrix

#: What a choice is judged by: (measure, part or None for the mean over parts), by the name that tables show.
OUTCOMES = {
    "own fMRI": ("fmri_natural", None),
    "other fMRI": ("fmri_others", None),
    "EEG (IT)": ("eeg", "IT"),
    "accuracy": ("top1", None),
    "encoder": ("encoder", "own"),
    "identification": ("encoder", "identification"),
}


def outcomes(table):
    """One number for each network and outcome, from the kept ablation.

    Returns
    -------
    DataFrame ``simulation choice trained_on outcome value``
        Similarities are means over regions at the best layer, or over times; ``accuracy`` is the share of held-out
        images classified correctly; ``encoder`` is Spearman's rho of predicted with measured components of new images
        and ``identification`` how often it tells an image's response from another's.
    """
    parts = []
    for outcome, (measure, part) in OUTCOMES.items():
        rows = table[(table.measure == measure) & ((table.part == part) if part else True)].fillna({"trained_on": ""})
        mean = rows.groupby(["simulation", "choice", "trained_on"], as_index=False).value.mean()
        parts.append(mean.assign(outcome=outcome))
    return pd.concat(parts, ignore_index=True)


def choice_effects(table, baseline="paper", level=0.95):
    """What each choice changes against ``baseline``: paired differences, mean over participants, then over data sets.

    Parameters
    ----------
    table : DataFrame
        ``ablation`` of :func:`experiments.tables.kept.load_kept`.

    Returns
    -------
    DataFrame ``choice outcome value lower upper n_simulations``
        With Student's interval over simulated data sets, each of which has its own images, participants and pretrained
        network.
    """
    values = outcomes(table)
    wide = values.pivot(index=["simulation", "trained_on", "outcome"], columns="choice", values="value")
    rows = []
    for choice in [name for name in table.choice.unique() if name not in ("cornet", baseline)]:
        difference = (wide[choice] - wide[baseline]).dropna()
        rows += [{"choice": choice, "outcome": outcome, **_interval(difference.xs(outcome, level="outcome"), level)}
                 for outcome in OUTCOMES]  # fmt: skip
    effects = pd.DataFrame(rows)
    order = {name: i for i, name in enumerate(OUTCOMES)}
    return effects.sort_values("outcome", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)


def gain_over_cornet(table, choice="paper", level=0.95):
    """How far a choice lies above CORnet, per outcome: the size against which the effects of choices are to be seen."""
    wide = outcomes(table).groupby(["outcome", "simulation", "choice"]).value.mean().unstack("choice")
    gain = (wide[choice] - wide["cornet"]).dropna()  # CORnet has no encoder
    found = gain.index.get_level_values("outcome")
    return pd.DataFrame([{"outcome": o, **_interval(gain.xs(o), level)} for o in OUTCOMES if o in found])


def _interval(differences, level):
    """Mean and Student's interval over simulated data sets."""
    means = differences.groupby("simulation").mean()
    lower, upper = t_interval(means.to_numpy(), level)
    return {"value": means.mean(), "lower": lower, "upper": upper, "n_simulations": len(means)}


def largest_difference(table, one, other):
    """The largest difference between two choices in any measure of any network: 0 where they give equal networks."""
    keys = ["simulation", "trained_on", "measure", "part"]
    a, b = (table[table.choice == choice].fillna({"part": ""}).set_index(keys).value for choice in (one, other))
    return (a - b.reindex(a.index)).abs().max()


def in_words(effect):
    """``+.012 [.003, .021]`` of a row with ``value``, ``lower`` and ``upper``."""
    numbers = [f"{number:+.3f}".replace("0.", ".", 1) for number in (effect["value"], effect["lower"], effect["upper"])]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def settings_beside(first, second):
    """The settings in which two studies differ.

    Returns
    -------
    DataFrame
        Index ``setting`` (``training.contrastive``), one column per study.
    """
    table = pd.DataFrame({
        study.name: pd.json_normalize(study.model_dump(exclude={"name", "description"}), sep=".").iloc[0]
        for study in (first, second)
    })  # fmt: skip
    return table[table.iloc[:, 0].astype(str) != table.iloc[:, 1].astype(str)].rename_axis("setting")


def descend(correlation, n_images=16, n_components=256, n_steps=60, seed=0):
    """Minimise the contrastive term alone, from random predictions of random measurements.

    Parameters
    ----------
    correlation : {"spearman", "pearson", "detached"}
        ``detached`` is the released notebook's: the term has a value and no gradient.

    Returns
    -------
    array (n_steps,)
        Mean Spearman's rho of each prediction with its own measurement before every step.
    """
    generator = torch.Generator().manual_seed(seed)
    measured, start = torch.randn(2, n_images, n_components, generator=generator)
    predicted = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([predicted], lr=0.1)
    found = []
    for _ in range(n_steps):
        found.append(correlation_matrix(predicted.detach(), measured, "spearman").diagonal().mean().item())
        loss = contrastive_loss(predicted, measured, "pearson" if correlation == "detached" else correlation)
        if correlation == "detached":
            loss = loss.detach() + 0 * predicted.sum()  # what is left of a number rebuilt from a list
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(found)
