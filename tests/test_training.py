"""One training run does what the paper says, and an interrupted one ends as if it had not been interrupted."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import realnet.training as training
from realnet.activations import cpu_threads, normalise
from realnet.alignment import ReAlnet, contrastive_loss
from realnet.cornet import CORnetS
from realnet.errors import InvalidInput
from realnet.settings import TrainingSettings
from realnet.training import align, alignment_losses, build_model, teacher_labels

QUICK = {"epochs": 2, "batch_size": 8, "n_hidden": 4, "learning_rate": 1e-3, "device": "cpu"}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CORnetS(width=0.0625, n_classes=7)


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (26, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return images, np.random.default_rng(2).normal(size=(26, 10))


def _run(network, data, beta=40, **options):
    settings = TrainingSettings(**(QUICK | options.pop("settings", {})))
    return align(copy.deepcopy(network), *data, settings, beta=beta, **({"progress": False} | options))


def _same(a, b):
    return all(torch.equal(value, b.state_dict()[key]) for key, value in a.state_dict().items())


@pytest.fixture
def batch(network, data):
    model = ReAlnet(network, n_targets=10, n_hidden=4, image_size=32)
    images, targets = data
    labels = torch.arange(8) % 7
    return model.eval(), images[:8], labels, torch.tensor(targets[:8], dtype=torch.float32)


def _gradient(loss, model):
    parts = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


def test_total_loss_is_class_loss_plus_beta_times_fmri_losses(batch):
    model, images, labels, measured = batch
    losses = alignment_losses(model, images, labels, measured, 30, TrainingSettings())
    logits, predicted = model(normalise(images))
    loss_class = -torch.log_softmax(logits, 1)[range(8), labels].mean()
    loss_mse = ((predicted - measured) ** 2).sum() / measured.numel()
    loss_contrastive = contrastive_loss(predicted, measured, "spearman")
    torch.testing.assert_close(losses["loss_total"], loss_class + 30 * (loss_mse + loss_contrastive))


def test_control_is_trained_on_the_classes_alone(batch):
    model, images, labels, measured = batch
    losses = alignment_losses(model, images, labels, measured, 0, TrainingSettings())
    assert torch.equal(losses["loss_total"], losses["loss_class"])
    assert losses["loss_mse"] > 0 and not losses["loss_mse"].requires_grad


def test_detached_contrastive_loss_changes_the_value_and_not_the_gradient(batch):
    """The released loss: its contrastive part never reached the weights."""
    model = batch[0]
    choices = [TrainingSettings(contrastive=name) for name in ("detached", "none", "pearson")]
    detached, without, with_gradient = (alignment_losses(*batch, 40, choice) for choice in choices)
    assert detached["loss_total"] == with_gradient["loss_total"] != without["loss_total"]
    first, second, third = (_gradient(losses["loss_total"], model) for losses in (detached, without, with_gradient))
    assert torch.equal(first, second) and not torch.equal(first, third)


@pytest.mark.parametrize("loss", ["similarity", "both"])
def test_a_similarity_loss_compares_each_layer_with_the_products_of_the_components(batch, loss):
    model, images, labels, measured = batch
    losses = alignment_losses(model, images, labels, measured, 30, TrainingSettings(loss=loss))
    upper = np.triu_indices(8, 1)
    brain = (measured.numpy() @ measured.numpy().T)[upper]
    with torch.no_grad():
        states = model.realnet.activations(normalise(images)).values()
    r = [np.corrcoef(np.corrcoef(state.flatten(1).numpy())[upper], brain)[0, 1] for state in states]
    assert losses["loss_similarity"].item() == pytest.approx(1 - np.mean(r), abs=1e-5)
    encoding = alignment_losses(model, images, labels, measured, 30, TrainingSettings())
    expected = losses["loss_class"] + 30 * losses["loss_similarity"]
    if loss == "both":
        expected = expected + 30 * (encoding["loss_mse"] + encoding["loss_contrastive"])
    torch.testing.assert_close(losses["loss_total"], expected)


def test_similarity_training_makes_the_layers_more_similar_and_is_a_run_of_its_own(network, data, tmp_path, capsys):
    settings, checkpoint = {"loss": "similarity", "epochs": 6}, tmp_path / "run.checkpoint"
    _run(network, data, checkpoint=checkpoint, settings={"epochs": 6})
    # 26 images in batches of 8: the last two join the batch before, as a single pair has no correlation
    model, history = _run(network, data, checkpoint=checkpoint, settings=settings, test=(data[0][:10], data[1][:10]))
    assert "belongs to other settings" in capsys.readouterr().out
    table = history.pivot_table(index="epoch", columns=["split", "metric"], values="value")
    assert set(table.training) == {"loss_class", "loss_similarity", "loss_total"}
    assert table.training.loss_similarity.iloc[-1] < table.training.loss_similarity.dropna().iloc[0] - 0.1
    before = build_model(network, 10, 32, TrainingSettings(**(QUICK | settings)))[0]
    assert not _same(model.realnet, before.realnet)


def test_teacher_labels_are_the_classes_of_the_frozen_network(network, data):
    with torch.no_grad():
        expected = [network.eval()(normalise(image[None])).argmax().item() for image in data[0]]
    assert teacher_labels(network, data[0], batch_size=7, device="cpu").tolist() == expected


def test_lean_training_equals_a_plain_loop(network, data, monkeypatch):
    """Oracle: the loop written out as the paper describes it, with the teacher's labels at every step.

    Both with gradient descent in place of Adam, which turns last-bit differences of tiny gradients into full steps, and
    without ranks, which turn such a difference into an exchanged pair.
    """
    monkeypatch.setattr(torch.optim, "Adam", lambda weights, lr, fused: torch.optim.SGD(weights, lr=lr))
    images, targets = data[0][:24], data[1][:24]
    ours, history = _run(network, (images, targets), settings={"learning_rate": 1e-5, "contrastive": "pearson"})
    teacher = copy.deepcopy(network).eval()
    torch.manual_seed(0)
    model = ReAlnet(copy.deepcopy(network), n_targets=10, n_hidden=4, image_size=32)
    descent = torch.optim.SGD(model.parameters(), lr=1e-5)
    totals = []
    for epoch in range(2):
        model.train()
        order = np.random.default_rng([0, epoch]).permutation(24)
        for rows in (order[:8], order[8:16], order[16:]):
            x = normalise(images[rows])
            y = torch.tensor(targets[rows], dtype=torch.float32)
            with torch.no_grad():
                labels = teacher(x).argmax(1)
            logits, predicted = model(x)
            loss = nn.functional.cross_entropy(logits, labels)
            loss = loss + 40 * (nn.functional.mse_loss(predicted, y) + contrastive_loss(predicted, y, "pearson"))
            descent.zero_grad()
            loss.backward()
            descent.step()
            totals.append((epoch + 1, loss.item() * len(rows) / 24))
    for key, value in model.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], value, rtol=1e-3, atol=1e-5)
    found = history.query("split == 'training' and metric == 'loss_total'").set_index("epoch").value
    for epoch in (1, 2):
        assert found[epoch] == pytest.approx(sum(v for e, v in totals if e == epoch), rel=1e-3)


def test_alignment_lowers_the_fmri_losses(network, data):
    model, history = _run(network, data, settings={"epochs": 12})
    table = history.query("split == 'training'").pivot(index="epoch", columns="metric", values="value")
    assert table.loss_mse.iloc[-1] < 0.9 * table.loss_mse.iloc[0]
    assert table.loss_contrastive.iloc[-1] < table.loss_contrastive.iloc[0] - 0.1
    assert not model.training


@pytest.mark.parametrize("stop", [1, 3, 5, 7])
def test_an_interrupted_run_ends_with_the_same_bits(network, data, stop, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1)  # a checkpoint after every step
    options = {"test": (data[0][:6], data[1][:6])}
    whole, history = _run(network, data, **options)
    steps, original = [], training.training_step

    def step(*arguments):
        if len(steps) == stop:
            raise KeyboardInterrupt
        steps.append(1)
        return original(*arguments)

    options["checkpoint"] = tmp_path / "run.checkpoint"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "training_step", step)
        _run(network, data, **options)
    steps.clear()
    monkeypatch.setattr(training, "training_step", lambda *arguments: (steps.append(1), original(*arguments))[1])
    resumed, resumed_history = _run(network, data, **options)
    assert _same(whole, resumed) and history.equals(resumed_history) and len(steps) == 8 - stop


@pytest.mark.parametrize("threads", [1, 2])
def test_training_uses_the_threads_of_the_settings_whatever_the_machine(network, data, threads, monkeypatch):
    seen, models, original = set(), [], training.training_step

    def step(*arguments):
        seen.add(torch.get_num_threads())
        return original(*arguments)

    monkeypatch.setattr(training, "training_step", step)
    for machine in (1, 3):
        with cpu_threads(machine):
            models.append(_run(network, data, settings={"threads": threads})[0])
            assert torch.get_num_threads() == machine
    assert seen == {threads} and _same(*models)


def _damage(path, kind):
    content = bytearray(path.read_bytes())
    if kind == "one bit":
        content[len(content) // 2] ^= 1
    path.write_bytes({"cut short": content[:-100], "empty": b"", "one bit": content, "no torch file": b"x" * 99}[kind])


@pytest.mark.parametrize("kind", ["cut short", "empty", "one bit", "no torch file", "settings", "beta", "data"])
def test_a_damaged_checkpoint_or_one_of_another_run_is_not_resumed(network, data, tmp_path, capsys, kind):
    checkpoint, (images, targets) = tmp_path / "run.checkpoint", data
    first = {"settings": {"settings": {"epochs": 1}}, "beta": {"beta": 10}}.get(kind, {})
    _run(network, (images, targets + (kind == "data")), checkpoint=checkpoint, **first)
    if not first and kind != "data":
        _damage(checkpoint, kind)
    resumed, _ = _run(network, data, checkpoint=checkpoint)
    (said,) = capsys.readouterr().out.splitlines()
    assert "training starts again" in said and _same(_run(network, data)[0], resumed)


def test_a_run_is_not_resumed_on_another_kind_of_device(network, data, tmp_path, capsys, monkeypatch):
    checkpoint = tmp_path / "run.checkpoint"
    with monkeypatch.context() as patch:
        patch.setattr(training, "device_name", lambda device: "cuda (NVIDIA A100)")
        _run(network, data, checkpoint=checkpoint)
    resumed, _ = _run(network, data, checkpoint=checkpoint)
    (said,) = capsys.readouterr().out.splitlines()
    assert "begun on another kind of device (cuda (NVIDIA A100); this is cpu): training starts again" in said
    assert _same(_run(network, data)[0], resumed)


@pytest.mark.parametrize(("deterministic", "tf32"), [(True, False), (False, True)])
def test_a_gpu_calculates_as_the_settings_say_during_the_training_and_no_bit_changes_on_a_cpu(
    network, data, deterministic, tf32, monkeypatch
):
    def flags():
        cudnn, cublas = torch.backends.cudnn, torch.backends.cuda.matmul
        algorithms = torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, not cudnn.benchmark
        return algorithms, (cudnn.allow_tf32, cublas.allow_tf32), cudnn.enabled

    before, seen, original, model = flags(), set(), training.training_step, _run(network, data)[0]
    monkeypatch.setattr(training, "training_step", lambda *given: (seen.add(flags()), original(*given))[1])
    choices = {"tf32": tf32, "deterministic": deterministic}
    assert _same(model, _run(network, data, settings=choices)[0])
    with pytest.raises(InvalidInput, match="diverged"):
        _run(network, (data[0], data[1] * np.inf), settings=choices)
    assert seen == {((deterministic, deterministic, True), (tf32, tf32), True)} and flags() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(network, data):
    with pytest.raises(InvalidInput, match=r"torch finds no GPU: set training\.device to auto or cpu"):
        _run(network, data, settings={"device": "cuda"})


def test_one_seed_gives_one_network_and_another_seed_another(network, data):
    assert _same(_run(network, data, seed=3)[0], _run(network, data, seed=3)[0])
    assert not _same(_run(network, data, seed=3)[0], _run(network, data, seed=4)[0])


def test_frozen_batch_norm_keeps_the_given_statistics(network, data):
    frozen, _ = _run(network, data, settings={"batch_norm": "frozen"})
    moving, _ = _run(network, data)
    key = "IT.norm2_0.running_mean"
    assert torch.equal(frozen.realnet.state_dict()[key], network.state_dict()[key])
    assert not torch.equal(moving.realnet.state_dict()[key], network.state_dict()[key])


def test_momentum_019_reproduces_two_forward_passes(network, data):
    """The released notebook passes every batch twice."""
    x = normalise(data[0][:8]).contiguous(memory_format=torch.channels_last)
    twice = copy.deepcopy(network).train()
    once = build_model(network, 10, 32, TrainingSettings(batch_norm_momentum=0.19))[0].realnet.train()
    twice(x), twice(x), once(x)
    for key, value in once.state_dict().items():
        if "running" in key:
            torch.testing.assert_close(value, twice.state_dict()[key], rtol=1e-5, atol=1e-6)


def test_best_test_loss_keeps_the_epoch_with_the_lowest_loss_on_the_test_images(network, data):
    test = (data[0][:6], np.random.default_rng(9).normal(size=(6, 10)))
    options = {"epochs": 8, "learning_rate": 5e-3, "contrastive": "none"}
    chosen, history = _run(network, data, test=test, settings=options | {"selection": "best_test_loss"})
    losses = history.query("split == 'test' and metric == 'loss_total' and epoch > 0").set_index("epoch").value
    best = int(losses.idxmin())
    assert best < 8, "the example must overfit for this test to say anything"
    # the order of images follows from seed and epoch, so that a shorter run is the beginning of a longer one
    until_best, _ = _run(network, data, test=test, settings=options | {"epochs": best})
    assert _same(chosen, until_best)


def test_a_single_left_over_image_joins_the_batch_before(network, data):
    model, history = _run(network, (data[0][:17], data[1][:17]))  # 8 + 9
    assert np.isfinite(history.value).all() and torch.isfinite(model.fc.weight).all()


def test_single_layer_encoders_read_only_that_layer(network, data):
    model, _ = _run(network, data, settings={"layers": ("IT",), "epochs": 1})
    assert {k.split(".")[0] for k in model.state_dict()} == {"realnet", "fc_it", "fc"} and model.fc.in_features == 4


def test_mismatched_or_broken_targets_and_a_diverging_training_are_refused(network, data):
    images, targets = data
    for broken, pattern in (
        (targets[:-1], "26 images and 25 responses"),
        (np.where(targets > 2, np.nan, targets), "diverged in epoch 1"),
        (targets * 1e30, "diverged in epoch 1"),
    ):
        with pytest.raises(InvalidInput, match=pattern):
            _run(network, (images, broken))


def test_bfloat16_follows_float32_closely(network, data):
    _, full = _run(network, data, settings={"epochs": 1})
    _, half = _run(network, data, settings={"epochs": 1, "precision": "bfloat16"})
    np.testing.assert_allclose(half.value, full.value, rtol=0.05, atol=0.05)
