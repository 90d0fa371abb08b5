"""The files of the simulated data sets, with the published names and in the published layouts.

Every ``*_files`` function yields pairs of a path below the folder of the simulation and the content of the file.
"""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from realnet.datasets.shen2019 import SPLITS
from realnet.datasets.things_eeg2 import CHANNELS
from realnet.io import whole_file
from simulation.bdata_writer import stimulus_id, write_bdata
from simulation.images import DIMENSIONS
from simulation.responses import TIMES, add_noise, make_voxels, simulate_eeg
from simulation.stimuli import SHEN_SETS, generator

N_SHEN, N_HORIKAWA = 3, 5  # subjects

#: DataType of Horikawa and Kamitani (2017) -> repeats of every image: training, test, imagery (of every category).
HORIKAWA_REPEATS = {1: 1, 2: 35, 3: 10}
IMAGERY_STRENGTH = 0.3  # of the response to an image

EEG_REPEATS = 80
_ENDINGS = {"training": ".JPEG", "natural": ".JPEG", "shapes": ".tiff", "letters": ".tif"}
_FORMATS = {".jpeg": "JPEG", ".jpg": "JPEG", ".tiff": "TIFF", ".tif": "TIFF", ".png": "PNG"}


def write_file(path, content):
    """Write one file completely or not at all.

    Parameters
    ----------
    path : path
    content : str, dict, uint8 array (height, width, 3) or callable
        Text; a dict to be pickled by :func:`numpy.save`; an image in the format of the path's ending; or a function
        that writes the file, given its path.
    """
    if callable(content):
        content(path)
        return
    with whole_file(path) as temporary:
        if isinstance(content, str):
            temporary.write_text(content, encoding="utf-8")
        elif isinstance(content, dict):
            with temporary.open("wb") as file:
                np.save(file, np.array(content, dtype=object), allow_pickle=True)
        else:
            kind = _FORMATS[Path(path).suffix.lower()]
            # high quality and chroma at full resolution, because the images are small
            options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
            Image.fromarray(content).save(temporary, format=kind, **options)


def image_files(catalogue):
    """Yield (path, content) of every image that the fMRI and EEG subjects see, and of the held-out images."""
    for split, ending in _ENDINGS.items():
        stimuli = getattr(catalogue, split)
        for name, image in zip(stimuli.names, stimuli.images, strict=True):
            yield f"shen2019/stimuli/{SPLITS[split].session}/{name}{ending}", image
    folders = _eeg_folders(catalogue)
    for name, folder, image in zip(catalogue.eeg.names, folders, catalogue.eeg.images, strict=True):
        yield f"things_eeg2/test_images/{folder}/{name}.jpg", image
    held_out = catalogue.held_out
    for name, category, image in zip(held_out.names, held_out.category, held_out.images, strict=True):
        yield f"imagenet/val/{catalogue.classes[category]}/{name}.JPEG", image


def table_files(catalogue):
    """Yield (path, content) of the stimulus lists, the object dimensions and the metadata of the EEG."""
    for split in SHEN_SETS:
        stimuli = getattr(catalogue, split)
        ids = _stimulus_ids(stimuli, split)
        rows = zip(stimuli.names, ids, stimuli.category, strict=True)
        lines = [f"{name}\t{number!r}\t{category + 1}\t{i + 1}" for i, (name, number, category) in enumerate(rows)]
        yield f"shen2019/stimulus_{SPLITS[split].session}.tsv", _text(lines)
    folder, n = "things_dimensions", len(DIMENSIONS)
    # non-negative, as published
    rows = [" ".join(f"{value:.22f}" for value in row) + " " for row in 1 + catalogue.concept_dimensions]
    yield f"{folder}/spose_embedding_{n}d_sorted.txt", _text(rows)
    yield f"{folder}/labels_{n}d.txt", _text(DIMENSIONS)
    words = [name.rstrip("1").replace("_", " ") for name in catalogue.concepts]
    names = [f"{word}\t{word}\t\t\t\t{name}" for word, name in zip(words, catalogue.concepts, strict=True)]
    header = "Word\tWordnet Synset\tWordnet ID\tWordnet ID2\tWordnet ID3\tuniqueID"
    yield f"{folder}/item_names.tsv", _text([header, *names])
    yield "things_eeg2/image_metadata.npy", _eeg_metadata(catalogue)


def shen_files(catalogue, features, settings):
    """Yield (path, content) of every fMRI session of Shen et al. (2019); every repeat shows all images in a new order.

    Parameters
    ----------
    catalogue : simulation.stimuli.Catalogue
    features : dict stimulus set -> dict source -> array (n_stimuli, n_features)
    settings : realnet.settings.SimulationSettings
    """
    for i in range(1, N_SHEN + 1):
        subject = f"shen2019/sub-{i:02d}"
        voxels = make_voxels(subject, features["training"], settings.n_voxels, settings.seed, settings.shared)
        rois = {"hV4" if roi == "V4" else roi: mask for roi, mask in voxels.rois.items()}
        for split in SHEN_SETS:
            rng = generator(settings.seed, subject, split)
            part = _samples(voxels, getattr(catalogue, split), features[split], split, SPLITS[split].n_repeats, rng)
            name = f"{subject}_perception{SPLITS[split].session}_original_VC.h5"
            noise = partial(add_noise, patterns=voxels.noise, sd=settings.voxel_noise, rng=rng)
            yield name, partial(_write_bdata, parts=[part], rois=rois, n_blocks=SPLITS[split].n_repeats, noise=noise)


