"""What one notebook leaves for the next: arrays as netCDF and tidy tables as CSV, written whole or not at all.

Every file carries the settings that it was made with and the commit of the code (attributes of a netCDF file, a JSON
file of the same name beside a table). Loading a file whose settings differ from those of the study gives a warning.
"""

import json
import os
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import h5py
import pandas as pd
import xarray as xr

from realnet.errors import CannotWrite, InvalidInput, MissingInput
from realnet.settings import REPOSITORY

#: Columns that every table has, in this order; further ones follow.
COLUMNS = ["study", "dataset", "subject", "model", "trained_on", "beta", "seed", "layer", "roi", "stimulus_set", "time",
           "metric", "value", "ceiling_lower", "ceiling_upper"]  # fmt: skip

#: The notebook that writes each table.
MAKERS = {
    "reliability": "01_data", "stimuli": "01_data", "training": "02_training",
    "fmri_within_subject": "03_fmri_within_subject", "fmri_across_subjects": "04_fmri_across_subjects",
    "eeg": "05_eeg", "object_dimensions": "06_object_dimensions", "behavior": "07_behavior",
    "beta_sweep": "08_beta_sweep", "objects92": "10_objects92", "paper": "13_paper_beside_ours", "summary": "index",
    "baselines": "03b_baselines", "real_brains": "10b_real_brains",
}  # fmt: skip


@contextmanager
def whole_file(path):
    """Yield the path of a temporary file beside ``path`` that replaces ``path`` at the end of the block.

    An error or a killed process leaves the previous file as it was. Raises CannotWrite where the disk is full or
    read-only, or permission is missing.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, MissingInput) or error.errno is None:
            raise
        raise CannotWrite(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@cache
def commit():
    """The commit of the code as ``git describe --always --dirty`` gives it, or ``unknown`` outside of a checkout."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def made_with(study, notebook):
    """What every result stores: dict of ``settings`` (JSON, those that its notebook depends on) and ``commit``."""
    return {"settings": json.dumps(study.settings_of(notebook), sort_keys=True), "commit": commit()}


def warn_if_settings_differ(study, notebook, path, stored):
    """Warn where a result of ``notebook`` was made with other settings (``stored``, JSON) than the study now has."""
    then, now = json.loads(stored or "{}"), json.loads(made_with(study, notebook)["settings"])
    changed = sorted(key for key in then | now if then.get(key) != now.get(key))
    if changed:
        key = changed[0]
        warnings.warn(
            f"{path} was made with {key} = {then.get(key)}, and the study now has {now.get(key)}: run"
            f" notebooks/{notebook}.ipynb again (or `make study STUDY={study.name}`)",
            stacklevel=3,
        )


def save_arrays(path, arrays, attributes=None):
    """Write named arrays (dict name -> DataArray) into one netCDF file, one group each, with ``attributes`` (dict)."""
    with whole_file(path) as temporary:
        for i, (name, array) in enumerate(arrays.items()):
            dataset = array.to_dataset(name="array")
            dataset.to_netcdf(temporary, group=name, mode="w" if i == 0 else "a", engine="h5netcdf")
        with h5py.File(temporary, "a") as file:
            file.attrs.update(attributes or {})


def load_array(path, name, notebook, study=None):
    """Read one array that :func:`save_arrays` wrote: DataArray.

    ``notebook`` writes the file; the settings of ``study``, if given, are compared with those stored in it. Raises
    `MissingInput` or `InvalidInput`, naming the notebook to run, where there is no such file or it is damaged.
    """
    if not Path(path).is_file():
        raise MissingInput(f"{path} is missing: run notebooks/{notebook}.ipynb (or `make study`) first")
    try:
        array = xr.load_dataset(path, group=name, engine="h5netcdf")["array"]
        with h5py.File(path) as file:
            stored = file.attrs.get("settings")
    except (OSError, KeyError, ValueError) as error:
        what = f"{path} has no readable array {name!r} ({error})"
        raise InvalidInput(f"{what}: run notebooks/{notebook}.ipynb again") from error
    if study is not None:
        warn_if_settings_differ(study, notebook, path, stored)
    return array


def _prepared(study, name):
    """Path of a prepared file, and the notebook that makes it."""
    return study.prepared / f"{name}.nc", "01b_eeg_data" if name.startswith("things") else "01_data"


def save_prepared(study, name, arrays):
    """Write what a data notebook prepares (``targets_sub-01``, ``shen2019_rdms``, ...): dict name -> DataArray."""
    path, notebook = _prepared(study, name)
    save_arrays(path, arrays, made_with(study, notebook))


def load_prepared(study, name, array):
    """Read an array that a data notebook prepared: DataArray."""
    path, notebook = _prepared(study, name)
    return load_array(path, array, notebook, study)


def _model_rdms_path(study, network):
    return study.results / "rdms" / f"{network.stem}.nc"


def save_model_rdms(study, network, rdms):
    """Write the RDMs of one network: dict stimulus set -> DataArray (layer, pair)."""
    save_arrays(_model_rdms_path(study, network), rdms, made_with(study, "02_training"))


def load_model_rdms(study, stimulus_set, networks=None):
    """Read the RDMs of several networks (default: all of the study) for one set of images.

    Returns a DataArray (network, layer, pair), where ``network`` is the stem of its files.
    """
    networks = list(networks or study.networks())
    rdms = [load_array(_model_rdms_path(study, n), stimulus_set, "02_training", study) for n in networks]
    return xr.concat(rdms, dim=pd.Index([n.stem for n in networks], name="network"), join="exact")


def table_path(study, name):
    """Where the tidy table ``name`` lies."""
    return study.results / "tables" / f"{name}.csv"


def save_table(study, name, table):
    """Write a tidy table to ``results/<study>/tables/<name>.csv``, the common columns first; returns it as written.

    ``name``: a key of :data:`MAKERS`, or ``training/<stem>``.
    """
    table = table.assign(study=study.name)
    table = table.reindex(columns=COLUMNS + [column for column in table.columns if column not in COLUMNS])
    path = table_path(study, name)
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False)
    with whole_file(path.with_suffix(".json")) as temporary:
        about = made_with(study, MAKERS[name.split("/")[0]])
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return table


def load_table(study, name):
    """Read the tidy table ``name``: DataFrame; `MissingInput` names the notebook to run where there is none."""
    path, notebook = table_path(study, name), MAKERS.get(name.split("/")[0])
    if not path.is_file():
        cure = f"run notebooks/{notebook}.ipynb (or `make study`) first" if notebook else "no notebook writes it"
        raise MissingInput(f"{path} is missing: {cure}")
    about = path.with_suffix(".json")
    if about.is_file():
        warn_if_settings_differ(study, notebook, path, json.loads(about.read_text(encoding="utf-8")).get("settings"))
    return pd.read_csv(path)


def empty_table():
    """A table without rows, for a chapter whose data are absent."""
    return pd.DataFrame(columns=COLUMNS)
