"""The algorithms in real QGIS: they run, layers come styled, errors come through."""

import sys
from pathlib import Path

import layers
import numpy as np
import pytest
from realqgis import ask, needs_qgis
from scenes import noise, write_scene
from standins import tiny_model

import scdcli
from scdcli.qgis.install import install_plugin

ROOT = Path(scdcli.__file__).parent.parent
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from scdcli.cli import main; main()"

RUN = """
import os, time
sys.path += ["/usr/share/qgis/python/plugins", arguments["plugins"]]
os.environ.update(PYTHONHOME="/nowhere", PROJ_LIB="/nowhere", GDAL_DATA="/nowhere")
import processing
from processing.core.Processing import Processing
Processing.initialize()
from scd_changes import classFactory
plugin = classFactory(None)
plugin.initProcessing()

class Feedback(QgsProcessingFeedback):
    def __init__(self, last=None):
        super().__init__(False)
        self.said, self.last = [], last
    def pushInfo(self, text):
        self.said.append(text)
        if self.last and self.last in text:
            self.cancel()
    pushConsoleInfo = pushInfo

def failing(name, **parameters):
    try:
        processing.run(name, parameters, feedback=Feedback())
    except QgsProcessingException as error:
        return str(error)

registry = QgsApplication.processingRegistry()
algorithms = registry.providerById("scd").algorithms()
found = {
    "algorithms": sorted(each.id() for each in algorithms),
    "helpless": [p.name() for a in algorithms for p in a.parameterDefinitions() if not p.help()],
}
pair = {"BEFORE": arguments["before"], "AFTER": arguments["after"]}
common = {"MODEL": arguments["model"], "OPTIONS": "--chip 64 --overlap 0 --threshold 0.3"}
feedback = Feedback()
percent = []
feedback.progressChanged.connect(percent.append)
results = processing.runAndLoadResults(
    "scd:predict",
    {
        **pair,
        **common,
        "ZONES": arguments["zones"] + "|layername=parishes",
        "ZONE_NAMES": "code",
        "OUTPUT": arguments["out"],
    },
    feedback=feedback,
)
found["results"] = results
found["percent"] = percent
found["layers"] = {
    layer.name(): [layer.isValid(), layer.renderer().type()]
    for layer in QgsProject.instance().mapLayers().values()
}
found["again"] = failing("scd:predict", **pair, **common, OUTPUT=arguments["out"])
canceled = Feedback("Model")
found["canceled"] = processing.run(
    "scd:predict", {**pair, **common, "OUTPUT": arguments["out"] + "2"}, feedback=canceled
)
found["hint"] = canceled.said
checked = Feedback()
found["check"] = processing.run(
    "scd:check", {**pair, "AFTER": arguments["bare"]}, feedback=checked
)["VERDICT"]
found["checked"] = checked.said
found["page"] = processing.run(
    "scd:report", {"FOLDER": arguments["out"], "OUTPUT": arguments["out"] + ".html"}
)["OUTPUT"]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What QGIS makes of a small pair, with the plugin installed in a profile."""
    home = tmp_path_factory.mktemp("algorithms")
    plugin = install_plugin(str(home), [sys.executable, "-c", START])
    images = {"before": noise((3, 60, 80), seed=1), "after": noise((3, 60, 80), seed=2)}
    paths = {name: write_scene(home / f"{name}.tif", image) for name, image in images.items()}
    bare = write_scene(home / "bare.tif", np.ones((3, 60, 80), np.uint8), crs=None)
    zones = home / "plans.gpkg"
    layers.write(zones, layer="roads")
    layers.write(zones, layer="parishes", code=["west"])
    model = tiny_model(home / "model.safetensors")
    out = home / "out"
    files = {**paths, "bare": bare, "zones": zones, "model": model, "out": out}
    return ask(RUN, home, plugins=plugin.parent, **files), out


@needs_qgis
def test_the_provider_has_its_algorithms_and_all_parameters_have_help(seen):
    assert seen[0]["algorithms"] == ["scd:check", "scd:predict", "scd:report"]
    assert seen[0]["helpless"] == []


@needs_qgis
def test_predict_makes_the_folder_and_its_layers_come_styled(seen):
    found, out = seen
    assert (out / "summary.json").is_file()
    assert set(found["results"]) == {"OUTPUT", "CHANGES", "TRANSITION", "PROBABILITY", "REPORT"}
    assert found["layers"] == {
        "changes": [True, "categorizedSymbol"],
        "transition": [True, "paletted"],
        "probability of change (%)": [True, "singlebandpseudocolor"],
    }
    assert 100 in found["percent"]


@needs_qgis
def test_areas_are_given_by_zone(seen):
    table = (seen[1] / "zones.csv").read_text(encoding="utf-8")
    assert {line.split(",")[0] for line in table.splitlines()[1:]} == {"west", "outside all zones"}


@needs_qgis
def test_sentences_of_scd_come_through(seen):
    found, out = seen
    assert f"{out} exists; replace it with --overwrite" in found["again"]


@needs_qgis
def test_canceling_ends_the_run(seen):
    found, out = seen
    assert not found["canceled"]
    assert any("Go on with an interrupted run" in line for line in found["hint"])
    assert not out.with_name("out2").exists()


@needs_qgis
def test_check_says_its_verdict_and_report_makes_its_page(seen):
    found, out = seen
    assert "not comparable" in found["check"]
    assert any("no CRS" in line for line in found["checked"])
    assert found["page"] == f"{out}.html"
    assert out.with_name("out.html").is_file()
