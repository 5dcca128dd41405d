"""Tables as spreadsheets save them: the same cells, whatever the encoding and the delimiter."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scdcli.errors import InputError
from scdcli.files.table import Row, read_table

COLUMNS = ("before", "after")
PLAIN = "before,after,cover\nWälder/a.tif,Straße/b.tif,12.5\nc.tif,d.tif,0\n"
ROWS = (
    Row(2, {"before": "Wälder/a.tif", "after": "Straße/b.tif", "cover": "12.5"}),
    Row(3, {"before": "c.tif", "after": "d.tif", "cover": "0"}),
)


def rows(content):
    return read_table(content, "pairs.csv", COLUMNS).rows


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_encoding_and_delimiter_of_a_spreadsheet_is_read(encoding, delimiter, end):
    text = PLAIN.replace(",", delimiter).replace("\n", end)
    table = read_table(text.encode(encoding), "pairs.csv", COLUMNS)
    assert (table.rows, table.name, table.guessed) == (ROWS, "pairs.csv", False)


def test_windows_1252_is_read_and_said():
    table = read_table(PLAIN.replace(",", ";").encode("cp1252"), "pairs.csv", COLUMNS)
    assert table.rows == ROWS
    assert (table.name, table.guessed) == ("pairs.csv (not UTF-8, read as Windows-1252)", True)


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_the_line_that_announces_the_delimiter_is_no_head_and_counts(line, encoding):
    text = f"{line}\r\n{PLAIN.replace(',', ';')}"
    assert rows(text.encode(encoding)) == tuple(Row(row.line + 1, row.cells) for row in ROWS)


def test_any_announced_delimiter_is_taken():
    assert len(rows(("sep=|\n" + PLAIN.replace(",", "|")).encode())) == 2
    assert len(rows(("sep=\t\n" + PLAIN.replace(",", "\t")).encode())) == 2


def test_a_column_may_be_called_sep():
    table = read_table(b"sep,before,after\n1,a,b\n", "pairs.csv", COLUMNS)
    assert table.columns == ("sep", "before", "after")


def test_decimal_commas_stay_in_their_cells():
    found = rows(b"before;after;cover\na.tif;b.tif;12,5\n")
    assert found[0].cells["cover"] == "12,5"
    assert rows(b'before,after,cover\na.tif,b.tif,"12,5"\n') == found


def test_a_decimal_comma_between_commas_is_refused():
    with pytest.raises(InputError, match=r"line 2 has 4 cells for 3 columns; put a name or number"):
        rows(b"before,after,cover\na.tif,b.tif,12,5\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"PK\x03\x04\x14\x00\x06",
            r"pairs\.csv is an \.xlsx or \.ods workbook, not text; save it as .CSV",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            r"is an \.xls workbook, not text; save it as .CSV UTF-8",
        ),
        (b"before,after\n\x81.tif,b\n", r"is not UTF-8 text: byte 0x81 at 13; save it as UTF-8"),
        (PLAIN.encode("utf-16") + b"\n", r"is not UTF-16-LE text: byte 0x0a at \d+.*; save it"),
        (b"before,after\na\0,b\n", r"is no text: it holds a zero byte; save it as UTF-8"),
        (b"before,after\n" + b"a" * 140_000 + b",b\n", "cannot be read .*field"),
    ],
    ids=["xlsx", "xls", "unknown", "half", "zero", "long"],
)
def test_what_is_no_table_is_one_sentence_with_the_remedy(content, message):
    with pytest.raises(InputError, match=message):
        rows(content)


CELL = st.text(st.characters(codec="cp1252", exclude_categories=["C", "Z"]), min_size=1)


@given(st.lists(st.tuples(CELL, CELL), min_size=1), st.sampled_from(",;\t"))
def test_the_encoding_does_not_change_the_cells(pairs, delimiter):
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in pair] for pair in pairs]
    text = "\r\n".join(delimiter.join(line) for line in [COLUMNS, *quoted]) + "\r\n"
    expected = [(row.cells["before"], row.cells["after"]) for row in rows(text.encode("utf-8"))]
    assert expected == pairs
    for encoding in ("utf-8-sig", "utf-16"):
        assert rows(text.encode(encoding)) == rows(text.encode("utf-8"))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_table_or_one_sentence(content):
    with suppress(InputError):
        read_table(content, "pairs.csv", COLUMNS)
