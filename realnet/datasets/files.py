"""Finding published files below a folder, and naming subjects."""

import os
import re
from contextlib import suppress
from pathlib import Path

from PIL import Image

from realnet.errors import InvalidInput, MissingInput
from realnet.settings import project_root


def find_files(root, pattern):
    """All files below ``root``, at any depth outside hidden folders, whose whole name matches a regular expression.

    Returns a sorted list of Path; raises ``MissingInput`` where ``root`` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingInput(f"{root}: expected a folder with the published files, but there is none; see data/README.md")
    found, name = [], re.compile(pattern)
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [sub for sub in folders if not sub.startswith(".")]
        found += [Path(folder) / file for file in files if name.fullmatch(file)]
    return sorted(found)


def find_one(root, pattern, what):
    """Path of the one file below ``root`` whose whole name matches ``pattern``; ``what`` describes it in errors.

    Raises ``MissingInput`` where there is no such file, ``InvalidInput`` where there are several.
    """
    found = find_files(root, pattern)
    if not found:
        raise MissingInput(f"{root}: {what} is not below this folder; data/README.md says where to get it")
    if len(found) > 1:
        raise InvalidInput(f"{root}: expected one file to be {what}, found {found[0]}, {found[1]}: move one elsewhere")
    return found[0]


def real_folder(study, dataset):
    """Where published files of real recordings lie: the study's raw folder, else ``data/raw``.

    The raw folder of a simulated study contains simulated files of the same names, and is not searched.
    """
    own, shared = study.raw_folder(dataset), project_root() / "data" / "raw" / dataset
    return shared if study.simulated or (shared.is_dir() and not own.is_dir()) else own


def subject_number(subject, n_subjects):
    """The number of a subject given as ``2``, ``"02"`` or ``"sub-02"``; InvalidInput unless 1 to ``n_subjects``."""
    match = re.fullmatch(r"(?:sub-)?0*(\d{1,3})", str(subject).strip())
    number = int(match.group(1)) if match else 0
    if isinstance(subject, bool) or not 1 <= number <= n_subjects:
        raise InvalidInput(f"subject {subject!r}: expected one of 1 to {n_subjects}, the subjects of this dataset")
    return number


IMAGE = r"(?i)[^.].*\.(?:jpe?g|png|tiff?)"
#: What Pillow raises for a file that is not a whole image.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def find_images(root, stimuli):
    """The image file of every stimulus, at any depth below a folder: list of Path in the order of ``stimuli``.

    A stimulus is named as its file without ending (``n01443537_22563`` for ``n01443537_22563.JPEG``). Raises
    ``MissingInput`` with the number of missing images and the first five, ``InvalidInput`` where one has two files.
    """
    stimuli, found = [str(stimulus) for stimulus in stimuli], {}
    wanted = dict.fromkeys(stimuli)
    for path in find_files(root, IMAGE):
        if path.stem in wanted and found.setdefault(path.stem, path) != path:
            raise InvalidInput(f"{path}: the image {path.stem} is also at {found[path.stem]}; keep one of them")
    if missing := [stimulus for stimulus in wanted if stimulus not in found]:
        raise MissingInput(
            f"{root}: {len(missing)} of {len(wanted)} images are not below this folder, among them"
            f" {', '.join(missing[:5])}; data/README.md says where to ask for them"
        )
    return [found[stimulus] for stimulus in stimuli]


def open_image(path):
    """An image file as RGB ``PIL.Image``, without its alpha channel, as Brain-Score and most readers of stimuli do."""
    try:
        with Image.open(path) as image:
            mode, rgb = image.mode, image.convert("RGB")
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: expected an image, but there is none; see data/README.md") from error
    except _DAMAGED as error:
        raise InvalidInput(f"{path}: expected a whole image ({error}); get the file again") from error
    if mode.startswith(("I", "F")):  # 16 or 32 bits, which the conversion would cut off
        raise InvalidInput(f"{path}: expected 8 bits per channel, got the mode {mode}; convert the image")
    return rgb


def has_transparent_pixels(path):
    """Whether an image has them; False for one that is damaged, which :func:`open_image` reports."""
    with suppress(*_DAMAGED), Image.open(path) as image:
        return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255
    return False


def square_image(image):
    """The largest square in the middle of an image, as Shen's lab cut the natural images before it showed them."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
