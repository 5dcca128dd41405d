"""Test-time augmentation undoes what it does."""

import pytest
import torch

from scdcli.errors import UnknownName
from scdcli.prediction.tta import SCALES, TTA, View, by_scale, find_tta, side_at


@pytest.mark.parametrize("name", TTA)
def test_every_mirror_undoes_itself(name):
    image = torch.arange(24.0).reshape(2, 3, 4)  # no symmetry of its own
    for view in TTA[name]:
        assert (image.flip(view.axes).flip(view.axes) == image).all()


@pytest.mark.parametrize(
    ("name", "count"), [("none", 1), ("flip", 4), ("ms", 6), ("ms+flip", 24), ("adaptive", 24)]
)
def test_views_differ_and_hold_the_original(name, count):
    views = TTA[name]
    assert len(set(views)) == len(views) == count
    assert any(view.scale == 1 and not view.axes for view in views)


def test_scales_are_the_papers():
    assert SCALES == (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    assert [side_at(512, scale) for scale in SCALES] == [256, 384, 512, 640, 768, 896]
    assert side_at(40, 0.5) == 32  # no network takes less


def test_the_copies_of_a_scale_come_together():
    views = (View(0.5, (-1,)), View(1.0), View(0.5))
    assert by_scale(views) == {0.5: [(-1,), ()], 1.0: [()]}
    assert [len(mirrors) for mirrors in by_scale(TTA["ms+flip"]).values()] == [4] * 6


def test_auto_is_all_on_a_gpu_and_none_without():
    assert (find_tta("auto", gpu=True), find_tta("auto", gpu=False)) == ("ms+flip", "none")
    assert find_tta("adaptive", gpu=False) == "adaptive"
    with pytest.raises(UnknownName, match=r"'flips'; choose one of: adaptive, auto, flip, ms"):
        find_tta("flips", gpu=False)
