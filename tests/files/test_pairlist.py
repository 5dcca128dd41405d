"""A table of pairs: every spelling spreadsheets have, and what must not be done."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scdcli.errors import InputError
from scdcli.files.pairlist import (
    LONGEST_NAME,
    ListedPair,
    listed_lines,
    pair_name,
    read_pair_table,
    read_pairs,
    take_shard,
    unused_columns,
)

HERE = Path("lists")
PLAIN = "before,after,output\na.tif,b.tif,x\nc.tif,d.tif,y\n"


def pairs(text, folder=HERE, out=None):
    content = text if isinstance(text, bytes) else text.encode()
    return read_pairs(read_pair_table(content, "pairs.csv"), folder, out)


def lines(found):
    return [pair.line for pair in found]


def test_relative_paths_start_at_the_table():
    assert pairs(PLAIN) == [
        ListedPair(2, "lists/a.tif", "lists/b.tif", Path("lists/x")),
        ListedPair(3, "lists/c.tif", "lists/d.tif", Path("lists/y")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " , "),
        PLAIN.replace("a.tif", '"a.tif"'),
        PLAIN.replace("before", "Before").replace("after", '"AFTER"'),
        PLAIN.replace("\n", ",\n"),
        PLAIN.removesuffix("\n"),
    ],
    ids=["bom", "crlf", "cr", "semicolon", "tab", "spaces", "quotes", "case", "trailing", "end"],
)
def test_every_spelling_of_a_table_is_read(text):
    assert pairs(text) == pairs(PLAIN)


def test_empty_lines_are_passed_over_and_still_count():
    found = pairs("\n\nbefore,after,output\n\na.tif,b.tif,x\n,,\n  \nc.tif,d.tif,y\n\n")
    assert lines(found) == [5, 8]
    assert [pair[1:] for pair in found] == [pair[1:] for pair in pairs(PLAIN)]


def test_names_may_hold_what_file_names_hold():
    odd = ['two words, "quoted".tif', "Ωλ 变化.tif", "line\nbreak.tif", "half;way.tif"]
    rows = "".join(
        '"{}",b.tif,{}\n'.format(name.replace('"', '""'), n) for n, name in enumerate(odd)
    )
    found = pairs(f"before,after,output\n{rows}", Path())
    assert [pair.before for pair in found] == odd


def test_addresses_and_absolute_paths_stay():
    text = (
        "before,after\n"
        "s3://bucket/a.tif,https://me:secret@host/b.tif?token=1\n"
        "/vsizip/x.zip/c.tif,/data/d.tif\n"
    )
    first, second = pairs(text)
    assert first[1:] == (
        "s3://bucket/a.tif",
        "https://me:secret@host/b.tif?token=1",
        Path("a__b"),
    )
    assert second[1:] == ("/vsizip/x.zip/c.tif", "/data/d.tif", Path("c__d"))


def test_where_results_go():
    text = "before,after,output,name\na.tif,b.tif,,\na.tif,b.tif,,n\na.tif,b.tif,o,n\n"
    text += "a.tif,b.tif,/abs/o,\n"
    outputs = [pair.output for pair in pairs(text)]
    assert outputs == [Path("a__b"), Path("n"), Path("lists/o"), Path("/abs/o")]
    outputs = [pair.output for pair in pairs(text, out=Path("maps"))]
    assert outputs == [Path("maps/a__b"), Path("maps/n"), Path("maps/o"), Path("/abs/o")]


def test_other_columns_are_named_and_left_alone():
    table = read_pair_table(b"Site,before,after,date,\n1,a.tif,b.tif,2018,\n", "pairs.csv")
    assert unused_columns(table) == ["site", "date"]
    assert len(read_pairs(table, HERE, None)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; begin it with a line that names"),
        ("\n,\n", "is empty"),
        ("a.tif,b.tif\n", "has the columns a.tif, b.tif; begin it with a line that names"),
        ("before,later\na,b\n", "has the columns before, later"),
        ("before,,later\na,,b\n", "has the columns before, later"),
        ("before,after\n", "lists no pairs"),
        ("before,after\n,\n\n", "lists no pairs"),
        ("before,after,before\na,b,c\n", "the column before twice"),
        ("before,after\na,b\nc\n,d\n", r"has 2 lines \(lines 3 and 4\) without before or without"),
        ("before,after\na\n", r"has a line \(line 2\) without before"),
        ("before,after\n" + "a,\n" * 12, "lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"),
        ("before,after\na,b,c\n", "line 2 has 3 cells for 2 columns; put a name"),
        ("before,after,output\na,b,s3://c/d\n", r"\(line 2\) with an address as output"),
        (b"before,after\na\0,b\n", "is no text: it holds a zero byte"),
        ("before,after\n" + "a" * 140_000 + ",b\n", "cannot be read .*field"),
    ],
)
def test_a_table_that_is_none_is_refused(text, message):
    with pytest.raises(InputError, match=rf"^pairs\.csv\b.*{message}"):
        pairs(text)


@pytest.mark.parametrize(
    "outputs",
    [("x", "x"), ("x", "X"), ("x", "y/../x"), ("x", "./x/"), ("é", "e\u0301")],
)
def test_two_results_in_one_folder_are_refused(outputs):
    rows = "".join(f"a{n}.tif,b.tif,{name}\n" for n, name in enumerate(("other", *outputs)))
    with pytest.raises(InputError, match=r"to one folder \(lines 3 and 4 to lists/") as caught:
        pairs(f"before,after,output\n{rows}")
    assert "\n" not in str(caught.value)


def test_a_link_to_another_result_is_seen(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(InputError, match="lines 2 and 3"):
        pairs("before,after,output\na.tif,b.tif,real/x\nc.tif,d.tif,link/x\n", tmp_path)


def test_images_of_one_name_need_an_output():
    text = "before,after\n1/before.tif,1/after.tif\n2/before.tif,2/after.tif\n"
    with pytest.raises(InputError, match=r"\(lines 2 and 3 to before__after\)"):
        pairs(text)


def test_ten_folders_are_named():
    rows = "".join(f"a.tif,b.tif,{n // 2}\n" for n in range(24))
    with pytest.raises(InputError, match=r"lines 20 and 21 to lists/9; and 2 folders more"):
        pairs(f"before,after,output\n{rows}")


@pytest.mark.parametrize(
    ("second", "inside"),
    [("c.tif,d.tif,x/y", "lists/x/y"), ("X/c.tif,d.tif,y", "lists/X/c.tif"), (".,x/d.tif,y", "d")],
)
def test_nothing_lies_in_another_result(second, inside):
    with pytest.raises(InputError, match=f"line 3: .*{inside}.* lies in lists/x, the output of"):
        pairs(f"before,after,output\na.tif,b.tif,x\n{second}\n")


@given(st.integers(0, 40), st.integers(1, 9))
def test_shards_hold_every_pair_once(count, shards):
    every = [ListedPair(line, "a", "b", Path(str(line))) for line in range(count)]
    parts = [take_shard(every, number, shards) for number in range(1, shards + 1)]
    assert sorted(pair for part in parts for pair in part) == every
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(
    *[st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=300)] * 2
)
def test_a_name_fits_every_file_system(before, after):
    name = pair_name(f"{before}x", f"2/{after}y")
    assert len(name.encode()) <= LONGEST_NAME
    assert "/" not in name
    assert "__" in name


def test_cut_names_stay_different():
    start = "变" * 120
    names = {pair_name(f"{start}{n}.tif", "b.tif") for n in range(3)}
    assert len(names) == 3
    assert all(name.startswith("变" * 30) for name in names)


def test_lines_are_listed_as_people_do():
    assert listed_lines([4]) == "line 4"
    assert listed_lines([4, 7]) == "lines 4 and 7"
    assert listed_lines(range(1, 12)) == "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1 more"
