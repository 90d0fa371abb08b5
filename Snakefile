# The study as a graph of files. Every rule runs one notebook; an edited notebook, settings file or module of realnet
# reruns what reads it and nothing else. `make study STUDY=demo`, or: snakemake --config study=demo
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from realnet.datasets.files import find_files, real_folder
from realnet.errors import RealnetError
from realnet.notebook import modules_of
from realnet.study import REPOSITORY, load_study, project_root
from realnet.workflow import study_file


PYTHON = sys.executable
NAME = str(config.get("study", "demo"))
NAME = str(Path(NAME).resolve()) if NAME.endswith((".yml", ".yaml")) else NAME  # as seen from where one called


workdir: str(project_root())


try:
    study = load_study(NAME)
except RealnetError as error:
    raise WorkflowError(str(error))


def here(*parts):
    """A path, written from the working directory where it lies inside."""
    path = Path(*parts)
    return str(path.relative_to(project_root()) if path.is_relative_to(project_root()) else path)


def table(name):
    return here(study.results, "tables", name)


def prepared(name):
    return here(study.prepared, name)


def executed(name):
    return here(study.results, "notebooks", f"{name}.ipynb")


def code(notebook):
    """What a rule reads beside data: its notebook, the study's settings, and the modules that the notebook imports."""
    source = REPOSITORY / "notebooks" / f"{notebook}.ipynb"
    return [here(path) for path in (source, study_file(NAME), *modules_of(source))]


def files_under(folder, *endings):
    """Published files that are there, as the loaders see them; a study of real data is made again when they change."""
    pattern = rf"[^.{{}}][^{{}}]*\.(?:{'|'.join(endings)})"  # braces are wildcards to Snakemake
    return [here(path) for path in find_files(folder, pattern)] if Path(folder).is_dir() else []


NETWORKS = {network.stem: network for network in study.networks()}
RDMS = [here(study.results, "rdms", f"{stem}.nc") for stem in NETWORKS]
TARGETS = {subject: prepared(f"targets_sub-{subject:02d}.nc") for subject in study.fmri.subjects}
FMRI = prepared(f"{study.fmri.dataset}_rdms.nc")
OTHERS = [prepared("horikawa2017_rdms.nc")] if study.fmri.other_subjects else []
EEG = [prepared(f"{name}_rdms.nc") for name in ("things_eeg2", "things_dimensions")] if study.eeg.subjects else []
WORLD = [here(study.raw_folder("world.json"))] if study.simulated else []
READ = [study.fmri.dataset, "horikawa2017" if OTHERS else None, *(["things_eeg2", "things_dimensions"] if EEG else [])]
RECORDINGS = WORLD or [
    file for name in READ if name for file in files_under(study.raw_folder(name), "h5", "npy", "csv", "txt", "tsv")
]
OBJECTS92 = files_under(os.environ.get("REALNET_DATA", real_folder(study, "objects92")), "mat")
GEIRHOS = os.environ.get("REALNET_DATA", real_folder(study, "geirhos2021"))


def kept(name):
    """The table of a long experiment, and what made it."""
    return [here(REPOSITORY, "experiments", "results", f"{name}{ending}") for ending in (".csv", ".json")]


