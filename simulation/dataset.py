"""Write a simulated data set: all files, then ``simulation.json``."""

import json
from functools import partial
from pathlib import Path

from tqdm import tqdm

from realnet.errors import InvalidInput
from realnet.io import whole_file
from simulation import participants, published
from simulation.responses import source_features
from simulation.stimuli import SIMULATION_VERSION, make_catalogue
from simulation.truth import write_truth

DATASETS = ("shen2019", "horikawa2017", "things_eeg2", "things_dimensions", "cornet_s", "imagenet", "geirhos2021")


def write_simulated_data(folder, settings, progress=True):
    """Write a simulated data set in the published file formats, one folder per data set.

    Nothing is done if ``simulation.json`` has the same settings and version and all its files have their sizes.
    Otherwise all files are written again, each one replacing its predecessor when it is complete, and files of an
    earlier simulation that are not part of this one are removed. ``simulation.json`` is written last.

    Parameters
    ----------
    folder : path
        An error is raised if it holds data sets that were not simulated.
    settings : realnet.settings.SimulationSettings
    progress : bool

    Returns
    -------
    Path
        Of ``simulation.json``: ``version``, ``settings``, ``held_out_accuracy`` of the pretrained network, and
        ``files`` with their sizes in bytes.
    """
    # torch takes seconds to import, and notebooks that only call read_truth do without it
    from simulation.pretraining import pretrained_network

    folder = Path(folder)
    summary = folder / "simulation.json"
    if _is_complete(summary, settings):
        return summary
    _refuse_other_data(folder)
    summary.unlink(missing_ok=True)  # from here on its files are no longer those of one simulation
    catalogue = make_catalogue(settings)
    checkpoint = pretrained_network(catalogue, settings, progress)
    files = _files(catalogue, checkpoint, settings)
    bar = tqdm(files, desc="simulated data", unit=" files", delay=60, mininterval=60, disable=not progress)
    sizes = {}
    for name, content in bar:
        published.write_file(folder / name, content)
        sizes[name] = (folder / name).stat().st_size
    _remove_others(folder, sizes)
    about = {"version": SIMULATION_VERSION, "settings": settings.model_dump(),
             "held_out_accuracy": checkpoint["held_out_accuracy"], "files": dict(sorted(sizes.items()))}  # fmt: skip
    published.write_file(summary, json.dumps(about, indent=1))
    return summary


def _files(catalogue, checkpoint, settings):
    """Yield (path below the folder, content) for every file of the data set."""
    features = source_features(catalogue, settings.seed)
    # first, as it marks the folder as simulated if this run is interrupted
    yield "truth.nc", partial(write_truth, catalogue=catalogue, settings=settings)
    yield from published.image_files(catalogue)
    yield from published.table_files(catalogue)
    yield "cornet_s/cornet_s-simulated.pth", partial(_write_checkpoint, checkpoint=checkpoint)
    yield from published.shen_files(catalogue, features, settings)
    yield from published.horikawa_files(catalogue, features, settings)
    yield from published.eeg_files(features, settings)
    yield from participants.behavior_files(catalogue, settings.seed)


def _write_checkpoint(path, checkpoint):
    """The pretrained network as a torch file in the published layout."""
    import torch

    # an open file, because torch stores the (random) name of a path in the archive
    with whole_file(path) as temporary, temporary.open("wb") as file:
        torch.save(checkpoint, file)


def _is_complete(summary, settings):
    """Whether a simulation with these settings is present and every file has its size."""
    try:
        about = json.loads(summary.read_text(encoding="utf-8"))
        if (about["version"], about["settings"]) != (SIMULATION_VERSION, settings.model_dump()):
            return False
        return all((summary.parent / name).stat().st_size == size for name, size in about["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _refuse_other_data(folder):
    """Raise an error if the folder holds data sets that were not simulated."""
    present = [name for name in DATASETS if (folder / name).exists()]
    if present and not any((folder / name).exists() for name in ("truth.nc", "simulation.json")):
        raise InvalidInput(
            f"{folder} holds {present[0]}, which was not simulated: set another folder as 'raw' in the study file"
        )


def _remove_others(folder, files):
    """Remove what an earlier or interrupted simulation left in the folders of the data sets."""
    for dataset in DATASETS:
        for path in sorted((folder / dataset).rglob("*"), reverse=True):  # content before its folder
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(folder).as_posix() not in files:
                path.unlink()
