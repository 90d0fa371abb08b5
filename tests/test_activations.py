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


@pytest.mark.parametrize("size", [(32, 32), (50, 80), (333, 250), (31, 200)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "CMYK"])
def test_images_are_resized_as_by_torchvision_on_pil_images(tmp_path, size, mode):
    """Oracle: the transforms of the paper, down, up and at their own size; a resized tensor differs by a grey level."""
    rng = np.random.default_rng(0)
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    pixels = Image.fromarray(rng.integers(0, 256, (*size[::-1], 4), dtype=np.uint8))
    (pixels if mode == "RGBA" else pixels.convert("RGB").convert(mode)).save(path)
    images = load_images([path], 32)
    assert images.shape == (1, 3, 32, 32) and images.dtype == torch.uint8
    paper = transforms.Compose([transforms.Resize((32, 32)), transforms.PILToTensor()])
    assert torch.equal(images[0], paper(Image.open(path).convert("RGB")))


def test_center_crops_the_largest_central_square_and_arrays_give_the_same_images(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (80, 50, 3), dtype=np.uint8)  # 50 wide, 80 high
    Image.fromarray(array).save(tmp_path / "a.png")
    assert torch.equal(prepare(array[None], 32), load_images([tmp_path / "a.png"], 32))
    assert torch.equal(prepare(array[None, 15:65], 32), load_images([tmp_path / "a.png"], 32, crop="center"))


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


def test_rdms_and_activations_are_calculated_in_full_float32(network, images, monkeypatch):
    """By default torch lets a GPU round the numbers in a convolution to TensorFloat-32."""
    assert torch.backends.cudnn.allow_tf32
    seen, original = [], network.activations
    monkeypatch.setattr(
        network, "activations", lambda x: (seen.append(torch.backends.cudnn.allow_tf32), original(x))[1]
    )
    compute_model_rdms(network, images, list("abcdefg"))
    assert seen == [False] and torch.backends.cudnn.allow_tf32


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
