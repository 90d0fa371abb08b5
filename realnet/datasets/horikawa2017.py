"""Horikawa & Kamitani 2017 ("Generic decoding of seen and imagined objects"): fMRI of five subjects who saw images.

Article: doi 10.1038/ncomms15037; data: figshare 7387130. Read here: the test images that were seen, the same 50 natural
images as in Shen et al. 2019, 35 times each (rows with ``DataType`` 2; 1 is training, 3 is imagery).
"""

from realnet.datasets import kamitani
from realnet.datasets.files import find_one, subject_number

N_SUBJECTS, N_STIMULI, N_REPEATS = 5, 50, 35


def load(root, subject, *, mean=True):
    """Responses of one subject to the 50 test images, mean over 35 repeats; see :func:`realnet.datasets.shen2019.load`.

    Parameters
    ----------
    root : path of a folder that holds ``Subject1.h5`` .. ``Subject5.h5``, at any depth
    subject : int or str, 1-5 or ``sub-01``
    """
    number = subject_number(subject, N_SUBJECTS)
    return kamitani.load(*files(root, subject), {}, N_STIMULI, N_REPEATS, subject=number, mean=mean, data_type=2)


def load_trials(root, subject):
    """As :func:`load`, without the mean over repeats."""
    return load(root, subject, mean=False)


def files(root, subject):
    """The path that :func:`load` opens, in a list."""
    name = f"Subject{subject_number(subject, N_SUBJECTS)}.h5"
    return [find_one(root, name.replace(".", r"\."), f"{name} of Horikawa & Kamitani 2017")]
