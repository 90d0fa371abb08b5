"""Figures of EEG: what is drawn, read back from the artists, equals pandas and scipy."""

import numpy as np
import pytest
import xarray as xr
from figure_tables import LAYERS, legend_texts, line, points
from scipy import stats

from realnet import figures
from realnet.errors import InvalidInput
from realnet.figures.style import MODELS


def test_eeg_curves_are_means_over_people_and_their_shading_is_scipys_sem(eeg):
    figure = figures.plot_eeg_similarity(eeg)
    for axes, layer in zip(figure.axes, LAYERS, strict=True):
        for model in ("cornet", "control", "realnet"):
            rows = eeg[(eeg.metric == "rho") & (eeg.layer == layer) & (eeg.model == model)]
            people = rows.pivot_table(index="subject", columns="time", values="value").to_numpy()
            curve = line(axes, MODELS[model].label)
            np.testing.assert_allclose(curve.get_xdata(), 10 * np.arange(20))
            np.testing.assert_allclose(curve.get_ydata(), people.mean(axis=0))
            (shading,) = [c for c in axes.collections if c.get_label() == f"{MODELS[model].label} SEM"]
            corners = shading.get_paths()[0].vertices
            for i, time in enumerate(10 * np.arange(20)):
                y = corners[corners[:, 0] == time, 1]
                assert np.ptp(y) == pytest.approx(2 * stats.sem(people[:, i]))
        assert "Null (shuffled)" not in [x.get_label() for x in axes.lines]


def test_eeg_marks_stand_exactly_where_p_is_below_05_and_are_open_where_realnet_is_farther(eeg):
    figure = figures.plot_eeg_similarity(eeg)
    for axes, layer in zip(figure.axes, LAYERS, strict=True):
        for reference, label in (("cornet", "vs CORnet"), ("control", "vs Control")):
            rows = eeg[(eeg.metric == "difference") & (eeg.layer == layer) & (eeg.reference == reference)]
            for which, side in ((rows.value > 0, "closer"), (rows.value <= 0, "farther")):
                expected = 1000 * rows.time[(rows.p < 0.05) & which]
                np.testing.assert_allclose(np.sort(points(axes, f"{label} {side}, p < .05")[0]), expected)
            assert line(axes, f"{label} farther, p < .05").get_markerfacecolor() == "white"
    assert "ReAlnet vs Control: p < .05" in legend_texts(figure)


def test_a_noise_ceiling_far_above_the_curves_is_cut_with_a_note(eeg):
    low = figures.plot_eeg_similarity(eeg)
    assert not low.axes[0].texts
    assert low.axes[0].get_ylim()[1] > 0.15
    high = figures.plot_eeg_similarity(eeg.assign(ceiling_upper=0.9)).axes[0]
    assert high.texts[0].get_text() == "ceiling up to 0.90"
    assert high.get_ylim()[1] < 0.4
    assert "Noise ceiling" in [c.get_label() for c in high.collections]


def test_eeg_figures_do_without_tests_ceilings_and_control(eeg):
    bare = eeg[(eeg.metric == "rho") & (eeg.model != "control")][
        ["subject", "model", "layer", "time", "metric", "value"]
    ]
    figure = figures.plot_eeg_similarity(bare)
    assert legend_texts(figure) == ["CORnet ± SEM", "ReAlnet ± SEM"]


def test_eeg_improvement_has_gaps_where_there_is_no_ratio(eeg):
    figure = figures.plot_eeg_improvement(eeg)
    rows = eeg[(eeg.metric == "improvement") & (eeg.layer == "V4") & (eeg.reference == "control")]
    drawn = line(figure.axes[2], "vs Control").get_ydata()
    np.testing.assert_allclose(drawn, 100 * rows.value)
    assert np.isnan(drawn[:5]).all()
    assert "Gap: reference not above 0" in legend_texts(figure)


def test_decoding_shows_each_person_and_their_mean(rng):
    rdms = xr.DataArray(rng.random((4, 20, 6)), dims=("subject", "time", "pair"), coords={"time": 0.01 * np.arange(20)})
    axes = figures.plot_decoding(rdms).axes[0]
    drawn = [x.get_ydata() for x in axes.lines[:4]]
    np.testing.assert_allclose(drawn, rdms.values.mean(axis=2))
    np.testing.assert_allclose(line(axes, "Mean").get_ydata(), rdms.values.mean(axis=(0, 2)))
    np.testing.assert_allclose(line(axes, "Mean").get_xdata(), 10 * np.arange(20))
    with pytest.raises(InvalidInput, match="dimensions subject, time and pair"):
        figures.plot_decoding(rdms.isel(time=0))
