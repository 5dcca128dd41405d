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
    for done in range(0, min(chips, 32), batch):
        with kept.timing("network"):
            clock[0] += 2 * batch
        kept.count_chips(batch)
        for number in range(batch):
            kept.reach(done + number + 1)
    assert lines == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        # each of 96 chips as long as the network takes, and twice the adding of each of all
        ({"read": 1, "network": 4, "blend": 0.5}, "About 8 minutes to go: 100 chips, 4 seconds"),
        ({"read": 8, "network": 4, "blend": 0.5}, "About 14 minutes to go: 100 chips, 8 seconds"),
        # six times the adding is what is done with a chip's maps
        ({"read": 1, "network": 4, "blend": 2}, "About 26 minutes to go: 100 chips, 12 seconds"),
    ],
)
def test_the_slowest_of_what_works_side_by_side_sets_the_pace(clock, seconds, said):
    lines = []
    kept = Profile()
    kept.begin(100, lines.append)
    for number in range(6):
        for stage, took in seconds.items():
            with kept.timing(stage):
                clock[0] += took
            if stage == "network":
                kept.count_chips(1)
        kept.reach(number + 1)
    assert lines == [f"{said} each."]


def test_chips_that_are_reached_move_the_progress_on():
    shares = []
    kept = Profile()
    kept.begin(4, tell=shares.append)
    for number in (2, 3, 4):
        kept.reach(number)
    assert shares == [0.5, 0.75, 1.0]


def test_the_stage_under_way_is_known():
    kept = Profile()
    assert kept.stage == ""
    with kept.timing("write"):
        with kept.timing("clean"), kept.timing("network"):
            assert kept.stage == "clean"  # the network is run elsewhere
        assert kept.stage == "write"
    assert kept.stage == ""
