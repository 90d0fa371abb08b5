"""Image files of stimuli, found by their ids."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from realnet.datasets.files import find_files
from realnet.errors import InvalidInput, MissingInput

#: What Pillow raises for files that are no whole image.
_NO_IMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
IMAGE = r"(?i)[^.].*\.(?:jpe?g|png|tiff?)"


def find_images(root: str | Path, stimuli: Iterable[str]) -> list[Path]:
    """The image file of every stimulus, in the order of `stimuli`.

    A stimulus id is the name of its file without ending (`n01443537_22563` for `n01443537_22563.JPEG`); files may lie
    at any depth below `root` and end in .JPEG, .jpg, .png, .tif or .tiff in capital or small letters.
    Raises `MissingInput` that counts and names the ids without a file, `InvalidInput` for an id with two files.
    """
    stimuli = [str(stimulus) for stimulus in stimuli]
    wanted = set(stimuli)
    found: dict[str, Path] = {}
    for path in find_files(root, IMAGE):
        if path.stem in wanted:
            if path.stem in found:
                raise InvalidInput(f"{path}: the image {path.stem} is also at {found[path.stem]}; keep one of them")
            found[path.stem] = path
    missing = [stimulus for stimulus in dict.fromkeys(stimuli) if stimulus not in found]
    if missing:
        raise MissingInput(
            f"{root}: {len(missing)} of {len(wanted)} images are not below this folder, among them"
            f" {', '.join(missing[:5])}; data/README.md says where to ask for them"
        )
    return [found[stimulus] for stimulus in stimuli]


def open_image(path: str | Path) -> Image.Image:
    """An image file as RGB; an alpha channel is left out, as Brain-Score and most readers of stimuli do.

    Raises `MissingInput` if there is none; `InvalidInput` if it is not a whole image, or has more than 8 bits a channel
    (they would be cut off).
    """
    try:
        with Image.open(path) as image:
            mode, picture = image.mode, image.convert("RGB")
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: expected an image, but there is none; see data/README.md") from error
    except _NO_IMAGE as error:
        raise InvalidInput(f"{path}: expected a whole image ({error}); get the file again") from error
    if mode.startswith(("I", "F")):
        raise InvalidInput(f"{path}: expected 8 bits a channel, got the mode {mode}; convert the image")
    return picture


def has_clear_pixels(path: str | Path) -> bool:
    """Whether some pixels of an image file are transparent: what people saw there, the file does not tell.

    False for what is no whole image; `open_image` refuses it.
    """
    try:
        with Image.open(path) as image:
            return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255
    except _NO_IMAGE:
        return False


def square_image(image: Image.Image) -> Image.Image:
    """The largest square in the middle of an image, as the lab cut the natural images before it showed them."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
