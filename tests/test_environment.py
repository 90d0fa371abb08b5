"""The two descriptions of the environment agree with each other, and with the environment that runs these tests."""

import tomllib
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PINS = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]


def test_environment_yml_has_the_pins_of_pyproject():
    conda = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    [section] = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    listed = [str(Requirement(text)) for text in section if not text.startswith("--")]
    assert section.count("--editable .") == 1 and sorted(listed) == sorted(map(str, PINS))
    assert f"python {PROJECT['requires-python']}" in conda


def test_every_pin_is_exact_and_installed():
    assert [str(pin) for pin in PINS if [s.operator for s in pin.specifier] != ["=="]] == []
    wrong = {pin.name: metadata.version(pin.name) for pin in PINS if metadata.version(pin.name) not in pin.specifier}
    # a build for one accelerator (torch 2.14.1+cpu) is the same version
    assert wrong == {}
