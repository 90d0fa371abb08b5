"""How often the study finds what was planted in simulated data, and how often what was not: ``make calibration``.

Each data set has its own images, participants, pretrained network and training; analyses and settings are the study's.
Data sets without shared sources have the same images; only the similarity with the own participant is planted in them.
"""

import time
from itertools import product

import pandas as pd
from tqdm import tqdm

from experiments.simulated_studies import parse_arguments, prepare, simulated_study, train
from experiments.tables.kept import keep
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_prepared
from realnet.settings import project_root
from simulation import read_truth


def findings(study):
    """What the analyses of one data set report, one row per question: ``up`` and ``down`` of ``n`` are significant.

    ``planted``: the network was aligned (``realnet``) with participants in whom this effect was planted. In networks
    trained on shuffled pairs nothing is to be found beyond what Control has.
    """
    networks = study.main_networks()
    rows = []
    for effect, dataset in (("own subject", "shen2019"), ("other people", "horikawa2017")):
        brains, within = load_prepared(study, f"{dataset}_rdms", "natural"), dataset == "shen2019"
        table = fmri_differences(study, dataset, "natural", brains, networks, within=within)
        means = table[(table.metric == "difference") & (table.roi == "mean")]
        means = means[(means.subject == "mean") & (means.trained_on == "mean")]
        for (model, reference), part in means.groupby(["model", "reference"]):
            rows.append(_row(effect, "", model, reference, part.lower > 0, part.upper < 0, part.value))
    eeg, dimensions = eeg_table(study, networks), dimension_table(study, networks)
    for effect, column, table in (("eeg", "layer", eeg), ("dimension", "dimension", dimensions)):
        differences = table[table.metric == "difference"]
        for (model, reference, name), part in differences.groupby(["model", "reference", column]):
            sure = part.p_corrected < 0.05
            up, down = sure & (part.value > 0), sure & (part.value < 0)
            if effect == "eeg":  # any time counts
                up, down = pd.Series([up.any()]), pd.Series([down.any()])
            rows.append(_row(effect, name, model, reference, up, down, part.value))
    truth, table = read_truth(project_root() / study.raw), pd.DataFrame(rows)
    beyond = truth["dimensions"].query("beyond_categories").dimension
    planted = table.effect.isin(truth["effects"].query("planted").effect) & (table.model == "realnet")
    planted &= (table.effect != "dimension") | table.part.isin(beyond)
    return table.assign(planted=planted, shared=study.simulated.shared)


def _row(effect, part, model, reference, up, down, values):
    return {"effect": effect, "part": part, "model": model, "reference": reference, "up": int(up.sum()),
            "down": int(down.sum()), "n": len(up), "value": values.mean()}  # fmt: skip


def main():
    """Train what is missing and analyse every simulated data set."""
    given = parse_arguments("python -m experiments.truth", __doc__)
    start, tables = time.monotonic(), []
    for seed, shared in tqdm(list(product(range(given.simulations), (None, 0.0))), desc="simulations"):
        study = simulated_study(seed, shared=shared)
        prepare(study)
        for network in study.networks():
            train(study, network)
        tables.append(findings(study).assign(simulation=seed))
    settings = {"simulations": given.simulations, "threads": 1, "study": simulated_study(0).model_dump(mode="json")}
    keep("truth", pd.concat(tables, ignore_index=True), settings, time.monotonic() - start)


if __name__ == "__main__":
    main()
