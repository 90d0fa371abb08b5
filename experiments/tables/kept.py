"""Tables of long experiments, kept in ``experiments/results`` with the settings, the machine and the commit of the run.

The names in the settings are those of the present code; module paths may be those of an older layout.
"""

import hashlib
import json

import pandas as pd

from realnet.errors import InvalidInput, MissingInput
from realnet.io import whole_file
from realnet.settings import REPOSITORY

KEPT = REPOSITORY / "experiments" / "results"
#: simulation.pretraining.KEPT, which is not imported for its path: that would load torch for every table
PRETRAINED = REPOSITORY / "simulation" / "pretrained" / "cornet_s-simulated.safetensors"

#: Tables that are not named like the experiment that makes them.
MAKERS = {"beta_sweep": "ablation"}


def keep(name, table, settings, seconds):
    """Write ``results/<name>.csv`` and, beside it, ``<name>.json`` with what made it.

    Parameters
    ----------
    name : str
    table : DataFrame
    settings : dict
        All that was chosen; anything JSON can hold.
    seconds : float
        Duration of the experiment.
    """
    from experiments.benchmarks.timing import machine  # here: importing the benchmarks sets their number of threads

    about = {"experiment": name, "settings": settings, "seconds": round(seconds, 1), "machine": machine()}
    with whole_file(KEPT / f"{name}.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    with whole_file(KEPT / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    print(f"{name}: {len(table)} rows in {seconds:.0f} s, kept in {KEPT}")


def load_kept(name):
    """The table of a long experiment, and a dict with ``settings``, ``seconds`` and ``machine`` (with ``commit``)."""
    path = KEPT / f"{name}.csv"
    try:
        return pd.read_csv(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInput(f"{path} or its .json is missing: run `{_command(name)}` first") from error
    except ValueError as error:  # pandas and json raise subclasses of it
        raise InvalidInput(f"{path} or its .json is damaged ({error}): run `{_command(name)}` again") from error


def pretrained_digest():
    """SHA-256 of the kept pretrained network that simulated studies start from."""
    return hashlib.sha256(PRETRAINED.read_bytes()).hexdigest()


def same_start(about):
    """One sentence: did a kept run start from the pretrained network that studies start from now?"""
    if about["settings"].get("pretrained") == pretrained_digest():
        return "It started from the same pretrained network as this study."
    return "It started from another pretrained network than this study, so that its numbers differ from those above."


def made_by(about):
    """One sentence on the origin of a kept table, for the chapter that shows it."""
    machine = about["machine"]
    return (
        f"Made by `{_command(about['experiment'])}` at commit {machine['commit']} on {machine['processor']}"
        f" ({machine['cores']} cores)."
    )


def _command(name):
    return f"python -m experiments.{MAKERS.get(name, name)}"
