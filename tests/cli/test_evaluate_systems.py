"""Several systems, settings and files of ``scd evaluate``; one system is in test_evaluate.py."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from maps import draw, write_second, write_tif
from scenes import noise, write_scene

from scdcli.legend import SECOND, LandCover, Legend
from scdcli.models.checkpoint import ModelHeader, save_model
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.prediction.tta import TTA

SHAPE = (64, 64)
NAMES = ("a", "b", "c")
TRUTH = {name: draw(seed, shape=SHAPE) for seed, name in enumerate(NAMES)}
TOY = Legend("toy", tuple(LandCover(f"t{n}", (n, 0, 0)) for n in range(6)))


@pytest.fixture
def truth(tmp_path):
    """Three labelled pairs with images."""
    root = write_second(tmp_path / "set", TRUTH)
    for seed, folder in enumerate(("im1", "im2")):
        (root / folder).mkdir()
        for name in NAMES:
            path = root / folder / f"{name}.png"
            write_scene(path, noise((3, *SHAPE), seed=seed), None, None, driver="PNG")
    return root


@pytest.fixture
def maps(tmp_path):
    """Folders of maps: good is mostly right, bad is drawn."""
    rng = np.random.default_rng(0)
    good = {
        name: tuple(np.where(rng.random(SHAPE) < 0.8, each, 0).astype(np.uint8) for each in pair)
        for name, pair in TRUTH.items()
    }
    good = {
        name: (first * (second > 0), second * (first > 0)) for name, (first, second) in good.items()
    }
    bad = {name: draw(seed + 50, shape=SHAPE) for seed, name in enumerate(NAMES)}
    folders = {"good": good, "bad": bad}
    return {name: write_second(tmp_path / "maps" / name, each) for name, each in folders.items()}


@pytest.fixture
def model(tmp_path):
    """A function that writes an untrained model of 1/8 width."""

    def write(name, legend=SECOND, seed=0):
        torch.manual_seed(seed)
        settings = NetworkSettings("asn", "residual", 0.125, 3, len(legend))
        network = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
        path = tmp_path / "runs" / name / "best.safetensors"
        path.parent.mkdir(parents=True)
        save_model(path, network, ModelHeader(settings, legend, chip=64))
        return path

    return write


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def document(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_folders_are_scored_as_they_are_alone(scd, truth, maps):
    both = document(scd("evaluate", truth, "--pred", maps["good"], "--pred", maps["bad"], "--json"))
    assert [each["system"] for each in both["systems"]] == ["good", "bad"]
    for each, folder in zip(both["systems"], maps.values(), strict=True):
        alone = document(scd("evaluate", truth, "--pred", folder, "--json"))
        assert alone.pop("truth") == both["truth"]
        assert alone == each


def test_half_predicted_changes_are_noted_with_whose_they_are(scd, truth, maps, tmp_path):
    halves = {name: (first, np.zeros_like(second)) for name, (first, second) in TRUTH.items()}
    half = write_second(tmp_path / "maps/half", halves)
    result = scd("evaluate", truth, "--pred", maps["good"], "--pred", half)
    count = sum(np.count_nonzero(first) for first, _ in TRUTH.values())
    assert f"{count} pixels are predicted by half as changed at one date" in result.stderr
    assert "predicted by good" not in result.stderr


def test_models_come_first_once_per_augmentation_then_folders(scd, truth, maps, model, tmp_path):
    models = ("-m", model("one"), "--model", model("two", seed=1))
    command = ("evaluate", truth, "--pred", maps["good"], *models, "--tta", "none, flip,none")
    command = (*command, "--plots", tmp_path / "plots")
    found = document(scd(*command, "--device", "cpu", "--chip", 64, "--overlap", 0, "--json"))
    assert (tmp_path / "plots/reliability.png").is_file()
    assert [(each["system"], each["tta"]) for each in found["systems"]] == [
        ("one", "none"),
        ("one", "flip"),
        ("two", "none"),
        ("two", "flip"),
        ("good", None),
    ]
    first, flipped = found["systems"][:2]
    assert first["settings"]["tta"] == "none"
    assert first["stacked_matrix"] != flipped["stacked_matrix"]
    assert found["systems"][4]["predictions"] == str(maps["good"])


def test_chips_that_were_looked_at_again_are_counted_over_all_pairs(scd, truth, model, monkeypatch):
    monkeypatch.setitem(TTA, "adaptive", TTA["flip"])  # quicker
    options = ("--tta", "none,adaptive", "--threshold", 0, "--chip", 64, "--overlap", 0, "--json")
    result = scd("evaluate", truth, "-m", model("one"), "--device", "cpu", *options)
    chips = [each["chips"] for each in document(result)["systems"]]
    assert chips == [
        {"predicted": len(TRUTH), "looked_at_again": 0},
        {"predicted": len(TRUTH), "looked_at_again": len(TRUTH)},
    ]
    told = f"one, adaptive: {len(TRUTH)} of {len(TRUTH)} chips were looked at again.\n"
    assert told in result.stderr
    assert result.stderr.count("looked at again") == 1


def test_one_model_with_several_augmentations_is_a_comparison(scd, truth, model):
    one = model("one")
    options = ("--device", "cpu", "--chip", 64, "--overlap", 0)
    text = scd("evaluate", truth, "-m", one, "--tta", "none,flip", *options).stdout
    lines = text.splitlines()
    (above,) = (line for line in lines if line.startswith("┃ ") and "flip" in line)
    assert above.split() == ["┃", "┃", "none", "┃", "none", "┃", "flip", "┃", "flip", "┃"]
    assert "one, flip: SeK of each transition (unmasked) in %" in lines


def test_the_table_has_a_row_per_system_and_the_matrices(scd, truth, maps):
    result = scd("evaluate", truth, "--pred", maps["good"], "--pred", maps["bad"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    found = document(scd("evaluate", truth, "--pred", maps["good"], "--json"))
    (row,) = (line for line in lines if line.startswith("│ good "))
    for name in ("miou", "sek_from_to", "sek_stacked", "fscd_from_to", "oa", "kappa"):
        assert f"{100 * found[name]:.2f}" in row
    assert "bad: SeK of each transition (masked) in %" in lines
    unchanged, changed = (100 * found[name] for name in ("iou_unchanged", "iou_changed"))
    assert f"IoU of unchanged {unchanged:.2f}, of changed {changed:.2f}" in lines
    assert max(map(len, lines)) <= 80


def test_files_hold_what_was_found(scd, truth, maps, tmp_path):
    files = {
        "-o": tmp_path / "scores.csv",
        "--matrix": tmp_path / "m.csv",
        "--per-pair": tmp_path / "p.csv",
    }
    options = [part for pair in files.items() for part in pair]
    folders = ("--pred", maps["good"], "--pred", maps["bad"])
    found = document(scd("evaluate", truth, *folders, *options, "--json"))
    rows = table(files["-o"])
    assert [float(row["miou"]) for row in rows] == [each["miou"] for each in found["systems"]]
    assert [row["system"] for row in table(files["--matrix"])] == ["good"] * 6 + ["bad"] * 6
    pairs = table(files["--per-pair"])
    assert [(row["system"], row["name"]) for row in pairs] == [
        (system, name) for system in ("good", "bad") for name in NAMES
    ]
    again = scd("evaluate", truth, *folders, "--per-pair", files["--per-pair"])
    assert (again.exit_code, again.stdout) == (1, "")
    assert "p.csv exists; replace it with --overwrite" in again.stderr


def test_bootstrap_gives_intervals_and_differences(scd, truth, maps):
    folders = ("--pred", maps["good"], "--pred", maps["bad"])
    command = ("evaluate", truth, *folders, "--bootstrap", 200, "--seed", 5)
    found = document(scd(*command, "--json"))
    assert found["bootstrap"]["resamples"] == 200
    good, bad = found["systems"]
    assert good["intervals"]["oa"]["low"] <= good["oa"] <= good["intervals"]["oa"]["high"]
    assert bad["against"] == {"system": "good", "tta": None}
    assert bad["differences"]["sek_from_to"]["not_better"] == 1
    assert found == document(scd(*command, "--json"))
    text = scd(*command).stdout
    assert "Differences to good in points of %" in text
    assert f"{100 * bad['differences']['miou']['value']:+.2f}" in text
    assert "95 % of 200 resamples of the pairs (seed 5) lie in the intervals." in text
    assert max(map(len, text.splitlines())) <= 80


def test_one_system_has_its_intervals_beside_its_scores(scd, truth, maps):
    command = ("evaluate", truth, "--pred", maps["good"], "--bootstrap", 200)
    sek = document(scd(*command, "--json"))["intervals"]["sek_from_to"]
    (line,) = (x for x in scd(*command).stdout.splitlines() if x.startswith("│ SeK "))
    assert f"{100 * sek['low']:.1f}–{100 * sek['high']:.1f}" in line


def test_one_pair_has_no_interval_and_says_why(scd, tmp_path):
    truth = write_second(tmp_path / "one", {"a": TRUTH["a"]})
    result = scd("evaluate", truth, "--pred", truth, "--bootstrap", 100)
    assert result.exit_code == 0, result.output
    assert "There are no intervals: the set has one pair" in " ".join(result.stdout.split())


def test_panels_are_drawn_for_folders_and_models(scd, truth, maps, model, tmp_path):
    systems = ("--pred", maps["good"], "-m", model("one"), "--device", "cpu")
    chosen = ("--panels", tmp_path / "p/q", "--panel-pairs", "c,a")
    options = ("--tta", "none", "--chip", 64, "--overlap", 0)
    result = scd("evaluate", truth, *systems, *chosen, *options)
    assert result.exit_code == 0, result.output
    drawn = sorted((tmp_path / "p/q").iterdir())
    assert [path.name for path in drawn] == ["a.png", "c.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    again = scd("evaluate", truth, *systems, *chosen)
    assert again.exit_code == 1
    assert "c.png exists; replace it with --overwrite" in again.stderr


def test_plots_are_drawn_of_all_systems(scd, truth, maps, tmp_path):
    systems = ("--pred", maps["good"], "--pred", truth)
    result = scd("evaluate", truth, *systems, "--plots", tmp_path / "plots")
    assert result.exit_code == 0, result.output
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    assert sorted(drawn) == ["categorical_sek.png", "class_iou.png", "confusion.png"]
    assert all(picture.startswith(b"\x89PNG") for picture in drawn.values())
    again = scd("evaluate", truth, *systems, "--plots", tmp_path / "plots")
    assert again.exit_code == 1
    assert "confusion.png exists; replace it with --overwrite" in again.stderr


def test_panels_of_single_pairs_match_whatever_their_names(scd, tmp_path):
    for name in ("x", "y"):
        for file, index in zip(("from.tif", "to.tif"), TRUTH["a"], strict=True):
            write_tif(tmp_path / name / file, index, legend=SECOND)
    result = scd("evaluate", tmp_path / "x", "--pred", tmp_path / "y", "--panels", tmp_path / "p")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "p/x.png").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--panel-pairs", "a"), 2, "say where with --panels DIR"),
        (("--panels", "P", "--panel-pairs", "a,z"), 1, "no pair named 'z'; it has a, b, c."),
        (("-o", "s.txt"), 1, "s.txt: there is no format for '.txt'; use .json or .csv"),
        (("--matrix", "m.json"), 1, "there is no format for '.json'; use .csv"),
        (("--matrix", "m.csv", "--per-pair", "m.csv"), 1, "m.csv is named for two outputs"),
        (
            ("-o", "m.csv", "--matrix", "m.csv", "--per-pair", "p.csv"),
            1,
            "m.csv is named for two outputs",
        ),
        (("--tta", "flip"), 2, "--tta says how a model runs, but only maps that exist are scored"),
        (("--threshold", "0.3"), 2, "name a model with --model, or leave --threshold out"),
        (("--bootstrap", "0"), 2, "'--bootstrap': 0 is not in the range x>=100"),
        (("--tta", "none,twist", "-m", "second"), 1, "augmentation named 'twist'"),
        (("-m", "nowhere"), 1, "no model (and no such file) named 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(
    scd, truth, maps, tmp_path, monkeypatch, options, code, message
):
    monkeypatch.chdir(tmp_path)
    result = scd("evaluate", truth, "--pred", maps["good"], *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_maps_are_scored_and_drawn_without_torch(truth, maps, tmp_path):
    """Scored without matplotlib, too: it would make a cache of fonts in the home folder."""
    arguments = ["evaluate", str(truth), "--pred", str(maps["good"]), "--bootstrap", "100"]
    drawn = [*arguments, "--panels", str(tmp_path / "p"), "-o", str(tmp_path / "s.json")]
    script = (
        "import sys\n"
        "from scdcli.cli import main\n"
        f"main({arguments!r}, prog_name='scd', standalone_mode=False)\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"main({drawn!r}, prog_name='scd', standalone_mode=False)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_models_of_other_classes_are_not_compared(scd, truth, model):
    models = ("-m", model("one"), "-m", model("toy", TOY))
    result = scd("evaluate", truth, *models, "--device", "cpu")
    assert result.exit_code == 1
    assert "the model one predicts water, " in result.stderr
    assert "toy predicts t0, t1, " in result.stderr


def test_a_legend_of_another_length_is_refused(scd, truth, model):
    short = Legend("short", TOY.classes[:4])
    result = scd("evaluate", truth, "-m", model("one", short), "--legend", "second")
    assert result.exit_code == 1
    assert "legend 'second' has 6 classes, but the model one predicts 4" in result.stderr


def test_all_systems_are_scored_with_one_number_of_classes(scd, tmp_path):
    pairs = {name: draw(seed, 3) for seed, name in enumerate("ab")}
    truth = write_second(tmp_path / "t", pairs, None)
    more = write_second(tmp_path / "p", {name: draw(9, 5) for name in pairs}, None)
    result = scd("evaluate", truth, "--pred", truth, "--pred", more, "--json")
    assert [each["classes"] for each in document(result)["systems"]] == [5, 5]


def test_systems_scored_on_different_pixels_are_noted(scd, tmp_path):
    truth = write_second(tmp_path / "t", {"a": TRUTH["a"]}, None)
    hole = [each.copy() for each in TRUTH["a"]]
    hole[0][0, 0] = 255
    other = write_second(tmp_path / "p", {"a": hole}, None)
    result = scd("evaluate", truth, "--pred", truth, "--pred", other)
    assert "scored on different pixels: t 4,096, p 4,095" in result.stderr


def test_a_model_of_some_of_the_bands_is_scored_on_those(scd, tmp_path, model):
    more, three = (write_second(tmp_path / name, {"a": TRUTH["a"]}) for name in ("more", "three"))
    for seed, folder in enumerate(("im1", "im2")):
        image = noise((5, *SHAPE), seed=seed)
        for root, bands in ((more, [0, 1, 2, 3, 4]), (three, [4, 1, 0])):
            (root / folder).mkdir()
            write_scene(root / folder / "a.tif", image[bands])
    options = ("-m", model("one"), "--device", "cpu", "--chip", 64, "--overlap", 0, "--json")
    refused = scd("evaluate", more, *options)
    assert refused.exit_code == 1
    assert "choose 3 of them, for example --bands 1,2,3" in refused.stderr
    chosen = document(scd("evaluate", more, *options, "--bands", "5,2,1"))
    assert chosen["settings"]["bands"] == [5, 2, 1]
    named = scd("evaluate", three, *options, "--bands", "red,green,blue")
    assert document(named)["settings"]["bands"] == ["red", "green", "blue"]
    plain = document(scd("evaluate", three, *options))
    assert plain["settings"]["bands"] is None
    assert chosen["stacked_matrix"] == plain["stacked_matrix"]


def test_the_configuration_may_say_how_models_run_where_there_is_none(scd, truth, maps, tmp_path):
    file = tmp_path / "scd.toml"
    file.write_text('[evaluate]\ntta = "flip"\nthreshold = 0.3\n', encoding="utf-8")
    result = scd("--config", file, "evaluate", truth, "--pred", maps["good"])
    assert result.exit_code == 0, result.output


def test_a_system_may_come_from_the_configuration(scd, truth, maps, tmp_path):
    file = tmp_path / "scd.toml"
    file.write_text(f'[evaluate]\npred = "{maps["good"]}"\njson = true\n', encoding="utf-8")
    assert document(scd("--config", file, "evaluate", truth))["predictions"] == str(maps["good"])
    both = f'pred = ["{maps["good"]}", "{maps["bad"]}"]'
    file.write_text(f"[evaluate]\n{both}\njson = true\n", encoding="utf-8")
    assert len(document(scd("--config", file, "evaluate", truth))["systems"]) == 2
