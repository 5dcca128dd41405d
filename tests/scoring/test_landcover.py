"""Scores of the land cover: matrices per date, from arrays, from files and from a model."""

import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from covers import write_covered
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from maps import write_prediction, write_tif
from rasterio.windows import Window

from scdcli.datasets.indexpng import write_index_png
from scdcli.errors import DatasetError
from scdcli.legend import NODATA, SECOND
from scdcli.scoring.bootstrap import draw_weights
from scdcli.scoring.landcover import (
    CoverMatrices,
    CoverTally,
    LandCover,
    count_cover,
    cover_scores,
    find_covers,
    resampled_cover,
)
from scdcli.scoring.mappairs import Prediction, pairs_of_predictor
from scdcli.scoring.mapsets import find_predictions, find_truth
from scdcli.scoring.metrics import ABSENT, Undefined
from scdcli.scoring.run import Scoring
from scdcli.scoring.systems import System

K = 3
truths = arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, 3, NODATA]))
predictions = arrays(np.uint8, (4, 5), elements=st.sampled_from([1, 2, 3, NODATA]))
anywhere = np.ones((4, 5), bool)


@given(truths, truths, predictions, predictions, arrays(bool, (4, 5)))
def test_each_date_counts_where_its_class_is_known_labelled_and_predicted(a, b, c, d, labelled):
    found = count_cover((a, b), (c, d), labelled, K)
    for matrix, truth, predicted in ((found.before, a, c), (found.after, b, d)):
        for i in range(K):
            for j in range(K):
                expected = (labelled & (predicted == i + 1) & (truth == j + 1)).sum()
                assert matrix[i, j] == expected
    known = sum(int((labelled & (x > 0) & (x != NODATA)).sum()) for x in (a, b))
    assert found.both.sum() + found.missing == known


@given(truths, predictions)
def test_matrices_add_up_over_windows(truth, predicted):
    whole = count_cover((truth, truth), (predicted, predicted), anywhere, K)
    parts = CoverMatrices.empty(K)
    for rows in (slice(0, 1), slice(1, 4)):
        maps = [(each[rows], each[rows]) for each in (truth, predicted)]
        parts += count_cover(maps[0], maps[1], anywhere[rows], K)
    assert (parts.before == whole.before).all()
    assert (parts.after == whole.after).all()
    assert parts.missing == whole.missing


def test_scores_of_a_matrix_by_hand():
    # Class 1: 5 right, 1 + 2 wrong; class 2: 4 right, 1 + 2 wrong; class 3 occurs nowhere.
    found = cover_scores(np.array([[5, 1, 0], [2, 4, 0], [0, 0, 0]]))
    assert found.oa == pytest.approx(9 / 12)
    assert found.iou[:2] == pytest.approx((5 / 8, 4 / 7))
    assert found.iou[2] is ABSENT
    assert found.miou == pytest.approx((5 / 8 + 4 / 7) / 2)


def test_a_class_that_is_missed_entirely_is_zero_and_not_undefined():
    found = cover_scores(np.array([[5, 5], [0, 0]]))
    assert found.iou == (0.5, 0.0)
    assert found.miou == 0.25


def test_without_a_pixel_nothing_is_defined():
    found = LandCover.of([CoverMatrices.empty(2)], 2)
    assert found.reason() == "no pixel of known land cover has a predicted one"
    assert found.to_dict()["landcover_miou"] is None
    assert set(found.undefined()) == {
        *("landcover_oa", "landcover_miou", "landcover_iou.1", "landcover_iou.2")
    }


def test_resamples_score_as_sets_of_the_pairs_drawn(rng):
    parts = [CoverMatrices(*rng.integers(0, 9, (2, K, K)), 0) for _ in range(4)]
    parts.append(CoverMatrices.empty(K))  # a pair without land cover
    for part in parts[1:]:
        part.before[2], part.before[:, 2], part.after[2], part.after[:, 2] = 0, 0, 0, 0
    found = resampled_cover(LandCover.of(parts, K), 700, seed=3)
    weights = np.concatenate(list(draw_weights(5, 700, 3))).astype(int)
    assert (weights[:, 0] == 0).any()  # without the only pair of class 3
    for row in range(0, 700, 50):
        drawn = [part for part, n in zip(parts, weights[row], strict=True) for _ in range(n)]
        expected = LandCover.of(drawn, K).scores
        assert found["landcover_oa"][row] == pytest.approx(expected.oa)
        assert found["landcover_miou"][row] == pytest.approx(expected.miou)


def test_a_resample_without_land_cover_is_undefined(rng):
    parts = [CoverMatrices(*rng.integers(1, 9, (2, K, K)), 0), CoverMatrices.empty(K)]
    found = resampled_cover(LandCover.of(parts, K), 100, seed=0)
    weights = np.concatenate(list(draw_weights(2, 100, 0)))
    for values in found.values():
        assert (np.isnan(values) == (weights[:, 0] == 0)).all()
        assert np.isnan(values).any()


@pytest.fixture
def truth(tmp_path):
    """A set of three pairs, the second without land cover, and what was drawn."""
    drawn = write_covered(tmp_path / "t", "abc", without="b", unknown=slice(0, 8))
    return tmp_path / "t", drawn


@contextmanager
def unwatched(title, total):
    yield lambda done, total: None


def score(folder, predictions):
    """The land cover of predictions in files, as an evaluation scores it."""
    systems = [System("p", folder=predictions.root, maps=predictions)]
    scoring = Scoring(find_truth(folder), systems, SECOND, False, note=str, watch=unwatched)
    (run,) = scoring.score()
    return run.land_cover


