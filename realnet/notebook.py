"""Run one notebook of the study: its parameters checked, its executed copy whole or not there.

The workflow calls ``python -m realnet.notebook SOURCE EXECUTED LOG name=value ...`` for every rule.
"""

import ast
import difflib
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib import util
from pathlib import Path

from realnet.commands import Parser, whole_number
from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.study import load_study
from realnet.study_file import shown

#: Folder of this package; ``modules_of`` names files in it.
PACKAGE = Path(__file__).resolve().parent


class NotebookFailed(RealnetError):
    """A cell of a notebook raised; the sentence names the notebook, the error and the executed copy."""


def read_parameters(notebook):
    """The parameters of a notebook and their defaults: the literals assigned in its cell tagged ``parameters``.

    Raises
    ------
    MissingInput, InvalidInput
        The notebook is not there, is not a notebook, or its parameters cell holds anything but ``name = literal``
        (a derived value would be calculated before the value of the workflow is injected).
    """
    cells = _read_cells(notebook)
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise InvalidInput(f"{notebook} must have one cell tagged 'parameters', not {len(tagged)}")
    parameters = {}
    try:
        for statement in ast.parse(_text(tagged[0])).body:
            target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
            parameters[target.id] = ast.literal_eval(statement.value)
    except (AttributeError, ValueError, SyntaxError) as error:
        raise InvalidInput(f"the parameters cell of {notebook} must hold only lines such as beta = 40") from error
    return parameters


