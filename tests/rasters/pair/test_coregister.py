"""AFTER moved back over BEFORE: the map of a shifted pair is that of the one that fits."""

import numpy as np
import pytest
from affine import Affine
from scenes import NORTH_UP, ROTATED, SOUTH_UP, write_scene
from scipy.ndimage import gaussian_filter
from shifts import ground, off, seen
from standins import Thresholds, predictor

from scdcli.errors import PairError
from scdcli.prediction.chain import predict_windows
from scdcli.prediction.tiling import Tiling
from scdcli.rasters.pair.coregister import open_registered
from scdcli.rasters.pair.settings import PairSettings


@pytest.fixture
def scenes(tmp_path):
    """Writes BEFORE and AFTER from (H, W) values; returns both paths."""

    def write(*dates, **profile):
        return [
            write_scene(
                tmp_path / f"{name}.tif",
                np.stack([date.clip(0, 255).round().astype("uint8")] * 3),
                **profile,
            )
            for name, date in zip(("before", "after"), dates, strict=True)
        ]

    return write


@pytest.fixture
def shifted(scenes):
    """Writes one texture twice, the second time (rows, cols) further down and right."""

    def write(rows, cols, side=300):
        texture = ground(side, side)
        return scenes(seen(texture), seen(texture, rows, cols))

    return write


def changes(paths, **options):
    """Percent of change per pixel (255 nodata), as the exact stand-in sees it, and the record."""
    running = predictor(Thresholds(), tiling=Tiling(256, 0, 2))
    with open_registered(*paths, **options) as pair:
        probability = np.zeros(pair.grid.shape, np.uint8)
        for window, decoded, _ in predict_windows(pair, running):
            probability[window.toslices()] = decoded.probability
        return probability, pair.provenance


def overlap(first, second):
    """Share of what changed in either map that changed in both, where both are known."""
    known = (first != 255) & (second != 255)
    one, other = ((each > 50) & known for each in (first, second))
    return (one & other).sum() / (one | other).sum()


def test_a_shifted_pair_gives_nearly_the_map_of_the_one_that_fits(scenes):
    before, after = (gaussian_filter(ground(500, 500), 1.5) for _ in range(2))
    for row, col, step in ((60, 80, 70), (200, 350, -60), (400, 150, 50), (330, 300, 60)):
        after[row : row + 90, col : col + 60] += step
    after = gaussian_filter(after, 0.7)
    fitting, _ = changes(scenes(seen(before), seen(after)))
    paths = scenes(seen(before), seen(after, 2.4, -1.7))
    shifted, told = changes(paths)
    mended, record = changes(paths, coregister=True)
    assert overlap(fitting, shifted) < 0.5
    assert overlap(fitting, mended) > 0.95
    assert told["shift"] == [0, 0]
    assert off(record["shift"], -2.4, 1.7) < 0.1
    found, remaining = record["estimated_shift"], record["remaining_shift"]
    assert found == told["estimated_shift"]
    assert off((found["rows"], found["cols"]), 2.4, -1.7) < 0.1
    assert np.hypot(remaining["rows"], remaining["cols"]) < 0.1
    assert told["remaining_shift"] is None


def test_a_shift_is_told_above_one_pixel(shifted):
    with open_registered(*shifted(0.6, -0.6)) as pair:
        assert not pair.notes
        assert pair.provenance["estimated_shift"]["rows"] == pytest.approx(0.6, abs=0.05)
    with open_registered(*shifted(1.2, -0.9)) as pair:
        (note,) = pair.notes
        assert "1.5 pixels (1.2 rows down, 0.9 columns left) beside" in note
        assert note.endswith("--coregister moves it back.")
        assert pair.provenance["shift"] == [0, 0]


