"""Jobs that run at the same time use different GPUs; ``nvidia-smi`` is a script that lists two."""

import os
import subprocess
import sys

import pytest

from workflow.device import visible_gpus
from workflow.run import snakemake_command

GPUS = ["GPU-1111-aa", "GPU-2222-bb"]
LISTED = "GPU 0: any (UUID: GPU-1111-aa)\n  MIG 1g.5gb Device 0: (UUID: MIG-3333-cc)\nGPU 1: any (UUID: GPU-2222-bb)"


@pytest.fixture(autouse=True)
def two_gpus(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\ncat <<END\n{LISTED}\nEND\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


class Job:
    """A job that says which GPU it sees, and waits."""

    def __init__(self):
        code = "import os, time; print(os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True); time.sleep(600)"
        command = [sys.executable, "-m", "workflow.device", sys.executable, "-c", code]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.sees = self.process.stdout.readline().strip()

    def kill(self):
        self.process.kill()
        self.process.communicate()
        return self.sees


def test_jobs_at_the_same_time_see_different_gpus_and_a_killed_job_frees_its_own():
    first, second, third = Job(), Job(), Job()
    assert (first.sees, second.kill(), third.kill()) == (*GPUS, "None")  # the third has to share
    assert (Job().kill(), first.kill(), Job().kill()) == (GPUS[1], GPUS[0], GPUS[0])


@pytest.mark.parametrize(("given", "names"), [("1", ["1"]), (" 2, 3 ", ["2", "3"]), ("", []), (None, GPUS)])
def test_a_study_uses_all_gpus_that_it_was_given_and_no_others(given, names, monkeypatch):
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)  # as Slurm sets it
    assert visible_gpus() == names and Job().kill() == (names[0] if names else given)
    command = " ".join(snakemake_command("demo", arguments=["target"]))
    assert f"--resources gpu={len(names)} --cores all target --config" in command