def horikawa_files(catalogue, features, settings):
    """Yield (path, content) of every subject of Horikawa and Kamitani (2017); parameters as :func:`shen_files`.

    The training images are shown once and the test images 35 times; their categories are imagined 10 times.
    """
    for i in range(1, N_HORIKAWA + 1):
        name = f"horikawa2017/Subject{i}.h5"
        voxels = make_voxels(name, features["training"], settings.n_voxels, settings.seed, settings.shared)
        rng = generator(settings.seed, name, "samples")
        parts = []
        for kind, split in {1: "training", 2: "natural", 3: "natural"}.items():
            stimuli, n_repeats = getattr(catalogue, split), HORIKAWA_REPEATS[kind]
            order, signal, labels = _samples(voxels, stimuli, features[split], split, n_repeats, rng)
            if kind == 3:  # a category is imagined, not one of its images
                signal = IMAGERY_STRENGTH * signal
                ids = np.floor(labels["stimulus_id"])
                labels["Label"][:, 1], labels["stimulus_id"] = ids, ids
            parts.append((order, signal, labels | {"DataType": np.full(len(order), float(kind))}))
        noise = partial(add_noise, patterns=voxels.noise, sd=settings.voxel_noise, rng=rng)
        yield name, partial(_write_bdata, parts=parts, rois=voxels.rois, n_blocks=5, noise=noise)


def eeg_files(features, settings):
    """Yield (path, content) of every subject of THINGS EEG2; parameters as :func:`shen_files`."""
    for i in range(1, settings.n_eeg_subjects + 1):
        subject = f"things_eeg2/sub-{i:02d}"
        trials = simulate_eeg(subject, features["eeg"], EEG_REPEATS, settings)
        content = {"preprocessed_eeg_data": trials, "ch_names": list(CHANNELS), "times": TIMES}
        yield f"{subject}/preprocessed_eeg_test.npy", content


def _samples(voxels, stimuli, features, split, n_repeats, rng):
    """Order of the samples, responses without noise (n_stimuli, n_voxels), and the label columns of the samples.

    The second column of ``Label`` is the stimulus id.
    """
    n = len(stimuli.names)
    order = np.concatenate([rng.permutation(n) for _ in range(n_repeats)])
    ids, category, sample = _stimulus_ids(stimuli, split)[order], stimuli.category[order] + 1.0, np.arange(len(order))
    blocks_per_run = min(n, 50)
    labels = {"Session": 1.0 + sample // (8 * blocks_per_run), "Run": 1.0 + sample // blocks_per_run,
              "Block": 1.0 + sample % blocks_per_run,
              "Label": np.stack([np.ones(len(order)), ids, category, order + 1.0], axis=1), "stimulus_id": ids,
              "category_index": category, "image_index": order + 1.0}  # fmt: skip
    return order, voxels.responses(features), labels


def _write_bdata(path, parts, rois, n_blocks, noise):
    """Write samples, to which ``noise`` adds noise, each of the parts in ``n_blocks`` blocks of rows."""
    labels = {key: np.concatenate([part[2][key] for part in parts]) for key in parts[0][2]}
    blocks = (noise(signal[rows]) for order, signal, _ in parts for rows in np.array_split(order, n_blocks))
    n_voxels = parts[0][1].shape[1]
    # a grid of 2 mm, one region behind the other
    grid = np.unravel_index(np.arange(n_voxels), (20, 20, n_voxels // 400 + 1))
    n_samples = sum(len(order) for order, _, _ in parts)
    write_bdata(path, blocks, rois, labels, voxel_xyz=2.0 * np.stack(grid, axis=1), n_samples=n_samples)


def _stimulus_ids(stimuli, split):
    """The published numbers (n,): such as 1518878.005958 for natural images; 1, 2, ... for shapes and letters."""
    if split in ("training", "natural"):
        return np.array([stimulus_id(name) for name in stimuli.names])
    return np.arange(1.0, len(stimuli.names) + 1)


def _eeg_folders(catalogue):
    """Names of the 200 image folders, such as ``00001_aircraft_carrier``."""
    return [f"{i + 1:05d}_{name.rsplit('_', 1)[0]}" for i, name in enumerate(catalogue.eeg.names)]


def _eeg_metadata(catalogue):
    """``image_metadata.npy``: files and concepts of the test images, and those of training images without files."""
    numbers = catalogue.concept_numbers
    shown = [name.rsplit("_", 1)[0] for name in catalogue.eeg.names]
    others = sorted(set(catalogue.concepts) - set(shown))
    training = [(i + 1, name, k) for i, name in enumerate(others) for k in range(1, 11)]
    return {"test_img_concepts": _eeg_folders(catalogue),
            "test_img_concepts_THINGS": [f"{numbers[name]:05d}_{name}" for name in shown],
            "test_img_files": [f"{name}.jpg" for name in catalogue.eeg.names],
            "train_img_concepts": [f"{i:05d}_{name}" for i, name, _ in training],
            "train_img_concepts_THINGS": [f"{numbers[name]:05d}_{name}" for _, name, _ in training],
            "train_img_files": [f"{name}_{k:02d}{'b' if k == 1 else 's'}.jpg" for _, name, k in training]}  # fmt: skip


def _text(lines):
    """Lines as the content of a text file."""
    return "\n".join(lines) + "\n"
