"""What the small recordings of these tests are made of: names of images and masks of voxels."""

import numpy as np

from realnet.datasets import shen2019

N_VOXELS = 24


def image_names(split):
    """Names of a split, in sorted order."""
    if split in ("shapes", "letters"):
        return list(shen2019.SHAPE_NAMES if split == "shapes" else shen2019.LETTER_NAMES)
    first = 1_440_000 if split == "natural" else 2_000_000
    # image numbers that end in zeros or have few digits are where the '%f' rule matters
    n = shen2019.SPLITS[split].n_stimuli
    return sorted(f"n{first + i // 8:08d}_{(i % 8 + 1) * 10 ** (i % 5)}" for i in range(n))


def roi_masks(v4="hV4"):
    """Overlapping ROIs of N_VOXELS voxels."""
    place = np.arange(N_VOXELS) // 4
    masks = {name: place == i for i, name in enumerate(("V1", "V2", "V3", v4, "LOC", "FFA"))}
    return masks | {"HVC": place >= 4, "VC": place < 5}
