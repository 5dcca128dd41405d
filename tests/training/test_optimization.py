"""A step does not depend on how its batch is split; plans of epochs; the same bits every time."""

from dataclasses import replace
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from runs import train

from scdcli.datasets.augment import Augmentation
from scdcli.errors import TrainingError
from scdcli.legend import SECOND
from scdcli.models.device import deterministic
from scdcli.models.networks import NETWORKS, NetworkSettings
from scdcli.models.networks.losses import ClassWeights, change_loss, loss_totals
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import CoverLogits, Logits, TypeLogits
from scdcli.training.distributed import ALONE, Ranks
from scdcli.training.optimization import gradient_norm, optimize, plan_epoch, require_divisible
from scdcli.training.trainer import OPTIMIZERS, Hardware, Trainer, TrainingSettings

CPU = Hardware(torch.device("cpu"))


class WithoutNormalization(torch.nn.Module):
    """A stand-in in which a pair knows nothing of the others of its batch."""

    output = "branches"

    def __init__(self):
        super().__init__()
        self.heads = torch.nn.Conv2d(6, 14, 3, padding=1)

    def forward(self, before, after):
        return Logits(*self.heads(torch.cat((before, after), 1)).split((6, 6, 2), dim=1))


def trainer(optimizer="sgd", weights=None):
    torch.manual_seed(3)
    model = ChangeModel(WithoutNormalization(), [100.0] * 3, [50.0] * 3)
    settings = TrainingSettings(optimizer=optimizer, lr=0.1)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    made = OPTIMIZERS[optimizer](model, settings)
    return Trainer(model, model, 6, made, None, scaler, weights=weights)


def batch(pairs=6, size=16):
    """Pairs with very different shares of changed pixels."""
    generator = torch.Generator().manual_seed(5)
    changed = torch.zeros(pairs, size, size, dtype=torch.int64)
    for index in range(pairs):
        changed[index, : 1 + 2 * index] = 1
    labels = torch.randint(1, 7, (2, pairs, size, size), generator=generator) * changed
    images = torch.randint(0, 256, (2, pairs, 3, size, size), generator=generator).float()
    names = ("before", "after", "from_label", "to_label", "changed")
    return dict(zip(names, (*images, *labels, changed), strict=True))


def split(whole, *ends):
    starts = (0, *ends[:-1])
    return [{k: x[a:b] for k, x in whole.items()} for a, b in zip(starts, ends, strict=True)]


WEIGHTS = ClassWeights(torch.tensor([1.0, 3, 1, 1, 2, 1]), torch.tensor([0.5, 4]))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_does_not_depend_on_how_its_batch_is_split(optimizer, weights):
    one, two = trainer(optimizer, weights), trainer(optimizer, weights)
    whole = batch()
    expected = optimize(one, [whole], CPU)
    assert optimize(two, split(whole, 2, 3, 6), CPU) == pytest.approx(expected, rel=1e-6)
    for name, tensor in one.model.named_parameters():
        torch.testing.assert_close(dict(two.model.named_parameters())[name], tensor)
    squares = sum(x.grad.double().square().sum() for x in one.model.parameters())
    torch.testing.assert_close(gradient_norm(one).double(), squares.sqrt())
    torch.testing.assert_close(gradient_norm(two), gradient_norm(one))
    # Not so with a mean of the parts' means: changed pixels are few in some.
    parts = [optimize(trainer(optimizer, weights), [part], CPU) for part in split(whole, 2, 3, 6)]
    assert sum(parts) / 3 != pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("kind", ["branches", "types", "covers"])
def test_losses_of_parts_add_up(kind, weights):
    whole = batch()
    labels = tuple(whole[name] for name in ("from_label", "to_label", "changed"))
    torch.manual_seed(2)
    channels = {"branches": (6, 6, 2), "types": (37,), "covers": (6, 6)}[kind]
    made = {"branches": Logits, "types": TypeLogits, "covers": CoverLogits}[kind]
    logits = made(*(torch.randn(6, c, 16, 16) for c in channels))
    totals = loss_totals(kind, 6, labels, weights)
    parts = [
        change_loss(
            made(*(x[rows] for x in logits)),
            *(x[rows] for x in labels),
            weights=weights,
            totals=totals,
        )
        for rows in (slice(0, 1), slice(1, 6))
    ]
    torch.testing.assert_close(sum(parts), change_loss(logits, *labels, weights=weights))


