"""Chapter 10: the similarities are those of scipy, and the table knows the files that it was made from."""

import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from realnet import provenance
from realnet.activations import normalise, prepare_arrays
from realnet.analyses.objects92 import load_if_present, objects92_table
from realnet.cornet import LAYERS, CORnetS


def test_similarities_are_those_of_scipy_and_their_files_are_remembered(study, real_data, monkeypatch):
    monkeypatch.setenv("REALNET_DATA", str(real_data))
    monkeypatch.setattr(provenance, "_read", {})
    objects, _ = load_if_present(study)
    read = {path.name for path in provenance._read}
    assert {"Kriegeskorte_Neuron2008_supplementalData.mat", "target_fmri.mat"} <= read
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
