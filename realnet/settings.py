"""The settings of a study: read from a file and checked; the list of its networks, and where its files lie."""

import difflib
import glob
import os
import re
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from realnet.errors import InvalidInput, MissingInput
from realnet.sections import (
    EegSettings,
    FmriSettings,
    InferenceSettings,
    Name,
    NetworkSettings,
    Settings,
    SimulationSettings,
    Text,
    TrainingSettings,
    raw_folder_is_its_own,
)

REPOSITORY = Path(__file__).resolve().parents[1]

#: The settings that each notebook's results depend on: parameters of its rule, and stored in its files.
DEPENDS_ON = {
    "00_simulated_data": ("simulated",),
    "01_data": ("simulated", "fmri", "stimulus_sets", "network.aligned"),
    "01b_eeg_data": ("simulated", "eeg"),
    "02_training": ("network", "fmri.dataset", "stimulus_sets", "training"),
    "03_fmri_within_subject": ("inference", "fmri.test_sets", "main_networks"),
    "03b_baselines": ("inference", "network", "fmri", "main_networks"),
    "04_fmri_across_subjects": ("inference", "main_networks"),
    "05_eeg": ("inference", "main_networks"),
    "06_object_dimensions": ("inference", "main_networks"),
    "07_behavior": ("inference", "network", "networks"),
    "08_beta_sweep": ("inference", "fmri.test_sets", "networks"),
    "10_objects92": ("inference",),
    "10b_real_brains": ("inference",),
    "13_paper_beside_ours": ("inference.level", "networks"),
    "index": ("inference.level", "main_networks", "description"),
}  # fmt: skip

#: Which networks a study trains; the weights of one network do not depend on the others.
_WHICH_NETWORKS = {"betas", "main_beta", "seeds", "shuffled", "shuffled_within"}


class Network(NamedTuple):
    """One network of a study: rows of its tables, and the stem of its files."""

    model: str  # cornet, control, realnet, shuffled, shuffled_within
    subject: int  # the one whose fMRI it was trained on; 0 for cornet and control
    beta: float
    seed: int

    @property
    def stem(self):
        """``cornet``, ``control_seed-0``, ``sub-01_beta-40_seed-0``, ``sub-01_beta-40_seed-0_shuffled``."""
        if self.model == "cornet":
            return "cornet"
        if self.model == "control":
            return f"control_seed-{self.seed}"
        ending = "" if self.model == "realnet" else f"_{self.model}"
        return f"sub-{self.subject:02d}_beta-{self.beta:g}_seed-{self.seed}{ending}"

    @property
    def trained_on(self):
        """``sub-01``, or empty for CORnet and Control, which are not aligned with a subject."""
        return f"sub-{self.subject:02d}" if self.subject else ""

    @property
    def columns(self):
        """The columns that identify this network in every table."""
        return {"model": self.model, "trained_on": self.trained_on, "beta": self.beta, "seed": self.seed}


