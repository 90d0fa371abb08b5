"""What one notebook leaves for the next: RDMs as netCDF and tidy tables as CSV, each written whole or not at all."""

import pandas as pd
import xarray as xr

from realnet.datasets.files import whole_file
from realnet.errors import InvalidInput, MissingInput

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


def save_arrays(path, arrays):
    """Write named DataArrays or Datasets into one netCDF file, one group each, so that equal dimension names may differ
    in length (an RDM of 50 and one of 200 images both have the dimension ``pair``)."""
    with whole_file(path) as temporary:
        for i, (name, array) in enumerate(arrays.items()):
            array = array.to_dataset(name="array") if isinstance(array, xr.DataArray) else array
            array.to_netcdf(temporary, group=name, mode="w" if i == 0 else "a", engine="h5netcdf")
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
    return study.prepared / f"{name}.nc"


def load_prepared(study, name, array):
    """An array that notebook 01 prepared."""
    return load_array(prepared_path(study, name), array, MAKERS["prepared"])


def model_rdms_path(study, network):
    """Where notebook 02 leaves the RDMs of one network."""
    return study.results / "rdms" / f"{network.stem}.nc"


def load_model_rdms(study, stimulus_set, networks=None):
    """RDMs of several networks for one set of images.

    Returns
    -------
    DataArray (network, layer, pair)
        ``network`` is the stem of its files; by default all networks of the study.
    """
    networks = list(networks or study.networks())
    rdms = [load_array(model_rdms_path(study, network), stimulus_set, MAKERS["rdms"]) for network in networks]
    return xr.concat(rdms, dim=pd.Index([network.stem for network in networks], name="network"), join="exact")


def save_table(study, name, table):
    """Write a tidy table to ``results/<study>/tables/<name>.csv``, the common columns first.

    Returns
    -------
    DataFrame
        As written.
    """
    table = table.assign(study=study.name)
    columns = COLUMNS + [column for column in table.columns if column not in COLUMNS]
    table = table.reindex(columns=columns)
    with whole_file(study.results / "tables" / f"{name}.csv") as temporary:
        table.to_csv(temporary, index=False)
    return table


def load_table(study, name):
    """Read the tidy table ``name``, or say which notebook makes it."""
    path = study.results / "tables" / f"{name}.csv"
    if not path.is_file():
        maker = MAKERS[name.split("/")[0]]
        raise MissingInput(f"{path} is missing: run notebooks/{maker}.ipynb (or `make study`) first")
    # only an empty cell is missing: pandas would also take the model called null for it
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def empty_table():
    """A table without rows, for a chapter whose data are absent."""
    return pd.DataFrame(columns=COLUMNS)
