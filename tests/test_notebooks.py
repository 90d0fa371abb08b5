"""A small study runs from nothing to the landing page through every notebook, and its numbers are right."""

import json
import subprocess
import sys

import bdpy
import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from realnet.activations import normalise
from realnet.alignment import load_realnet
from realnet.datasets import things_eeg2
from realnet.decoding import decoding_rdm
from realnet.errors import InvalidInput
from realnet.io import COLUMNS, load_array, load_prepared, load_table
from realnet.rdm import pairs_among
from realnet.settings import REPOSITORY, load_study
from workflow.notebook import execute

pytestmark = pytest.mark.study

# every part is there, each as small as it can be: two people where the paper has three, one epoch, few voxels
SMALL = """
name: small
description: a small simulated study for the tests
raw: data/raw/simulated
simulated: {n_classes: 10, n_pretraining_images: 200, pretraining_epochs: 1, n_voxels: 20, n_eeg_subjects: 2}
network: {image_size: 64, average_pool: true}
fmri: {subjects: [1, 2], other_subjects: [1, 2], n_components: 32}
training: {betas: [40], epochs: 1, learning_rate: 5.0e-4, shuffled_within: true}
eeg: {subjects: [1, 2], window: [0.1, 0.13], n_repeats: 1, channels: [O2, Oz, O1, Pz]}
inference: {n_bootstraps: 50, n_permutations: 100}
"""

CHAPTERS = ["00_simulated_data", "01_data", "01b_eeg_data", "02_training/sub-01_beta-40_seed-0",
            "03_fmri_within_subject", "03b_baselines", "04_fmri_across_subjects", "05_eeg", "06_object_dimensions",
            "07_behavior", "08_beta_sweep", "10_objects92", "10b_real_brains", "13_paper_beside_ours",
            "index"]  # fmt: skip
APPENDIX = ["09_paper_and_release", "11_calibration", "12_speed", "14_robustness", "15_scale"]


