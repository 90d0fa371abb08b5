"""What one notebook leaves for the next: RDMs as netCDF and tidy tables as CSV, each written whole or not at all.

Each carries a note of what it was made from, and what is read is compared with it (:mod:`realnet.provenance`).
"""

import json

import h5py
import pandas as pd
import xarray as xr

from realnet import provenance
from realnet.datasets.files import whole_file
from realnet.errors import InvalidInput, MissingInput
from realnet.hashing import RECORDING, file_hash, recordings
from realnet.places import REPOSITORY

#: Columns that every table has, in this order; further ones follow.
COLUMNS = ["study", "dataset", "subject", "model", "trained_on", "beta", "seed", "layer", "roi", "stimulus_set", "time",
           "metric", "value", "ceiling_lower", "ceiling_upper"]  # fmt: skip

#: The notebook that makes what lies in a folder or table of this name.
MAKERS = {
    "prepared": "01_data", "rdms": "02_training", "networks": "02_training", "training": "02_training",
    "reliability": "01_data", "fmri_within_subject": "03_fmri_within_subject",
    "fmri_across_subjects": "04_fmri_across_subjects", "eeg": "05_eeg", "object_dimensions": "06_object_dimensions",
    "behavior": "07_behavior", "beta_sweep": "08_beta_sweep", "objects92": "10_objects92",
}  # fmt: skip


#: What notebook 01 prepares: its kind among the settings, and the recordings that it needs (folder, pattern of names).
PREPARED = {
    "targets": ("targets", [("{dataset}", RECORDING)]),
    "horikawa2017_rdms": ("fmri_rdms", [("horikawa2017", RECORDING)]),
    "things_eeg2_rdms": ("eeg_rdms", [("things_eeg2", RECORDING)]),
    "things_dimensions_rdms": (
        "dimension_rdms", [("things_dimensions", RECORDING), ("things_eeg2", r"image_metadata\.npy")]
    ),
    "{dataset}_rdms": ("fmri_rdms", [("{dataset}", RECORDING)]),
}  # fmt: skip

_notes = {}  # path -> makes the note of what is saved there


def save_arrays(path, arrays):
    """Write named DataArrays or Datasets into one netCDF file, one group each, so that equal dimension names may differ
    in length (an RDM of 50 and one of 200 images both have the dimension ``pair``).

    A path that :func:`prepared_path` or :func:`model_rdms_path` gave is written with its note."""
    # HDF5 crashes where a disk becomes full; twice the bytes, for the names of stimuli are counted as pointers
    room = 2 * sum(array.nbytes for array in arrays.values()) + 2**20
    with whole_file(path, room) as temporary:
        for i, (name, array) in enumerate(arrays.items()):
            array = array.to_dataset(name="array") if isinstance(array, xr.DataArray) else array
            array.to_netcdf(temporary, group=name, mode="w" if i == 0 else "a", engine="h5netcdf")
        if path in _notes:
            with h5py.File(temporary, "a") as file:
                file.attrs["realnet"] = json.dumps(_notes[path]())
    return path


def load_array(path, name, maker):
    """Read the DataArray that :func:`save_arrays` wrote under ``name``.

    Raises
    ------
    MissingInput
        Names the notebook (``maker``) that writes the file.
    InvalidInput
        The file is damaged, or has no such array.
    """
    if not path.is_file():
        raise MissingInput(f"{path} is missing: run notebooks/{maker}.ipynb (or `make study`) first")
    try:
        return xr.load_dataset(path, group=name, engine="h5netcdf")["array"]
    except (OSError, KeyError, ValueError) as error:
        raise InvalidInput(
            f"{path} holds no whole array {name!r} ({error}): run notebooks/{maker}.ipynb again"
        ) from error


def prepared_path(study, name):
    """Where notebook 01 leaves ``name`` (``targets_sub-01``, ``shen2019_rdms``, ...)."""
    path = study.prepared / f"{name}.nc"
    dataset = study.fmri.dataset
    known = {key.format(dataset=dataset): value for key, value in PREPARED.items()}
    kind, files = known.get(name if name in known else name.split("_")[0], (name, []))
    files = [(folder.format(dataset=dataset), pattern) for folder, pattern in files]
    _notes[path] = lambda: provenance.made_from(study, kind, MAKERS["prepared"], _recordings(study, files))
    return path


def _recordings(study, files):
    """Published files below the raw data of a study; a simulated world is one thing."""
    if study.simulated:
        return [study.raw_folder("world.json")]
    return [path for folder, pattern in files for path in recordings(study.raw_folder(folder), pattern)]


