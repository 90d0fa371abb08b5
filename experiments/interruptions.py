"""Kill the demo study at random moments, start it again with the same command, and compare the end with a whole run.

`python -m experiments.interruptions --kills 60 --folder DIR` makes one run that nothing disturbs (DIR/reference), then
chains: a study from nothing that is killed again and again (SIGKILL to its whole process group) and started again at
once with the same command, until it ends. Kills are spread over the steps of the study: each waits until a step runs
that has kills left, and then for a random part of the time that the step took in the reference.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd

from experiments.kept import keep
from experiments.runs import compare_runs, running_jobs, survivors
from experiments.tables.kept import load_kept

#: How the kills are shared out between kinds of steps: (kind, share); the chapters share what is left.
SHARES = {"start": 0.08, "00_simulated_data": 0.08, "01_data": 0.08, "02_training": 0.36}
FOLDERS = ("data/raw/simulated", "data/prepared", "results")


class Run:
    """One study in one folder, started as often as it is killed."""

    def __init__(self, study, folder, cores):
        self.study, self.folder, self.cores, self.launches, self.first_seen = study, folder, cores, 0, {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def launch(self):
        """Start the study; always the same command, in a process group of its own."""
        self.launches += 1
        self.log = self.folder / f"launch-{self.launches:02d}.log"
        command = [sys.executable, "-m", "realnet.workflow", str(self.study), "--cores", str(self.cores)]
        environment = {**os.environ, "REALNET_ROOT": str(self.folder), "OMP_NUM_THREADS": "1"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        self.started, self.first_seen = time.monotonic(), {}

    def jobs(self):
        """Names of the notebooks at work, with the seconds since they were first seen and their memory in bytes."""
        now, found = time.monotonic(), running_jobs(self.folder)
        self.first_seen = {name: self.first_seen.get(name, now) for name in found}
        return {name: (now - self.first_seen[name], memory) for name, memory in found.items()}

    def ended(self):
        """Whether the study is complete. A run that failed by itself, which none may, ends the experiment."""
        if self.process.poll() is None:
            return False
        if self.process.returncode:
            raise SystemExit(f"a run failed by itself ({self.log}):\n{self.log.read_text()[-2000:]}")
        return True

    def kill(self):
        """End the whole group at once; what outlives it, and what lies unfinished in the folder."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return {
            "outlived": len(survivors(self.folder)),
            "checkpoints": len(list(self.folder.rglob("*.checkpoint"))),
            "unfinished_files": sum(
                len(list(self.folder.rglob(pattern))) for pattern in (".*.part", ".*.partial.ipynb")
            ),
            "locked": any((self.folder / ".snakemake" / "locks").glob("*.lock")),
        }


def run_reference(run):
    """The study undisturbed: one row a notebook (seconds, peak memory), and bytes of its folders."""
    run.launch()
    seconds, memory = {}, Counter()
    while not run.ended():
        for name, (since, held) in run.jobs().items():
            seconds[name], memory[name] = since, max(memory[name], held)
        time.sleep(0.2)
    total = time.monotonic() - run.started
    rows = [
        {"record": "step", "job": name, "step": kind(name), "seconds": seconds[name], "gib": memory[name] / 2**30}
        for name in seconds
    ]
    rows.append({"record": "step", "job": "whole study", "step": "whole study", "seconds": total})
    for folder in FOLDERS:
        used = sum(path.stat().st_size for path in (run.folder / folder).rglob("*") if path.is_file())
        rows.append({"record": "disk", "job": folder, "bytes": used})
    return rows


def kind(job):
    """The kind of step that a job is of: one for all trainings."""
    return job.split("/")[0]


def plan(n_kills, steps):
    """How many kills each kind of step gets: ``{kind: n}`` with sum ``n_kills``."""
    kinds = ["start", *dict.fromkeys(steps)]
    chapters = [name for name in kinds if name not in SHARES]
    left = 1 - sum(share for name, share in SHARES.items() if name in kinds)
    shares = {name: SHARES.get(name, left / max(1, len(chapters))) for name in kinds}
    counts = {name: int(n_kills * share) for name, share in shares.items()}
    by_loss = sorted(kinds, key=lambda name: counts[name] - n_kills * shares[name])
    for name in by_loss[: n_kills - sum(counts.values())]:
        counts[name] += 1
    return counts


def run_chain(run, wanted, durations, rng, until):
    """A study from nothing that is killed while ``wanted`` (changed in place) has kills left for its steps.

    Returns
    -------
    list of dict
        One row a kill and job that was running, or one without a job.
    """
    rows, n = [], 0
    while True:
        run.launch()
        n += 1
        moment = _wait(run, wanted, durations, rng, until)
        if moment is None:
            return rows
        now = time.monotonic()
        jobs = run.jobs()
        about = {"record": "kill", "kill_in_chain": n, "aim": moment, "since_start": now - run.started, **run.kill()}
        wanted[moment] -= 1
        for job, (since, _) in (jobs or {"": (None, 0)}).items():
            step = kind(job) if job else "between notebooks"
            part = min(1.0, since / durations[job]) if job and durations.get(job) else None
            rows.append(about | {"step": step, "job": job, "into_step": since, "part": part})
        print(
            f"{run.folder.name}: kill {n} after {now - run.started:.0f} s, aim {moment}: {', '.join(jobs) or '-'}",
            flush=True,
        )


