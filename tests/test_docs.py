"""What can be used is documented, what is documented exists, and links lead somewhere."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from scdcli import __version__, errors
from scdcli.cli import ALIASES, COMMANDS, main
from scdcli.datasets.layouts import LAYOUTS
from scdcli.legend import LEGENDS
from scdcli.models.device import PRECISIONS
from scdcli.models.engines import ENGINES
from scdcli.models.networks import BLOCKS, NETWORKS
from scdcli.polygons.files.vector import DRIVERS
from scdcli.prediction.tta import TTA
from scdcli.training.trainer import OPTIMIZERS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
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
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a)\s[^>]*?(?:src|href)=\"([^\"]+)\"")


def page_id(path):
    return path.relative_to(ROOT).as_posix()


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


def prose(path):
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def shown_commands():
    """Every call of scd in a code block: (page, words)."""
    for page in PAGES:
        for _, code in FENCE.findall(page.read_text(encoding="utf-8")):
            for line in code.replace("\\\n", " ").splitlines():
                call = line.strip().removeprefix("$ ")
                if call.startswith("scd "):
                    # Help pages set an explanation off by spaces.
                    call = re.split(r"\s{3,}|\s\|\|?\s|;", call)[0]
                    yield page, shlex.split(call, comments=True)[1:]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_reference(name):
    text = section(f"scd {name}")
    longs = {option for option in options_of(command_named(name)) if option.startswith("--")}
    assert longs
    assert not {option for option in longs if not re.search(rf"{option}\b", text)}


@pytest.mark.parametrize("alias", ALIASES)
def test_every_alias_is_in_the_reference(alias):
    assert f"`scd {alias}` is the same command." in section(f"scd {ALIASES[alias]}")


def test_the_reference_of_commands_is_current():
    path = DOCS / "reference/generate_cli.py"
    spec = importlib.util.spec_from_file_location("generate_cli", path)
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    current = generator.PAGE.read_text(encoding="utf-8")
    assert current == generator.cli_page(), "run python docs/reference/generate_cli.py"


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


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=" ".join(words)) for _, words in shown_commands()]
)
def test_commands_shown_exist(words):
    given = [word.split("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    names = [word for word in words if word in (*COMMANDS, *ALIASES)]
    known = options_of(main) | {"-h", "--help"}
    assert names or set(given) <= known
    if names:
        known |= options_of(command_named(names[0]))
    assert set(given) <= known


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
