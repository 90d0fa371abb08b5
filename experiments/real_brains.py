"""Does alignment with one real person make a real network more similar to people? ``python -m experiments.real_brains``

EfficientNet-Lite0 is aligned with human IT of four people (session 1; the 92 objects), with the paper's encoding loss
and with the similarity loss, and compared on held-out images with session 2 of the same person, with other people,
monkeys and judgements. What is finished in the folder is not done again; several processes may share it, each with
its own seeds. About half a minute of one core per network; a GPU is used where there is one.
"""

import argparse
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from experiments.tables.kept import keep
from realnet.activations import compute_model_rdms, normalise, prepare_arrays
from realnet.analyses import effect_rows
from realnet.analyses.objects92 import PEOPLE, brains_of
from realnet.backbones import EfficientNetLite0
from realnet.datasets import objects92
from realnet.io import whole_file
from realnet.rdm import pairs_among, square
from realnet.responses import scores_from_rdm
from realnet.sections import TrainingSettings
from realnet.similarity import compare_rdms
from realnet.statistics import bootstrap_similarities, generalise
from realnet.training import align

STAGES = ("stage 2", "stage 3", "stage 5", "stage 7")
#: The weight of each loss: the paper's, and one fixed before in a trial with the mean of the 15 people of Algonauts.
BETAS = {"encoding": 40, "similarity": 10}
N_FOLDS, N_TRAIN, SEEDS = 4, (23, 46, 69), (0, 1, 2)
#: The images themselves have 175 pixels; fewer pixels than the 224 of EfficientNet-Lite0 take less time.
IMAGE_SIZE = 128
MEAN = "mean of 4"  # people whose RDMs of session 1 are averaged
SAME, OTHERS = "same person, session 2", "other people"
COMPARISONS = [("aligned", "pretrained"), ("aligned", "control"), ("aligned", "shuffled"), ("shuffled", "control")]


class StageTraining(TrainingSettings):
    """The training of a study, with a readout from four stages of EfficientNet-Lite0."""

    layers: tuple[str, ...] = STAGES
    epochs: int = 10
    batch_size: int = 17
    batch_norm: str = "frozen"


class Run(NamedTuple):
    """One network; ``pretrained`` and ``control`` know no person and no loss."""

    model: str  # pretrained, control, aligned, shuffled
    loss: str = ""
    person: str = ""
    n_train: int = 69
    fold: int = 0
    seed: int = 0

    @property
    def name(self):
        """The stem of its file."""
        return "_".join(map(str, self)).replace(" ", "-")


def split(categories, fold, n_train=69):
    """Rows to train on and the held-out quarter; categories are spread over the quarters, which are always the same."""
    order = np.random.default_rng(92).permutation(len(categories))
    order = order[np.argsort(np.asarray(categories)[order], kind="stable")]
    quarters = [order[(fold + i) % N_FOLDS :: N_FOLDS] for i in range(N_FOLDS)]
    return np.sort(np.concatenate(quarters[1:])[:n_train]), np.sort(quarters[0])


def targets_of(rdm, train, test, loss):
    """What a network is given for its training images (n_train, n_components), by the loss.

    ``encoding``: all component scores, by one factor so that their mean variance is 1, as in a study. ``similarity``: a
    root of R = 1 - RDM of the training images, so that the products of its rows are R itself.
    """
    if loss == "similarity":
        return np.linalg.cholesky((1 - square(rdm))[np.ix_(train, train)])
    scores, _ = scores_from_rdm(rdm, train, test, len(train) - 1)
    return scores / scores.std()


def train_run(run, images, rdm, categories, settings=None, network=None):
    """Align a network (EfficientNet-Lite0) with the RDM of a person; ``control`` and ``shuffled`` as in a study."""
    network = EfficientNetLite0() if network is None else network
    if run.model == "pretrained":
        return network
    train, test = split(categories, run.fold, run.n_train)
    loss = run.loss or "encoding"
    targets = targets_of(rdm, train, test, loss)
    if run.model == "shuffled":
        targets = targets[np.random.default_rng([run.seed, run.fold]).permutation(len(train))]
    settings = (settings or StageTraining()).model_copy(update={"loss": loss})
    beta = 0 if run.model == "control" else BETAS[loss]
    model, _ = align(network, images[train], targets, settings, beta=beta, seed=run.seed, progress=False)
    return model.realnet


@torch.no_grad()
def measure(network, images, stimulus, layers=STAGES):
    """RDMs of the layers (layer, pair) and the class (stimulus) of held-out images."""
    rdms = compute_model_rdms(network, images, stimulus, layers, device="cpu").values
    return rdms, network(normalise(images)).argmax(dim=1).numpy()


