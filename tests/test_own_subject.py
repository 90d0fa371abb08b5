"""The worked example of book/own_subject.md, run as it is printed, through the notebooks."""

import re
import subprocess
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy.spatial.distance import pdist

from realnet.cornet import CORnetS
from realnet.datasets import own
from realnet.io import load_prepared, load_table
from realnet.settings import REPOSITORY, load_study
from workflow.notebook import execute

pytestmark = pytest.mark.study

PAGE = (REPOSITORY / "book" / "own_subject.md").read_text(encoding="utf-8")
NOTEBOOKS = {
    "01_data": [{}],
    "02_training": [{"network": stem} for stem in ("cornet", "control_seed-0", "sub-01_beta-40_seed-0")],
    "03_fmri_within_subject": [{}],
    "03b_baselines": [{}],
    "index": [{}],
}


def printed(language):
    """The one block of the page in this language."""
    [block] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return block


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """The example in a folder of its own, with a small network that was never trained, through all its notebooks."""
    root = tmp_path_factory.mktemp("own")
    path = root / "example.yml"
    path.write_text(printed("yaml"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALNET_ROOT", str(root))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.chdir(root)
        exec(compile(printed("python"), "own_subject.md", "exec"), {})
        torch.manual_seed(0)
        (root / "data/raw/cornet_s").mkdir()
        torch.save(CORnetS(width=0.125, n_classes=10).state_dict(), root / "data/raw/cornet_s/small.pth")
        executed = root / "results/example/notebooks"
        for name, runs in NOTEBOOKS.items():
            for i, parameters in enumerate(runs):
                given = [f"study={path}", *[f"{key}={value}" for key, value in parameters.items()]]
                notebook = REPOSITORY / "notebooks" / f"{name}.ipynb"
                execute(notebook, executed / f"{name}-{i}.ipynb", root / "log.ipynb", given)
        yield path


@pytest.fixture(scope="module")
def study(settings):
    return load_study(settings)


def test_every_notebook_shows_figures_and_no_error(study):
    for path in (study.results / "notebooks").glob("*.ipynb"):
        outputs = [o for c in nbformat.read(path, 4).cells if c.cell_type == "code" for o in c.outputs]
        assert any("image/png" in output.get("data", {}) for output in outputs), path.name
        assert not any(output.output_type == "error" for output in outputs)
    assert {path.stem for path in (study.results / "figures").glob("*.png")} >= {"fig_1B", "similarity_sketches"}


def test_tables_name_the_experiment_and_its_test_sets(study):
    within = load_table(study, "fmri_within_subject")
    assert set(within.dataset) == {"own"} and set(within.stimulus_set) == {"natural", "sketches"}
    keys = ["stimulus_set", "roi"]
    own = load_table(study, "reliability").query("metric == 'rdm_reliability'").set_index(keys).value
    rho = within[within.metric == "rho"].set_index(keys)
    np.testing.assert_allclose(rho.ceiling_lower, np.sqrt(own.clip(lower=0).reindex(rho.index)), atol=1e-6)
    assert set(load_table(study, "training/sub-01_beta-40_seed-0").dataset) == {"own"}
    assert set(load_table(study, "reliability").dataset) == {"own"}
    assert "own subject, sketches" in set(load_table(study, "summary").question)


def test_rdms_and_reliability_are_those_of_the_files(study):
    folder = study.raw_folder("own")
    samples = pd.read_csv(folder / "sub-01_samples.csv").stimulus_id
    values = pd.DataFrame(np.load(folder / "sub-01_responses.npy"), index=samples)
    v2 = pd.read_csv(folder / "sub-01_rois.csv")["V2"].to_numpy(bool)
    means = values.groupby(level=0).mean()
    natural = means[means.index.str.startswith("natural")]
    found = load_prepared(study, "own_rdms", "natural").sel(subject="sub-01", roi="V2")
    np.testing.assert_allclose(found.values, pdist(natural.to_numpy()[:, v2], "correlation"), rtol=1e-9)
    voxels = load_table(study, "reliability").query("metric == 'reliability' and stimulus_set == 'natural'").value
    assert (voxels > 0.6).all()  # signal of variance 1.3, noise of 1 / 4 in the mean over four repeats


def test_targets_are_components_of_the_training_images_alone(study):
    training = own.load(study.raw_folder("own"), 1, "training").responses.values
    z = (training - training.mean(axis=0)) / training.std(axis=0)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    scores = u[:, :16] * s[:16]
    found = load_prepared(study, "targets_sub-01", "components").values
    ratio = np.abs(found) / np.abs(scores / scores.std())
    np.testing.assert_allclose(ratio, 1, rtol=1e-6)
    assert not (study.prepared / "horikawa2017_rdms.nc").exists()


def test_the_workflow_leaves_out_the_chapters_that_have_no_data(settings, study, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(settings.parent))
    command = [sys.executable, "-m", "workflow.run", str(settings), "--plan"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0 and "missing:" not in done.stdout, done.stdout + done.stderr
    rules = set(re.findall(r"^(\w+) +\d+$", done.stdout, re.MULTILINE))
    assert {"fmri_within_subject", "objects92"} <= rules
    assert not {"simulated_data", "eeg_data", "fmri_across_subjects", "eeg", "object_dimensions"} & rules


def test_the_template_asks_for_what_the_page_shows():
    template, example = yaml.safe_load((REPOSITORY / "studies/own.yml").read_text()), yaml.safe_load(printed("yaml"))
    assert set(example["fmri"]) == set(template["fmri"]) and template["fmri"]["dataset"] == "own"