def _workflow(settings, *arguments):
    command = [sys.executable, "-m", "workflow.run", str(settings), "--cores", "2", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


@pytest.fixture(scope="module")
def settings(tmp_path_factory, real_data_folder):
    root = tmp_path_factory.mktemp("study")
    path = root / "small.yml"
    path.write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALNET_ROOT", str(root))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("REALNET_DATA", str(real_data_folder))
        done = _workflow(path)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield path


@pytest.fixture(scope="module")
def study(settings):
    return load_study(settings)


@pytest.mark.parametrize("chapter", CHAPTERS + APPENDIX)
def test_every_notebook_runs_and_shows_something(study, chapter):
    results = study.results.parent / "appendix" if chapter in APPENDIX else study.results
    notebook = nbformat.read(results / "notebooks" / f"{chapter}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    shown = [output for cell in code for output in cell.outputs]
    assert not any(output.output_type == "error" for output in shown)
    pictures = any("image/png" in output.get("data", {}) for output in shown)
    if chapter != "13_paper_beside_ours":  # a table
        assert pictures
    if chapter != "index":  # the last cell answers in short
        assert code[-1].metadata.tags == ["in-short"] and "Keep in mind" in code[-1].outputs[-1].data["text/markdown"]
    # a warning in the book would be a reader's question
    noise = [o.text for o in shown if o.get("name") == "stderr" and "Warning" in o.text]
    assert not noise


def test_every_network_leaves_weights_settings_history_and_rdms(study):
    for network in study.networks():
        with safe_open(study.results / "networks" / f"{network.stem}.safetensors", "pt") as file:
            about = file.metadata()
        assert json.loads(about["settings"])["training"]["epochs"] == 1 and about["commit"]
        history = load_table(study, f"training/{network.stem}")
        assert (len(history) == 0) == (network.model == "cornet")
        assert (study.results / "rdms" / f"{network.stem}.nc").is_file()
        assert not (study.results / "networks" / f"{network.stem}.checkpoint").exists()


def test_the_average_pool_is_a_fifth_layer_of_the_fmri_alone(study):
    layers = ["V1", "V2", "V4", "IT"]
    for network in study.networks():
        path = study.results / "rdms" / f"{network.stem}.nc"
        assert list(load_array(path, "natural", "02_training").layer.values) == [*layers, "average pool"]
        assert list(load_array(path, "things", "02_training").layer.values) == layers
    table = load_table(study, "fmri_within_subject").query("metric == 'rho' and stimulus_set == 'natural'")
    table = table.pivot(index=["model", "trained_on", "subject", "roi"], columns="layer", values="value")
    assert (table["best"] == table[[*layers, "average pool"]].max(axis=1)).all()
    assert set(load_table(study, "eeg").layer) == set(layers)


def test_the_eeg_is_decoded_from_the_channels_of_the_study(study):
    epochs = things_eeg2.load(study.raw_folder("things_eeg2"), 2, window=(0.1, 0.13))
    four = epochs.sel(channel=["O2", "Oz", "O1", "Pz"]).values[:6]
    found = load_prepared(study, "things_eeg2_rdms", "things").sel(subject="sub-02").values
    pairs = pairs_among(200, range(6))
    # the first 16 pairs of an RDM share their random numbers with those of any other of the same seed
    np.testing.assert_array_equal(decoding_rdm(four, n_repeats=1, seed=2)[:, :5], found[:, pairs][:, :5])
    assert not np.array_equal(decoding_rdm(epochs.values[:6], n_repeats=1, seed=2)[:, :5], found[:, pairs][:, :5])


def test_tables_are_tidy(study):
    for name in ("fmri_within_subject", "fmri_across_subjects", "eeg", "object_dimensions"):
        table = load_table(study, name)
        assert list(table.columns[: len(COLUMNS)]) == COLUMNS
        assert set(table.study) == {"small"} and table.metric.notna().all()
        keys = [c for c in ("dataset", "subject", "model", "trained_on", "beta", "seed", "layer", "roi", "stimulus_set",
                            "time", "metric", "reference", "dimension") if c in table]  # fmt: skip
        differences = table[table.metric.isin(["difference", "layer_difference", "window_difference"])]
        assert differences.seed.isna().all() and "mean" in set(differences.trained_on), name
        assert (differences.p_corrected >= differences.p - 1e-12).all() and (differences.n_seeds == 1).all(), name
        assert not table.duplicated(keys).any(), name


def test_a_similarity_is_found_again_from_the_published_files_by_other_means(study):
    """Oracle: bdpy reads the file, numpy averages, PIL opens the pictures, scipy makes RDMs and their correlation."""
    raw = study.raw_folder("shen2019")
    data = bdpy.BData(str(next(raw.rglob("sub-02_perceptionNaturalImageTest_original_VC.h5"))))
    ids = data.get("stimulus_id").ravel()
    names = {float(number): f"n{int(number):08d}_{round((number % 1) * 1e6)}" for number in np.unique(ids)}
    order = sorted(names, key=names.get)
    voxels = data.select("ROI_hV4")
    patterns = np.stack([voxels[ids == number].mean(axis=0) for number in order])
    paths = {path.stem: path for path in raw.rglob("*.JPEG")}
    pictures = np.stack([np.asarray(Image.open(paths[names[number]])) for number in order])
    images = normalise(torch.tensor(pictures).permute(0, 3, 1, 2))
    network = load_realnet(study.results / "networks" / "sub-02_beta-40_seed-0.safetensors")
    with torch.no_grad():
        units = network.activations(images)["V4"].flatten(1).double().numpy()
    expected = spearmanr(pdist(units, "correlation"), pdist(patterns, "correlation")).statistic
    found = load_table(study, "fmri_within_subject").query(
        "metric == 'rho' and model == 'realnet' and trained_on == 'sub-02' and subject == 'sub-02'"
        " and layer == 'V4' and roi == 'V4' and stimulus_set == 'natural'"
    )
    assert found.value.item() == pytest.approx(expected, abs=1e-4)


def test_nothing_is_left_to_do_after_a_finished_study(settings):
    done = _workflow(settings, "--plan")
    assert done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr


def test_the_same_seed_gives_the_same_tables_again(study, settings, tmp_path):
    before = (study.results / "tables" / "eeg.csv").read_bytes()
    notebook, executed = REPOSITORY / "notebooks" / "05_eeg.ipynb", tmp_path / "05_eeg.ipynb"
    execute(notebook, executed, tmp_path / "log.ipynb", [f"study={settings}"])
    assert (study.results / "tables" / "eeg.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("notebook", "given", "sentence"),
    [
        ("02_training", "netwrok=cornet", r"no parameter 'netwrok'; did you mean 'network'"),
        ("appendix/15_scale", "subjects=one", r"parameter subjects is 'one', expected int"),
        ("appendix/15_scale", "memory_gib=much", r"parameter memory_gib is 'much', expected float"),
        ("03_fmri_within_subject", "stud=demo", r"no parameter 'stud'; did you mean 'study'"),
    ],
)
def test_an_unknown_or_mistyped_parameter_is_refused_before_a_kernel_starts(tmp_path, notebook, given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        execute(REPOSITORY / "notebooks" / f"{notebook}.ipynb", tmp_path / "x.ipynb", tmp_path / "log.ipynb", [given])
    assert not list(tmp_path.iterdir())


def test_what_an_earlier_notebook_did_not_make_is_named_with_that_notebook(study, settings, tmp_path):
    rdms = study.prepared / "things_eeg2_rdms.nc"
    aside = rdms.rename(tmp_path / "aside.nc")
    try:
        with pytest.raises(InvalidInput, match=r"things_eeg2_rdms\.nc is missing: run notebooks/01b_eeg_data\.ipynb"):
            notebook = REPOSITORY / "notebooks" / "05_eeg.ipynb"
            execute(notebook, tmp_path / "x.ipynb", tmp_path / "log.ipynb", [f"study={settings}"])
    finally:
        aside.rename(rdms)


def test_a_result_of_other_settings_gives_a_warning_that_names_the_notebook(study):
    other = study.model_copy(update={"inference": study.inference.model_copy(update={"n_bootstraps": 7})})
    with pytest.warns(UserWarning, match=r"eeg\.csv was made with inference = .*run notebooks/05_eeg\.ipynb again"):
        load_table(other, "eeg")
