"""Image files of stimuli, found by their ids."""

from contextlib import suppress

from PIL import Image

from realnet.datasets.files import find_files
from realnet.errors import InvalidInput, MissingInput

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
