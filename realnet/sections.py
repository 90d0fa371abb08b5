"""The sections of a study file: types, ranges and defaults of every setting."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

#: Regions of interest in the published files of Shen 2019 and Horikawa 2017.
REGIONS = ("V1", "V2", "V3", "V4", "LOC", "FFA", "PPA", "LVC", "HVC", "VC")

#: Sizes of the published recordings: subjects, trials per image of the EEG, training images, times (first, last, step).
N_SUBJECTS = {"shen2019": 3, "own": 999}
N_TRIALS, N_TRAINING_IMAGES = 80, 1200
EEG_TIMES = (-0.2, 0.79, 0.01)
CHANNELS = ("Pz", "P3", "P7", "O1", "Oz", "O2", "P4", "P8", "P1", "P5", "PO7", "PO3", "POz", "PO4", "PO8", "P6", "P2")


def _float_from_text(value):
    """YAML 1.1 reads 2e-5 (without a point) as text."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value) else value


def _unique(values):
    if len(set(values)) < len(values):
        raise ValueError("every value may appear only once")
    return values


def _printable(text):
    if not text.isprintable():
        raise ValueError("must not contain control characters")
    return text


def _relative(path):
    if not path.strip() or Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError("must be a folder below the raw data, without ..")
    return path


def raw_folder_is_its_own(path):
    """Refuse a folder of raw data that is the project itself, or contains results or sources."""
    parts = Path(path).parts
    if not parts or ".." in parts or Path(path) == Path("/"):
        raise ValueError("must be a folder below the project, such as data/raw, or an absolute path")
    if parts[0] in ("results", "realnet", "notebooks", "studies") or parts[:2] == ("data", "prepared"):
        raise ValueError("must not lie in the folders of results, prepared arrays or sources; use data/raw")
    return path


def _six_digits(beta):
    if float(f"{beta:g}") != beta:  # file names contain beta with six digits
        raise ValueError(f"a beta has at most six digits, such as {beta:g}")
    return beta


