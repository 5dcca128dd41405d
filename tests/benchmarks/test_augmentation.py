"""The benchmark of test-time augmentation: views that are looked at once, for all that use them."""

from dataclasses import replace

import pytest
import torch
from standins import Thresholds, predictor
from tta import joint_of, looked, mapped, show

from scdcli.prediction.chain import look_at
from scdcli.prediction.tta import TTA


@pytest.mark.parametrize(("rows", "again"), [(1, False), (20, True)])
@torch.inference_mode()
def test_every_name_gets_the_mean_of_its_views(rows, again):
    random = torch.Generator().manual_seed(0)
    before = torch.randint(0, 5, (1, 3, 64, 64), generator=random) * 40.0 + 20
    before[:] = before[:, :1]
    after = before.clone()
    after[:, :, :rows, :24] += 40
    running = predictor(Thresholds())
    means, times, found = looked(running, before, after)
    assert found == again
    assert means.keys() == times.keys() == TTA.keys()
    for name, mean in means.items():
        expected = look_at(replace(running, tta=name), before, after).probabilities[0]
        assert float((torch.from_numpy(mean) - expected).abs().max()) < 1e-6, name
    assert times["none"] <= times["flip"] <= times["ms+flip"]
    assert [each.shape for each in mapped(running, means["none"])] == [(64, 64)] * 2


def test_the_table_says_what_a_fifth_of_changed_chips_would_take(capsys, monkeypatch):
    monkeypatch.setattr("tta.RESAMPLES", 20)
    half = {"codes": [0, 0x01020102, 0x02010201], "pixels": [50, 30, 20]}
    none = {"codes": [0, 0x01020000], "pixels": [50, 50]}
    seconds = {"none": 1.0, "flip": 4.0, "ms": 9.0, "ms+flip": 35.0}
    rows = [
        {
            "again": changed,
            "changed": changed,
            "seconds": seconds | {"adaptive": 35.0 if changed else 1.0},
            **dict.fromkeys(TTA, half if changed else none),
        }
        for changed in (True, False)
    ]
    assert joint_of(rows[0], "ms").total == 100
    show(rows, 6)
    text = capsys.readouterr().out
    assert "adaptive  again   1 of 2" in text
    assert "looked at again: 100% of changed pairs, 0% of others" in text
    assert "where a fifth changed: 4.5" in text  # 35 / (1 + 0.2 * 34)
