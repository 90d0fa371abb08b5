"""What was recorded: how well images can be told apart from the EEG at each time."""

from matplotlib.lines import Line2D

from realnet.errors import InvalidInput
from realnet.figures.eeg import TIME, milliseconds
from realnet.figures.style import legend_below, new_figure, styled


@styled
def plot_decoding(rdms):
    """Mean pairwise decoding accuracy over time: each person a thin line, their mean a thick one.

    Parameters
    ----------
    rdms : DataArray (subject, time, pair)
        Decoding accuracies (0 to 1), time in s.
    """
    if set(getattr(rdms, "dims", ())) != {"subject", "time", "pair"}:
        raise InvalidInput("plot_decoding expects a DataArray with the dimensions subject, time and pair")
    figure, axes = new_figure(3.2)
    accuracy = rdms.mean("pair").transpose("subject", "time")
    time = milliseconds(rdms.time.values)
    axes.plot(time, accuracy.values.T, color="#9a9a9a", linewidth=0.9)
    axes.plot(time, accuracy.mean("subject"), color="black", linewidth=2.4, label="Mean")
    axes.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel=TIME, ylabel="Pairwise decoding accuracy")
    person = Line2D([], [], color="#9a9a9a", linewidth=0.9, label="One person")
    mean = Line2D([], [], color="black", linewidth=2.4, label="Mean")
    legend_below(figure, [person, mean, Line2D([], [], color="black", linewidth=0.8, linestyle=":", label="Chance")])
    return figure