def test_whole_pixels_are_moved_without_resampling(shifted):
    paths = shifted(3.04, -5.03)
    with open_registered(*paths, coregister=True) as pair:
        assert pair.provenance["shift"] == [-3, 5]
        assert pair.provenance["alignment"] == "pixel on pixel"
        assert "moved back, it lies 0.1 pixels (0.0 rows" in pair.notes[-1]
    with open_registered(*paths, PairSettings(shift=(-1, 1)), coregister=True) as pair:
        assert pair.provenance["shift"] == [-3, 5]


@pytest.mark.parametrize(
    "profile", [{"transform": ROTATED}, {"transform": SOUTH_UP}, {"crs": None}]
)
def test_a_shift_is_in_pixels_of_before_on_any_grid(scenes, profile):
    texture = ground(200, 240)
    paths = scenes(seen(texture), seen(texture, 2.4, -1.7), **profile)
    with open_registered(*paths, coregister=True) as pair:
        assert off(pair.provenance["shift"], -2.4, 1.7) < 0.1
        remaining = pair.provenance["remaining_shift"]
    assert off((remaining["rows"], remaining["cols"]), 0, 0) < 0.1


def test_a_coarser_after_is_moved_by_pixels_of_before(tmp_path):
    texture = ground(300, 300)
    after = seen(texture, 3, -2).reshape(150, 2, 150, 2).mean(axis=(1, 3))
    paths = [
        write_scene(tmp_path / f"{number}.tif", values[None], NORTH_UP @ Affine.scale(size))
        for number, (values, size) in enumerate(((seen(texture), 1), (after, 2)))
    ]
    with open_registered(*paths, coregister=True) as pair:
        assert off(pair.provenance["shift"], -3, 2) < 0.1
        assert pair.provenance["alignment"] == "warped"


@pytest.mark.parametrize("side", [300, 20])
def test_nothing_is_moved_by_an_unknown_or_small_shift(shifted, side):
    with open_registered(*shifted(0.1, -0.1, side), coregister=True) as pair:
        assert pair.provenance["shift"] == [0, 0]
        assert pair.provenance["alignment"] == "pixel on pixel"
        assert (pair.provenance["estimated_shift"] is None) == (side == 20)
        (note,) = pair.notes
    reason = "cannot be told" if side == 20 else "lies within 0.25 pixels of"
    assert reason in note
    assert note.endswith("Nothing is moved.")


def test_places_that_disagree_are_told_and_not_moved(scenes):
    texture = ground(512, 512)
    after = seen(texture, 0.6, 0)
    after[200:, :256] = seen(texture, -6, 0)[200:, :256]
    after[200:, 256:] = seen(texture, 6, 3)[200:, 256:]
    paths = scenes(seen(texture), after)
    with open_registered(*paths, coregister=True) as pair:
        assert pair.provenance["shift"] == [0, 0]
        assert pair.notes[-1].endswith("pixels. Nothing is moved.")
        assert "The places disagree by" in pair.notes[-1]
    with open_registered(*paths) as pair:
        assert pair.notes[-1].endswith("No single move can mend that.")


def test_a_shift_too_large_to_be_one_is_refused(shifted):
    with (
        pytest.raises(PairError, match=r"lies 45\.0 pixels \(45\.0 rows down.* moves 32 at most"),
        open_registered(*shifted(45, 0, side=512), coregister=True),
    ):
        pass
    with open_registered(*shifted(45, 0, side=512)) as pair:
        assert "more than --coregister moves" in pair.notes[-1]


def test_one_stretch_holds_before_and_after_moving(tmp_path):
    texture = ground(300, 300)
    paths = [
        write_scene(tmp_path / name, (40 * date).round().astype("uint16")[None])
        for name, date in (("a.tif", seen(texture)), ("b.tif", seen(texture, 2.5, 0)))
    ]
    with open_registered(*paths) as pair:
        plain = pair.stretch
    with open_registered(*paths, coregister=True) as pair:
        assert pair.stretch == plain
        assert pair.provenance["shift"][0] == pytest.approx(-2.5, abs=0.05)
