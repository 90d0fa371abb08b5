"""All figures: names, legends, colours, no overlap, saving, errors; pictures, RDMs and losses."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from figure_tables import dimensions, layer_differences, legend_texts, line, networks
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial.distance import squareform

from realnet import figures
from realnet.errors import InvalidInput
from realnet.figures.style import MODELS, person_styles
from realnet.io import load_table, save_table
from realnet.settings import Study


def test_training_shows_each_loss_and_epoch_0_for_the_test_images_alone(history):
    figure = figures.plot_training(history, "sub-01")
    for axes, metric in zip(figure.axes, ("loss_class", "loss_mse", "loss_contrastive", "loss_total"), strict=True):
        for split, label, first in (("training", "Training images", 1), ("test", "Test images", 0)):
            rows = history[(history.metric == metric) & (history.split == split)]
            np.testing.assert_allclose(line(axes, label).get_xdata(), np.arange(first, 4))
            np.testing.assert_allclose(line(axes, label).get_ydata(), rows.value)


def test_training_of_all_networks_has_one_line_each(history):
    parts = [history.assign(model=m, trained_on=t, beta=40, seed=0, value=history.value + i)
             for i, (m, t) in enumerate(networks(("control", "realnet")))]  # fmt: skip
    figure = figures.plot_training_all(pd.concat(parts))
    drawn = [tuple(x.get_ydata()) for x in figure.axes[0].lines]
    losses = history[history.metric == "loss_class"]
    expected = {tuple(losses.value[losses.split == s] + i) for s in ("training", "test") for i in range(6)}
    assert set(drawn) == expected


def test_pictures_of_tensors_and_arrays_are_the_same(rng):
    torch = pytest.importorskip("torch")
    images = rng.integers(0, 256, (3, 6, 5, 3), dtype=np.uint8)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    for given in (images, tensor):
        figure = figures.plot_pictures(given, ["a", "b", "c"], n_columns=2)
        for axes, image in zip(figure.axes, images, strict=True):
            np.testing.assert_array_equal(axes.images[0].get_array(), image)
        assert [a.get_title() for a in figure.axes] == ["a", "b", "c"]


def test_rdm_pictures_are_scipys_squares_with_one_colour_scale(rng):
    rdms = rng.random((3, 45))
    figure = figures.plot_rdms(rdms, ["a", "b", "c"])
    drawn = [a.images[0] for a in figure.axes if a.images]
    off = ~np.eye(10, dtype=bool)
    for picture, rdm in zip(drawn, rdms, strict=True):
        np.testing.assert_allclose(np.asarray(picture.get_array())[off], squareform(rdm)[off])
        assert picture.get_clim() == (rdms.min(), rdms.max())
    assert "1 - Pearson r" in figure.axes[-1].get_ylabel()


def every_figure(tables, history):
    """One of each family."""
    fmri, within, eeg, table = (tables[name] for name in ("fmri", "within", "eeg", "dimensions"))
    return {
        "fmri": figures.plot_fmri_similarity(fmri, "natural"), "layers": figures.plot_layers(fmri, "letters"),
        "improvement": figures.plot_improvement(within, ["natural"]), "differences": figures.plot_differences(within),
        "layer_differences": figures.plot_layer_differences(tables["same_layer"]),
        "across": figures.plot_across_datasets(within, within), "eeg": figures.plot_eeg_similarity(eeg),
        "eeg_improvement": figures.plot_eeg_improvement(eeg), "dimensions": figures.plot_dimensions(table),
        "changes": figures.plot_dimension_changes(table), "training": figures.plot_training(history),
        "dimension_layers": figures.plot_dimension_layers(table, ["object dimension 1"]),
        "headline": figures.plot_headline(fmri, eeg, table),
    }  # fmt: skip


def tick_labels(axes):
    """The labels of ticks that lie in view (others exist, but are not drawn)."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        yield from (t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high and t.label1.get_visible())


def test_every_figure_of_saved_tables_has_a_legend_names_for_its_axes_and_no_overlapping_text(
    tmp_path, monkeypatch, rng, fmri, within, eeg, history
):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = Study(name="demo", description="")
    tables = {"fmri": fmri, "within": within, "eeg": eeg, "dimensions": dimensions(rng, 8)}
    tables["same_layer"] = layer_differences(rng)
    for name, table in tables.items():
        save_table(study, name, table)
    for name, figure in every_figure({name: load_table(study, name) for name in tables}, history).items():
        figures.mark_simulated(figure)
        figure.draw_without_rendering()
        outer = [a for a in figure.axes if a.get_subplotspec() is not None]
        assert all(a.get_xlabel() for a in outer if a.get_subplotspec().is_last_row()), name
        assert any(a.get_ylabel() or a.get_yticklabels() for a in outer), name
        assert legend_texts(figure) or name == "layers"
        texts = [t for a in outer for t in (a.title, a.xaxis.label, a.yaxis.label, *tick_labels(a))]
        parts = [figure, *figure.subfigs]
        texts += [*figure.texts, *(t for part in parts for legend in part.legends for t in legend.get_texts())]
        boxes = [(t.get_text(), t.get_window_extent()) for t in texts if t.get_visible() and t.get_text()]
        for i, (text, box) in enumerate(boxes):
            assert figure.bbox.padded(2).containsx(box.x0) and figure.bbox.padded(2).containsx(box.x1), (name, text)
            for other, second in boxes[i + 1 :]:
                width = min(box.x1, second.x1) - max(box.x0, second.x0)
                height = min(box.y1, second.y1) - max(box.y0, second.y0)
                assert min(width, height) < 3, (name, text, other)


