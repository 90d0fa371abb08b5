"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# the same generated examples at every run; `pytest --hypothesis-profile=default` looks for others
settings.load_profile("ci")

#: Files whose tests take minutes: they start first, so that no worker is left with one of them at the end.
SLOW = ("test_slurm.py", "test_notebooks.py", "test_book.py", "test_workflow.py", "test_own_subject.py")


def pytest_collection_modifyitems(items):
    """Order files, not the tests in them; `make test` gives each worker the next file."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


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
