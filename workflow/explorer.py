"""The data of ``book/explorer.md``, where a reader points into the RDMs of networks and brains."""

import base64
import html
import json
import shutil

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from realnet.activations import compute_model_rdms, prepare_arrays
from realnet.analyses.objects92 import MONKEYS, PEOPLE, brains_of, load_objects, real_networks
from realnet.datasets import things_dimensions, things_eeg2
from realnet.errors import MissingInput
from realnet.figures.fmri import SETS
from realnet.figures.style import DATASETS, MODELS, plot_rdms
from realnet.io import load_model_rdms, load_prepared, table_path
from realnet.networks import load_stimuli
from realnet.rdm import square
from realnet.settings import REPOSITORY
from realnet.similarity import compare_rdms, rank

MAX_IMAGES = 256  # twice the rank of a pair fits in 16 bits, the number of an image in 8
MAX_TIMES, TILE, COLUMNS, QUALITY = 7, 64, 10, 75
LABELS = SETS | {"things": "Images of THINGS", "objects92": "92 objects, real people"}
NOTHING = "This study has no RDMs of networks and brains for the same images, so there is nothing to show.\n"


def write_explorer(study, source):
    """Write the data of the explorer to ``_extra/explorer``, and ``_explorer.md``, which the page includes.

    Each set of images has a JPEG of them and a script with its RDMs, as :func:`encoded` gives them, and their Spearman
    correlations ``rho`` (n_models, n_brains). Sets with files missing or more than 256 images are left out.

    Parameters
    ----------
    study, source : realnet.settings.Study, path of the folder ``book/``
    """
    folder, shown, included = source / "_extra" / "explorer", [], []
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in [*study.stimulus_sets, *(["objects92"] if table_path(study, "objects92").is_file() else [])]:
        label = LABELS.get(name, name.capitalize())
        try:
            data = (objects92_set if name == "objects92" else study_set)(study, name)
        except MissingInput:
            data = None
        if data is None or len(data["stimuli"]) > MAX_IMAGES:
            included.append(f"- {label}: left out; {'files are missing' if data is None else 'too many images'}")
            continue
        if not shown:
            alt = _static_figure(folder / "static.png", label, data)
        shown.append((name, label))
        counts = [len(data[part]) for part in ("stimuli", "models", "brains")]
        included.append("- {}: {} images, {} RDMs of layers of networks, {} RDMs of brains".format(label, *counts))
        sprite(data.pop("images")).save(folder / f"{name}.jpg", quality=QUALITY)
        content = json.dumps({"name": name} | contents(**data), separators=(",", ":"))
        (folder / f"{name}.js").write_text(f"explorerSet({content});\n", encoding="utf-8")
    if not study.simulated:
        included.append("- This page has small copies of the images: see their licences before you publish the book")
    page = NOTHING
    if shown:
        parts = {"sets": html.escape(json.dumps(shown)), "alt": html.escape(alt), "included": "\n".join(included)}
        page = (REPOSITORY / "book" / "_explorer_template.md").read_text(encoding="utf-8").format(**parts)
    (source / "_explorer.md").write_text(page, encoding="utf-8")


