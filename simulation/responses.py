"""Simulated responses: three sources of features, mixed into voxels by region and into EEG channels over time.

A part of each source is shared by all participants and modalities (setting ``shared``). The rest is private: features
that one fMRI participant, or the EEG, has alone. Private features of two participants are uncorrelated over images.
"""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from simulation.images import DIMENSIONS
from simulation.stimuli import N_PER_CATEGORY, STIMULUS_SETS, generator

#: Gabor energy, coarse colour layout, nonlinear functions of the object dimensions.
SOURCES = ("gabor", "colour", "object")

#: Planted: weight of each source in each region, in the order of :data:`SOURCES`.
ROI_WEIGHTS = {
    "V1": (1.0, 0.15, 0.0),
    "V2": (0.8, 0.25, 0.3),
    "V3": (0.65, 0.25, 0.5),
    "V4": (0.3, 0.3, 0.8),
    "LOC": (0.1, 0.15, 1.2),
    "FFA": (0.1, 0.15, 1.2),
    "PPA": (0.1, 0.15, 1.2),
}

#: Planted: weight of each object dimension in the third source; these three matter more than for categories.
DIMENSION_WEIGHTS = dict.fromkeys(DIMENSIONS, 1.0) | {"hue": 1.5, "saturation": 1.5, "elongation": 2.0}

#: Planted: onset and peak of each source in the EEG, seconds after the image; and its weight at the peak.
EEG_LATENCIES = {"gabor": (0.03, 0.08), "colour": (0.05, 0.11), "object": (0.07, 0.15)}
EEG_WEIGHTS = {"gabor": 1.0, "colour": 0.4, "object": 1.0}

N_OBJECT_UNITS = 300
#: Half of the variance of the fMRI noise is independent in each voxel; the other half are so many patterns over all
#: voxels. Both lower the reliability of RDMs, the first one more that of voxels.
N_NOISE_PATTERNS = 16
EEG_NOISE_MEMORY = 0.9  # autocorrelation of the noise from one sample (10 ms) to the next
N_OWN = 16  # random combinations of a source's shared features in each region

#: Those with private features, and how many of them in each source.
PRIVATE = (*(f"shen2019/sub-{i:02d}" for i in (1, 2, 3)), *(f"horikawa2017/Subject{i}.h5" for i in range(1, 6)), "eeg")
N_PRIVATE = 4

N_CHANNELS = 17
TIMES = np.round(np.arange(-20, 80) / 100, 2)  # s


def source_features(catalogue, seed):
    """The features of every source for all stimuli of a ``Catalogue``: the shared ones, then the private ones.

    Private features are the leading principal components of a source, whitened, rotated at random and divided by their
    norm for each image (images of high contrast would else be far from all others for everybody). Each of
    :data:`PRIVATE` has :data:`N_PRIVATE` of them in each source, in this order.

    Returns
    -------
    dict stimulus set -> dict source -> array (n_stimuli, n_features)
        Shared features have mean 0 and sd 1 over the training images.
    """
    sets = {name: getattr(catalogue, name) for name in STIMULUS_SETS}
    which = np.repeat(list(sets), [len(stimuli.names) for stimuli in sets.values()])
    images, dimensions = zip(*[(stimuli.images, stimuli.dimensions) for stimuli in sets.values()], strict=True)
    shared = {"gabor": np.concatenate([gabor_energy(part) for part in images]),
              "colour": np.concatenate([colour_layout(part) for part in images]),
              "object": _object_units(np.concatenate(dimensions), seed)}  # fmt: skip
    for source, values in shared.items():
        reference = values[which == "training"]
        shared[source] = (values - reference.mean(axis=0)) / (reference.std(axis=0) + 1e-6)
    # one image per category, since the others are similar to it
    sample = np.flatnonzero(which == "training")[::N_PER_CATEGORY]
    sample = np.concatenate([sample, np.flatnonzero(np.isin(which, ("natural", "eeg")))])
    private = _private(shared, sample, generator(seed, "private"))
    both = {source: np.hstack([shared[source], private[source]]) for source in SOURCES}
    return {name: {source: values[which == name] for source, values in both.items()} for name in sets}


