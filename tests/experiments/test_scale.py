"""Chapter 15: laws are found again where they were planted, and plans are what a pocket calculator gives."""

import numpy as np
import pandas as pd
import pytest

from experiments import scale as experiment
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


@pytest.mark.parametrize("seconds", [[1.0], [1.0, 0.0, 2.0]])
def test_too_few_or_impossible_points_are_refused(seconds):
    points = pd.DataFrame({"images": range(1, len(seconds) + 1), "seconds": seconds})
    with pytest.raises(InvalidInput, match="law of 2 terms"):
        scale.fit_law(points, ("1", "images"), "seconds")


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


def test_a_lab_has_the_networks_of_a_study_with_its_people():
    people = {"dataset": "own", "test_sets": ["natural"], "subjects": [1, 2, 3, 4], "other_subjects": []}
    study = Study.model_validate({
        "name": "x", "description": "-", "fmri": people,
        "training": {"betas": [10, 20], "main_beta": 20, "seeds": [0, 1, 2]},
    })  # fmt: skip
    assert scale.Lab("x", images=10, subjects=4, betas=2, seeds=3).networks == len(study.networks()) == 1 + 4 * 3 * 4


def test_hours_and_sizes_of_a_plan_are_counted_by_hand():
    lab = scale.Lab("x", images=1600, subjects=3, test_images=50, betas=2, seeds=1, epochs=5, voxels=10, resamples=7)
    plan = scale.plan_lab(lab, planted(1e-3), planted(1e-6), ABOUT).set_index("stage")
    steps = 12 * 5 * 100  # networks but CORnet, epochs, batches
    assert plan.core_hours["training"] == pytest.approx(steps * 16 * 1e-3 / 3600)
    assert plan.core_hours["preparation"] == pytest.approx(3 * 1600 * 10 * 1e-3 / 3600)
    assert plan.core_hours["bootstrap"] == pytest.approx(7 * (13 * 2) * (3 * 5) * 50**2 * 1e-3 / 3600)
    assert plan.disk_gib["rdm"] == pytest.approx(13 * 2 * (50 * 49 / 2) * 8 / 2**30)
    assert plan.disk_gib["training"] == pytest.approx(13 * 4 / 2**10)
    assert plan.memory_gib["training"] == pytest.approx(16e-6 + 1600 * 3 * 64**2 / 2**30)
    assert (plan.jobs["training"], plan.jobs["rdm"], plan.jobs["preparation"]) == (12, 13, 1)
    split = scale.plan_lab(lab._replace(job_a_person=True), planted(1e-3), planted(1e-6), ABOUT).set_index("stage")
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
    first, later = (scale.next_bottleneck(planned, memory_gib=128) for planned in (one, many))
    assert (first.stage, first.second, first.without) == ("training", "bootstrap", pytest.approx(30))
    assert (later.stage, later.too_large) == ("bootstrap", "bootstrap")


def test_tables_of_labs_and_machines_are_their_single_plans_one_below_the_other():
    labs = [scale.Lab(name, images=n, subjects=5) for name, n in (("few", 100), ("many", 20_000))]
    laws = planted(1e-6), planted(1e-6)
    plans = scale.plan_labs(labs, {"one": 1, "four": 4}, laws, ABOUT, 16, 64.0, 50.0).set_index(["lab", "machines"])
    for lab in labs:
        for name, n in (("one", 1), ("four", 4)):
            alone = scale.on_machines(scale.plan_lab(lab, *laws, ABOUT), n, 16, 64.0, 50.0)
            assert plans.loc[(lab.name, name)].hours.tolist() == alone.hours.tolist()
    found = scale.bottleneck_table(labs, 4, laws, ABOUT, 16, 64.0, [50.0, 1e9]).set_index(["lab", "chapter 01"])
    today = plans.loc[("many", "four")].set_index("stage").hours
    row = found.loc[("many", "one job")].iloc[0]
    assert (row.bottleneck, row.days) == (today.idxmax(), pytest.approx(today.sum() / 24))
    assert row.its_share == pytest.approx(today.max() / today.sum())
    assert (found.loc[("many", "a job a person")].days.to_numpy() <= found.loc[("many", "one job")].days).all()


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
