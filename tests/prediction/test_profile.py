"""Where the time goes, and how long the rest takes."""

import pytest

from scdcli.prediction import profile
from scdcli.prediction.profile import STAGES, Profile


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which a test moves on."""
    now = [100.0]
    monkeypatch.setattr(profile.time, "perf_counter", lambda: now[0])
    return now


def test_time_is_added_to_its_stage_also_where_it_ends_in_an_error(clock):
    kept = Profile()

    def items():
        for number in range(3):
            clock[0] += 2
            yield number

    assert list(kept.timing_each("read", items())) == [0, 1, 2]

    def fail():
        with kept.timing("write"):
            clock[0] += 0.5
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    found = kept.to_dict(12_000_000)
    assert tuple(found) == STAGES
    assert found["read"] == {"seconds": 6.0, "megapixels_per_second": 2.0}
    assert found["write"]["seconds"] == 0.5
    assert found["network"] == {"seconds": 0.0, "megapixels_per_second": None}


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    ("chips", "said"),
    [
        (20, []),
        (40, ["About 1 minute to go: 40 chips, 2 seconds each."]),
        (364, ["About 12 minutes to go: 364 chips, 2 seconds each."]),
        (9004, ["About 5.0 hours to go: 9004 chips, 2 seconds each."]),
    ],
)
def test_a_long_run_is_announced_once_from_the_chips_after_the_first(clock, chips, said, batch):
    lines = []
    kept = Profile()
    kept.begin(chips, lines.append)
    clock[0] += 50  # what is done once
    for _ in range(0, min(chips, 32), batch):
        kept.count_chips(batch)
        clock[0] += 2 * batch
    assert lines == said


def test_what_comes_after_the_chips_is_expected_from_their_blending(clock):
    lines = []
    kept = Profile()
    kept.begin(100, lines.append)
    for _ in range(6):
        clock[0] += 1
        kept.count_chips(1)
        with kept.timing("blend"):
            clock[0] += 2
    # 96 chips of 3 seconds, and twice 2 seconds for each of all
    assert lines == ["About 11 minutes to go: 100 chips, 3 seconds each."]


def test_every_chip_moves_the_progress_on_also_one_without_a_measurement():
    shares = []
    kept = Profile()
    kept.begin(4, tell=shares.append)
    kept.count_chips(2)
    kept.pass_chip()
    kept.count_chips(2)  # one more than there are: seen from two supertiles
    assert shares == [0.5, 0.75, 1.0]


def test_the_stage_under_way_is_known():
    kept = Profile()
    assert kept.stage == ""
    with kept.timing("write"):
        with kept.timing("clean"):
            assert kept.stage == "clean"
        assert kept.stage == "write"
    assert kept.stage == ""
