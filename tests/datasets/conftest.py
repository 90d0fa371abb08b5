"""Small recordings in the published formats, with numbers that the tests know, and a server to download from."""

from pathlib import Path

import numpy as np
import pytest
from published_files import N_VOXELS, image_names, roi_masks

from realnet.datasets import shen2019
from simulation.bdata_writer import stimulus_id, write_bdata


@pytest.fixture
def write_session():
    """Writes one session of Shen 2019; returns (path, stimulus of each sample, responses of each sample)."""

    def write(folder, subject=1, split="natural", **labels):
        rng, names, design = np.random.default_rng(subject), image_names(split), shen2019.SPLITS[split]
        which = rng.permutation(np.repeat(np.arange(design.n_stimuli), design.n_repeats))
        ids = 1.0 + which if split in ("shapes", "letters") else np.array([stimulus_id(names[i]) for i in which])
        means = rng.normal(size=(design.n_stimuli, N_VOXELS))
        responses = means[which] + rng.normal(size=(which.size, N_VOXELS))
        path = Path(folder) / f"sub-{subject:02d}_perception{design.session}_original_VC.h5"
        xyz = np.arange(3 * N_VOXELS).reshape(-1, 3)
        write_bdata(path, responses, roi_masks(), labels or {"stimulus_id": ids}, voxel_xyz=xyz)
        return path, np.array(names)[which], responses

    return write
