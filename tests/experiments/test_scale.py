"""Appendix 15: laws are found again where they were planted, plans are counted by hand, figures show their tables."""

import numpy as np
import pandas as pd
import pytest

from experiments import scale as experiment
from experiments.figures.scale import plot_lab_hours, plot_scale
from experiments.tables import scale
from realnet.errors import InvalidInput
from realnet.settings import Study

ABOUT = {
    "settings": {"units": {"V1": 4000, "IT": 1000}, "parameters": 2**20, "batch_size": 16, "image_size": 64,
                 "n_targets": 100}
}  # fmt: skip


def planted(value):
    """Laws of one term each, the last, with the same weight."""
    return {work: scale.Law(terms[-1:], np.array([value]), 0.0) for work, terms in scale.SECONDS.items()}


def test_a_planted_law_is_found_again_and_continued():
    sizes = [{"images": n, "voxels": v} for n in (100, 200, 400, 800) for v in (50, 3000)]
    cost = {"fewer fewer more": 2e-9, "fewer fewer fewer": 0.0, "images voxels": 3e-8}

    def seconds(images, voxels):
        return 2e-9 * min(images, voxels) * images * voxels + 3e-8 * images * voxels

    points = pd.DataFrame([{**size, "seconds": seconds(**size)} for size in sizes])
    law = scale.fit_law(points, scale.SECONDS["preparation"], "seconds")
    assert dict(zip(law.terms, law.weights, strict=True)) == pytest.approx(cost, rel=1e-6, abs=1e-18)
    assert law.at(images=73_000, voxels=15_000) == pytest.approx(seconds(73_000, 15_000))
    assert law.at(images=15_000, voxels=73_000) == pytest.approx(seconds(15_000, 73_000))
    assert law.growth("voxels", images=500, voxels=1000) == pytest.approx(1)
    assert law.misfit < 1e-9


def test_weights_are_never_negative_and_the_misfit_is_that_of_the_worst_point():
    points = pd.DataFrame({"images": [1, 2, 4, 8], "seconds": [4.0, 3.0, 2.0, 1.0]})
    law = scale.fit_law(points, ("1", "images"), "seconds")
    assert (law.weights >= 0).all()
    worst = max(abs(law.at(images=n) / t - 1) for n, t in zip(points.images, points.seconds, strict=True))
    assert law.misfit == pytest.approx(worst)


def test_every_work_that_is_measured_has_laws_with_fewer_terms_than_points():
    measured = {}
    for work, axis, points in experiment.CURVES:
        measured.setdefault(work.__name__, []).extend(points)
        assert all(axis in sizes for sizes in points)
    assert set(measured) == set(scale.SECONDS) == set(scale.MEMORY)
    for laws in (scale.SECONDS, scale.MEMORY):
        for work, terms in laws.items():
            assert len(terms) < len(measured[work])
            assert {name for term in terms for name in term.split()} - {"1", "fewer", "more"} <= set(measured[work][0])


def test_memory_of_a_point_is_that_of_its_input_and_result_and_little_more():
    seconds, peak = experiment.measure(experiment.rdm, {"images": 200, "units": 100_000})
    assert seconds > 0
    given = 200 * 100_000 * 4 / 2**30
    assert given < peak < given + 0.3


def test_a_lab_has_the_networks_of_a_study_with_its_subjects():
    fmri = {"dataset": "own", "test_sets": ["natural"], "subjects": [1, 2, 3, 4], "other_subjects": []}
    study = Study.model_validate({
        "name": "x", "description": "-", "fmri": fmri,
        "training": {"betas": [10, 20], "main_beta": 20, "seeds": [0, 1, 2]},
    })  # fmt: skip
    assert scale.Lab("x", images=10, subjects=4, betas=2, seeds=3).networks == len(study.networks()) == 4 + 4 * 7


def test_hours_and_sizes_of_a_plan_are_counted_by_hand():
    lab = scale.Lab("x", images=1600, subjects=3, test_images=50, betas=2, seeds=1, epochs=5, voxels=10, resamples=7)
    plan = scale.plan_lab(lab, planted(1e-3), planted(1e-6), ABOUT).set_index("stage")
    steps = 10 * 5 * 100  # networks but CORnet, epochs, batches
    assert plan.core_hours["training"] == pytest.approx(steps * 16 * 1e-3 / 3600)
    assert plan.core_hours["preparation"] == pytest.approx(3 * 1600 * 10 * 1e-3 / 3600)
    assert plan.core_hours["bootstrap"] == pytest.approx(7 * (11 * 2) * (3 * 5) * 50**2 * 1e-3 / 3600)
    assert plan.disk_gib["rdm"] == pytest.approx(11 * 2 * (50 * 49 / 2) * 8 / 2**30)
    assert plan.disk_gib["training"] == pytest.approx(11 * 4 / 2**10)
    assert plan.memory_gib["training"] == pytest.approx(16e-6 + 1600 * 3 * 64**2 / 2**30)
    assert (plan.jobs["training"], plan.jobs["rdm"], plan.jobs["preparation"]) == (10, 11, 1)
    split = scale.plan_lab(lab._replace(job_per_subject=True), planted(1e-3), planted(1e-6), ABOUT).set_index("stage")
    assert (split.jobs["preparation"], split.jobs["decoding"]) == (3, 10)
    assert list(plan.index[plan.on_gpu]) == ["training", "activations"]


