"""The settings of one study, read from a file and checked, and where each of its results lives."""

import difflib
import numbers
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from realnet.errors import InvalidInput, MissingInput
from realnet.places import REPOSITORY, check_environment, project_root
from realnet.settings import (
    EegSettings,
    FmriSettings,
    InferenceSettings,
    Layer,
    Name,
    NetworkSettings,
    Positive,
    Settings,
    Text,
    TrainingSettings,
    WorldSettings,
)
from realnet.study_file import read_study_file, shown, validate

__all__ = [
    "REPOSITORY", "EegSettings", "FmriSettings", "InferenceSettings", "Layer", "Name", "Network", "NetworkSettings",
    "Positive", "Settings", "Study", "TrainingSettings", "WorldSettings", "load_study", "project_root",
]  # fmt: skip


def _one_line(text):
    """A description may be written over several lines of the file."""
    return " ".join(text.split()) if isinstance(text, str) else text


def _a_folder(raw):
    """The folder of raw data is one of its own: files are written to and looked for at any depth below it."""
    if Path(raw) == Path() or ".." in Path(raw).parts or Path(raw) == Path("/"):
        raise ValueError("must be a folder of its own below the project, such as data/raw, or an absolute path")
    if Path(raw).parts[0] in ("results", "realnet", "notebooks", "studies") or Path(raw).parts[:2] == (
        "data",
        "prepared",
    ):
        raise ValueError("must not lie among results, prepared arrays or sources; data/raw is the usual place")
    return raw


class Network(NamedTuple):
    """One network of a study: a row of its tables, and the stem of its files."""

    model: str  # cornet, control, realnet, null
    subject: int  # the one whose fMRI it was trained on; 0 for cornet
    beta: float
    seed: int

    @property
    def stem(self):
        """``cornet``, ``sub-01_beta-40_seed-0`` or ``sub-01_beta-40_seed-0_null``."""
        if self.model == "cornet":
            return "cornet"
        null = "_null" if self.model == "null" else ""
        return f"sub-{self.subject:02d}_beta-{self.beta:g}_seed-{self.seed}{null}"

    @property
    def trained_on(self):
        """``sub-01``, or nothing for the network that no brain has taught."""
        return f"sub-{self.subject:02d}" if self.subject else ""

    @property
    def columns(self):
        """The columns that name this network in every table."""
        return {"model": self.model, "trained_on": self.trained_on, "beta": self.beta, "seed": self.seed}


