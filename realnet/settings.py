"""The settings of a study, read from a file and checked, the list of its networks, and where its results lie."""

import difflib
import numbers
import os
import re
import reprlib
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

from realnet.errors import InvalidInput, MissingInput

#: The repository; ``REALNET_ROOT`` moves data/ and results/ elsewhere (tests and clusters do).
REPOSITORY = Path(__file__).resolve().parents[1]


def project_root():
    """The folder that holds data/ and results/: the repository, or ``REALNET_ROOT`` where that is set.

    Raises
    ------
    InvalidInput
        ``REALNET_ROOT`` is empty, not absolute, a file, or not there: results would land where nobody looks for them.
    """
    given = os.environ.get("REALNET_ROOT")
    if given is None:
        return REPOSITORY
    _check_path("REALNET_ROOT", given)
    if not os.path.isdir(given):
        raise InvalidInput(f"REALNET_ROOT is {given!r}, where there is no folder: make it, or unset REALNET_ROOT")
    return Path(given).resolve()


def check_environment():
    """Refuse variables of the environment that are wrong; the first thing that reading a study does.

    A ``REALNET_DATA`` that is not there is no error: chapter 10 says so, and goes without its real people.

    Raises
    ------
    InvalidInput
        One sentence that names the variable.
    """
    project_root()
    given = os.environ.get("REALNET_DATA")
    if given is not None:
        _check_path("REALNET_DATA", given)
    gpus = os.environ.get("REALNET_SLURM_GPUS", "1")
    if not (gpus.isascii() and gpus.isdigit()):
        raise InvalidInput(
            f"REALNET_SLURM_GPUS is {gpus!r}: it must be a whole number of GPUs, such as 1, or 0 for none"
        )


def _check_path(variable, given):
    """An absolute path that is not a file."""
    if not os.path.isabs(given):
        raise InvalidInput(f"{variable} is {given!r}: it must be the absolute path of a folder, such as /data/me/study")
    if os.path.exists(given) and not os.path.isdir(given):
        raise InvalidInput(f"{variable} is {given!r}, which is a file: it must be the absolute path of a folder")


#: Regions that the published files of Shen 2019 and Horikawa 2017 mark.
REGIONS = ("V1", "V2", "V3", "V4", "LOC", "FFA", "PPA", "LVC", "HVC", "VC")

#: What the published files hold: people, trials an image, training images, times of the EEG (first, last, step in s).
N_SUBJECTS = {"shen2019": 3, "own": 999}
N_TRIALS, N_TRAINING_IMAGES = 80, 1200
EEG_TIMES = (-0.2, 0.79, 0.01)
CHANNELS = ("Pz", "P3", "P7", "O1", "Oz", "O2", "P4", "P8", "P1", "P5", "PO7", "PO3", "POz", "PO4", "PO8", "P6", "P2")


