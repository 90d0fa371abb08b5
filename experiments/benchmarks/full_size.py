"""Preparing recordings of the published size: how long it takes, and how much memory; `make full-size`.

Files of the real size, noise around a pattern for every image, are written below a temporary folder (3.5 GB) and
removed again. Every step runs in a process of its own, which reports its peak memory; what was written is first dropped
from the cache of the operating system, so that it is read from disk.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.benchmarks.timing import row
from realnet.activations import load_images
from realnet.datasets import shen2019, things_eeg2
from realnet.datasets.bdata import stimulus_id, write_bdata
from realnet.datasets.stimuli import find_images
from realnet.io import whole_file
from realnet.responses import compute_fmri_rdms, compute_targets, reliability_table
from realnet.settings import REPOSITORY, Study

TABLE = REPOSITORY / "book" / "_full_size.md"
N_VOXELS = 15_000
SUBJECTS = (1, 2, 3)
CHUNKS = (64, 256, 1024)
EEG_SHAPE = (200, 80, 17, 100)  # images, repeats, channels, times
WINDOW = (0.0, 0.19)
MUST = {"fmri": (180, 4.0), "eeg": (20, 1.5)}  # seconds and GiB: three fMRI subjects with their images; one EEG subject


def run(device="cpu"):
    """Rows of three fMRI subjects with their images, one EEG subject, and one file read with several chunks."""
    with tempfile.TemporaryDirectory(prefix="realnet-full-size-") as folder:
        write_files(Path(folder))
        fmri = {f"fMRI subject {subject}": measure("fmri", folder, subject) for subject in SUBJECTS}
        fmri["1200 images of 500 x 500 pixels"] = measure("images", folder)
        eeg, nothing = measure("eeg", folder), measure("nothing", folder)
        reading = {f"chunk of {chunk} rows": measure("read", folder, chunk) for chunk in CHUNKS}
    total = {
        "seconds": sum(step["seconds"] for step in fmri.values()),
        "gib": max(step["gib"] for step in fmri.values()),
        "note": "one after the other",
    }
    return [
        _row("three fMRI subjects and their images, prepared", total, MUST["fmri"]),
        *[_row(f"of these: {name}", step) for name, step in fmri.items()],
        _row("one EEG subject, 0 to 190 ms, loaded", eeg, MUST["eeg"]),
        *[_row(f"training responses of one subject, {name}", step) for name, step in reading.items()],
        _row("nothing: Python with what it has imported", nothing),
    ]


def publish(report):
    """Leave the numbers as a table for the book."""
    lines = ["| step | files | seconds | at most | peak memory | at most |", "|---|---|---|---|---|---|"]
    for line in report["rows"]:
        seconds, gib = (
            f"{m:g} {unit}" if m else "" for m, unit in ((line["must_seconds"], "s"), (line["must_gib"], "GiB"))
        )
        lines.append(
            f"| {line['work']} | {line['note']} | {line['our_seconds']:.1f} s | {seconds}"
            f" | {line['peak_gib']:.2f} GiB | {gib} |"
        )
    machine = report["machine"]
    lines.append(
        f"\n{machine['cores']} cores ({machine['processor']}), {machine['threads']} threads, {machine['system']}."
    )
    with whole_file(TABLE) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_files(folder):
    """All sessions of three fMRI subjects, 1200 pictures, and the EEG of one subject, in the published layouts."""
    rng = np.random.default_rng(0)
    names = {"training": _names(1200, 1), "natural": _names(50, 1201), "shapes": None, "letters": None}
    rois = dict(
        zip(("V1", "V2", "V3", "hV4", "LOC"), np.eye(5, dtype=bool)[np.arange(N_VOXELS) % 6 % 5].T, strict=True)
    )
    rois["HVC"] = ~(rois["V1"] | rois["V2"] | rois["V3"] | rois["hV4"])
    for subject in SUBJECTS:
        for split, design in shen2019.SPLITS.items():
            numbers = np.arange(1.0, design.n_stimuli + 1)
            numbers = numbers if names[split] is None else np.array([stimulus_id(name) for name in names[split]])
            order = np.concatenate([rng.permutation(design.n_stimuli) for _ in range(design.n_repeats)])
            pattern = rng.standard_normal((design.n_stimuli, N_VOXELS), dtype=np.float32)
            blocks = (
                pattern[part] + 2 * rng.standard_normal((len(part), N_VOXELS), dtype=np.float32)
                for part in np.array_split(order, len(order) // 100)
            )
            path = folder / "shen2019" / f"sub-{subject:02d}_perception{design.session}_original_VC.h5"
            labels = {"Run": np.ones(len(order)), "stimulus_id": numbers[order]}
            write_bdata(path, blocks, rois, labels, n_samples=len(order))
    (folder / "pictures").mkdir()
    for name in names["training"]:
        picture = rng.integers(0, 256, (50, 50, 3), dtype=np.uint8)
        Image.fromarray(picture).resize((500, 500)).save(folder / "pictures" / f"{name}.JPEG", quality=90)
    _write_eeg(folder / "things_eeg2", rng)
    for path in folder.rglob("*.*"):
        _drop_from_cache(path)


def measure(step, *arguments):
    """One step in a process of its own: ``seconds``, ``gib`` (peak), ``note``."""
    command = [sys.executable, "-m", "benchmarks.full_size", step, *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def prepare_fmri(folder, subject):
    """What notebook 01 does with a subject: 1024 components, RDMs of all test sets, reliability."""
    study = _study(folder, int(subject))
    compute_targets(study, int(subject))
    for name in study.fmri.test_sets:
        compute_fmri_rdms(study, name)
    reliability_table(study)
    return f"{_size(folder, f'shen2019/sub-{int(subject):02d}*')}, four sessions"


def prepare_images(folder):
    """Pictures at the size that a network sees."""
    names = _names(1200, 1)
    load_images(find_images(Path(folder) / "pictures", names), 224)
    return _size(folder, "pictures/*")


def prepare_eeg(folder):
    """The times that the paper looks at."""
    things_eeg2.load(Path(folder) / "things_eeg2", 1, window=WINDOW)
    return _size(folder, "things_eeg2/sub-01/*")


def read_training(folder, chunk):
    """The means of one training session."""
    shen2019.load(Path(folder) / "shen2019", 1, "training", chunk=int(chunk))
    return _size(folder, "shen2019/sub-01*Training*")


def do_nothing(folder):
    """What the other steps use before they begin."""
    return "none"


STEPS = {
    "nothing": do_nothing,
    "fmri": prepare_fmri,
    "images": prepare_images,
    "eeg": prepare_eeg,
    "read": read_training,
}


def _row(work, step, must=(None, None)):
    peak = f"peak memory {step['gib']:.2f} GiB" + (f"; at most {must[0]} s and {must[1]} GiB" if must[0] else "")
    more = {"peak_gib": step["gib"], "must_seconds": must[0], "must_gib": must[1]}
    return row(work, "no peer", None, step["seconds"], peak, note=step["note"]) | more


def _names(n, first):
    return [f"n{1_000_000 + i:08d}_{i + 1}" for i in range(first, first + n)]


def _study(folder, subject):
    """The paper's settings for one subject of the files in ``folder``."""
    fmri = {"subjects": [subject], "other_subjects": []}
    return Study.model_validate({"name": "full-size", "description": "-", "raw": str(folder), "fmri": fmri})


