"""The rules of a study: what runs, what runs again after an edit, and what a failure leaves behind.

A copy of the repository holds small notebooks under the real names that write the files the real ones do, so the real
Snakefile runs from end to end within seconds.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml

pytestmark = pytest.mark.study
REPOSITORY = Path(__file__).resolve().parents[1]
STUDY = {
    "name": "small",
    "description": "One subject.",
    "raw": "data/raw/simulated",
    "simulated": {"seed": 0},
    "fmri": {"subjects": [2]},
    "training": {"betas": [40], "shuffled": False},
}
STEMS = ("cornet", "control_seed-0", "sub-02_beta-40_seed-0")
TABLES, PREPARED = "results/small/tables", "data/prepared/small"
IMAGES = [f"data/raw/simulated/shen2019/images/{i}.jpg" for i in range(3)]
WRITES = {
    "00_simulated_data": ["data/raw/simulated/simulation.json", *IMAGES],
    "01_data": [
        f"{PREPARED}/targets_sub-02.nc",
        *[f"{PREPARED}/{name}_rdms.nc" for name in ("shen2019", "horikawa2017")],
        f"{PREPARED}/stimuli.csv",
        f"{TABLES}/reliability.csv",
    ],
    "01b_eeg_data": [f"{PREPARED}/{name}_rdms.nc" for name in ("things_eeg2", "things_dimensions")],
    "02_training": [
        "results/small/networks/{stem}.safetensors",
        "results/small/rdms/{stem}.nc",
        f"{TABLES}/training/{{stem}}.csv",
    ],
    "03_fmri_within_subject": [f"{TABLES}/fmri_within_subject.csv"],
    "03b_baselines": [f"{TABLES}/baselines.csv"],
    "04_fmri_across_subjects": [f"{TABLES}/fmri_across_subjects.csv"],
    "05_eeg": [f"{TABLES}/eeg.csv"],
    "06_object_dimensions": [f"{TABLES}/object_dimensions.csv"],
    "07_behavior": [f"{TABLES}/behavior.csv"],
    "08_beta_sweep": [f"{TABLES}/beta_sweep.csv"],
    "10_objects92": [f"{TABLES}/objects92.csv"],
    "10b_real_brains": [f"{TABLES}/real_brains.csv"],
    "13_paper_beside_ours": [f"{TABLES}/paper.csv"],
    "index": [f"{TABLES}/summary.csv"],
}
APPENDIX = ["09_paper_and_release", "11_calibration", "12_speed", "14_robustness", "15_scale"]
AFTER_NETWORKS = {
    "fmri_within_subject", "baselines", "fmri_across_subjects", "eeg", "object_dimensions", "behavior", "beta_sweep",
    "paper_beside_ours", "index",
}  # fmt: skip


def write_notebook(folder, name, extra=""):
    """A notebook of the study's name and parameters that writes what the study's notebook writes."""
    parameters = "" if "appendix" in name else 'study = "demo"'
    if name == "02_training":
        parameters += '\nnetwork = "cornet"'
    code = [
        "from pathlib import Path",
        extra,
        f"for file in {WRITES.get(name, [])}:",
        "    path = Path(file.format(stem=globals().get('network')))",
        "    path.parent.mkdir(parents=True, exist_ok=True)",
        f"    text = 'path\\n' + '\\n'.join({IMAGES}) if path.name == 'stimuli.csv' else str(path)",
        "    if path.suffix != '.jpg' or not path.exists(): path.write_text(text)",
    ]
    cells = [nbformat.v4.new_code_cell(parameters), nbformat.v4.new_code_cell("\n".join(code))]
    cells[0].metadata["tags"] = ["parameters"]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # random otherwise, so that the same notebook would be another file
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "notebooks" / f"{name}.ipynb")


def make_repository(folder):
    """A copy of the repository with small notebooks, in which the study ``small`` has run."""
    for name in ("realnet", "workflow", "simulation", "experiments", "studies"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "studies" / "small.yml").write_text(yaml.safe_dump(STUDY))
    (folder / "notebooks" / "appendix").mkdir(parents=True)
    for name in [*WRITES, *[f"appendix/{name}" for name in APPENDIX]]:
        write_notebook(folder, name)
    done = run_study(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return make_repository(tmp_path_factory.mktemp("repository"))


def environment(folder):
    """The copy's own ``realnet``, and no real data."""
    cleared = {k: v for k, v in os.environ.items() if k not in ("REALNET_ROOT", "REALNET_DATA")}
    return {**cleared, "PYTHONPATH": str(folder), "REALNET_DATA": str(folder / "nowhere")}


