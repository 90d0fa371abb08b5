"""An epoch of images: decode and resize each of them again, as the released loop does, or keep them as bytes."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from experiments.benchmarks.timing import best_of, row
from realnet.activations import batches, load_images, normalise
from realnet.training import reuse_memory

N_IMAGES, SIDE, IMAGE_SIZE, BATCH = 200, 500, 224, 16


def write_images(folder, n_images=N_IMAGES, side=SIDE, seed=0):
    """JPEG files of random images whose amplitude falls as 1/f, like that of natural images; their paths."""
    rng, paths = np.random.default_rng(seed), []
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))[:, :, None].clip(1 / side)
    for i in range(n_images):
        noise = np.fft.rfft2(rng.standard_normal((side, side, 3)), axes=(0, 1)) / frequency
        image = np.fft.irfft2(noise, s=(side, side), axes=(0, 1))
        pixels = (128 + 50 * image / image.std()).clip(0, 255).astype(np.uint8)
        paths.append(Path(folder) / f"{i:04d}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def decoded_epoch(paths, order):
    """Batches (N, 3, 224, 224) of normalised floats, each image decoded and resized when its turn comes."""
    for part in batches(len(order), BATCH):
        yield normalise(load_images([paths[i] for i in order[part]], IMAGE_SIZE))


def cached_epoch(images, order):
    """The same batches from images that were decoded once."""
    order = torch.from_numpy(order)
    for part in batches(len(order), BATCH):
        yield normalise(images[order[part]])


def run(n_images=N_IMAGES):
    """One row."""
    reuse_memory()  # as training does; for both
    with tempfile.TemporaryDirectory() as folder:
        paths = write_images(folder, n_images)
        n_bytes = sum(path.stat().st_size for path in paths)
        order = np.random.default_rng(1).permutation(n_images)
        images = load_images(paths, IMAGE_SIZE)
        equal = all(map(torch.equal, decoded_epoch(paths, order), cached_epoch(images, order)))
        peer_seconds, _ = best_of(lambda: _use(decoded_epoch(paths, order)))
        our_seconds, _ = best_of(lambda: _use(cached_epoch(images, order)), n=20)
    agreement = "bitwise equal" if equal else "NOT bitwise equal"
    note = f"ready for the network, from JPEG of {SIDE}x{SIDE} and {n_bytes / n_images / 1000:.0f} kB; "
    note += f"cache {images.nbytes / n_images / 2**20:.2f} MiB per image"
    work = f"an epoch of {n_images} images, {IMAGE_SIZE}x{IMAGE_SIZE}"
    return [row(work, "decode and resize each time", peer_seconds, our_seconds, agreement, 20, note, 100, 250)]


def _use(epoch):
    for _ in epoch:
        pass
