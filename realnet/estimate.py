"""What a study will take, said before it starts: disk, memory and time, from its settings and from what was measured.

Sizes follow from shapes. Times and memory are those of one run of the demo study on two cores (AMD EPYC, commit
bdacea7: seconds of its executed notebooks), of ``experiments/results/scale.csv`` (a step of the full network on one
thread of a processor without AVX-512; with it the step takes about half) and of ``benchmarks/results/full_size.json``
(recordings of the published size). The memory of a kernel is that of ``experiments/results/interruptions.csv``, with
which chapter 14 compares the rest.
"""

import os
import shutil
from typing import NamedTuple

from realnet.errors import InvalidInput
from realnet.study import REPOSITORY, project_root

#: Pairs of images carry the names of both beside their dissimilarities (bytes a pair, measured).
PAIR_NAMES = 96
#: Images of each test set, where the study does not tell: those of the published datasets.
N_IMAGES = {"natural": 50, "shapes": 40, "letters": 10, "things": 200}
N_TRAINING = 1200
#: Samples of a simulated person: every image times its repeats, and Horikawa's images, repeats and imagery.
SHEN_SAMPLES, HORIKAWA_SAMPLES = 1200 * 5 + 50 * 24 + 40 * 20 + 10 * 12, 1200 + 50 * 35 + 50 * 10
N_REGIONS = 5.5  # the last half: voxels of no region
EEG_BYTES = 200 * 80 * 17 * 100 * 4  # images, repeats, channels, times, float32

START = 6.0  # seconds of a notebook before it calculates: a kernel, its imports, the executed copy
CHAPTER = 10.0  # seconds of a notebook that compares and draws: 5 to 16 in the demo
DECODING = 4.6e-6  # seconds of one core for one pair of images, time, fold and repeat
FMRI_SUBJECT = 5.1  # seconds of notebook 01 for one person of 15,000 voxels
IMAGE_SMALL, IMAGE_FULL = 0.0006, 1.09  # seconds of one core an image: whatever the network, and the full CORnet-S
RECORDING = 24.0  # seconds for a gigabyte of simulated recordings
PYTHON, CHAPTER_01, PARENT = 0.95, 1.6, 0.1  # GiB: a kernel with torch, notebook 01 at full size, papermill of a job
ACTIVATIONS = 0.105  # GiB an image of a batch of the full CORnet-S at 224 x 224


class Part(NamedTuple):
    """One part of a study: what its notebooks write (bytes), hold (bytes, each of ``n`` at once) and take (seconds)."""

    name: str
    disk_bytes: int
    memory_bytes: int
    seconds: float  # on ``threads`` cores, one notebook
    n: int  # notebooks that may run side by side
    threads: int = 1


class Estimate(NamedTuple):
    """What is still to be done for a study."""

    disk_bytes: int
    memory_bytes: int
    seconds: float
    jobs: int  # at once, where most memory is needed
    parts: tuple