def test_scaled_gradients_move_the_weights_alike():
    """As fp16 needs: one scale for all parts of a step."""
    one, two = trainer(), trainer()
    two.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimize(one, [batch()], CPU)
    optimize(two, split(batch(), 2, 6), CPU)
    for name, tensor in one.model.named_parameters():
        torch.testing.assert_close(dict(two.model.named_parameters())[name], tensor)


def test_a_scale_that_is_too_large_skips_the_step():
    made = trainer()
    made.scaler = torch.amp.GradScaler("cpu", init_scale=3e38)  # nearly float32's largest
    before = {name: x.clone() for name, x in made.model.named_parameters()}
    bright = batch()
    bright["before"] *= 1e3
    assert torch.isfinite(torch.tensor(optimize(made, split(bright, 2, 6), CPU)))
    assert all(torch.equal(x, before[name]) for name, x in made.model.named_parameters())
    assert made.scaler.get_scale() < 3e38


def test_a_loss_that_is_no_number_moves_nothing():
    made = trainer()
    before = {name: x.clone() for name, x in made.model.state_dict().items()}
    broken = batch()
    broken["before"][0] = float("nan")
    assert optimize(made, split(broken, 3, 6), CPU) != 0
    assert all(torch.equal(x, before[name]) for name, x in made.model.state_dict().items())


@given(
    pairs=st.integers(1, 60),
    share=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    count=st.integers(1, 4),
)
def test_processes_share_the_steps_of_one(pairs, share, accumulate, count):
    settings = TrainingSettings(batch=share * count, accumulate=accumulate)
    if count > 1 and pairs < settings.batch * accumulate:
        with pytest.raises(TrainingError, match=f"has {pairs} training pairs"):
            require_divisible(pairs, settings, Ranks(0, count))
        return
    alone = plan_epoch(pairs, 3, settings, ALONE)
    plans = [plan_epoch(pairs, 3, settings, Ranks(rank, count)) for rank in range(count)]
    for step, parts in enumerate(zip(*plans, strict=True)):
        batches = [list(chain(*shares)) for shares in zip(*parts, strict=True)]
        assert batches == alone[step]
    seen = [index for step in alone for part in step for index in part]
    assert len(set(seen)) == len(seen)
    step = settings.batch * accumulate
    assert len(seen) == (pairs // step * step if pairs >= step else pairs)


def test_another_epoch_is_another_order():
    settings = TrainingSettings(batch=4)
    one, two = (plan_epoch(40, epoch, settings, ALONE) for epoch in (1, 2))
    assert one != two
    assert one == plan_epoch(40, 1, settings, ALONE)
    assert one != plan_epoch(40, 1, replace(settings, seed=1), ALONE)


def test_a_batch_that_cannot_be_shared_says_what_can():
    with pytest.raises(TrainingError, match=r"--batch 6 cannot be shared by 4.*--batch 8"):
        require_divisible(100, TrainingSettings(batch=6), Ranks(0, 4))
    require_divisible(3, TrainingSettings(batch=6), ALONE)


def test_deterministic_algorithms_are_used_inside_only():
    with deterministic():
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_two_deterministic_runs_give_equal_bits(second_tree, tmp_path, precision):
    from sets import find_samples

    from scdcli.models.checkpoint import read_tensors

    samples = find_samples(second_tree(pairs=4, size=64) / "train")
    settings = TrainingSettings(
        epochs=1, batch=2, accumulate=2, augmentation=Augmentation(chip=32, jitter=0.5)
    )
    network = NetworkSettings(width=0.125)
    hardware = replace(CPU, precision=precision)
    with deterministic():
        for name in "ab":
            list(train(samples, samples[:1], tmp_path / name, network, SECOND, settings, hardware))
    one, two = (read_tensors(tmp_path / name / "last.safetensors")[0] for name in "ab")
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_trained_parameter_gets_a_gradient(name):
    """Or processes would wait for each other's."""
    from scdcli.models.networks import build

    network = build(NetworkSettings(name, width=0.125))
    images = torch.rand(2, 2, 3, 64, 64)
    labels = torch.ones(3, 2, 64, 64, dtype=torch.int64)
    change_loss(network(*images), *labels).backward()
    idle = [k for k, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle
