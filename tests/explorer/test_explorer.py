"""What the page of the explorer reads: against scipy, scikit-learn and the results tables."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import rankdata, spearmanr
from sklearn.decomposition import PCA
from small_study import N, brain, dissimilarities, models, numbers, patterns, read

from realnet.analyses.fmri import similarity_table
from realnet.io import empty_table, load_prepared, load_table, save_table
from realnet.rdm import correlation_rdm
from realnet.settings import REPOSITORY, load_study
from workflow import explorer


@pytest.mark.parametrize("name", N)
def test_correlations_ranks_and_dissimilarities_are_those_of_scipy(root, study, name):
    data = read(root / "book", name)
    brains = [brain(study, one["labels"], name) for one in data["brains"]]
    assert len(brains) == {"natural": 8, "shapes": 4, "things": 14}[name]
    rho = [[spearmanr(model, one).statistic for one in brains] for model in models(study, name)]
    np.testing.assert_allclose(data["rho"], rho, atol=1e-7)
    for encoded, rdm in zip([*data["models"], *data["brains"]], [*models(study, name), *brains], strict=True):
        np.testing.assert_array_equal(numbers(encoded["ranks"]) / 2, rankdata(rdm))
        assert encoded["decimals"] == 3
        np.testing.assert_allclose(dissimilarities(encoded), rdm, atol=0.5001e-3)


def test_the_correlations_are_those_of_the_results_table(root, study):
    data, brains = read(root / "book", "natural"), load_prepared(study, "horikawa2017_rdms", "natural")
    table = similarity_table(study, "horikawa2017", "natural", brains, study.main_networks(), within=False)
    table = table.set_index(["model", "trained_on", "layer", "subject", "roi"]).value
    kinds, checked = {label.label: kind for kind, label in explorer.MODELS.items()}, 0
    for rho, one in zip(data["rho"], data["models"], strict=True):
        kind, _, trained_on = one["labels"][0].partition(", ")
        for value, (dataset, subject, roi, where) in zip(rho, (b["labels"] for b in data["brains"]), strict=True):
            if where == "fmri_across_subjects":
                assert value == pytest.approx(table[kinds[kind], trained_on, one["labels"][1], subject, roi], abs=1e-6)
                checked += "Horikawa" in dataset
    assert checked == len(study.networks()) * 2 * 4


@pytest.mark.parametrize(("scale", "decimals"), [(1, 3), (0.01, 4), (30, 1), (-4, 3)])
def test_three_digits_or_more_are_shown_whatever_the_unit(scale, decimals):
    rdm = scale * (1 + np.random.default_rng(0).random(190))
    encoded = explorer.encoded(rdm)
    assert encoded["decimals"] == decimals
    np.testing.assert_allclose(dissimilarities(encoded), rdm, atol=0.5001 * 10.0**-decimals)


def test_the_first_component_is_that_of_the_standardised_patterns():
    x = patterns(30, 8) + 3 * np.outer(np.linspace(-1, 1, 30), patterns(8))
    z = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    expected, found = PCA(1).fit_transform(z)[:, 0], explorer.first_component(correlation_rdm(x))
    assert abs(np.corrcoef(expected, found)[0, 1]) == pytest.approx(1)
    order = numbers(explorer.encoded(correlation_rdm(x))["order"], np.uint8).tolist()
    assert order in (expected.argsort().tolist(), expected.argsort().tolist()[::-1])


def test_images_are_sorted_by_category_and_by_dimension(root):
    shapes, things = (read(root / "book", name)["sorts"] for name in ("shapes", "things"))
    assert [sort["label"] for sort in shapes] == ["category: colour", "category: form"]
    assert shapes[0]["values"][:3] == ["red", "blue", "green"]
    assert [sort["label"] for sort in things] == ["dimension: animal", "dimension: red"]
    np.testing.assert_allclose(things[1]["values"], patterns(10, 2)[::-1, 1], atol=1e-3)  # joined by name
    for sort in (*shapes, *things):
        order = numbers(sort["order"], np.uint8)
        values = [sort["values"][i] for i in order]
        assert values == sorted(values) and sorted(order) == list(range(len(values)))


def test_every_image_has_its_place_in_the_sprite(root):
    sheet = np.array(Image.open(root / "book" / "_extra" / "explorer" / "natural.jpg")).astype(int)
    assert sheet.shape == (2 * 64, 10 * 64, 3)
    for i in range(N["natural"]):
        tile = sheet[64 * (i // 10) :, 64 * (i % 10) :][16:48, 16:48]
        np.testing.assert_allclose(tile.mean(axis=(0, 1)), (20 * i, 250 - 20 * i, 100), atol=4)


def test_the_objects_that_real_people_saw_join_once_chapter_10_has_run(study, tmp_path, monkeypatch):
    network = torch.nn.Module()
    network.activations = lambda images: {"pixels": images[:, :, ::16, ::16]}
    monkeypatch.setattr(explorer, "real_networks", lambda _: {"efficientnet-lite0": (network, ["pixels"])})
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    save_table(study, "objects92", empty_table())
    explorer.write_explorer(study, tmp_path)
    data = read(tmp_path, "objects92")
    assert [one["labels"][1] for one in data["brains"]] == ["BE", "KO", "SN", "TI", "mean of two"]
    objects, _ = explorer.load_objects(study)
    person = objects.session_rdms.sel(person="SN").mean("session").values
    np.testing.assert_array_equal(numbers(data["brains"][2]["ranks"]) / 2, rankdata(person.round(12)))
    assert set(data["sorts"][0]["values"]) == set(objects.category.values)
    assert "Natural images: left out; files are missing" in (tmp_path / "_explorer.md").read_text()


@pytest.mark.parametrize("name", ["own", "public", "public_eeg", "demo"])
def test_a_study_without_rdms_says_so_in_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    explorer.write_explorer(load_study(name), tmp_path)
    text = (tmp_path / "_explorer.md").read_text(encoding="utf-8")
    assert text.count(".") == 1 and "nothing to show" in text and "<script" not in text


def test_the_data_of_the_demo_stay_below_4_mb(tmp_path):
    rng, size = np.random.default_rng(0), 0
    shapes = {"natural": (50, 32, 40), "shapes": (40, 32, 15), "letters": (10, 32, 15), "things": (200, 32, 14),
              "objects92": (92, 9, 5)}  # fmt: skip
    for name, (n, *counts) in shapes.items():
        rdms = [correlation_rdm(rng.normal(size=(count, n, 60))) for count in counts]
        sides = [[(["Simulated, format of Shen 2019", "sub-01", "V1", "table"], rdm) for rdm in part] for part in rdms]
        sorts = {f"dimension {i}": rng.random(n).round(3).tolist() for i in range(8)} if name == "things" else {}
        size += len(json.dumps(explorer.contents([f"{name}-{i}" for i in range(n)], *sides, sorts)))
        coarse = rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
        images = np.stack([np.array(Image.fromarray(image).resize((64, 64))) for image in coarse])
        explorer.sprite(images).save(tmp_path / "sprite.jpg", quality=explorer.QUALITY)
        size += (tmp_path / "sprite.jpg").stat().st_size
    assert 2e6 < size < 3.9e6  # the figure that stands in has 50 kB


def test_the_script_is_short_and_needs_nothing_else():
    text = (REPOSITORY / "book" / "_static" / "explorer.js").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200 and max(map(len, text.splitlines())) <= 120
    assert re.findall(r"https?:|//cdn|\bimport\b|fetch\(|getImageData|toDataURL", text) == []


@pytest.mark.study
def test_the_correlations_of_the_demo_are_those_of_its_tables():
    study = load_study("demo")
    if not (study.results / "tables" / "eeg.csv").is_file() or not study.prepared.is_dir():
        pytest.skip("the demo has not run: make study STUDY=demo")
    kinds = {style.label: kind for kind, style in explorer.MODELS.items()}
    for name in (*study.stimulus_sets, "objects92"):
        data = (explorer.objects92_set if name == "objects92" else explorer.study_set)(study, name)
        rho = explorer.contents(data["stimuli"], data["models"], data["brains"], data["sorts"])["rho"]
        for j, ((dataset, subject, place, file), _) in enumerate(data["brains"]):
            if not file:
                continue
            table = load_table(study, file).fillna({"trained_on": ""})
            where = table.roi.fillna("").str.split(",").str[0] == place  # "IT, 4 people"
            if file == "eeg":
                where = table.time.sub(float(place[:-3]) / 1000).abs() < 1e-6
            subject = "mIT" if subject == "mean of two" else subject
            where &= (table.metric == "rho") & (table.subject == subject) & (table.stimulus_set == name)
            found = table[where].set_index(["model", "trained_on", "layer"]).value
            for i, ((network, layer), _) in enumerate(data["models"]):
                kind, _, trained_on = network.partition(", ")
                assert rho[i][j] == pytest.approx(found[kinds[kind], trained_on, layer], abs=1e-6), (dataset, network)
