"""The edge drawings of Geirhos et al. (2021) from published files at hand, for Brain-Score's own benchmark.

Brain-Score fetches its data from its storage. The decisions and drawings behind ``Geirhos2021edge-error_consistency``
are also published as plain files (rgeirhos/texture-vs-shape); with those the benchmark runs without that storage.
"""

from pathlib import Path

import pandas as pd

from realnet.datasets.files import find_files
from realnet.errors import InvalidInput, MissingInput

BENCHMARK = "Geirhos2021edge-error_consistency"
DATASET = "Geirhos2021_edge"


def read_folder(folder):
    """The decisions of every participant and the drawings that they saw.

    Returns
    -------
    decisions : DataFrame
        One row per trial: ``subject``, ``truth`` and ``choice`` (one of 16 classes; a missing answer is ``na``),
        ``condition``, ``stimulus_id`` (``oven10``).
    drawings : dict stimulus_id -> Path

    Raises
    ------
    MissingInput, InvalidInput
        There are no decisions below the folder, or drawings are missing.
    """
    files = find_files(folder, r"edge-experiment_subject-\d+_session_1\.csv")
    if not files:
        raise MissingInput(
            f"{folder}: no edge-experiment_subject-XX_session_1.csv below this folder; see data/README.md"
        )
    table = pd.concat([pd.read_csv(file, keep_default_na=False, dtype=str) for file in files], ignore_index=True)
    names = {"subj": "subject", "category": "truth", "object_response": "choice", "condition": "condition"}
    # 0001_edg_s01_0_oven_00_oven10.png: every participant saw the drawing under another number
    stimuli = [Path(name).stem.rsplit("_", 1)[-1] for name in table["imagename"]]
    decisions = table[list(names)].rename(columns=names).assign(stimulus_id=stimuli)
    found = {path.stem: path for path in find_files(folder, r".*\.png")}
    if missing := sorted(set(stimuli) - set(found)):
        raise InvalidInput(f"{folder}: {len(missing)} drawings are missing, the first is {missing[0]}.png")
    return decisions, {stimulus: found[stimulus] for stimulus in sorted(set(stimuli))}


def register_edge(folder):
    """Let Brain-Score read its edge data set from ``folder`` (``stimuli/<class>/*.png`` and ``raw-data/*.csv``)."""
    decisions, drawings = read_folder(folder)
    import brainscore_vision.data.geirhos2021  # noqa: F401  first, so that our entry is the last
    from brainscore_vision import data_registry

    data_registry[DATASET] = lambda: _assemble(decisions, drawings)


def _assemble(decisions, drawings):
    """The decisions as Brain-Score holds them: one presentation per trial, the drawings as its set of stimuli."""
    from brainscore_core.supported_data_standards.brainio.assemblies import BehavioralAssembly
    from brainscore_core.supported_data_standards.brainio.stimuli import StimulusSet

    coordinates = ["stimulus_id", "subject", "truth", "condition"]
    assembly = BehavioralAssembly(
        decisions["choice"].to_numpy(dtype=object),
        coords={name: ("presentation", decisions[name].to_numpy(dtype=object)) for name in coordinates},
        dims=["presentation"],
    )
    rows = decisions.drop_duplicates("stimulus_id").sort_values("stimulus_id")
    stimuli = StimulusSet(rows[["stimulus_id", "truth", "condition"]].reset_index(drop=True))
    # not the name of the fetched set: Brain-Score keeps what it makes of stimuli under it
    stimuli.identifier = f"{DATASET}_at_hand"
    stimuli.stimulus_paths = drawings
    assembly.attrs["stimulus_set"] = stimuli
    assembly.attrs["identifier"] = stimuli.identifier
    return assembly
