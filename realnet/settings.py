"""The settings of a study, section by section: their types, ranges and defaults, checked when a study file is read."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

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


class WorldSettings(Settings):
    """The simulated world (``realnet.datasets.simulated``): how much of it there is, and from which seed."""

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
    shuffled_null: YesNo = Field(True, description="also train on shuffled image-response pairs, at the main beta")
    epochs: Whole = Field(5, ge=1, le=10_000)
    batch_size: Whole = Field(16, ge=2, le=100_000)
    learning_rate: Number = Field(2e-5, gt=0, le=1)
    contrast: Literal["spearman", "pearson", "detached", "none"] = Field(
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
