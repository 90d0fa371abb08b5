"""The simulated recordings as files, each dataset under the published names and in the published layout."""

from pathlib import Path

import numpy as np
from PIL import Image

from realnet.datasets.shen2019 import SPLITS
from realnet.datasets.things_eeg2 import CHANNELS
from realnet.io import whole_file
from simulation.bdata_writer import stimulus_id, write_bdata
from simulation.images import DIMENSIONS
from simulation.responses import TIMES, add_noise, record_eeg

#: Horikawa's three kinds of samples: DataType -> repeats of every image (imagery: of every category).
HORIKAWA_REPEATS = {1: 1, 2: 35, 3: 10}
IMAGERY_STRENGTH = 0.3  # a remembered object against a seen one

EEG_REPEATS = 80
_ENDINGS = {"training": ".JPEG", "natural": ".JPEG", "shapes": ".tiff", "letters": ".tif"}


def write_picture(path, picture):
    """One picture; JPEG at a quality and with chroma at full resolution, so that 64 pixels survive it."""
    options = {"quality": 95, "subsampling": 0} if Path(path).suffix.lower() in (".jpeg", ".jpg") else {}
    kind = "JPEG" if options else "TIFF"
    with whole_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format=kind, **options)


def picture_files(catalogue):
    """Every picture of the world: yields (path below the world's folder, uint8 array)."""
    for split, ending in _ENDINGS.items():
        stimuli = getattr(catalogue, split)
        for name, picture in zip(stimuli.names, stimuli.pictures, strict=True):
            yield f"shen2019/stimuli/{SPLITS[split].session}/{name}{ending}", picture
    folders = eeg_folders(catalogue)
    for name, folder, picture in zip(catalogue.eeg.names, folders, catalogue.eeg.pictures, strict=True):
        yield f"things_eeg2/test_images/{folder}/{name}.jpg", picture
    for i, picture in enumerate(catalogue.held_out.pictures):
        folder = catalogue.classes[catalogue.held_out.category[i]]
        yield f"imagenet/val/{folder}/{catalogue.held_out.names[i]}.JPEG", picture


def write_stimulus_list(path, stimuli, split):
    """A list of images as published: name, stimulus_id, category_index, image_index; no header."""
    ids = _stimulus_ids(stimuli, split)
    lines = [
        f"{name}\t{number!r}\t{category + 1}\t{i + 1}"
        for i, (name, number, category) in enumerate(zip(stimuli.names, ids, stimuli.category, strict=True))
    ]
    _write_text(path, lines)


def write_shen_session(path, brain, signal, stimuli, split, rng):
    """One session of one person as BData, generation A: every repeat shows all images once, in a new order.

    Parameters
    ----------
    signal : float32 array (n_stimuli, n_voxels)
        Noise-free responses.
    """
    n_repeats, n = SPLITS[split].n_repeats, len(stimuli.names)
    order = np.concatenate([rng.permutation(n) for _ in range(n_repeats)])
    labels = _labels(order, _stimulus_ids(stimuli, split), stimuli.category, blocks_per_run=min(n, 50))
    rois = {"hV4" if roi == "V4" else roi: mask for roi, mask in brain.rois.items()}
    blocks = (add_noise(signal[rows], rng) for rows in np.split(order, n_repeats))
    write_bdata(path, blocks, rois, labels, voxel_xyz=_positions(brain), n_samples=len(order))


def write_horikawa_subject(path, brain, training, natural, rng):
    """One person as BData: training images once, test images seen 35 times, their categories imagined 10 times.

    Parameters
    ----------
    training, natural : (Stimuli, signal (n_stimuli, n_voxels))
    """
    parts = []
    for kind, (stimuli, signal) in {1: training, 2: natural, 3: natural}.items():
        n = len(stimuli.names)
        order = np.concatenate([rng.permutation(n) for _ in range(HORIKAWA_REPEATS[kind])])
        ids = _stimulus_ids(stimuli, "natural")
        if kind == 3:  # imagined is a category, not one of its pictures
            ids, signal = np.floor(ids), IMAGERY_STRENGTH * signal
        labels = _labels(order, ids, stimuli.category, blocks_per_run=50)
        parts.append((order, signal, labels | {"DataType": np.full(len(order), float(kind))}))
    labels = {key: np.concatenate([part[2][key] for part in parts]) for key in parts[0][2]}
    blocks = (add_noise(signal[rows], rng) for order, signal, _ in parts for rows in np.array_split(order, 5))
    n_samples = sum(len(part[0]) for part in parts)
    write_bdata(path, blocks, brain.rois, labels, voxel_xyz=_positions(brain), n_samples=n_samples)