def teacher_rdms(objects):
    """The RDMs that networks are aligned with: dict person -> (pair,), session 1, and their mean."""
    first = objects.session_rdms.sel(session=1)
    return {str(p): first.sel(person=p).values for p in first.person.values} | {MEAN: first.mean("person").values}


def brains_for(objects, person):
    """What a network aligned with ``person`` is compared with: dict name -> array (n_rdms, pair)."""
    second, both = objects.session_rdms.sel(session=2), objects.session_rdms.mean("session")
    found = {name: rdms.values for name, rdms in brains_of(objects).items() if name != PEOPLE}
    if person == MEAN:
        return {SAME: second.values} | found
    others = [other for other in objects.person.values if other != person]
    return {SAME: second.sel(person=[person]).values, OTHERS: both.sel(person=others).values} | found


def planned(people, seeds, folds):
    """Every network: the similarity loss with all seeds; with the first seed also the encoding loss, the mean of the
    people, and the similarity loss with fewer images."""
    runs = [Run("pretrained", fold=fold) for fold in folds]
    for fold in folds:
        for seed in seeds:
            for n in N_TRAIN if seed == SEEDS[0] else N_TRAIN[-1:]:
                runs.append(Run("control", n_train=n, fold=fold, seed=seed))
                most = seed == SEEDS[0] and n == N_TRAIN[-1]
                teachers, losses = ([*people, MEAN], BETAS) if most else (people, ["similarity"])
                about = [(model, loss, p) for p in teachers for loss in losses for model in ("aligned", "shuffled")]
                runs += [Run(*which, n, fold, seed) for which in about]
    return runs


def train_all(runs, objects, folder, settings=None, image_size=IMAGE_SIZE):
    """Train and measure every run that the folder does not hold yet: dict Run -> (RDMs, classes, seconds)."""
    images = prepare_arrays(objects.images.values, image_size)
    categories, teachers, found = objects.category.values, teacher_rdms(objects), {}
    settings = settings or StageTraining()
    for run in tqdm(runs, desc="networks", delay=60, mininterval=60):
        path = Path(folder) / f"{run.name}_{image_size}-pixels_{settings.epochs}-epochs.npz"
        if not path.is_file():
            start, rdm = time.monotonic(), teachers[run.person or MEAN]
            network = train_run(run, images, rdm, categories, settings)
            test = split(categories, run.fold)[1]
            rdms, classes = measure(network, images[test], objects.stimulus.values[test])
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, rdms=rdms, classes=classes, seconds=time.monotonic() - start)
        with np.load(path) as file:
            found[run] = tuple(file[name] for name in ("rdms", "classes", "seconds"))
    return found


def similarity_rows(found, objects):
    """Rows of each run, person and brain (mean over its RDMs), on held-out images.

    ``rho`` of each stage, of the ``best`` and the ``mean`` of them; ``agreement`` of the classes with those before.
    """
    rows, people = [], [str(person) for person in objects.person.values]
    for run, (rdms, classes, _) in found.items():
        pairs = pairs_among(92, split(objects.category.values, run.fold)[1])
        about = dict(zip(("model", "loss", "trained_on", "n_train", "fold", "seed"), run, strict=True))
        before = found[Run("pretrained", fold=run.fold)][1]
        rows.append({**about, "metric": "agreement", "value": float((classes == before).mean())})
        for person in [run.person] if run.person else people:
            for brain, brains in brains_for(objects, person).items():
                rho = compare_rdms(rdms, brains[:, pairs]).mean(axis=1)
                cells = {**dict(zip(STAGES, rho, strict=True)), "best": rho.max(), "mean": rho.mean()}
                shared = {**about, "subject": person, "roi": brain, "metric": "rho"}
                rows += [{**shared, "layer": layer, "value": value} for layer, value in cells.items()]
    return rows


