"""Simulated responses: three sources of features, mixed into voxels by region and into EEG channels over time."""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from simulation.images import DIMENSIONS
from simulation.stimuli import generator

#: Gabor energy, coarse colour layout, nonlinear functions of the object dimensions.
SOURCES = ("gabor", "colour", "object")

#: Planted: weight of each source in each region, in the order of :data:`SOURCES`.
ROI_WEIGHTS = {
    "V1": (1.0, 0.3, 0.0),
    "V2": (0.8, 0.5, 0.2),
    "V3": (0.6, 0.5, 0.4),
    "V4": (0.3, 0.6, 0.8),
    "LOC": (0.1, 0.3, 1.2),
    "FFA": (0.1, 0.3, 1.2),
    "PPA": (0.1, 0.3, 1.2),
}

#: Planted: weight of each object dimension in the third source; hue and saturation matter more than for categories.
DIMENSION_WEIGHTS = dict.fromkeys(DIMENSIONS, 1.0) | {"hue": 4.0, "saturation": 3.0}

#: Planted: onset and peak of each source in the EEG, seconds after the image.
EEG_LATENCIES = {"gabor": (0.03, 0.08), "colour": (0.05, 0.11), "object": (0.07, 0.15)}

N_OBJECT_UNITS = 300
VOXEL_NOISE = 2.5  # standard deviation of a single repeat; a voxel's signal has about 1
EEG_SIGNAL = 0.1  # standard deviation over images at the peak; a single trial's noise has 1
EEG_NOISE_MEMORY = 0.9  # autocorrelation of the noise from one sample (10 ms) to the next
N_OWN = 16  # random combinations of a source's features in each region; they make the participants differ

N_CHANNELS = 17
TIMES = np.round(np.arange(-20, 80) / 100, 2)  # s


class Sources:
    """The features that all participants share, standardised on reference stimuli (``Stimuli``)."""

    def __init__(self, reference, seed):
        rng = generator(seed, "object units")
        weights = np.array([DIMENSION_WEIGHTS[name] for name in DIMENSIONS])
        n = len(DIMENSIONS)
        self.units = weights[:, None] * rng.standard_normal((n, N_OBJECT_UNITS)) / np.sqrt(n)
        self.offsets = 0.5 * rng.standard_normal(N_OBJECT_UNITS)
        features = self._raw(reference)
        self.means = {name: values.mean(axis=0) for name, values in features.items()}
        self.sds = {name: values.std(axis=0) + 1e-6 for name, values in features.items()}

    def _raw(self, stimuli):
        """dict source -> array (n_stimuli, n_features), before standardisation."""
        return {"gabor": gabor_energy(stimuli.images), "colour": colour_layout(stimuli.images),
                "object": np.tanh(stimuli.dimensions @ self.units + self.offsets)}  # fmt: skip

    def features(self, stimuli):
        """dict source -> array (n_stimuli, n_features), mean 0 and sd 1 over the reference stimuli."""
        return {name: (raw - self.means[name]) / self.sds[name] for name, raw in self._raw(stimuli).items()}


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

    def responses(self, features):
        """Responses without noise, float32 (n_stimuli, n_voxels), to the features of :meth:`Sources.features`."""
        return sum(features[source] @ self.mixing[source] for source in SOURCES).astype(np.float32)

    @property
    def rois(self):
        """Boolean masks (n_voxels,) by the published names; they overlap: LOC is part of HVC, all are part of VC."""
        masks = {roi: self.regions == roi for roi in ROI_WEIGHTS}
        masks["LVC"] = masks["V1"] | masks["V2"] | masks["V3"]
        masks["HVC"] = masks["LOC"] | masks["FFA"] | masks["PPA"]
        masks["VC"] = np.ones(len(self.regions), dtype=bool)
        return masks


def make_voxels(subject, reference_features, n_voxels, seed):
    """Draw the voxels of one participant.

    A region contains :data:`N_OWN` random combinations of the features of each source. A voxel is a random sum of
    them, scaled to sd 1 over the reference stimuli, times the weight of the source in the region. Participants share
    the features and differ in the combinations.

    Parameters
    ----------
    subject : str, such as ``shen2019/sub-01``
    reference_features : dict source -> array (n_stimuli, n_features)
    n_voxels : int
        Per region; FFA and PPA have a quarter of it each.
    """
    counts = {roi: max(1, n_voxels // 4) if roi in ("FFA", "PPA") else n_voxels for roi in ROI_WEIGHTS}
    regions = np.repeat(list(counts), list(counts.values()))
    mixing = {}
    for i, source in enumerate(SOURCES):
        rng = generator(seed, subject, source)
        reference = reference_features[source]
        mixed = np.concatenate([_mix(rng, reference.shape[1], n) for n in counts.values()], axis=1)
        weight = np.array([ROI_WEIGHTS[roi][i] for roi in regions])
        mixing[source] = mixed * weight / (reference @ mixed).std(axis=0)
    return Voxels(regions, mixing)


def _mix(rng, n_features, n_voxels):
    """Random mixing (n_features, n_voxels) of rank :data:`N_OWN`."""
    return rng.standard_normal((n_features, N_OWN)) @ rng.standard_normal((N_OWN, n_voxels))


def add_noise(signal, rng):
    """One noisy repeat of every row of ``signal``, float32 (n_stimuli, n_voxels)."""
    return signal + np.float32(VOXEL_NOISE) * rng.standard_normal(signal.shape, dtype=np.float32)


def time_course(source):
    """Weight of a source in the EEG at :data:`TIMES`: 0 until its onset, 1 at its peak, then decaying."""
    onset, peak = EEG_LATENCIES[source]
    phase = np.clip((TIMES - onset) / (peak - onset), 0, None)
    return phase**2 * np.exp(2 * (1 - phase))


def simulate_eeg(subject, features, n_repeats, seed):
    """Single trials of one participant.

    Parameters
    ----------
    subject : str
    features : dict source -> array (n_stimuli, n_features)
    n_repeats, seed : int

    Returns
    -------
    float32 array (n_stimuli, n_repeats, 17, 100)
        In units of the sd of the single-trial noise, as in whitened recordings; times :data:`TIMES`.
    """
    signal = 0
    for source in SOURCES:
        rng = generator(seed, subject, source)
        n_features = features[source].shape[1]
        patterns = features[source] @ rng.standard_normal((n_features, N_CHANNELS))
        signal = signal + (patterns / patterns.std(axis=0))[:, :, None] * time_course(source)
    rng = generator(seed, subject, "noise")
    n_stimuli, innovation = len(signal), np.sqrt(1 - EEG_NOISE_MEMORY**2)
    trials = np.empty((n_stimuli, n_repeats, N_CHANNELS, len(TIMES)), dtype=np.float32)
    for i in range(n_stimuli):
        noise = rng.standard_normal(trials.shape[1:], dtype=np.float32)
        noise[..., 0] /= innovation  # so that the first sample has the same sd as the others
        trials[i] = lfilter([np.float32(innovation)], [np.float32(1), np.float32(-EEG_NOISE_MEMORY)], noise)
    trials += (EEG_SIGNAL * signal)[:, None].astype(np.float32)
    return trials
