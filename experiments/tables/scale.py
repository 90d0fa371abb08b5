"""Appendix 15: what a study costs as it grows. Laws with known terms, fitted to measured points, and what follows."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import nnls

#: Terms that the time and the memory of each work are sums of: products of sizes, as the algorithm says. ``fewer`` and
#: ``more`` are the smaller and the larger of images and voxels.
SECONDS = {
    "preparation": ("fewer fewer more", "fewer fewer fewer", "images voxels"),
    "training": ("1", "images"),
    "activations": ("1", "images"),
    "rdm": ("images images units", "images units", "images images"),
    "comparison": ("models images images", "brains images images", "models brains images images"),
    "bootstrap": ("resamples models images images", "resamples models brains images images"),
    "decoding": ("images images times", "images times"),
}
MEMORY = {
    "preparation": ("1", "images voxels", "fewer fewer"),
    "training": ("1", "images"),
    "activations": ("1", "images"),
    "rdm": ("1", "images units", "images images"),
    "comparison": ("1", "models images images", "brains images images"),
    "bootstrap": ("1", "models images images", "brains images images", "resamples models brains"),
    "decoding": ("1", "images times", "images images times"),
}

#: Work that a GPU takes over: the rest runs on processor cores.
ON_GPU = ("training", "activations")


class Lab(NamedTuple):
    """A planned study. Every participant sees all training images; RDMs are those of the test images."""

    name: str
    images: int
    subjects: int = 100
    test_images: int = 200
    betas: int = 5
    seeds: int = 1
    epochs: int = 5
    voxels: int = 15_000
    rois: int = 5
    eeg_subjects: int = 10
    times: int = 20
    resamples: int = 1000
    job_per_subject: bool = False  # the data notebooks as they are: one job for all participants

    @property
    def networks(self):
        """Number of networks: CORnet; per seed Control, and per subject the main beta and the shuffled network; the
        other betas per subject."""
        return 1 + self.seeds + self.subjects * (2 * self.seeds + self.betas - 1)


class Law(NamedTuple):
    """A sum of terms with weights found from measurements: seconds or GiB for any sizes."""

    terms: tuple
    weights: np.ndarray
    misfit: float  # largest relative difference to a measured point

    def at(self, **sizes):
        """The value for these sizes."""
        return float(sum(w * _product(term, sizes) for term, w in zip(self.terms, self.weights, strict=True)))

    def growth(self, axis, **sizes):
        """The power with which it grows there: the slope in logarithms at these sizes."""
        more = {**sizes, axis: sizes[axis] * 1.01}
        return float(np.log(self.at(**more) / self.at(**sizes)) / np.log(1.01))


def fit_law(points, terms, column):
    """Weights, none below 0, of a sum of ``terms`` that fits measured points with the least relative error.

    Parameters
    ----------
    points : DataFrame
        A column for each size that a term names, and ``column``.
    terms : sequence of str
        Products of sizes, such as ``"images images voxels"``; ``"1"`` is a constant.
    column : str
        ``seconds`` or ``peak_gib``.
    """
    measured = points[column].to_numpy(float)
    design = np.array([[_product(term, row) for term in terms] for row in points.to_dict("records")])
    scale = design.max(axis=0)
    weights, _ = nnls(design / scale / measured[:, None], np.ones(len(measured)))
    misfit = np.abs(design / scale @ weights / measured - 1).max()
    return Law(tuple(terms), weights / scale, float(misfit))


def fit_laws(table):
    """The laws of all works in the table: two dicts work -> ``Law``, of seconds and of GiB."""
    parts = {work: table[table.work == work] for work in SECONDS}
    return (
        {work: fit_law(part, SECONDS[work], "seconds") for work, part in parts.items()},
        {work: fit_law(part, MEMORY[work], "peak_gib") for work, part in parts.items()},
    )


def with_laws(table, seconds, memory):
    """The measured points with ``law_seconds`` and ``law_gib`` beside each."""
    points = [(row["work"], _sizes(row)) for row in table.to_dict("records")]
    return table.assign(
        law_seconds=[seconds[work].at(**sizes) for work, sizes in points],
        law_gib=[memory[work].at(**sizes) for work, sizes in points],
    )


def laws_table(table, seconds, memory):
    """Per work and axis: the power measured between the two largest points, the law's there, and its misfits."""
    rows = []
    for (work, axis), part in table.groupby(["work", "axis"], sort=False):
        last, earlier = part.nlargest(2, axis).to_dict("records")
        rows.append({
            "work": work, "axis": axis, "points": len(part), "largest": last[axis],
            "measured_power": np.log(last["seconds"] / earlier["seconds"]) / np.log(last[axis] / earlier[axis]),
            "law_power": seconds[work].growth(axis, **_sizes(last)),
            "misfit_seconds": seconds[work].misfit, "misfit_memory": memory[work].misfit,
        })  # fmt: skip
    return pd.DataFrame(rows)


