"""The settings of one study, read from a file and checked, and where each of its results lives."""

import difflib
import os
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from realnet.errors import InvalidInput, MissingInput

#: The repository; ``REALNET_ROOT`` moves data/ and results/ elsewhere (tests and clusters do).
REPOSITORY = Path(__file__).resolve().parents[1]

Positive = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Layer = Literal["V1", "V2", "V4", "IT"]  # realnet.cornet.LAYERS, without importing torch for a settings file


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WorldSettings(Settings):
    """The simulated world (``realnet.datasets.simulated``): how much of it there is, and from which seed."""

    seed: int = 0
    image_size: Positive = Field(64, description="pixels per side of every simulated image")
    width: float = Field(0.125, gt=0, le=1, description="width of the small CORnet-S")
    n_classes: Positive = Field(100, description="object categories the small CORnet-S is trained on")
    n_pretraining_images: Positive = 4000
    pretraining_epochs: Positive = 12
    n_voxels: Positive = Field(200, description="voxels per region")
    n_eeg_subjects: int = Field(10, ge=1, le=10, description="people in the simulated THINGS EEG2")


class NetworkSettings(Settings):
    """Which CORnet-S is aligned, and how large its images are."""

    weights: str = Field("cornet_s", description="folder under raw/ that holds the published checkpoint")
    image_size: Positive = Field(224, description="pixels per side; the whole image is resized, nothing is cropped")


class FmriSettings(Settings):
    """Shen 2019 or an experiment of one's own (training and within-subject tests), and Horikawa & Kamitani 2017."""

    dataset: Literal["shen2019", "own"] = Field("shen2019", description="folder under raw/ that teaches the networks")
    test_sets: tuple[Name, ...] = Field(
        ("natural", "shapes", "letters"), description="images of this dataset that no network learns from"
    )
    subjects: tuple[Positive, ...] = Field((1, 2, 3), min_length=1)
    other_subjects: tuple[Positive, ...] = Field(
        (1, 2, 3, 4, 5), description="people of Horikawa 2017, who saw Shen's natural test images; [] leaves them out"
    )
    rois: tuple[str, ...] = ("V1", "V2", "V3", "V4", "LOC")
    training_rois: tuple[str, ...] = Field(("V1", "V2", "V3", "V4", "HVC"), description="voxels the targets come from")
    n_components: Positive = Field(1024, description="principal components of a subject's training responses")
    voxel_scaling: Literal["zscore", "none"] = Field("zscore", description="of each voxel, before the PCA")
    component_scaling: Literal["global", "zscore", "none"] = Field(
        "global", description="of the components: one factor so that their mean variance is 1; each by its own; none"
    )

    @model_validator(mode="after")
    def _test_sets_are_of_the_dataset(self):
        sets, published = self.test_sets, ("natural", "shapes", "letters")
        if "natural" not in sets or len(set(sets)) < len(sets) or {"training", "things"} & set(sets):
            raise ValueError("test_sets must name natural, each set once, and neither training nor things")
        if self.dataset == "shen2019" and not set(sets) <= set(published):
            raise ValueError(f"the test_sets of shen2019 are {', '.join(published)}")
        return self


class TrainingSettings(Settings):
    """The alignment. Defaults are the paper's; the released notebook's choices are named beside them."""

    betas: tuple[Annotated[float, Field(ge=0)], ...] = (10, 20, 30, 40, 50)
    main_beta: float = Field(40, gt=0, description="the beta of the main figures")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    shuffled_null: bool = Field(True, description="also train on shuffled image-response pairs, at the main beta")
    epochs: Positive = 5
    batch_size: Annotated[int, Field(ge=2)] = 16
    learning_rate: float = Field(2e-5, gt=0)
    contrast: Literal["spearman", "pearson", "detached", "none"] = Field(
        "spearman", description="detached: in the value, not in the gradient, as released"
    )
    batch_norm: Literal["train", "frozen"] = Field("train", description="frozen: statistics of the given weights")
    batch_norm_momentum: float = Field(0.1, ge=0, le=1, description="0.19 reproduces the released two forward passes")
    selection: Literal["last", "best_test_loss"] = Field(
        "last", description="best_test_loss: as released; it looks at the test images"
    )
    n_hidden: Positive = Field(128, description="units of each layer's readout")
    layers: tuple[Layer, ...] = Field(("V1", "V2", "V4", "IT"), description="the layers the encoder reads")
    precision: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _main_beta_is_trained(self):
        if self.main_beta not in self.betas:
            raise ValueError(f"main_beta {self.main_beta:g} is not among betas {self.betas}")
        return self


