"""Others' splits: which pairs train and which validate."""

from pathlib import Path

import pytest

from scdcli.datasets.division import divide
from scdcli.datasets.samples import Sample
from scdcli.errors import DatasetError, InputError

SAMPLES = [Sample(f"{number:05d}", *[Path("x.png")] * 4) for number in range(20)]


def divided(tmp_path, text):
    path = tmp_path / "split.csv"
    path.write_text(text, encoding="utf-8")
    found = divide(SAMPLES, path)
    names = ([sample.name for sample in part] for part in found[:2])
    return *names, found.unnamed


def test_a_table_says_what_trains_and_validates(tmp_path):
    text = "split,name\ntrain,00003\nval,00001.png\ntest,00009\ntest,90000\nTrain, 00002.tif\n\n"
    assert divided(tmp_path, text) == (["00002", "00003"], ["00001"], 16)


def test_of_plain_names_the_others_validate(tmp_path):
    names = "\ufeff00001\n00002.png\n\n00003\n"
    train, validation, unnamed = divided(tmp_path, names)
    assert (train, len(validation), unnamed) == (["00001", "00002", "00003"], 17, 0)


def test_cells_may_be_in_quotes(tmp_path):
    text = '"name","split"\n"00001","train"\n"00002","val"\n'
    assert divided(tmp_path, text) == (["00001"], ["00002"], 18)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        "name;split\r\n00001;train\r\nWälder;val\r\n",
        "sep=\t\nname\tsplit\n00001\ttrain\nWälder\tval\n",
    ],
    ids=["semicolon", "sep"],
)
def test_a_table_may_come_from_a_spreadsheet(tmp_path, text, encoding):
    path = tmp_path / "split.csv"
    path.write_bytes(text.encode(encoding))
    samples = [*SAMPLES, Sample("Wälder", *[Path("x.png")] * 4)]
    found = divide(samples, path)
    assert [[each.name for each in part] for part in found[:2]] == [["00001"], ["Wälder"]]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_plain_names_may_come_from_a_windows_editor(tmp_path, encoding):
    path = tmp_path / "split.txt"
    path.write_bytes("Wälder\r\n".encode(encoding))
    samples = [*SAMPLES, Sample("Wälder", *[Path("x.png")] * 4)]
    assert [each.name for each in divide(samples, path).train] == ["Wälder"]


def test_a_table_may_leave_validation_out(tmp_path):
    assert divided(tmp_path, "name,split\n00001,train\n") == (["00001"], [], 19)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("1\n2\n", DatasetError, r"not among the 20 of the training folder: 1, 2 \(2 in all\)"),
        ("\n".join(map(str, range(14))), DatasetError, r": 0, 1, .*, 9 and 4 more \(14 in all\)"),
        ("name,split\n00001,dev\n", InputError, r"line 2: 00001 has the split 'dev'; give train"),
        ("name,split\n1,train\n1,val\n", DatasetError, r"line 3: 1 is in val and in train"),
        ("name,split\n00001,val\n", DatasetError, r"names no pair to train on"),
        ("00001,train\n", InputError, r"line 1: '00001,train' is more than .*line name,split"),
        ("name,split\n00001\n", InputError, r"line 2 has no split; give each pair a name and"),
        ("name;split\n1;train\n", DatasetError, r"the zeros before its numbers \(00001\), which"),
        ("1\n", DatasetError, r"of this set, with the zeros before its numbers \(00001\)"),
        ("", DatasetError, r"names no pair to train on"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, text, error, words):
    with pytest.raises(error, match=words):
        divided(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone.csv cannot be read"):
        divide(SAMPLES, tmp_path / "gone.csv")
