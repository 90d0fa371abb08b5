"""Execute one notebook with papermill: ``python -m workflow.notebook SOURCE EXECUTED LOG [name=value ...]``."""

import ast
import os
import shutil
import sys
import tempfile
from pathlib import Path

import papermill
from papermill.exceptions import PapermillExecutionError

from realnet.errors import InvalidInput, RealnetError
from realnet.io import whole_file
from realnet.settings import nearest

_READ = {"str": str, "int": int, "float": float, "bool": {"True": True, "False": False}.__getitem__}


def read_parameters(source, given):
    """Values for the parameters cell of a notebook.

    Parameters
    ----------
    source : path
        The notebook.
    given : sequence of str
        ``name=value``; a value is read as the type of the default in the notebook.

    Returns
    -------
    dict

    Raises
    ------
    InvalidInput
        The notebook has no such parameter, or the value is of another type.
    """
    defaults = {name: ast.literal_eval(p["default"]) for name, p in papermill.inspect_notebook(str(source)).items()}
    values = {}
    for name, _, text in (item.partition("=") for item in given):
        if name not in defaults:
            raise InvalidInput(f"{source} has no parameter {name!r}{nearest(name, defaults)}")
        kind = type(defaults[name]).__name__
        try:
            values[name] = _READ[kind](text)
        except (KeyError, ValueError):
            raise InvalidInput(f"{source}: parameter {name} is {text!r}, expected {kind} as in the notebook") from None
    return values


class Terminal:
    """Prints what the cells of a notebook write to stderr (progress, warnings), one line each, with its name."""

    def __init__(self, name):
        self.name = name

    def write(self, text):
        for line in text.replace("\r", "\n").splitlines():
            if line.strip():
                print(f"{self.name}: {line.strip()}", file=sys.stderr)

    def flush(self):
        sys.stderr.flush()


def execute(source, executed, log, given=()):
    """Execute a notebook.

    Parameters
    ----------
    source, executed, log : path
        The notebook; its executed copy, which is written once the last cell has run; the copy that papermill writes
        cell by cell, which has the traceback where a cell fails.
    given : sequence of str
        As in :func:`read_parameters`.

    Raises
    ------
    InvalidInput
        A wrong parameter, before a kernel starts; or a cell failed, and the message gives its error.
    """
    parameters = read_parameters(source, given)
    for path in (executed, log):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # of tqdm, where there are no widgets
    # IPython's start-up files are not part of the study, and two kernels would lock each other's history
    with tempfile.TemporaryDirectory() as os.environ["IPYTHONDIR"]:
        try:
            papermill.execute_notebook(
                source, log, parameters, kernel_name="python3", language="python", progress_bar=False,
                stderr_file=Terminal(Path(executed).stem), extra_arguments=["--log-level=ERROR"],
            )  # fmt: skip
        except PapermillExecutionError as error:
            said = " ".join(f"{error.ename}: {error.evalue}".split())
            raise InvalidInput(f"{source} failed with {said:.500} (the notebook with its traceback: {log})") from error
        except RuntimeError as error:  # the kernel died
            raise InvalidInput(f"{source}: {error}, often for lack of memory (the notebook so far: {log})") from error
    with whole_file(executed) as temporary:
        shutil.copy(log, temporary)


if __name__ == "__main__":
    try:
        execute(*sys.argv[1:4], sys.argv[4:])
    except RealnetError as error:
        sys.exit(f"error: {error}")