class Study(Settings):
    """All settings of one study (``studies/<name>.yml``).

    ``simulated`` present means: the recordings under ``raw`` are written by ``realnet.datasets.simulated``.
    """

    name: Name = Field(description="also the folder of its results")
    description: Annotated[Text, BeforeValidator(_one_line)] = Field(
        description="one sentence, shown on the landing page"
    )
    raw: Annotated[Text, AfterValidator(_a_folder)] = Field(
        "data/raw", description="published files, one folder per dataset"
    )
    simulated: WorldSettings | None = None
    network: NetworkSettings = NetworkSettings()
    fmri: FmriSettings = FmriSettings()
    training: TrainingSettings = TrainingSettings()
    eeg: EegSettings = EegSettings()
    inference: InferenceSettings = InferenceSettings()

    @model_validator(mode="after")
    def _simulated_people_are_there(self):
        if self.simulated is None:
            return self
        if self.fmri.dataset != "shen2019":
            raise ValueError(f"a simulated study has fmri.dataset shen2019, not {self.fmri.dataset}")
        most = self.simulated.n_eeg_subjects
        if max(self.eeg.subjects, default=0) > most:
            raise ValueError(f"eeg.subjects go to {max(self.eeg.subjects)}, but simulated.n_eeg_subjects is {most}")
        return self

    def raw_folder(self, dataset):
        """Where the published files of ``dataset`` lie."""
        return project_root() / self.raw / dataset

    @property
    def prepared(self):
        """Labelled arrays made from the published files."""
        return project_root() / "data" / "prepared" / self.name

    @property
    def results(self):
        """Everything the study finds: ``networks rdms tables figures notebooks logs``."""
        return project_root() / "results" / self.name

    @property
    def stimulus_sets(self):
        """The sets of images for which every network gets RDMs: the test sets, and the EEG's where it is studied."""
        return (*self.fmri.test_sets, *(["things"] if self.eeg.subjects else []))

    @property
    def left_out(self):
        """The notebooks of which this study has no data: they do not run, and the book goes without them."""
        without = {
            "00_simulated_world": not self.simulated,
            "04_fmri_across_subjects": not self.fmri.other_subjects,
            "05_eeg": not self.eeg.subjects,
            "06_object_dimensions": not self.eeg.subjects,  # their objects are the EEG's images
        }
        return [chapter for chapter, left_out in without.items() if left_out]

    def networks(self):
        """Every network of the study: CORnet, and per subject and seed Control, each beta, and the null network."""
        training = self.training
        rows = [Network("cornet", 0, 0, 0)]
        for subject in self.fmri.subjects:
            for seed in training.seeds:
                rows.append(Network("control", subject, 0, seed))
                rows += [Network("realnet", subject, beta, seed) for beta in training.betas]
                if training.shuffled_null:
                    rows.append(Network("null", subject, training.main_beta, seed))
        return rows

    def find_network(self, subject=0, beta=0, seed=0, shuffled=False):
        """The network of this study with these properties; ``subject`` 0 is CORnet, ``beta`` 0 is Control.

        Raises
        ------
        InvalidInput
            Names what the study has, so that a subject, beta or seed that does not exist is found at once.
        """
        for name, value in (("subject", subject), ("beta", beta), ("seed", seed)):
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise InvalidInput(f"{name} must be a number, such as 1, not {shown(value)}")
        if not isinstance(shuffled, bool):
            raise InvalidInput(f"shuffled must be True or False, not {shown(shuffled)}")
        if subject == 0:
            return Network("cornet", 0, 0, 0)
        model = "null" if shuffled else ("realnet" if beta else "control")
        networks = self.networks()
        wanted = Network(model, subject, beta, seed)
        if wanted not in networks:
            trained = [n for n in networks if n.subject]
            known = {name: sorted({getattr(n, name) for n in trained}) for name in ("subject", "beta", "seed")}
            has = "; ".join(f"{name} {', '.join(f'{v:g}' for v in values)}" for name, values in known.items())
            raise InvalidInput(
                f"study {self.name} has no {model} network with subject {shown(subject)}, beta {shown(beta)}, seed"
                f" {shown(seed)}: it has {has}"
            )
        return wanted


def load_study(name):
    """Read and check a study.

    Parameters
    ----------
    name : str, path or Study
        ``demo`` for ``studies/demo.yml``, or the path of a file of your own; a study that was read already is returned.

    Raises
    ------
    MissingInput, InvalidInput
        One sentence that names the file, the key, what was expected and what came.
    """
    if isinstance(name, Study):  # a notebook's cell may be run twice
        return name
    check_environment()
    path = Path(name) if str(name).endswith((".yml", ".yaml")) else REPOSITORY / "studies" / f"{name}.yml"
    if not path.is_file():
        known = sorted(p.stem for p in (REPOSITORY / "studies").glob("*.yml"))
        near = difflib.get_close_matches(str(name), known, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ":"
        raise MissingInput(
            f"no study file {path}{meant} use one of {', '.join(known)}, or the path of your own .yml file"
        )
    study = validate(Study, read_study_file(path), path)
    _check_name(study.name, path.resolve())
    return study


def _check_name(name, path):
    """Results lie under the name of a study: a copied file must not write over those of the file it was copied from."""
    folder = (REPOSITORY / "studies").resolve()
    taken = folder / f"{name}.yml"
    if path != taken and (path.parent == folder or taken.is_file()):
        raise InvalidInput(
            f"{path}: name is {name!r}, under which the results of {taken} lie; expected {path.stem!r}, as the file is"
            " called"
        )
