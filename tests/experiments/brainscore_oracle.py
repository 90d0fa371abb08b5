"""Error consistency on the edge drawings, written out step by step: what Brain-Score is compared with."""

import json
import re

import numpy as np
import pandas as pd
import torch

from realnet.activations import load_images, normalise


def kappas(real_data, correct):
    """Mean Cohen's kappa between `correct` (Series by drawing) and each participant, and between each two of them."""

    def kappa(a, b):
        b = b[a.index]
        chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
        return ((a == b).mean() - chance) / (1 - chance)

    participants = []
    for file in sorted((real_data / "geirhos_edge" / "raw-data").glob("*subject*.csv")):
        table = pd.read_csv(file, keep_default_na=False)
        table.index = table["imagename"].str.extract(r"_([a-z]+\d+)\.png$")[0]
        participants.append(table["object_response"] == table["category"])
    pairs = [kappa(a, b) for i, a in enumerate(participants) for b in participants[:i]]
    return np.mean([kappa(one, correct) for one in participants]), np.mean(pairs)


def names_correctly(network, folder, image_size, real_data):
    """Whether `network` names the class of each drawing in a folder: the 16-class rule, step by step."""
    mapping = json.loads((real_data / "imagenet_meta" / "sixteen_class_mapping.json").read_text())
    paths = sorted(folder.rglob("*.png"))
    with torch.no_grad():
        probability = torch.softmax(network(normalise(load_images(paths, image_size))), dim=1).numpy()
    correct = {}
    for path, p in zip(paths, probability, strict=True):
        means = {name: p[entry["imagenet_indices"]].mean() for name, entry in mapping.items()}
        correct[path.stem] = max(means, key=means.get) == re.sub(r"\d+$", "", path.stem)
    return pd.Series(correct)


@torch.no_grad()
def tell_apart(network, folder, image_size):
    """Set the decoder of an untrained `network` so that its answers differ from drawing to drawing: it reads how the
    features depart from their mean over the drawings, shown small on grey."""
    drawings = load_images(sorted(folder.rglob("*.png")), image_size * 3 // 8)
    shown = torch.full((len(drawings), 3, image_size, image_size), 128, dtype=torch.uint8)
    start = (image_size - drawings.shape[-1]) // 2
    shown[:, :, start : start + drawings.shape[-1], start : start + drawings.shape[-1]] = drawings
    features = network.activations(normalise(shown))["IT"].mean(dim=(2, 3))
    linear = network.decoder.linear
    linear.weight *= 10 / features.std(dim=0).mean()
    linear.bias.copy_(-linear.weight @ features.mean(dim=0))
