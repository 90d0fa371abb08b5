"""Figures of fMRI: what is drawn, read back from the artists, equals pandas and scipy."""

import numpy as np
import pandas as pd
import pytest
from figure_tables import KINDS, LAYERS, PEOPLE, ROIS, differences, layer_differences, legend_texts, line, points

from realnet import figures
from realnet.figures.style import MODELS


def test_bars_of_the_fmri_figure_are_means_and_its_dots_are_every_row(fmri):
    axes = figures.plot_fmri_similarity(fmri, "natural").axes[0]
    shown = fmri[(fmri.stimulus_set == "natural") & (fmri.layer == "best")]
    for model in KINDS:
        style = MODELS[model]
        rows = shown[shown.model == model]
        np.testing.assert_allclose(line(axes, style.label).get_ydata(), rows.groupby("roi").value.mean()[ROIS])
        x, y = points(axes, f"{style.label} dots")
        assert sorted(y) == sorted(rows.value)
        near = np.rint(x).astype(int)
        assert {(ROIS[i], v) for i, v in zip(near, y, strict=True)} == set(zip(rows.roi, rows.value, strict=True))


def test_thin_lines_of_the_fmri_figure_join_one_person_and_teacher(fmri):
    axes = figures.plot_fmri_similarity(fmri, "natural").axes[0]
    shown = fmri[(fmri.stimulus_set == "natural") & (fmri.layer == "best")]
    expected = shown.pivot(index=["subject", "roi"], columns="model", values="value")[KINDS]
    drawn = {tuple(x.get_ydata()) for x in axes.lines if x.get_color() == "#9a9a9a"}
    assert drawn == {tuple(row) for row in expected.to_numpy()}


def test_noise_ceilings_of_the_fmri_figure_are_those_of_the_table_and_in_the_legend(fmri):
    figure = figures.plot_fmri_similarity(fmri, "natural")
    (bars,) = [b for b in figure.axes[0].containers if b.get_label() == "Noise ceiling"]
    np.testing.assert_allclose([b.get_y() for b in bars], 0.4 + 0.01 * np.arange(5))
    np.testing.assert_allclose([b.get_y() + b.get_height() for b in bars], 0.5 + 0.01 * np.arange(5))
    assert "Noise ceiling" in legend_texts(figure)
    without = figures.plot_fmri_similarity(fmri.assign(ceiling_lower=np.nan), "natural")
    assert "Noise ceiling" not in legend_texts(without)


@pytest.mark.parametrize("left", [("cornet", "realnet"), ("control", "realnet"), ("cornet",)])
def test_fmri_figures_do_without_control_null_or_cornet(fmri, left):
    part = fmri[fmri.model.isin(left)]
    assert legend_texts(figures.plot_fmri_similarity(part, "natural"))[1:] == [MODELS[m].label for m in left]
    figures.plot_layers(part, "natural")


def test_heat_maps_hold_the_mean_of_every_layer_and_region(fmri):
    figure = figures.plot_layers(fmri, "natural")
    layers = [*LAYERS, "best", "cross-validated"]
    shown = fmri[fmri.stimulus_set == "natural"].groupby(["model", "layer", "roi"]).value.mean()
    for axes, model in zip(figure.axes, ("cornet", "control", "realnet"), strict=False):
        expected = shown[model].unstack("roi").loc[layers, ROIS]
        np.testing.assert_allclose(np.asarray(axes.collections[0].get_array()).reshape(6, 5), expected)
        assert [t.get_text() for t in axes.texts] == [f"{v:.2f}" for v in expected.to_numpy().ravel()]
        assert axes.get_title() == MODELS[model].label


def test_reliability_has_one_line_a_person_and_the_mean(rng):
    table = pd.DataFrame([
        {"dataset": d, "stimulus_set": "natural", "subject": f"sub-{s:02d}", "roi": r, "metric": "reliability",
         "value": rng.random()}
        for d, n in (("shen2019", 3), ("horikawa2017", 5)) for s in range(n) for r in ROIS
    ])  # fmt: skip
    figure = figures.plot_reliability(table)
    for axes, (dataset, n) in zip(figure.axes, (("shen2019", 3), ("horikawa2017", 5)), strict=True):
        wide = table[table.dataset == dataset].pivot(index="roi", columns="subject", values="value").loc[ROIS]
        np.testing.assert_allclose(np.stack([axes.lines[i].get_ydata() for i in range(n)], axis=1), wide)
        np.testing.assert_allclose(line(axes, "Mean").get_ydata(), wide.mean(axis=1))


def test_improvement_is_in_per_cent_and_open_where_there_is_no_ratio(within):
    at = (within.metric == "improvement") & (within.model == "realnet") & (within.reference == "cornet")
    within.loc[at & (within.roi == "V2") & (within.subject == "sub-01"), "value"] = np.nan
    figure = figures.plot_improvement(within, ["natural"])
    axes, rows = figure.axes[0], within[at]
    expected = 100 * rows.groupby("roi").value.mean()[[*ROIS, "mean"]]
    np.testing.assert_allclose(line(axes, "vs CORnet").get_ydata(), expected)
    assert sorted(points(axes, "vs CORnet dots")[1]) == sorted(100 * rows.value.dropna())
    missing = line(axes, "vs CORnet reference not above 0")
    np.testing.assert_allclose(np.rint(missing.get_xdata()), [1])
    assert missing.get_markerfacecolor() == "white"
    assert "Open: reference not above 0" in legend_texts(figure)
    assert "vs Control reference not above 0" not in [drawn.get_label() for drawn in axes.lines]