def predict_truth(folder, drawn, *, covers="abc"):
    """Predictions that are the labels, with land cover of class 1 everywhere."""
    for name, parts in drawn.items():
        pair = folder / name
        write_prediction(pair, (parts["label1"], parts["label2"]), legend=SECOND)
        if name in covers:
            for stem in ("before_cover", "after_cover"):
                ones = np.ones_like(parts["label1"])
                write_tif(pair / f"{stem}.tif", ones, legend=SECOND)
    return find_predictions(folder)


def test_land_cover_is_found_where_it_is(truth):
    folder, _ = truth
    found = find_covers(find_truth(folder).maps)
    assert {name: [path.name for path in files] for name, files in found.items()} == {
        "a": ["a.png", "a.png"],
        "c": ["c.png", "c.png"],
    }
    assert [path.parent.name for path in found["a"]] == ["cover1", "cover2"]


def test_a_set_without_land_cover_has_nothing_to_score(tmp_path):
    drawn = write_covered(tmp_path / "t", "ab", without="ab")
    assert score(tmp_path / "t", predict_truth(tmp_path / "p", drawn)) is None


def test_files_are_scored_where_the_land_cover_is_known(truth, tmp_path):
    folder, drawn = truth
    found = score(folder, predict_truth(tmp_path / "p", drawn))
    covers = np.stack([drawn[name][part] for name in "ac" for part in ("cover1", "cover2")])
    pixels = np.bincount(covers.ravel(), minlength=256)[1:7]
    assert found.pixels == pixels.sum() == 4 * 56 * 64
    assert found.total.both[0].tolist() == pixels.tolist()
    assert found.scores.oa == pytest.approx(pixels[0] / pixels.sum())
    assert found.scores.miou == pytest.approx(pixels[0] / pixels.sum() / 6)
    assert [int(part.both.sum()) for part in found.parts] == [2 * 56 * 64, 0, 2 * 56 * 64]


def test_what_has_no_label_is_not_scored(truth, tmp_path):
    folder, drawn = truth
    label = drawn["a"]["label1"].copy()
    label[8:16] = NODATA
    write_index_png(folder / "label1/a.png", label, SECOND)
    found = score(folder, predict_truth(tmp_path / "p", drawn))
    assert found.pixels == 2 * (48 + 56) * 64


def test_predicted_nodata_is_left_out_and_counted(truth, tmp_path):
    folder, drawn = truth
    predictions = predict_truth(tmp_path / "p", drawn)
    holes = np.ones((64, 64), np.uint8)
    holes[:10] = NODATA
    write_tif(tmp_path / "p/a/after_cover.tif", holes, legend=SECOND)
    found = score(folder, predictions)
    assert found.total.missing == 2 * 64  # rows 8 and 9; the others are not known
    assert found.pixels == (56 + 54 + 2 * 56) * 64


@pytest.mark.parametrize(
    ("covers", "reason"),
    [("", "no land cover is predicted"), ("ab", r"1 of 2 pairs .* no predicted one \(c\)")],
)
def test_predictions_without_land_cover_say_why_there_is_no_score(truth, tmp_path, covers, reason):
    folder, drawn = truth
    found = score(folder, predict_truth(tmp_path / "p", drawn, covers=covers))
    assert isinstance(found.scores.miou, Undefined)
    assert re.search(reason, found.scores.miou.reason)


def test_a_predicted_land_cover_with_holes_is_refused(truth, tmp_path):
    folder, drawn = truth
    predictions = predict_truth(tmp_path / "p", drawn)
    shutil.copy(tmp_path / "p/a/from.tif", tmp_path / "p/a/before_cover.tif")
    holes = int((drawn["a"]["label1"] == 0).sum())
    with pytest.raises(DatasetError, match=rf"before_cover\.tif holds 0 in {holes} pixels"):
        score(folder, predictions)


def test_land_cover_of_one_date_is_refused(truth, tmp_path):
    folder, drawn = truth
    predictions = predict_truth(tmp_path / "p", drawn)
    (tmp_path / "p/c/after_cover.tif").unlink()
    with pytest.raises(DatasetError, match=r"before_cover\.tif exists, but not \S+c/after_cover"):
        score(folder, predictions)
    (folder / "cover1/a.png").unlink()
    with pytest.raises(DatasetError, match=r"cover2/a\.png exists, but not \S+cover1/a"):
        score(folder, predictions)


def test_a_class_beyond_the_legend_is_named(truth, tmp_path):
    folder, drawn = truth
    predictions = predict_truth(tmp_path / "p", drawn)
    write_tif(tmp_path / "p/a/after_cover.tif", np.full((64, 64), 9, np.uint8))
    with pytest.raises(DatasetError, match=r"after_cover\.tif holds the value 9 in 4096 pixels"):
        score(folder, predictions)


def test_a_tally_counts_windows_of_the_pairs_that_have_land_cover(truth, tmp_path):
    folder, drawn = truth
    truth, tally = find_truth(folder), CoverTally(len(SECOND))
    ones = np.ones((64, 64), np.uint8)

    def predict(before, after):
        for top in (0, 40):
            part = ones[top : min(top + 40, 64)]
            yield Prediction(Window(0, top, *part.shape[::-1]), (part, part), (part, part))

    for pair in pairs_of_predictor(truth, predict, SECOND, find_covers(truth.maps)):
        for window in pair.windows:
            tally.add(window)
    found = score(folder, predict_truth(tmp_path / "p", drawn))
    assert tally.score(truth.maps).scores == found.scores
    assert (tally.total.both == found.total.both).all()
