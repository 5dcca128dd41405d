"""Pictures of scores: what they are drawn from, and that undefined scores leave holes."""

from dataclasses import replace

import numpy as np
import pytest
from maps import draw, score_maps, scored_pair

from scdcli.legend import SECOND
from scdcli.scoring.calibration import count_confidence
from scdcli.scoring.comparison import Run
from scdcli.scoring.figures import scorefigures


@pytest.fixture
def matrices(monkeypatch):
    """What matrices would be drawn, instead of their pictures."""
    monkeypatch.setattr(scorefigures, "_matrices", lambda panels, names, axes, unit: panels)


def run(maps, name="x", tta=None):
    return Run(name, tta, score_maps([scored_pair("a", "abcd", maps)], SECOND), {})


def test_confusion_has_labels_in_rows_and_sums_to_all_of_them(matrices):
    truth = np.array([[0, 1, 1, 2]], dtype=np.uint8)
    predicted = np.array([[0, 1, 2, 2]], dtype=np.uint8)
    ((_, shares),) = scorefigures.draw_confusion([run((truth, truth, predicted, predicted))])
    assert shares[0, 0] == 100
    assert shares[1, :3].tolist() == [0, 50, 50]
    assert shares[2, :3].tolist() == [0, 0, 100]
    assert np.isnan(shares[3:]).all()


def test_sek_of_transitions_lies_before_by_after(matrices):
    truth = (np.array([[0, 1, 0]], dtype=np.uint8), np.array([[0, 4, 0]], dtype=np.uint8))
    ((_, values),) = scorefigures.draw_categorical_sek([run((*truth, *truth))])
    assert np.isfinite(values[0, 3])
    assert np.isnan(values).sum() == 35


def sure(share, frequency, pixels=1000):
    """Pixels of one change probability, of which so many are labelled as changed."""
    changed = np.arange(pixels).reshape(1, -1) < frequency * pixels
    return count_confidence(np.full((1, pixels), share, np.float32), changed, changed | True)


def test_reliability_is_drawn_of_models_alone(tmp_path):
    maps = (*draw(1), *draw(2))
    model = replace(run(maps, "model"), confidence=sure(0.9, 0.6) + sure(0.2, 0.25))
    drawn = scorefigures.draw_reliability([model, run(maps, "folder")])
    assert drawn.startswith(b"\x89PNG")
    scorefigures.write_plots(tmp_path, [model])
    assert (tmp_path / "reliability.png").is_file()
    scorefigures.write_plots(tmp_path, [run(maps, "folder")])
    assert not (tmp_path / "reliability.png").exists()
    assert (tmp_path / "confusion.png").is_file()


def test_every_picture_can_be_drawn_of_several_systems():
    maps = (*draw(1), *draw(2))
    runs = [
        replace(run(maps), confidence=sure(0.9, 0.6)),
        run((*draw(1), *draw(1)), "y", "ms+flip"),
    ]
    for make in scorefigures.FIGURES.values():
        assert make(runs).startswith(b"\x89PNG")
