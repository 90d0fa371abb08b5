"""Figures and tables of the appendix, which belong to no study: ``results/appendix``."""

from types import SimpleNamespace

from realnet.figures import style
from realnet.io import whole_file
from realnet.settings import project_root


def save_figure(name, figure, simulated=False):
    """Write ``results/appendix/figures/<name>.png`` and ``.pdf``; returns the figure, which the notebook then shows.

    ``simulated`` marks a figure of simulated data, as those of a study are marked.
    """
    appendix = SimpleNamespace(results=project_root() / "results" / "appendix", simulated=None)
    return style.save_figure(appendix, name, figure, simulated)


def save_table(name, table):
    """Write ``results/appendix/tables/<name>.csv``."""
    with whole_file(project_root() / "results" / "appendix" / "tables" / f"{name}.csv") as temporary:
        table.to_csv(temporary, index=False)