def _object_units(dimensions, seed):
    """Random nonlinear functions of the object dimensions, (n_stimuli, n_dimensions) -> (n_stimuli, N_OBJECT_UNITS)."""
    rng = generator(seed, "object units")
    weights = np.array([DIMENSION_WEIGHTS[name] for name in DIMENSIONS])[:, None] / np.sqrt(len(DIMENSIONS))
    units = weights * rng.standard_normal((len(DIMENSIONS), N_OBJECT_UNITS))
    return np.tanh(dimensions @ units + 0.5 * rng.standard_normal(N_OBJECT_UNITS))


def _private(shared, sample, rng):
    """dict source -> private features (n_stimuli, n), uncorrelated over the stimuli ``sample`` (row numbers)."""
    n, parts = N_PRIVATE * len(PRIVATE), []
    for values in shared.values():
        _, size, axes = np.linalg.svd(values[sample], full_matrices=False)
        scores = values @ (axes[:n].T / size[:n]) @ np.linalg.qr(rng.standard_normal((n, n)))[0]
        parts.append(scores / np.linalg.norm(scores, axis=1, keepdims=True))
    private = np.hstack(parts)
    # Sources are correlated, and the norm makes features so. Shrunken by half to the identity (variances are 1 / n),
    # because correlations that are exactly 0 in a sample make RDMs of its images negatively correlated.
    variances, axes = np.linalg.eigh(np.cov(private[sample].T) + np.eye(private.shape[1]) / n)
    private = private @ (axes / np.sqrt(variances)) @ axes.T  # symmetric: the least change of each feature
    return dict(zip(shared, np.split(private, len(shared), axis=1), strict=True))


def gabor_energy(images, wavelengths=(4, 8, 16), n_orientations=4, n_cells=8):
    """Root of the local energy of Gabor filters: (n_stimuli, size, size, 3) -> (n_stimuli, n_filters * n_cells ** 2).

    Each filter is a Gaussian around its frequency (one octave wide, in one half plane, so that the magnitude of its
    output is the energy), pooled over ``n_cells`` x ``n_cells`` squares. Wavelengths are in pixels.
    """
    spectrum = np.fft.fft2(images.mean(axis=3, dtype=np.float32) / 255)
    size = images.shape[1]
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    cell, energies = size // n_cells, []
    for wavelength in wavelengths:
        for angle in np.pi * np.arange(n_orientations) / n_orientations:
            distance = np.hypot(fx - np.cos(angle) / wavelength, fy - np.sin(angle) / wavelength)
            passed = np.exp(-0.5 * (distance * wavelength / 0.35) ** 2).astype(np.float32)
            magnitude = np.abs(np.fft.ifft2(spectrum * passed))
            squares = magnitude[:, : cell * n_cells, : cell * n_cells].reshape(-1, n_cells, cell, n_cells, cell)
            energies.append(np.sqrt(squares.mean(axis=(2, 4))).reshape(len(images), -1))
    return np.concatenate(energies, axis=1)


def colour_layout(images, n_cells=4):
    """Mean RGB of ``n_cells`` x ``n_cells`` squares: (n_stimuli, size, size, 3) -> (n_stimuli, n_cells ** 2 * 3)."""
    n, size = images.shape[:2]
    cell = size // n_cells
    squares = images[:, : cell * n_cells, : cell * n_cells].reshape(n, n_cells, cell, n_cells, cell, 3)
    return (squares.mean(axis=(2, 4)) / 255).reshape(n, -1)


class Voxels(NamedTuple):
    """The voxels of one participant."""

    regions: np.ndarray  # (n_voxels,), names from ROI_WEIGHTS
    mixing: dict  # source -> (n_features, n_voxels)
    noise: np.ndarray  # (n_patterns, n_voxels), each voxel with norm 1

    def responses(self, features):
        """Responses without noise, float32 (n_stimuli, n_voxels), to features by :func:`source_features`."""
        return sum(features[source] @ self.mixing[source] for source in SOURCES).astype(np.float32)

    @property
    def rois(self):
        """Boolean masks (n_voxels,) by the published names; they overlap: LOC is part of HVC, all are part of VC."""
        masks = {roi: self.regions == roi for roi in ROI_WEIGHTS}
        masks["LVC"] = masks["V1"] | masks["V2"] | masks["V3"]
        masks["HVC"] = masks["LOC"] | masks["FFA"] | masks["PPA"]
        masks["VC"] = np.ones(len(self.regions), dtype=bool)
        return masks


