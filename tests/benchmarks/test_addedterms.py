"""Terms added to the cross-entropies: their formulas by hand, what does not count, gradients."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scdcli.models.networks.outputs import Logits

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from addedterms import TERMS, consistency, dice_loss, inconsistency, lovasz_loss

pixels = st.lists(
    st.tuples(st.integers(0, 100), st.sampled_from([0, 1, 255])), min_size=1, max_size=12
)


def row(drawn):
    likely, changed = zip(*drawn, strict=True)
    return torch.tensor([likely]) / 100, torch.tensor([changed])


def jaccard_loss(wrong, mine, count):
    """1 - IoU of a class where the pixels in ``wrong`` alone are called wrongly."""
    there = {i for i in range(count) if mine[i]}
    called = there ^ set(wrong)
    return 1 - len(there & called) / len(there | called) if there | called else 0.0


def by_definition(likely, changed):
    """Eq. 8 of the paper from sets, class by class."""
    known = [i for i, label in enumerate(changed) if label != 255]
    losses = []
    for value in (0, 1):
        mine = [changed[i] == value for i in known]
        if not any(mine):
            continue
        errors = [abs(likely[i] - changed[i]) for i in known]
        order = sorted(range(len(known)), key=lambda i: -errors[i])
        sets = [jaccard_loss(order[:n], mine, len(known)) for n in range(len(known) + 1)]
        steps = [after - before for before, after in pairwise(sets)]
        losses.append(sum(errors[i] * step for i, step in zip(order, steps, strict=True)))
    return sum(losses) / len(losses) if losses else 0.0


@given(pixels)
def test_lovasz_is_its_definition(drawn):
    likely, changed = row(drawn)
    expected = by_definition(likely[0].tolist(), changed[0].tolist())
    assert lovasz_loss(likely, changed).item() == pytest.approx(expected, abs=1e-5)


@given(st.lists(st.tuples(st.sampled_from([0, 100]), st.sampled_from([0, 1])), min_size=1))
def test_lovasz_of_a_hard_map_is_one_minus_the_iou(drawn):
    likely, changed = row(drawn)
    losses = []
    for value in (0, 1):
        mine, called = changed == value, likely == value
        if mine.any():
            losses.append(1 - ((mine & called).sum() / (mine | called).sum()).item())
    found = lovasz_loss(likely, changed).item()
    assert found == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_dice_by_hand():
    likely = torch.tensor([[0.8, 0.5, 0.1, 0.9], [0.2, 0.4, 0.0, 0.0], [0.2, 0.4, 0.0, 0.0]])
    changed = torch.tensor([[1, 1, 0, 255], [0, 0, 0, 0], [255, 255, 255, 255]])
    first = 1 - (2 * 1.3 + 1) / (0.64 + 0.25 + 0.01 + 2 + 1)
    second = 1 - 1 / (0.04 + 0.16 + 1)
    expected = torch.tensor([first, second, 0])
    torch.testing.assert_close(dice_loss(likely, changed), expected)


def test_consistency_by_hand():
    before = torch.tensor([[0.8, 0.2]] * 6).T.reshape(1, 2, 1, 6)
    after = torch.tensor([[0.6, 0.4]] * 6).T.reshape(1, 2, 1, 6)
    cosine = (0.48 + 0.08) / (0.68 * 0.52) ** 0.5
    # Unchanged; changed; of its own class; half and wholly unknown; no data.
    labels = [[0, 1, 2, 1, 255, 255], [0, 2, 2, 255, 255, 255], [0, 1, 1, 1, 1, 255]]
    labels = [torch.tensor(label).reshape(1, 1, 6) for label in labels]
    found = inconsistency(before, after, labels).flatten()
    torch.testing.assert_close(found, torch.tensor([1 - cosine, cosine, 0, 0, 0, 0]))
    beyond = inconsistency(before, after, labels, margin=0.7).flatten()
    torch.testing.assert_close(beyond, torch.tensor([1 - cosine, cosine - 0.7, 0, 0, 0, 0]))
    assert (inconsistency(before, after, labels, margin=0.99)[0, 0, 1:] == 0).all()
    logits = Logits(before.log(), after.log(), torch.zeros(1, 2, 1, 6))
    mean = consistency(logits, labels)
    torch.testing.assert_close(mean, torch.tensor((1 - cosine + cosine) / 2))


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("size", [0.0, 1.0, 200.0])
def test_gradients_are_finite_whatever_the_labels_and_logits(name, label, size):
    torch.manual_seed(0)
    parts = [torch.full((2, c, 4, 4), 0.5, requires_grad=True) for c in (3, 3, 2)]
    logits = Logits(*(part * size * torch.randn(part.shape).sign() for part in parts))
    classes = torch.randint(1, 4, (2, 2, 4, 4)) * label
    loss = TERMS[name](logits, (*classes, torch.full((2, 4, 4), label)))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(part.grad).all() for part in parts if part.grad is not None)


@pytest.mark.parametrize("loss", [dice_loss, lovasz_loss])
@pytest.mark.parametrize("label", [0, 1])
def test_pairs_of_one_kind_are_drawn_to_it(loss, label):
    likely = torch.full((1, 16), 0.5, requires_grad=True)
    loss(likely, torch.full((1, 16), label)).backward()
    assert (likely.grad * (1 - 2 * label) > 0).all()
