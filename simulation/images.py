"""Images by formula: an object with eight dimensions, at a random position, rotation, light and background."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

#: The dimensions in which objects differ, each from -1 to 1.
DIMENSIONS = ("hue", "saturation", "spikiness", "lobes", "elongation", "texture frequency", "texture contrast",
              "size")  # fmt: skip

#: The colours of the artificial shapes, as RGB in 0..1.
COLOURS = {
    "red": (0.9, 0.1, 0.1),
    "green": (0.1, 0.8, 0.1),
    "blue": (0.1, 0.2, 0.9),
    "cyan": (0.1, 0.8, 0.8),
    "magenta": (0.8, 0.1, 0.8),
    "yellow": (0.9, 0.9, 0.1),
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
}

GREY = 0.5  # background of shapes and letters
_CHUNK = 200  # images drawn at once; bounds the memory


def render_objects(dimensions, rng, size=64):
    """Draw one image per row of ``dimensions``.

    The outline in polar coordinates is R (1 + a w(t)), where w is a wave of 3 to 8 lobes, a the spikiness and R the
    size; it is stretched (elongation) and filled with a colour (hue, saturation) times a grating (texture). Position,
    rotation, light and background are drawn at random for every image.

    Parameters
    ----------
    dimensions : array (n_stimuli, 8), in -1..1
        In the order of :data:`DIMENSIONS`.
    rng : numpy.random.Generator
    size : int
        Pixels per side.

    Returns
    -------
    uint8 array (n_stimuli, size, size, 3)
        RGB.
    """
    images = np.empty((len(dimensions), size, size, 3), dtype=np.uint8)
    for start in range(0, len(dimensions), _CHUNK):
        part = np.asarray(dimensions[start : start + _CHUNK], dtype=np.float32)
        images[start : start + _CHUNK] = _to_bytes(_draw(part, rng, size))
    return images


def _draw(dimensions, rng, size):
    """One chunk of :func:`render_objects`, float in 0..1."""
    n = len(dimensions)
    hue, saturation, spikiness, lobes, elongation, frequency, contrast, extent = dimensions.T[:, :, None, None]

    def uniform(low, high):
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    y, x = np.meshgrid(*[np.linspace(-1, 1, size, dtype=np.float32)] * 2, indexing="ij")
    turn = uniform(0, 2 * np.pi)
    dx, dy = x - uniform(-0.2, 0.2), y - uniform(-0.2, 0.2)
    stretch = np.sqrt(1.6 + 0.6 * elongation)
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    v = (dy * np.cos(turn) - dx * np.sin(turn)) * stretch
    # the number of lobes is continuous: a blend of the waves with the two nearest whole numbers
    count = 5.5 + 2.5 * lobes
    below, angle = np.floor(count), np.arctan2(v, u)
    wave = (below + 1 - count) * np.cos(below * angle) + (count - below) * np.cos((below + 1) * angle)
    outline = (0.42 + 0.12 * extent) * (1 + (0.3 + 0.22 * spikiness) * wave)
    inside = 1 / (1 + np.exp(np.clip((np.hypot(u, v) - outline) * (size / 3), -30, 30)))
    lean = uniform(0, np.pi)
    grating = np.sin(2 * np.pi * (2.75 + 1.75 * frequency) * (u * np.cos(lean) + v * np.sin(lean)) + uniform(0, 6.28))
    surface = 0.62 * (1 + (0.45 + 0.4 * contrast) * grating)
    lit = uniform(0.75, 1.15) * (1 + uniform(-0.2, 0.2) * x + uniform(-0.2, 0.2) * y)
    colour = hue_to_rgb(0.36 * (hue + 1), 0.6 + 0.4 * saturation)
    ground = _background(rng, n, x, y)
    return ground + inside[..., None] * (colour * (surface * lit)[..., None] - ground)


def _background(rng, n, x, y):
    """Gradients from one muted colour to another with a faint coarse pattern."""
    tint = rng.uniform(-0.1, 0.1, (2, n, 1, 1, 3)).astype(np.float32)
    one, two = rng.uniform(0.3, 0.7, (2, n, 1, 1, 1)).astype(np.float32) + tint
    way, phase, cycles = (rng.uniform(0, high, (n, 1, 1)).astype(np.float32) for high in (2 * np.pi, 2 * np.pi, 3))
    along = x * np.cos(way) + y * np.sin(way)
    mix = (0.5 + 0.35 * along + 0.1 * np.sin(2 * np.pi * cycles * along + phase))[..., None]
    return one + np.clip(mix, 0, 1) * (two - one)


def hue_to_rgb(hue, saturation):
    """RGB (..., 3) in 0..1 of colours with HSV value 1; hue (...) in turns from red, saturation (...) in 0..1."""
    offsets = np.array([5, 3, 1], dtype=np.float32)
    k = (offsets + 6 * hue[..., None]) % 6
    return 1 - saturation[..., None] * np.clip(np.minimum(k, 4 - k), 0, 1)


def draw_shape(name, size=64):
    """Draw a shape of Shen et al. (2019), such as ``colorExpStim01_red_square``, on grey.

    Returns
    -------
    image : uint8 array (size, size, 3)
    dimensions : array (8,)
    """
    _, colour, form = name.split("_", 2)
    y, x = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    radius = np.hypot(x, y)
    diagonal, across = (x + y) / np.sqrt(2), (x - y) / np.sqrt(2)
    inside = {
        "square": (abs(x) < 0.5) & (abs(y) < 0.5),
        "smallring": abs(radius - 0.3) < 0.1,
        "largering": abs(radius - 0.6) < 0.1,
        "+": ((abs(x) < 0.15) & (abs(y) < 0.6)) | ((abs(y) < 0.15) & (abs(x) < 0.6)),
        "X": ((abs(diagonal) < 0.15) & (abs(across) < 0.6)) | ((abs(across) < 0.15) & (abs(diagonal) < 0.6)),
    }[form]
    return _on_grey(inside, COLOURS[colour])


def draw_letter(name, size=64):
    """Draw a letter of Shen et al. (2019), such as ``letter_black_img011_A``; returns as :func:`draw_shape`."""
    canvas = Image.new("L", (4 * size, 4 * size))
    font = ImageFont.load_default(size=3 * size)
    ImageDraw.Draw(canvas).text((2 * size, 2 * size), name.rsplit("_", 1)[1], fill=255, font=font, anchor="mm")
    inside = np.asarray(canvas.resize((size, size), Image.Resampling.BOX)) > 127
    return _on_grey(inside, COLOURS["black"])


def draw_form(rng, size=64):
    """Draw a polygon or letter that is no test image, of random place, size, colour; returns as :func:`draw_shape`."""
    canvas = Image.new("L", (4 * size, 4 * size))
    pen, centre, radius = ImageDraw.Draw(canvas), size * rng.uniform(1.4, 2.6, 2), size * rng.uniform(0.6, 1.3)
    if rng.random() < 0.5:
        pen.regular_polygon((*centre, radius), int(rng.choice((3, 5, 6, 8))), rng.uniform(0, 360), fill=255)
    else:
        font = ImageFont.load_default(size=2 * radius)
        pen.text(tuple(centre), rng.choice(list("BDFGHJKLMPQVWYZ")), fill=255, font=font, anchor="mm")
    inside = np.asarray(canvas.resize((size, size), Image.Resampling.BOX)) > 127
    return _on_grey(inside, rng.choice(list(COLOURS.values())))


def _on_grey(inside, colour):
    """Image and dimensions of a flat form."""
    return _to_bytes(np.where(inside[..., None], np.array(colour), GREY)), _measure_form(inside, colour)


def _measure_form(inside, colour):
    """Dimensions (8,) of a flat form without texture, measured on its mask and colour."""
    rows, columns = np.nonzero(inside)
    half = inside.shape[0] / 2
    area, spread = inside.mean() * 4, np.linalg.eigvalsh(np.cov(np.stack([rows, columns]) / half))
    edge = sum(np.abs(np.diff(inside.astype(int), axis=axis)).sum() for axis in (0, 1)) / half
    bearing = np.arctan2(rows - rows.mean(), columns - columns.mean())
    harmonics = [abs(np.exp(1j * k * bearing).mean()) for k in range(3, 9)]
    low, high = min(colour), max(colour)
    hue, saturation = 0.0, -1.0  # black and white have no hue: middle of the scale
    if high > low:
        red, green, blue = colour
        turns = {red: (green - blue), green: 2 * (high - low) + blue - red, blue: 4 * (high - low) + red - green}[high]
        hue, saturation = turns / (6 * (high - low)) % 1 / 0.36 - 1, (high - low) / high
    measured = [
        hue,
        saturation,
        edge / np.sqrt(area) / 6 - 1.5,  # a disc has the least edge for its area
        (np.argmax(harmonics) - 2.5) / 2.5,
        np.sqrt(spread[1] / spread[0]) - 1.6,
        -1.0,
        -1.0,
        (np.sqrt(area / np.pi) - 0.42) / 0.12,
    ]
    return np.clip(measured, -1, 1)


def _to_bytes(image):
    """Float in 0..1 -> uint8."""
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
