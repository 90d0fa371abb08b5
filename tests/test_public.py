"""Studies of released networks run on files in the published formats, without training, natural images or Control."""

import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import yaml
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from experiments.public_files import write_files
from realnet.activations import compute_activations
from realnet.alignment import load_realnet
from realnet.datasets.readiness import missing
from realnet.io import load_prepared, load_table
from realnet.networks import load_stimuli
from realnet.settings import REPOSITORY, load_study
from workflow.build_book import pages_of, table_of_contents
from workflow.notebook import execute

pytestmark = pytest.mark.study

SMALL = {
    "network": {"image_size": 32},
    "fmri": {"subjects": [1, 2]},
    "eeg": {"subjects": [1, 2], "window": [0.1, 0.12], "n_repeats": 1},
    "inference": {"n_bootstraps": 50, "n_permutations": 50},
}
CHAPTERS = {
    "public": ["01_data", "01b_eeg_data", "02_training", "03_fmri_within_subject", "05_eeg", "06_object_dimensions",
               "03b_baselines", "13_paper_beside_ours", "index"],
    "public_eeg": ["01_data", "01b_eeg_data", "02_training", "05_eeg", "06_object_dimensions", "03b_baselines",
                   "13_paper_beside_ours", "index"],
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with the files of both studies, and without any other."""
    folder = tmp_path_factory.mktemp("public")
    write_files(folder / "data/raw", 12, 25, 24, n_dimensions=4, n_eeg=2, subjects=(1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALNET_ROOT", str(folder))
        patch.setenv("REALNET_DATA", str(folder / "nowhere"))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield folder


@pytest.fixture(scope="module", params=CHAPTERS)
def study(request, root):
    """The study as it is committed, with fewer participants, times and pixels, through all its chapters."""
    settings = yaml.safe_load((REPOSITORY / "studies" / f"{request.param}.yml").read_text())
    for section, values in SMALL.items():
        if section != "fmri" or settings["fmri"]["subjects"]:
            settings[section] = settings.get(section, {}) | values
    path = root / f"{request.param}.yml"
    path.write_text(yaml.safe_dump(settings | {"name": f"small_{request.param}"}))
    study = load_study(path)
    assert missing(study) == []
    for name in CHAPTERS[request.param]:
        for stem in [n.stem for n in study.networks()] if name == "02_training" else [""]:
            executed = study.results / "notebooks" / name / f"{stem}.ipynb" if stem else f"{name}.ipynb"
            given = [f"study={path}"] + [f"network={stem}"] * bool(stem)
            execute(REPOSITORY / "notebooks" / f"{name}.ipynb", study.results / "notebooks" / executed,
                    root / "log.ipynb", given)  # fmt: skip
    return study


def test_its_book_has_the_chapters_that_can_be_compared(study):
    pages = pages_of(table_of_contents(REPOSITORY / "book", study))
    listed = {page.split("/")[1] for page in pages if re.match(r"notebooks/\d", page)} | {"index"}
    assert {name for name in listed if name[:2] != "10"} == set(CHAPTERS[study.name.removeprefix("small_")])
    path = study.results / "notebooks" / "index.ipynb"
    shown = str([cell.outputs for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"])
    assert "This study leaves out" in shown and "none were released" in shown and "image/png" in shown
    assert ("natural images are given on request" in shown) == bool(study.fmri.subjects)


def test_the_workflow_runs_these_chapters_and_makes_no_targets(study, root):
    command = [sys.executable, "-m", "workflow.run", str(root / f"{study.name.removeprefix('small_')}.yml"), "--plan"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0 and "missing:" not in done.stdout, done.stdout + done.stderr
    [wanted] = re.findall(r"^rule all:\n +input: (.*)", done.stdout, re.MULTILINE)
    chapters = {name for name in re.findall(rf"results/{study.name}/notebooks/(\w+)", wanted) if name[:2] != "10"}
    assert chapters == set(CHAPTERS[study.name.removeprefix("small_")])
    assert not list(study.prepared.glob("targets*"))


def test_similarity_is_that_of_the_released_weights(study, root):
    fmri = ("shen2019_rdms", "shapes", "fmri_within_subject", "realnet_weights/sub-02/encoder.pt")
    eeg = ("things_eeg2_rdms", "things", "eeg", "realnet_eeg_weights/ReAlnet02_best_model_params.pt")
    prepared, name, table, file = fmri if study.fmri.subjects else eeg
    units = compute_activations(load_realnet(root / "data/raw" / file), load_stimuli(study, name)[1], ["IT"])["IT"]
    brain = load_prepared(study, prepared, name).sel(subject="sub-02")
    rows = load_table(study, table).query("metric == 'rho' and subject == trained_on == 'sub-02' and layer == 'IT'")
    rows = rows[rows.stimulus_set == name].set_index(brain.dims[0])
    expected = [spearmanr(pdist(units.astype(float), "correlation"), rdm).statistic for rdm in brain.values]
    np.testing.assert_allclose(rows.value.loc[brain[brain.dims[0]].values], expected, atol=1e-5)


def test_claims_about_what_was_not_released_get_no_verdict(study):
    paper = load_table(study, "paper").set_index("paper")
    control = paper[paper.index.str.contains("than Control|shuffled pairs|natural images", regex=True)]
    assert len(control) > 8 and set(control.verdict) == {"not in this study"}
    assert paper.verdict["EEG: closer than CORnet in all four layers"] != "not in this study"
    shapes = paper.loc["own subject, shapes: closer in V1 to V4"]
    assert shapes.found.endswith("against CORnet alone") == bool(study.fmri.subjects)
    differences = load_table(study, "eeg").query("metric == 'difference'")
    assert set(differences.reference) == {"cornet"} and set(differences.model) == {"realnet"}
