"""What people call pictures: the decisions of Geirhos et al. (2021), trial by trial, their images and 16 categories.

Published as one CSV a person and session, ``raw-data/<experiment>_subject-01_session_1.csv``, in
github.com/bethgelab/model-vs-human (17 experiments) and github.com/rgeirhos/texture-vs-shape (edge drawings).
Source: arXiv 2106.07411.
"""

import ast
import json
from pathlib import Path

import numpy as np
import pandas as pd

from realnet.datasets.files import find_files
from realnet.errors import InvalidInput, MissingInput

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")

#: The answer of a person who did not answer in time; it counts as wrong.
NO_RESPONSE = "na"

_DECISIONS = r"(?i)(?P<experiment>[^.].*)_(?:subject-\d+|[a-z0-9.+-]+)_session_\d+\.csv"
_IMAGE = r"(?i)[^.].*\.(?:png|jpe?g)"
# Experiments whose pictures are published under the names of the objects, the same in all of them.
_PLAINLY_NAMED = ("edge", "silhouette", "cue-conflict", "texture", "greyscale")
_MAPPING = r"sixteen_class_mapping\.json|human_categories\.py"


def find_experiments(root: str | Path) -> list[str]:
    """The names of the experiments whose decisions lie below a folder, sorted.

    Raises `MissingInput` if there is none.
    """
    return sorted({_experiment_of(path) for path in _find_decisions(root)})


