"""The page of a batch: a line for every finished prediction, sums that add up."""

import json
import re
import shutil

import pytest
from finished import draw_classes, predict_images, write_images

from scdcli.errors import InputError
from scdcli.reporting.batchpage import INDEX, write_index


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    import numpy as np

    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("batch")
    for number in range(2):
        images = write_images(folder / f"images{number}", draw_classes(rng))
        predict_images(images, folder / f"maps/a b{number}", report=number == 0)
    return folder / "maps"


def test_every_finished_prediction_has_a_line(batch):
    (batch / ".c.partial").mkdir(exist_ok=True)
    shutil.copy(batch / "a b0/summary.json", batch / ".c.partial/summary.json")
    page, count, without = write_index(batch)
    assert (page, count, without) == (batch / INDEX, 2, 1)
    text = page.read_text(encoding="utf-8")
    assert text.count('href="a%20b0/report.html"') == 1
    assert "a b1/report.html" not in text
    assert text.count("<img ") == 1
    assert not re.search(r"https?://", text)


def test_areas_are_summed_where_all_have_one_unit(batch):
    summaries = [json.loads((batch / f"a b{n}/summary.json").read_text()) for n in (0, 1)]
    total = sum(summary["changed"]["hectares"] for summary in summaries)
    text = write_index(batch)[0].read_text(encoding="utf-8")
    assert f"<strong>{total:,.2f} ha</strong>" in text


def test_pixels_and_hectares_are_not_summed(batch, tmp_path):
    shutil.copytree(batch, tmp_path / "mixed")
    path = tmp_path / "mixed/a b1/summary.json"
    summary = json.loads(path.read_text())
    for name in ("changed", "valid"):
        summary[name] |= {"hectares": None, "area_m2": None}
    path.write_text(json.dumps(summary))
    assert "there is no sum" in write_index(tmp_path / "mixed")[0].read_text(encoding="utf-8")


def test_elsewhere_the_page_links_to_where_the_others_are(batch, tmp_path):
    page, *_ = write_index(batch, tmp_path / "page.html")
    assert f'href="{(batch / "a b0/report.html").as_uri()}"' in page.read_text(encoding="utf-8")


def test_a_folder_without_predictions_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no finished prediction"):
        write_index(tmp_path)
