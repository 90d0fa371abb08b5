"""When a study was killed, step by step (appendix 14)."""

import numpy as np
from matplotlib.lines import Line2D

from realnet.figures.style import legend_below, new_figure, select

#: Left of the notebooks: moments at which none of them ran.
BETWEEN = "between notebooks"
CHAINS = ("o", "^", "s", "D", "v", "P")


def plot_kills(kills):
    """Every kill as a dot: the step that it hit, and how far that step was.

    Parameters
    ----------
    kills : DataFrame
        Columns ``kill chain step part``, as :func:`experiments.tables.robustness.load_interruptions` returns it.
    """
    kills = select(kills, "plot_kills", ("kill", "chain", "step", "part"))
    steps = [BETWEEN, *sorted(set(kills.step) - {BETWEEN})]
    place = {step: len(steps) - 1 - i for i, step in enumerate(steps)}
    figure, axes = new_figure(0.3 * len(steps) + 1.2)
    jitter = np.random.default_rng(0)
    chains, handles = sorted(kills.chain.unique()), []
    for i, (chain, rows) in enumerate(kills.groupby("chain")):
        heights = rows.step.map(place) + jitter.uniform(-0.28, 0.28, len(rows))
        # without a notebook there is no progress: spread over the width
        parts = rows.part.where(rows.part.notna(), jitter.uniform(0, 1, len(rows)))
        grey = str(0.15 + 0.5 * i / max(1, len(chains) - 1))
        style = {"linestyle": "none", "marker": CHAINS[i % len(CHAINS)], "color": grey, "markersize": 4.5}
        axes.plot(parts, heights, **style)
        handles.append(Line2D([], [], label=f"study {int(chain)} ({rows.kill.nunique()} kills)", **style))
    for height in range(len(steps)):
        axes.axhline(height - 0.5, color="#dddddd", linewidth=0.6, zorder=0)
    labels = [f"{step} ({kills[kills.step == step].kill.nunique()})" for step in steps]
    axes.set_yticks([place[step] for step in steps], labels)
    axes.set(xlabel="Part of the step's usual time when it was killed", xlim=(-0.02, 1.02))
    axes.set_ylim(-0.5, len(steps) - 0.5)
    return legend_below(figure, handles)
