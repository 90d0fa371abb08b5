"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data_folder():
    """Where the small real data lie, if they are there."""
    return Path(os.environ.get("REALNET_DATA", REPOSITORY.parent / "shared" / "real"))


@pytest.fixture(scope="session")
def real_data(real_data_folder):
    """The folder of small real data (never part of the repository); the test skips where it is absent."""
    if not real_data_folder.is_dir():
        pytest.skip(f"real data are not at {real_data_folder}: set REALNET_DATA to the folder that holds them")
    return real_data_folder
