"""How often the study finds what was planted in a world, and how often what was not: `make calibration`.

Each world has its own images, people, pretrained network and training; the analyses and their settings are the study's.
"""

import time

import pandas as pd
from tqdm import tqdm

from experiments.kept import keep
from experiments.worlds import arguments_of_worlds, prepare, train, use_folder, world_study
from realnet.analyses.common import main_networks
from realnet.analyses.dimensions import dimension_table
from realnet.analyses.eeg import eeg_table
from realnet.analyses.fmri import fmri_differences
from realnet.io import load_prepared
from realnet.settings import project_root
from simulation import read_truth


def findings(study):
    """What the analyses of one world report, one row a question: ``found`` of ``n`` significant, up and down.

    ``model`` ``realnet`` learned from people in whom effects were planted; ``null`` from shuffled pairs, so that
    nothing is to be found of it beyond what Control has.
    """
    networks = main_networks(study)
    natural = load_prepared(study, "shen2019_rdms", "natural")
    others = load_prepared(study, "horikawa2017_rdms", "natural")
    own = fmri_differences(study, "shen2019", "natural", natural, networks, within=True)
    across = fmri_differences(study, "horikawa2017", "natural", others, networks, within=False)
    fmri = {"own subject": own, "other people": across[across.subject == "mean"]}
    rows = []
    for effect, table in fmri.items():
        means = table[(table.metric == "difference") & (table.roi == "mean")]
        for (model, reference), part in means.groupby(["model", "reference"]):
            rows.append(_row(effect, "", model, reference, part.lower > 0, part.upper < 0, part.value))
    eeg = eeg_table(study, networks)
    eeg = eeg[eeg.metric == "difference"]
    for (model, reference, layer), part in eeg.groupby(["model", "reference", "layer"]):
        sure = part.p < 0.05
        up, down = [(sure & (part.value > 0)).any()], [(sure & (part.value < 0)).any()]
        rows.append(_row("eeg", layer, model, reference, pd.Series(up), pd.Series(down), part.value))
    dimensions = dimension_table(study, networks)
    dimensions = dimensions[dimensions.metric == "difference"]
    for (model, reference, name), part in dimensions.groupby(["model", "reference", "dimension"]):
        sure = part.p < 0.05
        rows.append(
            _row("dimension", name, model, reference, sure & (part.value > 0), sure & (part.value < 0), part.value)
        )
    beyond = read_truth(project_root() / study.raw)["dimensions"].query("beyond_categories").dimension
    table = pd.DataFrame(rows)
    shared = table.effect.isin(["own subject", "other people", "eeg"]) | table.part.isin(beyond)
    return table.assign(planted=(table.model == "realnet") & shared)


def _row(effect, part, model, reference, up, down, values):
    return {"effect": effect, "part": part, "model": model, "reference": reference, "up": int(up.sum()),
            "down": int(down.sum()), "n": len(up), "value": values.mean()}  # fmt: skip


def main():
    """Train what is missing and analyse every world."""
    arguments = arguments_of_worlds("python -m experiments.truth", __doc__).parse_args()
    use_folder(arguments.folder)
    start = time.monotonic()
    tables = []
    for world in tqdm(range(arguments.worlds), desc="worlds"):
        study = world_study(world)
        prepare(study)
        for network in study.networks():
            train(study, network)
        tables.append(findings(study).assign(world=world))
    settings = {"worlds": arguments.worlds, "threads": 1, "study": world_study(0).model_dump(mode="json")}
    keep("truth", pd.concat(tables, ignore_index=True), settings, time.monotonic() - start)


if __name__ == "__main__":
    main()
