"""Networks enter Brain-Score as they are: the same pictures, the same activations, the same errors as people's."""

import importlib
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from brainscore_oracle import kappas, names_correctly, tell_apart
from packaging.requirements import Requirement
from PIL import Image

from realnet.activations import compute_activations, load_images, normalise
from realnet.alignment import load_realnet
from realnet.backbones import EfficientNetLite0
from realnet.cornet import LAYERS, CORnetS
from realnet.errors import InvalidInput, MissingInput
from realnet.io import COLUMNS
from realnet.networks import save_weights, weights_path
from realnet.settings import Network, load_study

REPOSITORY = Path(__file__).resolve().parents[1]
STUDY = "name: tiny\ndescription: t\nfmri: {subjects: [1]}\ntraining: {betas: [40], shuffled: false}\n"


@pytest.fixture(scope="module")
def brainscore():
    """The modules of the package that need no brainscore-vision to be read."""
    return SimpleNamespace(**{n: importlib.import_module(f"brainscore.{n}") for n in ("models", "score", "edge")})


@pytest.fixture(scope="module")
def run_brainscore(tmp_path_factory):
    """Run Python in Brain-Score's environment, with an empty home for all that it keeps."""
    python = Path(os.environ.get("REALNET_BRAINSCORE_PYTHON", REPOSITORY / "brainscore" / ".venv" / "bin" / "python"))
    if not python.is_file():
        pytest.skip(
            f"no Brain-Score environment at {python}: `make brain-score` makes it (or REALNET_BRAINSCORE_PYTHON)"
        )
    home = tmp_path_factory.mktemp("brainscore_home")

    def run(*arguments, root=None):
        environment = os.environ | {"HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        environment |= {"REALNET_ROOT": str(root or REPOSITORY)}
        command = [str(python), *map(str, arguments)]
        return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    run.home = home
    return run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures of several sizes and modes, in an order that is not that of their names."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths = []
    for name, shape in {"c.png": (90, 60, 3), "a.jpg": (64, 64, 3), "b.tiff": (50, 80), "d.png": (300, 240, 4)}.items():
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
        for i, network in enumerate(study.networks()):
            torch.manual_seed(i)
            save_weights(weights_path(study, network), CORnetS(width=0.125), {"network": {"image_size": 64}})
        yield SimpleNamespace(root=root, file=root / "tiny.yml", study=study)


def test_the_requirements_are_exact_and_those_of_the_study_where_they_can_be():
    lines = (REPOSITORY / "brainscore" / "requirements.txt").read_text().splitlines()
    pins = {r.name.lower(): r for r in (Requirement(line) for line in lines if line and not line.startswith("#"))}
    assert [name for name, pin in pins.items() if [s.operator for s in pin.specifier] != ["=="]] == []
    assert (
        "numpy" in pins and pins["numpy"].specifier.contains("1.26.4") and not pins["numpy"].specifier.contains("2.0")
    )
    assert pins["brainscore-vision"].specifier.contains("2.4.2")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    ours = {r.name.lower(): r.specifier for r in map(Requirement, project)}
    differ = {name for name in pins.keys() & ours.keys() if pins[name].specifier != ours[name]}
    assert differ == {"numpy", "pandas", "xarray", "scikit-learn"}  # what brainscore-vision holds back


def test_the_commitments_name_layers_that_a_network_has(brainscore):
    models, network = brainscore.models, CORnetS(width=0.125)
    assert models.REGION_LAYERS == {"V1": "V1", "V2": "V2", "V4": "V4", "IT": "IT"} and models.VISUAL_DEGREES == 8
    pooled = []
    network.get_submodule(models.BEHAVIOR_LAYER).register_forward_hook(lambda _m, _i, out: pooled.append(out))
    logits = network(torch.zeros(2, 3, 64, 64))
    # nothing but the classes comes after the layer that behaviour is read from
    torch.testing.assert_close(network.decoder.linear(pooled[0].flatten(1)), logits)


def test_a_network_is_named_by_its_file_and_its_weights(brainscore, tmp_path):
    path = tmp_path / "cornet.safetensors"
    path.write_bytes(b"abc")
    assert brainscore.models.identify(path) == "cornet-ba7816bf"  # FIPS 180 test vector of SHA-256
    path.write_bytes(b"abd")
    assert brainscore.models.identify(path) != "cornet-ba7816bf"
    with pytest.raises(MissingInput, match="no network at"):
        brainscore.models.identify(tmp_path / "absent.safetensors")


def test_the_image_size_is_read_beside_the_weights(brainscore, tmp_path):
    find = brainscore.models.find_image_size
    assert find(tmp_path / "cornet_s-1d3f7974.pth") == 224
    with pytest.raises(MissingInput, match=r"a\.json is missing"):
        find(tmp_path / "a.safetensors")
    for text, message in [("{", "does not say"), ("{}", "does not say"), ('{"network": {"image_size": "x"}}', "'x'")]:
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InvalidInput, match=message):
            find(tmp_path / "a.safetensors")
    (tmp_path / "a.json").write_text(json.dumps({"network": {"image_size": 64}}))
    assert find(tmp_path / "a.safetensors") == 64