class Study(Settings):
    """All settings of one study (``studies/<name>.yml``)."""

    name: Name = Field(description="also the folder of its results")
    description: Annotated[Text, BeforeValidator(lambda t: " ".join(t.split()) if isinstance(t, str) else t)] = Field(
        description="one sentence, shown on the landing page"
    )
    raw: Annotated[Text, AfterValidator(raw_folder_is_its_own)] = Field(
        "data/raw", description="published files, one folder per dataset"
    )
    simulated: SimulationSettings | None = Field(None, description="write simulated recordings below raw")
    network: NetworkSettings = NetworkSettings()
    fmri: FmriSettings = FmriSettings()
    training: TrainingSettings = TrainingSettings()
    eeg: EegSettings = EegSettings()
    inference: InferenceSettings = InferenceSettings()

    @model_validator(mode="after")
    def _sections_go_together(self):
        fmri = self.fmri
        if self.trains and not (fmri.subjects and "natural" in fmri.test_sets):
            raise ValueError("training needs fmri.subjects, and natural among fmri.test_sets; see network.aligned")
        if not self.trains and (self.simulated or fmri.dataset != "shen2019"):
            raise ValueError("network.aligned released needs fmri.dataset shen2019, not simulated")
        if not self.aligned_subjects:
            raise ValueError("fmri.subjects and eeg.subjects are both empty: there is nothing to compare networks with")
        if self.simulated and self.fmri.dataset != "shen2019":
            raise ValueError(f"a simulated study has fmri.dataset shen2019, not {self.fmri.dataset}")
        if self.simulated and max(self.eeg.subjects, default=0) > self.simulated.n_eeg_subjects:
            raise ValueError(f"eeg.subjects must not exceed simulated.n_eeg_subjects {self.simulated.n_eeg_subjects}")
        if self.training.loss != "encoding" and self.fmri.component_scaling == "zscore":
            raise ValueError("fmri.component_scaling zscore loses the similarities that training.loss uses: set global")
        return self

    def raw_folder(self, dataset):
        """Folder of the published files of ``dataset``."""
        return project_root() / self.raw / dataset

    @property
    def prepared(self):
        """Folder of the arrays prepared from the published files."""
        return project_root() / "data" / "prepared" / self.name

    @property
    def results(self):
        """Folder of all results: ``networks rdms tables figures notebooks logs``."""
        return project_root() / "results" / self.name

    @property
    def trains(self):
        """Whether the study trains its networks; otherwise they are the authors' released ones."""
        return self.network.aligned == "trained"

    @property
    def aligned_subjects(self):
        """The subjects whose responses networks are aligned with: of the fMRI, or of the EEG where there is none."""
        return self.fmri.subjects or self.eeg.subjects

    @property
    def stimulus_sets(self):
        """The image sets for which RDMs of every network are computed."""
        return (*(self.fmri.test_sets if self.fmri.subjects else ()), *(["things"] if self.eeg.subjects else []))

    @property
    def image_sets(self):
        """All image sets that are read: those of training too, where the study trains."""
        return (*(["training"] if self.trains else []), *self.stimulus_sets)

    @property
    def left_out(self):
        """The notebooks that are not run because this study has no data for them."""
        absent = {
            "00_simulated_data": not self.simulated,
            "01b_eeg_data": not self.eeg.subjects,
            "03_fmri_within_subject": not self.fmri.subjects,
            "04_fmri_across_subjects": not self.fmri.other_subjects,
            "05_eeg": not self.eeg.subjects,
            "06_object_dimensions": not self.eeg.subjects,  # uses the images of the EEG
            "07_behavior": not (self.simulated or self._files_of_behavior()),
            "08_beta_sweep": not self.trains,
        }
        return [notebook for notebook, left_out in absent.items() if left_out]

    def _files_of_behavior(self):
        """Whether there are ImageNet's validation images, or decisions of people."""
        real = (self.raw_folder("geirhos2021"), project_root() / "data/raw/geirhos2021", os.environ.get("REALNET_DATA"))
        patterns = [(self.raw_folder("imagenet"), "val/*/*"), *((folder, "**/*_session_*.csv") for folder in real)]
        return any(folder and _is_there(folder, pattern) for folder, pattern in patterns)

    def networks(self):
        """Every network of the study: CORnet, Control per seed, and per subject and seed each beta and each shuffle.

        Betas other than the main one are trained with the first seed alone. Released are ReAlnets at the main beta.
        """
        training = self.training
        if not self.trains:
            released = [Network("realnet", subject, training.main_beta, 0) for subject in self.aligned_subjects]
            return [Network("cornet", 0, 0, 0), *released]
        rows = [Network("cornet", 0, 0, 0), *(Network("control", 0, 0, seed) for seed in training.seeds)]
        shuffles = [name for name in ("shuffled", "shuffled_within") if getattr(training, name)]
        for subject in self.fmri.subjects:
            for seed in training.seeds:
                betas = training.betas if seed == training.seeds[0] else (training.main_beta,)
                rows += [Network("realnet", subject, beta, seed) for beta in betas]
                rows += [Network(model, subject, training.main_beta, seed) for model in shuffles]
        return rows

    def main_networks(self):
        """The networks of the main figures: CORnet, Control, and ReAlnet and shuffled ones at the main beta."""
        return [n for n in self.networks() if not n.subject or n.beta == self.training.main_beta]

    def find_network(self, stem):
        """The network whose files have this stem; `InvalidInput` names those that the study has."""
        for network in self.networks():
            if network.stem == stem:
                return network
        stems = [n.stem for n in self.networks()]
        raise InvalidInput(f"study {self.name} has no network {stem!r}: it has {', '.join(stems[:8])}, ...")

    def settings_of(self, notebook):
        """The settings that the results of a notebook depend on: dict key -> value that JSON can hold."""
        settings = self.model_dump(mode="json") | {"stimulus_sets": list(self.stimulus_sets)}
        settings["training"] = {k: v for k, v in settings["training"].items() if k not in _WHICH_NETWORKS}
        settings["networks"] = [n.stem for n in self.networks()]
        settings["main_networks"] = [n.stem for n in self.main_networks()]
        chosen = {}
        for name in DEPENDS_ON[notebook]:
            section, _, key = name.partition(".")
            chosen[name] = settings[section][key] if key else settings[section]
        return chosen


