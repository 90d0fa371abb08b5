"""Chapter 09: what the choices change in which the paper's words and its released notebooks differ."""

import numpy as np
import pandas as pd
import torch

from realnet.alignment import contrastive_loss, correlation_matrix
from realnet.analyses.common import t_interval

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
    DataFrame ``world choice trained_on outcome value``
        Similarities are means over regions at the best layer, or over times; ``accuracy`` is the share of held-out
        images named rightly; ``encoder`` is Spearman's rho of predicted with measured components of new images and
        ``identification`` how often it tells an image's response from another's.
    """
    parts = []
    for outcome, (measure, part) in OUTCOMES.items():
        rows = table[(table.measure == measure) & ((table.part == part) if part else True)]
        rows = rows.fillna({"trained_on": ""})
        mean = rows.groupby(["world", "choice", "trained_on"], as_index=False).value.mean()
        parts.append(mean.assign(outcome=outcome))
    return pd.concat(parts, ignore_index=True)


def choice_effects(table, baseline="paper", level=0.95):
    """What each choice changes against ``baseline``: paired differences, mean over people, then over worlds.

    Parameters
    ----------
    table : DataFrame
        ``ablation`` of :func:`experiments.tables.kept.load_kept`.

    Returns
    -------
    DataFrame ``choice outcome value lower upper n_worlds``
        With Student's interval over worlds, each of which has its own images, people and pretrained network.
    """
    values = outcomes(table)
    wide = values[values.choice != "cornet"].pivot(
        index=["world", "trained_on", "outcome"], columns="choice", values="value"
    )
    rows = []
    for choice in [name for name in table.choice.unique() if name not in ("cornet", baseline)]:
        difference = (wide[choice] - wide[baseline]).dropna()
        for outcome, of_outcome in difference.groupby("outcome", sort=False):
            worlds = of_outcome.groupby("world").mean()
            lower, upper = t_interval(worlds.to_numpy(), level)
            rows.append({"choice": choice, "outcome": outcome, "value": worlds.mean(), "lower": lower,
                         "upper": upper, "n_worlds": len(worlds)})  # fmt: skip
    effects = pd.DataFrame(rows)
    order = {name: i for i, name in enumerate(OUTCOMES)}
    return effects.sort_values("outcome", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)


def gain_over_cornet(table, choice="paper", level=0.95):
    """How far a choice lies above CORnet, per outcome: the size against which the effects of choices are to be seen."""
    values = outcomes(table)
    cornet = values[values.choice == "cornet"].set_index(["world", "outcome"]).value
    rows = []
    for outcome, part in values[values.choice == choice].groupby("outcome", sort=False):
        worlds = part.groupby("world").value.mean()
        if (worlds.index[0], outcome) not in cornet.index:  # CORnet has no encoder
            continue
        worlds = worlds - cornet.xs(outcome, level="outcome").reindex(worlds.index)
        lower, upper = t_interval(worlds.to_numpy(), level)
        rows.append({"outcome": outcome, "value": worlds.mean(), "lower": lower, "upper": upper})
    return pd.DataFrame(rows)


def largest_difference(table, one, other):
    """The largest difference between two choices in any measure of any network: 0 where they give equal networks."""
    keys = ["world", "trained_on", "measure", "part"]
    a, b = (table[table.choice == choice].fillna({"part": ""}).set_index(keys).value for choice in (one, other))
    return (a - b.reindex(a.index)).abs().max()


def in_words(effect):
    """``+.012 [.003, .021]`` of a row with ``value``, ``lower`` and ``upper``."""
    numbers = [f"{number:+.3f}".replace("0.", ".", 1) for number in (effect["value"], effect["lower"], effect["upper"])]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def settings_beside(first, second):
    """The settings in which two studies differ, one row a setting.

    Parameters
    ----------
    first, second : realnet.settings.Study

    Returns
    -------
    DataFrame
        Index ``setting`` (``training.contrastive``), one column a study.
    """
    flat = [
        pd.json_normalize(study.model_dump(exclude={"name", "description"}), sep=".").iloc[0]
        for study in (first, second)
    ]
    table = pd.DataFrame({study.name: values for study, values in zip((first, second), flat, strict=True)})
    table = table[table.iloc[:, 0].astype(str) != table.iloc[:, 1].astype(str)]
    return table.rename_axis("setting")


def descend(contrast, n_images=16, n_components=256, n_steps=60, seed=0):
    """Follow the contrastive term alone, from random predictions of random measurements.

    Parameters
    ----------
    contrast : {"spearman", "pearson", "detached"}
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
        loss = contrastive_loss(predicted, measured, "pearson" if contrast == "detached" else contrast)
        if contrast == "detached":
            loss = loss.detach() + 0 * predicted.sum()  # what is left of a number rebuilt from a list
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(found)
