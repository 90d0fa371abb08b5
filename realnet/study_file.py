"""Reading a study file: YAML without its traps, and every mistake as one sentence that names the key."""

import difflib
import reprlib
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from realnet.errors import InvalidInput

#: Bytes; a study file has some dozens of lines.
LARGEST = 100_000
#: Plain YAML: no dates, sets or objects of Python.
PLAIN = [f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")]


class _Loader(yaml.SafeLoader):
    """The plain part of YAML, a date being text; a key that appears twice and aliases (``*name``) are errors."""

    yaml_constructors = {
        tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag in PLAIN or tag is None
    } | {"tag:yaml.org,2002:timestamp": yaml.SafeLoader.construct_yaml_str}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it holds an alias (*name), write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key in (node for node, _ in node.value):
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise yaml.YAMLError(f"the key {shown(name)} appears twice, in line {key.start_mark.line + 1}")
            seen |= {name} - {None}
        return super().construct_mapping(node, deep)


def read_study_file(path):
    """The keys and values of a study file.

    Raises
    ------
    InvalidInput
        One sentence: not readable, too large, not UTF-8, not YAML, or no keys and values.
    """
    path = Path(path)
    try:
        content = path.read_bytes()[: LARGEST + 1]
        if len(content) > LARGEST:
            raise InvalidInput(f"{path} has more than {LARGEST} bytes: a study file has some dozens of lines")
        settings = yaml.load(content.decode("utf-8-sig"), _Loader)
    except InvalidInput:
        raise
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise InvalidInput(f"{path} is nested too deeply: a study has sections, keys and lists") from error
    except Exception as error:  # beside its own errors PyYAML lets those of int() and others through
        raise InvalidInput(f"{path} is not valid YAML: {' '.join(str(error).split()):.300}") from error
    if not isinstance(settings, dict):
        raise InvalidInput(f"{path} must hold keys and values such as 'name: demo', not {type(settings).__name__}")
    return settings


def validate(model, settings, path):
    """``settings`` as an object of ``model``, or an :class:`InvalidInput` that names file, key, and what is wrong."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise InvalidInput(f"{path}: {_sentence(error, model)}") from error


def shown(value):
    """A value as part of a sentence: short, whatever it is."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxlist, short.maxdict = 2, 60, 4, 4
    try:
        return short.repr(value)[:80]
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "a very large number"


def nearest(word, known):
    """'; did you mean x?' for the nearest known word, else the list of them."""
    known = list(known)
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _sentence(error, model):
    """The first thing that pydantic found wrong, as one sentence that names the key."""
    first = error.errors(include_url=False)[0]
    keys = [str(part) for part in first["loc"]]
    key, came = ".".join(keys), first.get("input")
    if first["type"] in ("extra_forbidden", "invalid_key"):
        for part in first["loc"][:-1]:
            field = model.model_fields.get(str(part))
            model = next(iter(_models(field.annotation)), model) if field else model
        return f"unknown key {shown(key)}{nearest(keys[-1], model.model_fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing{_hint(keys, model)}"
    message = " ".join(first["msg"].removeprefix("Value error, ").split())
    got = "" if isinstance(came, dict) and first["type"] == "value_error" else f" (got {shown(came)})"
    return f"{key or 'the study'}: {message:.300}{got}"


def _hint(keys, model):
    """What a missing key is for, where the settings say so."""
    field = model.model_fields.get(keys[-1])
    return f": {field.description}" if field and field.description else ""


def _models(annotation):
    """The settings classes in an annotation such as ``WorldSettings | None``."""
    parts = getattr(annotation, "__args__", (annotation,))
    return [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