def _number(value):
    """YAML 1.1 takes 2e-5 (without a point) for text; it is meant as a number."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value):
        return float(value)
    return value


def _once(values):
    """Each value at most once: networks, people and regions are told apart by them."""
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        raise ValueError(f"{twice[0]!r} appears twice, name each once")
    return values


def _plain(text):
    """Text that can be printed and be part of a path."""
    if any(ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000 for sign in text):
        raise ValueError("text must not hold control characters")
    return text


def _below(text):
    """A relative path that stays below its folder."""
    if not text.strip() or text.startswith("/") or ".." in text.split("/"):
        raise ValueError("must name a folder below the raw data, without .. and not absolute")
    return text


def _six_digits(beta):
    """File names and notebooks get beta as text with six digits."""
    if float(f"{beta:g}") != beta:
        raise ValueError(f"a beta has at most six digits, such as {beta:g}")
    return beta


# strict: True is no 1, and '3' no 3
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False), BeforeValidator(_number)]
YesNo = Annotated[bool, Strict()]
Text = Annotated[str, AfterValidator(_plain)]
Positive = Annotated[Whole, Field(ge=1)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
Beta = Annotated[Number, Field(gt=0, le=1e6), AfterValidator(_six_digits)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Layer = Literal["V1", "V2", "V4", "IT"]  # realnet.cornet.LAYERS, without importing torch for a settings file
Region = Annotated[Text, Field(min_length=1, max_length=64)]
Once = AfterValidator(_once)


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulationSettings(Settings):
    """The simulated world (``simulation``): how much of it there is, and from which seed."""

    seed: Seed = 0
    image_size: Whole = Field(64, ge=16, le=1024, description="pixels per side of every simulated image")
    width: Number = Field(0.125, gt=0, le=1, description="width of the small CORnet-S")
    n_classes: Whole = Field(100, ge=2, le=250, description="object categories the small CORnet-S is trained on")
    n_pretraining_images: Whole = Field(4000, ge=2, le=1_000_000)
    pretraining_epochs: Whole = Field(12, ge=1, le=1000)
    n_voxels: Whole = Field(200, ge=1, le=100_000, description="voxels per region")
    n_eeg_subjects: Whole = Field(10, ge=1, le=10, description="people in the simulated THINGS EEG2")

    @model_validator(mode="after")
    def _every_class_has_an_image(self):
        if self.n_pretraining_images < self.n_classes:
            raise ValueError(
                f"n_pretraining_images {self.n_pretraining_images} must be at least n_classes {self.n_classes}"
            )
        return self


class NetworkSettings(Settings):
    """Which CORnet-S is aligned, and how large its images are."""

    weights: Annotated[Text, AfterValidator(_below)] = Field(
        "cornet_s", description="folder under raw/ that holds the published checkpoint"
    )
    image_size: Whole = Field(224, ge=16, le=2048, description="pixels per side, to which every image is resized")
    crop: Literal["none", "center"] = Field(
        "none", description="center: the largest square in the middle, as Shen's lab cut the natural images"
    )
    average_pool: YesNo = Field(
        False, description="compare with fMRI also the average over positions in IT, a fifth layer, as released"
    )


class FmriSettings(Settings):
    """Shen 2019 or an experiment of one's own (training and within-subject tests), and Horikawa & Kamitani 2017."""

    dataset: Literal["shen2019", "own"] = Field("shen2019", description="folder under raw/ that teaches the networks")
    test_sets: tuple[Name, ...] = Field(
        ("natural", "shapes", "letters"), description="images of this dataset that no network learns from"
    )
    subjects: Annotated[tuple[Annotated[Positive, Field(le=999)], ...], Field(min_length=1), Once] = (1, 2, 3)
    other_subjects: Annotated[tuple[Annotated[Positive, Field(le=5)], ...], Once] = Field(
        (1, 2, 3, 4, 5), description="people of Horikawa 2017, who saw Shen's natural test images; [] leaves them out"
    )
    rois: Annotated[tuple[Region, ...], Field(min_length=1), Once] = ("V1", "V2", "V3", "V4", "LOC")
    training_rois: Annotated[tuple[Region, ...], Field(min_length=1), Once] = Field(
        ("V1", "V2", "V3", "V4", "HVC"), description="voxels the targets come from"
    )
    n_components: Whole = Field(
        1024, ge=1, le=100_000, description="principal components of a subject's training responses"
    )
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

    @model_validator(mode="after")
    def _people_and_regions_are_of_the_dataset(self):
        most = N_SUBJECTS[self.dataset]
        if max(self.subjects) > most:
            raise ValueError(f"the subjects of {self.dataset} are 1 to {most}, not {max(self.subjects)}")
        if "mean" in self.rois:
            raise ValueError("rois must not name mean, which stands for the mean over regions in every table")
        if self.dataset == "shen2019":
            for key in ("rois", "training_rois"):
                unknown = [roi for roi in getattr(self, key) if roi not in REGIONS]
                if unknown:
                    raise ValueError(f"{key} names {unknown[0]!r:.40}: shen2019 has {', '.join(REGIONS)}")
            if self.n_components >= N_TRAINING_IMAGES:
                raise ValueError(f"n_components {self.n_components} must be below the {N_TRAINING_IMAGES} images")
        return self


