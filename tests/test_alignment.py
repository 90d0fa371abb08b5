"""The encoder and the alignment loss are those of the paper, and the contrastive loss has a gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import pdist

from realnet.alignment import ReAlnet, contrastive_loss, correlation_matrix, exact_rank, load_realnet, similarity_loss
from realnet.cornet import CORnetS
from realnet.errors import InvalidInput, MissingInput
from realnet.networks import save_weights


def _patterns(n, n_targets, seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=(2, n, n_targets)), dtype=torch.float64)


def _small(seed=0):
    torch.manual_seed(seed)
    return ReAlnet(CORnetS(width=0.125, n_classes=10), n_targets=12, n_hidden=5, image_size=64).eval()


def test_encoder_of_the_full_network_has_the_papers_number_of_weights():
    assert sum(p.numel() for p in ReAlnet(CORnetS()).parameters()) == 102_111_400  # paper: 102.1 million


def test_prediction_is_a_linear_reading_of_four_rectified_readouts():
    model, images = _small(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        logits, predicted = model(images)
        states = model.realnet.activations(images)
        hidden = [
            (states[layer].flatten(1) @ head.weight.T + head.bias).clamp_min(0)
            for layer, head in zip(states, (model.fc_v1, model.fc_v2, model.fc_v4, model.fc_it), strict=True)
        ]
        expected = torch.cat(hidden, 1) @ model.fc.weight.T + model.fc.bias
        torch.testing.assert_close(predicted, expected)
        torch.testing.assert_close(logits, model.realnet(images))


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_exact_rank_equals_scipy_with_ties(values):
    ours = exact_rank(torch.tensor([values], dtype=torch.float64)).numpy()[0]
    np.testing.assert_array_equal(ours, stats.rankdata(values))


@pytest.mark.parametrize("correlation, reference", [("spearman", stats.spearmanr), ("pearson", stats.pearsonr)])
def test_correlations_equal_scipy_and_the_contrastive_loss_its_equation_written_out(correlation, reference):
    predicted, measured = _patterns(6, 50)
    predicted[0, :10] = 0.5  # ties
    r = np.array([[reference(p, m).statistic for m in measured.numpy()] for p in predicted.numpy()])
    np.testing.assert_allclose(correlation_matrix(predicted, measured, correlation), r, atol=1e-12)
    np.testing.assert_allclose(correlation_matrix(predicted.float(), measured.float(), correlation), r, atol=1e-6)
    matched = np.mean([1 - r[i, i] for i in range(6)])
    mismatched = np.mean([1 - r[i, j] for i in range(6) for j in range(6) if i != j])
    assert contrastive_loss(predicted, measured, correlation).item() == pytest.approx(matched - mismatched, abs=1e-12)


@pytest.mark.parametrize("correlation", ["spearman", "pearson"])
def test_contrastive_loss_has_a_gradient_that_descends(correlation):
    predicted, measured = _patterns(8, 64, seed=1)
    predicted.requires_grad_()
    optimizer = torch.optim.Adam([predicted], lr=0.02)
    start = contrastive_loss(predicted, measured, correlation).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = contrastive_loss(predicted, measured, correlation)
        loss.backward()
        assert torch.isfinite(predicted.grad).all() and predicted.grad.abs().sum() > 0
        optimizer.step()
    assert loss.item() < start - 0.9


def test_pearson_gradient_equals_finite_differences():
    predicted, measured = _patterns(4, 10, seed=2)
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: contrastive_loss(p, measured, "pearson"), (predicted,))


def _gradient(predicted, measured):
    """Of the Spearman loss with respect to the predictions."""
    predicted = predicted.clone().requires_grad_()
    contrastive_loss(predicted, measured).backward()
    return predicted.grad


@pytest.mark.parametrize(("decay", "kurtosis"), [(0, 3), (0.41, 12), (0.74, 56), (0.85, 75)])
def test_spearman_gradient_is_that_of_a_smooth_rank_also_for_heavy_tailed_rows(decay, kurtosis):
    """Oracle: ranks replaced by sums of sigmoids, differentiated by torch; also orthogonal to shift and scale.

    Standard deviations of the components decay as i^-decay, as those of a PCA. A gradient that takes the rows for
    normally distributed ones has a third of the length, and a cosine of .88, at the last decay.
    """
    predicted, measured = _patterns(40, 256, seed=4) * torch.arange(1, 257) ** -decay
    assert stats.kurtosis(predicted, axis=1, fisher=False).mean() == pytest.approx(kurtosis, rel=0.15)
    predicted = 0.8 * predicted + 0.6 * measured
    ours, smooth = _gradient(predicted, measured), predicted.clone().requires_grad_()
    width = 0.15 * np.subtract(*np.quantile(predicted, [0.75, 0.25], axis=1)) / 1.349  # of an SD, if rows were normal
    ranks = torch.sigmoid((smooth[:, :, None] - smooth[:, None, :]) / torch.tensor(width)[:, None, None]).sum(dim=2)
    contrastive_loss(ranks, torch.tensor(stats.rankdata(measured.numpy(), axis=1)), "pearson").backward()
    cosine = torch.nn.functional.cosine_similarity(ours, smooth.grad, dim=1)
    assert cosine.mean() > 0.98 and (cosine > 0.94).all()
    length = ours.norm(dim=1) / smooth.grad.norm(dim=1)
    assert length.mean() == pytest.approx(1, abs=0.05) and ((length > 0.8) & (length < 1.25)).all()
    centred = predicted - predicted.mean(dim=1, keepdim=True)
    assert ours.sum(dim=1).abs().max() < 1e-10 and (ours * centred).sum(dim=1).abs().max() < 1e-10


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e6, 1e30])
def test_spearman_loss_and_the_length_of_its_gradient_follow_the_scale_of_the_predictions(scale):
    predicted, measured = (patterns.float() for patterns in _patterns(6, 256, seed=5))
    assert contrastive_loss(predicted * scale, measured) == contrastive_loss(predicted, measured)
    torch.testing.assert_close(_gradient(predicted * scale, measured) * scale, _gradient(predicted, measured))


def test_tied_neighbours_have_a_bounded_gradient():
    """At most 10 n / sd per unit of the gradient by the rank; the projection at most triples it."""
    predicted, measured = (patterns.float() for patterns in _patterns(6, 256, seed=6))
    predicted[:, :200] = torch.round(predicted[:, :200])  # 200 of 256 values are integers
    ranks = exact_rank(predicted).requires_grad_()
    contrastive_loss(ranks, exact_rank(measured), "pearson").backward()
    bound = 3 * 10 * 256 * ranks.grad.abs().amax(dim=1) / predicted.std(dim=1)
    largest = _gradient(predicted, measured).abs().amax(dim=1)
    assert ((largest > 0) & (largest < bound)).all()


@pytest.mark.parametrize("correlation", ["spearman", "pearson"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e4])
def test_constant_predictions_neither_move_nor_disturb_others(correlation, value):
    predicted, measured = (patterns.float() for patterns in _patterns(8, 200))
    predicted[3] = value
    predicted.requires_grad_()
    contrastive_loss(predicted, measured, correlation).backward()
    others = torch.cat([predicted.grad[:3], predicted.grad[4:]])
    assert not predicted.grad[3].any() and 0 < others.abs().max() < 1
    constant = torch.full((8, 200), value, requires_grad=True)
    loss = contrastive_loss(constant, measured, correlation)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6) and not constant.grad.any()


@pytest.mark.parametrize("correlation", ["spearman", "pearson"])
def test_a_nan_is_never_a_finite_loss(correlation):
    predicted, measured = _patterns(4, 50)
    for broken in (predicted, measured):
        kept = broken[1, 7].item()
        broken[1, 7] = torch.nan
        assert contrastive_loss(predicted, measured, correlation).isnan()
        broken[1, 7] = kept
    values = torch.tensor([[1.0, torch.nan, 0.0], [2.0, 2.0, 1.0]])
    ranks = torch.from_numpy(stats.rankdata(values, axis=-1))
    torch.testing.assert_close(exact_rank(values).double(), ranks, equal_nan=True)


def test_wrong_arguments_are_refused_in_one_sentence():
    predicted, measured = _patterns(4, 20)
    for arguments, pattern in (
        ((predicted, measured, "kendall"), "'kendall'"),
        ((predicted, measured[:, 1:]), r"\(4, 20\) and measured \(4, 19\)"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match=pattern):
            contrastive_loss(*arguments)


def _authors_files(model, folder):
    """encoder.pt (the encoder around the network) and realnet.pt (the network alone), as published."""
    network = {f"module.{key}": value for key, value in model.realnet.state_dict().items()}
    readouts = {key: value for key, value in model.state_dict().items() if key.startswith("fc")}
    torch.save({f"realnet.{key}": value for key, value in network.items()} | readouts, folder / "encoder.pt")
    torch.save(network, folder / "realnet.pt")


def test_every_layout_of_a_trained_network_gives_the_same_logits(tmp_path):
    model, images = _small(seed=5), torch.randn(2, 3, 64, 64)
    save_weights(tmp_path / "ours.safetensors", model, {"seed": 5})
    _authors_files(model, tmp_path)
    with torch.no_grad():
        for name in ("ours.safetensors", "encoder.pt", "realnet.pt"):
            assert torch.equal(load_realnet(tmp_path / name)(images), model.realnet(images))


def test_missing_and_damaged_networks_are_named(tmp_path):
    with pytest.raises(MissingInput, match="02_training"):
        load_realnet(tmp_path / "sub-01.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08\x00")
    with pytest.raises(InvalidInput, match=r"cut\.safetensors"):
        load_realnet(tmp_path / "cut.safetensors")
    _authors_files(_small(), tmp_path)
    state = torch.load(tmp_path / "encoder.pt", weights_only=True)
    torch.save(state | {"other.weight": torch.ones(1)}, tmp_path / "encoder.pt")
    with pytest.raises(InvalidInput, match=r"encoder\.pt.*other\.weight"):
        load_realnet(tmp_path / "encoder.pt")


def _literal_similarity_loss(activations, rdm):
    """The equation, pair by pair."""
    parts = []
    for layer in activations:
        z = [(x - x.mean()) / np.linalg.norm(x - x.mean()) for x in layer.reshape(len(layer), -1)]
        gram = [z[i] @ z[j] for i in range(len(z)) for j in range(i + 1, len(z))]
        parts.append(1 - stats.pearsonr(gram, 1 - rdm).statistic)
    return np.mean(parts)


def test_the_similarity_loss_is_its_equation_written_out():
    rng = np.random.default_rng(3)
    activations = [rng.normal(size=(7, 4, 3, 3)), rng.normal(size=(7, 20)) ** 2]
    rdm = pdist(rng.normal(size=(7, 9)), "correlation")
    expected = _literal_similarity_loss(activations, rdm)
    tensors = [torch.tensor(layer) for layer in activations]
    assert similarity_loss(tensors, rdm).item() == pytest.approx(expected, abs=1e-12)
    assert similarity_loss([t.float() for t in tensors], torch.tensor(rdm)).item() == pytest.approx(expected, abs=1e-6)
    own = pdist(activations[1], "correlation")
    assert similarity_loss(tensors[1:], own).item() == pytest.approx(0, abs=1e-12)


def test_the_gradient_of_the_similarity_loss_is_its_finite_difference():
    rng = np.random.default_rng(4)
    layers = [torch.tensor(rng.normal(size=shape), requires_grad=True) for shape in ((5, 2, 3), (5, 4))]
    rdm = torch.tensor(rng.uniform(size=10))
    assert torch.autograd.gradcheck(lambda *given: similarity_loss(list(given), rdm), layers)


def test_a_similarity_loss_without_pairs_or_with_those_of_other_images_is_refused():
    for n, pairs in ((2, 1), (4, 3)):
        with pytest.raises(InvalidInput, match=f"{n} images and an RDM of shape"):
            similarity_loss([torch.ones(n, 3)], np.zeros(pairs))