def test_machines_take_jobs_in_waves_and_one_job_gains_nothing():
    plan = pd.DataFrame({
        "stage": ["training", "bootstrap"], "jobs": [18, 1], "core_hours": [1800.0, 30.0], "memory_gib": [1.0, 300.0],
        "on_gpu": [True, False],
    })  # fmt: skip
    one, many = (scale.on_machines(plan, n, 16, 128.0, gpu_speedup=10) for n in (1, 16))
    assert one.hours.tolist() == pytest.approx([180, 30])
    assert many.hours.tolist() == pytest.approx([20, 30])  # 18 jobs of 10 hours on 16 GPUs: two waves
    first, later = (scale.bottleneck(planned, memory_gib=128) for planned in (one, many))
    assert (first.stage, first.second, first.hours, first.total) == ("training", "bootstrap", 180, pytest.approx(210))
    assert (later.stage, later.too_large) == ("bootstrap", "bootstrap")


def test_memory_limits_how_many_jobs_run_side_by_side():
    plan = pd.DataFrame({"stage": ["preparation"], "jobs": [100], "core_hours": [100.0], "memory_gib": [40.0],
                         "on_gpu": [False]})  # fmt: skip
    assert scale.on_machines(plan, 16, 16, 128.0, 1).at_once.item() == 16 * 3
    assert scale.on_machines(plan, 16, 16, 128.0, 1).hours.item() == pytest.approx(3)
    assert scale.on_machines(plan, 16, 16, 1280.0, 1).at_once.item() == 100
    assert scale.on_machines(plan, 1, 16, 1280.0, 1).at_once.item() == 16


def test_the_rdm_of_all_images_grows_with_the_square_of_their_number():
    small, large = (scale.all_images_rdm(scale.Lab("x", images=n), planted(1e-9), ABOUT) for n in (1000, 10_000))
    assert large.rdm_gib / small.rdm_gib == pytest.approx(100, rel=0.01)
    assert small.rdm_gib == pytest.approx(1000 * 999 / 2 * 8 * 2 / 2**30)
    assert large.layers_gib == pytest.approx(10_000 * 5000 * 4 / 2**30)


@pytest.fixture
def curves():
    rows = [
        {"work": work, "axis": axis, axis: n, "seconds": n * 1e-3, "peak_gib": 0.1 * n, "law_seconds": n * 1.1e-3,
         "law_gib": 0.11 * n}
        for work, axis in (("rdm", "images"), ("rdm", "units"), ("preparation", "voxels"))
        for n in (400, 100, 200)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("quantity, law", [("seconds", "law_seconds"), ("peak_gib", "law_gib")])
def test_each_work_and_size_has_a_panel_with_points_and_law(curves, quantity, law):
    figure = plot_scale(curves, quantity)
    assert [(a.get_title(), a.get_xlabel()) for a in figure.axes] == [
        ("rdm", "images"), ("rdm", "units"), ("preparation", "voxels")
    ]  # fmt: skip
    line, dots = figure.axes[1].lines
    part = curves[(curves.axis == "units")].sort_values("units")
    np.testing.assert_array_equal(line.get_xydata(), part[["units", law]])
    np.testing.assert_array_equal(dots.get_xydata(), part[["units", quantity]])
    assert all(axes.get_xscale() == axes.get_yscale() == "log" for axes in figure.axes)
    with pytest.raises(InvalidInput, match=law):
        plot_scale(curves.drop(columns=law), quantity)


def test_hours_are_drawn_per_lab_and_machine():
    plans = pd.DataFrame([
        {"lab": lab, "machines": machines, "stage": stage, "hours": hours}
        for lab in ("NSD", "THINGS")
        for machines, factor in (("one", 1.0), ("sixteen", 16.0))
        for stage, hours in (("training", 32 / factor), ("bootstrap", 5.0))
    ])  # fmt: skip
    figure = plot_lab_hours(plans)
    assert [axes.get_title() for axes in figure.axes] == ["NSD", "THINGS"]
    drawn = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert [sorted(line.get_xdata()) for line in drawn] == [[5, 32], [2, 5]]
    assert drawn[0].get_marker() != drawn[1].get_marker()
