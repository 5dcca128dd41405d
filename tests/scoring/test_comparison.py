from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maps import draw, score_maps, scored_pair

from scdcli.legend import SECOND
from scdcli.scoring.comparison import (
    Run,
    bootstrap,
    folder_forms,
    model_forms,
    run_titles,
    short_names,
)
from scdcli.scoring.metrics import HEADLINE

SOURCES = ("t/from", "t/to", "p/from", "p/to")


def evaluation(seed, pairs=4):
    """Four labelled pairs, the same for every seed, and predictions that are not."""
    each = [(*draw(number), *draw(1000 * seed + number)) for number in range(pairs)]
    windows = [scored_pair(str(number), SOURCES, maps) for number, maps in enumerate(each)]
    return score_maps(windows, SECOND)


def run(system, tta=None, seed=1, pairs=4):
    return Run(system, tta, evaluation(seed, pairs), {})


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["second"], ["second"]),
        (["runs/asn/best.safetensors"], ["asn"]),
        (["runs/asn/last.safetensors"], ["asn"]),
        (["models/urban.safetensors"], ["urban"]),
        (["runs/asn/best.safetensors", "runs/fc-ef/best.safetensors"], ["asn", "fc-ef"]),
        (["asn/best.safetensors", "asn/last.safetensors"], ["asn/best", "asn/last"]),
        (["a/asn/best.safetensors", "b/asn/best.safetensors"], ["a/asn", "b/asn"]),
        (["a/x.safetensors", "b/x.safetensors", "y.safetensors"], ["a/x", "b/x", "y"]),
        (["second", "mine/second.safetensors"], ["second", "mine/second"]),
        (["asn/best.safetensors"] * 3, ["asn", "asn #2", "asn #3"]),
        (["runs/fc/../asn/best.safetensors"], ["asn"]),
    ],
)
def test_models_have_the_shortest_names_that_differ(models, names):
    assert short_names([model_forms(model) for model in models]) == names


def test_folders_are_named_by_their_last_part(tmp_path, monkeypatch):
    folders = [Path("maps/asn"), Path("maps/fc"), Path("old/asn")]
    assert short_names([folder_forms(each) for each in folders]) == ["maps/asn", "fc", "old/asn"]
    (tmp_path / "asn").mkdir()
    monkeypatch.chdir(tmp_path / "asn")
    assert folder_forms(Path())[0] == "asn"


def test_a_model_and_a_folder_of_one_name_are_told_apart():
    forms = [model_forms("runs/asn/best.safetensors"), folder_forms(Path("maps/asn"))]
    assert short_names(forms) == ["asn/best", "maps/asn"]


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@settings(max_examples=200)
@given(st.lists(PATHS, min_size=1, max_size=6))
def test_names_are_always_unique(paths):
    forms = [model_forms(f"{path}/best.safetensors") for path in paths[::2]]
    forms += [folder_forms(Path(path)) for path in paths[1::2]]
    names = short_names(forms)
    assert len(set(names)) == len(paths)


def test_titles_name_the_augmentation_only_when_it_tells_runs_apart():
    assert run_titles([("a", "none"), ("b", "none"), ("m", None)]) == ["a", "b", "m"]
    assert run_titles([("a", "none"), ("a", "ms"), ("m", None)]) == ["a, none", "a, ms", "m"]


def test_names_that_look_like_made_ones_are_told_apart():
    runs = [("a", "none"), ("a", "ms"), ("a, ms", None)]
    assert run_titles(runs) == ["a, none", "a, ms", "a, ms #2"]
    assert short_names([["a"], ["a"], ["a #2"]]) == ["a", "a #3", "a #2"]


def test_a_system_against_itself_differs_by_exactly_nothing():
    found = bootstrap([run("a"), run("a #2")], 100, 0)
    for difference in found.differences[1].values():
        assert (difference.value, difference.not_better) == (0, 1)
        assert (difference.interval.low, difference.interval.high) == (0, 0)


def test_a_perfect_system_is_better_in_every_resample():
    perfect = Run("perfect", None, evaluation(0), {})
    found = bootstrap([run("drawn"), perfect], 100, 0)
    difference = found.differences[1]["sek_from_to"]
    assert difference.not_better == 0
    assert 0 < difference.interval.low <= difference.value <= difference.interval.high


def test_the_interval_lies_around_the_score():
    found = run("a", pairs=12)
    intervals = bootstrap([found], 500, 0).intervals[0]
    assert intervals.keys() == HEADLINE.keys()
    for name, value in found.evaluation.scores.headline().items():
        assert intervals[name].low < value < intervals[name].high


def test_every_run_is_compared_with_the_first_system_at_its_augmentation():
    runs = [
        run("a", "none"),
        run("a", "ms"),
        run("b", "none", 2),
        run("b", "ms", 2),
        run("b", "flip", 2),
        run("maps", None, 3),
    ]
    assert bootstrap(runs, 100, 0).against == [None, 0, 0, 1, 0, 0]


def test_a_set_of_one_pair_has_no_intervals():
    found = bootstrap([run("a", pairs=1), run("b", pairs=1)], 100, 0)
    assert (found.intervals, found.differences) == ((), ())


def test_what_is_undefined_has_neither_interval_nor_difference():
    unchanged = [draw(share=0.0) for _ in range(2)]
    maps = [scored_pair(str(n), SOURCES, (*each, *each)) for n, each in enumerate(unchanged)]
    runs = [Run(name, None, score_maps(maps, SECOND), {}) for name in "ab"]
    found = bootstrap(runs, 100, 0)
    assert found.intervals[0]["sek_from_to"] is None
    assert found.differences[1]["sek_from_to"] is None
    assert found.differences[1]["oa"].value == 0
