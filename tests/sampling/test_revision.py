"""A corrected prediction: what was edited is other, what was not keeps its very pixels."""

import json
from zipfile import ZipFile

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from finished import draw_classes, predict_images, write_images
from pyproj import Transformer

from scdcli.errors import DatasetError
from scdcli.reporting.page import REPORT
from scdcli.sampling.changemap import fingerprint, open_map
from scdcli.sampling.design import SampleSettings, draw_sample
from scdcli.sampling.revision import revise

RASTERS = ("from", "to", "transition", "probability")


def predicted(folder, simplify):
    images = write_images(folder, draw_classes(np.random.default_rng(5), (10, 12)))
    predict_images(images, folder / "out", simplify=simplify)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return predicted(tmp_path_factory.mktemp("plain"), 0.0)


@pytest.fixture(scope="module")
def simplified(tmp_path_factory):
    return predicted(tmp_path_factory.mktemp("simplified"), 15.0)


@pytest.fixture
def folder(request):
    """A prediction in ``out``, by the name of a fixture above."""
    return request.getfixturevalue(getattr(request, "param", "plain"))


in_both_ways = pytest.mark.parametrize("folder", ["plain", "simplified"], indirect=True)


def read(folder):
    maps = {}
    for name in RASTERS:
        with rasterio.open(folder / f"{name}.tif") as dataset:
            maps[name] = dataset.read(1)
    return maps


class Edited:
    """The polygons of a prediction, to be edited and written."""

    def __init__(self, folder):
        path = folder / "out/changes.gpkg"
        about, _, geometry, columns = pyogrio.raw.read(path, layer="changes")
        self.crs, self.fields = about["crs"], about["fields"].tolist()
        self.outline = list(shapely.from_wkb(geometry))
        self.rows = [dict(zip(self.fields, row, strict=True)) for row in zip(*columns, strict=True)]

    def remove(self, place):
        del self.outline[place], self.rows[place]

    def draw(self, outline, **cells):
        self.outline.append(outline)
        self.rows.append(dict.fromkeys(self.fields) | cells)

    def write(self, path):
        columns = [np.array([row[name] for row in self.rows], object) for name in self.fields]
        for place, name in enumerate(self.fields):
            if not name.endswith("_name"):
                columns[place] = np.array(
                    [np.nan if v is None else v for v in columns[place]], float
                )
        kinds = {shapely.get_type_id(each) for each in self.outline}
        pyogrio.raw.write(
            path,
            shapely.to_wkb(np.array(self.outline, object)),
            columns,
            self.fields,
            layer="changes",
            geometry_type="Polygon" if kinds == {3} else "MultiPolygon",
            crs=self.crs,
        )
        return path


def revised(folder, edited, tmp_path):
    summary = revise(
        folder / "out", edited.write(tmp_path / "c.gpkg"), folder / "new", overwrite=True
    )
    return summary, read(folder / "new")


def counts(summary):
    return [summary["revision"][f"polygons_{k}"] for k in ("removed", "renamed", "drawn")]


@in_both_ways
def test_what_nobody_edited_stays_to_the_pixel(folder, tmp_path):
    summary, maps = revised(folder, Edited(folder), tmp_path)
    assert counts(summary) == [0, 0, 0]
    assert summary["revision"]["pixels"] == 0
    for name, before in read(folder / "out").items():
        assert np.array_equal(maps[name], before)
    original = json.loads((folder / "out/summary.json").read_text(encoding="utf-8"))
    assert summary["transitions"] == original["transitions"]
    assert "revision" not in original
    assert summary["revision"]["map"] == fingerprint(open_map(folder / "out"))
    polygons = [
        sorted(pyogrio.raw.read(folder / name / "changes.gpkg", layer="changes")[2])
        for name in ("out", "new")
    ]
    assert polygons[0] == polygons[1]


def inside(folder, outline):
    """Pixels whose middle lies in an outline."""
    grid = open_map(folder / "out").grid
    rows, cols = np.indices(grid.shape)
    x, y = grid.transform @ (cols.ravel() + 0.5, rows.ravel() + 0.5)
    return shapely.contains_xy(outline, x, y).reshape(grid.shape)


