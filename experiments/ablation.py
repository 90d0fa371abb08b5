"""What each choice of the training changes, over simulated data sets; and how much depends on beta: ``make ablation``.

``ablation``: in every data set, networks are aligned with two participants for each choice, which differs from the
paper's words in that choice alone. ``beta_sweep``: in the demo's data, networks of each beta are aligned with three
participants, with three seeds; ``--simulations 0`` makes this table alone. What is finished in the folder is not done
again.
"""

import time
from itertools import product

import pandas as pd
from tqdm import tqdm

from experiments import simulated_studies as studies
from experiments.tables.kept import keep, pretrained_digest
from realnet.settings import Network

#: choice: what it is about, and what it changes in the demo study.
CHOICES = {
    "paper": ("the paper's words", {}),
    "none": ("contrastive term", {"training": {"contrastive": "none"}}),
    "detached": ("contrastive term", {"training": {"contrastive": "detached"}}),
    "pearson": ("contrastive term", {"training": {"contrastive": "pearson"}}),
    "momentum": ("batch normalisation", {"training": {"batch_norm_momentum": 0.19}}),
    "frozen": ("batch normalisation", {"training": {"batch_norm": "frozen"}}),
    "best": ("which epoch", {"training": {"selection": "best_test_loss"}}),
    "component-zscore": ("scaling of the targets", {"fmri": {"component_scaling": "zscore"}}),
    "component-none": ("scaling of the targets", {"fmri": {"component_scaling": "none"}}),
    "only-v1": ("layers of the encoder", {"training": {"layers": ("V1",)}}),
    "only-it": ("layers of the encoder", {"training": {"layers": ("IT",)}}),
    "hidden-32": ("width of the encoder", {"training": {"n_hidden": 32}}),
    "hidden-512": ("width of the encoder", {"training": {"n_hidden": 512}}),
    "similarity": ("loss", {"training": {"loss": "similarity"}}),
    "both": ("loss", {"training": {"loss": "both"}}),
    "epochs-30": ("epochs", {"training": {"epochs": 30}}),
    "released": (
        "all that the released notebook does",
        {"training": {"betas": (100,), "main_beta": 100, "epochs": 30, "contrastive": "detached",
                      "batch_norm_momentum": 0.19, "selection": "best_test_loss"}},
    ),
}  # fmt: skip
LONG = ("epochs-30", "released")  # six times as long as the others: in fewer data sets
SUBJECTS = (1, 2)
BETAS = (0, 10, 20, 30, 40, 50)


def run_choices(seed, choices):
    """Train and measure every choice in one simulated data set: tidy rows, CORnet's among them."""
    base = studies.simulated_study(seed)
    studies.prepare(base)
    cornet = Network("cornet", 0, 0, 0)
    studies.train(base, cornet)
    participants = [f"sub-{subject:02d}" for subject in SUBJECTS]
    tables = [studies.measures(base, cornet, p).assign(choice="cornet", trained_on=p) for p in participants]
    for choice in tqdm(choices, desc=f"simulation {seed}"):
        study = base
        if CHOICES[choice][1]:
            study = studies.variant(base, choice, CHOICES[choice][1])
            studies.share_prepared(study, base)
        for subject in SUBJECTS:
            network = Network("realnet", subject, study.training.main_beta, seed)
            studies.train(study, network)
            measured = studies.measures(study, network, network.trained_on)
            tables.append(measured.assign(choice=choice, trained_on=network.trained_on))
    return pd.concat(tables, ignore_index=True).assign(simulation=seed)


def run_betas(seeds):
    """Train and measure every beta in the demo's data: tidy rows, CORnet and Control with each participant."""
    study = studies.simulated_study(0, betas=BETAS[1:], seeds=seeds)
    studies.prepare(study)
    networks = [Network("cornet", 0, 0, 0), *(Network("control", 0, 0, seed) for seed in seeds)]
    networks += [Network("realnet", *of) for of in product(study.fmri.subjects, BETAS[1:], seeds)]
    tables = []
    for network in tqdm(networks, desc="betas"):
        studies.train(study, network)
        for participant in (
            [network.trained_on] if network.subject else (f"sub-{subject:02d}" for subject in study.fmri.subjects)
        ):
            measured = studies.measures(study, network, participant)
            tables.append(measured.assign(**network.columns | {"trained_on": participant}))
    return pd.concat(tables, ignore_index=True)


def main():
    """Run both experiments in a folder of their own."""
    given = studies.parse_arguments(
        "python -m experiments.ablation", __doc__,
        long_simulations=(3, "data sets in which 30 epochs are trained"), seeds=(3, "seeds of each beta"),
    )  # fmt: skip
    common = {"threads": 1, "study": studies.simulated_study(0).model_dump(mode="json")}
    start = time.monotonic()
    sweep = run_betas(tuple(range(given.seeds)))
    settings = common | {"betas": BETAS, "seeds": given.seeds, "pretrained": pretrained_digest()}
    keep("beta_sweep", sweep, settings, time.monotonic() - start)
    if not given.simulations:
        return

    start = time.monotonic()
    tables = []
    for seed in range(given.simulations):
        tables.append(run_choices(seed, [c for c in CHOICES if c not in LONG or seed < given.long_simulations]))
    settings = common | {
        "simulations": given.simulations, "long_simulations": given.long_simulations, "subjects": SUBJECTS,
        "choices": {name: {"about": about, "changes": changes} for name, (about, changes) in CHOICES.items()},
    }  # fmt: skip
    keep("ablation", pd.concat(tables, ignore_index=True), settings, time.monotonic() - start)


if __name__ == "__main__":
    main()
