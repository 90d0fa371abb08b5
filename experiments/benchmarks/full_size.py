"""Preparing recordings of the published size: how long it takes, and how much memory; ``make full-size``.

Files of the real size, noise around a pattern for every image, are written below a temporary folder (3.5 GB) and
removed again. Every step runs in a process of its own, which reports its peak memory; what was written is first dropped
from the cache of the operating system, so that it is read from disk.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.benchmarks.timing import row
from experiments.scale import status_gib
from realnet.activations import load_images
from realnet.datasets import shen2019, things_eeg2
from realnet.datasets.files import find_images
from realnet.io import whole_file
from realnet.responses import compute_fmri_rdms, compute_targets, reliability_table
from realnet.settings import REPOSITORY, Study
from simulation.bdata_writer import stimulus_id, write_bdata

TABLE = REPOSITORY / "book" / "_full_size.md"
N_VOXELS = 15_000
SUBJECTS = (1, 2, 3)
EEG_SHAPE = (200, 80, 17, 100)  # images, repeats, channels, times
MUST = {"fmri": (180, 4.0), "eeg": (20, 1.5)}  # seconds and GiB: three fMRI subjects with their images; one EEG subject


def run():
    """Rows of three fMRI subjects with their images, and of one EEG subject."""
    with tempfile.TemporaryDirectory(prefix="realnet-full-size-") as folder:
        write_files(Path(folder))
        fmri = {f"fMRI subject {subject}": measure("fmri", folder, subject) for subject in SUBJECTS}
        fmri["1200 images of 500 x 500 pixels"] = measure("images", folder)
        eeg, nothing = measure("eeg", folder), measure("nothing", folder)
    total = {"seconds": sum(step["seconds"] for step in fmri.values()),
             "gib": max(step["gib"] for step in fmri.values()), "note": "one after the other"}  # fmt: skip
    return [_row("three fMRI subjects and their images, prepared", total, MUST["fmri"]),
            *[_row(f"of these: {name}", step) for name, step in fmri.items()],
            _row("one EEG subject, 0 to 190 ms, loaded", eeg, MUST["eeg"]),
            _row("nothing: Python with what it has imported", nothing)]  # fmt: skip


def publish(report):
    """Write the numbers as a table for the book."""
    lines = ["| step | files | seconds | at most | peak memory | at most |", "|---|---|---|---|---|---|"]
    for line in report["rows"]:
        limits = [f"{m:g} {u}" if m else "" for m, u in ((line["must_seconds"], "s"), (line["must_gib"], "GiB"))]
        lines.append(
            f"| {line['work']} | {line['note']} | {line['our_seconds']:.1f} s | {limits[0]}"
            f" | {line['peak_gib']:.2f} GiB | {limits[1]} |"
        )
    machine = report["machine"]
    lines.append(
        f"\n{machine['cores']} cores ({machine['processor']}), {machine['threads']} threads, {machine['system']}."
    )
    with whole_file(TABLE) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_files(folder):
    """All sessions of three fMRI subjects, 1200 images, and the EEG of one subject, in the published layouts."""
    rng = np.random.default_rng(0)
    names = {"training": _names(1200, 1), "natural": _names(50, 1201)}
    parts = np.eye(5, dtype=bool)[np.arange(N_VOXELS) % 6 % 5].T
    rois = dict(zip(("V1", "V2", "V3", "hV4", "LOC"), parts, strict=True))
    rois["HVC"] = ~parts[:4].any(axis=0)
    for subject in SUBJECTS:
        for split, design in shen2019.SPLITS.items():
            numbers = np.arange(1.0, design.n_stimuli + 1)
            numbers = np.array([stimulus_id(name) for name in names[split]]) if split in names else numbers
            order = np.concatenate([rng.permutation(design.n_stimuli) for _ in range(design.n_repeats)])
            pattern = rng.standard_normal((design.n_stimuli, N_VOXELS), dtype=np.float32)
            blocks = (
                pattern[part] + 2 * rng.standard_normal((len(part), N_VOXELS), dtype=np.float32)
                for part in np.array_split(order, len(order) // 100)
            )
            path = folder / "shen2019" / f"sub-{subject:02d}_perception{design.session}_original_VC.h5"
            labels = {"Run": np.ones(len(order)), "stimulus_id": numbers[order]}
            write_bdata(path, blocks, rois, labels, n_samples=len(order))
    (folder / "images").mkdir()
    for name in names["training"]:
        pixels = rng.integers(0, 256, (50, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((500, 500)).save(folder / "images" / f"{name}.JPEG", quality=90)
    _write_eeg(folder / "things_eeg2", rng)
    for path in folder.rglob("*.*"):
        if path.is_file() and hasattr(os, "posix_fadvise"):  # drop it from the cache
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _write_eeg(folder, rng):
    concepts = [f"{i + 1:05d}_object_{i:03d}" for i in range(EEG_SHAPE[0])]
    metadata = {"test_img_files": [f"object_{i:03d}.jpg" for i in range(EEG_SHAPE[0])], "test_img_concepts": concepts,
                "test_img_concepts_THINGS": concepts}  # fmt: skip
    content = {"preprocessed_eeg_data": rng.standard_normal(EEG_SHAPE), "ch_names": list(things_eeg2.CHANNELS),
               "times": np.round(np.arange(-20, 80) / 100, 2)}  # fmt: skip
    (folder / "sub-01").mkdir(parents=True)
    np.save(folder / "image_metadata.npy", np.array(metadata, dtype=object), allow_pickle=True)
    np.save(folder / "sub-01" / "preprocessed_eeg_test.npy", np.array(content, dtype=object), allow_pickle=True)


def measure(step, *arguments):
    """One step in a process of its own: ``seconds``, ``gib`` (peak), ``note``."""
    command = [sys.executable, "-m", "experiments.benchmarks.full_size", step, *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def prepare_fmri(folder, subject):
    """What notebook 01 does with a subject: 1024 components, RDMs of all test sets, reliability."""
    fmri = {"subjects": [int(subject)], "other_subjects": []}
    study = Study.model_validate({"name": "full-size", "description": "-", "raw": str(folder), "fmri": fmri})
    compute_targets(study, int(subject))
    for name in study.fmri.test_sets:
        compute_fmri_rdms(study, name)
    reliability_table(study)
    return f"{_size(folder, f'shen2019/sub-{int(subject):02d}*')}, four sessions"


def prepare_images(folder):
    """Images at the size that a network sees."""
    load_images(find_images(Path(folder) / "images", _names(1200, 1)), 224)
    return _size(folder, "images/*")


def prepare_eeg(folder):
    """The times that the paper analyses."""
    things_eeg2.load(Path(folder) / "things_eeg2", 1, window=(0.0, 0.19))
    return _size(folder, "things_eeg2/sub-01/*")


#: ``nothing``: what the other steps use before they begin.
STEPS = {"nothing": lambda folder: "none", "fmri": prepare_fmri, "images": prepare_images, "eeg": prepare_eeg}


def _row(work, step, must=(None, None)):
    peak = f"peak memory {step['gib']:.2f} GiB" + (f"; at most {must[0]} s and {must[1]} GiB" if must[0] else "")
    more = {"peak_gib": step["gib"], "must_seconds": must[0], "must_gib": must[1]}
    return row(work, "no peer", None, step["seconds"], peak, note=step["note"]) | more


def _names(n, first):
    return [f"n{1_000_000 + i:08d}_{i + 1}" for i in range(first, first + n)]


def _size(folder, pattern):
    return f"{sum(path.stat().st_size for path in Path(folder).glob(pattern)) / 2**30:.2f} GiB"


if __name__ == "__main__":
    start = time.perf_counter()
    note = STEPS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"seconds": time.perf_counter() - start, "gib": status_gib("VmHWM"), "note": note}))
