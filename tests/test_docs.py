"""What can be used is documented, what is documented exists, and links lead somewhere."""

import ast
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from xml.etree import ElementTree

import click
import numpy as np
import pytest
from pages import DOCS, FENCE, PAGES, ROOT, calls_in, page_id, read_blocks

import scdcli
from scdcli import __version__, errors
from scdcli.cli import ALIASES, COMMANDS, main
from scdcli.datasets.layouts import LAYOUTS
from scdcli.legend import LEGENDS
from scdcli.models.device import PRECISIONS
from scdcli.models.engines import ENGINES
from scdcli.models.networks import BLOCKS, NETWORKS
from scdcli.polygons.files.vector import DRIVERS
from scdcli.prediction.tta import TTA
from scdcli.scoring.counting import count_joint
from scdcli.scoring.metrics import known, scores
from scdcli.training.trainer import OPTIMIZERS

NAMES = {
    "network": NETWORKS,
    "blocks": BLOCKS,
    "test-time augmentation": TTA,
    "vector format": DRIVERS,
    "legend": LEGENDS,
    "optimizer": OPTIMIZERS,
    "precision": PRECISIONS,
    "engine": ENGINES,
    "layout": LAYOUTS,
}
FOREIGN = {"import arcpy"}  # which nothing here brings
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a)\s[^>]*?(?:src|href)=\"([^\"]+)\"")


def command_named(name):
    command = main.get_command(click.Context(main), name)
    assert command is not None, name
    return command


def options_of(command):
    """All spellings of a command's options."""
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


def section(title):
    """The help page of a command in the reference."""
    text = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


@cache
def prose(path):
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def shown_commands():
    """Every call of scd in a code block: (page, words)."""
    for page in PAGES:
        if page.name != "cli.md":  # which scd itself says
            for block in read_blocks(page):
                for call in calls_in(block.code):
                    yield page, shlex.split(call, comments=True)[1:]


def mentioned_commands():
    """Every call of scd in the text of a page, but for what is gone or generated: (page, words)."""
    for page in (page for page in PAGES if page.name not in ("CHANGELOG.md", "cli.md")):
        for code in re.findall(r"`scd ([^`]+)`", prose(page)):
            yield page, shlex.split(code)


def wrong_in_call(words, whole):
    """What click says of a call; nothing is run, and no file need exist.

    Args:
        words: The call after ``scd``.
        whole: Whether it is to be complete, and not only its options to exist.
    """
    names = [word for word in words if word in (*COMMANDS, *ALIASES)]
    if not names:
        known = options_of(main) | {"-h", "--help", "COMMAND"}
        return [word for word in words if word not in known]
    command = command_named(names[0])
    context = click.Context(command, info_name=names[0])
    given = words[words.index(names[0]) + 1 :]
    if isinstance(command, click.Group):
        return []
    try:
        values, left, _ = command.make_parser(context).parse_args(list(given))
        for option in command.params:
            several = values.get(option.name)
            for value in several if isinstance(several, (list, tuple)) else [several]:
                if isinstance(value, str) and isinstance(option.type, click.Choice):
                    option.type.convert(value, option, context)
    except click.UsageError as error:
        return (
            [] if not whole and "requires an argument" in str(error) else [error.format_message()]
        )
    missing = [one.name for one in command.params if one.required and not values.get(one.name)]
    return [*left, *(missing if whole else [])]


def python_blocks():
    """Every block of Python: (page, code)."""
    for page in PAGES:
        for block in read_blocks(page):
            if block.language == "python":
                yield page, block.code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_reference(name):
    text = section(f"scd {name}")
    longs = {option for option in options_of(command_named(name)) if option.startswith("--")}
    assert longs
    assert not {option for option in longs if not re.search(rf"{option}\b", text)}


@pytest.mark.parametrize("alias", ALIASES)
def test_every_alias_is_in_the_reference(alias):
    assert f"`scd {alias}` is the same command." in section(f"scd {ALIASES[alias]}")


def program(path):
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_commands_is_current():
    generator = program(DOCS / "reference/generate_cli.py")
    current = generator.PAGE.read_text(encoding="utf-8")
    assert current == generator.cli_page(), "run python docs/reference/generate_cli.py"


