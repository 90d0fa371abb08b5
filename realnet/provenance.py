"""What every result was made from, written with it and compared when it is read again.

Beside its own content every result holds a note: the ``notebook`` that made it, and SHA-256 hashes of

- ``settings``: the settings that it depends on (:data:`SETTINGS`); a table depends on all but name, description and
  ``raw``. Another description makes nothing stale, another beta no trained network, another ``inference`` no RDM;
- ``code``: the notebook's code cells and the files of every module of realnet that it imports, comments included.
  Snakemake runs a notebook again when its code changes; a reader of results is not stopped by it;
- ``inputs``: path -> hash of each file that was read for it. Paths are relative to the project (``raw:`` to the study's
  raw data, ``repository:`` to the repository). A path that ends in / stands for the images below it, ``world.json``
  for a simulated world;

and the versions of the ``packages`` that calculate. No times and no absolute paths: equal runs leave equal bytes.

The note is the attribute ``realnet`` of a netCDF file, the metadata ``realnet`` in the header of a safetensors file
(and in the .json beside it), and ``<table>.json`` beside a table, there with the hash of the table itself. Reading a
result compares the note with what lies there now, and so on through the inputs that are results themselves; where
something has changed, :class:`~realnet.errors.InvalidInput` names the notebook to run again. Inputs that have been
removed (recordings, to save space) are no change.
"""

import json
import os
import platform
import warnings
from functools import cache
from importlib.metadata import version
from pathlib import Path

import h5py

from realnet.errors import InvalidInput
from realnet.hashing import file_hash, input_hash, keep_hashes, text_hash
from realnet.notebook import modules_of, read_code
from realnet.places import REPOSITORY, project_root
from realnet.settings import TrainingSettings

#: Packages whose version may change a number.
PACKAGES = ("torch", "torchvision", "numpy", "scipy", "numba", "scikit-learn", "pandas", "xarray", "statsmodels")

#: Which networks a study trains; each network depends on its own subject, beta and seed alone.
_WHICH_NETWORKS = {"betas", "main_beta", "seeds", "shuffled_null"}

#: kind of result -> the settings that it depends on; any other kind: all but :data:`_NOT_CALCULATED`.
SETTINGS = {
    "targets": ("simulated", "fmri.dataset", "fmri.training_rois", "fmri.n_components", "fmri.voxel_scaling",
                "fmri.component_scaling"),
    "fmri_rdms": ("simulated", "fmri.dataset", "fmri.test_sets", "fmri.subjects", "fmri.other_subjects", "fmri.rois"),
    "eeg_rdms": ("simulated", "eeg"),
    "dimension_rdms": ("simulated",),
    "network": ("simulated", "network", "fmri.dataset", "stimulus_sets",
                *sorted(f"training.{key}" for key in TrainingSettings.model_fields if key not in _WHICH_NETWORKS)),
}  # fmt: skip
_NOT_CALCULATED = {"name", "description", "raw"}

_read = {}  # path -> name of the study: what this process has read through realnet.results
_saved = set()  # names of the studies that this process has saved results of


def note(study, *paths):
    """Remember that files were read; tables that this process saves from now on are made from them."""
    for path in paths:
        _read[Path(path)] = study.name


def inputs_of(study, path):
    """What a table is made from: all that this process has read, but for

    the table itself, what was made from it (cells may be run in any order), and the results of other studies that this
    process makes as well.
    """
    key, inputs = _key(study, path), []
    for file, name in _read.items():
        if file != path and (name == study.name or name not in _saved):
            about = read_note(file)
            if about is None or key not in about["inputs"]:
                inputs.append(file)
    return inputs


