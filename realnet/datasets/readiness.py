"""Which published files a study reads: inputs of the workflow, and one check that names everything that is missing."""

from pathlib import Path

import pandas as pd

from realnet.datasets import horikawa2017, own, shen2019, things_dimensions, things_eeg2
from realnet.datasets.files import find_files, find_images, find_one
from realnet.errors import InvalidInput, MissingInput, RealnetError
from realnet.io import whole_file
from realnet.settings import project_root

#: The fMRI datasets that networks can be trained on.
TRAINING_FMRI = {"shen2019": shen2019, "own": own}


def recordings(study):
    """The recordings that the data notebooks read: dict "fmri", "eeg" -> list of (dataset, what, function).

    ``function()`` returns the paths, or raises MissingInput.
    """
    fmri, raw = study.fmri, study.raw_folder
    reader, splits = TRAINING_FMRI[fmri.dataset], [name for name in study.image_sets if name != "things"]
    first = [(fmri.dataset, f"sub-{s:02d}", lambda s=s: reader.files(raw(fmri.dataset), s, splits))
             for s in fmri.subjects]  # fmt: skip
    first += [("horikawa2017", f"sub-{s:02d}", lambda s=s: horikawa2017.files(raw("horikawa2017"), s))
              for s in fmri.other_subjects]  # fmt: skip
    eeg = [("things_eeg2", f"sub-{s:02d}", lambda s=s: things_eeg2.files(raw("things_eeg2"), s))
           for s in study.eeg.subjects]  # fmt: skip
    if study.eeg.subjects:
        found = lambda: things_dimensions.files(raw("things_dimensions"))  # noqa: E731
        eeg.append(("things_dimensions", "object dimensions", found))
    return {"fmri": first, "eeg": eeg}


def recording_files(study, kind):
    """Paths of the recordings that are present, ``kind`` being "fmri" or "eeg": list of Path, without duplicates."""
    paths = {}
    for _, _, files in recordings(study)[kind]:
        try:
            paths |= dict.fromkeys(files())
        except RealnetError:
            continue  # named by `required` before a study starts
    return list(paths)


def checkpoint(study):
    """Path of the checkpoint of CORnet-S that a study starts from."""
    return find_one(study.raw_folder(study.network.weights), r"[^.].*\.(pth|pt|pth\.tar)", "the checkpoint of CORnet-S")


def released(study, subject):
    """Path of the authors' network of one subject, below ``raw/<network.released>``; the third name: Brain-Score's."""
    root, folder = study.raw_folder(study.network.released), f"sub-{subject:02d}"
    files = find_files(root, rf"(encoder|realnet)\.pt|ReAlnet{subject:02d}_best_model_params\.pt")
    files = [path for path in files if path.parent.name == folder or path.name.startswith("ReAlnet")]
    if not files:
        what = f"expected {folder}/encoder.pt or {folder}/realnet.pt below this folder"
        raise MissingInput(f"{root}: {what}, from the Google Drive folder that data/README.md names")
    if len({path.parent for path in files}) > 1:
        raise InvalidInput(f"{root}: {folder} is both {files[0]} and {files[-1]}: move one elsewhere")
    return files[0]


def stimulus_names(study, stimulus_set):
    """The ids of the images of one set, in the order of the responses: list of str."""
    if stimulus_set == "things":
        return list(things_eeg2.load_metadata(study.raw_folder("things_eeg2")).stimulus)
    return TRAINING_FMRI[study.fmri.dataset].stimulus_names(study.raw_folder(study.fmri.dataset), stimulus_set)


def image_paths(study, stimulus_set):
    """The images of one set (``training``, a test set, or ``things``), in the order of the responses.

    Returns a DataFrame ``stimulus_set stimulus path``; `MissingInput` names the images that are missing.
    """
    dataset = "things_eeg2" if stimulus_set == "things" else study.fmri.dataset
    names = stimulus_names(study, stimulus_set)
    find = own.find_images if dataset == "own" else find_images
    paths = find(study.raw_folder(dataset), names)
    return pd.DataFrame({"stimulus_set": stimulus_set, "stimulus": names, "path": [str(path) for path in paths]})


def save_stimulus_list(study):
    """Write the list of all images that the networks of a study see, ``data/prepared/<study>/stimuli.csv``.

    Returns a DataFrame ``stimulus_set stimulus path``; paths below the project are relative to it.
    """
    table = pd.concat([image_paths(study, name) for name in study.image_sets], ignore_index=True)
    root = project_root()
    table["path"] = [str(p.relative_to(root) if p.is_relative_to(root) else p) for p in map(Path, table.path)]
    with whole_file(study.prepared / "stimuli.csv") as temporary:
        table.to_csv(temporary, index=False)
    return table


def required(study):
    """Everything that a study reads, present or not.

    Returns a DataFrame, columns ``dataset what path cure``: ``path`` is the first file, or empty where something is
    missing, and ``cure`` then says what and where to get it. Of a simulated study nothing is required.
    """
    if study.simulated:
        return pd.DataFrame(columns=["dataset", "what", "path", "cure"])
    wanted = [item for kind in recordings(study).values() for item in kind]
    for name in study.image_sets:
        dataset = "things_eeg2" if name == "things" else study.fmri.dataset
        wanted.append((dataset, f"images: {name}", lambda name=name: list(image_paths(study, name).path)))
    wanted.append((study.network.weights, "pretrained network", lambda: [checkpoint(study)]))
    for subject in () if study.trains else study.aligned_subjects:
        name = f"network aligned with sub-{subject:02d}"
        wanted.append((study.network.released, name, lambda s=subject: [released(study, s)]))
    rows = []
    for dataset, what, files in wanted:
        try:
            path, cure = str(files()[0]), ""
        except MissingInput as error:
            path, cure = "", str(error)
        except RealnetError as error:
            path, cure = "", f"not readable: {error}"
        rows.append({"dataset": dataset, "what": what, "path": path, "cure": cure})
    return pd.DataFrame(rows)


def missing(study):
    """What a study needs and does not find: list of sentences, each named once."""
    table = required(study)
    return list(dict.fromkeys(table.cure[table.path == ""]))
