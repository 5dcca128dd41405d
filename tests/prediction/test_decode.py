"""Each kind of output is read by its method's own rule at τ = 0.5."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scdcli.legend import CHANGE, NODATA
from scdcli.prediction import decode as decoding
from scdcli.prediction.decode import BELOW_HALF, READOUTS, apply_temperature, read

KINDS = sorted(READOUTS)


def decode(p, output, classes, *, threshold, temperature=1.0):
    return read(p, output, classes, temperature=temperature).at(threshold)


def softmax(x, axis=0):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def draw(output, classes, seed=0, size=(20, 30)):
    rng = np.random.default_rng(seed)

    def one(channels):
        return softmax(rng.normal(0, 2, (channels, *size))).astype(np.float32)

    if output == "types":
        return one(1 + classes**2)
    dates = (one(classes), one(classes))
    return np.concatenate(dates if output == "covers" else (*dates, one(2)[1:]))


def test_types_are_the_likeliest_with_unchanged_among_them():
    p = draw("types", 3)
    found = decode(p, "types", 3, threshold=0.5)
    code = p.argmax(axis=0)
    assert 0.02 < (code == 0).mean() < 0.9
    expected = (
        np.where(code == 0, 0, (code - 1) // 3 + 1),
        np.where(code == 0, 0, (code - 1) % 3 + 1),
    )
    assert (found.from_class == expected[0]).all()
    assert (found.to_class == expected[1]).all()
    assert (found.before_cover == p[1:].reshape(3, 3, 20, 30).sum(1).argmax(0) + 1).all()
    assert (found.after_cover == p[1:].reshape(3, 3, 20, 30).sum(0).argmax(0) + 1).all()


def test_covers_are_compared_as_in_equation_2():
    p = draw("covers", 4)
    found = decode(p, "covers", 4, threshold=0.5)
    first, second = p[:4].argmax(axis=0) + 1, p[4:].argmax(axis=0) + 1
    assert 0.05 < (first == second).mean() < 0.95
    assert (found.from_class == np.where(first == second, 0, first)).all()
    assert (found.to_class == np.where(first == second, 0, second)).all()
    assert (found.before_cover == first).all()
    assert (found.after_cover == second).all()


def test_covers_are_against_the_best_pair_of_unlike_classes():
    """The change probability, by brute force over all pairs of classes."""
    p = draw("covers", 3, size=(6, 7))
    found = read(p, "covers", 3)
    joint = p[:3, None] * p[None, 3:]
    like = np.stack([joint[i, i] for i in range(3)]).max(axis=0)
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    unlike = np.stack([joint[pair] for pair in pairs])
    best = unlike.argmax(axis=0)
    np.testing.assert_allclose(found.change, unlike.max(0) / (unlike.max(0) + like), rtol=1e-5)
    assert (found.from_class == np.array(pairs)[best][..., 0] + 1).all()
    assert (found.to_class == np.array(pairs)[best][..., 1] + 1).all()


def best_pair(scores, allowed):
    """From and to class of the largest of (K, K, H, W) among the allowed pairs."""
    best = np.stack([scores[pair] for pair in allowed]).argmax(axis=0)
    return np.array(allowed)[best][..., 0] + 1, np.array(allowed)[best][..., 1] + 1


@pytest.mark.parametrize("output", ["branches", "types"])
def test_names_are_the_likeliest_pair_that_the_legend_allows(output):
    p = draw(output, 4, size=(20, 30))
    joint = p[:4, None] * p[None, 4:8] if output == "branches" else p[1:].reshape(4, 4, 20, 30)
    allowed = [(i, j) for i in range(4) for j in range(4) if i != j or i == 2]
    found = read(p, output, 4, replaceable=(3,))
    expected = best_pair(joint, allowed)
    assert (found.from_class == expected[0]).all()
    assert (found.to_class == expected[1]).all()
    free = read(p, output, 4)
    same = free.from_class == free.to_class
    assert set(np.unique(free.from_class[same])) == {1, 2, 3, 4}
    assert (found.change == free.change).all()
    assert (found.before_cover == free.before_cover).all()
    assert (found.from_class[~same] == free.from_class[~same]).all()


def test_a_certain_class_is_never_named_twice():
    p = np.zeros((7, 2, 2), dtype=np.float32)
    p[[1, 4, 6]] = 1.0
    found = read(p, "branches", 3, replaceable=())
    assert (found.from_class != found.to_class).all()


def test_one_class_alone_changes_into_itself():
    p = np.ones((3, 2, 2), dtype=np.float32)
    found = read(p, "branches", 1, replaceable=CHANGE.replaceable_indices())
    assert (found.from_class == 1).all()
    assert (found.to_class == 1).all()


def test_equal_doubt_at_both_dates_is_no_change():
    even = np.full((4, 1, 1), 0.5, dtype=np.float32)
    assert decode(even, "covers", 2, threshold=0.5).from_class.item() == 0


def test_one_class_never_changes_by_comparison():
    one = np.ones((2, 3, 3), dtype=np.float32)
    assert not decode(one, "covers", 1, threshold=0.1).from_class.any()


def test_branches_take_the_change_from_the_change_branch():
    p = draw("branches", 3)
    found = decode(p, "branches", 3, threshold=0.7)
    assert ((found.from_class > 0) == (p[-1] >= 0.7)).all()
    assert (found.before_cover == p[:3].argmax(axis=0) + 1).all()


@pytest.mark.parametrize("output", KINDS)
@given(seed=st.integers(0, 100), classes=st.integers(1, 5), threshold=st.floats(0, 1))
def test_a_pixel_is_changed_where_its_probability_reaches_the_threshold(
    output, seed, classes, threshold
):
    p = draw(output, classes, seed, size=(4, 5))
    found = decode(p, output, classes, threshold=threshold)
    change = read(p, output, classes).change
    changed = change >= threshold
    assert ((change >= 0) & (change <= 1)).all()
    assert ((found.from_class > 0) == changed).all()
    assert ((found.to_class > 0) == changed).all()
    assert (found.probability == np.rint(change * 100)).all()
    for cover in (found.before_cover, found.after_cover):
        assert ((cover >= 1) & (cover <= classes)).all()


@given(arrays(bool, (3, 4)))
def test_nodata_covers_every_layer(valid):
    found = decode(draw("types", 2, size=(3, 4)), "types", 2, threshold=0.5).with_nodata(valid)
    assert all(((layer == NODATA) == ~valid).all() for layer in found)


@pytest.mark.parametrize("output", KINDS)
def test_rows_are_decoded_one_like_the_other(output, monkeypatch):
    p = draw(output, 3)
    whole = decode(p, output, 3, threshold=0.4)
    monkeypatch.setattr(decoding, "ROWS", 3)
    assert all(
        (a == b).all() for a, b in zip(decode(p, output, 3, threshold=0.4), whole, strict=True)
    )


@pytest.mark.parametrize("output", KINDS)
def test_a_tall_core_takes_little_memory_beside_its_probabilities(output):
    p = np.zeros((READOUTS[output].channels(3), 4096, 100), np.float32)
    tracemalloc.start()
    decode(p, output, 3, threshold=0.5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < p.nbytes


ENDS = np.array([0, 1e-30, 1e-7, 0.2, BELOW_HALF, 0.5, np.nextafter(0.5, 1), 1], np.float32)


@given(temperature=st.floats(0.05, 20))
def test_a_temperature_keeps_the_ends_the_middle_the_order_and_the_sides(temperature):
    found = apply_temperature(ENDS, temperature)
    assert found.dtype == np.float32
    assert (found[[0, 5, 7]] == (0, 0.5, 1)).all()
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0.5) == (ENDS >= 0.5)).all()


def test_a_temperature_divides_the_logit():
    p = np.linspace(0.01, 0.99, 50, dtype=np.float32)
    logit = np.log(p / (1 - p))
    np.testing.assert_allclose(apply_temperature(p, 2.5), 1 / (1 + np.exp(-logit / 2.5)), rtol=1e-5)
    assert apply_temperature(p, 1.0) is p


@pytest.mark.parametrize("output", KINDS)
@given(temperature=st.floats(0.05, 20))
def test_at_one_half_a_temperature_changes_the_probability_only(output, temperature):
    p = draw(output, 3, size=(6, 7))
    cold = decode(p, output, 3, threshold=0.5)
    found = decode(p, output, 3, threshold=0.5, temperature=temperature)
    assert all((a == b).all() for a, b in zip(found, cold, strict=True) if b is not cold[2])
    change = apply_temperature(read(p, output, 3).change, temperature)
    assert (found.probability == np.rint(change * 100)).all()


@pytest.mark.parametrize("output", KINDS)
def test_a_threshold_is_of_the_calibrated_probability(output):
    p = draw(output, 3)
    found = decode(p, output, 3, threshold=0.3, temperature=2.0)
    change = apply_temperature(read(p, output, 3).change, 2.0)
    assert ((found.from_class > 0) == (change >= 0.3)).all()
    assert ((found.from_class > 0) != (decode(p, output, 3, threshold=0.3).from_class > 0)).any()