def load(root: str | Path, experiment: str | None = None) -> pd.DataFrame:
    """The decisions of people and networks, one row a trial; of one experiment, or of all that are here.

    `root`: a folder that holds the published CSV files under their published names, at any depth. Returns the columns
    `experiment` (the beginning of the file's name) `subject` (`subject-01`, or the name of a network) `person` (bool)
    `session` `trial` `rt` (s, NaN for networks) `object_response` (a category, or `na`) `category` `condition` (text)
    `imagename` `stimulus` (the picture shown, without ending: `oven10`) and `correct` (bool; `na` is wrong).
    Raises `MissingInput` if there is no such file, `InvalidInput` if one is damaged, holds a trial without a picture,
    a response that is no category of its experiment, or the same picture twice in one condition of a person.
    """
    paths = _find_decisions(root, experiment)
    tables = [_read_decisions(path) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        experiment = table.experiment.iloc[0]
        known = {c for other in tables if other.experiment.iloc[0] == experiment for c in other.category}
        unknown = table.object_response[~table.object_response.isin(known | {NO_RESPONSE})]
        if len(unknown):
            raise InvalidInput(
                f"{path}, trial {table.trial[unknown.index[0]]}: expected one of {len(known)} categories or"
                f" {NO_RESPONSE!r} as object_response, not {unknown.iloc[0]!r}; get the file again"
            )
    table = pd.concat(tables, ignore_index=True)
    keys = ["experiment", "subject", "condition", "stimulus"]
    twice = table[table.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        raise InvalidInput(
            f"{root}: {row.subject} of {row.experiment} decided twice on {row.stimulus} in condition {row.condition};"
            " keep one of the files"
        )
    return table


def find_decisions(root: str | Path) -> list[Path]:
    """The files below a folder that say who decided what, and which classes make up the categories."""
    return find_files(root, f"{_DECISIONS}|{_MAPPING}")


def _find_decisions(root: str | Path, experiment: str | None = None) -> list[Path]:
    """The CSV files of one experiment, or of all; raises `MissingInput` if there is none."""
    paths = find_files(root, _DECISIONS)
    if experiment is not None:
        paths = [path for path in paths if _experiment_of(path) == experiment]
    if not paths:
        raise MissingInput(
            f"{root}: expected {experiment or '<experiment>'}_subject-01_session_1.csv and further decisions of people"
            " below this folder, but there are none; see data/README.md"
        )
    return paths


def _experiment_of(path: Path) -> str:
    """The experiment that the name of a file of decisions begins with."""
    return path.name.rsplit("_", 3)[0]


def _read_decisions(path: Path) -> pd.DataFrame:
    """One CSV file, checked."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8", skipinitialspace=True)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InvalidInput(f"{path}: expected a CSV file of decisions ({error}); get the file again") from error
    table = table.rename(columns=str.lower)  # some experiments have a column Session
    if missing := [column for column in COLUMNS if column not in table.columns]:
        raise InvalidInput(f"{path}: expected the column {missing[0]!r}, but it has {', '.join(table.columns)}")
    empty = (table[["subj", "trial", "object_response", "category", "imagename"]] == "").any(axis=1)
    if not len(table) or empty.any():
        what = f"trial {table.trial[empty].iloc[0] or '?'} has empty cells" if len(table) else "it holds no trials"
        raise InvalidInput(f"{path}: expected a whole row for every trial, but {what}; get the file again")
    try:
        numbers = {"session": table.session.astype(int), "trial": table.trial.astype(int)}
        rt = table.rt.mask(table.rt.str.lower().isin(("", "na", "nan"))).astype(float)
    except ValueError as error:
        raise InvalidInput(f"{path}: expected numbers as session, trial and rt ({error}); get it again") from error
    if table.subj.nunique() > 1:
        raise InvalidInput(f"{path}: expected the decisions of one subject, but it has {table.subj.nunique()}")
    return pd.DataFrame({
        "experiment": _experiment_of(path),
        "subject": table.subj,
        "person": table.subj.str.fullmatch(r"subject-\d+"),
        **numbers,
        "rt": rt,
        "object_response": table.object_response,
        "category": table.category,
        "condition": table.condition,
        "imagename": table.imagename,
        "stimulus": table.imagename.map(stimulus_of),
        "correct": table.object_response == table.category,
    })  # fmt: skip


def stimulus_of(name: str) -> str:
    """The picture that a published name means: `0001_edg_s01_0_oven_00_oven10.png` and `oven10.png` -> `oven10`.

    The parts are trial, experiment, who was shown it, condition, category, two digits, and the picture; the picture's
    own name may hold underscores.
    """
    return Path(name).stem.split("_", 6)[-1] if name.count("_") >= 6 else Path(name).stem


def find_images(root: str | Path, trials: pd.DataFrame) -> list[Path]:
    """The image file of every trial of one experiment, in the order of its rows.

    `trials`: rows of `load`, of one experiment. An image may bear the published name of a trial, of whomever it was
    shown to; then experiment, condition and picture must be those of the trial. Or it may bear its picture's own name
    (`oven10.png`), where the experiment has one condition: below a folder that bears the experiment's name, or in one
    that holds the decisions of this experiment and of no other.
    Raises `MissingInput` that counts and names the trials without an image, `InvalidInput` for one with two.
    """
    experiment = trials.experiment.iloc[0]
    tag = trials.imagename.iloc[0].split("_")[1] if trials.imagename.iloc[0].count("_") >= 6 else ""
    single = trials.condition.nunique() == 1
    wanted = set(zip(trials.condition, trials.stimulus, strict=True))
    found: dict[tuple[str, str], Path] = {}
    decided = _experiments_by_folder(root)
    unclear = None  # an image of the right name that may be another experiment's
    for path in find_files(root, _IMAGE):
        parts = path.stem.split("_", 6)
        if len(parts) == 7 and parts[1] == tag:
            key = (parts[3], parts[6])
        elif single and (trials.condition.iloc[0], path.stem) in wanted:
            key = (trials.condition.iloc[0], path.stem)
            if not _is_of(experiment, path, Path(root), decided):
                unclear = path
                continue
        else:
            continue
        if key in wanted:
            if key in found:
                raise InvalidInput(f"{path}: the image {key[1]} is also at {found[key]}; keep one of them")
            found[key] = path
    if missing := sorted(wanted - set(found)):
        advice = (
            f"{unclear} may be of another experiment: put the images of this one below a folder called {experiment}"
            if unclear
            else "see data/README.md"
        )
        raise MissingInput(
            f"{root}: {len(missing)} of {len(wanted)} images of {experiment} are not below this folder, among them"
            f" {missing[0][1]} in condition {missing[0][0]}; {advice}"
        )
    return [found[key] for key in zip(trials.condition, trials.stimulus, strict=True)]


def _is_of(experiment: str, path: Path, root: Path, decided: dict[Path, set[str]]) -> bool:
    """Whether an image that bears no more than its picture's name is one of an experiment.

    Edge drawings and silhouettes of one object have the same name: the nearest folder that tells decides.
    """
    known = {_plain(name) for name in (*decided.get(root, ()), experiment, *_PLAINLY_NAMED)}
    for folder in path.parents:
        if folder == root:
            break
        if _plain(folder.name) in known:
            return _plain(folder.name) == _plain(experiment)
        if folder in decided:
            return decided[folder] == {experiment}
    return decided.get(root, {experiment}) == {experiment}


def _plain(name: str) -> str:
    """The name of an experiment or of a folder of its images, of which `edges` and `edge-experiment` are alike."""
    return name.lower().removesuffix("-experiment").removeprefix("filled-").removesuffix("s")


def _experiments_by_folder(root: str | Path) -> dict[Path, set[str]]:
    """Folder -> the experiments whose decisions lie in it, at any depth."""
    folders: dict[Path, set[str]] = {}
    for path in find_files(root, _DECISIONS):
        for folder in path.parents:
            folders.setdefault(folder, set()).add(_experiment_of(path))
            if folder == Path(root):
                break
    return folders


def load_categories(root: str | Path, names: set[str] | None = None) -> dict[str, np.ndarray]:
    """The classes that make up each of the 16 categories: dict category -> int indices of the network's outputs.

    Read from `human_categories.py` as published in model-vs-human (its lists `oven_indices = [...]`, which are read,
    not run), or from `sixteen_class_mapping.json` ({"oven": {"imagenet_indices": [...], "wnids": [...]}, ...}).
    `names`: the categories that are wanted (the published file has more than 16).
    Raises `MissingInput` if there is no such file, `InvalidInput` if it lacks a category, or if several differ.
    """
    paths = find_files(root, _MAPPING)
    if not paths:
        raise MissingInput(
            f"{root}: the file that says which classes make up the 16 categories is not below this folder; get it as"
            " data/README.md says, and put it here"
        )
    categories = _read_categories(paths[0], names)
    for path in paths[1:]:  # the one is as good as the other, where both say the same
        others = _read_categories(path, names)
        shared = categories.keys() & others.keys()
        if differing := sorted(name for name in shared if set(categories[name]) != set(others[name])):
            raise InvalidInput(
                f"{path}: expected the same classes of {differing[0]!r} as in {paths[0]}, but they differ; keep the"
                " file that is meant"
            )
    return categories


def _read_categories(path: Path, names: set[str] | None) -> dict[str, np.ndarray]:
    """One file of `load_categories`, checked."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            lists = {name: entry["imagenet_indices"] for name, entry in json.loads(text).items()}
        else:
            lists = _assigned_lists(text)
        categories = {name: np.array(indices, dtype=int) for name, indices in sorted(lists.items())}
        if any(indices.ndim != 1 or not indices.size or indices.min() < 0 for indices in categories.values()):
            raise ValueError("a category has no classes")
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path}: expected the classes of 16 categories ({error}); get the file again") from error
    if lacking := sorted((names or set()) - set(categories)):
        raise InvalidInput(f"{path}: expected the classes of {lacking[0]!r}, but it has {', '.join(categories)}")
    return {name: categories[name] for name in categories if names is None or name in names}


def _assigned_lists(text: str) -> dict[str, list[int]]:
    """Literal lists assigned to a name that ends in `_indices`, anywhere in a Python file."""
    return {
        statement.targets[0].id.removesuffix("_indices"): ast.literal_eval(statement.value)
        for statement in ast.walk(ast.parse(text))
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id.endswith("_indices")
        and isinstance(statement.value, ast.List)
        and statement.value.elts
    }