def plan_lab(lab, seconds, memory, about):
    """What each stage of a lab's study needs, by dicts work -> ``Law`` and the notes beside the table.

    Returns
    -------
    DataFrame
        A row per stage: ``jobs`` that can run side by side, ``core_hours`` of all of them, ``memory_gib`` of one job,
        ``disk_gib`` of what they leave, ``on_gpu``.
    """
    s, units = about["settings"], about["settings"]["units"].values()
    n, test, networks = lab.images, lab.test_images, lab.networks
    pairs, models, brains = test * (test - 1) / 2, networks * len(units), lab.subjects * lab.rois
    images = n * 3 * s["image_size"] ** 2 / 2**30  # bytes, kept in memory by a training job
    steps = (networks - 1) * lab.epochs * n / s["batch_size"]
    one_rdm = sum(seconds["rdm"].at(images=test, units=u) for u in units)
    layers = 4 * test * sum(units) / 2**30
    compared = {"images": test, "models": models, "brains": brains}
    fmri_jobs, eeg_jobs = (lab.subjects, lab.eeg_subjects) if lab.job_per_subject else (1, 1)
    rows = [
        ("preparation", fmri_jobs, lab.subjects * seconds["preparation"].at(images=n, voxels=lab.voxels),
         memory["preparation"].at(images=n, voxels=lab.voxels), lab.subjects * n * s["n_targets"] * 8 / 2**30),
        ("decoding", eeg_jobs, lab.eeg_subjects * seconds["decoding"].at(images=test, times=lab.times),
         memory["decoding"].at(images=test, times=lab.times), lab.eeg_subjects * lab.times * pairs * 8 / 2**30),
        ("training", networks - 1, steps * seconds["training"].at(images=s["batch_size"]),
         memory["training"].at(images=s["batch_size"]) + images, networks * s["parameters"] * 4 / 2**30),
        ("activations", networks, networks * seconds["activations"].at(images=test),
         memory["activations"].at(images=50) + layers, 0.0),
        ("rdm", networks, networks * one_rdm, layers + pairs * 8 * len(units) / 2**30, models * pairs * 8 / 2**30),
        ("comparison", 1, seconds["comparison"].at(**compared), memory["comparison"].at(**compared), 0.0),
        ("bootstrap", 1, seconds["bootstrap"].at(**compared, resamples=lab.resamples),
         memory["bootstrap"].at(**compared, resamples=lab.resamples), 0.0),
    ]  # fmt: skip
    plan = pd.DataFrame(rows, columns=["stage", "jobs", "core_hours", "memory_gib", "disk_gib"])
    plan["core_hours"] /= 3600
    return plan.assign(lab=lab.name, on_gpu=plan.stage.isin(ON_GPU))


def on_machines(plan, n_machines, n_cores, memory_gib, gpu_speedup):
    """The hours of a plan on so many machines, each with one GPU, ``n_cores`` cores and ``memory_gib`` of memory.

    A machine runs as many jobs of a stage side by side as it has cores (GPU: one) and memory for, at least one; a stage
    of fewer jobs than that leaves machines idle, and the last wave of jobs may not be full. ``gpu_speedup``, how many
    times faster a GPU is than one core of the machine that was measured, is an assumption.

    Returns
    -------
    DataFrame
        The plan with ``at_once`` (jobs side by side), ``hours``, and ``share`` of all hours.
    """
    fit = np.maximum(1, memory_gib // plan.memory_gib)
    at_once = np.minimum(plan.jobs, n_machines * np.where(plan.on_gpu, 1, np.minimum(n_cores, fit)))
    one_job = plan.core_hours / plan.jobs / np.where(plan.on_gpu, gpu_speedup, 1)
    hours = one_job * np.ceil(plan.jobs / at_once)
    return plan.assign(at_once=at_once.astype(int), hours=hours, share=hours / hours.sum())


def bottleneck(planned, memory_gib):
    """What takes most of a plan's hours, and what does not fit into memory: Series.

    ``stage``, ``hours`` of it, ``total`` of all; ``second``: the stage with most hours after it; ``too_large``: stages
    of which one job needs more than ``memory_gib``.
    """
    order = planned.sort_values("hours", ascending=False)
    return pd.Series({
        "stage": order.stage.iloc[0], "hours": order.hours.iloc[0], "total": order.hours.sum(),
        "second": order.stage.iloc[1], "too_large": ", ".join(planned.stage[planned.memory_gib > memory_gib]),
    })  # fmt: skip


def all_images_rdm(lab, seconds, about):
    """What the RDM of all images, not of the test images alone, takes for one network: Series.

    ``core_hours`` and ``rdm_gib`` of all layers, ``layers_gib`` of their activations, ``disk_gib`` of all networks.
    """
    units, n = about["settings"]["units"].values(), lab.images
    one = n * (n - 1) / 2 * 8 * len(units) / 2**30
    return pd.Series({
        "core_hours": sum(seconds["rdm"].at(images=n, units=u) for u in units) / 3600, "rdm_gib": one,
        "layers_gib": 4 * n * sum(units) / 2**30, "disk_gib": one * lab.networks,
    })  # fmt: skip


def _sizes(row):
    names = ("images", "voxels", "units", "models", "brains", "times", "resamples")
    return {name: row[name] for name in names if name in row and row[name] == row[name]}


def _product(term, sizes):
    if "voxels" in sizes:
        both = sizes["images"], sizes["voxels"]
        sizes = {**sizes, "fewer": min(both), "more": max(both)}
    return float(np.prod([1.0 if name == "1" else sizes[name] for name in term.split()]))
