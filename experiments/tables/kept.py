"""Tables of long experiments, kept in the repository with the settings, the machine and the commit that made them."""

import json

import pandas as pd

from realnet.errors import InvalidInput, MissingInput
from realnet.settings import REPOSITORY

KEPT = REPOSITORY / "experiments" / "results"

#: Tables that are not called as the experiment that makes them.
MAKERS = {"beta_sweep": "ablation"}


def load_kept(name):
    """What a long experiment found (``python -m experiments.<name>``, but for :data:`MAKERS`).

    Returns
    -------
    table : DataFrame
    about : dict
        ``settings``, ``seconds`` and ``machine`` (with ``commit``).

    Raises
    ------
    MissingInput, InvalidInput
        Names the command that makes the table.
    """
    path = KEPT / f"{name}.csv"
    if not path.is_file() or not path.with_suffix(".json").is_file():
        raise MissingInput(
            f"{path} and its .json are missing: run `python -m experiments.{MAKERS.get(name, name)}` first"
        )
    try:
        # only an empty cell is missing: pandas would also take the word none or null for it
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        return table, json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except ValueError as error:  # what pandas and json raise are kinds of it
        raise InvalidInput(f"{path} or its .json is damaged ({error}): run `{_command(name)}` again") from error


def made_by(about):
    """One sentence on where a kept table comes from, for the chapter that shows it."""
    machine = about["machine"]
    return (
        f"Made by `{_command(about['experiment'])}` at commit {machine['commit']} on {machine['processor']}"
        f" ({machine['cores']} cores) in {about['seconds'] / 60:.0f} minutes."
    )


def _command(name):
    return f"python -m experiments.{MAKERS.get(name, name)}"
