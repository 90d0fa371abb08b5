"""Kill a small study at random moments, continue it with the same command, and compare the end with a whole run.

``make interruptions``: one run that nothing disturbs, then studies that are killed (``kill -9``) at random moments and
continued until they end. Killed are all processes of the study, the process group of the command, or a single process.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

import pandas as pd

from experiments.runs import SMALL, Run, compare_runs
from experiments.tables.kept import keep

HOW = ("all", "group", "one")


def run_chain(run, n_kills, longest, rng, usual=None):
    """A study that is killed up to ``n_kills`` times and continued until it ends.

    Parameters
    ----------
    run : experiments.runs.Run
    n_kills : int
    longest : float
        Seconds; see :func:`wait_for_moment`.
    rng : random.Random
    usual : dict notebook -> seconds, optional
        Duration of the notebooks in the undisturbed run.

    Returns
    -------
    list of dict
        One row per kill and notebook that was running, or one without a notebook.
    """
    rows, usual = [], usual or {}
    for kill in range(1, n_kills + 1):
        run.start()
        if not wait_for_moment(run, longest, rng):
            return rows
        jobs, how = run.jobs(), rng.choice(HOW)
        about = {"record": "kill", "kill": kill, "how": how, "since_start": time.time() - run.started}
        about["outlived"] = run.kill(how, rng)
        about["unfinished_files"] = len(list(run.folder.rglob(".*.part")))
        for job, seconds in (jobs or {"": None}).items():
            part = min(1.0, seconds / usual[job]) if job in usual else None
            step = job.split("/")[0] or "between notebooks"
            rows.append(about | {"job": job, "step": step, "into_step": seconds, "part": part})
        print(f"{run.folder.name}: kill {kill} ({how}) after {about['since_start']:.0f} s: {', '.join(jobs) or '-'}")
    run.start()
    run.finish()
    return rows


def wait_for_moment(run, longest, rng):
    """Wait until up to three notebooks have ended, then up to ``longest`` seconds; False if the study ends before."""
    wanted, seen, running = rng.randrange(4), set(), set()
    while len(seen - running) < wanted:
        if run.ended():
            return False
        running = set(run.jobs())
        seen |= running
        time.sleep(0.2)
    end = time.time() + rng.uniform(0, longest)
    while time.time() < end:
        if run.ended():
            return False
        time.sleep(0.05)
    return True


def experiment(folder, n_kills, n_chains, seed):
    """The undisturbed run, the interrupted ones and their comparisons."""
    start, rng = time.monotonic(), random.Random(seed)
    reference = Run(folder / "reference")
    reference.start()
    usual = reference.finish()
    whole = time.monotonic() - start
    rows = [{"record": "step", "job": job, "step": job.split("/")[0], "seconds": s} for job, s in usual.items()]
    rows.append({"record": "step", "job": "whole study", "step": "whole study", "seconds": whole})
    killed = chain = 0
    while killed < n_kills:
        chain += 1
        share = -(-(n_kills - killed) // max(1, n_chains - chain + 1))
        run = Run(folder / f"interrupted-{chain}")
        found = run_chain(run, share, max(usual.values()), rng, usual)
        rows += [row | {"chain": chain, "kill": killed + row["kill"]} for row in found]
        n = len({row["kill"] for row in found})
        killed += n
        compared = compare_runs(reference.folder, run.folder)
        print(compared.to_string(index=False), flush=True)
        rows += compared.assign(record="comparison", chain=chain, n_kills=n).to_dict("records")
    # at the end only: a table that changes in the repository changes the commit and a chapter of the studies to come
    settings = {"kills": killed, "chains": chain, "study": SMALL, "cores": 2, "seed": seed}
    keep("interruptions", pd.DataFrame(rows), settings, time.monotonic() - start)


def main():
    """``python -m experiments.interruptions [--kills N] [--folder DIR]``: keep the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.interruptions", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--chains", type=int, default=2, help="studies that share the kills")
    parser.add_argument("--folder", type=Path, help="an empty folder for the studies; by default a temporary one")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        experiment(given.folder or Path(temporary), given.kills, given.chains, given.seed)


if __name__ == "__main__":
    main()
