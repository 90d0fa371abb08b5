"""What was planted in the simulated data, to be compared with what an analysis finds."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from realnet.errors import MissingInput
from realnet.io import whole_file
from simulation import responses
from simulation.images import DIMENSIONS
from simulation.stimuli import JITTER, STIMULUS_SETS

#: A row of the table ``noise``.
SHARED = "variance of the signal that all participants and modalities share"


def write_truth(path, catalogue, settings):
    """Write everything that is planted, with the dimensions of the stimuli of a ``Catalogue``, as one netCDF file."""
    sets = {name: getattr(catalogue, name) for name in STIMULUS_SETS}
    latencies = np.array([responses.EEG_LATENCIES[source] for source in responses.SOURCES])
    coords = {"roi": list(responses.ROI_WEIGHTS), "source": list(responses.SOURCES), "dimension": list(DIMENSIONS),
              "time": responses.TIMES, "stimulus": [name for s in sets.values() for name in s.names]}  # fmt: skip
    truth = xr.Dataset(
        {
            "roi_weight": (("roi", "source"), list(responses.ROI_WEIGHTS.values())),
            "dimension_weight": ("dimension", [responses.DIMENSION_WEIGHTS[name] for name in DIMENSIONS]),
            "jitter": ("dimension", JITTER),
            "onset": ("source", latencies[:, 0]),
            "peak": ("source", latencies[:, 1]),
            "eeg_weight": (("source", "time"), [responses.time_course(source) for source in responses.SOURCES]),
            "stimulus_dimensions": (("stimulus", "dimension"), np.concatenate([s.dimensions for s in sets.values()])),
            "stimulus_set": ("stimulus", np.repeat(list(sets), [len(s.names) for s in sets.values()])),
        },
        coords=coords,
        attrs={
            "fMRI noise of a single repeat, sd (signal: about 1)": settings.voxel_noise,
            "fMRI noise, patterns over voxels (half of its variance)": responses.N_NOISE_PATTERNS,
            "EEG signal at its peak, sd over images (single-trial noise: 1)": settings.eeg_signal,
            "EEG noise, autocorrelation at 10 ms": responses.EEG_NOISE_MEMORY,
            SHARED: settings.shared,
            "shared feature combinations per source, ROI and participant": responses.N_OWN,
            "private features per source and participant (EEG: of all participants)": responses.N_PRIVATE,
            "training images that show a plain form, share": settings.forms,
        },
    )
    with whole_file(path) as temporary:
        truth.to_netcdf(temporary, engine="h5netcdf")


def read_truth(folder):
    """Read what was planted in a simulated data set.

    Parameters
    ----------
    folder : path
        The folder given to :func:`simulation.write_simulated_data`.

    Returns
    -------
    dict name -> DataFrame
        ``regions`` (roi, source, weight) · ``dimensions`` (dimension, weight, jitter, beyond_categories) ·
        ``latencies`` (source, onset, peak in s) · ``eeg`` (source, time in s, weight) · ``noise`` (quantity, value) ·
        ``effects`` (effect, planted): what aligning a network with one participant can change; without a shared part of
        the sources only the similarity with this participant, and no dimension is ``beyond_categories`` ·
        ``stimuli`` (stimulus_set, stimulus, one column per dimension).
    """
    path = Path(folder) / "truth.nc"
    if not path.is_file():
        raise MissingInput(f"no planted truth at {path}: run notebooks/00_simulated_data.ipynb first")
    truth = xr.load_dataset(path, engine="h5netcdf")
    latencies = truth[["onset", "peak"]].to_dataframe().reset_index()
    dimensions = truth[["dimension_weight", "jitter"]].to_dataframe().reset_index()
    dimensions = dimensions.rename(columns={"dimension_weight": "weight"})
    is_shared = truth.attrs[SHARED] > 0
    dimensions["beyond_categories"] = (dimensions.weight > dimensions.weight.min()) & is_shared
    effects = {"own subject": True, "other subjects": is_shared, "eeg": is_shared, "dimensions": is_shared}
    stimuli = truth.stimulus_dimensions.to_pandas().reset_index()
    stimuli.insert(0, "stimulus_set", truth.stimulus_set.values)
    return {"regions": truth.roi_weight.to_dataframe("weight").reset_index(), "dimensions": dimensions,
            "latencies": latencies, "eeg": truth.eeg_weight.to_dataframe("weight").reset_index(),
            "noise": pd.DataFrame({"quantity": list(truth.attrs), "value": list(truth.attrs.values())}),
            "effects": pd.DataFrame({"effect": effects.keys(), "planted": effects.values()}),
            "stimuli": stimuli.rename_axis(columns=None)}  # fmt: skip
