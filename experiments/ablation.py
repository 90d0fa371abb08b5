"""What each choice of the training changes, over simulated worlds; and how much depends on beta: `make ablation`.

``ablation``: in every world two people teach a network for each choice, which differs from the paper's words in that
choice alone. ``beta_sweep``: in the demo's world three people teach networks of each beta with three seeds. What is
finished in the folder is not done again.
"""

import time

import pandas as pd
from tqdm import tqdm

from experiments.kept import keep
from experiments.worlds import (
    arguments_of_worlds,
    measures,
    prepare,
    share_prepared,
    train,
    use_folder,
    variant,
    world_study,
)

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
    "epochs-30": ("epochs", {"training": {"epochs": 30}}),
    "released": (
        "all that the released notebook does",
        {"training": {"betas": (100,), "main_beta": 100, "epochs": 30, "contrastive": "detached",
                      "batch_norm_momentum": 0.19, "selection": "best_test_loss"}},
    ),
}  # fmt: skip
LONG = ("epochs-30", "released")  # six times as long as the others: in fewer worlds
TEACHERS = (1, 2)
BETAS = (0, 10, 20, 30, 40, 50)


def run_choices(world, choices):
    """Train and measure every choice in one world: tidy rows, CORnet's among them."""
    base = world_study(world)
    prepare(base)
    cornet = base.find_network()
    train(base, cornet)
    tables = [measures(base, cornet).assign(choice="cornet", world=world, trained_on="")]
    for choice in tqdm(choices, desc=f"world {world}"):
        study = base
        if CHOICES[choice][1]:
            study = variant(base, choice, CHOICES[choice][1])
            share_prepared(study, base)
        for subject in TEACHERS:
            network = study.find_network(subject, study.training.main_beta, world)
            train(study, network)
            tables.append(measures(study, network).assign(choice=choice, world=world, trained_on=network.trained_on))
    return pd.concat(tables, ignore_index=True)


def run_betas(seeds):
    """Train and measure every beta in the demo's world: tidy rows, CORnet's among them."""
    study = world_study(0, betas=BETAS[1:], seeds=seeds)
    prepare(study)
    networks = [network for network in study.networks() if network.model != "shuffled"]
    tables = []
    for network in tqdm(networks, desc="betas"):
        train(study, network)
        tables.append(measures(study, network).assign(**network.columns))
    return pd.concat(tables, ignore_index=True)


def main():
    """Run both experiments in a folder of their own."""
    parser = arguments_of_worlds("python -m experiments.ablation", __doc__)
    parser.add_argument("--long-worlds", type=int, default=3, help="worlds in which 30 epochs are trained")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each beta")
    arguments = parser.parse_args()
    use_folder(arguments.folder)
    common = {"threads": 1, "study": world_study(0).model_dump(mode="json")}

    start = time.monotonic()
    sweep = run_betas(tuple(range(arguments.seeds)))
    keep("beta_sweep", sweep, common | {"betas": BETAS, "seeds": arguments.seeds}, time.monotonic() - start)

    start = time.monotonic()
    tables = []
    for world in range(arguments.worlds):
        choices = [c for c in CHOICES if c not in LONG or world < arguments.long_worlds]
        tables.append(run_choices(world, choices))
    settings = common | {
        "worlds": arguments.worlds,
        "long_worlds": arguments.long_worlds,
        "teachers": TEACHERS,
        "choices": {name: {"about": about, "changes": changes} for name, (about, changes) in CHOICES.items()},
    }
    keep("ablation", pd.concat(tables, ignore_index=True), settings, time.monotonic() - start)


if __name__ == "__main__":
    main()