def load_prepared(study, name, array):
    """An array that notebook 01 prepared."""
    path = prepared_path(study, name)
    if path.is_file():
        provenance.check(study, path)
        provenance.note(study, path)
    return load_array(path, array, MAKERS["prepared"])


def model_rdms_path(study, network):
    """Where notebook 02 leaves the RDMs of one network."""
    path = study.results / "rdms" / f"{network.stem}.nc"
    _notes[path] = lambda: network_note(study, network)
    return path


def network_note(study, network):
    """The note of all that is made with one network: the targets that taught it, and the images that it was shown."""
    subjects = {study.fmri.subjects[0], network.subject} - {0}
    prepared = [f"targets_sub-{subject:02d}" for subject in sorted(subjects)] + [f"{study.fmri.dataset}_rdms"]
    inputs = [prepared_path(study, name) for name in prepared]
    inputs += images_of(study, study.fmri.dataset) + (images_of(study, "things_eeg2") if study.eeg.subjects else [])
    if not study.simulated:
        inputs += recordings(study.raw_folder(study.network.weights))
    return provenance.made_from(study, "network", MAKERS["networks"], inputs)


def images_of(study, dataset):
    """What stands for the images of a dataset among the inputs of a result: its folder, or the simulated world."""
    if study.simulated:
        return [study.raw_folder("world.json")]
    folder = study.raw_folder(dataset)
    return [folder, *recordings(folder, r"image_metadata\.npy|stimuli\.csv")]


def load_model_rdms(study, stimulus_set, networks=None):
    """RDMs of several networks for one set of images.

    Returns
    -------
    DataArray (network, layer, pair)
        ``network`` is the stem of its files; by default all networks of the study.
    """
    networks = list(networks or study.networks())
    paths = [model_rdms_path(study, network) for network in networks]
    present = [path for path in paths if path.is_file()]  # the first that is missing is named below
    provenance.check(study, *present)
    provenance.note(study, *present)
    rdms = [load_array(path, stimulus_set, MAKERS["rdms"]) for path in paths]
    return xr.concat(rdms, dim=pd.Index([network.stem for network in networks], name="network"), join="exact")


def save_table(study, name, table):
    """Write a tidy table to ``results/<study>/tables/<name>.csv``, the common columns first, and its note beside it.

    Returns
    -------
    DataFrame
        As written.
    """
    table = table.assign(study=study.name)
    columns = COLUMNS + [column for column in table.columns if column not in COLUMNS]
    table = table.reindex(columns=columns)
    path = table_path(study, name)
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False)
    about = _table_note(study, name) | {"sha256": file_hash(path)}
    with whole_file(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return table


def _table_note(study, name):
    """The note of a table: of what its notebook has read, but where that is known beforehand."""
    maker, path = maker_of(name), table_path(study, name)
    if name.startswith("training/"):
        network = next((n for n in study.networks() if n.stem == name.removeprefix("training/")), None)
        if network:
            return network_note(study, network)
    if maker == MAKERS["prepared"]:
        folders = [study.fmri.dataset, *(["horikawa2017"] if study.fmri.other_subjects else [])]
        return provenance.made_from(study, "fmri_rdms", maker, _recordings(study, [(f, RECORDING) for f in folders]))
    return provenance.made_from(study, name, maker, provenance.inputs_of(study, path))


def table_path(study, name):
    """Where the tidy table ``name`` lies; its note lies beside it, ending in .json."""
    return study.results / "tables" / f"{name}.csv"


def maker_of(name):
    """The notebook that saves the table ``name``: as listed in :data:`MAKERS`, or the one whose cells say so."""
    first = name.split("/")[0]
    for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")) if first not in MAKERS else []:
        if f'save_table(study, \\"{first}' in path.read_text(encoding="utf-8"):
            return path.stem
    return MAKERS.get(first)


def load_table(study, name):
    """Read the tidy table ``name``.

    Raises
    ------
    MissingInput, InvalidInput
        It is not there, or was made from something else than lies there now; the sentence names the notebook to run.
    """
    path = table_path(study, name)
    if not path.is_file():
        maker = maker_of(name)
        notebook = (
            f"run notebooks/{maker}.ipynb (or `make study`) first" if maker else "no notebook makes a table of it"
        )
        raise MissingInput(f"{path} is missing: {notebook}")
    provenance.check(study, path)
    provenance.note(study, path)
    # only an empty cell is missing: pandas would also take the model called null for it
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def empty_table():
    """A table without rows, for a chapter whose data are absent."""
    return pd.DataFrame(columns=COLUMNS)
