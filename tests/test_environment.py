"""The two descriptions of the environment agree with each other, and with the environment that runs these tests."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rattler import BuildString, MatchSpec, PackageRecord

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PINS = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]


@pytest.fixture
def conda():
    return yaml.safe_load((REPOSITORY / "environment.yml").read_text())


def test_environment_yml_has_the_pins_of_pyproject(conda):
    [section] = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert section.count("--editable .") == 1
    listed = [str(Requirement(text)) for text in section if not text.startswith("--")]
    assert sorted(listed) == sorted(map(str, PINS))


def test_environment_yml_asks_conda_for_the_python_of_pyproject(conda):
    specs = {spec.name.normalized: spec for spec in (MatchSpec(e) for e in conda["dependencies"] if isinstance(e, str))}
    assert set(specs) == {"python", "pip", "make"}
    versions = [f"3.{minor}.{patch}" for minor in range(9, 16) for patch in (0, 7)]
    records = {version: PackageRecord("python", version, BuildString("0"), 0, "linux-64") for version in versions}
    matched = [version for version, record in records.items() if specs["python"].matches(record)]
    assert matched == [v for v in versions if v in SpecifierSet(PROJECT["requires-python"])] and matched


def test_every_pin_is_exact_and_installed():
    assert [str(pin) for pin in PINS if [s.operator for s in pin.specifier] != ["=="]] == []
    wrong = {pin.name: metadata.version(pin.name) for pin in PINS if metadata.version(pin.name) not in pin.specifier}
    # a build for one accelerator (torch 2.14.1+cpu) is the same version
    assert wrong == {}
