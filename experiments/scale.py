"""What a study costs as it grows, measured part by part: ``make scale`` (a few minutes).

Each point runs in a process of its own on one thread. Its time is processor time, which other work on the machine
lengthens far less than elapsed time; its memory is the peak above a process that has only imported. The laws that
appendix 15 fits to these points are in ``experiments.tables.scale``.
"""

import multiprocessing
import time

import numba
import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from experiments.tables.kept import keep
from realnet.activations import compute_activations
from realnet.alignment import ReAlnet
from realnet.cornet import CORnetS, layer_sizes
from realnet.decoding import decoding_rdm
from realnet.rdm import correlation_rdm
from realnet.responses import component_scores
from realnet.settings import TrainingSettings
from realnet.similarity import compare_rdms
from realnet.statistics import bootstrap_similarities
from realnet.training import build_model, training_step

IMAGE_SIZE, N_COMPONENTS, N_TARGETS = 224, 200, 1024
EEG_TRIALS, EEG_CHANNELS = 80, 17


def preparation(images, voxels):
    """The components of one participant: chapter 01."""
    responses = np.random.default_rng(0).standard_normal((images, voxels), dtype=np.float32)
    return lambda: component_scores(responses, responses[:50], N_COMPONENTS, component_scaling="global")


def training(images):
    """One step of the full CORnet-S with so many images in its batch: chapter 02."""
    torch.manual_seed(0)
    settings = TrainingSettings()
    model, optimizer = build_model(CORnetS(), N_TARGETS, IMAGE_SIZE, settings)
    labels, measured = torch.randint(0, 1000, (images,)), torch.randn(images, N_TARGETS)
    batch = _images(images)
    model.train()
    return lambda: training_step(model, optimizer, batch, labels, measured, 40.0, settings)


def activations(images):
    """All layers of the full CORnet-S for so many images: the RDMs of chapter 02."""
    network, batch = CORnetS(), _images(images)
    return lambda: compute_activations(network, batch, device="cpu")


def rdm(images, units):
    """The RDM of one layer."""
    patterns = np.random.default_rng(0).standard_normal((images, units), dtype=np.float32)
    return lambda: correlation_rdm(patterns)


def comparison(images, models, brains):
    """Every model RDM with every brain RDM: chapters 03 to 06."""
    one, other = _rdms(images, models), _rdms(images, brains)
    compare_rdms(_rdms(4, 2), _rdms(4, 2))  # compiles
    return lambda: compare_rdms(one, other)


def bootstrap(images, models, brains, resamples):
    """The same over resampled images."""
    one, other = _rdms(images, models), _rdms(images, brains)
    bootstrap_similarities(_rdms(10, 2), _rdms(10, 2), 2)
    return lambda: bootstrap_similarities(one, other, resamples)


def decoding(images, times):
    """The decoding RDMs of one participant over time: chapter 01b."""
    rng = np.random.default_rng(0)
    shape = EEG_TRIALS, EEG_CHANNELS, times
    decoding_rdm(rng.standard_normal((2, *shape)), n_threads=1)
    means = rng.standard_normal((images, 1, EEG_CHANNELS, times))
    epochs = means / 3 + rng.standard_normal((images, *shape))
    return lambda: decoding_rdm(epochs, n_threads=1)


#: What is measured: a function, the quantity that grows, and the sizes of each point.
CURVES = [
    (preparation, "images", [{"images": n, "voxels": 2000} for n in (600, 1200, 2400, 9600, 38_400)]),
    (preparation, "voxels", [{"images": 4800, "voxels": n} for n in (600, 1200, 2400, 4800, 9600)]),
    (training, "images", [{"images": n} for n in (2, 4, 8, 16)]),
    (activations, "images", [{"images": n} for n in (4, 8, 16, 32)]),
    (rdm, "images", [{"images": n, "units": 25_088} for n in (200, 400, 800, 1600)]),
    (rdm, "units", [{"images": 200, "units": n} for n in (25_088, 50_176, 100_352, 200_704)]),
    (comparison, "images", [{"images": n, "models": 56, "brains": 60} for n in (100, 200, 400, 800)]),
    (comparison, "models", [{"images": 100, "models": n, "brains": 240} for n in (56, 224, 896)]),
    (comparison, "brains", [{"images": 100, "models": 224, "brains": n} for n in (60, 240, 960)]),
    (bootstrap, "images", [{"images": n, "models": 28, "brains": 15, "resamples": 50} for n in (50, 100, 200, 400)]),
    (bootstrap, "models", [{"images": 100, "models": n, "brains": 60, "resamples": 50} for n in (14, 56, 224)]),
    (bootstrap, "brains", [{"images": 100, "models": 224, "brains": n, "resamples": 50} for n in (15, 60, 240)]),
    (bootstrap, "resamples", [{"images": 50, "models": 224, "brains": 240, "resamples": n} for n in (50, 200, 800)]),
    (decoding, "images", [{"images": n, "times": 2} for n in (25, 50, 100, 200)]),
    (decoding, "times", [{"images": 50, "times": n} for n in (2, 8, 32)]),
]


def measure(work, sizes):
    """Seconds of the processor and peak memory in GiB of ``work(**sizes)``, in a process forked for it.

    It is forked from a server that has only imported: a caller's garbage, collected there, would hide memory.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["realnet.training", "realnet.statistics"])
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_measure_here, args=(work, sizes, send))
    process.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        raise MemoryError(f"{work.__name__} with {sizes} did not end") from None
    finally:
        process.join()


def _measure_here(work, sizes, send):
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts again from here
    before = status_gib("VmRSS")
    with threadpool_limits(1):
        step = work(**sizes)
        if work is training:
            step()  # the first step also makes the optimizer's state
        start = time.process_time()
        step()
        send.send((time.process_time() - start, status_gib("VmHWM") - before))


def status_gib(field):
    """A line of this process's status (Linux), in GiB; ``VmHWM`` is the peak of the memory."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 2**20


def main():
    """Measure all points, and keep the table with what is needed to extrapolate the curves."""
    start, rows = time.monotonic(), []
    for work, axis, points in CURVES:
        for sizes in points:
            seconds, peak = measure(work, sizes)
            rows.append({"work": work.__name__, "axis": axis, **sizes, "seconds": seconds, "peak_gib": peak})
            print(f"{work.__name__} {sizes}: {seconds:.2f} s, {peak:.2f} GiB", flush=True)
    model = ReAlnet(CORnetS(), N_TARGETS, TrainingSettings().n_hidden, IMAGE_SIZE)
    settings = {"units": layer_sizes(model.realnet, IMAGE_SIZE),
                "parameters": sum(weights.numel() for weights in model.parameters()),
                "batch_size": TrainingSettings().batch_size, "image_size": IMAGE_SIZE, "n_components": N_COMPONENTS,
                "n_targets": N_TARGETS, "eeg_repeats": 2, "seconds_are": "processor time of one thread",
                "memory_is": "peak above a process that has imported the package"}  # fmt: skip
    keep("scale", pd.DataFrame(rows), settings, time.monotonic() - start)


def _images(n):
    return torch.randint(0, 256, (n, 3, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)


def _rdms(images, n):
    return np.random.default_rng(n).random((n, images * (images - 1) // 2))


if __name__ == "__main__":
    main()