class FakeScore(float):
    """A number with attributes, as Brain-Score returns it."""

    def __new__(cls, value, **attrs):
        score = super().__new__(cls, value)
        score.attrs = attrs
        return score


def rows_of(brainscore, network, identifier, names, values):
    for name, value in zip(names, values, strict=True):
        score = FakeScore(value, raw=FakeScore(value / 2, error=FakeScore(0.1)), ceiling=FakeScore(0.5))
        yield brainscore.score.make_row(network, identifier, name, score)


def test_the_table_is_tidy_and_a_mean_needs_every_set(brainscore, tiny):
    group = "Geirhos2021-error_consistency"
    names = brainscore.score.GROUPS[group]
    values = np.random.default_rng(0).random(17)
    control = Network("control", 1, 0, 0)
    rows = list(rows_of(brainscore, control, "sub-01-aaaaaaaa", names, values))
    assert group not in {row["metric"] for row in brainscore.score.with_means(rows[:-1])}
    with_mean = brainscore.score.with_means(brainscore.score.with_means(rows))
    assert len(with_mean) == 18 and with_mean[-1]["metric"] == group
    assert with_mean[-1]["value"] == pytest.approx(values.mean()) and with_mean[-1]["raw"] == pytest.approx(
        values.mean() / 2
    )
    brainscore.score.write_table(tiny.study, rows)
    path = tiny.study.results / "tables" / "brain_score.csv"
    table = pd.read_csv(path)
    assert list(table.columns) == [*COLUMNS, "raw", "raw_error", "ceiling", "weights"]
    assert set(table["study"]) == {"tiny"} and set(table["trained_on"]) == {"sub-01"} and set(table["beta"]) == {0}
    # a later run takes up what belongs to the weights as they are now, and only that
    assert len(brainscore.score.read_rows(tiny.study, {"sub-01-aaaaaaaa": control})) == 18
    assert brainscore.score.read_rows(tiny.study, {"sub-01-bbbbbbbb": control}) == []
    path.unlink()