def _wait(run, wanted, durations, rng, until):
    """Wait for the next random moment; the kind of step that it was drawn for, or None where the study is complete."""
    left = sum((+wanted).values()) if time.monotonic() < until else 0
    if left and rng.random() < wanted["start"] / left:
        delay = rng.uniform(0.3, durations.get("start", 8.0))
        while time.monotonic() - run.started < delay:
            if run.ended():
                return None
            time.sleep(0.02)
        return "start"
    aim = None
    while aim is None:
        if run.ended():
            return None
        wanted_now = [name for name in run.jobs() if wanted[kind(name)] > 0 and time.monotonic() < until]
        aim = rng.choice(wanted_now) if wanted_now else None
        time.sleep(0.05)
    end = time.monotonic() + rng.uniform(0, durations.get(aim, 10.0))
    while time.monotonic() < end:
        if run.ended():
            return None
        run.jobs()
        time.sleep(0.02)
    return kind(aim)


def main():
    """Run the experiment and keep its table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.interruptions", description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--chains", type=int, default=2, help="studies from nothing that share the kills")
    parser.add_argument("--folder", type=Path, help="where the studies lie (6 GB); by default a temporary one")
    parser.add_argument("--study", default="demo", help="name in studies/, or path of a .yml file")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=60, help="no kill is begun later; the studies then end")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compare", action="store_true", help="only compare the studies in FOLDER anew")
    given = parser.parse_args()
    if given.compare:
        if given.folder is None:
            parser.error("--compare needs --folder, the place where the studies lie")
        compare_anew(given.folder.resolve())
        return
    with tempfile.TemporaryDirectory() as temporary:
        experiment(given, (given.folder or Path(temporary)).resolve())


def compare_anew(folder):
    """Put comparisons of the studies that still lie in ``folder`` in place of those in the kept table."""
    table, about = load_kept("interruptions")
    rows = []
    for row in table[table.record == "chain"].itertuples():
        for result in compare_runs(folder / "reference", folder / f"interrupted-{row.chain:.0f}"):
            rows.append({"record": "comparison", "chain": row.chain, "n_kills": row.n_kills, **result})
    table = pd.concat([table[table.record != "comparison"], pd.DataFrame(rows)], ignore_index=True)
    settings = {"killed_at": about["machine"]["commit"]} | about["settings"]  # the commit noted beside is of this step
    keep("interruptions", table, settings, about["seconds"])


def experiment(given, folder):
    """The reference, as many chains as the kills take, and their comparisons."""
    start, rng = time.monotonic(), random.Random(given.seed)
    study = Path(given.study).resolve() if given.study.endswith((".yml", ".yaml")) else given.study
    reference = Run(study, folder / "reference", given.cores)
    rows = run_reference(reference)
    durations = {row["job"]: row["seconds"] for row in rows if row["record"] == "step"}
    print(f"reference: {durations['whole study']:.0f} s", flush=True)
    steps = [row["step"] for row in rows if row["record"] == "step" and row["step"] != "whole study"]
    wanted, chain, killed = Counter(plan(given.kills, steps)), 0, 0
    until = start + 60 * given.minutes
    while (killed < given.kills and time.monotonic() < until) or not chain:
        chain += 1
        run, began = Run(study, folder / f"interrupted-{chain}", given.cores), time.monotonic()
        share = Counter({name: -(-n // max(1, given.chains - chain + 1)) for name, n in wanted.items()})
        wanted -= share
        found = run_chain(run, share, durations, rng, until)
        wanted += +share  # what this chain had no occasion for
        if not found:  # steps that are never met: elsewhere
            wanted = Counter({"02_training": given.kills - killed})
        kills = {row["kill_in_chain"] for row in found}
        rows += [row | {"chain": chain, "kill": killed + row["kill_in_chain"]} for row in found]
        killed += len(kills)
        for result in compare_runs(reference.folder, run.folder):
            rows.append({"record": "comparison", "chain": chain, "n_kills": len(kills), **result})
            print(f"chain {chain}: {result['kind']}: {result['n_equal']} of {result['n_files']} equal", flush=True)
        rows.append({"record": "chain", "chain": chain, "n_kills": len(kills), "seconds": time.monotonic() - began})
        settings = {"kills": killed, "chains": chain, "study": Path(given.study).stem, "cores": given.cores,
                    "seed": given.seed}  # fmt: skip
        keep("interruptions", pd.DataFrame(rows), settings, time.monotonic() - start)  # so far, lest it be lost


if __name__ == "__main__":
    main()
