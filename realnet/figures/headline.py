"""The one picture of the landing page."""

import matplotlib.pyplot as plt

from realnet.figures.differences import significant_key
from realnet.figures.dimensions import by_change, draw_dimension_changes
from realnet.figures.eeg import TIME, draw_eeg_layer, similarity_rows
from realnet.figures.fmri import draw_fmri
from realnet.figures.style import MODELS, REFERENCES, RHO, WIDTH, ceiling_handle, key, legend_below, select, styled

#: So many dimensions at most: half that rise most, half that fall most.
N_DIMENSIONS = 14


@styled
def plot_headline(fmri, eeg, dimensions):
    """Three results in one picture: fMRI by region (natural images), EEG and layer IT over time, changes of dimensions.

    Parameters
    ----------
    fmri : DataFrame
        As :func:`realnet.figures.plot_fmri_similarity` takes it, each network with the person who taught it.
    eeg : DataFrame
        As :func:`realnet.figures.plot_eeg_similarity` takes it.
    dimensions : DataFrame
        As :func:`realnet.figures.plot_dimension_changes` takes it; drawn against CORnet.
    """
    who = "plot_headline"
    changes = select(dimensions, who, ("dimension", "value", "lower", "upper", "p"), metric="difference",
                     model=("realnet", "shuffled"), reference="cornet")  # fmt: skip
    names = by_change(select(changes, who, model="realnet"), "cornet")
    if len(names) > N_DIMENSIONS:
        names = names[: N_DIMENSIONS // 2] + names[-(N_DIMENSIONS // 2) :]
    low = 0.21 * len(names) + 1.0
    figure = plt.figure(figsize=(WIDTH, 6.3 + low), layout="constrained")
    plt.close(figure)
    # two parts, so that long names of dimensions do not narrow the panels above
    above, below = figure.subfigures(2, 1, height_ratios=[6.3, low])
    top, middle = above.subplots(2, 1)
    bottom = below.subplots()
    draw_fmri(top, fmri, "natural", who)
    top.set_title("a  fMRI, natural images: each network and the person who taught it", loc="left")
    draw_eeg_layer(middle, eeg, similarity_rows(eeg, who), "IT")
    middle.set(xlabel=TIME, ylabel=RHO)
    middle.set_title("b  EEG of other people: layer IT (shading: SEM)", loc="left")
    draw_dimension_changes(bottom, changes, names, "cornet")
    bottom.set_xlabel("Change in squared partial Spearman's rho")
    bottom.set_title("c  Object dimensions in layer IT: ReAlnet minus CORnet", loc="left")
    shown = [model for model in MODELS if model in set(fmri.model)]
    marks = [
        key(style, f"b: ReAlnet {style.label}, p < .05", linestyle="none", markersize=4)
        for style in REFERENCES.values()
    ]
    legend_below(above, [*(key(MODELS[model]) for model in shown), ceiling_handle(), *marks])
    legend_below(below, [key(REFERENCES["cornet"], "ReAlnet minus CORnet", linestyle="none"), significant_key()])
    return figure
