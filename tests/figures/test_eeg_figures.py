"""Figures of EEG: what is drawn, read back from the artists, equals pandas and scipy."""

import numpy as np
import pytest
import xarray as xr
from figure_tables import LAYERS, legend_texts, line, points
from scipy import stats

from realnet.figures import eeg as figures
from realnet.figures.style import MODELS


def test_eeg_curves_are_means_over_subjects_and_their_shading_is_scipys_sem(tables):
    for axes, layer in zip(figures.plot_eeg_similarity(tables.eeg).axes, LAYERS, strict=True):
        of_layer = tables.eeg[(tables.eeg.metric == "rho") & (tables.eeg.layer == layer)]
        shadings = [c for c in axes.collections if c.get_label() != "Noise ceiling"]
        for model, shading in zip(("cornet", "control", "realnet"), shadings, strict=True):
            rows = of_layer[of_layer.model == model]
            subjects = rows.pivot_table(index="subject", columns="time", values="value").to_numpy()  # mean over seeds
            (curve,) = [x for x in axes.lines if x.get_color() == MODELS[model].colour and x.get_linestyle() != "None"]
            np.testing.assert_allclose(curve.get_xdata(), 10 * np.arange(20))
            np.testing.assert_allclose(curve.get_ydata(), subjects.mean(axis=0))
            corners = shading.get_paths()[0].vertices
            heights = [np.ptp(corners[np.isclose(corners[:, 0], time), 1]) for time in 10 * np.arange(20)]
            np.testing.assert_allclose(heights, 2 * stats.sem(subjects, axis=0))


def test_eeg_marks_stand_exactly_where_p_is_below_05_and_are_open_where_realnet_is_farther(tables):
    figure = figures.plot_eeg_similarity(tables.eeg)
    for (layer, reference), rows in tables.eeg.query("metric == 'difference'").groupby(["layer", "reference"]):
        axes, label = figure.axes[LAYERS.index(layer)], f"vs {MODELS[reference].label}"
        for which, side in ((rows.value > 0, "closer"), (rows.value <= 0, "farther")):
            expected = 1000 * rows.time[(rows.p_corrected < 0.05) & which]
            np.testing.assert_allclose(np.sort(points(axes, f"{label} {side}, p < .05")[0]), expected)
        assert line(axes, f"{label} farther, p < .05").get_markerfacecolor() == "white"
    assert "ReAlnet vs Control: p < .05" in legend_texts(figure)


@pytest.mark.parametrize(("highest", "note"), [(0.15, []), (0.9, ["ceiling up to 0.90"])])
def test_the_noise_ceiling_is_the_tables_and_cut_with_a_note_far_above_the_curves(tables, highest, note):
    axes = figures.plot_eeg_similarity(tables.eeg.assign(ceiling_upper=highest)).axes[0]
    (band,) = [c for c in axes.collections if c.get_label() == "Noise ceiling"]
    assert set(band.get_paths()[0].vertices[:, 1]) == {0.12, highest}
    assert [text.get_text() for text in axes.texts] == note
    assert (axes.get_ylim()[1] > highest) == (not note)
    bare = tables.eeg.query("metric == 'rho' and model != 'control'").assign(ceiling_upper=np.nan)
    assert legend_texts(figures.plot_eeg_similarity(bare)) == ["CORnet ± SEM", "ReAlnet ± SEM"]


def test_eeg_improvement_is_a_mean_with_its_interval_and_dots_with_gaps_where_there_is_no_ratio(tables):
    figure = figures.plot_eeg_improvement(tables.eeg)
    rows = tables.eeg.query("metric == 'improvement' and layer == 'V4' and reference == 'control'")
    mean, single = rows[rows.subject == "mean"], rows[rows.subject != "mean"]
    drawn = line(figure.axes[2], "vs Control").get_ydata()
    np.testing.assert_allclose(drawn, 100 * mean.value)
    assert np.isnan(drawn[:5]).all() and "Gap: reference not above 0" in legend_texts(figure)
    heights = {tuple(band.get_paths()[0].vertices[:, 1].round(6)) for band in figure.axes[2].collections}
    ends = 100 * mean[["lower", "upper"]].dropna().to_numpy().round(8)
    assert any(set(ends.round(6).ravel()) <= set(band) for band in heights)
    dots = [x.get_ydata() for x in figure.axes[2].lines if x.get_marker() == "."]
    assert any(np.array_equal(np.sort(y), np.sort(100 * single.value), equal_nan=True) for y in dots)
    assert not any("Shuffled" in text for text in legend_texts(figure))  # the paper's figure has its two references


def test_eeg_improvement_is_drawn_where_every_ratio_is_missing(tables):
    missing = tables.eeg.query("metric == 'improvement'").assign(value=np.nan, lower=np.nan, upper=np.nan)
    assert "Gap: reference not above 0" in legend_texts(figures.plot_eeg_improvement(missing))


def test_decoding_shows_each_subject_and_their_mean(rng):
    rdms = xr.DataArray(rng.random((4, 20, 6)), dims=("subject", "time", "pair"), coords={"time": 0.01 * np.arange(20)})
    axes = figures.plot_decoding(rdms).axes[0]
    np.testing.assert_allclose([x.get_ydata() for x in axes.lines[:4]], rdms.values.mean(axis=2))
    np.testing.assert_allclose(line(axes, "Mean").get_xydata().T, [10 * np.arange(20), rdms.values.mean(axis=(0, 2))])
