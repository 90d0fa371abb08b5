"""What goes wrong around a study (disk, permission, clock, damaged files, killed runs) gets one sentence, and heals.

Studies here are those of test_workflow: the real Snakefile with small notebooks, so that a run takes seconds.
"""

import copy
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np
import pandas as pd
import pytest
import test_workflow as small
import torch
import xarray as xr
from safetensors.torch import save_file

import realnet.training as training
from realnet import recovery
from realnet.cornet import CORnetS
from realnet.datasets.files import CannotWrite, remove_unfinished, whole_file
from realnet.errors import InvalidInput
from realnet.io import save_arrays
from realnet.settings import TrainingSettings, load_study

NOBODY = 65534


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own (a tmpfs of 6 MB), which ``mount -o remount`` may change."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, mode):
    subprocess.run(["mount", "-o", f"remount,{mode}", folder], check=True)


def fill(folder):
    """Take all room of a disk; returns the file to remove."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return ballast


def big():
    return np.random.default_rng(0).normal(size=(1000, 1000))  # 8 MB


WRITERS = {
    "bytes": lambda path: path.write_bytes(big().tobytes()),
    "torch": lambda path: torch.save({"a": torch.from_numpy(big())}, path),
    "safetensors": lambda path: save_file({"a": torch.from_numpy(big())}, path),
    "csv": lambda path: pd.DataFrame(big()).to_csv(path),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_gets_one_sentence_and_keeps_the_file_that_was_there(disk, writer):
    path = disk / "results" / "weights"
    path.parent.mkdir()
    path.write_text("the last whole one")
    sentence = r"weights was not written: the disk of .* is full; make room, then"
    with pytest.raises(CannotWrite, match=sentence) as error, whole_file(path) as temporary:
        WRITERS[writer](temporary)
    assert len(str(error.value).splitlines()) == 1
    assert path.read_text() == "the last whole one" and [p.name for p in path.parent.iterdir()] == ["weights"]


def test_arrays_on_a_full_disk(disk):
    code = "import sys, numpy as np, xarray as xr\nfrom realnet.io import save_arrays\n"
    code += "save_arrays(__import__('pathlib').Path(sys.argv[1]), {'natural': xr.DataArray(np.ones((1000, 1000)))})"
    # in a process of its own: HDF5 crashes the one in which a disk becomes full
    done = subprocess.run([sys.executable, "-c", code, disk / "rdms.nc"], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "rdms.nc was not written: the disk of" in last and "is full" in last
    assert not list(disk.iterdir())
    save_arrays(disk / "rdms.nc", {"natural": xr.DataArray(big()[:10], dims=("a", "b"))})
    assert xr.load_dataset(disk / "rdms.nc", group="natural", engine="h5netcdf")["array"].shape == (10, 1000)


def test_a_read_only_disk_gets_one_sentence(disk):
    remount(disk, "ro")
    sentence = r"table.csv was not written: .* is read-only; make it writable"
    with pytest.raises(CannotWrite, match=sentence), whole_file(disk / "tables" / "table.csv") as temporary:
        temporary.write_text("a,b")
    remount(disk, "rw")
    with whole_file(disk / "tables" / "table.csv") as temporary:
        temporary.write_text("a,b")
    assert (disk / "tables" / "table.csv").read_text() == "a,b"


def test_no_permission_gets_one_sentence(tmp_path):
    folder = tmp_path / "of_somebody_else"
    folder.mkdir(mode=0o500)
    root = os.geteuid() == 0
    try:
        if root:  # whom no permission stops
            os.seteuid(NOBODY)
        sentence = "there is no permission to write in"
        with pytest.raises(CannotWrite, match=sentence), whole_file(folder / "table.csv") as temporary:
            temporary.write_text("a,b")
    finally:
        if root:
            os.seteuid(0)
    assert not list(folder.iterdir())


def test_an_error_that_has_nothing_to_do_with_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "table.csv"):
        raise ZeroDivisionError
    with pytest.raises(PermissionError), whole_file(tmp_path / "table.csv"):
        raise PermissionError(13, "Permission denied", "/elsewhere/recording.h5")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    code = "import sys, time\nfrom realnet.io import whole_file\n"
    code += "with whole_file(sys.argv[1]) as t:\n    t.write_text('half'); print('ready', flush=True); time.sleep(60)"
    writers = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / name], stdout=subprocess.PIPE) for name in ("a", "b")
    ]
    try:
        assert all(writer.stdout.readline() == b"ready\n" for writer in writers)
        writers[0].send_signal(signal.SIGKILL)
        writers[0].wait()
        removed = remove_unfinished(tmp_path)
        assert [path.name.split(".")[1] for path in removed] == ["a"]
        assert [path.name.split(".")[1] for path in tmp_path.iterdir()] == ["b"]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


# --- a training's checkpoint


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Train a little network: ``run(checkpoint, n_steps)`` gives (weights, steps made); ``n_steps`` ends it early."""
    torch.manual_seed(0)
    network = CORnetS(width=0.0625, n_classes=7)
    images = torch.randint(0, 256, (26, 3, 32, 32), dtype=torch.uint8)
    targets = np.random.default_rng(2).normal(size=(26, 10))
    settings = TrainingSettings(epochs=2, batch_size=8, n_hidden=4, learning_rate=1e-3)

    def run(checkpoint=None, n_steps=None, learning_rate=1e-3, first_weight=None):
        made = 0
        original, start = training.training_step, copy.deepcopy(network)
        if first_weight is not None:
            start.decoder.linear.bias.data[0] = first_weight

        def step(*arguments):
            nonlocal made
            if made == n_steps:
                raise KeyboardInterrupt
            made += 1
            return original(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "training_step", step)
            patch.setattr(training, "CHECKPOINT_SECONDS", -1)
            changed = settings.model_copy(update={"learning_rate": learning_rate})
            options = dict(beta=40, checkpoint=checkpoint, progress=False, device="cpu")
            try:
                model, _ = training.align(start, images, targets, changed, **options)
            except KeyboardInterrupt:
                return None, made
        return model.state_dict(), made

    return run


