"""Images are read in order, and the activations of the layers are those of the forward pass."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import pdist
from torchvision import transforms

from realnet.activations import AVERAGE_POOL, compute_activations, compute_model_rdms, load_images, normalise
from realnet.activations import prepare_arrays as prepare
from realnet.backbones import EFFICIENTNET_LAYERS, EfficientNetLite0
from realnet.cornet import LAYERS, CORnetS
from realnet.errors import InvalidInput


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CORnetS(width=0.125, n_classes=10).eval()


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (7, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def image_files(tmp_path):
    rng = np.random.default_rng(0)
    shapes = {"rgb.png": (80, 50, 3), "grey.tiff": (64, 64), "alpha.png": (40, 70, 4)}
    for name, shape in shapes.items():
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / name)
    return [tmp_path / name for name in shapes]


def test_images_are_resized_whole_as_by_pillow(image_files):
    images = load_images(image_files, 32)
    assert images.shape == (3, 3, 32, 32) and images.dtype == torch.uint8
    for path, image in zip(image_files, images, strict=True):
        whole = Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
        difference = image.permute(1, 2, 0).numpy().astype(int) - np.asarray(whole).astype(int)
        assert np.abs(difference).max() <= 1  # rounding
    grey = np.asarray(Image.open(image_files[1]))
    assert (load_images([image_files[1]], 64)[0].numpy() == grey).all()  # unchanged at its own size


def test_center_crops_the_largest_central_square_and_arrays_give_the_same_images(image_files):
    array = np.asarray(Image.open(image_files[0]).convert("RGB"))  # 50 wide, 80 high
    assert torch.equal(prepare(array[None], 32), load_images(image_files[:1], 32))
    assert torch.equal(prepare(array[None, 15:65], 32), load_images(image_files[:1], 32, crop="center"))


def test_images_of_more_than_eight_bits_per_channel_are_refused(tmp_path):
    Image.fromarray(np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)).save(tmp_path / "a.png")
    with pytest.raises(InvalidInput, match=r"a\.png: expected 8 bits"):
        load_images([tmp_path / "a.png"], 8)


def test_normalise_equals_torchvision(images):
    expected = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(images.float() / 255)
    torch.testing.assert_close(normalise(images), expected)


def test_a_network_in_training_stays_in_training(images):
    network = CORnetS(width=0.125, n_classes=10)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    compute_activations(network, images)
    assert network.training and all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_activations_do_not_depend_on_the_batch_size_and_are_flattened_in_order(network, images):
    found = compute_activations(network, images, batch_size=3, device="cpu")
    assert tuple(found) == LAYERS
    with torch.no_grad():
        for i in range(7):
            single = network.activations(normalise(images[i : i + 1]))
            for layer in LAYERS:
                np.testing.assert_allclose(found[layer][i], single[layer].flatten().numpy(), rtol=1e-3, atol=1e-4)


def test_model_rdms_equal_scipy_and_carry_their_images(network, images):
    rdms = compute_model_rdms(network, images, list("abcdefg"), device="cpu")
    activations = compute_activations(network, images, device="cpu")
    for layer in LAYERS:
        expected = pdist(activations[layer].astype(float), "correlation")
        np.testing.assert_allclose(rdms.sel(layer=layer).values, expected, atol=1e-10)
    assert list(rdms.stimulus_a.values[:2]) == ["a", "a"] and list(rdms.stimulus_b.values[:2]) == ["b", "c"]


def test_the_average_pool_is_what_the_decoder_reads(network, images):
    pooled = compute_activations(network, images, [AVERAGE_POOL], device="cpu")[AVERAGE_POOL]
    with torch.no_grad():
        torch.testing.assert_close(network.decoder.linear(torch.from_numpy(pooled)), network(normalise(images)))


def test_efficientnet_layers_end_in_its_own_logits():
    network = EfficientNetLite0()
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert tuple(network.activations(images)) == EFFICIENTNET_LAYERS
        torch.testing.assert_close(network(images), network.network(images))  # the package's own forward pass