def run_notebook(source, executed, log, parameters=None, threads=1):
    """Execute a notebook with papermill.

    Parameters
    ----------
    source, executed, log : path
        The notebook; where its executed copy goes, whole, once its last cell has run; where the copy with the
        traceback goes when a cell fails.
    parameters : dict
        Values for names of its parameters cell, of the type of their defaults.
    threads : int
        Threads that numerical libraries may use in the notebook.

    Raises
    ------
    InvalidInput, MissingInput
        A parameter that the notebook does not have or of another type (papermill only warns); no such notebook,
        study, or network of the study.
    NotebookFailed
        One sentence: the notebook, the error of its cell, and ``log``.
    """
    # jsonschema would compile a grammar of web addresses for a second, at every start; it does without where absent
    sys.modules.setdefault("rfc3987_syntax", None)
    import papermill  # slow to import, and a notebook that checks its parameters does not need it

    parameters = _checked(source, parameters or {})
    executed, log = Path(executed), Path(log)
    partial = executed.with_name(f".{executed.stem}.partial.ipynb")
    for folder in (executed.parent, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        # two kernels at once would share one history database, and a user's start-up files would join the study
        with (
            tempfile.TemporaryDirectory() as ipython_dir,
            _environment(OMP_NUM_THREADS=str(threads), NUMBA_NUM_THREADS=str(threads), IPYTHONDIR=ipython_dir),
        ):
            papermill.execute_notebook(
                source, partial, parameters, kernel_name="python3", language="python", progress_bar=False,
                extra_arguments=["--log-level=ERROR"],  # each kernel would warn that its local port is not encrypted
            )  # fmt: skip
        os.replace(partial, executed)
        log.unlink(missing_ok=True)
    except papermill.PapermillExecutionError as error:
        os.replace(partial, log)
        said = " ".join(f"{error.ename}: {error.evalue}".split())
        raise NotebookFailed(f"{source} stopped with {said:.500} (with its traceback: {log})") from error
    except RuntimeError as error:  # the kernel itself died
        os.replace(partial, log)
        raise NotebookFailed(
            f"the kernel of {source} died, often for want of memory or of room on the disk (what it did: {log})"
        ) from error
    except OSError as error:
        raise NotebookFailed(f"no executed copy of {source} in {executed.parent}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def check_parameters(namespace, known):
    """Refuse parameters that a notebook does not have; the first line after its parameters cell.

    Papermill only warns of a misspelt ``-p name value`` and runs with the default. At the first call in a kernel every
    literal in ``namespace`` must be one of ``known``; later calls (cells run again by hand) look for missing ones only.

    Parameters
    ----------
    namespace : dict
        ``globals()`` of the notebook.
    known : str
        The names in the parameters cell, separated by spaces.

    Raises
    ------
    InvalidInput
        One sentence that names the parameter and the nearest known one.
    """
    known = known.split()
    literal = (bool, int, float, str, list, tuple, dict, set, type(None))
    # IPython's own names begin with _, but for In and Out
    given = [k for k, v in namespace.items() if isinstance(v, literal) and k[0] != "_" and k not in ("In", "Out")]
    missing = [name for name in known if name not in namespace]
    if missing:
        raise InvalidInput(f"the parameter {missing[0]!r} is not set: run the notebook's parameters cell first")
    if not namespace.get("_parameters_checked"):
        for name in given:
            if name not in known:
                raise InvalidInput(f"this notebook has no parameter {name!r}{_nearest(name, known)}")
    namespace["_parameters_checked"] = True


def modules_of(notebook, package=PACKAGE):
    """The files of ``realnet`` that a notebook needs: what its cells import, and what those files import in turn.

    Parameters
    ----------
    notebook : path
        A notebook; one that does not exist needs nothing.
    package : path
        The folder of the package.

    Returns
    -------
    list of Path
        Sorted; imports inside functions count, names made at run time are not seen.
    """
    package = Path(package)
    if not Path(notebook).is_file():
        return []
    waiting, found = _imported(read_code(notebook), package.name), set()
    while waiting:
        name = waiting.pop()
        folder = package.parent.joinpath(*name.split("."))
        file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        if file.is_file() and file not in found:
            found.add(file)
            inside = name if file.name == "__init__.py" else name.rpartition(".")[0]
            waiting |= _imported(file.read_text(encoding="utf-8"), package.name, inside)
    return sorted(found)


def read_code(notebook):
    """The code of all cells of a notebook as one text of Python, its magics as the calls that IPython makes of them.

    Raises
    ------
    InvalidInput
        A cell is not Python.
    """
    # IPython is needed for this alone: magics (%matplotlib inline) are no Python that ast could read
    from IPython.core.inputtransformer2 import TransformerManager

    cells = [cell for cell in _read_cells(notebook) if cell["cell_type"] == "code"]
    code = "\n".join(TransformerManager().transform_cell(_text(cell)) for cell in cells)
    try:
        ast.parse(code)
    except SyntaxError as error:
        raise InvalidInput(f"{notebook} holds a cell that is not Python: {error.msg}: {error.text}") from error
    return code


def _imported(code, package, inside=""):
    """Dotted names under ``package`` that ``code`` imports, with every package above them (their __init__ runs)."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = util.resolve_name("." * node.level + (node.module or ""), inside) if node.level else node.module
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    names = {name for name in names if name.split(".")[0] == package}
    return names | {name.rsplit(".", n)[0] for name in names for n in range(1, name.count(".") + 1)}


@contextmanager
def _environment(**variables):
    """Variables that a kernel inherits, and that are afterwards as they were: numba here may not see them change."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _read_cells(notebook):
    try:
        return json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError as error:
        raise MissingInput(f"there is no notebook {notebook}: see notebooks/ for those of the study") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{notebook} is not a notebook of format 4: restore it with git checkout") from error


def _text(cell):
    """The source of a cell, which the format keeps as one string or as lines."""
    return "".join(cell["source"])


def _checked(source, parameters):
    """``parameters``, each a name of the notebook's parameters cell and of the type of its default; the study exists,
    and has the network that they name."""
    defaults, values = read_parameters(source), {}
    for name, value in parameters.items():
        if name not in defaults:
            raise InvalidInput(f"{source} has no parameter {name!r}{_nearest(name, defaults)}")
        wanted = type(defaults[name])
        if wanted is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if wanted is not type(None) and type(value) is not wanted:
            raise InvalidInput(f"{source}: the parameter {name!r} must be {wanted.__name__}, not {shown(value)}")
        values[name] = value
    if "study" in values:  # what a cell would refuse some seconds later
        study = load_study(values["study"])
        if "subject" in defaults:
            chosen = defaults | values
            study.find_network(
                **{name: chosen[name] for name in ("subject", "beta", "seed", "shuffled") if name in chosen}
            )
    return values


def _parsed(text, default):
    """The value that ``text`` of the command line stands for: text where the default is text, else a literal."""
    if isinstance(default, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _nearest(word, known):
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def main(arguments=None):
    """``python -m realnet.notebook SOURCE EXECUTED LOG [--threads N] [name=value ...]``: 0, or 1 after a sentence."""
    parser = Parser(prog="python -m realnet.notebook", description="Run one notebook of the study.")
    parser.add_argument("source", help="notebook to run")
    parser.add_argument("executed", help="its executed copy")
    parser.add_argument("log", help="the executed copy of a run that failed")
    parser.add_argument("parameters", nargs="*", metavar="name=value", help="values for its parameters cell")
    parser.add_argument("--threads", type=whole_number, default=1, help="threads for numerical libraries")
    given = parser.parse_intermixed_args(arguments)
    try:
        defaults = read_parameters(given.source)
        pairs = [text.partition("=") for text in given.parameters]
        for text, (_, equals, _) in zip(given.parameters, pairs, strict=True):
            if not equals:
                raise InvalidInput(f"{text!r} is no parameter: write name=value, such as study=demo")
        parameters = {name: _parsed(text, defaults.get(name)) for name, _, text in pairs}
        start = time.monotonic()
        run_notebook(given.source, given.executed, given.log, parameters, given.threads)
        print(f"{time.monotonic() - start:6.1f} s  {given.executed}", flush=True)
    except RealnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
