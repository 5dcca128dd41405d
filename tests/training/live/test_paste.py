"""Changes put into scenes, and the labels they give."""

from dataclasses import replace

import pytest
import torch
from livebanks import BUILDING, GROUND, VEGETATION, WATER, bank

from scdcli.training.live.draws import Draws
from scdcli.training.live.paste import Pasted, labels, paste, start
from scdcli.training.live.scenes import draw_scenes

CPU = torch.device("cpu")
NOTHING, OBJECT, BLOT, PARCEL = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))


def scenes(seed=0, count=24, **of_bank):
    return draw_scenes([(bank(**of_bank), 1.0)], count, 48, Draws.seeded(seed, CPU))


def pasted(seed=0, rates=OBJECT, **of_bank):
    into = scenes(seed, **of_bank)
    return into, paste(start(into), scenes(seed + 1), Draws.seeded(seed, CPU), rates)


def test_nothing_pasted_changes_nothing():
    before, after = pasted(rates=NOTHING)
    assert torch.equal(before.before, after.scenes.before)
    assert torch.equal(before.covers, after.scenes.covers)
    assert not (labels(after) == 1).any()


@pytest.mark.parametrize("rates", [OBJECT, BLOT, PARCEL])
def test_changed_is_where_the_classes_of_the_dates_differ(rates):
    _, made = pasted(rates=rates)
    covers, changed = made.scenes.covers, labels(made)
    assert (changed == 1).sum() > 100
    assert (covers[:, 0] != covers[:, 1])[changed == 1].all()
    assert (covers[:, 0] == covers[:, 1])[changed == 0].all()


def test_what_is_pasted_into_both_dates_is_no_change():
    into, made = pasted(rates=PARCEL)
    moved = [(into.covers[:, d] != made.scenes.covers[:, d]) for d in (0, 1)]
    both = moved[0] & moved[1]
    assert both.any()
    assert not (labels(made)[both] == 1).any()
    images = [
        (a - b).abs().amax(1)
        for a, b in zip(
            (into.before, into.after), (made.scenes.before, made.scenes.after), strict=True
        )
    ]
    assert (images[0][both] > 0).float().mean() > 0.9
    assert (images[1][both] > 0).float().mean() > 0.9


def test_images_differ_from_before_only_where_something_was_put():
    into, made = pasted(rates=OBJECT)
    for old, new, date in (
        (into.before, made.scenes.before, 0),
        (into.after, made.scenes.after, 1),
    ):
        touched = (old != new).any(dim=1)
        put = into.covers[:, date] != made.scenes.covers[:, date]
        assert touched[put].float().mean() > 0.9
        assert touched.float().mean() < 0.5


def test_a_seam_is_left_out():
    _, made = pasted(rates=PARCEL)
    changed = labels(made)
    beside = (changed[:, :, 1:] == 1) & (changed[:, :, :-1] == 0)
    beside |= (changed[:, :, 1:] == 0) & (changed[:, :, :-1] == 1)
    # Only hard edges, a third of all, may touch.
    assert beside.sum() < 0.6 * (changed == 255).sum()


def of(before, after, changed=0, differs=True):
    """Labels of one pixel whose dates have these classes."""
    base = scenes(count=1)
    one = torch.ones_like(base.changed)
    covers = torch.stack((one * before, one * after), dim=1)
    scene = replace(base, covers=covers, changed=one * changed)
    return int(labels(Pasted(scene, one.bool() & differs))[0, 0, 0])


@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        (GROUND, BUILDING, 1),
        (VEGETATION, VEGETATION, 0),
        (BUILDING, BUILDING, 255),  # replaced
        (0, BUILDING, 1),
        (WATER, 0, 1),
        (0, GROUND, 255),
        (0, 0, 255),
    ],
)
def test_the_rule_of_labels(before, after, label):
    assert of(before, after) == label
    assert of(before, after, differs=False) == 0
    assert of(before, after, changed=255) == 255


def test_a_real_change_stays_where_nothing_lies_on_it():
    assert of(GROUND, BUILDING, changed=1, differs=False) == 1


def test_ground_that_is_not_judged_stays_so_but_where_something_is_put():
    _, made = pasted(rates=BLOT, dates=2, judged=False)
    changed = labels(made)
    assert (changed == 255).any()
    assert ((changed != 255) <= made.differs | (made.scenes.changed != 255)).all()
    assert (changed == 1).any()