def estimate(study, cores="all", finished=True):
    """What a study will write, hold and take on this machine's processor.

    - weights: 4 bytes a parameter, with P = 153 (128^2 + 256^2 + 512^2) w^2 + ... of a CORnet-S of width w, and
      ``n_hidden`` x units of the four layers (376,320 w (size / 224)^2 of them) of the encoder; while a network is
      trained its checkpoint holds three times as much (Adam's two moments);
    - RDMs: 8 bytes a pair and layer, region or time, and 96 for the names of the pair;
    - memory of a training: 0.95 GiB + 16 bytes a parameter + 0.105 GiB w (size / 224)^2 an image of a batch;
    - time of a training: images x epochs x (0.0006 + 1.09 w^2 (size / 224)^2) seconds of one core; half in bfloat16.
      With a GPU it takes less;
    - time of decoding: 4.6 microseconds of one core a pair, time, fold and repeat.

    Parameters
    ----------
    study : realnet.study.Study
    cores : int or "all"
    finished : bool
        Leave out parts that are there already (their executed notebook is, or ``world.json``), and what an
        interrupted world has written. False: the whole study from nothing.

    Returns
    -------
    Estimate
        ``seconds`` is 0 where nothing is to be done.
    """
    cores = os.cpu_count() if cores == "all" else int(cores)
    parts = [part for part in (_world(study, finished), _data(study, finished)) if part]
    parts += [part for part in (_networks(study, finished), _chapters(study, finished)) if part]
    at_once = {part.name: max(1, min(part.n, cores // min(part.threads, cores))) for part in parts}
    if shutil.which("nvidia-smi"):
        at_once["networks"] = 1
    seconds, largest, jobs = 0.0, 0, 1
    for part in parts:
        rounds = -(-part.n // at_once[part.name])
        seconds += rounds * part.seconds * part.threads / min(part.threads, cores)
        memory = at_once[part.name] * (part.memory_bytes + _gib(PARENT))
        if memory > largest:
            largest, jobs = memory, at_once[part.name]
    disk = sum(part.disk_bytes for part in parts)
    trained = next((part for part in parts if part.name == "networks"), None)
    if trained:  # checkpoints, removed when a network is done
        disk += 12 * n_parameters(study) * at_once["networks"]
    return Estimate(disk, largest + _gib(3 * PARENT) if parts else 0, seconds, jobs, tuple(parts))


def check_room(needs, folder=None):
    """Refuse a study that this disk has no room for.

    Raises
    ------
    InvalidInput
        Names what is free and what is needed.
    """
    folder = folder or project_root()
    free = shutil.disk_usage(folder).free
    if needs.disk_bytes > free:
        raise InvalidInput(
            f"{folder} has {_size(free)} free, but the study is to write about {_size(needs.disk_bytes)}: make room, or"
            " set REALNET_ROOT to a folder of a larger disk"
        )


def describe(needs):
    """One line for people, with a warning where this machine has not as much memory."""
    minutes = needs.seconds / 60
    time = f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.0f} hours"
    jobs = f"{needs.jobs} jobs" if needs.jobs > 1 else "one job"
    line = (
        f"this study writes about {_size(needs.disk_bytes)}, needs {_size(needs.memory_bytes)} of memory with {jobs} at"
        f" once, and takes about {time} on this machine"
    )
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needs.memory_bytes > there:
        line += f", which has only {_size(there)} of memory: give it fewer --cores"
    return line


def n_parameters(study):
    """Numbers in the weights of one trained network, its encoder included."""
    width, classes = (study.simulated.width, study.simulated.n_classes) if study.simulated else (1.0, 1000)
    # each area: 1x1 from the one before, and six layers of its own (skip, and the bottleneck four times as wide)
    areas = sum(a * b + 153 * b * b for a, b in ((64, 128), (128, 256), (256, 512)))
    norms = 87_000 * width
    network = width**2 * (areas + 9 * 64 * 64) + width * 64 * 147 + norms + (512 * width + 1) * classes
    fraction = {"V1": 0.5333, "V2": 0.2667, "V4": 0.1333, "IT": 0.0667}
    units = 376_320 * width * (study.network.image_size / 224) ** 2
    units *= sum(fraction[layer] for layer in study.training.layers)
    n_hidden, n_targets = study.training.n_hidden, study.fmri.n_components
    return int(network + units * n_hidden + len(study.training.layers) * n_hidden * n_targets)


def _world(study, finished):
    """The simulated recordings: float64 BData and float32 EEG, some pictures, and a small network that learns."""
    folder, world = project_root() / study.raw, study.simulated
    if not world or (finished and (folder / "world.json").is_file()):
        return None
    columns = int(world.n_voxels * N_REGIONS) + 10
    disk = 8 * columns * (3 * SHEN_SAMPLES + 5 * HORIKAWA_SAMPLES) + world.n_eeg_subjects * EEG_BYTES + 20_000_000
    images = world.n_pretraining_images * world.pretraining_epochs
    seconds = START + RECORDING * disk / 1e9 + images * _image_seconds(world.width, world.image_size) * 0.4
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if finished else 0
    return Part("world", max(0, disk - there), _gib(CHAPTER_01), seconds, 1, 2)


def _data(study, finished):
    """Notebook 01: components, RDMs of people, decoding."""
    if finished and _executed(study, "01_data"):
        return None
    fmri, eeg = study.fmri, study.eeg
    people = len(fmri.subjects)
    disk = people * 8 * (N_TRAINING + 50) * fmri.n_components
    for name in fmri.test_sets:
        disk += _pairs(name) * (8 * people * len(fmri.rois) + PAIR_NAMES)
    if fmri.other_subjects:
        disk += _pairs("natural") * (8 * len(fmri.other_subjects) * len(fmri.rois) + PAIR_NAMES)
    scale = 0.2 if study.simulated else 1.0  # fewer voxels
    seconds = START + scale * FMRI_SUBJECT * (people + len(fmri.other_subjects))
    if eeg.subjects:
        times = round((eeg.window[1] - eeg.window[0]) * 100) + 1
        disk += _pairs("things") * (8 * len(eeg.subjects) * times + PAIR_NAMES) + _pairs("things") * (
            8 * 49 + PAIR_NAMES
        )
        fits = len(eeg.subjects) * times * _pairs("things") * eeg.n_repeats * eeg.n_folds
        seconds += fits * DECODING / 2
    return Part("data", disk, _gib(CHAPTER_01), seconds, 1, 2)


def _networks(study, finished):
    """Notebook 02, once a network: weights, RDMs, figures."""
    networks = [n for n in study.networks() if not (finished and _executed(study, f"02_training/{n.stem}"))]
    if not networks:
        return None
    width = study.simulated.width if study.simulated else 1.0
    size, training = study.network.image_size, study.training
    rdms = sum(_pairs(name) for name in study.stimulus_sets) * (8 * 4 + PAIR_NAMES)
    weights = 4 * n_parameters(study)
    images = N_TRAINING * training.epochs * (0.5 if training.precision == "bfloat16" else 1)
    activations = ACTIVATIONS * training.batch_size * width * (size / 224) ** 2
    cached = 3 * size**2 * (N_TRAINING + sum(_images(name) for name in study.stimulus_sets))
    return Part(
        "networks",
        len(networks) * (weights + rdms + 600_000),
        _gib(PYTHON + activations) + 16 * n_parameters(study) + cached,
        START + 2 + images * _image_seconds(width, size),
        len(networks),
    )


def _chapters(study, finished):
    """The notebooks that compare and draw."""
    names = {path.stem for path in (REPOSITORY / "notebooks").glob("*.ipynb")} - set(study.left_out)
    names -= {"00_simulated_world", "01_data", "02_training"}
    names = {name for name in names if not (finished and _executed(study, name))}
    return Part("chapters", len(names) * 1_500_000, _gib(PYTHON + 0.2), CHAPTER, len(names)) if names else None


def _executed(study, name):
    return (study.results / "notebooks" / f"{name}.ipynb").is_file()


def _image_seconds(width, size):
    return IMAGE_SMALL + IMAGE_FULL * width**2 * (size / 224) ** 2


def _images(name):
    return N_IMAGES.get(name, 50)


def _pairs(name):
    return _images(name) * (_images(name) - 1) // 2


def _gib(number):
    return int(number * 2**30)


def _size(n_bytes):
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
