"""The networks of a study are trained as jobs of a real Slurm, with the results of a local run."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yte
from slurm.cluster import PARTITION, Cluster, why_not

from realnet.settings import REPOSITORY, load_study

needs_slurm = pytest.mark.skipif(bool(why_not()), reason=why_not())
PROFILE = REPOSITORY / "workflow" / "profiles" / "slurm" / "config.yaml"
pytestmark = pytest.mark.study

SMALL = """
name: small
description: one simulated subject, three networks
raw: data/raw/simulated
simulated: {n_classes: 10, n_pretraining_images: 100, pretraining_epochs: 1, n_voxels: 20, n_eeg_subjects: 1}
network: {image_size: 32}
fmri: {subjects: [1], other_subjects: [], n_components: 32, test_sets: [natural]}
training: {betas: [40], epochs: 3, learning_rate: 5.0e-4, shuffled: false}
eeg: {subjects: []}
"""
PATIENCE = 1200  # seconds; a busy machine is no failure
CONTROL, REALNET = "control_seed-0", "sub-01_beta-40_seed-0"


class Run:
    """One folder with a study that is prepared but not trained, and the command that trains it."""

    def __init__(self, folder, settings, environment):
        self.folder, self.settings, self.process = folder, settings, None
        self.environment = {**environment, "REALNET_ROOT": str(folder), "OMP_NUM_THREADS": "1"}

    def command(self, *arguments):
        networks = [f"results/small/networks/{stem}.safetensors" for stem in ("cornet", CONTROL, REALNET)]
        return [sys.executable, "-m", "workflow.run", str(self.settings), *networks, *arguments]

    def forget(self, *stems):
        """Remove all files of these networks."""
        for stem in stems:
            for path in (self.folder / "results").rglob(f"{stem}.*"):
                path.unlink()

    def start(self):
        """Train through Slurm as `make study PROFILE=slurm` does, with shorter waits."""
        often = ["--slurm-init-seconds-before-status-checks", "10", "--latency-wait", "5"]
        with (self.folder / "said.txt").open("w") as log:
            self.process = subprocess.Popen(
                self.command("--profile", "slurm", *often),
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self.process

    def finish(self):
        """Wait for the end; returns the output."""
        self.process.wait(PATIENCE)
        said = (self.folder / "said.txt").read_text()
        assert self.process.returncode == 0, said[-4000:]
        return said

    def stop(self):
        """End what is left of the command, after a test that failed."""
        if self.process is not None and self.process.poll() is None:
            print((self.folder / "said.txt").read_text()[-4000:])
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def results(self):
        """Every weight, RDM and table file, by its name in the results folder."""
        results = self.folder / "results" / "small"
        paths = [path for name in ("networks", "rdms", "tables") for path in (results / name).rglob("*")]
        return {str(path.relative_to(results)): path.read_bytes() for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The study, trained on this machine."""
    folder = tmp_path_factory.mktemp("local")
    settings = tmp_path_factory.mktemp("settings") / "small.yml"
    settings.write_text(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALNET_ROOT", str(folder))
        assert len(load_study(settings).networks()) == 3
    run = Run(folder, settings, dict(os.environ))
    done = subprocess.run(run.command("--cores", "2"), env=run.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return run


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.environment |= {"REALNET_SLURM_PARTITION": PARTITION, "REALNET_SLURM_GPUS": "0"}
        yield cluster


@pytest.fixture
def remote(local, cluster, tmp_path):
    """A copy of the study in another folder, to be trained on the cluster."""
    shutil.copytree(local.folder, tmp_path / "remote")
    run = Run(tmp_path / "remote", local.settings, cluster.environment)
    yield run
    run.stop()
    for job in cluster.jobs():
        cluster.ask("scancel", job)


def wait_for(condition, process, seconds=PATIENCE):
    """What ``condition`` returns, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, "the study ended before the accident could happen"
        assert time.monotonic() < deadline, f"waited {seconds} s"
        time.sleep(0.1)
    return found


def running(cluster, n):
    """The jobs that run, once there are n of them."""
    jobs = cluster.jobs("RUNNING")
    return jobs if len(jobs) >= n else []


def test_names_of_a_cluster_come_from_the_environment(monkeypatch):
    names = ("REALNET_SLURM_PARTITION", "REALNET_SLURM_ACCOUNT", "REALNET_SLURM_GPUS")
    for name, value in zip(names, ("long", "mylab", "2"), strict=True):
        monkeypatch.setenv(name, value)
    given = yte.process_yaml(PROFILE.read_text(), require_use_yte=True)
    default, network = given["default-resources"], given["set-resources"]["network"]
    assert (default["slurm_partition"], default["slurm_account"], network["gpu"]) == ("long", "mylab", 2)
    for name in names:
        monkeypatch.delenv(name)
    given = yte.process_yaml(PROFILE.read_text(), require_use_yte=True)
    assert not {"slurm_partition", "slurm_account"} & set(given["default-resources"])
    assert given["set-resources"]["network"]["gpu"] == 1


@needs_slurm
def test_each_network_is_a_job_with_the_resources_of_the_profile_and_its_results_are_those_of_this_machine(
    local, cluster, remote
):
    remote.forget("cornet", CONTROL, REALNET)
    assert not any(name.startswith("networks/") for name in remote.results())
    process = remote.start()
    wait_for(lambda: len(cluster.jobs()) == 3, process)
    asked = set(cluster.jobs(form="%P %m %l"))
    gpus = [cluster.ask("scontrol", "show", "job", job).count("gres:gpu") for job in cluster.jobs()]
    remote.finish()
    # partition, memory, hours, and no GPU where REALNET_SLURM_GPUS is 0
    assert asked == {f"{PARTITION} 8000M 4:00:00"} and gpus == [0, 0, 0]
    assert remote.results() == local.results()


@needs_slurm
def test_a_cancelled_job_is_resumed_from_its_checkpoint(local, cluster, remote):
    remote.forget(REALNET)
    process = remote.start()
    checkpoint = remote.folder / "results" / "small" / "networks" / f"{REALNET}.checkpoint"
    wait_for(checkpoint.exists, process)
    [job] = running(cluster, 1)
    cluster.ask("scancel", job)
    wait_for(lambda: job not in cluster.jobs(), process)
    assert checkpoint.exists() and not (checkpoint.parent / f"{REALNET}.safetensors").exists()
    said = remote.finish()
    assert f"SLURM-job '{job}' failed, SLURM status is: 'CANCELLED'" in said
    assert remote.results() == local.results()
