"""Between probabilities and classes: nothing smaller than the minimum mapping unit stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from scdcli.errors import InputError
from scdcli.prediction.cleaning import LONGEST, clean, reach
from scdcli.prediction.decode import read
from scdcli.prediction.settings import InferenceSettings, MappingUnit

K = 3
PICTURE = {".": (0, 0), "a": (1, 2), "b": (2, 3), "c": (3, 1)}


def picture(*rows):
    """Probabilities of branches in which every pixel is sure of what a letter says."""
    codes = np.array([[PICTURE[letter] for letter in row] for row in rows])
    p = np.full((2 * K + 1, *codes.shape[:2]), 0.1, dtype=np.float32)
    for date in (0, 1):
        for index in range(1, K + 1):
            p[date * K + index - 1][codes[..., date] == index] = 0.8
    p[-1] = np.where(codes[..., 0] > 0, 0.9, 0.1)
    return p


def cleaned(p, unit, valid=None, replaceable=()):
    reading = read(p, "branches", K, replaceable=replaceable)
    measured = np.ones(p.shape[1:], dtype=bool) if valid is None else valid
    kinds = {"output": "branches", "classes": K, "replaceable": replaceable}
    return clean(p, reading, measured, 0.5, unit, **kinds)


def letters(found):
    names = {pair: letter for letter, pair in PICTURE.items()}
    pairs = np.stack([found.from_class, found.to_class], axis=-1).tolist()
    return ["".join(names[tuple(pair)] for pair in row) for row in pairs]


def noise(seed, shape=(70, 90), smooth=0.8):
    """Probabilities with regions, holes and pieces of all sizes, and where they are valid."""
    rng = np.random.default_rng(seed)
    layers = gaussian_filter(rng.normal(size=(2 * K + 1, *shape)), (0, smooth, smooth))
    layers /= layers.std()
    p = np.exp(2 * layers)
    for date in (slice(0, K), slice(K, 2 * K)):
        p[date] /= p[date].sum(axis=0)
    p[-1] /= 1 + p[-1]
    valid = gaussian_filter(rng.normal(size=shape), 4) > -0.12
    return p.astype(np.float32), valid


def test_small_regions_go_and_small_gaps_are_filled():
    rows = [
        "aaa......",
        "a.a...aa.",
        "aaa......",
        ".........",
        "..aaaaaaa",
        "..aa.a.aa",
        "..aaaaa.a",
    ]
    found = cleaned(picture(*rows), 3)
    assert letters(found) == [
        "aaa......",
        "aaa......",
        "aaa......",
        ".........",
        "..aaaaaaa",
        "..aaaaaaa",
        "..aaaaa.a",
    ]
    assert (found.removed.sum(), found.filled.sum(), found.renamed.sum()) == (2, 3, 0)
    assert letters(cleaned(picture(*rows), 2))[1] == "aaa...aa."


def test_a_speck_in_a_gap_goes_with_the_gap():
    rows = ["aaaaa", "a...a", "a.b.a", "a...a", "aaaaa"]
    assert letters(cleaned(picture(*rows), 10)) == ["aaaaa"] * 5
    assert letters(cleaned(picture(*rows), 9)) == [*rows[:2], "a...a", *rows[3:]]


def test_what_lies_at_the_edge_or_is_nodata_is_no_gap():
    rows = ["aaaaaa", "aa.aaa", "aa.a.a", "aaaaaa", "aaaa.a"]
    valid = np.ones((5, 6), dtype=bool)
    valid[1, 2] = False
    found = cleaned(picture(*rows), 4, valid)
    assert letters(found) == ["aaaaaa", "aa.aaa", "aaaaaa", "aaaaaa", "aaaa.a"]
    assert not found.from_class[~valid].any()


def test_a_scene_smaller_than_the_unit_stays_unchanged():
    assert letters(cleaned(picture("...", "..."), 50)) == ["...", "..."]
    island = np.zeros((9, 9), dtype=bool)
    island[4, 4:6] = True
    assert not cleaned(picture(*["." * 9] * 9), 5, island).from_class.any()


def test_a_class_is_what_the_changed_pixels_around_say_together():
    p = picture(*["a" * 15] * 15)
    p[:, 7, 7] = picture("b")[:, 0, 0]
    found = cleaned(p, 1)
    assert letters(found) == ["a" * 15] * 15
    assert found.renamed.sum() == 1
    # What is unchanged has no say, be it ever so sure.
    p = picture(*["." * 7 + "b" + "." * 7] * 15)
    assert letters(cleaned(p, 1)) == ["." * 7 + "b" + "." * 7] * 15


def test_small_pieces_join_the_neighbor_with_the_longest_border():
    rows = ["a" * 20 + "b" * 20] * 20
    p = picture(*rows)
    sure = picture(*["c"] * 1)[:, 0, 0] * 40  # outweighs all around
    p[:, 9:11, 18:23] = sure[:, None, None]
    found = cleaned(p, 1)
    assert "c" in letters(found)[9]
    merged = letters(cleaned(p, 200))
    assert not any("c" in row for row in merged)
    assert {"".join(sorted(set(row))) for row in merged} == {"ab"}


def test_a_shattered_region_takes_what_most_of_it_says():
    rows = ["." * 24] * 3 + ["..aaaaaaaaaabbbbbbbbccccc."[:24]] * 2 + ["." * 24] * 3
    found = cleaned(picture(*rows), 24)
    assert set(letters(found)[3]) == {".", "a"}


def test_a_path_stays_however_narrow():
    long = "." + "a" * (LONGEST + 1) + "."
    rows = ["." * len(long), long, "." * len(long)]
    assert letters(cleaned(picture(*rows), 10_000)) == rows
    assert not cleaned(picture(*(row[:-2] + "." for row in rows)), 10_000).from_class.any()


@pytest.mark.parametrize("unit", [1, 4, 17, 200])
@pytest.mark.parametrize("smooth", [0.7, 1.5])
def test_a_window_is_cleaned_as_the_whole_is(unit, smooth):
    shape = (330, 310)
    p, valid = noise(int(unit * 10 * smooth), shape, smooth)
    whole, margin = cleaned(p, unit, valid), reach(unit)
    core = slice(margin + 7, margin + 60), slice(margin + 5, margin + 40)
    window = tuple(slice(each.start - margin, each.stop + margin) for each in core)
    part = cleaned(p[(slice(None), *window)], unit, valid[window])
    inner = tuple(slice(margin, margin + each.stop - each.start) for each in core)
    for left, right in zip(whole, part, strict=True):
        np.testing.assert_array_equal(left[core], right[inner])
    assert 0.1 < (whole.from_class[core] > 0).mean() < 0.9


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), unit=st.integers(1, LONGEST))
def test_no_region_and_no_gap_is_smaller_than_the_unit(seed, unit):
    p, valid = noise(seed)
    found = cleaned(p, unit, valid)
    changed = found.from_class > 0
    assert (changed == (found.to_class > 0)).all()
    assert (found.from_class[changed] != found.to_class[changed]).all()
    assert not changed[~valid].any()
    region, count = label(changed)
    assert (np.bincount(region.ravel(), minlength=count + 1)[1:] >= unit).all()
    gap, count = label(np.pad(~changed, 1, constant_values=True))
    small = np.bincount(gap.ravel(), minlength=count + 1) < unit
    small[0] = False
    assert not (small[gap[1:-1, 1:-1]] & valid).any()


@pytest.mark.parametrize("output", ["types", "covers"])
def test_every_kind_of_output_is_cleaned(output):
    rng = np.random.default_rng(3)
    p = rng.random((1 + K * K if output == "types" else 2 * K, 40, 50)).astype(np.float32)
    p /= p.sum(axis=0)
    reading = read(p, output, K)
    valid = np.ones((40, 50), dtype=bool)
    found = clean(p, reading, valid, 0.5, 6, output=output, classes=K, replaceable=(1, 2, 3))
    region, count = label(found.from_class > 0)
    assert count
    assert (np.bincount(region.ravel())[1:] >= 6).all()


@pytest.mark.parametrize(
    ("text", "area", "pixels"),
    [
        ("20", 1.0, 20),
        ("20", 0.09, 223),
        ("20 m2", 0.36, 56),
        ("20m²", 400.0, 1),
        ("4px", 0.09, 4),
        ("2.5px", 9.0, 3),
        ("20", None, 20),
        ("0", 0.3, 0),
        (".5", 0.1, 5),
    ],
)
def test_a_unit_is_in_square_metres_or_in_pixels(text, area, pixels):
    unit = MappingUnit.parse(text)
    assert unit.pixels(area) == pixels
    assert MappingUnit.parse(str(unit)) == unit


@pytest.mark.parametrize("text", ["", "px", "-3", "4 pixels", "nan", "1e3", "0,5"])
def test_what_is_no_unit_is_refused(text):
    with pytest.raises(InputError, match="square metres as 20 or pixels as 4px"):
        MappingUnit.parse(text)


def test_the_default_is_in_pixels():
    assert MappingUnit.parse(InferenceSettings().mmu).pixels(0.01) == 16