def test_the_diagrams_are_current():
    drawings = program(DOCS / "images/diagrams.py").DRAWINGS
    assert set(drawings) == {path.name for path in (DOCS / "images").glob("*.svg")}
    for name, draw in drawings.items():
        svg = (DOCS / "images" / name).read_text(encoding="utf-8")
        assert svg == draw().svg(), "run python docs/images/diagrams.py"
        ElementTree.fromstring(svg)


def test_every_picture_has_a_script_that_makes_it():
    made = {*program(DOCS / "images/diagrams.py").DRAWINGS}
    made |= {*program(DOCS / "images/pictures.py").PICTURES}
    shown = {
        path.name for path in (DOCS / "images").iterdir() if path.suffix in (".png", ".jpg", ".svg")
    }
    assert shown == made


def test_every_equation_of_the_network_is_on_a_diagram():
    drawn = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "images").glob("*.svg"))
    numbers = {
        number
        for first, last in re.findall(r"Eq\. (\d+)(?:(?:–|, )(\d+))?", drawn)
        for number in range(int(first), int(last or first) + 1)
    }
    assert numbers == set(range(3, 13))


def test_the_seks_worked_by_hand_are_those_that_scd_computes():
    text = (DOCS / "explanation/why-sek.md").read_text(encoding="utf-8")
    row = r"^\| (\d+) \| (unchanged|\w → \w) \| (unchanged|\w → \w) \|"
    maps = []
    for pixels, *types in re.findall(row, text, re.MULTILINE):
        names = [(0, 0) if one == "unchanged" else map(" GBV".index, one[::4]) for one in types]
        maps += [[index for pair in names for index in pair]] * int(pixels)
    assert len(maps) == 100
    found = scores(count_joint(tuple(np.array(maps, np.uint8).T[:, None])), classes=3)
    assert f"32 / 40 = {known(found.from_to.iou_changed):g}" in text
    for name, values in (("from-to", found.from_to), ("stacked", found.stacked)):
        printed = re.search(rf"\*\*SeK {name}\*\* = .+ = \*\*(.+)\*\*", text)[1]
        assert printed == f"{known(values.sek):.3f}"


def test_the_tables_of_the_figure_to_publish_agree():
    text = (DOCS / "tutorials/a-figure-to-publish.md").read_text(encoding="utf-8")
    printed = {
        name: tuple(map(float, numbers.split()[:3]))
        for name, numbers in re.findall(r"^(\w+(?: after)?) {3,}(\d.+)$", text, re.MULTILINE)
    }
    concluded = re.findall(
        r"^\| (?:became )?(\w+) \| ([\d.]+) \| ([\d.]+) \(([\d.]+) – ([\d.]+)\) \| ([\d.]+) \|$",
        text,
        re.MULTILINE,
    )
    assert len(concluded) == 6
    for name, *numbers in concluded:
        counted, adjusted, low, high, true = map(float, numbers)
        row = printed[name if name == "changed" else f"{name} after"]
        assert (counted, adjusted) == row[:2]
        assert (low, high) == pytest.approx((adjusted - row[2], adjusted + row[2]), abs=0.011)
        assert (low <= true <= high) == (name != "water")  # "five of the six"
    low, high = concluded[0][3:5]
    assert f"*{concluded[0][2]} ha changed, with a 95 % interval of {low} to {high} ha.*" in text


def test_every_error_has_a_row():
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.ScdError)
    }
    text = (DOCS / "reference/errors.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == classes


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in NAMES.items() for name in names]
)
def test_every_name_is_documented(kind, name):
    mentioned = any(f"`{name}`" in prose(page) for page in PAGES)
    assert mentioned, f"say what the {kind} `{name}` is on a page of docs/, where its like are"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    for target in (one or other for one, other in LINK.findall(prose(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(linked), target


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents], ids=page_id)
def test_every_page_can_be_reached_from_the_index(page):
    found, waiting = set(), [DOCS / "index.md"]
    while waiting:
        one = waiting.pop()
        found.add(one)
        targets = {(one.parent / t.split("#")[0]).resolve() for t, _ in LINK.findall(prose(one))}
        waiting += [t for t in targets if t.suffix == ".md" and t.exists() and t not in found]
    assert page in found


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_path_of_one_machine(page):
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.:/])(?:/(?:home|root|tmp|work|Users|mnt)/|[A-Z]:\\)\S*", text)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_shown_can_be_typed(page):
    wrong = [(w, wrong_in_call(w, whole=True)) for where, w in shown_commands() if where == page]
    assert not [each for each in wrong if each[1]]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_mentioned_exist(page):
    wrong = [
        (w, wrong_in_call(w, whole=False)) for where, w in mentioned_commands() if where == page
    ]
    assert not [each for each in wrong if each[1]]