def equal(one, other):
    return all(torch.equal(value, other[key]) for key, value in one.items())


def damage(path, kind):
    content = path.read_bytes()
    if kind == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "random bytes":
        path.write_bytes(np.random.default_rng(0).bytes(len(content)))
    else:  # one bit of the largest array, which torch does not notice
        with zipfile.ZipFile(path) as archive:
            largest = max(archive.infolist(), key=lambda record: record.file_size)
        head = content[largest.header_offset :][:30]
        begin = largest.header_offset + 30 + sum(struct.unpack("<HH", head[26:30]))  # its name, and padding
        damaged = bytearray(content)
        damaged[begin + largest.file_size // 2] ^= 4
        path.write_bytes(damaged)


def test_a_checkpoint_is_continued_from_its_step(interrupted, tmp_path):
    whole, n_steps = interrupted()
    assert interrupted(tmp_path / "checkpoint", 5) == (None, 5)
    resumed, rest = interrupted(tmp_path / "checkpoint")
    assert rest == n_steps - 5 and equal(whole, resumed)


@pytest.mark.parametrize("kind", ["cut short", "empty", "random bytes", "one bit"])
def test_a_damaged_checkpoint_is_told_and_not_continued(interrupted, tmp_path, capsys, kind):
    whole, n_steps = interrupted()
    interrupted(tmp_path / "checkpoint", 5)
    damage(tmp_path / "checkpoint", kind)
    resumed, made = interrupted(tmp_path / "checkpoint")
    assert made == n_steps and equal(whole, resumed)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and "is damaged: training starts from the beginning" in said[0]


@pytest.mark.parametrize("change", [{"learning_rate": 2e-3}, {"first_weight": 0.5}])
def test_a_checkpoint_of_other_settings_or_another_first_network_is_not_continued(
    interrupted, tmp_path, capsys, change
):
    interrupted(tmp_path / "checkpoint", 5)
    whole, n_steps = interrupted(**change)
    resumed, made = interrupted(tmp_path / "checkpoint", **change)
    assert made == n_steps and equal(whole, resumed) and "other settings" in capsys.readouterr().out


# --- a study that is taken up again


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return small.make_repository(tmp_path_factory.mktemp("repository"))


def results(folder):
    """Every result but the executed notebooks, with its content."""
    paths = [path for path in (folder / "results/small/tables").rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def start(repository):
    """A run in a process group of its own."""
    command = [sys.executable, "-m", "realnet.workflow", "small", "--cores", "2"]
    return subprocess.Popen(command, cwd=repository, env=small.environment(repository), start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def of_run(repository, word):
    """Processes of a run in this folder whose command holds a word."""
    marked = recovery.find_survivors(repository)
    return [int(process.name) for process in marked if word.encode() in recovery._read(process / "cmdline")]


def one_sentence(done, *words):
    """The last line, which tells why and what to do; no traceback anywhere."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ") and all(word in done.stderr for word in words), done.stderr
    return last


@pytest.fixture
def at_work(repository):
    """A run that is within notebook index, whose kernel has begun to work."""
    flag = repository / "at_work"
    flag.unlink(missing_ok=True)
    small.write_notebook(repository, "index", f"open({str(flag)!r}, 'w').close()\nimport time; time.sleep(120)")
    run = start(repository)
    wait_for(flag.exists)
    yield run
    small.write_notebook(repository, "index")
    if run.poll() is None:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def finishes(repository, **options):
    done = small.run_study(repository, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    if not options:
        assert not small.planned(repository)[0]
    return done


def test_nothing_outlives_a_killed_run_and_its_next_one(repository, at_work):
    before = results(repository)
    os.killpg(at_work.pid, signal.SIGKILL)
    at_work.wait()
    small.write_notebook(repository, "index")
    finishes(repository)
    assert not of_run(repository, "")
    assert results(repository) == {**before, **results(repository)}
    assert not list((repository / "results").rglob("*.partial.ipynb"))


@pytest.mark.parametrize("dead", ["make", "make and snakemake"])
def test_what_outlives_its_run_is_stopped_by_the_next_one(repository, at_work, dead):
    os.kill(at_work.pid, signal.SIGKILL)
    at_work.wait()
    if "snakemake" in dead:
        for process in of_run(repository, "snakemake"):
            os.kill(process, signal.SIGKILL)
    assert of_run(repository, "realnet.notebook") and of_run(repository, "ipykernel")
    small.write_notebook(repository, "index")
    done = finishes(repository)
    assert "processes that a killed run had left at work here" in done.stderr
    assert not of_run(repository, "")


def test_a_snakemake_called_by_hand_is_not_disturbed(repository, at_work):
    os.killpg(at_work.pid, signal.SIGKILL)
    at_work.wait()
    fake = repository / "bin" / "snakemake"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(120)\n")
    fake.chmod(0o755)
    alive = subprocess.Popen([fake], cwd=repository)
    try:
        time.sleep(0.5)
        refused = small.run_study(repository)
        assert f"snakemake (process {alive.pid}) is alive" in one_sentence(refused)
        assert any((repository / ".snakemake/locks").glob("*.lock"))
    finally:
        alive.kill()
        alive.wait()


def test_damaged_results_are_made_again(repository):
    finishes(repository)
    executed = repository / "results/small/notebooks/05_eeg.ipynb"
    executed.write_bytes(executed.read_bytes()[:200])
    done = finishes(repository)
    assert "05_eeg.ipynb was damaged: it is made again" in done.stderr
    assert executed.read_text().rstrip().endswith("}")


def test_a_clock_that_went_back_leaves_nothing_to_do_for_ever(repository):
    finishes(repository)
    later = time.time() + 3600
    for path in [*(repository / "results").rglob("*.*"), *(repository / "data").rglob("*.*")]:
        os.utime(path, (later, later))
    later += 3600  # a notebook edited before the clock went back is still newer than what was made from it
    os.utime(repository / "notebooks/05_eeg.ipynb", (later, later))
    done = finishes(repository)
    assert "dated in the future" in done.stderr and "Traceback" not in done.stderr


def test_a_file_removed_under_a_running_study_is_told_and_made_again(repository):
    finishes(repository)
    table = repository / small.TABLES / "object_dimensions.csv"
    try:
        small.write_notebook(repository, "06_object_dimensions", f"Path({str(table)!r}).unlink()")
        sentence = one_sentence(small.run_study(repository))
        assert "a file that a notebook had written was removed meanwhile, then give the same command again" in sentence
    finally:
        small.write_notebook(repository, "06_object_dimensions")
    finishes(repository)
    assert table.is_file()


def test_a_study_on_a_full_or_read_only_disk_stops_with_a_sentence_and_goes_on_when_there_is_room(repository, disk):
    root = {"root": disk}
    shutil.copytree(repository / "results", disk / "results")
    shutil.copytree(repository / "data", disk / "data")
    finishes(repository, **root)
    before = results(disk)
    try:
        small.write_notebook(repository, "05_eeg", "Path('results/small/tables/big').write_bytes(bytes(10**7))")
        one_sentence(small.run_study(repository, **root), "No space left on device")
        (disk / small.TABLES / "big").unlink(missing_ok=True)
    finally:
        small.write_notebook(repository, "05_eeg")
    ballast = fill(disk)
    assert "full" in one_sentence(small.run_study(repository, **root))
    ballast.unlink()
    remount(disk, "ro")
    assert "REALNET_ROOT" in one_sentence(small.run_study(repository, **root))
    remount(disk, "rw")
    finishes(repository, **root)
    assert results(disk) == before


def test_a_study_that_does_not_fit_on_the_disk_is_refused_before_it_starts(repository, disk):
    refused = small.run_study(repository, root=disk)
    sentence = one_sentence(refused)
    assert "MB free, but the study is to write about" in sentence and "make room" in sentence
    assert not (disk / "results").exists() and not (disk / "data").exists()


# --- the pieces


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    return load_study("demo")


def test_damaged_files_are_found_by_their_ends(study):
    rdms, networks, notebooks = (study.results / name for name in ("rdms", "networks", "notebooks"))
    for folder in (rdms, networks, notebooks / "02_training"):
        folder.mkdir(parents=True)
    paths = [rdms / "a.nc", networks / "a.safetensors", notebooks / "a.ipynb", notebooks / "02_training" / "b.ipynb"]
    save_arrays(paths[0], {"natural": xr.DataArray(np.arange(1000.0), dims="pair")})
    save_file({"a": torch.arange(1000.0), "b": torch.arange(10)}, paths[1], {"realnet": "{}"})
    for path in paths[2:]:
        path.write_text('{"cells": [], "metadata": {}}')
    assert recovery.find_damaged(study) == []
    whole = {path: path.read_bytes() for path in paths}
    for path in paths:
        for length in (0, 5, len(whole[path]) // 2, len(whole[path]) - 1):
            path.write_bytes(whole[path][:length])
            assert recovery.find_damaged(study) == [path], (path, length)
        path.write_bytes(whole[path])


def test_dates_of_the_future_become_now_in_their_order(tmp_path):
    now = time.time()
    for name, date in {"input": 5000, "output": 6000, "old": -100}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now + date, now + date))
    assert recovery.settle_dates([tmp_path]) == 2 and recovery.settle_dates([tmp_path]) == 0
    dates = {path.name: path.stat().st_mtime for path in tmp_path.iterdir()}
    assert dates["old"] == pytest.approx(now - 100) and dates["old"] < dates["input"] < dates["output"] <= time.time()


@pytest.fixture
def survivor(tmp_path):
    """A process of a killed run in ``tmp_path``, at work: before its first line it may not show its environment yet."""
    code = "import time; print('ready', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {recovery.MARK: str(tmp_path)}, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_cannot_be_ended_is_named(tmp_path, survivor, monkeypatch):
    def refuse(process, number):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", refuse)
        with pytest.raises(InvalidInput, match=f"process {survivor.pid} of a killed run .* belongs to somebody else"):
            recovery.stop_survivors(tmp_path)


def test_a_process_that_shows_nothing_at_the_first_look_is_ended_all_the_same(tmp_path, survivor, monkeypatch):
    looks, find = [], recovery.find_survivors

    def find_late(root):
        looks.append(root)
        return find(root) if len(looks) > 1 else []

    monkeypatch.setattr(recovery, "find_survivors", find_late)
    assert recovery.stop_survivors(tmp_path) == 1
    assert survivor.wait(10) == -signal.SIGKILL
