"""Where things lie: the repository, and the folders that REALNET_ROOT and REALNET_DATA name, refused where wrong."""

import os
from pathlib import Path

from realnet.errors import InvalidInput

#: The repository; ``REALNET_ROOT`` moves data/ and results/ elsewhere (tests and clusters do).
REPOSITORY = Path(__file__).resolve().parents[1]


def project_root():
    """The folder that holds data/ and results/: the repository, or ``REALNET_ROOT`` where that is set.

    Raises
    ------
    InvalidInput
        ``REALNET_ROOT`` is empty, not absolute, a file, or not there: results would land where nobody looks for them.
    """
    given = os.environ.get("REALNET_ROOT")
    if given is None:
        return REPOSITORY
    _check_path("REALNET_ROOT", given)
    if not os.path.isdir(given):
        raise InvalidInput(f"REALNET_ROOT is {given!r}, where there is no folder: make it, or unset REALNET_ROOT")
    return Path(given).resolve()


def check_environment():
    """Refuse variables of the environment that are wrong; the first thing that reading a study does.

    A ``REALNET_DATA`` that is not there is no error: chapter 10 says so, and goes without its real people.

    Raises
    ------
    InvalidInput
        One sentence that names the variable.
    """
    project_root()
    given = os.environ.get("REALNET_DATA")
    if given is not None:
        _check_path("REALNET_DATA", given)
    gpus = os.environ.get("REALNET_SLURM_GPUS", "1")
    if not (gpus.isascii() and gpus.isdigit()):
        raise InvalidInput(
            f"REALNET_SLURM_GPUS is {gpus!r}: it must be a whole number of GPUs, such as 1, or 0 for none"
        )


def _check_path(variable, given):
    """An absolute path that is not a file."""
    if not os.path.isabs(given):
        raise InvalidInput(f"{variable} is {given!r}: it must be the absolute path of a folder, such as /data/me/study")
    if os.path.exists(given) and not os.path.isdir(given):
        raise InvalidInput(f"{variable} is {given!r}, which is a file: it must be the absolute path of a folder")
