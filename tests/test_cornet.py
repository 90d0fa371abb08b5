"""CORnet-S has the published architecture, key names and layouts."""

import hashlib

import pytest
import torch
from torch.nn import functional

from realnet import cornet
from realnet.cornet import LAYERS, CORnetS, layer_sizes, load_cornet_s, read_checkpoint
from realnet.errors import InvalidInput, MissingInput


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return CORnetS(width=0.125, n_classes=10).eval()


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_layers_have_the_published_sizes_and_the_network_the_published_number_of_weights():
    network = CORnetS()
    assert layer_sizes(network, 224) == {"V1": 200704, "V2": 100352, "V4": 50176, "IT": 25088}
    # counted from the description: V1; then per block 1x1 in, 1x1 skip + norm, shared bottleneck, three norms per step
    block = {"V2": (64, 128, 2), "V4": (128, 256, 4), "IT": (256, 512, 2)}
    expected = 3 * 64 * 49 + 64 * 64 * 9 + 2 * 2 * 64 + 512 * 1000 + 1000
    for inside, out, times in block.values():
        expected += inside * out + out * out + 2 * out + (out * 4 * out) * 2 + 16 * out * out * 9
        expected += times * 2 * (4 * out + 4 * out + out)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_state_dict_has_the_published_key_names(small):
    keys = set(small.state_dict())
    assert keys > {
        "V1.conv1.weight", "V1.norm2.running_mean", "V2.conv_input.weight", "V2.skip.weight", "V2.norm_skip.bias",
        "V4.norm3_3.weight", "IT.conv3.weight", "IT.norm1_1.running_var", "decoder.linear.bias",
    }  # fmt: skip
    assert "V2.norm1_2.weight" not in keys and not any(k.endswith("conv1.bias") for k in keys)
    assert [name for name, _ in small.named_children()] == ["V1", "V2", "V4", "IT", "decoder"]


def _literal_activations(state, x):
    """CORnet-S written out line by line from its description, on the bare weights."""

    def norm(x, key):
        parts = (state[f"{key}.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *parts)

    x = functional.relu(norm(functional.conv2d(x, state["V1.conv1.weight"], stride=2, padding=3), "V1.norm1"))
    x = functional.max_pool2d(x, 3, 2, 1)
    x = functional.relu(norm(functional.conv2d(x, state["V1.conv2.weight"], padding=1), "V1.norm2"))
    states = {"V1": x}
    for area, times in (("V2", 2), ("V4", 4), ("IT", 2)):
        x = functional.conv2d(x, state[f"{area}.conv_input.weight"])
        for t in range(times):
            skip = x if t else norm(functional.conv2d(x, state[f"{area}.skip.weight"], stride=2), f"{area}.norm_skip")
            y = functional.relu(norm(functional.conv2d(x, state[f"{area}.conv1.weight"]), f"{area}.norm1_{t}"))
            y = functional.conv2d(y, state[f"{area}.conv2.weight"], padding=1, stride=1 if t else 2)
            y = functional.relu(norm(y, f"{area}.norm2_{t}"))
            y = norm(functional.conv2d(y, state[f"{area}.conv3.weight"]), f"{area}.norm3_{t}")
            x = functional.relu(y + skip)
        states[area] = x
    return states


def test_activations_and_logits_equal_the_description_written_out_literally(small, images):
    with torch.no_grad():
        small.train()(images)  # moves the running statistics away from 0 and 1
        state = small.eval().state_dict()
        expected, found = _literal_activations(state, images), small.activations(images)
        assert tuple(found) == LAYERS
        for layer in LAYERS:
            torch.testing.assert_close(found[layer], expected[layer])
        logits = expected["IT"].mean(dim=(2, 3)) @ state["decoder.linear.weight"].T + state["decoder.linear.bias"]
        torch.testing.assert_close(small(images), logits)


def test_convolutions_start_at_the_published_spread():
    torch.manual_seed(0)
    network = CORnetS()
    for weight in (network.V1.conv1.weight, network.V4.conv2.weight):
        k, out = weight.shape[-1], weight.shape[0]
        assert weight.std().item() == pytest.approx((2 / (k * k * out)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("layout", ["published", "bare module", "bare"])
@pytest.mark.parametrize("width", [0.001, 0.1, 0.3])
def test_every_published_layout_of_any_width_gives_the_same_logits(images, layout, width, tmp_path):
    network = CORnetS(width=width, n_classes=3).eval()
    state = {f"{'' if layout == 'bare' else 'module.'}{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 43} if layout == "published" else state, tmp_path / "weights.pth")
    loaded = load_cornet_s(tmp_path / "weights.pth")
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(images), network(images))


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("code ran",))

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InvalidInput, match=r"evil\.pth"):
        read_checkpoint(tmp_path / "evil.pth")


def test_missing_unexpected_and_misshapen_weights_are_named(small, tmp_path):
    path = tmp_path / "weights.pth"
    with pytest.raises(MissingInput, match=r"weights\.pth"):
        load_cornet_s(path)
    state = small.state_dict()
    nan = {"IT.skip.weight": state["IT.skip.weight"] * float("nan")}
    for content, pattern in (
        ({k: v for k, v in state.items() if k != "V4.conv2.weight"}, r'Missing key.* "V4\.conv2\.weight"'),
        (state | {"V3.weight": torch.ones(1)}, r'Unexpected key.* "V3\.weight"'),
        (state | {"IT.skip.weight": torch.ones(2, 2)}, r"size mismatch for IT\.skip\.weight.*\[2, 2\]"),
        (state | nan, r"IT\.skip\.weight contains NaN"),
        ([1, 2], "dict of weights"),
        ({"V1.conv1.weight": torch.ones(8, 3, 7, 7)}, r"decoder\.linear\.bias"),
    ):
        torch.save(content, path)
        with pytest.raises(InvalidInput, match=pattern):
            load_cornet_s(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InvalidInput, match="fetch it again"):
        load_cornet_s(path)


def test_the_published_file_is_downloaded_once_and_its_hash_is_checked(small, tmp_path, monkeypatch):
    monkeypatch.setenv("REALNET_ROOT", str(tmp_path))
    torch.save(small.state_dict(), tmp_path / "weights.pth")
    digest = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    published = (tmp_path / "weights.pth").rename(tmp_path / f"cornet_s-{digest[:8]}.pth")
    monkeypatch.setattr(cornet, "URL", published.as_uri())
    load_cornet_s()
    other = published.rename(tmp_path / "cornet_s-00000000.pth")
    assert torch.equal(load_cornet_s().V1.conv1.weight, small.V1.conv1.weight)  # from data/raw/cornet_s
    monkeypatch.setattr(cornet, "URL", other.as_uri())
    with pytest.raises(MissingInput, match=r"data/raw/cornet_s/cornet_s-00000000\.pth was not downloaded.*hash"):
        load_cornet_s()
