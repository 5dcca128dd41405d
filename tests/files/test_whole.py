"""Single files are written whole, or the old one stays."""

import pytest

from scdcli.errors import OutputError, UnknownName, look_up
from scdcli.files.whole import write_csv, write_whole


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "a.bin"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match=r"none/a\.bin cannot be written: No such file"):
        write_whole(tmp_path / "none" / "a.bin", b"")


def test_a_table_has_the_columns_of_all_rows(tmp_path):
    write_csv(tmp_path / "t.csv", [{"a": 1, "b": None}, {"a": 2, "c": 0.5}])
    assert (tmp_path / "t.csv").read_text() == "a,b,c\n1,,\n2,,0.5\n"


def test_a_name_that_a_registry_lacks_is_refused_with_those_it_has():
    assert look_up("letter", "a", {"a": 1}) == 1
    with pytest.raises(UnknownName, match="no letter named 'c'; choose one of: a, b"):
        look_up("letter", "c", {"a": 1, "b": 2})
