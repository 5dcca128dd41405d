"""Two judges compared."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scdcli.sampling.reference import agreement


def test_a_worked_kappa():
    """Cohen's: 20 and 15 agree of 50, by chance 25 would."""
    first = ["y"] * 25 + ["n"] * 25
    second = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    found = agreement(*({str(k): v for k, v in enumerate(each)} for each in (first, second)))
    assert found.places == 50
    assert found.share == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.differing == tuple(map(str, range(20, 35)))


@given(st.dictionaries(st.sampled_from("123456"), st.sampled_from("abc")))
@settings(max_examples=25, deadline=None)
def test_one_agrees_with_oneself(judged):
    found = agreement(judged, judged)
    assert found.differing == ()
    assert found.share == (1 if judged else None)
    assert found.kappa == (pytest.approx(1) if len(set(judged.values())) > 1 else None)


def test_only_common_places_count():
    assert agreement({"1": "a", "2": "b"}, {"2": "b", "3": "c"}).places == 1
