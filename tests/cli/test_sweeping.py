"""``scd evaluate --sweep`` and ``--calibrate``, and what ``--threshold auto`` means."""

import csv
import json

import numpy as np
import pytest
import torch
from maps import draw, write_second
from scenes import noise, write_scene

from scdcli.legend import SECOND
from scdcli.models.checkpoint import ModelHeader, load_model, save_model
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import probabilities
from scdcli.prediction.decode import read

SHAPE = (64, 64)
TRUTH = {name: draw(seed, shape=SHAPE) for seed, name in enumerate("abc")}
QUICK = ("--tta", "none", "--chip", "64", "--overlap", "0")


@pytest.fixture
def truth(tmp_path):
    root = write_second(tmp_path / "set", TRUTH)
    for seed, folder in enumerate(("im1", "im2")):
        (root / folder).mkdir()
        for name in TRUTH:
            path = root / folder / f"{name}.png"
            write_scene(path, noise((3, *SHAPE), seed=seed), None, None, driver="PNG")
    return root


@pytest.fixture
def model(tmp_path):
    """A function that writes an untrained model of 1/8 width with a header as told."""

    def write(name, **header):
        torch.manual_seed(0)
        settings = NetworkSettings("asn", "residual", 0.125, 3, len(SECOND))
        network = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
        path = tmp_path / f"{name}.safetensors"
        save_model(path, network, ModelHeader(settings, SECOND, chip=64, **header))
        return path

    return write


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def evaluated(scd, *words):
    """Scores of what each pixel says by itself, as sweeps see it."""
    result = scd("evaluate", *words, *QUICK, "--mmu", "0", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_sweep_agrees_with_scoring_at_each_threshold(scd, truth, model, tmp_path):
    path = model("plain", threshold=0.45)
    swept = evaluated(scd, truth, "-m", path, "--sweep", tmp_path / "sweep")
    rows = {row["threshold"]: row for row in table(tmp_path / "sweep/sweep.csv")}
    shares = set()
    for threshold in ("0.3", "0.45", "0.5"):
        alone = evaluated(scd, truth, "-m", path, "--threshold", threshold)
        row = rows[threshold]
        for name in ("miou", "iou_changed", "sek_from_to", "sek_stacked"):
            assert float(row[name]) == alone[name]
        shares.add(row["recall"])
    assert len(shares) > 1
    same = evaluated(scd, truth, "-m", path)
    assert {key: swept[key] for key in same} == same
    best = max(float(row["sek_from_to"]) for row in rows.values() if row["sek_from_to"])
    assert swept["sweep"]["best"]["best"] == best
    assert (tmp_path / "sweep/sweep.png").read_bytes().startswith(b"\x89PNG")
    kept = table(tmp_path / "sweep/reliability.csv")
    assert {row["temperature"] for row in kept} == {
        "1.0",
        str(swept["sweep"]["fit"]["temperature"]),
    }
    assert sum(int(row["pixels"]) for row in kept if row["temperature"] == "1.0") == swept["pixels"]


def test_several_models_share_the_tables(scd, truth, model, tmp_path):
    first, second = model("one"), model("two", temperature=3.0)
    evaluated(scd, truth, "-m", first, "-m", second, "--sweep", tmp_path / "sweep")
    rows = table(tmp_path / "sweep/sweep.csv")
    by_system = {name: [r for r in rows if r["system"] == name] for name in ("one", "two")}
    assert len(by_system["one"]) == len(by_system["two"]) == len(rows) / 2
    half = [{r["threshold"]: r for r in each}["0.5"]["recall"] for each in by_system.values()]
    assert half[0] == half[1]
    low = [{r["threshold"]: r for r in each}["0.4"]["recall"] for each in by_system.values()]
    assert low[0] != low[1]


def label_as(path, root, threshold):
    """Labels that are what a model maps at a threshold."""
    images = [noise((3, *SHAPE), seed=seed)[None].astype(np.float32) for seed in (0, 1)]
    with torch.inference_mode():
        logits = load_model(str(path)).model(*map(torch.from_numpy, images))
    buildings = SECOND.replaceable_indices()
    reading = read(probabilities(logits)[0].numpy(), "branches", 6, replaceable=buildings)
    maps = reading.at(threshold)
    write_second(root, dict.fromkeys("abc", (maps.from_class, maps.to_class)))


def test_a_calibrated_copy_is_as_good_as_the_best_threshold(scd, truth, model, tmp_path):
    out = tmp_path / "own.safetensors"
    path = model("plain", threshold=0.9)
    label_as(path, truth, 0.6)
    before = evaluated(scd, truth, "-m", path, "--calibrate", out)
    fitted = before["sweep"]["fit"]
    header = load_model(str(out)).header
    assert (header.temperature, header.threshold) == (fitted["temperature"], fitted["threshold"])
    assert header.scores["calibration"]["changed_pixels"] == fitted["changed_pixels"] > 1000
    after = evaluated(scd, truth, "-m", out)
    assert after["settings"]["threshold"] == fitted["threshold"]
    assert after["settings"]["threshold_from"] == "model"
    assert after["settings"]["temperature"] == fitted["temperature"]
    assert after["sek_from_to"] == pytest.approx(before["sweep"]["best"]["best"], abs=0.01)
    assert after["sek_from_to"] > 0.9 > before["sek_from_to"]


def test_a_calibrated_copy_keeps_a_threshold_that_is_given(scd, truth, model, tmp_path):
    path = model("plain")
    label_as(path, truth, 0.6)
    free, fixed = tmp_path / "free.safetensors", tmp_path / "fixed.safetensors"
    evaluated(scd, truth, "-m", path, "--calibrate", free)
    words = ("-m", path, "--threshold", "0.7", "--calibrate", fixed)
    result = scd("evaluate", truth, *words, *QUICK)
    assert f"{fixed} has the threshold 0.7 as given, and the temperature " in result.stderr
    found, best = load_model(str(fixed)).header, load_model(str(free)).header
    assert (found.temperature, found.threshold) == (best.temperature, 0.7)
    assert best.threshold != 0.7
    assert found.temperature != 1
    assert found.scores["calibration"]["by"] == "given"


def test_nodata_of_the_images_does_not_count(scd, model, tmp_path):
    root = write_second(tmp_path / "set", {"a": TRUTH["a"]})
    for seed, folder in enumerate(("im1", "im2")):
        (root / folder).mkdir()
        image = noise((3, *SHAPE), seed=seed)
        image[:, : 20 + seed] = 0
        image[:, 20 + seed :] = np.maximum(image[:, 20 + seed :], 1)
        write_scene(root / folder / "a.tif", image, None, None, nodata=0)
    found = evaluated(scd, root, "-m", model("m"), "--sweep", tmp_path / "sweep")
    assert found["sweep"]["fit"]["pixels"] == found["pixels"] == 64 * (64 - 21)


def test_auto_is_the_threshold_of_the_model(scd, truth, model):
    path = model("m", threshold=0.3)
    auto = evaluated(scd, truth, "-m", path, "--threshold", "auto")
    given = evaluated(scd, truth, "-m", path, "--threshold", "0.3")
    sources = [each["settings"].pop("threshold_from") for each in (auto, given)]
    assert sources == ["model", "option"]
    assert auto == given


@pytest.mark.parametrize("word", ["2", "-0.1", "nan", "half", ""])
def test_what_is_no_threshold_is_a_usage_error(scd, truth, word):
    result = scd("evaluate", truth, "--threshold", word)
    assert result.exit_code == 2
    assert f"{word!r} is neither auto nor a number from 0 to 1" in result.output


def test_what_cannot_be_swept_or_calibrated_is_said_first(scd, truth, model, tmp_path):
    path = model("m")
    pair = ("-m", path, "-m", path)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "sweep.csv").touch()
    cases = [
        (("--pred", truth, "--sweep", tmp_path / "s"), 2, "--sweep needs models alone"),
        (("--pred", truth, "--calibrate", tmp_path / "c.safetensors"), 2, "--calibrate needs"),
        ((*pair, "--calibrate", tmp_path / "c.safetensors"), 2, "and 2 were given"),
        (("-m", path, "--calibrate", tmp_path / "c.json"), 1, "there is no format for '.json'"),
        (("-m", path, "--calibrate", path), 1, "exists; replace it with --overwrite"),
        (("-m", path, "--sweep", taken), 1, "sweep.csv exists; replace it with --overwrite"),
    ]
    for words, code, message in cases:
        result = scd("evaluate", truth, *words)
        assert result.exit_code == code, result.output
        assert message in " ".join(result.output.split())


def test_the_notes_say_where_the_best_threshold_lies_and_why_nothing_is_fitted(
    scd, truth, model, tmp_path
):
    words = ("evaluate", truth, "-m", model("m"), *QUICK)
    notes = scd(*words, "--calibrate", tmp_path / "c.safetensors").stderr
    assert "m: SeK (from-to) is best, " in notes
    # An untrained model tells nothing apart.
    assert "would score as well as any threshold" in notes
