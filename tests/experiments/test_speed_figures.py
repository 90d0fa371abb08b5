"""Appendix 12: the figures show what the tables of the benchmarks say."""

import json

import numpy as np
import pytest

from experiments.figures.speed import plot_growth, plot_repeats, plot_speed
from experiments.tables.speed import comparisons, growth_curve, load_benchmarks, plan_rdm
from realnet.errors import InvalidInput, MissingInput


def measured(work, peer_seconds, our_seconds, **more):
    ratio = peer_seconds / our_seconds if peer_seconds else None
    return {"work": work, "peer": "peer", "peer_seconds": peer_seconds, "our_seconds": our_seconds, "ratio": ratio,
            "agreement": "equal", "must": None, "aim": None, "limit": None, "note": "",
            "growth": None} | more  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    growth = [{"images": n, "seconds": 2e-7 * n**2, "working_mib": 80.0, "bound_mib": 88.0} for n in (200, 400, 800)]
    repeats = [{"accuracy": a, "repeats": n, "reliability": n / (n + 1), "seconds": 5.0 * n, "peer_seconds": 5e3 * n}
               for a in (0.62, 0.95) for n in (1, 2, 4)]  # fmt: skip
    reports = {
        "rdms": [measured("fast", 100.0, 1.0, must=60, aim=90, limit=296),
                 *[measured("grows", None, point["seconds"], growth=point) for point in growth]],
        "training": [measured("slow", 2.0, 1.0, must=2.5, aim=3.2), measured("enough", 3.0, 1.0, must=2.5, aim=3.2)],
        "decoding": [measured("free", 7.0, 1.0), *[measured("more", None, 1.0, growth=point) for point in repeats]],
    }  # fmt: skip
    for name, rows in reports.items():
        report = {"benchmark": name, "machine": {"processor": "a processor"}, "rows": rows}
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    return tmp_path


@pytest.fixture
def rows(folder):
    return load_benchmarks(folder)[0]


def test_what_was_reached_follows_from_ratio_must_and_aim(rows):
    table = comparisons(rows)
    assert dict(zip(table.work, table.reached, strict=True)) == {
        "free": "", "fast": "aim", "slow": "missed", "enough": "must",
    }  # fmt: skip


def test_without_measurements_or_with_a_damaged_one_the_reader_says_so(folder, tmp_path):
    with pytest.raises(MissingInput, match="run `make benchmarks`"):
        load_benchmarks(tmp_path / "nowhere")
    (folder / "images.json").write_text('{"rows": [')
    with pytest.raises(InvalidInput, match=r"images\.json is not what a benchmark writes"):
        load_benchmarks(folder)


def test_the_plan_continues_a_square(rows):
    plan = plan_rdm(growth_curve(rows, "rdms"), n_images=10_000, n_units=1000)
    assert plan.seconds == pytest.approx(2e-7 * 1e8) and plan.exponent == pytest.approx(2)
    assert plan.pairs == 49_995_000 and plan.result_gib == pytest.approx(8 * 49_995_000 / 2**30)
    assert plan.input_gib == pytest.approx(4e7 / 2**30)
    assert plan.working_gib == pytest.approx(8 * (10_000 * 4096 + 2 * 10_000**2) / 2**30)


def test_speed_has_a_bar_per_work_as_long_as_its_ratio_and_another_colour_where_missed(rows):
    table = comparisons(rows)
    [axes] = plot_speed(table).axes
    assert [bar.get_width() for bar in axes.patches] == list(table.ratio)
    assert [text.get_text() for text in axes.get_yticklabels()] == [f"{work} (peer)" for work in table.work]
    colours = [bar.get_facecolor() for bar in axes.patches]
    missed = list(table.work).index("slow")
    assert colours.count(colours[missed]) == 1 and len(set(colours)) == 2
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), table.must)


def test_growth_shows_time_beside_its_square_and_memory_beside_its_bound(rows):
    time, memory = plot_growth(growth_curve(rows, "rdms")).axes
    np.testing.assert_allclose(time.lines[0].get_ydata(), time.lines[1].get_ydata())
    np.testing.assert_allclose(memory.lines[0].get_ydata(), 80)
    np.testing.assert_allclose(memory.lines[1].get_ydata(), 88)


def test_repeats_show_agreement_by_number_and_by_both_times(rows):
    by_number, by_time = plot_repeats(growth_curve(rows, "decoding")).axes
    assert len(by_number.lines) == 2 and len(by_time.lines) == 4
    np.testing.assert_allclose(by_number.lines[0].get_ydata(), [1 / 2, 2 / 3, 4 / 5])
    np.testing.assert_allclose(by_time.lines[0].get_xdata() * 1000, by_time.lines[1].get_xdata())
