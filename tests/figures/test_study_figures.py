"""Figures of the study as a whole, and images: what is drawn, read back, equals the table, pandas and scipy."""

import numpy as np
import pandas as pd
import pytest
import torch
from figure_tables import LAYERS, REFERENCES, ROIS, cross, intervals, legend_texts, line
from scipy.spatial.distance import squareform

from realnet.errors import InvalidInput
from realnet.figures.study import plot_beta_curves, plot_headline, plot_objects92, plot_training
from realnet.figures.style import MODELS, plot_images, plot_rdms


def test_training_has_one_line_per_network_and_split_and_epoch_0_for_the_test_images_alone(tables):
    for axes, metric in zip(plot_training(tables.history).axes, tables.history.metric.unique(), strict=True):
        lines = tables.history[tables.history.metric == metric].groupby(["model", "trained_on", "split"])
        expected = {(MODELS[model].colour, tuple(rows.epoch), tuple(rows.value)) for (model, *_), rows in lines}
        drawn = {(x.get_color(), tuple(x.get_xdata()), tuple(x.get_ydata())) for x in axes.lines}
        assert drawn == expected and len(drawn) == 12
        assert {len(x.get_xdata()): x.get_linestyle() for x in axes.lines} == {3: "-", 4: "--"}


def test_a_curve_over_beta_is_the_mean_over_subjects_with_their_intervals(rng):
    curve = cross(rng, curve=["own subject", "EEG", "accuracy", "others"], reference=REFERENCES, beta=[0, 10, 40],
                  trained_on=["sub-01", "sub-02"], metric="difference")  # fmt: skip
    figure = plot_beta_curves(curve)
    for panel, name in zip(figure.axes, curve.curve.unique(), strict=True):
        rows = curve[(curve.curve == name) & (curve.reference == "control")]
        np.testing.assert_allclose(line(panel, "vs Control").get_ydata(), rows.groupby("beta").value.mean())
        own = rows[rows.trained_on == "sub-02"]
        np.testing.assert_allclose(line(panel, "sub-02 vs Control").get_ydata(), own.value)
        assert intervals(panel, "sub-02 vs Control", "y") == list(zip(own.lower, own.upper, strict=True))
    assert {"ReAlnet vs CORnet", "aligned with sub-01"} <= set(legend_texts(figure))
    mean = curve[curve.trained_on == "sub-01"].assign(trained_on="mean", value=0.7, lower=0.5, upper=0.9)
    panel = plot_beta_curves(pd.concat([curve, mean])).axes[0]
    np.testing.assert_allclose(line(panel, "vs CORnet").get_ydata(), 0.7)
    thick = [s[:, 1] for c in panel.collections if c.get_linewidth()[0] > 2 for s in c.get_segments()]
    np.testing.assert_allclose(thick, [[0.5, 0.9]] * 6)


def test_objects92_shows_the_mean_with_its_interval_people_and_the_ceiling_and_other_layers_apart(rng):
    kinds = {"cornet": LAYERS, "realnet": LAYERS, "efficientnet-lite0": ["stem", *(f"stage {i}" for i in range(2, 8))]}
    about = {"subject": ["BE", "KO", "mean"], "roi": ["IT, 4 people", "IT, monkeys"], "metric": "rho"}
    table = pd.concat([cross(rng, model=model, layer=layers, **about) for model, layers in kinds.items()])
    table = table.assign(lower=table.value - 0.1, upper=table.value + 0.2, ceiling_lower=0.2, ceiling_upper=0.3)
    for i, panel in enumerate(plot_objects92(table).axes):
        for model, bars in zip((["cornet", "realnet"], ["efficientnet-lite0"])[i // 2], panel.containers, strict=True):
            rows = table[(table.roi == about["roi"][i % 2]) & (table.model == model)]
            values = rows.pivot(index="subject", columns="layer", values="value")[kinds[model]]
            assert [text.get_text() for text in panel.get_xticklabels()] == kinds[model]
            np.testing.assert_allclose(bars.lines[0].get_ydata().astype(float), values.loc["mean"])
            ends = [s[:, 1] for s in bars.lines[2][0].get_segments()]
            np.testing.assert_allclose(ends, [[value - 0.1, value + 0.2] for value in values.loc["mean"]])
        dots = np.concatenate([x.get_ydata() for x in panel.lines if x.get_label() == "people"])
        shown = table[(table.roi == about["roi"][i % 2]) & (table.subject != "mean")]
        shown = shown[shown.layer.isin([text.get_text() for text in panel.get_xticklabels()])]
        np.testing.assert_allclose(np.sort(dots), np.sort(shown.value))
        (band,) = [p for p in panel.patches if p.get_label() == "Noise ceiling"]
        assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.2, 0.3))


def test_headline_has_the_three_results(tables):
    top, middle, bottom = plot_headline(tables.fmri, tables.eeg, tables.dimensions).axes
    best = tables.fmri.query("layer == 'best' and stimulus_set == 'natural' and model == 'realnet'")
    np.testing.assert_allclose(line(top, "ReAlnet").get_ydata(), best.groupby("roi").value.mean()[ROIS])
    it = tables.eeg.query("metric == 'rho' and layer == 'IT' and model == 'realnet'").groupby("time").value.mean()
    assert any(len(x.get_ydata()) == 20 and np.allclose(x.get_ydata(), it) for x in middle.lines)
    rows = tables.dimensions.query("metric == 'difference' and model == 'realnet' and reference == 'cornet'")
    names = rows.sort_values("value", ascending=False).dimension
    assert [t.get_text() for t in bottom.get_yticklabels()] == [*names[:7], *names[-7:]]


def test_images_of_tensors_and_arrays_are_the_same(rng):
    images = rng.integers(0, 256, (3, 6, 5, 3), dtype=np.uint8)
    for given in (images, torch.from_numpy(images).permute(0, 3, 1, 2)):
        for axes, image in zip(plot_images(given, n_columns=2).axes, images, strict=True):
            np.testing.assert_array_equal(axes.images[0].get_array(), image)
    with pytest.raises(InvalidInput, match=r"shape \(N, H, W, 3\)"):
        plot_images(images[0])
    with pytest.raises(InvalidInput, match="before normalisation"):
        plot_images(rng.normal(size=(4, 8, 8, 3)))


def test_images_of_rdms_are_scipys_squares_with_one_colour_scale(rng):
    rdms = rng.random((3, 45))
    drawn = [a.images[0] for a in plot_rdms(rdms, ["a", "b", "c"]).axes if a.images]
    for image, rdm in zip(drawn, rdms, strict=True):
        np.testing.assert_allclose(np.nan_to_num(image.get_array().filled(np.nan)), squareform(rdm))
        assert image.get_clim() == (rdms.min(), rdms.max())
