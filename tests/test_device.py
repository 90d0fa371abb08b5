"""Jobs that run at the same time use different GPUs; ``nvidia-smi`` is a script that lists two."""

import os
import subprocess
import sys

import pytest

from realnet.errors import InvalidInput
from workflow.device import reserve, visible_gpus
from workflow.run import snakemake_command

LISTED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-1111-aa)
  MIG 1g.5gb      Device  0: (UUID: MIG-3333-cc)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-2222-bb)
"""


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """A machine with two GPUs; locks lie in the test's own folder."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ \"$1\" = -L ] && cat <<'END'\n{LISTED}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return ["GPU-1111-aa", "GPU-2222-bb"]


class Job:
    """A job that says which GPU it sees, and ends when its input is closed."""

    def __init__(self):
        code = "import os, sys; print(os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True); sys.stdin.read()"
        command = [sys.executable, "-m", "workflow.device", sys.executable, "-c", code]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.sees = self.process.stdout.readline().strip()

    def end(self):
        self.process.communicate()
        assert self.process.returncode == 0


def test_jobs_at_the_same_time_see_different_gpus_and_a_gpu_is_free_again_when_its_job_is_killed(two_gpus):
    first, second, third = Job(), Job(), Job()
    assert [first.sees, second.sees, third.sees] == [*two_gpus, "None"]  # the third shares what torch takes first
    second.process.kill()
    second.process.communicate()
    fourth = Job()
    assert fourth.sees == two_gpus[1]
    for job in (first, third, fourth):
        job.end()


def test_a_job_takes_only_gpus_that_it_was_given(two_gpus, monkeypatch):
    for given, names in (("1", ["1"]), (" 2, 3 ", ["2", "3"]), ("", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)  # as Slurm sets it
        job = Job()
        assert visible_gpus() == names and job.sees == (names[0] if names else given)
        job.end()


def test_a_study_may_train_on_each_gpu_of_this_machine(two_gpus, monkeypatch):
    command = snakemake_command("demo", arguments=["target"])
    assert "--resources gpu=2 --cores all target --config" in " ".join(command)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert "gpu=1" in snakemake_command("demo")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", "/nowhere")
    assert visible_gpus() == [] and reserve([]) is None and "gpu=0" in snakemake_command("demo")
    with pytest.raises(InvalidInput, match="there is no profile 'cluster'"):
        snakemake_command("demo", profile="cluster")
