"""Figures of fMRI: what is drawn, read back from the artists, equals pandas."""

import numpy as np
import pandas as pd
import pytest
from figure_tables import KINDS, LAYERS, ROIS, SUBJECTS, assert_forest, assert_means, cross, legend_texts, line, points

from realnet.errors import InvalidInput
from realnet.figures import fmri as figures
from realnet.figures.style import MODELS


def test_the_fmri_figure_has_every_row_as_a_dot_means_as_bars_and_lines_that_join_aligned_networks(tables):
    axes = figures.plot_fmri_similarity(tables.fmri, "natural").axes[0]
    shown = tables.fmri.query("stimulus_set == 'natural' and layer == 'best'")
    assert_means(axes, shown.pivot_table(index="roi", columns="model", values="value").loc[ROIS])
    for model in KINDS:
        rows, (x, y) = shown[shown.model == model], points(axes, f"{MODELS[model].label} dots")
        drawn = {(ROIS[i], value) for i, value in zip(np.rint(x).astype(int), y, strict=True)}
        assert drawn == set(zip(rows.roi, rows.value, strict=True))
    # a network is joined with the Control of its seed, and with CORnet
    joined = shown.pivot(index=["subject", "roi", "seed"], columns="model", values="value")[KINDS]
    joined = joined.groupby(["subject", "roi"]).ffill().to_numpy()
    assert {tuple(x.get_ydata()) for x in axes.lines if x.get_color() == "#9a9a9a"} == set(map(tuple, joined))


def test_noise_ceilings_of_the_fmri_figure_are_those_of_the_table_and_in_the_legend(tables):
    figure = figures.plot_fmri_similarity(tables.fmri, "natural")
    (bars,) = [b for b in figure.axes[0].containers if b.get_label() == "Noise ceiling"]
    drawn = {round(bar.get_x() + bar.get_width() / 2): (bar.get_y(), bar.get_y() + bar.get_height()) for bar in bars}
    for i in range(len(ROIS)):
        assert drawn[i] == pytest.approx((0.4 + 0.01 * i, 0.5 + 0.01 * i))
    assert legend_texts(figure) == ["Noise ceiling", *(MODELS[model].label for model in KINDS)]
    for left in (["cornet", "realnet"], ["control", "realnet"], ["cornet"]):
        part = tables.fmri[tables.fmri.model.isin(left)].assign(ceiling_lower=np.nan)
        assert legend_texts(figures.plot_fmri_similarity(part, "natural")) == [MODELS[model].label for model in left]


def test_heat_maps_hold_the_mean_of_every_layer_and_region(tables):
    shown = tables.fmri.query("stimulus_set == 'natural'").groupby(["model", "layer", "roi"]).value.mean()
    for axes, model in zip(figures.plot_layers(tables.fmri, "natural").axes[:3], KINDS[:3], strict=True):
        expected = shown[model].unstack("roi").loc[[*LAYERS, "best", "cross-validated"], ROIS]
        np.testing.assert_allclose(np.asarray(axes.collections[0].get_array()).reshape(6, 5), expected)
        assert [t.get_text() for t in axes.texts] == [f"{v:.2f}" for v in expected.to_numpy().ravel()]
        assert axes.get_title() == MODELS[model].label


def test_reliability_has_one_line_per_subject_and_the_mean(rng):
    table = cross(rng, dataset=["shen2019", "own"], stimulus_set="x", subject=SUBJECTS, roi=ROIS, metric="reliability")
    for axes, dataset in zip(figures.plot_reliability(table).axes, ("shen2019", "own"), strict=True):
        wide = table[table.dataset == dataset].pivot(index="roi", columns="subject", values="value").loc[ROIS]
        np.testing.assert_allclose(np.stack([axes.lines[i].get_ydata() for i in range(3)], axis=1), wide)
        np.testing.assert_allclose(line(axes, "Mean").get_ydata(), wide.mean(axis=1))


def test_improvement_is_in_per_cent_and_open_where_there_is_no_ratio(tables):
    table = tables.within
    at = (table.metric == "improvement") & (table.model == "realnet") & (table.reference == "cornet")
    table.loc[at & (table.roi == "V2") & (table.subject == "sub-01"), "value"] = np.nan
    figure = figures.plot_improvement(table, ["natural"])
    axes, rows = figure.axes[0], table[at & (table.subject != "mean")]
    means = rows.groupby("roi").value.mean()[[*ROIS, "mean"]]
    np.testing.assert_allclose(line(axes, "vs CORnet").get_ydata(), 100 * means)
    np.testing.assert_allclose(np.sort(points(axes, "vs CORnet dots")[1]), np.sort(100 * rows.value))
    missing = line(axes, "vs CORnet reference not above 0")
    assert list(np.rint(missing.get_xdata())) == [1] and missing.get_markerfacecolor() == "white"
    assert "vs Control reference not above 0" not in [drawn.get_label() for drawn in axes.lines]
    none = table.assign(value=table.value.where(table.metric != "improvement"))
    for drawn in (figure, figures.plot_improvement(none, ["natural"]), figures.plot_across_datasets(none, none)):
        assert any("reference not above 0" in text for text in legend_texts(drawn))


