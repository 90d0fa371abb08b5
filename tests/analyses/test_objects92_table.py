"""Chapter 10: the similarities are those of scipy, and the data and weights are found where they lie."""

import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from realnet.activations import normalise, prepare_arrays
from realnet.analyses.objects92 import load_if_present, objects92_table, real_networks
from realnet.cornet import LAYERS, CORnetS
from realnet.errors import MissingInput
from realnet.networks import load_pretrained


def test_similarities_are_those_of_scipy(study, real_data, monkeypatch):
    monkeypatch.setenv("REALNET_DATA", str(real_data))
    objects, _ = load_if_present(study)
    torch.manual_seed(0)
    network = CORnetS(width=0.0625, n_classes=5).eval()
    table = objects92_table(objects, {"cornet": (network, LAYERS)})
    assert len(table) == len(LAYERS) * 2 * 15
    with torch.no_grad():
        units = network.activations(normalise(prepare_arrays(objects.images.values, 224)))["V2"].flatten(1)
    model = pdist(units.double().numpy(), "correlation")
    for roi in ("EVC", "IT"):
        rows = table.query("layer == 'V2' and roi == @roi").set_index("subject").value
        brains = objects.human_rdms.sel(region=roi)
        expected = {str(p.subject.values): spearmanr(model, p.values).statistic for p in brains}
        assert rows.to_dict() == pytest.approx(expected, abs=1e-5)


def test_without_the_files_the_chapter_says_how_to_get_them(study, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_DATA", str(tmp_path))
    objects, message = load_if_present(study)
    assert objects is None and "realnet data fetch objects92" in message


def test_the_objects_and_weights_are_in_the_raw_folder_of_the_study_or_in_data_raw(study, tmp_path, monkeypatch):
    monkeypatch.delenv("REALNET_DATA", raising=False)
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    own = study.model_copy(update={"raw": "elsewhere"})
    (tmp_path / "elsewhere" / "objects92").mkdir(parents=True)
    assert "elsewhere/objects92: " in load_if_present(own)[1]
    (tmp_path / "data" / "raw" / "objects92").mkdir(parents=True)
    (tmp_path / "elsewhere" / "objects92").rmdir()
    assert "data/raw/objects92: " in load_if_present(own)[1]
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
