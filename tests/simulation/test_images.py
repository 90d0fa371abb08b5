"""Simulated images show the planted dimensions, and the Gabor energy agrees with a direct convolution."""

import colorsys

import numpy as np
from scipy.signal import convolve2d
from scipy.stats import spearmanr

from simulation import images, responses


def test_images_show_the_planted_hue():
    dimensions = np.zeros((60, 8))
    dimensions[:, 0], dimensions[:, 1] = np.linspace(-1, 0.3, 60), 1  # red to green
    rendered = images.render_objects(dimensions, np.random.default_rng(0))
    centre = rendered[:, 24:40, 24:40].mean(axis=(1, 2))
    assert spearmanr(dimensions[:, 0], centre[:, 1] - centre[:, 0]).statistic > 0.9


def test_hue_is_that_of_the_standard_library():
    for hue, saturation in [(0.0, 1.0), (0.2, 0.5), (0.5, 0.9), (0.71, 0.3)]:
        ours = images.hue_to_rgb(np.array(hue), np.array(saturation))
        np.testing.assert_allclose(ours, colorsys.hsv_to_rgb(hue, saturation, 1.0), atol=1e-6)


def test_gabor_energy_agrees_with_direct_convolution():
    image = np.random.default_rng(1).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    ours = responses.gabor_energy(image, wavelengths=(8,), n_orientations=1)[0].reshape(8, 8)
    # the filter in space: a Gaussian envelope times exp(2 pi i x / 8); sd in space = 1 / (2 pi sd in frequency)
    sd = 1 / (2 * np.pi * 0.35 / 8)
    y, x = np.meshgrid(np.arange(-31, 32), np.arange(-31, 32), indexing="ij")
    kernel = np.exp(-(x**2 + y**2) / (2 * sd**2) + 2j * np.pi * x / 8) / (2 * np.pi * sd**2)
    magnitude = np.abs(convolve2d(image[0].mean(axis=2) / 255, kernel, mode="same", boundary="wrap"))
    expected = np.sqrt(magnitude.reshape(8, 8, 8, 8).mean(axis=(1, 3)))
    np.testing.assert_allclose(ours, expected, rtol=1e-3)
