"""The comparison on a GPU: what is held out, what is refused, and a run in small on a processor."""

import csv
import json
import sys
from pathlib import Path

import pytest
import torch
from livebanks import bank

FOLDER = str(Path(__file__).parents[2] / "benchmarks/gpu")


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, FOLDER)
    import compare

    yield compare
    sys.path.remove(FOLDER)
    for name in ("compare", "default_model", "pack"):
        del sys.modules[name]


def test_no_place_is_learnt_from_and_tested(script):
    whole = bank(tiles=32, dates=2)
    learnt, tested = (script.places(whole, test).pairs.tolist() for test in (False, True))
    assert sorted(learnt + tested) == whole.pairs.tolist()
    assert tested == [[0, 1], [16, 17]]
    three = script.replace(whole, pairs=torch.tensor([[0, 1], [1, 2], [0, 2], [3, 4], [3, 3]]))
    three = script.replace(
        three, **{n: getattr(whole, n)[:5] for n in ("changed", "weights", "groups")}
    )
    assert script.places(three, True).pairs.tolist() == [[0, 1], [1, 2], [0, 2]]


def test_systems_that_cannot_be_compared_are_refused(script):
    with pytest.raises(SystemExit, match=r"no system 'asm'; choose among fc-ef, .*asn-chained"):
        script.require_systems("asn,asm")
    with pytest.raises(SystemExit, match="asn-atl revises asn; give both"):
        script.require_systems("hrscd-str4,asn-atl")


def test_systems_learn_from_the_same_pairs_and_are_scored(script, tmp_path, monkeypatch):
    banks = script.packs.Unpacked(bank(tiles=16), bank(48, tiles=16, dates=2), None, [])
    monkeypatch.setattr(script.packs, "unpack", lambda path: banks)
    kept = {}
    learn = script.learn
    monkeypatch.setattr(script, "learn", lambda *a: kept.setdefault("learnt", learn(*a)))
    settings = script.Comparison(
        "sscd-l,asn,asn-atl", width=0.125, batch=2, size=48, second=0.5, test_pairs=2
    )
    given = {"out": tmp_path / "out", "pack": None, "device": "cpu", "minutes": 60, "steps": 2}
    script.compare(settings, given)
    students, steps = kept["learnt"]
    assert steps == 2
    inside = students["asn-atl"].network.asn.state_dict()
    for name, tensor in students["asn"].network.state_dict().items():
        assert torch.equal(inside[name], tensor), name
    assert float(students["asn-atl"].weights.change[1]) != 1
    table = (tmp_path / "out/table.md").read_text().splitlines()
    assert [line.split(" |")[0] for line in table[4:]] == ["| `sscd-l`", "| `asn`", "| `asn-atl`"]
    scored = json.loads((tmp_path / "out/scores.json").read_text())
    apart = scored["asn"]["sek_from_to"] - scored["sscd-l"]["sek_from_to"]
    assert table[5].split(" | ")[-1].startswith(f"{100 * apart:.1f} [")
    assert scored["asn"].keys() == {"sek_from_to", "sek_stacked", "miou", "fscd_from_to"}
    with (tmp_path / "out/log.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["sscd-l"]) > 0
    assert row["asn-atl"] == ""
