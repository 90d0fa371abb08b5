import numpy as np
import pytest
from PIL import Image

from realnet.datasets.files import find_images, open_image, square_image
from realnet.errors import InvalidInput, MissingInput

FILES = ("a/n01443537_22563.JPEG", "a/b/colorExpStim04_red_+.tiff", "letter_black_img011_A.tif", "c/x.y.png", "d/e.JPG")


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(FILES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, i, i)).save(tmp_path / name)
    (tmp_path / "n01443537_22563.txt").write_text("no image")
    (tmp_path / ".e.jpg").write_bytes(b"hidden")
    return tmp_path


def test_images_are_found_at_any_depth_in_the_order_of_the_ids(folder):
    ids = ["e", "x.y", "letter_black_img011_A", "n01443537_22563", "colorExpStim04_red_+", "e"]
    found = [path.relative_to(folder).as_posix() for path in find_images(folder, np.array(ids))]
    assert found == [FILES[4], FILES[3], FILES[2], FILES[0], FILES[1], FILES[4]]


def test_missing_and_double_images_are_named(folder):
    with pytest.raises(MissingInput, match=r"7 of 8 images .* m0, m1, m2, m3, m4;.*README"):
        find_images(folder, ["e", *(f"m{i}" for i in range(7))])
    Image.new("RGB", (4, 4)).save(folder / "e.png")
    with pytest.raises(InvalidInput, match="is also at"):
        find_images(folder, ["e"])
    assert len(find_images(folder, ["x.y"])) == 1


def test_an_image_opens_as_rgb_and_a_broken_one_is_an_error(folder):
    Image.new("L", (3, 5), 7).save(folder / "grey.png")
    assert open_image(folder / "grey.png").getpixel((0, 0)) == (7, 7, 7)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for ending in ("png", "JPEG", "tif"):
        path = folder / f"noise.{ending}"
        Image.fromarray(noise).save(path)
        for content in (path.read_bytes()[:-500], b"", b"<html>"):
            path.write_bytes(content)
            with pytest.raises(InvalidInput, match=r"noise\."):
                open_image(path)
    with pytest.raises(MissingInput, match=r"no.png"):
        open_image(folder / "no.png")


@pytest.mark.parametrize("size", [(7, 4), (4, 7), (5, 5)])
def test_the_square_is_cut_from_the_middle(size):
    pixels = np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(size[1], size[0], 3)
    left, top, side = (size[0] - min(size)) // 2, (size[1] - min(size)) // 2, min(size)
    square = square_image(Image.fromarray(pixels))
    np.testing.assert_array_equal(np.asarray(square), pixels[top : top + side, left : left + side])