class TrainingSettings(Settings):
    """The alignment. Defaults are the paper's; the released notebook's choices are named beside them."""

    betas: Annotated[tuple[Beta, ...], Field(min_length=1), Once] = (10, 20, 30, 40, 50)
    main_beta: Number = Field(40, gt=0, description="the beta of the main figures")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), Once] = (0,)
    shuffled: YesNo = Field(True, description="also train on shuffled image-response pairs, at the main beta")
    epochs: Whole = Field(5, ge=1, le=10_000)
    batch_size: Whole = Field(16, ge=2, le=100_000)
    learning_rate: Number = Field(2e-5, gt=0, le=1)
    contrastive: Literal["spearman", "pearson", "detached", "none"] = Field(
        "spearman", description="detached: in the value, not in the gradient, as released"
    )
    batch_norm: Literal["train", "frozen"] = Field("train", description="frozen: statistics of the given weights")
    batch_norm_momentum: Number = Field(0.1, ge=0, le=1, description="0.19 reproduces the released two forward passes")
    selection: Literal["last", "best_test_loss"] = Field(
        "last", description="best_test_loss: as released; it looks at the test images"
    )
    n_hidden: Whole = Field(128, ge=1, le=100_000, description="units of each layer's readout")
    layers: Annotated[tuple[Layer, ...], Field(min_length=1), Once] = Field(
        ("V1", "V2", "V4", "IT"), description="the layers the encoder reads"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: Whole = Field(
        1, ge=1, le=1024, description="on a CPU; another number sums in another order and ends with other weights"
    )

    @model_validator(mode="after")
    def _main_beta_is_trained(self):
        if self.main_beta not in self.betas:
            betas = ", ".join(f"{beta:g}" for beta in self.betas)
            raise ValueError(f"main_beta {self.main_beta:g} is not among betas {betas:.100}")
        return self


class EegSettings(Settings):
    """THINGS EEG2: which people and times, and the decoding behind each RDM."""

    subjects: Annotated[tuple[Annotated[Positive, Field(le=10)], ...], Once] = Field(
        tuple(range(1, 11)), description="[] leaves out the EEG and, with its images, the object dimensions"
    )
    window: tuple[Number, Number] = Field((0.0, 0.19), description="first and last time, seconds after image onset")
    channels: Annotated[tuple[Literal[CHANNELS], ...], Field(min_length=1), Once] = Field(
        CHANNELS, description="those that are decoded from; the paper names all but P4, P6 and P8"
    )
    n_average: Whole = Field(5, ge=1, le=N_TRIALS, description="trials averaged into one pseudo-trial")
    n_folds: Whole = Field(5, ge=2, le=N_TRIALS)
    n_repeats: Whole = Field(2, ge=1, le=1000, description="random partitions into pseudo-trials and folds")

    @model_validator(mode="after")
    def _window_is_recorded(self):
        (start, end), (first, last, step) = self.window, EEG_TIMES
        if start > end:
            raise ValueError(f"window {self.window} ends before it begins")
        if start < first or end > last + 0.01:
            raise ValueError(f"window {self.window} must lie within the recorded {first:g} to {last:g} s")
        n_times = round((last - first) / step) + 1
        if not any(start - 1e-6 <= first + i * step <= end + 1e-6 for i in range(n_times)):
            raise ValueError(f"window {self.window} holds no sample: one is recorded every {step:g} s")
        return self

    @model_validator(mode="after")
    def _folds_have_trials(self):
        if self.n_average * self.n_folds > N_TRIALS:
            raise ValueError(
                f"n_folds {self.n_folds} of averages of n_average {self.n_average} trials need more than the"
                f" {N_TRIALS} trials of an image: lower n_folds or n_average"
            )
        return self


class InferenceSettings(Settings):
    """How sure one can be: resamples, permutations, level."""

    n_bootstraps: Whole = Field(1000, ge=1, le=1_000_000)
    n_permutations: Whole = Field(10000, ge=1, le=10_000_000)
    level: Number = Field(0.95, gt=0, lt=1)
    seed: Seed = 0


#: Bytes; a study file has some dozens of lines.
LARGEST = 100_000
#: Plain YAML: no dates, sets or objects of Python.
PLAIN = [f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")]


class _Loader(yaml.SafeLoader):
    """The plain part of YAML, a date being text; a key that appears twice and aliases (``*name``) are errors."""

    yaml_constructors = {
        tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag in PLAIN or tag is None
    } | {"tag:yaml.org,2002:timestamp": yaml.SafeLoader.construct_yaml_str}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it holds an alias (*name), write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key in (node for node, _ in node.value):
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise yaml.YAMLError(f"the key {shown(name)} appears twice, in line {key.start_mark.line + 1}")
            seen |= {name} - {None}
        return super().construct_mapping(node, deep)


def read_study_file(path):
    """The keys and values of a study file.

    Raises
    ------
    InvalidInput
        One sentence: not readable, too large, not UTF-8, not YAML, or no keys and values.
    """
    path = Path(path)
    try:
        content = path.read_bytes()[: LARGEST + 1]
        if len(content) > LARGEST:
            raise InvalidInput(f"{path} has more than {LARGEST} bytes: a study file has some dozens of lines")
        settings = yaml.load(content.decode("utf-8-sig"), _Loader)
    except InvalidInput:
        raise
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise InvalidInput(f"{path} is nested too deeply: a study has sections, keys and lists") from error
    except Exception as error:  # beside its own errors PyYAML lets those of int() and others through
        raise InvalidInput(f"{path} is not valid YAML: {' '.join(str(error).split()):.300}") from error
    if not isinstance(settings, dict):
        raise InvalidInput(f"{path} must hold keys and values such as 'name: demo', not {type(settings).__name__}")
    return settings


def validate(model, settings, path):
    """``settings`` as an object of ``model``, or an :class:`InvalidInput` that names file, key, and what is wrong."""
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise InvalidInput(f"{path}: {_sentence(error, model)}") from error


def shown(value):
    """A value as part of a sentence: short, whatever it is."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxlist, short.maxdict = 2, 60, 4, 4
    try:
        return short.repr(value)[:80]
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "a very large number"


def nearest(word, known):
    """'; did you mean x?' for the nearest known word, else the list of them."""
    known = list(known)
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _sentence(error, model):
    """The first thing that pydantic found wrong, as one sentence that names the key."""
    first = error.errors(include_url=False)[0]
    keys = [str(part) for part in first["loc"]]
    key, came = ".".join(keys), first.get("input")
    if first["type"] in ("extra_forbidden", "invalid_key"):
        for part in first["loc"][:-1]:
            field = model.model_fields.get(str(part))
            model = next(iter(_models(field.annotation)), model) if field else model
        return f"unknown key {shown(key)}{nearest(keys[-1], model.model_fields)}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing{_hint(keys, model)}"
    message = " ".join(first["msg"].removeprefix("Value error, ").split())
    got = "" if isinstance(came, dict) and first["type"] == "value_error" else f" (got {shown(came)})"
    return f"{key or 'the study'}: {message:.300}{got}"


def _hint(keys, model):
    """What a missing key is for, where the settings say so."""
    field = model.model_fields.get(keys[-1])
    return f": {field.description}" if field and field.description else ""


def _models(annotation):
    """The settings classes in an annotation such as ``SimulationSettings | None``."""
    parts = getattr(annotation, "__args__", (annotation,))
    return [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]


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
        """``cornet``, ``sub-01_beta-40_seed-0`` or ``sub-01_beta-40_seed-0_shuffled``."""
        if self.model == "cornet":
            return "cornet"
        null = "_shuffled" if self.model == "shuffled" else ""
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

    ``simulated`` present means: the recordings under ``raw`` are written by ``simulation``.
    """

    name: Name = Field(description="also the folder of its results")
    description: Annotated[Text, BeforeValidator(_one_line)] = Field(
        description="one sentence, shown on the landing page"
    )
    raw: Annotated[Text, AfterValidator(_a_folder)] = Field(
        "data/raw", description="published files, one folder per dataset"
    )
    simulated: SimulationSettings | None = None
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
            "00_simulated_data": not self.simulated,
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
                if training.shuffled:
                    rows.append(Network("shuffled", subject, training.main_beta, seed))
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
        model = "shuffled" if shuffled else ("realnet" if beta else "control")
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
