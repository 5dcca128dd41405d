"""The form of a sample in QGIS: what it shows, and that what is chosen in it reaches `scd area`."""

import numpy as np
import pyogrio
import pytest
from predictions import patches, write_map
from realqgis import ask, needs_qgis

from scdcli.legend import SECOND
from scdcli.sampling.changemap import open_map
from scdcli.sampling.design import SampleSettings, draw_sample
from scdcli.sampling.pointfile import write_points
from scdcli.sampling.reference import UNJUDGED, read_reference

pytestmark = needs_qgis

FILL_IN = """
from qgis.gui import *
from qgis.PyQt.QtWidgets import QComboBox, QLineEdit
QgsGui.editorWidgetRegistry().initEditors()
layers = {name: QgsVectorLayer(f"{arguments['path']}|layername={name}", name, "ogr")
          for name in ("points", "units")}
assert all(layer.isValid() for layer in layers.values())
points = layers["points"]
points.startEditing()
shown = {}
for feature in points.getFeatures(QgsFeatureRequest().addOrderBy('"id"').setLimit(2)):
    form = QgsAttributeForm(points, feature)
    drawn = {box.objectName(): box for kind in (QComboBox, QLineEdit)
             for box in form.findChildren(kind) if box.objectName() and box.isVisibleTo(form)}
    shown = {name: [box.itemText(n) for n in range(box.count())] if isinstance(box, QComboBox)
             else box.isEnabled() and not box.isReadOnly() for name, box in drawn.items()}
    for name, text in arguments["chosen"].get(str(feature["id"]), {}).items():
        box = drawn[name]
        box.setCurrentText(text) if isinstance(box, QComboBox) else box.setText(text)
    form.save()
assert points.commitChanges(), points.commitErrors()
print(json.dumps({
    "shown": shown,
    "named": [points.attributeDisplayName(n) for n in range(points.fields().count())],
    "symbols": [layer.renderer().symbol().color().alpha() for layer in layers.values()],
}))
"""


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Of a sample filled in at two places in the form: the form, what is read of it, the file."""
    folder = tmp_path_factory.mktemp("form")
    change_map = open_map(write_map(folder / "p", patches()))
    write_points(
        folder / "points.gpkg", draw_sample(change_map, SampleSettings(size=20, minimum=4))
    )
    chosen = {
        "1": {"reference_from": "tree", "reference_to": "building", "confidence": "unsure"},
        "2": {"reference_from": "unchanged", "reference_to": "unchanged", "note": "shadow, old"},
    }
    said = ask(FILL_IN, folder, gui=True, path=folder / "points.gpkg", chosen=chosen)
    found = read_reference(folder / "points.gpkg", change_map.grid, change_map.legend)
    return said, found, folder / "points.gpkg"


def test_the_form_has_the_classes_to_choose_from_and_hides_the_map(answered):
    said, _, _ = answered
    classes = ["unchanged", *SECOND.names, "(NULL)"]
    assert said["shown"] == {
        "id": False,  # may be read, not written
        "reference_from": classes,
        "reference_to": classes,
        "confidence": ["sure", "unsure", "(NULL)"],
        "note": True,
    }
    assert {"class before", "class after"} < set(said["named"])
    assert said["symbols"][0] == 0  # a ring, through which the image shows


def test_what_was_chosen_in_the_form_is_read_as_judged(answered):
    _, found, path = answered
    building = SECOND.names.index("building") + 1
    tree = SECOND.names.index("tree") + 1
    assert found.judged[:2].tolist() == [100 * tree + building, 0]
    assert np.all(found.judged[2:] == UNJUDGED)
    assert found.records[0].cells["confidence"] == "unsure"
    rows = pyogrio.raw.read_arrow(path, layer="points")[1].to_pylist()
    assert {row["id"]: row["note"] for row in rows if row["note"]} == {2: "shadow, old"}
