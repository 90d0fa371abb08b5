"""Decisions of people and networks on images of 16 categories, trial by trial (Geirhos et al. 2021, arXiv 2106.07411).

Published as one CSV per subject and session, ``<experiment>_subject-01_session_1.csv``, in
github.com/bethgelab/model-vs-human (17 experiments) and github.com/rgeirhos/texture-vs-shape (edge drawings).
"""

import ast
import json
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from realnet.datasets.files import IMAGE, find_files, find_one
from realnet.errors import InvalidInput, MissingInput

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
NO_RESPONSE = "na"  # of a person who did not answer in time; it counts as wrong
_DECISIONS = r"(?i){}_[a-z0-9.+-]+_session_\d+\.csv"
_MAPPING = r"sixteen_class_mapping\.json|human_categories\.py"


def find_experiments(root):
    """The experiments whose decisions lie below a folder, sorted: list of str."""
    return sorted({path.name.rsplit("_", 3)[0] for path in _find_decisions(root)})


def files(root):
    """The decisions, categories and images that are read below a folder: list of Path.

    Experiments with missing or damaged files contribute no images. Raises ``MissingInput`` if there are no decisions.
    """
    found = [*_find_decisions(root), *find_files(root, _MAPPING)]
    for experiment in find_experiments(root):
        with suppress(InvalidInput, MissingInput):
            found += sorted(set(find_images(root, load(root, experiment))))
    return found


def load(root, experiment=None):
    """The decisions of one experiment, or of all below a folder, one row per trial.

    Returns a DataFrame: ``experiment`` (beginning of the file name), ``subject`` (``subject-01`` or the name of a
    network), ``person`` (bool), ``trial``, ``object_response`` (a category or ``na``), ``category``, ``condition``,
    ``imagename``, ``stimulus`` (such as ``oven10``) and ``correct`` (bool).
    """
    table = pd.concat([_read_decisions(path) for path in _find_decisions(root, experiment)], ignore_index=True)
    known = table.groupby("experiment").category.agg(set)
    valid = [r == NO_RESPONSE or r in known[e] for r, e in zip(table.object_response, table.experiment, strict=True)]
    twice = table.duplicated(["experiment", "subject", "condition", "stimulus"])
    for row in table[twice | ~np.array(valid)].head(1).itertuples():
        found = f"{row.object_response!r} in trial {row.trial} for {row.stimulus} in condition {row.condition}"
        expected = f"a category or {NO_RESPONSE!r}, once per image"
        raise InvalidInput(f"{root}: {row.subject} of {row.experiment} has {found}; expected {expected}")
    return table


def find_images(root, trials):
    """The images of trials of one experiment, rows of :func:`load`: list of Path in the order of the rows.

    Files may have the published name of the trial, of any subject (``0001_edg_s01_0_oven_00_oven10.png``). In an
    experiment with one condition they may also be named after the object (``oven10.png``), below a folder that is named
    after the experiment (``edges`` or ``geirhos_edge`` for ``edge-experiment``, ``filled-silhouettes`` for
    ``silhouette-filled-experiment``): other experiments have such files too.
    """
    experiment, tag = trials.experiment.iloc[0], _parts(trials.imagename.iloc[0])[1]
    keys = list(zip(trials.condition, trials.stimulus, strict=True))
    wanted, found, single = set(keys), {}, trials.condition.nunique() == 1
    for path in find_files(root, IMAGE):
        _, shown_in, _, condition, _, _, stimulus = _parts(path.name)
        if single and not shown_in and _is_of(experiment, path, root):
            condition = keys[0][0]
        elif not shown_in or shown_in != tag:
            continue
        key = condition, stimulus
        if key in wanted and found.setdefault(key, path) != path:
            raise InvalidInput(f"{path}: the image {stimulus} is also at {found[key]}; keep one of them")
    if missing := [f"{stimulus} in condition {condition}" for condition, stimulus in sorted(wanted - set(found))]:
        what = f"{len(missing)} of {len(wanted)} images of {experiment} are missing, such as {', '.join(missing[:3])}"
        raise MissingInput(f"{root}: {what}; put them below a folder called {experiment}, see data/README.md")
    return [found[key] for key in keys]


def load_categories(root, names=None):
    """The classes that make up each category: dict category -> int indices of the network's outputs.

    Read from ``human_categories.py`` of model-vs-human (its lists ``oven_indices = [...]``, which are not run), or from
    ``sixteen_class_mapping.json`` (``{"oven": {"imagenet_indices": [...]}, ...}``). ``names``: only these categories.
    """
    path = find_one(root, _MAPPING, "the file that says which classes make up the 16 categories")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            lists = _index_lists(text)
        else:
            lists = {name: entry["imagenet_indices"] for name, entry in json.loads(text).items()}
        found = {name: np.array(lists[name], dtype=int) for name in sorted(names or lists)}
        if any(indices.ndim != 1 or not indices.size or indices.min() < 0 for indices in found.values()):
            raise ValueError("a category has no classes")
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path}: expected the classes of every category ({error!r}); get the file again") from error
    return found


def _find_decisions(root, experiment=None):
    """The CSV files of one experiment, or of all."""
    paths = find_files(root, _DECISIONS.format("[^.].*" if experiment is None else re.escape(experiment)))
    if not paths:
        name = f"{experiment or '<experiment>'}_subject-01_session_1.csv"
        raise MissingInput(f"{root}: expected {name}, ... below it; see data/README.md")
    return paths


def _read_decisions(path):
    """One CSV file, checked."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True).fillna("")
        table = table.rename(columns=str.lower)[list(COLUMNS)]  # some experiments have a column Session
        table = table.drop(columns=["session", "rt"]).rename(columns={"subj": "subject"})
        if table.empty or (table.drop(columns="condition") == "").any(axis=None):
            raise ValueError("it has empty cells or no trials")
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(f"{path}: expected rows of {', '.join(COLUMNS)} ({error}); get the file again") from error
    return table.assign(
        experiment=path.name.rsplit("_", 3)[0],
        person=table.subject.str.fullmatch(r"subject-\d+"),
        stimulus=[_parts(name)[-1] for name in table.imagename],
        correct=table.object_response == table.category,
    )


def _parts(name):
    """The 7 parts of a published name; else 6 empty ones and the stimulus, whose own name may hold underscores."""
    parts = Path(name).stem.split("_", 6)  # trial, experiment, shown to, condition, category, two digits, stimulus
    return parts if len(parts) == 7 else [""] * 6 + [Path(name).stem]


def _is_of(experiment, path, root):
    """Whether an image lies below a folder, at most ``root``, that is named after an experiment."""
    names = (experiment, Path(root).name, *path.relative_to(root).parts[:-1])
    name, *folders = (re.sub(r"-filled|filled-|s?(-experiment)?$", "", text.lower()) for text in names)
    return any(folder.endswith(name) for folder in folders)


def _index_lists(text):
    """The literal lists in Python text that are assigned to a name ending in ``_indices``."""
    found = {}
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.List(elts=[_, *_])) if name.endswith("_indices"):
                found[name.removesuffix("_indices")] = ast.literal_eval(node.value)
    return found