def test_figures_are_drawn_when_no_ratio_exists_at_all(within, eeg):
    within.loc[within.metric == "improvement", "value"] = np.nan
    eeg.loc[eeg.metric == "improvement", "value"] = np.nan
    figure = figures.plot_improvement(within, ["natural"])
    assert len(points(figure.axes[0], "vs CORnet reference not above 0")[0]) == 6
    for drawn in (figures.plot_across_datasets(within, within), figures.plot_eeg_improvement(eeg), figure):
        assert any("reference not above 0" in text for text in legend_texts(drawn))
        drawn.draw_without_rendering()


@pytest.mark.parametrize("people", [PEOPLE, [*PEOPLE, "sub-04", "mean"]])
def test_forest_shows_each_difference_with_its_interval_and_stars_exactly_below_05(rng, people):
    table = differences(rng, people)
    axes = figures.plot_differences(table).axes
    assert [a.get_title() for a in axes] == ["ReAlnet, natural images", "Null (shuffled), natural images"]
    for panel, model in zip(axes, ("realnet", "shuffled"), strict=True):
        for reference, label in (("cornet", "vs CORnet"), ("control", "vs Control")):
            rows = table[(table.metric == "difference") & (table.roi == "mean")]
            rows = rows[(rows.model == model) & (rows.reference == reference)]
            (bars,) = [c for c in panel.collections if c.get_label() == f"{label} interval"]
            ends = {tuple(s[:, 0]) for s in bars.get_segments()}
            assert ends == set(zip(rows.lower, rows.upper, strict=True))
            assert sorted(points(panel, label)[0]) == sorted(rows.value[rows.p < 0.05])
            assert sorted(points(panel, f"{label} n.s.")[0]) == sorted(rows.value[rows.p >= 0.05])
            np.testing.assert_array_equal(
                np.sort(points(panel, f"{label} p < .05")[1]), np.sort(points(panel, label)[1])
            )
    names = [t.get_text() for t in axes[0].get_yticklabels()]
    assert len(names) == 3 * len(people)
    assert names[-1] == f"{people[-1]} | sub-03"


def test_forest_of_own_teachers_names_each_person_once(within):
    axes = figures.plot_differences(within[within.model == "realnet"]).axes
    assert len(axes) == 1
    assert [t.get_text() for t in axes[0].get_yticklabels()] == PEOPLE


def test_differences_at_the_same_layer_have_a_line_a_layer_and_stars_exactly_below_05(rng):
    table = layer_differences(rng)
    panels = figures.plot_layer_differences(table).axes
    assert [panel.get_title() for panel in panels] == ["ReAlnet vs CORnet", "ReAlnet vs Control"]
    assert [t.get_text() for t in panels[0].get_yticklabels()] == [*LAYERS, "mean of layers"]
    for panel, reference in zip(panels, ("cornet", "control"), strict=True):
        for person in PEOPLE:
            rows = table[(table.roi == "mean") & (table.reference == reference) & (table.trained_on == person)]
            filled, empty = points(panel, person), points(panel, f"{person} n.s.")
            drawn = [np.concatenate(pair) for pair in zip(filled, empty, strict=True)]
            order = np.argsort(drawn[1])  # from the first layer down
            np.testing.assert_allclose(drawn[0][order], rows.value)
            np.testing.assert_array_equal(np.round(drawn[1][order]), range(len(LAYERS) + 1))
            assert sorted(points(panel, person)[0]) == sorted(rows.value[rows.p < 0.05])


def test_lines_across_datasets_are_own_teachers_and_means_over_people(rng, within):
    across = differences(rng, [*PEOPLE, "sub-04", "mean"])
    wanted = "metric == 'improvement' and model == 'realnet' and reference == 'control' and trained_on == @teacher"
    for rows_with_mean in (True, False):
        others = across if rows_with_mean else across[across.subject != "mean"]
        others = others.assign(dataset="horikawa2017")
        own_panel, other_panel = figures.plot_across_datasets(within, others).axes
        assert own_panel.get_title().startswith("Shen 2019\n")
        assert other_panel.get_title().startswith("Horikawa & Kamitani 2017\n")
        for teacher in PEOPLE:
            own = within.query(wanted).set_index("roi").value[ROIS]
            np.testing.assert_allclose(line(own_panel, teacher).get_ydata(), 100 * own)
            rows = others.query(wanted)
            rows = rows[rows.subject == "mean"] if rows_with_mean else rows
            expected = 100 * rows.groupby("roi").value.mean()[ROIS]
            np.testing.assert_allclose(line(other_panel, teacher).get_ydata(), expected)