def test_missing_networks_are_named_with_the_command_that_makes_them(brainscore, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    with pytest.raises(MissingInput, match=r"cornet\.safetensors is missing \(3 of 3 .*make study STUDY=tiny"):
        brainscore.score.find_weights(tiny.study)


def test_decisions_and_drawings_are_those_published(brainscore, real_data):
    decisions = brainscore.edge.read_decisions(real_data / "geirhos_edge")
    drawings = brainscore.edge.find_drawings(real_data / "geirhos_edge", decisions["stimulus_id"])
    assert len(decisions) == 1600 and len(drawings) == 160 and decisions["subject"].nunique() == 10
    # the folder of a drawing is its class
    assert all(drawings[row.stimulus_id].parent.name == row.truth for row in decisions.itertuples())
    with pytest.raises(InvalidInput, match=r"1 drawings are missing, the first is nothing\.png"):
        brainscore.edge.find_drawings(real_data / "geirhos_edge", ["oven10", "nothing"])


@pytest.fixture(scope="module")
def probe(run_brainscore, tiny, pictures, real_data_folder, tmp_path_factory):
    """What Brain-Score says of a checkpoint in the published layout, in one process: its start takes seconds."""
    folder = tmp_path_factory.mktemp("probe")
    path, out = folder / "cornet_s-published.pth", folder / "out.npz"
    state = load_realnet(weights_path(tiny.study, tiny.study.networks()[0])).state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    done = run_brainscore(
        "-W", "ignore", REPOSITORY / "tests" / "brainscore_probe.py", out, real_data_folder, path, *pictures
    )
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(path=path, activations=np.load(out), **json.loads(done.stdout.splitlines()[-1]))


def assert_same_activations(theirs, path, pictures, image_size):
    network, images = load_realnet(path), load_images(pictures, image_size)
    ours = compute_activations(network, images)
    with torch.no_grad():
        ours["decoder"] = network(normalise(images)).numpy()
    ours["decoder.avgpool"] = ours["IT"].reshape(len(pictures), -1, (image_size // 32) ** 2).mean(axis=2)
    assert set(theirs.files) == {*LAYERS, "decoder.avgpool", "decoder"}
    for layer, values in ours.items():
        assert np.ptp(values, axis=0).max() > 0.01  # pictures differ
        atol = 1e-5 * np.abs(values).max()  # logits are differences of large numbers
        np.testing.assert_allclose(theirs[layer], values, rtol=1e-5, atol=atol, err_msg=layer)


def test_brainscore_sees_the_activations_that_we_see(run_brainscore, tiny, pictures, tmp_path):
    path = weights_path(tiny.study, tiny.study.networks()[-1])
    done = run_brainscore("-m", "brainscore.extract", path, tmp_path / "out.npz", *pictures, "--batch-size", 3)
    assert done.returncode == 0, done.stderr
    assert_same_activations(np.load(tmp_path / "out.npz"), path, pictures, image_size=64)


def test_a_published_checkpoint_sees_the_same_at_its_own_size(probe, pictures):
    assert_same_activations(probe.activations, probe.path, pictures, image_size=224)


def test_the_registered_candidate_carries_the_commitments(probe):
    assert probe.registered and re.fullmatch("cornet_s-published-[0-9a-f]{8}", probe.identifier)
    assert probe.regions == {layer: layer for layer in LAYERS} and probe.layers == list(LAYERS)
    assert probe.degrees == 8 and probe.image_size == 224 and probe.unknown == []


def test_only_a_failed_download_is_called_one(probe):
    assert probe.failures == ['Could not connect to the endpoint URL: "u"', "disk full", None]


def test_a_real_network_errs_like_people_as_much_as_brainscore_says(probe, real_data):
    """Brain-Score's benchmark on the published edge files, against the definition written out; drawings as they are."""
    correct = names_correctly(EfficientNetLite0(), real_data / "geirhos_edge" / "stimuli", 224, real_data)
    assert len(correct) == 160 and 0.1 < correct.mean() < 0.9
    raw, ceiling = kappas(real_data, correct)
    assert probe.row["raw"] == pytest.approx(raw, abs=1e-9) and raw > 0.02
    assert probe.row["ceiling"] == pytest.approx(ceiling, abs=1e-9) and ceiling == pytest.approx(0.31844, abs=5e-6)
    assert probe.row["value"] == pytest.approx(raw / ceiling) and probe.row["stimulus_set"] == "edge"


def test_the_command_keeps_what_it_could_score_and_says_what_it_could_not(run_brainscore, real_data, tiny, brainscore):
    for network in tiny.study.networks():
        path = weights_path(tiny.study, network)
        tell_apart(drawn := load_realnet(path), real_data / "geirhos_edge" / "stimuli", 64)
        save_weights(path, drawn, {"network": {"image_size": 64}})
    done = run_brainscore("-m", "brainscore.score", tiny.file, "--edge", real_data / "geirhos_edge", root=tiny.root)
    table = pd.read_csv(brainscore.score.table_path(tiny.study))
    edge = table[table["metric"] == brainscore.edge.BENCHMARK].set_index("weights")
    # Brain-Score showed the drawings at 3 of the network's 8 degrees, and left what it showed in its home
    [screen] = (run_brainscore.home / ".brain-score" / "stimuli_on_screen").iterdir()
    assert len(edge) == len(tiny.study.networks()) == 3
    for network in tiny.study.networks():
        weights = weights_path(tiny.study, network)
        raw, _ = kappas(real_data, names_correctly(load_realnet(weights), screen, 64, real_data))
        assert edge.loc[brainscore.models.identify(weights), "raw"] == pytest.approx(abs(raw), abs=1e-9)
    assert edge["raw"].nunique() == 3
    if len(table) == 3:  # Brain-Score's storage is out of reach: a sentence for each group, no traceback
        assert done.returncode == 1 and "Traceback" not in done.stderr
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert len(said) == 2 and all("could not be fetched" in line for line in said)


def test_what_is_finished_is_not_scored_again(brainscore, tiny, monkeypatch):
    score, scored = brainscore.score, []

    def benchmark(path):
        scored.append(path)
        if len(scored) == 3:
            raise RuntimeError("the machine stops")
        return FakeScore(0.1 + len(scored) / 7, raw=FakeScore(1 / 3), ceiling=FakeScore(0.5))

    monkeypatch.setattr(score, "open_benchmark", lambda identifier: benchmark)
    monkeypatch.setattr(score, "load_candidate", lambda path: path)
    score.table_path(tiny.study).unlink(missing_ok=True)
    group = {name: score.GROUPS[name] for name in ["Rajalingham2018public-i2n"]}
    with pytest.raises(RuntimeError):
        score.score_study(tiny.study, group)
    kept = score.table_path(tiny.study).read_text()
    assert len(kept.splitlines()) == 3
    assert score.score_study(tiny.study, group) == []
    assert score.table_path(tiny.study).read_text().startswith(kept)
    assert scored[2:] == [weights_path(tiny.study, tiny.study.networks()[2])] * 2
    assert score.score_study(tiny.study, group) == [] and len(scored) == 4
    score.table_path(tiny.study).unlink()


@pytest.mark.parametrize("arguments", [["absent"], ["tiny", "--edge", "nowhere"]])
def test_what_is_missing_is_one_sentence_and_a_failure(brainscore, tiny, capsys, arguments):
    assert brainscore.score.main([str(tiny.file) if a == "tiny" else a for a in arguments]) == 1
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith("error: ") and ("no study file" if "absent" in arguments else "nowhere") in sentence


def test_a_benchmark_without_data_does_not_stop_the_others(brainscore, tiny, capsys, monkeypatch):
    def refuse(identifier):
        raise MissingInput(f"no data of {identifier}")

    monkeypatch.setattr(brainscore.score, "open_benchmark", refuse)
    brainscore.score.table_path(tiny.study).unlink(missing_ok=True)
    assert brainscore.score.main([str(tiny.file)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[-1] for line in said] == ["Rajalingham2018public-i2n", "Geirhos2021colour-error_consistency"]


def test_networks_with_other_classes_are_refused_before_anything_is_fetched(brainscore, tmp_path, monkeypatch, capsys):
    (tmp_path / "tiny.yml").write_text(STUDY)
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    study = load_study(tmp_path / "tiny.yml")
    for network in study.networks():
        save_weights(weights_path(study, network), CORnetS(width=0.125, n_classes=10), {"network": {"image_size": 64}})
    opened = []
    monkeypatch.setattr(brainscore.score, "open_benchmark", opened.append)
    assert brainscore.score.main([str(tmp_path / "tiny.yml"), "--benchmarks", "Geirhos2021-error_consistency"]) == 1
    assert "know 10 classes" in capsys.readouterr().err and opened == []