def difference_rows(found, objects, people, seeds, folds, n_bootstraps=1000):
    """Differences between kinds of networks that generalise over images, people and seeds: rows with intervals.

    The mean over folds is a mean over all held-out images, but each fold is resampled by itself (the same resamples for
    all networks). Degrees of freedom of the images are those of one fold, which is conservative.
    """
    rows = []
    plans = [(p, n, s) for n in N_TRAIN for p, s in ((people, seeds), ([MEAN], seeds[:1]))]
    for loss in BETAS:
        for teachers, n, used in plans:
            used = used if n == N_TRAIN[-1] and loss == "similarity" else used[:1]
            wanted = {
                model: _grid(model, loss, teachers, n, folds, used)
                for model in ("pretrained", "control", "aligned", "shuffled")
            }
            if not all(run in found for grid in wanted.values() for run in grid.ravel().tolist()):
                continue
            values = _resampled(wanted, found, objects, teachers, n_bootstraps)
            for (brain, layer), kinds in values.items():
                for model, reference in COMPARISONS:
                    effect = generalise(kinds[model] - kinds[reference], n_images=92 // N_FOLDS, n_factors=2)
                    trained = "people" if teachers == people else MEAN
                    about = {"model": model, "reference": reference, "loss": loss, "trained_on": trained, "n_train": n}
                    rows += effect_rows(
                        effect, {}, **about, roi=brain, layer=layer, metric="difference", n_seeds=len(used)
                    )
    return rows


def _grid(model, loss, people, n, folds, seeds):
    """Runs of one kind, object array (fold, person, seed); a kind without person or seed is repeated."""
    grid = np.empty((len(folds), len(people), len(seeds)), dtype=object)
    for f, p, s in np.ndindex(grid.shape):
        run = {"pretrained": Run(model, fold=folds[f]), "control": Run(model, "", "", n, folds[f], seeds[s])}
        grid[f, p, s] = run.get(model, Run(model, loss, people[p], n, folds[f], seeds[s]))
    return grid


def _resampled(wanted, found, objects, people, n_bootstraps):
    """Dict (brain, layer) -> dict kind -> array (1 + n_bootstraps, person, seed), mean over folds."""
    result, n_folds = {}, len(next(iter(wanted.values())))
    for f in range(n_folds):
        fold = wanted["control"][f, 0, 0].fold
        pairs = pairs_among(92, split(objects.category.values, fold)[1])
        for p, person in enumerate(people):
            brains = {name: rdms[:, pairs] for name, rdms in brains_for(objects, person).items()}
            runs = [run for grid in wanted.values() for run in grid[f, p]]
            models = np.concatenate([found[run][0] for run in runs])
            together = np.concatenate(list(brains.values()))
            samples = bootstrap_similarities(models, together, n_bootstraps, seed=fold)
            rho = np.concatenate([compare_rdms(models, together)[None], samples])
            rho = rho.reshape(len(rho), len(wanted), -1, len(STAGES), len(together))  # kind, seed, stage, rdm
            parts = np.split(rho, np.cumsum([len(rdms) for rdms in brains.values()])[:-1], axis=-1)
            for name, part in zip(brains, parts, strict=True):
                part = part.mean(axis=-1)
                layers = dict(zip(STAGES, np.moveaxis(part, -1, 0), strict=True))
                layers |= {"best": part.max(axis=-1), "mean": part.mean(axis=-1)}
                for layer, value in layers.items():
                    shape = (len(rho), len(people), value.shape[-1])
                    cell = result.setdefault((name, layer), {kind: np.zeros(shape) for kind in wanted})
                    for k, kind in enumerate(wanted):
                        cell[kind][:, p] += value[:, k] / n_folds
    return result


def main():
    """Run what is missing, and keep the table if it has all people and seeds, of the folds that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m experiments.real_brains", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="results/experiments/real_brains", help="where finished networks are noted")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--folds", type=int, nargs="+", default=range(N_FOLDS))
    parser.add_argument("--people", nargs="+", default=["BE", "KO", "SN", "TI"])
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    os.makedirs(given.folder, exist_ok=True)
    torch.set_num_threads(1)
    objects = objects92.load(os.environ.get("REALNET_DATA", "data/raw/objects92"))
    settings, people = StageTraining(epochs=given.epochs), given.people
    seeds, folds = tuple(given.seeds), list(given.folds)
    found = train_all(planned(people, seeds, folds), objects, given.folder, settings)
    rows = similarity_rows(found, objects) + difference_rows(found, objects, people, seeds, folds)
    table = pd.DataFrame(rows)
    if (seeds, len(people), given.epochs) == (SEEDS, 4, 10):
        about = {"training": settings.model_dump(mode="json"), "betas": BETAS, "seeds": seeds, "folds": folds,
                 "n_train": N_TRAIN, "people": people, "15 people of Algonauts": "human_rdms" in objects}  # fmt: skip
        keep("real_brains", table, about, sum(float(seconds) for *_, seconds in found.values()))
    else:
        print(f"{len(found)} networks, {len(table)} rows; not kept, since people, seeds or epochs are not all")
        print(table[table.metric == "difference"].head(12).to_string())


if __name__ == "__main__":
    main()