def test_forest_shows_each_difference_with_its_interval_and_stars_exactly_below_05(tables):
    axes = figures.plot_differences(tables.across).axes
    assert [a.get_title() for a in axes] == ["ReAlnet\nnatural images", "Shuffled\nnatural images"]
    rows = tables.across.query("metric == 'difference' and roi == 'mean'")
    rows = rows[(rows.subject == "mean") | (rows.trained_on == "mean")]
    for (model, reference), part in rows.groupby(["model", "reference"]):
        assert_forest(axes[("realnet", "shuffled").index(model)], f"vs {MODELS[reference].label}", part)
    names = [*(f"mean | {name}" for name in SUBJECTS), *(f"{name} | mean" for name in [*SUBJECTS, "sub-04", "mean"])]
    assert [t.get_text() for t in axes[0].get_yticklabels()] == names
    (alone,) = figures.plot_differences(tables.within.query("model == 'realnet'")).axes
    assert [t.get_text() for t in alone.get_yticklabels()] == [*SUBJECTS, "mean"]


def test_differences_at_the_same_layer_have_a_row_per_layer_and_stars_exactly_below_05(tables):
    panels = figures.plot_layer_differences(tables.same_layer).axes
    assert [t.get_text() for t in panels[0].get_yticklabels()] == [*LAYERS, "mean of layers"]
    for (reference, name), rows in tables.same_layer.query("roi == 'mean'").groupby(["reference", "trained_on"]):
        (panel,) = [panel for panel in panels if panel.get_title() == f"ReAlnet vs {MODELS[reference].label}"]
        assert_forest(panel, name, rows)


@pytest.mark.parametrize("with_mean", [True, False])
def test_lines_across_datasets_are_own_subjects_and_means_over_others(tables, with_mean):
    others = tables.across[(tables.across.subject == "mean") == with_mean]
    panels = figures.plot_across_datasets(tables.within, others).axes
    assert [panel.get_title().split("\n")[0] for panel in panels] == ["Shen 2019", "Horikawa & Kamitani 2017"]
    wanted = "metric == 'improvement' and model == 'realnet' and reference == 'control'"
    wanted += " and trained_on != 'mean'"
    for panel, rows in zip(panels, (tables.within.query(wanted), others.query(wanted)), strict=True):
        for name, part in rows.groupby("trained_on"):
            np.testing.assert_allclose(line(panel, name).get_ydata(), 100 * part.groupby("roi").value.mean()[ROIS])


def test_wrong_tables_say_what_was_expected(tables):
    with pytest.raises(InvalidInput, match="expects a table with the column 'roi'"):
        figures.plot_fmri_similarity(tables.fmri.drop(columns="roi"), "natural")
    with pytest.raises(InvalidInput, match="stimulus_set 'shapes', but the rows left have letters, natural"):
        figures.plot_fmri_similarity(tables.fmri, "shapes")
    with pytest.raises(InvalidInput, match=r"expects cornet, control, .*but has vgg"):
        figures.plot_fmri_similarity(tables.fmri.assign(model="vgg"), "natural")


def test_baselines_and_networks_are_dots_at_their_best_layer_with_means_over_subjects(rng, tables):
    simple = cross(rng, model=["pixels", "untrained"], subject=SUBJECTS, layer="best", roi=ROIS, metric="rho")
    networks = tables.fmri.query("stimulus_set == 'natural' and layer != 'cross-validated'")
    worse = networks[networks.layer == "V1"].assign(layer="cross-validated", value=9)
    axes = figures.plot_baselines(pd.concat([networks, simple, worse]).assign(time=np.nan)).axes[0]
    shown = pd.concat([networks[networks.model != "shuffled"], simple])
    best = shown.groupby(["roi", "model", "subject", "seed"], dropna=False).value.max()
    best = best.groupby(["roi", "model", "subject"]).mean()
    for model in ("cornet", "control", "realnet", "pixels", "untrained"):
        label = figures.SIMPLE[model].label
        np.testing.assert_allclose(line(axes, label).get_ydata(), best.groupby(["roi", "model"]).mean()[:, model][ROIS])
        np.testing.assert_allclose(np.sort(points(axes, f"{label} dots")[1]), np.sort(best[:, model]))


def test_over_time_each_model_is_the_mean_of_the_subjects(rng, tables):
    eeg = tables.eeg[tables.eeg.metric == "rho"].assign(roi=np.nan, trained_on="")
    flat = cross(rng, model="pixels", subject=SUBJECTS, layer="best", time=[0.0, 0.01], metric="rho", roi=np.nan)
    figure = figures.plot_baselines(pd.concat([eeg, flat]))
    best = eeg[eeg.model == "realnet"].groupby(["subject", "seed", "time"]).value.max()
    expected, drawn = best.groupby(["subject", "time"]).mean().groupby("time").mean(), line(figure.axes[0], "ReAlnet")
    np.testing.assert_allclose(drawn.get_ydata(), expected)
    np.testing.assert_allclose(drawn.get_xdata(), 1000 * expected.index)
    assert legend_texts(figure) == [*(MODELS[model].label for model in KINDS[:3]), "Pixels"]


def test_values_by_region_have_their_intervals_and_stars_where_the_corrected_p_is_below_5_percent(rng):
    table = cross(rng, trained_on=[*SUBJECTS, "mean"], model=["control", "realnet"], roi=ROIS)
    figure = figures.plot_by_region(table, "trained_on", "model", "what")
    for axes, subject in zip(figure.axes, [*SUBJECTS, "mean"], strict=True):
        assert axes.get_title() == subject
        assert_forest(axes, "ReAlnet", table[(table.trained_on == subject) & (table.model == "realnet")], "p_corrected")
    layers = table.rename(columns={"model": "reference"}).assign(layer="V4").query("reference == 'control'")
    layers = figures.plot_by_region(layers[layers.trained_on == "mean"], "layer", "reference", "what")
    assert layers.axes[0].get_title() == "Layer V4" and legend_texts(layers)[0] == "vs Control"
