"""Chapter 10: the similarities are those of scipy, with intervals; data and weights are found where they lie."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr, t

from realnet.activations import normalise, prepare_arrays
from realnet.analyses.objects92 import brains_of, load_objects, objects92_table, real_networks, session_table
from realnet.cornet import LAYERS, CORnetS
from realnet.errors import MissingInput
from realnet.networks import load_pretrained
from realnet.similarity import noise_ceiling
from realnet.statistics import bootstrap_similarities


@pytest.fixture(scope="module")
def objects():
    from realnet.datasets import objects92

    return objects92.load()


def test_similarities_are_those_of_scipy_and_intervals_generalise_over_images_and_people(study, objects):
    torch.manual_seed(0)
    network = CORnetS(width=0.0625, n_classes=5).eval()
    table = objects92_table(objects, {"cornet": (network, LAYERS)}, study.inference)
    assert len(table) == len(LAYERS) * (4 + 1 + 16 + 3)  # each person and monkeys, and the mean of each of the three
    with torch.no_grad():
        units = network.activations(normalise(prepare_arrays(objects.images.values, 224)))["V2"].flatten(1)
    model = pdist(units.double().numpy(), "correlation")
    for roi, brains in brains_of(objects).items():
        rows = table[(table.layer == "V2") & (table.roi == roi)].set_index("subject")
        expected = {str(p.subject.values): spearmanr(model, p.values).statistic for p in brains}
        expected["mean"] = np.mean(list(expected.values()))
        assert rows.value.to_dict() == pytest.approx(expected, abs=1e-5)
        assert (rows.lower < rows.value).all() and (rows.value < rows.upper).all()
        if len(brains) > 1:
            assert rows.ceiling_upper.unique() == pytest.approx(noise_ceiling(brains.values)[1])
    people = table.query("layer == 'V2' and roi == 'IT, 4 people'").set_index("subject")
    samples = bootstrap_similarities(model[None], brains_of(objects)["IT, 4 people"].values, 50, study.inference.seed)
    images, people_too = samples.mean(axis=2).var(ddof=1), people.value.drop("mean").var(ddof=1) / 4
    half_width = np.sqrt(t.ppf(0.975, 91) ** 2 * images + t.ppf(0.975, 3) ** 2 * people_too)
    assert people.upper["mean"] - people.value["mean"] == pytest.approx(half_width, rel=1e-3)


def test_sessions_are_compared_within_and_between_people(study, objects):
    table = session_table(objects, study.inference)
    rdms = objects.session_rdms.values
    rho = np.array([[spearmanr(first, second).statistic for second in rdms[:, 1]] for first in rdms[:, 0]])
    found = table.pivot(index="subject", columns="metric", values="value")
    assert found.same_person["KO"] == pytest.approx(rho[1, 1])
    assert found.other_people["KO"] == pytest.approx(np.delete(rho[1], 1).mean())
    assert found.difference["mean"] == pytest.approx((found.same_person - found.other_people)["mean"])
    assert found.same_person["mean"] == pytest.approx(np.trace(rho) / 4)


def test_without_the_15_people_the_chapter_says_where_they_would_be(study, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_DATA", str(tmp_path))
    objects, message = load_objects(study)
    assert set(brains_of(objects)) == {"IT, 4 people", "IT, monkeys", "judgements, 16 people"}
    assert f"no 92/target_fmri.mat below {tmp_path}" in message


def test_the_15_people_join_where_their_file_is(study, real_data, monkeypatch):
    monkeypatch.setenv("REALNET_DATA", str(real_data))
    objects, message = load_objects(study)
    assert {"EVC, 15 people", "IT, 15 people"} <= set(brains_of(objects)) and "are here, too" in message


def test_more_people_and_weights_are_in_the_raw_folder_of_the_study_or_in_data_raw(study, tmp_path, monkeypatch):
    monkeypatch.delenv("REALNET_DATA", raising=False)
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    own = study.model_copy(update={"raw": "elsewhere"})
    (tmp_path / "elsewhere" / "objects92").mkdir(parents=True)
    assert "elsewhere/objects92 " in load_objects(own)[1]
    (tmp_path / "data" / "raw" / "objects92").mkdir(parents=True)
    (tmp_path / "elsewhere" / "objects92").rmdir()
    assert "data/raw/objects92 " in load_objects(own)[1]
    weights = tmp_path / "elsewhere" / "cornet_s" / "cornet_s.pth"
    weights.parent.mkdir()
    torch.save({"state_dict": CORnetS().state_dict()}, weights)
    assert set(real_networks(own)) == {"efficientnet-lite0", "cornet"}


def test_hidden_files_of_macos_are_not_taken_for_the_weights(study, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    folder = study.raw_folder(study.network.weights)
    folder.mkdir(parents=True)
    (folder / "._cornet_s-1d3f7974.pth").write_bytes(b"Mac OS X")
    assert set(real_networks(study)) == {"efficientnet-lite0"}
    with pytest.raises(MissingInput, match="checkpoint of CORnet-S"):
        load_pretrained(study)