def run_study(folder, *arguments, name="small", **variables):
    command = [sys.executable, "-m", "workflow.run", name, "--cores", "2", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(folder) | variables, capture_output=True, text=True)


def planned(folder):
    """rule -> number of jobs that ``make plan`` names."""
    done = run_study(folder, "--plan")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    counts = re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)
    return {rule: int(n) for rule, n in counts if rule not in ("total", "all")}


def edit(path, old, new):
    """Edit a file; its time must move on, as that of a file edited by hand does."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    os.utime(path, (time.time() + 2, time.time() + 2))


@pytest.fixture
def restore(repository):
    """Files named to it are as before after the test, with nothing left to do."""
    kept = {}

    def keep(name):
        path = repository / name
        kept[path] = (path.read_bytes(), path.stat().st_mtime_ns) if path.exists() else None
        return path

    yield keep
    for path, before in kept.items():
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before[0])
            os.utime(path, ns=(before[1], before[1]))
    assert planned(repository) == {}


def test_every_declared_result_and_every_executed_notebook_is_there(repository):
    files = [f.format(stem=stem) for files in WRITES.values() for f in files for stem in STEMS]
    notebooks = [name for name in WRITES if name != "02_training"] + [f"02_training/{stem}" for stem in STEMS]
    files += [f"results/small/notebooks/{name}.ipynb" for name in notebooks]
    files += [f"results/appendix/notebooks/{name}.ipynb" for name in APPENDIX]
    assert [f for f in files if not (repository / f).is_file()] == []


def test_the_training_notebook_got_the_name_of_its_network(repository):
    executed = repository / "results/small/notebooks/02_training"
    given = {p.stem: nbformat.read(p, 4).metadata["papermill"]["parameters"] for p in executed.glob("*.ipynb")}
    assert given == {stem: {"study": "small", "network": stem} for stem in STEMS}


def test_nothing_to_do_after_a_finished_run(repository):
    assert planned(repository) == {}


def test_an_edited_notebook_reruns_what_reads_its_results_and_nothing_else(repository, restore):
    edit(restore("notebooks/03_fmri_within_subject.ipynb"), "from pathlib", "# edited\\nfrom pathlib")
    read = {"fmri_across_subjects", "baselines", "paper_beside_ours", "index"}
    assert set(planned(repository)) == {"fmri_within_subject", *read}


@pytest.mark.parametrize("module", sorted(p.name for p in (REPOSITORY / "realnet" / "figures").glob("*.py")))
def test_a_comment_in_a_figure_module_plans_no_network(repository, restore, module):
    path = restore(f"realnet/figures/{module}")
    path.write_text(path.read_text() + "# a comment\n")
    assert "network" not in planned(repository)


def test_another_description_plans_only_the_page_that_shows_it(repository, restore):
    edit(restore("studies/small.yml"), "One subject.", "Just one subject.")
    assert planned(repository) == {"index": 1}


def test_one_more_beta_plans_its_networks_and_the_chapters_that_read_them(repository, restore):
    edit(restore("studies/small.yml"), "- 40", "- 40\n  - 50")
    assert planned(repository) == {"network": 1, "behavior": 1, "beta_sweep": 1, "paper_beside_ours": 1}


@pytest.mark.parametrize("name", ["screenshot.png", "README.txt", "sub-02_perceptionNaturalImageTest_VC_v2.h5"])
def test_a_stray_image_text_file_or_unused_generation_plans_nothing(repository, restore, name):
    restore(f"data/raw/simulated/shen2019/{name}").write_text("not read by anything")
    assert planned(repository) == {}


def test_a_touched_stimulus_with_the_same_content_plans_nothing(repository, restore):
    os.utime(restore(IMAGES[1]), (time.time() + 2, time.time() + 2))
    assert planned(repository) == {}


def test_a_replaced_stimulus_plans_every_network_and_what_follows(repository, restore):
    image = restore(IMAGES[1])
    image.write_text("another image")
    os.utime(image, (time.time() + 2, time.time() + 2))
    assert planned(repository) == {"image_digests": 1, "network": len(STEMS)} | dict.fromkeys(AFTER_NETWORKS, 1)


def test_a_changed_training_setting_plans_the_networks_but_not_the_data(repository, restore):
    edit(restore("studies/small.yml"), "shuffled: false", "shuffled: false\n  epochs: 3")
    assert planned(repository) == {"network": len(STEMS)} | dict.fromkeys(AFTER_NETWORKS, 1)


def test_two_trainings_run_at_once_each_on_a_gpu_of_its_own(repository, restore, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\nfor i in 0 1; do echo "GPU $i: any (UUID: GPU-$i)"; done\n')
    program.chmod(0o755)
    restore("notebooks/02_training.ipynb")
    meet = f"""import os, time
