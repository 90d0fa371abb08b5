"""Shen et al. 2019 ("Deep image reconstruction from human brain activity"): fMRI of three subjects who saw images.

Article: doi 10.1371/journal.pcbi.1006633; data: figshare 7033577. Sessions: 1200 natural images x 5 repeats (training),
50 natural images of other categories x 24, 40 coloured shapes x 20, 10 letters x 12.
"""

from collections import namedtuple

import numpy as np

from realnet.datasets import kamitani
from realnet.datasets.files import find_files, find_one, subject_number
from realnet.errors import InvalidInput

N_SUBJECTS = 3
#: The design of a session, and the names that its files go by (regular expressions).
Split = namedtuple("Split", "n_stimuli n_repeats session fmriprep")
SPLITS = {
    "training": Split(1200, 5, "NaturalImageTraining", "ImageNetTraining"),
    "natural": Split(50, 24, "NaturalImageTest", "ImageNetTest"),
    "shapes": Split(40, 20, "ArtificialImage", "Artificial(?:Shapes|Image)"),
    "letters": Split(10, 12, "LetterImage", "(?:Alphabet|Letter)[A-Za-z]*"),  # the second name is not certain
}
#: The same recordings were published three times; where several are present, the first of these is read.
GENERATIONS = (
    r"sub-{0}_perception{1}_original_VC\.h5",
    r"sub-{0}_perception{1}_VC_v2\.h5",
    r"sub-{0}_{2}_fmriprep_volume_native_vc\.h5",
    r"sub-{0}_{2}_fmriprep_volume_native\.h5",
)
_COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan", "white", "black")
_SHAPES = [f"{colour}_{shape}" for colour in _COLOURS for shape in ("square", "smallring", "largering", "+", "X")]
#: The names behind the numbers 1..40 and 1..10, as in the event files of OpenNeuro ds001506 (img011 is A).
SHAPE_NAMES = tuple(f"colorExpStim{i:02d}_{shape}" for i, shape in enumerate(_SHAPES, start=1))
LETTER_NAMES = tuple(f"letter_black_img{ord(letter) - ord('A') + 11:03d}_{letter}" for letter in "ACEINORSTU")


def load(root, subject, split, *, mean=True):
    """Responses of one subject to the images of one session, mean over repeats.

    Parameters
    ----------
    root : path of a folder that holds the published files under their published names, at any depth
    subject : int or str, 1-3 or ``sub-01``
    split : {"training", "natural", "shapes", "letters"}
    mean : bool, whether to average over repeats

    Returns
    -------
    Dataset
        ``responses`` (stimulus, voxel) in the unit of the file, or (sample, voxel) in its order. Coordinates:
        ``stimulus``, the name of the image without ending; ``roi`` (roi, voxel), boolean, ``data.roi.sel(roi="V1")`` is
        the mask of V1; ``roi_name`` (roi); ``x y z`` (voxel) in mm where known.
    """
    path, number = _find_session(root, split, subject), subject_number(subject, N_SUBJECTS)
    return kamitani.load(path, *_design(root, split), subject=number, mean=mean)


def load_trials(root, subject, split):
    """As :func:`load`, without the mean over repeats."""
    return load(root, subject, split, mean=False)


def files(root, subject, splits=tuple(SPLITS)):
    """Paths of what loading these splits opens: their sessions, and the stimulus lists that are there."""
    lists = [path for split in splits for path in _find_list(root, split)]
    return [_find_session(root, split, subject) for split in splits] + lists


def stimulus_names(root, split):
    """Names of the images of a split as in :func:`load`, from the labels of one subject who is there: list of str."""
    paths = [path for pattern in _patterns(split, "0[1-3]") for path in find_files(root, pattern)]
    with kamitani.open_bdata(paths[0] if paths else _find_session(root, split, 1)) as bdata:
        return np.unique(kamitani.read_stimuli(bdata, *_design(root, split))).tolist()


def _design(root, split):
    """Names of the images that files number 1, 2, ..., number of images, and of repeats."""
    names = dict(enumerate({"shapes": SHAPE_NAMES, "letters": LETTER_NAMES}.get(split, ()), start=1))
    for path in _find_list(root, split):
        try:
            lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
            names = {int(line[-1]): line[0].strip() for line in lines}
            if not len(lines) == len(set(names.values()) - {""}) == SPLITS[split].n_stimuli:
                raise ValueError(f"{len(names)} images")
        except ValueError as error:
            raise InvalidInput(f"{path}: expected each image once, its image_index last ({error})") from error
    return names, *SPLITS[split][:2]


def _find_list(root, split):
    """The published list of a split; none where it was not fetched, as most files do without."""
    return find_files(root, rf"(?:stimulus_)?{SPLITS[split].session}\.tsv")[:1]


def _find_session(root, split, subject):
    """The file of one session, of the first generation that is there."""
    patterns = _patterns(split, f"{subject_number(subject, N_SUBJECTS):02d}")
    pattern = next((pattern for pattern in patterns if find_files(root, pattern)), patterns[0])
    return find_one(root, pattern, f"{patterns[0]} or another generation of it".replace("\\", ""))


def _patterns(split, subject):
    """Names of a session's file, in the order of the generations."""
    if split not in SPLITS:
        raise InvalidInput(f"split {split!r}: expected one of {', '.join(SPLITS)}")
    return [pattern.format(subject, *SPLITS[split][2:]) for pattern in GENERATIONS]