def made_from(study, kind, notebook, inputs):
    """The note for a result that is about to be saved.

    Parameters
    ----------
    study : realnet.study.Study
    kind : str
        A key of :data:`SETTINGS`, or the name of a table.
    notebook : str or None
        Name of the notebook that makes it, without ending.
    inputs : iterable of paths
        Those that are not there, or neither in the project nor in its raw data, are left out.

    Returns
    -------
    dict
        Anything JSON can hold; see the module.
    """
    _saved.add(study.name)
    hashes = {_key(study, path): input_hash(path) for path in inputs if Path(path).exists()}
    hashes.pop(None, None)
    keep_hashes()
    return {
        "study": study.name,
        "kind": kind,
        "notebook": notebook,
        "settings": settings_hash(study, kind),
        "code": code_hash(notebook),
        "inputs": dict(sorted(hashes.items())),
        "packages": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def settings_hash(study, kind):
    """Hash of the settings that a kind of result depends on."""
    settings = study.model_dump(mode="json") | {"stimulus_sets": list(study.stimulus_sets)}
    names = SETTINGS.get(kind, [name for name in settings if name not in _NOT_CALCULATED])
    chosen = {}
    for name in names:
        section, _, key = name.partition(".")
        chosen[name] = settings[section][key] if key else settings[section]
    return text_hash(json.dumps(chosen, sort_keys=True))


@cache
def code_hash(notebook):
    """Hash of a notebook's cells and of all modules that it imports; of all modules where the notebook is not known."""
    path = REPOSITORY / "notebooks" / f"{notebook}.ipynb"
    known = notebook is not None and path.is_file()
    modules = modules_of(path) if known else sorted((REPOSITORY / "realnet").rglob("*.py"))
    files = [f"{module.relative_to(REPOSITORY).as_posix()} {file_hash(module)}" for module in modules]
    return text_hash(*files, read_code(path) if known else "")


def read_note(path):
    """The note of a result, or None where it has none."""
    path = Path(path)
    try:
        if path.suffix == ".nc":
            with h5py.File(path, "r") as file:
                text = file.attrs.get("realnet", "null")
        elif path.suffix == ".safetensors":
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(min(length, path.stat().st_size)))
            text = header.get("__metadata__", {}).get("realnet", "null")
        else:
            text = path.with_suffix(".json").read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError, AttributeError, MemoryError, OverflowError):
        return None  # its reader says what is wrong with the file
    return found if isinstance(found, dict) and {"settings", "inputs"} <= set(found) else None


def check(study, *paths):
    """Refuse results that were made from something else than lies there now; returns nothing.

    Raises
    ------
    InvalidInput
        One sentence: the file, what has changed since, and the notebook to run again.
    """
    hash_once = cache(input_hash)  # in this call: a world is the input of every network
    seen = set()
    for path in paths:
        found = _check(study, Path(path), seen, hash_once)
        if not found:
            warnings.warn(f"{path} does not say what it was made from: make it again to be sure of it", stacklevel=3)
    keep_hashes()


def _check(study, path, seen, hash_once):
    """Whether a file has a note; what it was made from is looked at once."""
    about = read_note(path)
    if about is None or path in seen:
        return about is not None
    seen.add(path)
    if about["study"] == study.name and about["settings"] != settings_hash(study, about["kind"]):
        raise _stale(study, path, about, f"was made with other settings than study {study.name} has now")
    if "sha256" in about and about["sha256"] != file_hash(path):
        raise _stale(study, path, about, "has been changed since it was made")
    for key, made_of in about["inputs"].items():
        file = _place(study, key)
        if file is None or not file.exists():
            continue
        if hash_once(file) != made_of:
            raise _stale(study, path, about, f"was made from another {key} than lies there now")
        _check(study, file, seen, hash_once)
    return True


def _stale(study, path, about, why):
    notebook = f"notebooks/{about['notebook']}.ipynb" if about["notebook"] else "the notebook that makes it"
    return InvalidInput(f"{path} is stale, it {why}: run {notebook} again (or `make study STUDY={study.name}`)")


def _anchors(study):
    """Beginnings of the paths in a note, and the folders that they stand for."""
    folders = {"": project_root(), "raw:": project_root() / study.raw, "repository:": REPOSITORY}
    data = os.environ.get("REALNET_DATA")
    return folders | ({"REALNET_DATA:": Path(data)} if data else {})


def _key(study, path):
    """A path as a note names it; None for one that lies elsewhere."""
    path = Path(path)
    for beginning, folder in _anchors(study).items():
        if path.is_relative_to(folder):
            return f"{beginning}{path.relative_to(folder).as_posix()}{'/' * path.is_dir()}"
    return None


def _place(study, key):
    """The path that :func:`_key` named, None where its folder is not known here."""
    for beginning, folder in _anchors(study).items():
        if beginning and key.startswith(beginning):
            return folder / key.removeprefix(beginning)
    return None if key.startswith("REALNET_DATA:") else project_root() / key
