"""The comparison of two runs sees every difference, and calls nothing different that is equal."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from safetensors.torch import save_file

from experiments.determinism import BY_SNAKEMAKE, KINDS, SETTINGS, TOLERANCE, VARIANTS, compare, difference, tolerance
from realnet.io import save_arrays
from realnet.settings import Study


def write(folder, weight=1.0, rdm=2.0, value=3.0, name="realnet"):
    """A study's folder with one file of each kind."""
    results = folder / "results/small"
    for path in ("data/raw/simulated", "data/prepared/small", "results/small/networks", "results/small/tables"):
        (folder / path).mkdir(parents=True, exist_ok=True)
    (folder / "data/raw/simulated/simulation.json").write_text("{}")
    array = xr.DataArray(np.array([0.5, rdm, np.nan]), dims="pair", coords={"pair": ["a", "b", "c"]})
    save_arrays(folder / "data/prepared/small/x_rdms.nc", {"natural": array})
    save_arrays(results / "rdms/x.nc", {"natural": array, "shapes": array[:2]})
    save_file({"w": torch.tensor([0.0, weight])}, results / "networks/x.safetensors")
    table = pd.DataFrame({"model": [name, "shuffled"], "metric": ["rho", "p"], "value": [value, np.nan], "n": [1, 2]})
    table.to_csv(results / "tables/fmri_x.csv", index=False)
    return folder


def largest(tmp_path, **changes):
    table = compare(write(tmp_path / "a"), write(tmp_path / "b", **changes), "b").set_index("kind")
    assert list(table.index) == list(KINDS) and (table.n_files == 1).all()
    differs = (table.largest_difference > 0) == (table.n_equal < 1)
    assert differs.drop("similarities").all()  # a table may differ in another row
    assert not table.largest_difference[table.n_equal == 1].any()
    return table.largest_difference[table.largest_difference > 0].to_dict()


def test_equal_runs_have_no_difference(tmp_path):
    assert largest(tmp_path) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weight": 1.25}, {"weights": 0.25}),
        ({"rdm": 2.125}, {"prepared arrays": 0.125, "RDMs": 0.125}),
        ({"rdm": np.nextafter(2.0, 3)}, {"prepared arrays": 2.0**-51, "RDMs": 2.0**-51}),
        ({"value": 2.5}, {"tables": 0.5, "similarities": 0.5}),
        ({"value": np.nan}, {"tables": np.inf, "similarities": np.inf}),
        ({"name": "control"}, {"tables": np.inf}),
    ],
)
def test_the_largest_difference_is_found_where_it_is(tmp_path, changes, expected):
    assert largest(tmp_path, **changes) == expected


def test_a_missing_file_and_another_shape_are_infinitely_different(tmp_path):
    first, other = write(tmp_path / "a"), write(tmp_path / "b")
    (other / "results/small/networks/x.safetensors").unlink()
    (first / "results/small/tables/more.csv").write_text("value\n1\n2\n")
    (other / "results/small/tables/more.csv").write_text("value\n1\n")
    found = compare(first, other, "b").set_index("kind").largest_difference
    assert found["weights"] == found["tables"] == np.inf and found["RDMs"] == 0
    (tmp_path / "x.h5").write_bytes(b"1")
    assert difference(tmp_path / "x.h5", tmp_path / "x.h5") == np.inf  # asked only of files that are not equal


def test_only_what_may_round_otherwise_has_a_tolerance():
    assert Study.model_validate(SETTINGS).simulated and set(TOLERANCE) < set(KINDS)
    for variant in (*VARIANTS, BY_SNAKEMAKE):
        assert tolerance(variant, "recordings") == 0
        allowed = [tolerance(variant, kind) for kind in KINDS]
        assert any(allowed) == (variant in ("two threads", "training on two threads", BY_SNAKEMAKE))
        assert np.isinf(allowed).any() == (variant == "training on two threads")
    assert tolerance("two threads", "weights") == 0  # a training has the threads of its settings