# chapter: what it reads beside its code, what it writes beside its executed copy, threads where not 1, and whether it
# starts before others that could
CHAPTERS = {
    "01_data": dict(
        reads=RECORDINGS,
        writes=[*TARGETS.values(), FMRI, *OTHERS, *EEG, table("reliability.csv")],
        threads=2,
        first=True,
    ),
    "03_fmri_within_subject": dict(
        reads=[FMRI, *RDMS, *[table(f"training/{stem}.csv") for stem in NETWORKS]],
        writes=[table("fmri_within_subject.csv")],
    ),
    "04_fmri_across_subjects": dict(
        reads=[*OTHERS, *RDMS, table("fmri_within_subject.csv")],
        writes=[table("fmri_across_subjects.csv")],
    ),
    "05_eeg": dict(
        reads=[*EEG[:1], *RDMS],
        writes=[table("eeg.csv")],
    ),
    "06_object_dimensions": dict(
        reads=[*EEG[1:], *RDMS],
        writes=[table("object_dimensions.csv")],
    ),
    "07_behavior": dict(
        reads=[
            *[here(study.results, "networks", f"{stem}.safetensors") for stem in NETWORKS],
            *(WORLD or files_under(study.raw_folder("imagenet"), "json", "txt")),
            *files_under(GEIRHOS, "csv", "png", "json"),
        ],
        writes=[table("behavior.csv")],
        first=True,  # the longest of the chapters that wait for the last network
    ),
    "08_beta_sweep": dict(
        reads=[FMRI, *OTHERS, *EEG[:1], *RDMS, *kept("beta_sweep")],
        writes=[table("beta_sweep.csv")],
    ),
    "09_paper_and_release": dict(
        reads=[*kept("ablation"), *[here(study_file(name)) for name in ("paper", "released")]],
        writes=[table("choices.csv")],
    ),
    "10_objects92": dict(
        reads=OBJECTS92 + files_under(real_folder(study, "cornet_s"), "pth", "tar"),
        writes=[table("objects92.csv")],
    ),
}
CHAPTERS["00_simulated_world"] = dict(reads=[], writes=WORLD, first=True)  # everything waits for it
CHAPTERS = {chapter: files for chapter, files in CHAPTERS.items() if chapter not in study.left_out}
CHAPTERS["index"] = dict(
    reads=[
        file
        for files in CHAPTERS.values()
        for file in files["writes"]
        if file.endswith(".csv")
    ],
    writes=[table("summary.csv")],
)
CHAPTERS["13_paper_beside_ours"] = dict(  # the tables of all chapters that answer the paper
    reads=[file for name, files in CHAPTERS.items() if "03" <= name < "09" for file in files["writes"]],
    writes=[table("paper.csv")],
)
CHAPTERS["11_calibration"] = dict(reads=[*kept("calibration"), *kept("truth")], writes=[table("calibration.csv")])
CHAPTERS["14_robustness"] = dict(
    reads=[*kept("interruptions"), *kept("determinism")],
    writes=[table("robustness.csv")],
)
CHAPTERS["15_scale"] = dict(reads=kept("scale"), writes=[table("scale.csv")])
CHAPTERS["12_speed"] = dict(
    reads=files_under(REPOSITORY / "benchmarks" / "results", "json"),
    writes=[table("speed.csv")],
)

RUN = "{PYTHON:q} -m realnet.notebook {params.source:q} {output.executed:q} {params.log:q} --threads {threads} {params.given:q}"


rule all:
    localrule: True
    input:
        [executed(chapter) for chapter in CHAPTERS],
        [executed(f"02_training/{stem}") for stem in NETWORKS],
        # what was deleted is made again, also where the executed notebook is still there
        [file for files in CHAPTERS.values() for file in files["writes"]],
        [here(study.results, "networks", f"{stem}.safetensors") for stem in NETWORKS],


for chapter, files in CHAPTERS.items():

    rule:
        name: re.sub(r"^\d+_", "", chapter)
        input:
            code=code(chapter),
            data=files["reads"],
        output:
            files["writes"],
            executed=executed(chapter),
        params:
            log=here(study.results, "logs", f"{chapter}.ipynb"),
            source=here(REPOSITORY, "notebooks", f"{chapter}.ipynb"),
            given=[f"study={NAME}"],
        threads: files.get("threads", 1)
        priority: int(files.get("first", False))
        message: f"{chapter}"
        shell: RUN


def given_to_training(wildcards):
    """The parameters of 02_training for one network of the study."""
    model, subject, beta, seed = NETWORKS[wildcards.stem]
    return [f"study={NAME}", f"subject={subject}", f"beta={beta:g}", f"seed={seed}", f"shuffled={model == 'null'}"]


def targets_of(wildcards):
    """What one network learns from; those of the first subject, and the fMRI RDMs, name the images that all are shown."""
    subjects = {study.fmri.subjects[0], NETWORKS[wildcards.stem].subject} - {0}
    return [FMRI, *[TARGETS[subject] for subject in sorted(subjects)]]


rule network:
    input:
        code=code("02_training"),
        data=targets_of,
        weights=[] if study.simulated else files_under(study.raw_folder(study.network.weights), "pth", "tar"),
    output:
        here(study.results, "networks", "{stem}.safetensors"),
        here(study.results, "rdms", "{stem}.nc"),
        table("training/{stem}.csv"),
        executed=executed("02_training/{stem}"),
    params:
        log=here(study.results, "logs", "02_training", "{stem}.ipynb"),
        source=here(REPOSITORY, "notebooks", "02_training.ipynb"),
        given=given_to_training,
    wildcard_constraints:
        stem="|".join(re.escape(stem) for stem in NETWORKS),
    threads: study.training.threads
    resources:
        gpu=1,
    message: "02_training {wildcards.stem}"
    shell: RUN
