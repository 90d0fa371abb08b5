"""How often the study finds what was planted in simulated data, and how often what was not: ``make calibration``.

Each data set has its own images, participants, pretrained network and training; analyses and settings are the study's.
Data sets without shared sources have the same images; only the similarity with the own participant is planted in them.
"""

import time
from concurrent.futures import ProcessPoolExecutor

import pandas as pd
import torch
from tqdm import tqdm

from experiments.simulated_studies import link, parse_arguments, prepare, simulated_study, train
from experiments.tables.kept import keep
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_prepared, whole_file
from realnet.settings import Study, project_root
from simulation import read_truth

EEG_SUBJECTS = 4  # instead of the demo's ten: decoding their trials takes longest


def findings(study):
    """What the analyses of one data set report, one row per question: ``up`` and ``down`` of ``n`` are significant.

    ``planted``: the network was aligned (``realnet``) with participants in whom this effect was planted. In networks
    trained on shuffled pairs nothing is to be found beyond what Control has.
    """
    networks = study.main_networks()
    rows = []
    for effect, dataset in (("own subject", "shen2019"), ("other subjects", "horikawa2017")):
        brains, within = load_prepared(study, f"{dataset}_rdms", "natural"), dataset == "shen2019"
        table = fmri_differences(study, dataset, "natural", brains, networks, within=within)
        means = table[(table.metric == "difference") & (table.roi == "mean")]
        means = means[(means.subject == "mean") & (means.trained_on == "mean")]
        for (model, reference), part in means.groupby(["model", "reference"]):
            rows.append(_row(effect, "", model, reference, part.lower > 0, part.upper < 0, part.value))
    eeg, dimensions = eeg_table(study, networks), dimension_table(study, networks)
    for effect, column, table in (("eeg", "layer", eeg), ("dimensions", "dimension", dimensions)):
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
    planted &= (table.effect != "dimensions") | table.part.isin(beyond)
    return table.assign(planted=planted, shared=study.simulated.shared)


def _row(effect, part, model, reference, up, down, values):
    return {"effect": effect, "part": part, "model": model, "reference": reference, "up": int(up.sum()),
            "down": int(down.sum()), "n": len(up), "value": values.mean()}  # fmt: skip


def reduced_study(seed, n_seeds, are_shared):
    """The study of one simulated data set, with :data:`EEG_SUBJECTS`, with or without shared sources."""
    settings = simulated_study(seed, seeds=tuple(range(n_seeds))).model_dump()
    name = f"truth-{seed}" if are_shared else f"truth-{seed}-not-shared"
    settings |= {"name": name, "raw": f"data/raw/{name}"}
    settings["simulated"]["n_eeg_subjects"] = EEG_SUBJECTS
    settings["eeg"]["subjects"] = tuple(range(1, EEG_SUBJECTS + 1))
    if not are_shared:
        settings["simulated"]["shared"] = 0.0
        settings["training"]["shuffled"] = False
    return Study.model_validate(settings)


def findings_of_both(seed, n_seeds):
    """The findings in a simulated data set and in the one without shared sources; what is missing is made first."""
    torch.set_num_threads(1)
    studies = [reduced_study(seed, n_seeds, are_shared) for are_shared in (True, False)]
    tables = []
    for study in studies:
        path = study.results / "findings.csv"
        if not path.exists():
            prepare(study)
            for network in study.networks():
                if study is not studies[0] and not network.subject:  # trained on the images alone, which are the same
                    name = f"rdms/{network.stem}.nc"
                    link(studies[0].results / name, study.results / name)
                train(study, network)
            with whole_file(path) as temporary:
                findings(study).assign(simulation=seed).to_csv(temporary, index=False)
        tables.append(pd.read_csv(path))
    return pd.concat(tables)


def main():
    """Train what is missing and analyse every simulated data set."""
    more = {"seeds": (3, "trainings of each network"), "workers": (1, "processes")}
    given = parse_arguments("python -m experiments.truth", __doc__, **more)
    start = time.monotonic()
    with ProcessPoolExecutor(given.workers) as pool:
        tables = pool.map(findings_of_both, range(given.simulations), [given.seeds] * given.simulations)
        table = pd.concat(tqdm(tables, total=given.simulations, desc="simulations"), ignore_index=True)
    study = reduced_study(0, given.seeds, True).model_dump(mode="json")
    settings = {"simulations": given.simulations, "seeds": given.seeds, "study": study}
    keep("truth", table, settings, time.monotonic() - start)


if __name__ == "__main__":
    main()