def project_root():
    """The folder that contains data/ and results/: the repository, or ``REALNET_ROOT`` where that is set."""
    given = os.environ.get("REALNET_ROOT")
    if given is None:
        return REPOSITORY
    if not os.path.isabs(given) or not os.path.isdir(given):
        raise InvalidInput(f"REALNET_ROOT is {given!r}: expected the absolute path of an existing folder")
    return Path(given).resolve()


def nearest(word, known):
    """'; did you mean x?' for the most similar known word, else the list of known words."""
    match = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {match[0]!r}?" if match else f"; known are {', '.join(known)}"


def study_file(name):
    """Path of a study's settings: ``studies/<name>.yml``, or ``name`` itself where it ends in .yml."""
    return Path(name).resolve() if str(name).endswith((".yml", ".yaml")) else REPOSITORY / "studies" / f"{name}.yml"


def load_study(name):
    """Read and check a study: ``demo`` for ``studies/demo.yml``, or the path of a .yml file; a Study stays as it is.

    Raises `MissingInput` or `InvalidInput`: one sentence with file, key, what was expected and what came.
    """
    if isinstance(name, Study):
        return name
    project_root()
    path = study_file(name)
    if not path.is_file():
        known = sorted(p.stem for p in (REPOSITORY / "studies").glob("*.yml") if re.fullmatch(r"[a-z0-9_-]+", p.stem))
        raise MissingInput(f"there is no study file {path}{nearest(name, known)}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path} is not a readable YAML file: {' '.join(str(error).split()):.300}") from error
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"{path}: {_sentence(error)}") from error
    study = _without_absent_images(study)
    taken = REPOSITORY / "studies" / f"{study.name}.yml"
    if path.resolve() != taken.resolve() and (path.resolve().parent == taken.parent.resolve() or taken.is_file()):
        raise InvalidInput(f"{path}: name is {study.name!r}, the name of {taken}, whose results it would overwrite")
    return study


def _is_there(folder, pattern):
    """Whether a file below the folder matches; ``**``: at any depth, also through links."""
    return next(glob.iglob(f"{glob.escape(str(folder))}/{pattern}", recursive=True), None) is not None


def _without_absent_images(study):
    """The study; one of released networks without its natural images (and other subjects) until some lie there."""
    sets = tuple(name for name in study.fmri.test_sets if name != "natural")
    if study.trains or not sets or _is_there(study.raw_folder("shen2019"), "**/n[0-9]*_[0-9]*.[jJpP]*"):
        return study
    return study.model_copy(update={"fmri": study.fmri.model_copy(update={"test_sets": sets, "other_subjects": ()})})


def _sentence(error):
    """The first mistake that pydantic found, as one sentence that names the key."""
    first = error.errors(include_url=False)[0]
    keys = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        model = Study
        for key in keys[:-1]:
            model = next(c for c in (_SECTIONS.get(key), model) if c)
        return f"unknown key {'.'.join(keys)!r}{nearest(keys[-1], model.model_fields)}"
    message = " ".join(first["msg"].removeprefix("Value error, ").replace("tuple", "list").split())
    given = "" if isinstance(first.get("input"), dict) else f" (got {first.get('input')!r:.80})"
    return f"{'.'.join(keys) or 'the study'}: {message:.300}{given}"


_SECTIONS = {"simulated": SimulationSettings, "network": NetworkSettings, "fmri": FmriSettings,
             "training": TrainingSettings, "eeg": EegSettings, "inference": InferenceSettings}  # fmt: skip