def test_options_mentioned_exist():
    known = {"--help"}.union(
        options_of(main), *(options_of(command_named(name)) for name in COMMANDS)
    )
    programs = [*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("examples/*.py")]
    known |= set(re.findall(r"\"(--[\w-]+)\"", "".join(file.read_text() for file in programs)))
    for page in PAGES:
        if page.name != "CHANGELOG.md":  # which names what is gone, too
            for code in re.findall(r"`(--[^`\n]+)`", prose(page)):
                given = re.findall(r"(?<![\w-])--[a-z][\w-]*", code)
                assert set(given) <= known, (page_id(page), code)


def test_a_misspelt_call_is_found():
    assert wrong_in_call(["predict", "a.tif", "b.tif", "--mmmu", "3"], whole=True)
    assert wrong_in_call(["report", "a", "b"], whole=True)
    assert wrong_in_call(["predict", "a.tif", "b.tif", "--normalize", "mach"], whole=True)
    assert wrong_in_call(["train", "SET"], whole=True)
    assert wrong_in_call(["train", "--epoks"], whole=False)
    assert not wrong_in_call(["train", "--epochs"], whole=False)
    assert wrong_in_call(["predikt"], whole=False)


@pytest.mark.parametrize("page", sorted({page for page, _ in python_blocks()}), ids=page_id)
def test_python_shown_compiles_and_names_what_exists(page):
    for where, code in python_blocks():
        if where != page:
            continue
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and ast.unparse(node) not in FOREIGN:
                exec(compile(ast.Module([node], []), page_id(page), "exec"), {})
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "scdcli":
                getattr(scdcli, node.attr)
            if isinstance(node, ast.Call) and re.fullmatch(r"scdcli\.\w+", ast.unparse(node.func)):
                called = getattr(scdcli, node.func.attr)
                keywords = {keyword.arg: None for keyword in node.keywords}
                inspect.signature(called).bind_partial(*node.args, **keywords)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_bash_shown_can_be_read_by_bash(page):
    blocks = [block.code for block in read_blocks(page) if block.language == "bash"]
    if blocks:
        text = "\n".join(blocks)
        read = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
        assert read.returncode == 0, read.stderr


def test_the_networks_of_the_how_to_keep_the_contract():
    from scdcli.models.contract import check_network

    names = {"__name__": "mynet"}
    for page, code in python_blocks():
        if page.name == "add-a-network.md":
            exec(code, names)  # the page checks its own network, too
    check_network(names["Plain"])
    check_network(names["SiameseProduct"])


def test_every_name_of_the_package_has_its_signature_shown():
    shown = re.findall(r"^::: (.+)\.(\w+)$", (DOCS / "reference/python-api.md").read_text(), re.M)
    assert {name for _, name in shown} == set(scdcli.__all__)
    assert len(shown) == len(scdcli.__all__)
    for module, name in shown:
        assert getattr(scdcli, name).__module__ == module


@pytest.mark.skipif(find_spec("material") is None, reason="needs the extra docs")
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path / "site"]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr


def test_every_page_has_a_place_in_the_navigation_of_the_site():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    listed = re.findall(r"(\S+\.md)$", navigation.split("\ntheme:")[0], re.MULTILINE)
    missing = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - set(listed)
    assert not missing, "give them a line in mkdocs.yml"


def test_the_version_is_the_same_wherever_it_stands():
    places = {
        "pyproject.toml": r'^version = "(.+)"$',
        "CITATION.cff": r"^version: (.+)$",
        "CHANGELOG.md": r"^## (\S+)",
    }
    for name, pattern in places.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        assert re.search(pattern, text, re.MULTILINE)[1] == __version__, name


def test_commands_are_found_in_the_pages():
    assert ["simulate", "demo"] in [words for _, words in shown_commands()]
