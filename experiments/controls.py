"""Control against Control: what the headline tests find where there is nothing (``python -m experiments.controls``).

Controls that differ in their training seed alone are compared as if one group were ReAlnets: in the own subject, in
other subjects, in the EEG and in the object dimensions. Appendix 11 shows how often each test errs.
"""

import time

import numpy as np
import pandas as pd
from tqdm import tqdm

from experiments.simulated_studies import (
    link,
    parse_arguments,
    prepare,
    share_prepared,
    simulated_study,
    train,
    variant,
)
from experiments.tables.kept import keep
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_table
from realnet.io import table_path
from realnet.settings import Network

LEVEL = 0.05


def draw_pairs(n_controls, n_pairs, n_seeds, rng):
    """Pairs of groups of seeds: array (n_pairs, 2, n_seeds); pairs share no seed as far as there are enough."""
    per_order = n_controls // (2 * n_seeds)
    orders = [rng.permutation(n_controls)[: per_order * 2 * n_seeds] for _ in range(-(-n_pairs // per_order))]
    return np.concatenate(orders).reshape(-1, 2, n_seeds)[:n_pairs]


def compare(study, pair, number):
    """Which tests find a difference between two groups of Controls: dict (test, part) -> bool.

    The first group takes the place of the ReAlnets, the same network for every subject, the second that of Control.
    """
    n_seeds = len(pair[0])
    changes = {"training": {"seeds": tuple(range(n_seeds)), "betas": (study.training.main_beta,), "shuffled": False},
               "inference": {"n_bootstraps": 300}}  # fmt: skip
    same = variant(study, f"controls-{n_seeds}-{number}", changes)
    share_prepared(same, study)
    link(table_path(study, "reliability"), table_path(same, "reliability"))
    networks = same.networks()
    for network in networks:
        group = {"control": pair[1], "realnet": pair[0]}.get(network.model)
        stem = "cornet" if group is None else Network("control", 0, 0, int(group[network.seed])).stem
        link(study.results / "rdms" / f"{stem}.nc", same.results / "rdms" / f"{network.stem}.nc")
    return findings(same, networks)


def findings(study, networks):
    """Every headline test of a study whose ReAlnets are Controls."""
    chosen, found = "model == 'realnet' and reference == 'control'", {}
    for test, within in (("own subject", True), ("other subjects", False)):
        table = fmri_table(study, networks, within=within).query(f"{chosen} and roi == 'mean' and subject == 'mean'")
        table = table[table.trained_on == "mean"]
        for row in table.query("metric == 'difference'").itertuples():
            found[test, f"{row.stimulus_set}, best layer"] = row.p < LEVEL
        for row in table.query("metric == 'layer_difference' and layer == 'mean'").itertuples():
            found[test, f"{row.stimulus_set}, same layer"] = row.p < LEVEL
    eeg = eeg_table(study, networks).query(chosen)
    for row in eeg.query("metric == 'window_difference'").itertuples():
        found["EEG, mean over the window", row.layer] = row.p < LEVEL
    for layer, rows in eeg.query("metric == 'difference'").groupby("layer"):
        found["EEG, any time, corrected", layer] = (rows.p_corrected < LEVEL).any()
        found["EEG, any time, the paper's cluster test", layer] = (rows.p_cluster < LEVEL).any()
    dimensions = dimension_table(study, networks).query(f"{chosen} and metric == 'difference'")
    found["object dimensions, any, corrected", "IT"] = (dimensions.p_corrected < LEVEL).any()
    return found


def main():
    """Train the Controls that are missing, compare them, and keep how often each test finds a difference."""
    more = {"controls": (24, "networks to train"), "pairs": (20, "pairs of groups"), "seeds": (3, "networks per group")}
    given = parse_arguments("python -m experiments.controls", __doc__, **more)
    start, rows = time.monotonic(), []
    study = simulated_study(0, seeds=tuple(range(given.controls)))
    prepare(study)
    for network in tqdm([n for n in study.networks() if not n.subject], desc="networks"):
        train(study, network)
    for n_seeds in (1, given.seeds):
        pairs = draw_pairs(given.controls, given.pairs, n_seeds, np.random.default_rng(0))
        for number, pair in enumerate(tqdm(pairs, desc=f"pairs of {n_seeds}")):
            found = compare(study, pair, number)
            rows += [{"n_seeds": n_seeds, "pair": number, "test": test, "part": part, "found": hit}
                     for (test, part), hit in found.items()]  # fmt: skip
    settings = {name: getattr(given, name) for name in more} | {"study": study.model_dump(mode="json")}
    keep("controls", pd.DataFrame(rows), settings, time.monotonic() - start)


if __name__ == "__main__":
    main()
