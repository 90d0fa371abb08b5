"""Networks enter Brain-Score as they are: the same images, activations and error consistency."""

import json
import os
import re
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from brainscore_oracle import kappas, names_correctly, tell_apart
from packaging.requirements import Requirement
from PIL import Image

from experiments.brainscore import edge, models, score
from realnet.activations import compute_activations, load_images, normalise
from realnet.alignment import load_realnet
from realnet.backbones import EfficientNetLite0
from realnet.cornet import LAYERS, CORnetS
from realnet.errors import InvalidInput, MissingInput
from realnet.io import COLUMNS, table_path
from realnet.networks import save_weights, weights_path
from realnet.settings import REPOSITORY, Network, load_study

STUDY = "name: tiny\ndescription: t\nfmri: {subjects: [1]}\ntraining: {betas: [40], shuffled: false}\n"
METADATA = {"settings": json.dumps({"network": {"image_size": 64}})}
VENV = REPOSITORY / "experiments" / "brainscore" / ".venv"


@pytest.fixture(scope="module")
def run_brainscore(tmp_path_factory):
    """Run Python in Brain-Score's environment, with an empty home for all that it keeps."""
    python = os.environ.get("REALNET_BRAINSCORE_PYTHON", VENV / "bin" / "python")
    if not os.path.isfile(python):
        pytest.skip(f"no Brain-Score environment at {python}: `make brain-score` makes it")
    home = tmp_path_factory.mktemp("brainscore_home")

    def run(*arguments, root=REPOSITORY):
        environment = os.environ | {"HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        environment |= {"REALNET_ROOT": str(root)}
        command = [str(python), *map(str, arguments)]
        return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    run.home = home
    return run


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images of several sizes and modes, in an order that is not that of their names."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = []
    for name, shape in {"c.png": (90, 60, 3), "a.jpg": (64, 64, 3), "b.tiff": (50, 80)}.items():
        paths.append(folder / name)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A study of three small networks with ImageNet's number of classes; their weights are drawn, not trained."""
    root = tmp_path_factory.mktemp("study")
    (root / "tiny.yml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALNET_ROOT", str(root))
        study = load_study(root / "tiny.yml")
        paths = [weights_path(study, network) for network in study.networks()]
        for i, path in enumerate(paths):
            torch.manual_seed(i)
            save_weights(path, CORnetS(width=0.125), METADATA)
        yield SimpleNamespace(root=root, file=root / "tiny.yml", study=study, paths=paths)
        table_path(study, "brain_score").unlink(missing_ok=True)


def test_the_requirements_are_exact_and_those_of_the_study_where_they_can_be():
    lines = (VENV.parent / "requirements.txt").read_text().splitlines()
    pins = {r.name.lower(): r for r in (Requirement(line) for line in lines if line and not line.startswith("#"))}
    assert [name for name, pin in pins.items() if [s.operator for s in pin.specifier] != ["=="]] == []
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    ours = {r.name.lower(): r.specifier for r in map(Requirement, project)}
    differ = {name for name in pins.keys() & ours.keys() if pins[name].specifier != ours[name]}
    assert differ == {"numpy", "pandas", "xarray", "scikit-learn"}  # what brainscore-vision holds back


def test_the_imported_modules_of_realnet_need_no_package_that_the_environment_lacks():
    code = "import sys, experiments.brainscore.score; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    lacking = {"numba", "mne", "neurora", "seaborn", "matplotlib", "h5netcdf", "pooch", "papermill", "simulation"}
    assert not lacking & set(done.stdout.split())


def test_the_commitments_name_layers_that_a_network_has():
    network = CORnetS(width=0.125).eval()
    assert models.REGION_LAYERS == {"V1": "V1", "V2": "V2", "V4": "V4", "IT": "IT"} and models.VISUAL_DEGREES == 8
    pooled = []
    network.get_submodule(models.BEHAVIOR_LAYER).register_forward_hook(lambda _m, _i, out: pooled.append(out))
    logits = network(torch.zeros(2, 3, 64, 64))
    # nothing but the classes comes after the layer that behaviour is read from
    torch.testing.assert_close(network.decoder.linear(pooled[0].flatten(1)), logits)


def test_a_network_is_named_by_its_file_and_its_weights(tmp_path):
    path = tmp_path / "cornet.safetensors"
    path.write_bytes(b"abc")
    assert models.identify(path) == "cornet-ba7816bf"  # FIPS 180 test vector of SHA-256
    path.write_bytes(b"abd")
    assert models.identify(path) != "cornet-ba7816bf"
    with pytest.raises(MissingInput, match="no network at"):
        models.identify(tmp_path / "absent.safetensors")


def test_the_image_size_is_read_from_the_header_of_the_weights(tiny, tmp_path):
    assert models.find_image_size(tmp_path / "cornet_s-1d3f7974.pth") == 224
    assert models.find_image_size(tiny.paths[0]) == 64
    for i, metadata in enumerate([{}, {"settings": "{}"}, {"settings": '{"network": {"image_size": "x"}}'}]):
        save_weights(tmp_path / f"{i}.safetensors", CORnetS(width=0.125, n_classes=10), metadata)
        with pytest.raises(InvalidInput, match="does not state"):
            models.find_image_size(tmp_path / f"{i}.safetensors")


class FakeScore(float):
    """A number with attributes, as Brain-Score returns it."""

    def __new__(cls, value, **attrs):
        score = super().__new__(cls, value)
        score.attrs = attrs
        return score


def test_the_table_is_tidy_and_a_mean_needs_every_set(tiny):
    group = "Geirhos2021-error_consistency"
    values = np.random.default_rng(0).random(17)
    rows = []
    for name, value in zip(score.GROUPS[group], values, strict=True):
        found = FakeScore(value, raw=FakeScore(value / 2, error=FakeScore(0.1)), ceiling=FakeScore(0.5))
        rows.append(score.make_row(Network("realnet", 1, 40, 0), "sub-01-aaaaaaaa", name, found))
    assert group not in {row["metric"] for row in score.with_means(rows[:-1])}
    with_mean = score.with_means(score.with_means(rows))
    assert len(with_mean) == 18 and with_mean[-1]["metric"] == group
    assert [with_mean[-1][key] for key in ("value", "raw")] == pytest.approx([values.mean(), values.mean() / 2])
    score.write_table(tiny.study, rows)
    table = pd.read_csv(table_path(tiny.study, "brain_score"))
    assert list(table.columns) == [*COLUMNS, "raw", "raw_error", "ceiling", "weights"]
    assert set(table["study"]) == {"tiny"} and set(table["trained_on"]) == {"sub-01"} and set(table["beta"]) == {40}
    # a later run takes over what belongs to the weights as they are now, and only that
    assert len(score.read_rows(tiny.study, {"sub-01-aaaaaaaa"})) == 18
    assert score.read_rows(tiny.study, {"sub-01-bbbbbbbb"}) == []


def test_decisions_and_drawings_are_those_published(real_data, tmp_path):
    decisions, drawings = edge.read_folder(real_data / "geirhos_edge")
    assert len(decisions) == 1600 and len(drawings) == 160 and decisions["subject"].nunique() == 10
    # the folder of a drawing is its class
    assert all(drawings[row.stimulus_id].parent.name == row.truth for row in decisions.itertuples())
    for file in (real_data / "geirhos_edge" / "raw-data").glob("*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(InvalidInput, match=r"160 drawings are missing, the first is airplane1\.png"):
        edge.read_folder(tmp_path)


@pytest.fixture(scope="module")
def probe(run_brainscore, tiny, images, real_data_folder, tmp_path_factory):
    """What Brain-Score says of two networks, in one process: its start takes seconds."""
    folder = tmp_path_factory.mktemp("probe")
    published = folder / "cornet_s-published.pth"
    state = load_realnet(tiny.paths[0]).state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, published)
    script = REPOSITORY / "tests" / "experiments" / "brainscore_probe.py"
    done = run_brainscore("-W", "ignore", script, folder, real_data_folder, tiny.paths[-1], published, *images)
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(folder=folder, published=published, **json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(("name", "image_size"), [("ours", 64), ("published", 224)])
def test_brainscore_sees_the_activations_that_we_see(probe, tiny, images, name, image_size):
    theirs = np.load(probe.folder / f"{name}.npz")
    network, pixels = (
        load_realnet(tiny.paths[-1] if name == "ours" else probe.published),
        load_images(images, image_size),
    )
    ours = compute_activations(network, pixels)
    with torch.no_grad():
        ours["decoder"] = network(normalise(pixels)).numpy()
    ours["decoder.avgpool"] = ours["IT"].reshape(len(images), -1, (image_size // 32) ** 2).mean(axis=2)
    assert set(theirs.files) == {*LAYERS, "decoder.avgpool", "decoder"}
    for layer, values in ours.items():
        assert np.ptp(values, axis=0).max() > 0.01  # images differ
        atol = 1e-5 * np.abs(values).max()  # logits are differences of large numbers
        np.testing.assert_allclose(theirs[layer], values, rtol=1e-5, atol=atol, err_msg=layer)


def test_the_candidate_carries_the_commitments_and_only_a_failed_download_is_called_one(probe):
    assert re.fullmatch("cornet_s-published-[0-9a-f]{8}", probe.identifier)
    assert probe.regions == {layer: layer for layer in LAYERS} and probe.layers == list(LAYERS)
    assert probe.degrees == 8 and probe.image_size == 224 and probe.unknown == []
    assert probe.failures == ['Could not connect to the endpoint URL: "u"', "disk full", None]


def test_a_real_network_has_the_error_consistency_with_participants_of_brainscore(probe, real_data):
    """Brain-Score's benchmark on the published edge files, against the definition written out; drawings as they are."""
    correct = names_correctly(EfficientNetLite0(), real_data / "geirhos_edge" / "stimuli", 224, real_data)
    assert len(correct) == 160 and 0.1 < correct.mean() < 0.9
    raw, ceiling = kappas(real_data, correct)
    assert probe.row["raw"] == pytest.approx(raw, abs=1e-9) and raw > 0.02
    assert probe.row["ceiling"] == pytest.approx(ceiling, abs=1e-9) and ceiling == pytest.approx(0.31844, abs=5e-6)
    assert probe.row["value"] == pytest.approx(raw / ceiling) and probe.row["stimulus_set"] == "edge"


def test_the_command_keeps_what_it_could_score_and_says_what_it_could_not(run_brainscore, real_data, tiny):
    for path in tiny.paths:
        tell_apart(drawn := load_realnet(path), real_data / "geirhos_edge" / "stimuli", 64)
        save_weights(path, drawn, METADATA)
    command = "-m", "experiments.brainscore.score", tiny.file, "--edge", real_data / "geirhos_edge"
    done = run_brainscore(*command, root=tiny.root)
    table = pd.read_csv(table_path(tiny.study, "brain_score"))
    found = table[table["metric"] == edge.BENCHMARK].set_index("weights")["raw"]
    # Brain-Score showed the drawings at 3 of the network's 8 degrees, and left what it showed in its home
    [screen] = (run_brainscore.home / ".brain-score" / "stimuli_on_screen").iterdir()
    assert len(found) == found.nunique() == 3
    for path in tiny.paths:
        raw, _ = kappas(real_data, names_correctly(load_realnet(path), screen, 64, real_data))
        assert found[models.identify(path)] == pytest.approx(abs(raw), abs=1e-9)
    if len(table) == 3:  # Brain-Score's storage is out of reach: a sentence for each group, no traceback
        assert done.returncode == 1 and "Traceback" not in done.stderr
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(said) == 2 and all("could not be fetched" in line for line in said)


def test_what_is_finished_is_not_scored_again(tiny, monkeypatch):
    scored = []

    def benchmark(path):
        scored.append(path)
        if len(scored) == 3:
            raise RuntimeError("the machine stops")
        return FakeScore(0.1 + len(scored) / 7, raw=FakeScore(1 / 3), ceiling=FakeScore(0.5))

    monkeypatch.setattr(score, "open_benchmark", lambda identifier: benchmark)
    monkeypatch.setattr(score, "load_candidate", lambda path: path)
    table = table_path(tiny.study, "brain_score")
    table.unlink(missing_ok=True)
    group = {name: score.GROUPS[name] for name in ["Rajalingham2018public-i2n"]}
    with pytest.raises(RuntimeError):
        score.score_study(tiny.study, group)
    kept = table.read_text()
    assert len(kept.splitlines()) == 3
    assert score.score_study(tiny.study, group) == [] and table.read_text().startswith(kept)
    assert scored[2:] == [tiny.paths[2]] * 2
    assert score.score_study(tiny.study, group) == [] and len(scored) == 4


def test_networks_with_other_classes_are_refused_before_anything_is_fetched(tmp_path, monkeypatch, capsys):
    (tmp_path / "tiny.yml").write_text(STUDY)
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = load_study(tmp_path / "tiny.yml")
    for network in study.networks():
        save_weights(weights_path(study, network), CORnetS(width=0.125, n_classes=10), METADATA)
    monkeypatch.setattr(score, "open_benchmark", lambda identifier: pytest.fail("fetched"))
    assert score.main([str(tmp_path / "tiny.yml"), "--benchmarks", "Geirhos2021-error_consistency"]) == 1
    assert "have 10 classes" in capsys.readouterr().err
