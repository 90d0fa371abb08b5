"""Are these the trained weights? A check for ``realnet data verify``: some users analysed random ones unknowingly."""

from importlib.util import find_spec
from pathlib import Path

from realnet.activations import load_images
from realnet.alignment import load_realnet
from realnet.behavior import classify
from realnet.datasets.files import find_files

#: Photographs in installed packages, and the classes of ImageNet that name what each shows.
PHOTOGRAPHS = {
    "skimage/data/coffee.png": (504, 967, 968),  # coffee mug, espresso, cup
    "skimage/data/rocket.jpg": (657, 744, 812),  # missile, projectile, space shuttle
    "skimage/data/chelsea.png": (281, 282, 285),  # cats
    "skimage/data/motorcycle_left.png": (665, 670),  # moped, motor scooter
    "skimage/data/camera.png": (759, 872),  # reflex camera, tripod
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg": (652,),  # military uniform
}


def count_recognised(network):
    """How many of the six :data:`PHOTOGRAPHS` a network of ImageNet's 1000 classes names rightly (top-1).

    With random weights a network names nearly all images alike and gets none or one right; EfficientNet-Lite0 gets six.
    """
    places = [name.partition("/") for name in PHOTOGRAPHS]
    paths = [Path(find_spec(package).origin).parent / rest for package, _, rest in places]
    named = classify(network, load_images(paths, 224), device="cpu").argmax(axis=1)
    return sum(label in right for label, right in zip(named.tolist(), PHOTOGRAPHS.values(), strict=True))


def print_recognition(raw):
    """Print for each published network below ``raw`` if it recognises photographs; returns 1 where one does not."""
    folders = [raw / name for name in ("cornet_s", "realnet_weights") if (raw / name).is_dir()]
    paths = [path for folder in folders for path in find_files(folder, r"[^.].*\.(pth|pt|tar)")]
    untrained = 0
    for path in paths:
        n = count_recognised(load_realnet(path))
        untrained += 2 * n < len(PHOTOGRAPHS)
        words = "these are not the trained weights: get the file again" if 2 * n < len(PHOTOGRAPHS) else "trained"
        print(f"{path.relative_to(raw)}: recognises {n} of {len(PHOTOGRAPHS)} photographs; {words}")
    return int(untrained > 0)