def make_voxels(subject, reference_features, n_voxels, seed, shared):
    """Draw the voxels of one participant.

    A region contains :data:`N_OWN` random combinations of the shared features of each source, and those private to the
    participant. A voxel is a random sum of them, scaled over the reference stimuli to variances ``shared`` and
    ``1 - shared``, times the weight of the source in the region.

    Parameters
    ----------
    subject : str, one of :data:`PRIVATE`
    reference_features : dict source -> array (n_stimuli, n_features)
    n_voxels : int
        Per region; FFA and PPA have a quarter of it each.
    seed, shared : int, float
    """
    counts = {roi: max(1, n_voxels // 4) if roi in ("FFA", "PPA") else n_voxels for roi in ROI_WEIGHTS}
    regions = np.repeat(list(counts), list(counts.values()))
    mixing = {}
    for i, source in enumerate(SOURCES):
        rng = generator(seed, subject, source)
        parts = [ROI_WEIGHTS[roi][i] * mix(rng, reference_features[source], n, subject, shared)
                 for roi, n in counts.items()]  # fmt: skip
        mixing[source] = np.concatenate(parts, axis=1)
    noise = generator(seed, subject, "noise patterns").standard_normal((N_NOISE_PATTERNS, len(regions)))
    return Voxels(regions, mixing, (noise / np.linalg.norm(noise, axis=0)).astype(np.float32))


def mix(rng, reference, n_outputs, subject, shared):
    """Random mixing (n_features, n_outputs) of the shared features and of those private to a subject, or to ``eeg``.

    The outputs have variances ``shared`` and ``1 - shared`` over the reference stimuli (n_stimuli, n_features).
    """
    mixing, first = np.zeros((reference.shape[1], n_outputs)), reference.shape[1] - N_PRIVATE * len(PRIVATE)
    own = first + N_PRIVATE * PRIVATE.index(subject)
    for columns, share in ((slice(first), shared), (slice(own, own + N_PRIVATE), 1 - shared)):
        part = reference[:, columns]
        mixed = rng.standard_normal((part.shape[1], N_OWN)) @ rng.standard_normal((N_OWN, n_outputs))
        mixing[columns] = np.sqrt(share) * mixed / (part @ mixed).std(axis=0)
    return mixing


def add_noise(signal, patterns, sd, rng):
    """One repeat of every row of ``signal`` with noise, float32 (n_stimuli, n_voxels); patterns of :class:`Voxels`."""
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    noise += rng.standard_normal((len(signal), len(patterns)), dtype=np.float32) @ patterns
    noise *= np.float32(sd / np.sqrt(2))
    noise += signal
    return noise


def time_course(source):
    """Weight of a source in the EEG at :data:`TIMES`: 0 until its onset, largest at its peak, then decaying."""
    onset, peak = EEG_LATENCIES[source]
    phase = np.clip((TIMES - onset) / (peak - onset), 0, None)
    return EEG_WEIGHTS[source] * phase**2 * np.exp(2 * (1 - phase))


def simulate_signal(subject, features, settings):
    """The EEG of one participant without noise, array (n_stimuli, 17, 100), sd about 1 over images at the peaks.

    ``features``: dict source -> array (n_stimuli, n_features); ``settings``: the ``SimulationSettings``.
    """
    signal = 0
    for source in SOURCES:
        rng = generator(settings.seed, subject, source)
        patterns = features[source] @ mix(rng, features[source], N_CHANNELS, "eeg", settings.shared)
        signal = signal + patterns[:, :, None] * time_course(source)
    return signal


def simulate_eeg(subject, features, n_repeats, settings):
    """Single trials of one participant; parameters as :func:`simulate_signal`.

    Returns
    -------
    float32 array (n_stimuli, n_repeats, 17, 100)
        In units of the sd of the single-trial noise, as in whitened recordings; times :data:`TIMES`.
    """
    signal, rng = simulate_signal(subject, features, settings), generator(settings.seed, subject, "noise")
    n_stimuli, innovation = len(signal), np.sqrt(1 - EEG_NOISE_MEMORY**2)
    trials = np.empty((n_stimuli, n_repeats, N_CHANNELS, len(TIMES)), dtype=np.float32)
    for i in range(n_stimuli):
        noise = rng.standard_normal(trials.shape[1:], dtype=np.float32)
        noise[..., 0] /= innovation  # so that the first sample has the same sd as the others
        trials[i] = lfilter([np.float32(innovation)], [np.float32(1), np.float32(-EEG_NOISE_MEMORY)], noise)
    trials += (settings.eeg_signal * signal)[:, None].astype(np.float32)
    return trials