@pytest.mark.parametrize("folder", ["simplified"], indirect=True)
def test_removed_renamed_and_drawn_polygons_are_in_every_output(folder, tmp_path):
    edited = Edited(folder)
    before = read(folder / "out")["transition"]
    renamed, removed = edited.outline[1], edited.outline[0]
    old = edited.rows[1]["to_name"]
    edited.rows[1]["to_name"] = new = "tree" if old != "tree" else "water"  # the number stays
    edited.remove(0)
    left, top = shapely.total_bounds(edited.outline)[[0, 3]]
    box = shapely.box(left + 23, top - 47, left + 51, top - 18)
    edited.draw(box, from_class=1, to_class=6)
    summary, maps = revised(folder, edited, tmp_path)
    assert counts(summary) == [1, 1, 1]
    drawn = inside(folder, box)
    assert drawn.sum() == 28 * 29
    assert (maps["transition"][drawn] == 106).all()
    core = inside(folder, shapely.buffer(renamed, -2)) & ~drawn
    if core.any():
        assert set(maps["to"][core]) == {4 if new == "tree" else 1}
    gone = inside(folder, shapely.buffer(removed, -2)) & ~drawn
    assert (maps["transition"][gone] == 0).all()
    differs = maps["transition"] != before
    assert summary["revision"]["pixels"] == differs.sum()
    assert summary["revision"]["area_m2"] == pytest.approx(differs.sum(), rel=2e-3)
    touched = shapely.union_all([box, shapely.buffer(renamed, 20), shapely.buffer(removed, 20)])
    assert not (differs & ~inside(folder, touched)).any()
    rows = {row["transition"]: row["pixels"] for row in summary["transitions"]}
    assert rows[106] == np.sum(maps["transition"] == 106)
    layer = pyogrio.raw.read(folder / "new/changes.gpkg", layer="changes", columns=["transition"])[
        3
    ][0]
    assert set(layer) == set(rows)
    assert "106" in (folder / "new/transitions.csv").read_text()
    assert (folder / "new" / REPORT).is_file()
    with ZipFile(folder / "new/changes.qgz") as project:
        layers = project.read("changes.qgs").decode()
    assert layers.count("<maplayer ") == 7  # polygons, four maps, two images
    style = (folder / "new/probability.qml").read_text(encoding="utf-8")
    assert style == (folder / "out/probability.qml").read_text(encoding="utf-8")
    # and the result is a prediction like any other
    sample = draw_sample(
        open_map(folder / "new"), SampleSettings(size=40, strata="change", minimum=9)
    )
    assert len(sample.stratum) == 40


def test_polygons_of_another_crs_are_brought_home(folder, tmp_path):
    edited = Edited(folder)
    move = Transformer.from_crs(edited.crs, "EPSG:4326", always_xy=True)
    edited.outline = [
        shapely.transform(each, lambda xy: np.stack(move.transform(*xy.T), axis=1))
        for each in edited.outline
    ]
    edited.crs = "EPSG:4326"
    summary, maps = revised(folder, edited, tmp_path)
    before = read(folder / "out")["transition"]
    assert (maps["transition"] == before).mean() > (
        0.99 if not summary["settings"]["simplify"] else 0.9
    )


def test_repairs_and_overlaps_are_said(folder, tmp_path):
    edited = Edited(folder)
    left, top = shapely.total_bounds(edited.outline)[[0, 3]]
    bow = shapely.Polygon(
        [(left + x, top - y) for x, y in ((10, 10), (40, 40), (40, 10), (10, 40))]
    )
    edited.draw(bow, from_name="water", to_name="building")
    edited.draw(shapely.box(left + 10, top - 30, left + 30, top - 10), from_class=2, to_class=3)
    summary, maps = revised(folder, edited, tmp_path)
    notes = " ".join(summary["revision"]["notes"])
    assert "1 polygons cross themselves and were repaired" in notes
    assert "2 new polygons overlap others" in notes
    assert (maps["transition"][inside(folder, edited.outline[-1])] == 203).all()


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"from_class": 9, "to_class": 1}, "has from_class '9', which legend 'second' does not"),
        ({"from_name": "forest", "to_class": 1}, "has from_name 'forest', which legend"),
        ({"from_class": 1}, "has neither to_name nor to_class"),
        ({"from_class": 1, "from_name": "tree", "to_class": 2}, "has from_class 1 but from_name"),
    ],
)
def test_classes_that_are_none_are_refused(folder, tmp_path, cells, sentence):
    edited = Edited(folder)
    edited.draw(shapely.box(500010, 3999950, 500020, 3999960), **cells)
    with pytest.raises(DatasetError, match=sentence):
        revised(folder, edited, tmp_path)
