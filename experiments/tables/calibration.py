"""Appendix 11: how often our inference errs where the truth is known, beside the tests of mne and neurora."""

import numpy as np
import pandas as pd
from scipy import stats

from experiments.tables.kept import load_kept

#: What each metric should be; errors no higher, coverages no lower. Power has no such number.
NOMINAL = {"family_wise_error": 0.05, "coverage": 0.95, "power": np.nan}

#: Exact tests that ours is compared with.
EXACT = ("mne cluster", "largest t, exact")


def load_calibration():
    """The kept table of ``python -m experiments.calibration`` with its verdicts, and what made it.

    Returns
    -------
    table : DataFrame
        One row for each cell, test and ``metric`` (``family_wise_error``, ``coverage``, ``power``): ``value``,
        ``standard_error``, ``n_sets``, ``ours`` (bool), ``verdict`` (see :func:`add_verdicts`). ``effect`` is in
        standard deviations of one time (family ``eeg``) or of one image (``dimensions``), else in the weight of an
        image's parts, where ``truth`` is the difference of similarities that it makes.
    about : dict
    """
    table, about = load_kept("calibration")
    # earlier runs also tried one-sided tests over times, which the study does not use
    table = table[(table.family != "eeg") | (table.alternative == "two-sided")]
    return add_verdicts(table.fillna({"quantity": ""})), about


def add_verdicts(table):
    """The table with ``verdict``: ``holds`` up to two standard errors beyond nominal, else ``errs too often``.

    Power has none.
    """
    too_much = (table.value - table.metric.map(NOMINAL)) * np.where(table.metric == "coverage", -1, 1)
    verdict = np.where(too_much <= 2 * table.standard_error, "holds", "errs too often")
    return table.assign(verdict=np.where(table.metric == "power", "", verdict))


def verdicts(table):
    """How many cells of each test hold: ``family ours test metric cells hold worst``, ``worst`` the value farthest off.

    Power has no verdict and is left out.
    """
    rows = []
    judged = table[table.metric != "power"]
    for (family, ours, test, metric), cells in judged.groupby(["family", "ours", "test", "metric"], sort=False):
        worst = cells.value.min() if metric == "coverage" else cells.value.max()
        rows.append({"family": family, "ours": ours, "test": test, "metric": metric, "cells": len(cells),
                     "hold": int((cells.verdict == "holds").sum()), "worst": worst})  # fmt: skip
    return pd.DataFrame(rows).sort_values(["ours", "family"], ascending=[False, True], ignore_index=True)


def against_exact(table, test="cluster mass"):
    """Power of a test over times minus that of exact tests on the same sets.

    Returns
    -------
    DataFrame ``n_subjects width effect exact power exact_power difference standard_error``
        The standard error is that of two independent proportions, which is too large for sets that are shared.
    """
    keys = ["n_subjects", "width", "effect"]
    power = table[(table.family == "eeg") & (table.metric == "power")][[*keys, "test", "value", "standard_error"]]
    both = power[power.test == test].merge(power[power.test.isin(EXACT)], on=keys, suffixes=("", "_exact"))
    return both[keys].assign(
        exact=both.test_exact, power=both.value, exact_power=both.value_exact, difference=both.value - both.value_exact,
        standard_error=np.hypot(both.standard_error, both.standard_error_exact),
    )  # fmt: skip


def describe_cells(table):
    """The table with ``cell``: in words, what distinguishes its cells from each other (what all share is left out)."""
    words = {"profile": "{}", "n_subjects": "{:.0f} participants", "n_images": "{:.0f} images",
             "n_layers": "{:.0f} layers", "subject_sd": "participants differ by {:g}",
             "seed_sd": "seeds differ by {:g}", "autocorrelation": "autocorrelation {:g}",
             "shared_offset": "offset {:g}", "width": "{:.0f} times", "effect": "effect {:g}"}  # fmt: skip
    words = {name: word for name, word in words.items() if name in table and table[name].nunique(dropna=False) > 1}

    def describe(row):
        parts = [word.format(row[name]) for name, word in words.items() if pd.notna(row[name])]
        return ", ".join([row["quantity"], *parts] if row["quantity"] else parts)

    return table.assign(cell=[describe(row) for _, row in table.iterrows()])


def how_often_found(table):
    """In how many simulated data sets the study finds what was planted there, and what was not.

    Parameters
    ----------
    table : DataFrame
        ``truth`` of :func:`experiments.tables.kept.load_kept`: one row per data set and question, ``up`` and ``down``
        of ``n`` cases (one, or dimensions) significant.

    Returns
    -------
    DataFrame
        One row per effect, kind of network, reference, ``planted`` and share of ``shared`` sources: ``found above`` and
        ``found below`` as shares of ``cases`` over all ``simulations``; the mean ``value`` of the effect, and its 95 %
        interval over data sets (``lower``, ``upper``; Student's t).
    """
    effect = table.effect.where(table.effect != "dimensions", "dimensions" + np.where(table.planted, " (planted)", ""))
    keys = ["planted", "shared", "effect", "model", "reference"]
    found = table.assign(effect=effect).groupby(keys, sort=False)
    sums, n = found[["up", "down", "n"]].sum(), found.simulation.nunique()
    per_data_set = table.assign(effect=effect).groupby([*keys, "simulation"], sort=False)
    means = per_data_set.value.mean().groupby(keys, sort=False)
    value, half = means.mean(), stats.t.ppf(0.975, n - 1) * means.std() / np.sqrt(n)
    return pd.DataFrame({
        "found above": sums.up / sums.n, "found below": sums.down / sums.n, "cases": sums.n, "simulations": n,
        "value": value, "lower": value - half, "upper": value + half,
    }).sort_index(level="planted", ascending=False, sort_remaining=False).reset_index()  # fmt: skip


def control_errors(table):
    """How often each headline test calls two groups of Controls different.

    Parameters
    ----------
    table : DataFrame
        ``controls`` of :func:`experiments.tables.kept.load_kept`: ``n_seeds pair test part found``.

    Returns
    -------
    DataFrame
        Per test and number of seeds per group: ``found`` of ``cases``, their ``share``, that of the ``worst part``
        (images or layer), the ``limit`` (.05 and two standard errors of this number of pairs), whether it ``holds``.
    """
    grouped = table.groupby(["test", "n_seeds"], sort=False)
    shares = table.groupby(["test", "n_seeds", "part"]).found.mean().groupby(["test", "n_seeds"]).max()
    found = pd.DataFrame({"found": grouped.found.sum(), "cases": grouped.size(), "share": grouped.found.mean()})
    found["worst part"] = shares
    found["limit"] = 0.05 + 2 * np.sqrt(0.05 * 0.95 / grouped.pair.nunique())
    return (
        found.assign(holds=found.share <= found.limit)
        .sort_index(level="n_seeds", ascending=False, sort_remaining=False)
        .reset_index()
    )