seen, end = Path({str(tmp_path)!r}), time.monotonic() + 120
(seen / f"{{network}}.gpu").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
while len(list(seen.glob("*.gpu"))) < 2:  # until a second training is there
    assert time.monotonic() < end
    time.sleep(0.1)"""
    write_notebook(repository, "02_training", meet)
    done = run_study(repository, PATH=f"{tmp_path}:{os.environ['PATH']}", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    seen = [path.read_text() for path in tmp_path.glob("*.gpu")]
    assert len(seen) == len(STEMS) and set(seen) == {"GPU-0", "GPU-1"}


def test_a_failed_rerun_keeps_the_old_result_and_leaves_its_traceback(repository, restore):
    table = repository / TABLES / "object_dimensions.csv"
    executed = repository / "results/small/notebooks/06_object_dimensions.ipynb"
    before = table.read_bytes(), executed.read_bytes()
    restore("notebooks/06_object_dimensions.ipynb")
    write_notebook(repository, "06_object_dimensions", "raise RuntimeError('the scanner is on fire')")
    done = run_study(repository)
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    sentence = next(line for line in done.stderr.splitlines() if line.startswith("error: notebooks/"))
    log = repository / "results/small/logs/06_object_dimensions.ipynb"
    assert "RuntimeError: the scanner is on fire" in sentence and str(log.relative_to(repository)) in sentence
    assert "RuntimeError" in str(nbformat.read(log, 4).cells[-1].outputs)
    assert (table.read_bytes(), executed.read_bytes()) == before


def test_a_rerun_that_is_killed_keeps_the_old_result_and_is_continued(repository, restore):
    restore("notebooks/index.ipynb")
    old = (repository / TABLES / "summary.csv").read_bytes()
    write_notebook(repository, "index", "import time; Path('started').touch(); time.sleep(120)")
    command = [sys.executable, "-m", "workflow.run", "small"]
    run = subprocess.Popen(command, cwd=repository, env=environment(repository), start_new_session=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not (repository / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        refused = run_study(repository)
        assert refused.returncode == 1 and "another run is active" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        (repository / "started").unlink(missing_ok=True)
    assert (repository / TABLES / "summary.csv").read_bytes() == old
    write_notebook(repository, "index")
    done = run_study(repository)  # stops the orphaned notebook, unlocks, makes the incomplete chapter again
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trainings": {}}, ["unknown key 'trainings'", "did you mean 'training'"]),
        ({"simulated": None, "raw": "data/raw"}, ["missing", "shen2019", "horikawa2017", "cornet_s"]),
    ],
)
def test_wrong_settings_and_missing_files_get_one_sentence_before_anything_runs(repository, tmp_path, changes, words):
    own = tmp_path / "mine.yml"
    own.write_text(yaml.safe_dump(STUDY | {"name": "mine"} | changes))
    done = run_study(repository, name=str(own))
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in words)
    assert not (repository / "results" / "mine").exists()


def test_a_home_that_cannot_be_written_is_no_obstacle(repository, restore):
    write_notebook(repository, "index", "extra = 1")
    done = run_study(repository, HOME="/nonexistent")
    assert done.returncode == 0, done.stdout + done.stderr
    restore("notebooks/index.ipynb")
