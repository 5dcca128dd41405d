"""The land cover in ``scd evaluate``: of models and of folders, in tables and files."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from covers import write_covered
from standins import loaded

from scdcli.legend import SECOND
from scdcli.models.checkpoint import ModelHeader, save_model
from scdcli.models.networks import Logits, NetworkSettings, build
from scdcli.models.networks.model import ChangeModel

RUN = ("--device", "cpu", "--chip", 64, "--overlap", 0)
NAMES = ("landcover_oa", "landcover_miou")


@pytest.fixture
def truth(tmp_path):
    """Three pairs, the second without land cover; the class of the first rows is not known."""
    drawn = write_covered(tmp_path / "set", "abc", without="b", unknown=slice(0, 16))
    return tmp_path / "set", drawn


@pytest.fixture
def write_model(tmp_path):
    """A function that writes an untrained model of 1/8 width."""

    def write(name, *, land_cover):
        torch.manual_seed(0)
        settings = NetworkSettings("fc-siam-diff", "residual", 0.125, 3, 6)
        network = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
        header = ModelHeader(settings, SECOND, chip=64, land_cover=land_cover)
        save_model(tmp_path / name, network, header)
        return tmp_path / name

    return write


def test_a_model_is_scored_on_the_land_cover_as_its_written_maps_are(
    scd, truth, write_model, tmp_path
):
    folder, drawn = truth
    model = write_model("m.safetensors", land_cover=True)
    result = scd("evaluate", folder, "--model", model, *RUN, "--json", "-q")
    assert result.exit_code == 0, result.output
    scored = json.loads(result.stdout)
    assert scored["landcover_pixels"] == 2 * 2 * 48 * 64
    assert scored["landcover_missing_pixels"] == 0
    matrix = np.array(scored["landcover_matrix_before"]) + scored["landcover_matrix_after"]
    assert scored["landcover_oa"] == pytest.approx(matrix.trace() / matrix.sum())
    labelled = np.stack([drawn[name][part] for name in "ac" for part in ("cover1", "cover2")])
    assert matrix.sum(axis=0).tolist() == np.bincount(labelled.ravel(), minlength=256)[1:7].tolist()
    unions = matrix.sum(axis=0) + matrix.sum(axis=1) - matrix.diagonal()
    assert list(scored["landcover_iou"]) == [str(index) for index in range(1, 7)]
    found = np.array(list(scored["landcover_iou"].values()))
    np.testing.assert_allclose(found, matrix.diagonal() / unions)
    assert scored["landcover_miou"] == pytest.approx(found.mean())

    for name in drawn:
        images = [folder / part / f"{name}.png" for part in ("im1", "im2")]
        options = ("--land-cover", "--vector", "none", *RUN, "-q")
        written = scd("predict", *images, "--model", model, "-o", tmp_path / "p" / name, *options)
        assert written.exit_code == 0, written.output
    files = scd("evaluate", folder, "--pred", tmp_path / "p", "--json", "-q")
    assert files.exit_code == 0, files.output
    again = json.loads(files.stdout)
    assert {key: again[key] for key in again if key.startswith("landcover")} == {
        key: scored[key] for key in scored if key.startswith("landcover")
    }


def test_a_perfect_land_cover_scores_one_in_the_table(scd, truth, monkeypatch):
    folder, drawn = truth
    exact = loaded(ByClass(drawn))
    exact = replace(exact, header=replace(exact.header, land_cover=True))
    monkeypatch.setattr("scdcli.prediction.predictor.load_model", lambda name, device: exact)
    result = scd("evaluate", folder, *RUN, "--bootstrap", 100, "-q")
    assert result.exit_code == 0, result.output
    _, table = result.stdout.split("Land cover of every pixel, both dates\n")
    rows = {line.strip("│ ").split("│")[0].strip(): line for line in table.splitlines()}
    assert "100.00" in rows["mIoU"]
    assert "100.0–100.0" in rows["mIoU"]
    assert "100.00" in rows["OA"]
    assert "100.00" in rows["IoU 5 building"]


class ByClass(torch.nn.Module):
    """Classes by the mean color that the toy pairs draw them in."""

    output = "branches"

    def __init__(self, drawn):
        super().__init__()
        parts = [(each["im1"], each["cover1"]) for each in drawn.values()]
        colors = [
            np.mean(
                [image[:, cover == index].mean(1) for image, cover in parts if index in cover], 0
            )
            for index in range(1, 7)
        ]
        self.colors = torch.tensor(np.array(colors), dtype=torch.float32)

    def forward(self, before, after):
        def classes(image):
            distance = (image[:, None] - self.colors[None, :, :, None, None]).square().sum(2)
            return -distance

        first, second = classes(before), classes(after)
        changed = (first.argmax(1) != second.argmax(1)).float()[:, None]
        return Logits(first, second, torch.cat((1 - changed, changed), 1) * 20)


def test_a_model_that_has_not_learnt_it_says_so_beside_one_that_has(
    scd, truth, write_model, tmp_path
):
    folder, _ = truth
    models = [write_model(f"{x}.safetensors", land_cover=x == "with") for x in ("with", "without")]
    systems = [text for model in models for text in ("--model", model)]
    out = tmp_path / "scores.csv"
    result = scd("evaluate", folder, *systems, *RUN, "--bootstrap", 100, "-o", out, "-q")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert (
        "without: Land cover is undefined: the model was not trained on the land cover of every "
        "pixel." in said
    )
    with out.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert float(first["landcover_miou_low"]) <= float(first["landcover_miou"])
    assert float(first["landcover_iou_3"]) >= 0
    for name in (*NAMES, "landcover_miou_low", "landcover_iou_3", "landcover_oa_difference"):
        assert second[name] == ""
    (document,) = (
        each
        for each in json.loads(scd("evaluate", folder, *systems, *RUN, "--json", "-q").stdout)[
            "systems"
        ]
        if each["system"] == "without"
    )
    assert document["landcover_miou"] is None
    assert "not trained on the land cover" in document["undefined"]["landcover_miou"]
    assert "not trained on the land cover" in document["undefined"]["landcover_iou.3"]


def test_nothing_is_said_of_land_cover_where_nothing_is_known(
    scd, second_tree, write_model, tmp_path
):
    model = write_model("m.safetensors", land_cover=True)
    root = second_tree(pairs=2)
    result = scd("evaluate", root / "train", "--model", model, *RUN)
    assert result.exit_code == 0, result.output
    assert "and cover" not in result.output
    document = json.loads(scd("evaluate", root / "train", "-m", model, *RUN, "--json", "-q").stdout)
    assert not [key for key in document if key.startswith("landcover")]