class EegSettings(Settings):
    """THINGS EEG2: which people and times, and the decoding behind each RDM."""

    subjects: tuple[Positive, ...] = Field(
        tuple(range(1, 11)), description="[] leaves out the EEG and, with its images, the object dimensions"
    )
    window: tuple[float, float] = Field((0.0, 0.19), description="first and last time, seconds after image onset")
    n_average: Positive = Field(5, description="trials averaged into one pseudo-trial")
    n_folds: Annotated[int, Field(ge=2)] = 5
    n_repeats: Positive = Field(2, description="random partitions into pseudo-trials and folds")

    @model_validator(mode="after")
    def _window_is_ordered(self):
        if self.window[0] > self.window[1]:
            raise ValueError(f"window {self.window} ends before it begins")
        return self


class InferenceSettings(Settings):
    """How sure one can be: resamples, permutations, level."""

    n_bootstraps: Positive = 1000
    n_permutations: Positive = 10000
    level: float = Field(0.95, gt=0, lt=1)
    seed: int = 0


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

    name: Name
    description: str
    raw: str = Field("data/raw", description="published files, one folder per dataset")
    simulated: WorldSettings | None = None
    network: NetworkSettings = NetworkSettings()
    fmri: FmriSettings = FmriSettings()
    training: TrainingSettings = TrainingSettings()
    eeg: EegSettings = EegSettings()
    inference: InferenceSettings = InferenceSettings()

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
                f"study {self.name} has no {model} network with subject {subject}, beta {beta:g}, seed {seed}:"
                f" it has {has}"
            )
        return wanted


def project_root():
    """The folder that holds data/ and results/: the repository, or ``REALNET_ROOT`` where that is set."""
    return Path(os.environ.get("REALNET_ROOT", REPOSITORY)).resolve()


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
    path = Path(name) if str(name).endswith((".yml", ".yaml")) else REPOSITORY / "studies" / f"{name}.yml"
    if not path.is_file():
        known = sorted(p.stem for p in (REPOSITORY / "studies").glob("*.yml"))
        raise MissingInput(f"no study file {path}: use one of {', '.join(known)}, or the path of your own .yml file")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise InvalidInput(f"{path} must hold keys and values such as 'name: demo', not {type(settings).__name__}")
    try:
        return Study.model_validate(settings)
    except ValidationError as error:
        raise InvalidInput(f"{path}: {_sentence(error)}") from error


def _sentence(error):
    """The first thing that pydantic found wrong, as one sentence that names the key."""
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"]]
    key, came = ".".join(keys), first.get("input")
    if first["type"] == "extra_forbidden":
        model = Study
        for part in keys[:-1]:
            model = next(t for t in _types(model.model_fields[part].annotation) if isinstance(t, type))
        return f"unknown key {key!r}{_nearest(keys[-1], model.model_fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing"
    return f"{key or 'the study'}: {first['msg'].removeprefix('Value error, ')} (got {came!r:.80})"


def _types(annotation):
    """The settings classes in an annotation such as ``WorldSettings | None``."""
    parts = getattr(annotation, "__args__", (annotation,))
    return [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]


def _nearest(word, known):
    """'; did you mean x?' for the nearest known word, else the list of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
