import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scdcli.scoring.counting import (
    DENSE_CELLS,
    JointCounts,
    Margins,
    count_joint,
    from_to_margins,
    largest_index,
    stacked_matrix,
)


def windows(largest=6, sides=(1, 12)):
    shape = hnp.array_shapes(min_dims=2, max_dims=2, min_side=sides[0], max_side=sides[1])
    index = st.sampled_from([*range(largest + 1), 255])
    return shape.flatmap(lambda size: st.tuples(*[hnp.arrays(np.uint8, size, elements=index)] * 4))


def naive_counts(maps):
    counts = {}
    for combination in zip(*(each.ravel().tolist() for each in maps), strict=True):
        counts[combination] = counts.get(combination, 0) + 1
    return counts


def as_dict(counts):
    columns = zip(*counts.classes.tolist(), strict=True)
    return dict(zip(columns, counts.pixels.tolist(), strict=True))


def naive_from_to_matrix(maps, classes):
    """One pixel at a time, as section V describes it."""
    matrix = np.zeros((classes**2 + 1, classes**2 + 1), dtype=np.int64)
    for pixel in zip(*(each.ravel().tolist() for each in maps), strict=True):
        if 255 in pixel:
            continue
        truth_from, truth_to, from_class, to_class = pixel
        label = (truth_from - 1) * classes + truth_to if truth_from and truth_to else 0
        type_ = (from_class - 1) * classes + to_class if from_class and to_class else 0
        matrix[type_, label] += 1
    return matrix


def naive_stacked_matrix(maps, classes):
    valid = ~np.any([each == 255 for each in maps], axis=0)
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for labels, predictions in ((maps[0], maps[2]), (maps[1], maps[3])):
        for label, prediction in zip(labels[valid], predictions[valid], strict=True):
            matrix[prediction, label] += 1
    return matrix


@given(windows())
def test_counts_equal_counting_one_pixel_at_a_time(maps):
    assert as_dict(count_joint(maps)) == naive_counts(maps)


@pytest.mark.parametrize("largest", [0, 1, 14, 15, 30, 31, 99, 254])
def test_every_number_of_classes_is_counted(largest):
    rng = np.random.default_rng(largest)
    maps = tuple(rng.integers(0, largest + 1, (40, 50), dtype=np.uint8) for _ in range(4))
    maps[0][0, 0] = largest
    for each in maps:
        each[rng.random(each.shape) < 0.1] = 255
    assert as_dict(count_joint(maps)) == naive_counts(maps)


@pytest.mark.parametrize("largest", [6, 40], ids=["dense", "sparse"])
def test_windows_larger_than_a_chunk_are_counted_whole(largest):
    rng = np.random.default_rng(3)
    maps = tuple(rng.integers(0, 3, (1030, 1030), dtype=np.uint8) for _ in range(4))
    maps[3][-1, -1] = largest
    assert maps[0].size > DENSE_CELLS
    assert as_dict(count_joint(maps)) == naive_counts(maps)


@given(windows())
def test_counts_of_halves_add_to_the_counts_of_the_whole(maps):
    top = count_joint(tuple(each[: len(each) // 2] for each in maps))
    bottom = count_joint(tuple(each[len(each) // 2 :] for each in maps))
    assert as_dict(top + bottom) == as_dict(count_joint(maps))


def test_adding_to_nothing_changes_nothing():
    counts = count_joint(tuple(np.full((2, 3), value, np.uint8) for value in (1, 2, 255, 0)))
    assert as_dict(JointCounts.empty() + counts) == {(1, 2, 255, 0): 6}


def test_maps_that_are_not_contiguous_are_counted_in_order():
    rng = np.random.default_rng(0)
    maps = tuple(rng.integers(0, 7, (20, 30), dtype=np.uint8)[::2, ::-3] for _ in range(4))
    assert as_dict(count_joint(maps)) == naive_counts(maps)


def test_maps_of_different_shape_are_refused():
    maps = tuple(np.zeros((2, width), np.uint8) for width in (3, 3, 3, 4))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 4\)"):
        count_joint(maps)


def test_the_maps_counted_are_left_as_they_were():
    maps = tuple(np.full((3, 3), value, np.uint8) for value in (0, 6, 255, 1))
    count_joint(maps)
    assert [int(each[0, 0]) for each in maps] == [0, 6, 255, 1]


@given(windows(largest=3))
def test_stacked_matrix_equals_an_independent_one(maps):
    matrix = stacked_matrix(count_joint(maps), 3)
    np.testing.assert_array_equal(matrix, naive_stacked_matrix(maps, 3))


@given(windows(largest=3))
def test_from_to_margins_equal_those_of_an_independent_matrix(maps):
    margins = from_to_margins(count_joint(maps), 3)
    expected = Margins.of(naive_from_to_matrix(maps, 3))
    np.testing.assert_array_equal(margins.hits, expected.hits)
    np.testing.assert_array_equal(margins.predicted, expected.predicted)
    np.testing.assert_array_equal(margins.labelled, expected.labelled)


def test_margins_sum_predictions_over_rows_and_labels_over_columns():
    margins = Margins.of(np.array([[5, 1], [2, 7]]))
    assert margins.hits.tolist() == [5, 7]
    assert margins.predicted.tolist() == [6, 9]
    assert margins.labelled.tolist() == [7, 8]


def test_counts_beyond_32_bits_stay_exact():
    one = count_joint(tuple(np.full((1, 1), value, np.uint8) for value in (1, 2, 1, 2)))
    many = JointCounts(one.codes, np.array([2**53 + 1]))
    assert (many + one).total == 2**53 + 2
    assert int(from_to_margins(many, 2).hits[2]) == 2**53 + 1
    assert int(stacked_matrix(many, 2)[2, 2]) == 2**53 + 1


@settings(max_examples=30)
@given(windows())
def test_pixels_changed_at_one_date_only_are_found_on_both_sides(maps):
    counts = count_joint(maps)
    truth_from, truth_to, from_class, to_class = maps
    for found, (first, second) in (
        (counts.half_changed(truth=True), (truth_from, truth_to)),
        (counts.half_changed(truth=False), (from_class, to_class)),
    ):
        known = (first != 255) & (second != 255)
        assert found.total == np.count_nonzero(known & ((first == 0) != (second == 0)))


@pytest.mark.parametrize(
    ("values", "largest"), [([0, 0], 0), ([255, 255], 0), ([3, 255, 1], 3), ([], 0), ([254], 254)]
)
def test_largest_index_leaves_nodata_aside(values, largest):
    assert largest_index(np.array(values, np.uint8)) == largest
