"""Run a command on a GPU of its own, where there are GPUs: ``python -m workflow.device COMMAND ...``."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile


def visible_gpus():
    """The GPUs of this process as CUDA_VISIBLE_DEVICES names them: those that it lists, else all of the machine."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    return re.findall(r"^GPU .*\(UUID: ([^)]+)\)", listed, re.MULTILINE)


def reserve(gpu):
    """Keep a GPU until this process ends, however it ends: False if another job of this user has it."""
    path = os.path.join(tempfile.gettempdir(), f"realnet-{os.getuid()}-{gpu}.lock")
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    os.set_inheritable(file, True)  # by the command that replaces this process
    return True


if __name__ == "__main__":
    if gpu := next(filter(reserve, visible_gpus()), None):  # else the first is shared with another study
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    os.execvp(sys.argv[1], sys.argv[1:])
