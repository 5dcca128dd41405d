"""`scdcli.predict`: the bytes of the command, and the same maps in memory."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from scenes import NORTH_UP, UTM, noise, write_scene
from standins import tiny_model

import scdcli
from scdcli.errors import OutputError, PairError
from scdcli.prediction import predict as module
from scdcli.rasters.grid import Grid

QUICK = scdcli.InferenceSettings(device="cpu", chip=64, overlap=16, threshold=0.5)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with before.tif, after.tif (uint16, with nodata) and model.safetensors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    for number, name in enumerate(("before", "after")):
        image = noise((3, 90, 100), "uint16", high=4000, seed=number)
        image[:, :10, : 20 * number] = 0
        write_scene(tmp_path / f"{name}.tif", image, nodata=0)
    tiny_model(tmp_path / "model.safetensors")
    return tmp_path


def predict(*args, **options):
    return scdcli.predict(*args, model="model.safetensors", **{"inference": QUICK, **options})


def without_seconds(folder):
    summary = json.loads((folder / "summary.json").read_text())
    del summary["seconds"], summary["stages"]
    return summary


def arrays():
    found = []
    for name in ("before.tif", "after.tif"):
        with rasterio.open(name) as dataset:
            found.append(dataset.read(masked=True))
    return found


def test_a_folder_holds_the_bytes_of_the_command(here, scd):
    summary = predict("before.tif", "after.tif", "python")
    options = ("--chip", 64, "--overlap", 16, "--threshold", 0.5, "--device", "cpu")
    pair = ("predict", "before.tif", "after.tif", "-m", "model.safetensors")
    result = scd(*pair, *options, "-o", "command")
    assert result.exit_code == 0, result.output
    made = sorted(path.name for path in Path("command").iterdir())
    assert made == sorted(path.name for path in Path("python").iterdir())
    for name in made:
        if name != "summary.json":  # holds the seconds it took
            assert Path("python", name).read_bytes() == Path("command", name).read_bytes(), name
    assert without_seconds(Path("python")) == without_seconds(Path("command"))
    assert summary == json.loads(Path("python/summary.json").read_text())


def test_defaults_are_those_of_the_command(here, scd):
    """Without any setting, too, and with the default model."""
    for name in ("before", "after"):
        write_scene(here / f"{name}.tif", noise((3, 40, 50), seed=len(name)))
    scdcli.predict("before.tif", "after.tif", "python")
    assert scd("predict", "before.tif", "after.tif", "-o", "command").exit_code == 0
    assert without_seconds(here / "python") == without_seconds(here / "command")
    maps = [Path(folder, "transition.tif").read_bytes() for folder in ("python", "command")]
    assert maps[0] == maps[1]


def test_in_memory_are_the_maps_of_the_folder(here):
    written = predict(
        "before.tif", "after.tif", "out", output=scdcli.OutputSettings(land_cover=True)
    )
    shares = []
    found = predict("before.tif", "after.tif", progress=shares.append)
    assert shares[-1] == 1
    names = {"from_class": "from", "to_class": "to"}
    for layer in ("from_class", "to_class", "probability", "before_cover", "after_cover"):
        with rasterio.open(f"out/{names.get(layer, layer)}.tif") as dataset:
            np.testing.assert_array_equal(getattr(found, layer), dataset.read(1))
    with rasterio.open("out/transition.tif") as dataset:
        np.testing.assert_array_equal(found.transition, dataset.read(1))
        assert (found.grid.transform, found.grid.crs) == (dataset.transform, dataset.crs)
    for name in ("transitions", "changed", "nodata", "inputs", "model", "grid", "notes"):
        assert json.loads(json.dumps(found.summary[name])) == written[name]
    assert written["nodata"]["pixels"] == 200
    assert found.legend.name == "second"


def test_arrays_give_the_maps_of_the_files(here):
    notes = []
    found = predict("before.tif", "after.tif")
    of_arrays = predict(
        *arrays(), grid=Grid(90, 100, NORTH_UP, CRS.from_string(UTM)), note=notes.append
    )
    for layer in ("from_class", "to_class", "probability"):
        np.testing.assert_array_equal(getattr(of_arrays, layer), getattr(found, layer))
    assert of_arrays.summary["transitions"] == found.summary["transitions"]
    assert any("One stretch to 0-255" in note for note in notes)
    summary = predict(*arrays(), "out")
    assert summary["transitions"][0]["pixels"] > 0
    assert summary["transitions"][0]["area_m2"] is None
    assert Path("out/changes.gpkg").exists()


def test_a_loaded_model_runs_where_it_lies(here):
    loaded = scdcli.load_model("model.safetensors")
    one, other = (
        scdcli.predict("before.tif", "after.tif", model=model, inference=QUICK)
        for model in (loaded, "model.safetensors")
    )
    np.testing.assert_array_equal(one.transition, other.transition)
    assert one.summary["settings"]["device"] == "cpu"


def test_settings_are_recorded_without_being_handed_on(here):
    pair = scdcli.PairSettings(scale=(0, 4000), bands=(3, 2, 1), normalize="match")
    settings = predict("before.tif", "after.tif", pair=pair, coregister=True).summary["settings"]
    assert settings["scale"] == (0, 4000)
    assert settings["bands"] == (3, 2, 1)
    assert settings["normalize"] == "match"
    assert settings["coregister"] is True


def test_more_than_fits_into_memory_is_refused(here, monkeypatch):
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 8999)
    with pytest.raises(PairError, match=r"100 x 90 pixels, more than the 8,999 .* give a folder"):
        predict("before.tif", "after.tif")


def test_an_input_in_the_output_is_not_replaced(here):
    predict("before.tif", "after.tif", "out")
    Path("before.tif").rename("out/before.tif")
    replacing = scdcli.OutputSettings(overwrite=True)
    with pytest.raises(OutputError, match=r"out/before.tif lies in out"):
        predict("out/before.tif", "after.tif", "out", output=replacing)
    with pytest.raises(OutputError, match="out exists"):
        predict("missing.tif", "after.tif", "out")


def test_what_does_not_go_together_is_refused(here):
    before, after = arrays()
    with pytest.raises(PairError, match="one image is an array"):
        predict(before, "after.tif")
    with pytest.raises(PairError, match="coregister is for images in files"):
        predict(before, after, coregister=True)
    with pytest.raises(PairError, match="grid is for arrays"):
        predict("before.tif", "after.tif", grid=Grid(90, 100, NORTH_UP, CRS.from_string(UTM)))