def study_set(study, name):
    """The RDMs of the main networks (first seed) and of the participants, for one set of images.

    Returns a dict: ``stimuli``, names; ``images``, uint8 (n, height, width, 3); ``models`` and ``brains``, lists of
    (labels, RDM); the fourth label of a brain is the table with its correlations; ``sorts``, dict name -> values.
    """
    seed = min(n.seed for n in study.main_networks() if n.subject)
    networks = [n for n in study.main_networks() if n.model == "cornet" or n.seed == seed]
    rdms, start = load_model_rdms(study, name, networks), "Simulated, format of " if study.simulated else ""
    models, brains, sorts = [], [], {}
    for network, layers in zip(networks, rdms, strict=True):
        label = ", ".join(filter(None, (MODELS[network.model].label, network.trained_on)))
        models += [((label, str(layer.layer.item())), layer.values) for layer in layers]
    fmri = {} if name == "things" else {study.fmri.dataset: "fmri_within_subject"}
    if name == "natural" and study.fmri.other_subjects:
        fmri["horikawa2017"] = "fmri_across_subjects"
    for dataset, table in fmri.items():
        for subject in load_prepared(study, f"{dataset}_rdms", name).transpose("subject", "roi", "pair"):
            labels = (start + DATASETS[dataset], str(subject.subject.item()))
            brains += [((*labels, str(one.roi.item()), table), one.values) for one in subject]
    stimuli, images = load_stimuli(study, name)
    if name == "things":
        eeg = load_prepared(study, "things_eeg2_rdms", name).transpose("subject", "time", "pair")
        eeg = eeg[:, :: -(-eeg.sizes["time"] // MAX_TIMES)]
        parts = [(str(eeg.subject.values[0]), "eeg", eeg[0]), (f"mean RDM of {len(eeg)}", "", eeg.mean("subject"))]
        for who, table, part in parts[: len(eeg)]:
            labels = (f"{start}THINGS EEG2", who)
            brains += [((*labels, f"{1000 * one.time.item():.0f} ms", table), one.values) for one in part]
        dimensions = things_dimensions.load(study.raw_folder("things_dimensions"))
        concepts = things_eeg2.load_metadata(study.raw_folder("things_eeg2")).concept
        values = things_dimensions.for_concepts(dimensions, concepts).round(3)
        sorts = {f"dimension: {one.dimension.item()}": one.values.tolist() for one in values.T}
    words = [stimulus.split("_") for stimulus in stimuli]
    if name == "shapes" and all(len(word) == 3 for word in words):  # colorExpStim01_red_square
        sorts = {f"category: {what}": [word[i] for word in words] for i, what in ((1, "colour"), (2, "form"))}
    images = images.permute(0, 2, 3, 1).numpy()
    return {"stimuli": stimuli, "images": images, "models": models, "brains": brains, "sorts": sorts}


def objects92_set(study, _):
    """The RDMs of ImageNet networks, people and monkeys for the 92 objects; returns a dict as :func:`study_set`."""
    objects, _ = load_objects(study)
    stimuli, images = objects.stimulus.values.astype(str).tolist(), prepare_arrays(objects.images.values, 224)
    models, brains = [], []
    for model, (network, layers) in real_networks(study).items():
        rdms = compute_model_rdms(network, images, stimuli, layers).values
        models += [((MODELS[model].label, layer), rdm) for layer, rdm in zip(layers, rdms, strict=True)]
    people = ((PEOPLE, "Kriegeskorte 2008, people"), (MONKEYS, "Kiani 2007, monkeys"))
    for dataset, one in [(dataset, one) for roi, dataset in people for one in brains_of(objects)[roi]]:
        brains.append(((dataset, str(one.subject.item()).replace("mIT", "mean of two"), "IT", "objects92"), one.values))
    data = {"stimuli": stimuli, "models": models, "brains": brains, "images": objects.images.values}
    return data | {"sorts": {"category": objects.category.values.tolist()}}


def contents(stimuli, models, brains, sorts):
    """What the page reads about one set of images (parameters as of :func:`study_set`): dict."""
    rho = compare_rdms(*(np.stack([rdm for _, rdm in rdms]) for rdms in (models, brains)))
    models, brains = ([{"labels": labels} | encoded(rdm) for labels, rdm in rdms] for rdms in (models, brains))
    sorts = [{"label": label, "values": values, "order": _bytes(np.argsort(np.array(values), kind="stable"))}
             for label, values in sorts.items()]  # fmt: skip
    about = {"columns": COLUMNS, "stimuli": stimuli, "sorts": sorts, "rho": rho.round(8).tolist()}
    return about | {"models": models, "brains": brains}


def encoded(rdm):
    """One condensed RDM as the page reads it, a dict.

    ``ranks``: twice the average rank of each pair (16 bits, base64). ``counts``: the number of pairs with each rounded
    dissimilarity from ``first`` on, in units of the last of its ``decimals``; with the ranks it gives the dissimilarity
    of each pair. ``order``: the images along the first principal component (8 bits, base64).
    """
    largest = np.abs(rdm).max()
    decimals = int(max(2 - np.floor(np.log10(largest)), 3 * (largest < 10), 0))  # three digits or more
    steps = np.rint(np.sort(rdm) * 10.0**decimals).astype(int)
    ranks = base64.b64encode(np.rint(2 * rank(rdm)).astype("<u2").tobytes()).decode()
    values = {"decimals": decimals, "first": int(steps[0]), "counts": np.bincount(steps - steps[0]).tolist()}
    return values | {"ranks": ranks, "order": _bytes(np.argsort(first_component(rdm), kind="stable"))}


def first_component(rdm):
    """Scores of the images on the first principal component, (n_pairs,) -> (n_stimuli,); the largest is positive.

    The first eigenvector of ``-J D J``, J the centring matrix: with D = 1 - Pearson that of the standardised patterns.
    """
    centred = square(rdm)
    centred -= centred.mean(axis=0)
    vector = np.linalg.eigh(centred.mean(axis=1, keepdims=True) - centred)[1][:, -1]
    return vector * np.sign(vector[np.abs(vector).argmax()])


def sprite(images):
    """Images (n, height, width, 3) as one `PIL.Image`: tiles of 64 pixels in rows of ten."""
    sheet = Image.new("RGB", (COLUMNS * TILE, -(-len(images) // COLUMNS) * TILE))
    for i, image in enumerate(images):
        tile = Image.fromarray(image).resize((TILE, TILE), Image.Resampling.BILINEAR)
        sheet.paste(tile, (i % COLUMNS * TILE, i // COLUMNS * TILE))
    return sheet


def _bytes(numbers):
    return base64.b64encode(numbers.astype(np.uint8).tobytes()).decode()


def _static_figure(path, label, data):
    """Draw the first two RDMs of a set of images; returns a sentence (str) that describes the figure."""
    (model, first), (brain, second) = data["models"][0], data["brains"][0]
    names = ", ".join(model), ", ".join(brain[:3])
    titles = [f"{labels[0]}\n{', '.join(labels[1:3])}" for labels in (model, brain)]
    figure = plot_rdms(rank([first, second]), titles, label, "rank of the pair")
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return f"{label}: RDM of {names[0]} beside that of {names[1]}; Spearman's rho {compare_rdms(first, second):.3f}."
