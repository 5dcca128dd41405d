"""Lists with commas between, and options that a command gets as one object."""

from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from scdcli.cli.options.shared import CommaList, grouped


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@click.command(context_settings={"show_default": True})
@click.argument("name")
@grouped(
    "size",
    Size,
    (click.option("--width", default=1, help="First."), click.option("--height", default=2)),
)
@click.option("--after", is_flag=True)
@click.option("--numbers", type=CommaList(int, "two numbers", lambda found: len(found) == 2))
@click.option("--names", type=CommaList(str, "names with commas between"), default="a,b")
def command(name, size, after, numbers, names):
    click.echo(f"{name} {size} {after} {numbers} {names}")


def run(*arguments, **defaults):
    return CliRunner().invoke(command, arguments, default_map=defaults)


def test_a_group_of_options_is_one_object():
    assert run("x").stdout == "x Size(width=1, height=2) False None ('a', 'b')\n"
    result = run("x", "--height", "5", "--after", width=7)
    assert result.stdout.startswith("x Size(width=7, height=5) True")


def test_help_lists_the_options_in_their_order():
    text = run("--help").stdout
    places = [text.index(option) for option in ("--width", "--height", "--after", "--numbers")]
    assert places == sorted(places)


@pytest.mark.parametrize("text", ["3,4", " 3, 4 ,", [3, 4], ["3", "4"]])
def test_a_list_is_a_tuple_of_its_items(text):
    given = {"numbers": text} if isinstance(text, list) else {}
    arguments = () if given else ("--numbers", text)
    assert "(3, 4)" in run("x", *arguments, **given).stdout


@pytest.mark.parametrize("text", ["3", "3,x", "3,4,5"])
def test_another_list_is_a_usage_error(text):
    result = run("x", "--numbers", text)
    assert result.exit_code == 2
    assert f"{text!r} is not two numbers." in result.stderr


def test_an_empty_list_is_none_where_nothing_is_needed():
    assert run("x", "--numbers", "").stdout.split("False ")[1].startswith("None")
    assert run("x", "--names", "").exit_code == 2
