"""Writing a simulated world to disk once, and whole."""

import hashlib
import json
import shutil
from pathlib import Path

import torch
from tqdm import tqdm

from realnet.cornet import read_checkpoint
from realnet.errors import InvalidInput
from realnet.io import whole_file
from simulation import people, published, responses
from simulation.images import DIMENSIONS
from simulation.pretraining import accuracy, pretrain
from simulation.stimuli import generator, make_catalogue
from simulation.truth import write_truth

DATASETS = ("shen2019", "horikawa2017", "things_eeg2", "things_dimensions", "cornet_s", "imagenet", "geirhos2021")
N_SHEN, N_HORIKAWA = 3, 5
SHEN_SPLITS = ("training", "natural", "shapes", "letters")

_STAMP = ".simulation.json"  # what the files that are already there were made from
_CHECKPOINT = "cornet_s/cornet_s-simulated.pth"


def write_simulated_data(folder, settings, progress=True):
    """Write all recordings of a simulated world, in the published formats, one folder per dataset.

    Nothing is done where a whole world of these settings lies already; a world that was interrupted, or that lost a
    file, is completed; one of other settings is replaced. ``simulation.json`` is written last.

    Parameters
    ----------
    folder : path
        Created where absent. It must not hold recordings from elsewhere.
    settings : realnet.settings.SimulationSettings
    progress : bool

    Returns
    -------
    Path
        Of ``simulation.json``: settings, digest, accuracy of the pretrained network, and the size of every file.

    Raises
    ------
    InvalidInput
        The folder holds datasets that were not simulated.
    """
    folder = Path(folder)
    digest = world_digest(settings)
    if _is_whole(folder, digest):
        return folder / "simulation.json"
    _make_room(folder, digest)
    with tqdm(total=7 + N_SHEN + N_HORIKAWA + settings.n_eeg_subjects, desc="world", disable=not progress) as bar:
        world = _World(folder, settings, bar)
        world.write_pictures()
        world.write_tables()
        held_out = world.write_network()
        world.write_fmri()
        world.write_eeg()
        world.write_people()
        world.write_truth()
    about = {
        "simulated": True,
        "settings": settings.model_dump(),
        "digest": digest,
        "held_out_accuracy": held_out,
        "files": {name: (folder / name).stat().st_size for name in sorted(world.files)},
    }
    with whole_file(folder / "simulation.json") as temporary:
        temporary.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return folder / "simulation.json"