def _write_eeg(folder, rng):
    names = [f"object_{i:03d}" for i in range(EEG_SHAPE[0])]
    metadata = {
        "test_img_files": [f"{name}.jpg" for name in names],
        "test_img_concepts": [f"{i + 1:05d}_{name}" for i, name in enumerate(names)],
        "test_img_concepts_THINGS": [f"{i + 1:05d}_{name}" for i, name in enumerate(names)],
    }
    content = {
        "preprocessed_eeg_data": rng.standard_normal(EEG_SHAPE),
        "ch_names": list(things_eeg2.CHANNELS),
        "times": np.round(np.arange(-20, 80) / 100, 2),
    }
    (folder / "sub-01").mkdir(parents=True)
    np.save(folder / "image_metadata.npy", np.array(metadata, dtype=object), allow_pickle=True)
    np.save(folder / "sub-01" / "preprocessed_eeg_test.npy", np.array(content, dtype=object), allow_pickle=True)


def _size(folder, pattern):
    size = sum(path.stat().st_size for path in Path(folder).glob(pattern)) / 2**30
    return f"{size:.2f} GiB"


def _drop_from_cache(path):
    if path.is_file() and hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _peak_gib():
    """Peak memory of this process. ``getrusage`` would also count the process that started it."""
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20
    except (OSError, StopIteration):
        unit = 2**30 if sys.platform == "darwin" else 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    start = time.perf_counter()
    note = STEPS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"seconds": time.perf_counter() - start, "gib": _peak_gib(), "note": note}))