def write_eeg_subject(path, person, features, seed):
    """One person as a pickled dict in an .npy file: float32 (200, 80, 17, 100), in units of the noise."""
    content = {
        "preprocessed_eeg_data": record_eeg(person, features, EEG_REPEATS, seed),
        "ch_names": list(CHANNELS),
        "times": TIMES,
    }
    _write_dict(path, content)


def eeg_folders(catalogue):
    """Names of the 200 image folders, such as ``00001_aircraft_carrier``."""
    shown = [name.rsplit("_", 1)[0] for name in catalogue.eeg.names]
    return [f"{i + 1:05d}_{concept}" for i, concept in enumerate(shown)]


def write_eeg_metadata(path, catalogue):
    """``image_metadata.npy``: files and concepts of the test images, and the names alone of the training images."""
    numbers = catalogue.concept_numbers
    shown = [name.rsplit("_", 1)[0] for name in catalogue.eeg.names]
    others = sorted(set(catalogue.concepts) - set(shown))
    training = [(i + 1, name, k) for i, name in enumerate(others) for k in range(1, 11)]
    content = {
        "test_img_concepts": eeg_folders(catalogue),
        "test_img_concepts_THINGS": [f"{numbers[name]:05d}_{name}" for name in shown],
        "test_img_files": [f"{name}.jpg" for name in catalogue.eeg.names],
        "train_img_concepts": [f"{i:05d}_{name}" for i, name, _ in training],
        "train_img_concepts_THINGS": [f"{numbers[name]:05d}_{name}" for _, name, _ in training],
        "train_img_files": [f"{name}_{k:02d}{'b' if k == 1 else 's'}.jpg" for _, name, k in training],
    }
    _write_dict(path, content)


def write_dimensions(folder, catalogue):
    """The object dimensions as a text matrix (non-negative, as published), and the names of concepts and dimensions."""
    folder, n = Path(folder), len(DIMENSIONS)
    rows = [" ".join(f"{value:.22f}" for value in row) + " " for row in 1 + catalogue.concept_dimensions]
    _write_text(folder / f"spose_embedding_{n}d_sorted.txt", rows)
    _write_text(folder / f"labels_{n}d.txt", DIMENSIONS)
    header = "Word\tWordnet Synset\tWordnet ID\tWordnet ID2\tWordnet ID3\tuniqueID"
    words = [name.rstrip("1").replace("_", " ") for name in catalogue.concepts]
    names = [f"{word}\t{word}\t\t\t\t{name}" for word, name in zip(words, catalogue.concepts, strict=True)]
    _write_text(folder / "item_names.tsv", [header, *names])


def _stimulus_ids(stimuli, split):
    """The published numbers (n,): 1518878.005958 for natural images, 1, 2, ... for shapes and letters."""
    if split in ("training", "natural"):
        return np.array([stimulus_id(name) for name in stimuli.names])
    return np.arange(1.0, len(stimuli.names) + 1)


def _labels(order, ids, category, blocks_per_run):
    """Label columns of samples that show the stimuli ``order``; the second column of Label is the stimulus id."""
    sample = np.arange(len(order))
    return {
        "Session": 1.0 + sample // (8 * blocks_per_run),
        "Run": 1.0 + sample // blocks_per_run,
        "Block": 1.0 + sample % blocks_per_run,
        "Label": np.stack([np.ones(len(order)), ids[order], category[order] + 1.0, order + 1.0], axis=1),
        "stimulus_id": ids[order],
        "category_index": category[order] + 1.0,
        "image_index": order + 1.0,
    }


def _positions(brain):
    """Voxels on a grid of 2 mm, one region behind the other."""
    grid = np.stack(np.unravel_index(np.arange(len(brain.regions)), (20, 20, len(brain.regions) // 400 + 1)), axis=1)
    return 2.0 * grid


def _write_dict(path, content):
    """A dict as ``numpy.save`` writes it."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(content, dtype=object), allow_pickle=True)


def _write_text(path, lines):
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