# strict types: True is not accepted as 1, nor "3" as 3
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False), BeforeValidator(_float_from_text)]
YesNo = Annotated[bool, Strict()]
Text = Annotated[str, AfterValidator(_printable)]
Positive = Annotated[Whole, Field(ge=1)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
Beta = Annotated[Number, Field(gt=0, le=1e6), AfterValidator(_six_digits)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Layer = Literal["V1", "V2", "V4", "IT"]  # realnet.cornet.LAYERS; importing torch here would slow every command
Region = Annotated[Text, Field(min_length=1, max_length=64)]
Unique = AfterValidator(_unique)


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulationSettings(Settings):
    """The simulated data set that the package ``simulation`` writes."""

    seed: Seed = 0
    image_size: Whole = Field(64, ge=16, le=1024, description="pixels per side of every simulated image")
    width: Number = Field(0.125, gt=0, le=1, description="width of the small CORnet-S")
    n_classes: Whole = Field(100, ge=2, le=250, description="object categories the small CORnet-S is trained on")
    n_pretraining_images: Whole = Field(4000, ge=2, le=1_000_000)
    pretraining_epochs: Whole = Field(12, ge=1, le=1000)
    n_voxels: Whole = Field(200, ge=1, le=100_000, description="voxels per region")
    n_eeg_subjects: Whole = Field(10, ge=1, le=10, description="subjects in the simulated THINGS EEG2")
    shared: Number = Field(0.7, ge=0, le=1, description="share of the signal common to all subjects, fMRI and EEG")
    voxel_noise: Number = Field(5.5, ge=0, le=1000, description="SD of a single repeat; signal: about 1")
    eeg_signal: Number = Field(0.1, gt=0, le=10, description="SD over images at the peak; noise of a trial: 1")
    forms: Number = Field(0.15, ge=0, lt=1, description="share of the training images that show a plain form")

    @model_validator(mode="after")
    def _every_class_has_an_image(self):
        if self.n_pretraining_images < self.n_classes:
            raise ValueError(f"n_pretraining_images must be at least n_classes ({self.n_classes})")
        return self


class NetworkSettings(Settings):
    """The CORnet-S that is aligned, and the size of its images."""

    weights: Annotated[Text, AfterValidator(_relative)] = Field(
        "cornet_s", description="folder below raw that contains the published checkpoint"
    )
    aligned: Literal["trained", "released"] = Field(
        "trained", description="released: the authors' ReAlnets as they are, without Control, and nothing is trained"
    )
    released: Annotated[Text, AfterValidator(_relative)] = Field(
        "realnet_weights", description="folder below raw that contains these, as sub-01/encoder.pt or sub-01/realnet.pt"
    )
    image_size: Whole = Field(224, ge=16, le=2048, description="pixels per side, to which every image is resized")
    crop: Literal["none", "center"] = Field(
        "none", description="center: the largest central square, as Shen et al. cropped the natural images"
    )
    average_pool: YesNo = Field(
        False, description="compare with fMRI also the spatial average of IT, a fifth layer, as released"
    )


class FmriSettings(Settings):
    """Shen 2019 or an own experiment (training and within-subject tests), and Horikawa & Kamitani 2017."""

    dataset: Literal["shen2019", "own"] = Field("shen2019", description="folder below raw with the training fMRI")
    test_sets: Annotated[tuple[Name, ...], Field(min_length=1), Unique] = Field(
        ("natural", "shapes", "letters"), description="images of this dataset that no network is trained on"
    )
    subjects: Annotated[tuple[Annotated[Positive, Field(le=999)], ...], Unique] = (1, 2, 3)
    other_subjects: Annotated[tuple[Annotated[Positive, Field(le=5)], ...], Unique] = Field(
        (1, 2, 3, 4, 5), description="subjects of Horikawa 2017, who saw Shen's natural test images; [] omits them"
    )
    rois: Annotated[tuple[Region, ...], Field(min_length=1), Unique] = ("V1", "V2", "V3", "V4", "LOC")
    training_rois: Annotated[tuple[Region, ...], Field(min_length=1), Unique] = Field(
        ("V1", "V2", "V3", "V4", "HVC"), description="regions whose voxels are the training targets"
    )
    distance: Literal["correlation", "crossnobis"] = Field("correlation", description="of the RDMs of the fMRI")
    n_components: Whole = Field(
        1024, ge=1, le=100_000, description="principal components of a subject's training responses"
    )
    voxel_scaling: Literal["zscore", "none"] = Field("zscore", description="of each voxel, before the PCA")
    component_scaling: Literal["global", "zscore", "none"] = Field(
        "global",
        description="of the components: all by one factor so that their mean variance is 1; each by its own SD",
    )

    @model_validator(mode="after")
    def _values_belong_to_the_dataset(self):
        sets, published = set(self.test_sets), {"natural", "shapes", "letters"}
        if {"training", "things"} & sets:
            raise ValueError("test_sets must name neither training nor things")
        if self.other_subjects and not (self.subjects and "natural" in sets):
            raise ValueError("other_subjects need subjects and natural among test_sets: name both, or set them to []")
        if max(self.subjects, default=1) > N_SUBJECTS[self.dataset]:
            raise ValueError(f"the subjects of {self.dataset} are 1 to {N_SUBJECTS[self.dataset]}")
        if "mean" in self.rois:
            raise ValueError("rois must not name mean, which is the mean over regions in every table")
        if self.dataset == "shen2019":
            if not sets <= published:
                raise ValueError(f"the test_sets of shen2019 are {', '.join(sorted(published))}")
            for key in ("rois", "training_rois"):
                if unknown := set(getattr(self, key)) - set(REGIONS):
                    raise ValueError(f"{key} names {unknown.pop()!r:.40}: shen2019 has {', '.join(REGIONS)}")
            if self.n_components >= N_TRAINING_IMAGES:
                raise ValueError(f"n_components must be below {N_TRAINING_IMAGES}, the number of training images")
        return self

    @property
    def main_set(self):
        """The images of the main figures: the natural ones, or the first test set of a study without them."""
        return "natural" if "natural" in self.test_sets else self.test_sets[0]


class TrainingSettings(Settings):
    """The alignment. Defaults are the paper's; the choices of the released notebook are named beside them."""

    betas: Annotated[tuple[Beta, ...], Field(min_length=1), Unique] = (10, 20, 30, 40, 50)
    main_beta: Number = Field(40, gt=0, description="the beta of the main figures")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), Unique] = (0,)
    shuffled: YesNo = Field(True, description="also train on shuffled image-response pairs, at the main beta")
    shuffled_within: YesNo = Field(False, description="also on pairs shuffled among the images of each category")
    epochs: Whole = Field(5, ge=1, le=10_000)
    batch_size: Whole = Field(16, ge=2, le=100_000)
    learning_rate: Number = Field(2e-5, gt=0, le=1)
    loss: Literal["encoding", "similarity", "both"] = Field(
        "encoding", description="similarity: of each layer's representation with the brain's; both: their sum"
    )
    contrastive: Literal["spearman", "pearson", "detached", "none"] = Field(
        "spearman", description="correlation of the contrastive loss; detached: without a gradient, as released"
    )
    batch_norm: Literal["train", "frozen"] = Field("train", description="frozen: statistics of the given weights")
    batch_norm_momentum: Number = Field(0.1, ge=0, le=1, description="0.19 reproduces the released two forward passes")
    selection: Literal["last", "best_test_loss"] = Field(
        "last", description="best_test_loss: as released; it uses the test images"
    )
    n_hidden: Whole = Field(128, ge=1, le=100_000, description="units of each layer's readout")
    layers: Annotated[tuple[Layer, ...], Field(min_length=1), Unique] = Field(
        ("V1", "V2", "V4", "IT"), description="the layers that the encoder reads"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU (cuda) where there is one")
    deterministic: YesNo = Field(True, description="on a GPU: the same run gives the same weights; slower")
    tf32: YesNo = Field(False, description="on a GPU: train in TensorFloat-32, 10 instead of 23 bits of precision")
    threads: Whole = Field(
        1, ge=1, le=1024, description="on a CPU; the weights depend on it, since it changes the order of summation"
    )

    @model_validator(mode="after")
    def _main_beta_is_trained(self):
        if self.main_beta not in self.betas:
            raise ValueError(f"main_beta {self.main_beta:g} is not one of betas")
        if self.loss != "encoding" and self.batch_size < 4:
            raise ValueError(f"loss {self.loss} correlates over pairs of images: set batch_size to 4 or more")
        if self.loss == "similarity" and self.contrastive != "spearman":
            raise ValueError(f"loss similarity has no contrastive part: leave out contrastive {self.contrastive}")
        return self


class EegSettings(Settings):
    """THINGS EEG2: subjects, times, and the decoding behind each RDM."""

    subjects: Annotated[tuple[Annotated[Positive, Field(le=10)], ...], Unique] = Field(
        tuple(range(1, 11)), description="[] omits the EEG and the object dimensions, which use its images"
    )
    window: tuple[Number, Number] = Field((0.0, 0.19), description="first and last time, seconds after image onset")
    channels: Annotated[tuple[Literal[CHANNELS], ...], Field(min_length=1), Unique] = Field(
        CHANNELS, description="channels that are decoded; the paper names all but P4, P6 and P8"
    )
    n_average: Whole = Field(5, ge=1, le=N_TRIALS, description="trials averaged into one pseudo-trial")
    n_folds: Whole = Field(5, ge=2, le=N_TRIALS)
    n_repeats: Whole = Field(2, ge=1, le=1000, description="random partitions into pseudo-trials and folds")

    @model_validator(mode="after")
    def _recorded(self):
        (start, end), (first, last, step) = self.window, EEG_TIMES
        if start > end or start < first or end > last + step:
            raise ValueError(f"window must be (start, end) within the recorded {first:g} to {last:g} s")
        if not any(start - 1e-6 <= first + i * step <= end + 1e-6 for i in range(round((last - first) / step) + 1)):
            raise ValueError(f"window contains no sample: one is recorded every {step:g} s")
        if self.n_average * self.n_folds > N_TRIALS:
            raise ValueError(f"n_folds x n_average must not exceed the {N_TRIALS} trials per image")
        return self


class InferenceSettings(Settings):
    """Bootstrap samples, permutations, and the level of confidence intervals."""

    n_bootstraps: Whole = Field(1000, ge=1, le=1_000_000)
    n_permutations: Whole = Field(10000, ge=1, le=10_000_000)
    level: Number = Field(0.95, gt=0, lt=1)
    seed: Seed = 0