def world_digest(settings):
    """What a world follows from: its settings and the code that makes it."""
    digest = hashlib.sha256(settings.model_dump_json().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_whole(folder, digest):
    """Whether a world of this digest lies there with every file at its size."""
    try:
        about = json.loads((folder / "simulation.json").read_text(encoding="utf-8"))
        if about["digest"] != digest:
            return False
        return all((folder / name).stat().st_size == size for name, size in about["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _make_room(folder, digest):
    """Remove what another world left, and files of a wrong size; keep the whole files of this one."""
    stamp, world = folder / _STAMP, folder / "simulation.json"
    present = [name for name in DATASETS if (folder / name).exists()]
    if present and not stamp.exists():
        raise InvalidInput(
            f"{folder} holds {present[0]} that was not simulated: give the study another folder as 'raw'"
        )
    same = stamp.exists() and stamp.read_text(encoding="utf-8") == digest
    if same and world.exists():
        try:
            sizes = json.loads(world.read_text(encoding="utf-8"))["files"]
        except (ValueError, KeyError):
            same = False
        else:
            for name, size in sizes.items():
                if (folder / name).exists() and (folder / name).stat().st_size != size:
                    (folder / name).unlink()
    world.unlink(missing_ok=True)
    if not same:
        for name in present:
            shutil.rmtree(folder / name)
        (folder / "truth.nc").unlink(missing_ok=True)
    with whole_file(stamp) as temporary:
        temporary.write_text(digest, encoding="utf-8")


class _World:
    """One world while it is being written: every file is written whole, and only where it is not there yet."""

    def __init__(self, folder, settings, bar):
        self.folder, self.settings, self.bar, self.files = folder, settings, bar, []
        self.catalogue = make_catalogue(settings)
        self.sources = responses.Sources(self.catalogue.training, settings.seed)
        self.features = {name: self.sources.features(getattr(self.catalogue, name)) for name in (*SHEN_SPLITS, "eeg")}
        bar.update()

    def absent(self, *names):
        """Note files as part of the world; whether one of them must be written."""
        self.files += names
        return not all((self.folder / name).exists() for name in names)

    def write_pictures(self):
        for name, picture in published.picture_files(self.catalogue):
            if self.absent(name):
                published.write_picture(self.folder / name, picture)
        self.bar.update()

    def write_tables(self):
        for split in SHEN_SPLITS:
            name = f"shen2019/stimulus_{published.SPLITS[split].session}.tsv"
            if self.absent(name):
                published.write_stimulus_list(self.folder / name, getattr(self.catalogue, split), split)
        n = len(DIMENSIONS)
        names = [f"spose_embedding_{n}d_sorted.txt", f"labels_{n}d.txt", "item_names.tsv"]
        if self.absent(*[f"things_dimensions/{name}" for name in names]):
            published.write_dimensions(self.folder / "things_dimensions", self.catalogue)
        if self.absent("things_eeg2/image_metadata.npy"):
            published.write_eeg_metadata(self.folder / "things_eeg2/image_metadata.npy", self.catalogue)
        self.bar.update()

    def write_network(self):
        """The pretrained network in the layout of the published checkpoint; its accuracy on held-out pictures."""
        if self.absent(_CHECKPOINT):
            shown, held_out = self.catalogue.pretraining, self.catalogue.held_out
            network = pretrain(shown.pictures, shown.category, self.settings, progress=not self.bar.disable)
            checkpoint = {
                "epoch": self.settings.pretraining_epochs,
                "held_out_accuracy": accuracy(network, held_out.pictures, held_out.category),
                "state_dict": {f"module.{key}": value for key, value in network.state_dict().items()},
            }
            # an open file: given a path, torch would write its (random) temporary name into the archive
            with whole_file(self.folder / _CHECKPOINT) as temporary, temporary.open("wb") as file:
                torch.save(checkpoint, file)
        self.bar.update()
        return read_checkpoint(self.folder / _CHECKPOINT)["held_out_accuracy"]

    def brain(self, person):
        return responses.make_brain(person, self.features["training"], self.settings.n_voxels, self.settings.seed)

    def write_fmri(self):
        for i in range(1, N_SHEN + 1):
            person = f"shen2019/sub-{i:02d}"
            sessions = {s: f"{person}_perception{published.SPLITS[s].session}_original_VC.h5" for s in SHEN_SPLITS}
            if self.absent(*sessions.values()):
                brain = self.brain(person)
                for split, name in sessions.items():
                    rng = generator(self.settings.seed, person, split)
                    signal, stimuli = brain.responses(self.features[split]), getattr(self.catalogue, split)
                    published.write_shen_session(self.folder / name, brain, signal, stimuli, split, rng)
            self.bar.update()
        for i in range(1, N_HORIKAWA + 1):
            name = f"horikawa2017/Subject{i}.h5"
            if self.absent(name):
                brain = self.brain(name)
                parts = [
                    (getattr(self.catalogue, s), brain.responses(self.features[s])) for s in ("training", "natural")
                ]
                published.write_horikawa_subject(
                    self.folder / name, brain, *parts, generator(self.settings.seed, name, "samples")
                )
            self.bar.update()

    def write_eeg(self):
        for i in range(1, self.settings.n_eeg_subjects + 1):
            person = f"things_eeg2/sub-{i:02d}"
            name = f"{person}/preprocessed_eeg_test.npy"
            if self.absent(name):
                published.write_eeg_subject(self.folder / name, person, self.features["eeg"], self.settings.seed)
            self.bar.update()

    def write_people(self):
        for name, content in people.people_files(self.catalogue, self.settings.seed):
            if self.absent(name):
                people.write_file(self.folder / name, content)
        self.bar.update()

    def write_truth(self):
        if self.absent("truth.nc"):
            sets = {name: getattr(self.catalogue, name) for name in (*SHEN_SPLITS, "eeg")}
            write_truth(self.folder / "truth.nc", sets)
        self.bar.update()
