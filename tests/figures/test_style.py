"""What all figures share: legible texts, styles that differ without colour, saving, and the mark of simulated data."""

from itertools import combinations
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from figure_tables import legend_texts
from PIL import Image

from realnet.figures import dimensions, eeg, fmri, study
from realnet.figures.style import MODELS, save_figure


def texts_of(figure):
    """(text, box) of all titles, labels, legends, and ticks in view."""
    figure.draw_without_rendering()
    found = [*figure.texts, *(t for part in (figure, *figure.subfigs) for x in part.legends for t in x.get_texts())]
    for axes in figure.axes:
        found += [axes.title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            found += [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high and t.label1.get_visible()]
    return [(t.get_text(), t.get_window_extent()) for t in found if t.get_visible() and t.get_text()]


def test_figures_have_legends_and_labels_and_no_clipped_or_overlapping_text(tmp_path, tables):
    third = tables.across[tables.across.model == "shuffled"].assign(model="shuffled_within")
    drawn = [
        fmri.plot_fmri_similarity(tables.fmri, "natural"), fmri.plot_improvement(tables.within, ["natural"]),
        fmri.plot_differences(pd.concat([tables.across, third])), fmri.plot_layer_differences(tables.same_layer),
        fmri.plot_across_datasets(tables.within, tables.across), study.plot_training(tables.history),
        eeg.plot_eeg_similarity(tables.eeg), eeg.plot_eeg_improvement(tables.eeg),
        dimensions.plot_dimensions(tables.dimensions), dimensions.plot_dimension_changes(tables.dimensions),
        dimensions.plot_dimension_layers(tables.dimensions, ["object dimension 1"]),
        study.plot_headline(tables.fmri, tables.eeg, tables.dimensions),
    ]  # fmt: skip
    for figure in drawn:
        save_figure(SimpleNamespace(results=tmp_path, simulated={}), "figure", figure)
        assert legend_texts(figure) and figure.axes[-1].get_xlabel()
        for text, box in (texts := texts_of(figure)):
            assert figure.bbox.padded(2).contains(*box.p0) and figure.bbox.padded(2).contains(*box.p1), text
        for (text, a), (other, b) in combinations(texts, 2):
            width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
            assert min(width, height) < 3, (text, other)


def test_networks_differ_in_luminance_marker_and_line():
    colours = np.array([mpl.colors.to_rgb(style.colour) for style in MODELS.values()])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.sort(np.cbrt(linear @ [0.2126, 0.7152, 0.0722]))  # L* + 16 (CIE 1976, D65)
    assert min(np.diff(lightness)) > 6
    assert len({style.marker for style in MODELS.values()}) == len({style.line for style in MODELS.values()}) == 6


@pytest.mark.parametrize(("of_study", "asked", "marked"), [({}, None, 1), (None, None, 0), ({}, False, 0)])
def test_saved_figures_are_png_at_200_dpi_and_pdf_marked_once_when_simulated(tmp_path, tables, of_study, asked, marked):
    figure, study = fmri.plot_layers(tables.fmri, "natural"), SimpleNamespace(results=tmp_path, simulated=of_study)
    assert save_figure(study, "x", save_figure(study, "x", figure, asked), asked) is figure
    assert [t.get_text() for t in figure.texts].count("simulated data") == marked
    png, pdf = tmp_path / "figures" / "x.png", tmp_path / "figures" / "x.pdf"
    assert set((tmp_path / "figures").iterdir()) == {png, pdf} and pdf.read_bytes().startswith(b"%PDF")
    with Image.open(png) as image:
        assert image.size == pytest.approx(200 * figure.get_size_inches(), abs=1)
