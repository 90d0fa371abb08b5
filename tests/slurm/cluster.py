"""A Slurm of one node on the loopback interface, started and stopped by a test (Debian: slurm-wlm, munge; as root)."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

PARTITION = "short"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "setpriv")


def why_not():
    """What this machine lacks, as one sentence for a skipped test; empty where Slurm can be started."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "a Slurm of one's own is started as root"


class Cluster:
    """The daemons of one cluster with all their files in ``folder``; use as a context manager.

    ``environment`` is what a login node would have: the commands find this cluster, and no other.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.processes = {}
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        conf = self.folder / "slurm.conf"
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        self.environment = {**os.environ, "SLURM_CONF": str(conf), "PATH": path}
        template = (Path(__file__).parent / "slurm.conf").read_text(encoding="utf-8")
        settings = {"folder": self.folder, "host": socket.gethostname().split(".")[0], "partition": PARTITION}
        conf.write_text(template.format(**settings, **_free_ports()), encoding="utf-8")
        # any two devices do: Slurm counts them, and no job opens them
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n", encoding="utf-8")
        (self.folder / "munge.key").write_bytes(secrets.token_bytes(1024))
        (self.folder / "munge.key").chmod(0o400)
        # a job step of the plugin starts without SLURM_CONF and would look in /etc, where this test has no business
        srun = self.folder / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which("srun")} "$@"\n', encoding="utf-8")
        srun.chmod(0o755)

    def __enter__(self):
        try:
            files = [f"--{name}-file={self.folder / f'munge.{name}'}" for name in ("key", "seed", "pid", "log")]
            # --force: the folder of a test is nobody else's, which munged would like it to be
            self._start("munged", "--foreground", "--force", f"--socket={self.folder / 'munge.socket'}", *files)
            self._wait(lambda: (self.folder / "munge.socket").exists(), "munged to open its socket")
            self.start_controller()
            self._start("slurmd", "-D", "-N", "localhost")
            self._wait(lambda: self.ask("sinfo", "-h", "-o", "%t").strip() == "idle", "the node to be idle")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start_controller(self):
        """Start slurmctld and wait until it answers."""
        self._start("slurmctld", "-D")
        self._wait(lambda: "UP" in self.ask("scontrol", "ping"), "slurmctld to answer")

    def stop_controller(self):
        """End slurmctld as a reboot of its machine would: it writes its state down."""
        self._end("slurmctld")

    def stop(self):
        """End what was started, jobs first."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            for job in self.jobs():
                self.ask("scancel", job)
            self._wait(lambda: not self.jobs(), "jobs to end", seconds=15, required=False)
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name)

    def ask(self, *command):
        """What a command of Slurm prints; nothing where it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30)
        return done.stdout if done.returncode == 0 else ""

    def jobs(self, state="RUNNING,PENDING,COMPLETING,SUSPENDED", form="%i"):
        """One line a job in one of these states."""
        return self.ask("squeue", "-h", "-t", state, "-o", form).split("\n")[:-1]

    def _start(self, name, *arguments):
        log = (self.folder / f"{name}.out").open("a")
        # where the test is killed, nobody else would end the daemons
        command = ["setpriv", "--pdeathsig", "TERM", shutil.which(name), *arguments]
        with log:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def _end(self, name):
        process = self.processes.pop(name, None)
        if process is not None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, condition, what, seconds=30, required=True):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                if not required:
                    return
                logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.out"))
                raise RuntimeError(f"waited {seconds} s for {what}:\n{logs}")
            time.sleep(0.2)


def _free_ports():
    """Two ports that nobody listens on."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        return {"controller_port": first.getsockname()[1], "node_port": second.getsockname()[1]}