def test_drawing_leaves_no_open_figures_and_no_changed_settings(fmri):
    plt = pytest.importorskip("matplotlib.pyplot")
    before, size = plt.get_fignums(), mpl.rcParams["font.size"]
    figures.plot_fmri_similarity(fmri, "natural")
    assert plt.get_fignums() == before
    assert mpl.rcParams["font.size"] == size


def luminance(colour):
    """L* of a colour (CIE 1976, D65)."""
    channels = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_networks_differ_in_luminance_marker_and_line():
    levels = sorted(luminance(style.colour) for style in MODELS.values())
    assert min(np.diff(levels)) > 6
    assert (
        len({style.marker for style in MODELS.values()}) == len({str(s.line) for s in MODELS.values()}) == len(MODELS)
    )
    assert len({(s.colour, s.marker) for s in person_styles([f"sub-{i}" for i in range(20)]).values()}) == 20


@pytest.mark.parametrize("simulated", [True, False])
def test_saved_figures_are_png_at_200_dpi_and_pdf_marked_when_simulated(tmp_path, monkeypatch, fmri, simulated):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = Study(name="demo", description="", simulated={} if simulated else None)
    figure = figures.plot_fmri_similarity(fmri, "natural")
    assert figures.save_figure(study, "fmri", figure) is figure
    figures.save_figure(study, "fmri", figure)
    assert [t.get_text() for t in figure.texts] == ["simulated people"] * simulated
    folder = tmp_path / "results/demo/figures"
    assert sorted(p.name for p in folder.iterdir()) == ["fmri.pdf", "fmri.png"]
    assert (folder / "fmri.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(folder / "fmri.png") as image:
        assert image.size == pytest.approx(200 * figure.get_size_inches(), abs=1)


def test_real_people_in_a_simulated_study_are_not_marked_when_the_caller_says_so(tmp_path, monkeypatch, fmri):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = Study(name="demo", description="", simulated={})
    assert not figures.save_figure(study, "real", figures.plot_layers(fmri, "natural"), simulated=False).findobj(
        lambda artist: artist.get_gid() == "simulated"
    )


def test_wrong_tables_say_what_was_expected(fmri, within, eeg):
    with pytest.raises(InvalidInput, match="expects a table with the column 'roi'"):
        figures.plot_fmri_similarity(fmri.drop(columns="roi"), "natural")
    with pytest.raises(InvalidInput, match="stimulus_set 'shapes', but the rows left have letters, natural"):
        figures.plot_fmri_similarity(fmri, "shapes")
    with pytest.raises(InvalidInput, match="metric 'difference', but the rows left have improvement"):
        figures.plot_differences(within[within.metric == "improvement"])
    with pytest.raises(InvalidInput, match="stimulus_set 'shapes'"):
        figures.plot_improvement(within, ["natural", "shapes"])
    with pytest.raises(InvalidInput, match="trained_on equal to subject"):
        figures.plot_across_datasets(within.assign(subject="sub-09"), within)
    with pytest.raises(InvalidInput, match=r"expects cornet, control, .*but the table has vgg"):
        figures.plot_fmri_similarity(fmri.assign(model="vgg"), "natural")
    with pytest.raises(InvalidInput, match="column 'time'"):
        figures.plot_eeg_similarity(eeg.drop(columns="time"))


def test_wrong_arrays_say_what_was_expected(rng, tmp_path):
    with pytest.raises(InvalidInput, match=r"shape \(N, H, W, 3\)"):
        figures.plot_pictures(np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(InvalidInput, match="before normalisation"):
        figures.plot_pictures(rng.normal(size=(4, 8, 8, 3)))
    with pytest.raises(InvalidInput, match="4 pictures, 1 titles"):
        figures.plot_pictures(np.zeros((4, 8, 8, 3), np.uint8), ["one"])
    with pytest.raises(InvalidInput, match="condensed RDMs"):
        figures.plot_rdms(rng.random((2, 44)), ["a", "b"])
    with pytest.raises(InvalidInput, match=r"shape \(4, 1\)"):
        figures.plot_dimension_pictures(np.zeros((4, 8, 8, 3), np.uint8), rng.random((3, 1)), ["a"])
    with pytest.raises(InvalidInput, match="shows 1 to 2 of 4"):
        figures.plot_dimension_pictures(np.zeros((4, 8, 8, 3), np.uint8), rng.random((4, 1)), ["a"], n=3)
    study = Study(name="demo", description="")
    with pytest.raises(InvalidInput, match="matplotlib Figure for 'x', not Axes"):
        figures.save_figure(study, "x", Figure().subplots())
