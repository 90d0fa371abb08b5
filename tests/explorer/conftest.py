"""Files of a small study (random RDMs, one colour per image), and the data of its explorer."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from small_study import LAYERS, ROIS, SETTINGS, N, patterns

from realnet.io import save_model_rdms, save_prepared
from realnet.rdm import correlation_rdm, labelled
from realnet.settings import Study
from workflow import explorer


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """A folder with the files of a small study (random RDMs, one colour per image), and the data of its explorer."""
    root = tmp_path_factory.mktemp("small")
    forms = [f"colorExpStim{i}_{['red', 'blue', 'green'][i % 3]}_form{i // 3}" for i in range(N["shapes"])]
    names = {name: [f"{name}-{i}" for i in range(n)] for name, n in N.items()} | {"shapes": forms}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALNET_ROOT", str(root))
        study, rows = Study.model_validate(SETTINGS), []
        for name, stimuli in names.items():
            for i, stimulus in enumerate(stimuli):
                path = root / "images" / f"{stimulus}.png"
                path.parent.mkdir(exist_ok=True)
                Image.new("RGB", (80, 80), (20 * i, 250 - 20 * i, 100)).save(path)
                rows.append((name, stimulus, path.relative_to(root)))
        study.prepared.mkdir(parents=True)
        table = pd.DataFrame(rows, columns=["stimulus_set", "stimulus", "path"])
        table.to_csv(study.prepared / "stimuli.csv", index=False)
        for seed, network in enumerate(study.networks()):
            rdms = {
                name: labelled(correlation_rdm(patterns(2, n, 7, seed=seed)), names[name], ["layer"], layer=LAYERS)
                for name, n in N.items()
            }
            save_model_rdms(study, network, rdms)
        axes = {"subject": ["sub-01", "sub-02"], "roi": ROIS}
        fmri = {
            name: labelled(correlation_rdm(patterns(2, 2, N[name], 5)), names[name], ("subject", "roi"), **axes)
            for name in study.fmri.test_sets
        }
        save_prepared(study, "shen2019_rdms", fmri)
        save_prepared(study, "horikawa2017_rdms", {"natural": fmri["natural"] * 0.9})
        accuracies = np.random.default_rng(1).integers(20, 40, (3, 20, 45)) / 40  # with many ties
        axes = {"subject": ["sub-01", "sub-02", "sub-03"], "time": np.arange(20) / 100}
        eeg = labelled(accuracies, names["things"], ("subject", "time"), **axes)
        save_prepared(study, "things_eeg2_rdms", {"things": eeg})
        concepts = [f"concept-{i}" for i in range(N["things"])]
        values = xr.DataArray(patterns(10, 2), {"concept": concepts[::-1], "dimension": ["animal", "red"]})
        metadata = pd.DataFrame({"stimulus": names["things"], "concept": concepts})
        patch.setattr(explorer.things_eeg2, "load_metadata", lambda _: metadata)
        patch.setattr(explorer.things_dimensions, "load", lambda _: values)
        explorer.write_explorer(study, root / "book")
    return root


@pytest.fixture
def study(root, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(root))
    return Study.model_validate(SETTINGS)
