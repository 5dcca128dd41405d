"""A table of pairs predicted one after the other, with one model; a bad pair stops no other."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scdcli.cli.onepair import predict_pair, require_usable_output
from scdcli.cli.options.shared import together
from scdcli.cli.terminal import Terminal, resuming_call, show_origin, shown_hectares, shown_percent
from scdcli.errors import InputError, ScdError
from scdcli.prediction.settings import PredictionJob

if TYPE_CHECKING:
    from scdcli.files.pairlist import ListedPair
    from scdcli.prediction.chain import Predictor
    from scdcli.prediction.cluster import Cluster

SOME_FAILED = 3  # exit status
STDIN = "-"


class Shard(NamedTuple):
    """Part ``number`` of the ``total`` parts of a table."""

    number: int  # from 1
    total: int


def _shard(ctx: click.Context, param: click.Parameter, text: str | None) -> Shard:
    if text is None:
        return Shard(1, 1)
    found = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    if shard is None or not 1 <= shard.number <= shard.total:
        raise click.BadParameter(f"{text!r} is not I/N with I from 1 to N, for example 1/4.")
    return shard


pairs_option = click.option(
    "--pairs",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="TABLE",
    help="CSV file of pairs instead of BEFORE and AFTER, or - for stdin: columns before, after "
    "and maybe output. Relative paths start at the table. DIR is then the folder of the results. "
    "Or two folders, --pairs BEFORES AFTERS, whose images of one name are the pairs.",
)
shard_option = click.option(
    "--shard",
    callback=_shard,
    metavar="I/N",
    help="Of --pairs, every N-th pair from the I-th on (1 to N): a job of an array.",
)


batch_options = together(pairs_option, shard_option)
"""All options that make a batch; `open_batch` takes them."""


@dataclass(frozen=True)
class Batch:
    """Pairs to predict.

    Attributes:
        name: What their table is called.
        pairs: Those of this shard.
        outputs: The folders of all pairs of the table.
        folder: Where the files of all together go; None for nowhere.
    """

    name: str
    pairs: "list[ListedPair]"
    outputs: list[Path]
    folder: Path | None


def open_folders(
    before: Path, after: Path, out: Path | None, shard: Shard, terminal: Terminal
) -> Batch:
    """The pairs of images of one name in two folders.

    Raises:
        InputError: One is no folder, they share no name, or a result would lie where an image does.
        DatasetError: A folder has two images of one name.
    """
    from scdcli.datasets.samples import IMAGE_SUFFIXES, by_stem
    from scdcli.files.pairlist import pair_by_name, read_pairs

    for folder in (before, after):
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; --pairs takes one table or two folders.")
    earlier, later = (by_stem(folder, IMAGE_SUFFIXES) for folder in (before, after))
    table, alone = pair_by_name(earlier, later, f"{before} and {after}")
    if alone:
        more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
        terminal.note(f"Left out, as the other folder has no image of the name: {alone[0]}{more}.")
    return _shard_of(table.name, read_pairs(table, Path(), out), out, shard, terminal)


def _shard_of(
    name: str, every: "list[ListedPair]", out: Path | None, shard: Shard, terminal: Terminal
) -> Batch:
    from scdcli.files.pairlist import take_shard
    from scdcli.reporting.batchfiles import require_batch_folder

    outputs = [pair.output for pair in every]
    if out is not None:
        require_batch_folder(out, outputs)
    pairs = take_shard(every, *shard)
    if shard.total > 1:
        terminal.note(f"Shard {shard.number} of {shard.total}: {len(pairs)} of {len(every)} pairs.")
    return Batch(name, pairs, outputs, out)


def open_batch(table: Path, out: Path | None, shard: Shard, terminal: Terminal) -> Batch:
    """The pairs of a table, once all of it is sound.

    Raises:
        InputError: The table cannot be read, or lists pairs that cannot all be predicted.
    """
    from scdcli.files.pairlist import read_pair_table, read_pairs, unused_columns

    from_stdin = str(table) == STDIN
    name = "stdin" if from_stdin else str(table)
    found = read_pair_table(_read(table), name)
    if found.guessed:
        terminal.note(f'{found.name}; where names look wrong, save it as "CSV UTF-8".')
    every = read_pairs(found, Path() if from_stdin else table.parent, out)
    unused = unused_columns(found)
    if unused:
        terminal.note(f"{found.name}: not used: {', '.join(unused)}.")
    return _shard_of(found.name, every, out, shard, terminal)


def run_batch(
    batch: Batch,
    predictor: "Predictor",
    job: PredictionJob,
    terminal: Terminal,
    cluster: "Cluster | None" = None,
    *,
    as_json: bool,
) -> list[int]:
    """Predict every pair and tell on stdout what became of it; returns the lines that failed."""
    from scdcli.files.naming import name_of
    from scdcli.files.pairlist import listed_lines

    failed: dict[int, tuple[Path, str]] = {}
    pace = Pace(len(batch.pairs))
    for number, pair in enumerate(batch.pairs, start=1):
        place = f"{number} of {len(batch.pairs)}"
        terminal.note(f"{place}: {name_of(pair.before)}, {name_of(pair.after)}")
        with _saying_where_it_stops(batch, number, terminal):
            record = _attempt(pair, predictor, job, terminal, cluster)
        if record["status"] == "failed":
            failed[pair.line] = pair.output, record["error"]
            terminal.problem(f"Error: {batch.name}, line {pair.line}: {record['error']}")
        else:
            terminal.note(f"{place}: {_told(record)}")
        if expected := pace.after(record["status"] == "done"):
            terminal.note(expected)
        if as_json:
            click.echo(json.dumps(record, ensure_ascii=False))
        elif record["status"] != "failed":
            click.echo(pair.output)
    try:
        _finish(batch, dict(failed.values()), job, terminal)
    finally:
        if failed:
            terminal.problem(
                f"{len(failed)} of {len(batch.pairs)} pairs failed: {batch.name}, "
                f"{listed_lines([*failed])}."
            )
    return [*failed]


def _finish(batch: Batch, failed: dict[Path, str], job: PredictionJob, terminal: Terminal) -> None:
    """Write what shows all pairs together, and say where it is."""
    from scdcli.reporting.batchfiles import finish_batch

    if batch.folder is None:
        terminal.note("With -o DIR a batch also leaves a page, a layer and a table of all pairs.")
        return
    writing = job.output
    found = finish_batch(
        batch.folder, batch.outputs, failed, formats=writing.formats, page=writing.report
    )
    for note in found.notes:
        terminal.note(note)
    if not found.done:
        return
    files = [f"changes.{writing.formats[0]} all polygons"] if writing.formats else []
    listed = " and ".join([*files, "transitions.csv all areas"])
    page = f"{batch.folder / 'index.html'} shows all pairs; " if writing.report else ""
    of = f"{len(found.done)} of {len(found.members)} pairs"
    terminal.note(f"{page}{batch.folder} has {listed}, of {of}.")


class Pace:
    """How long the rest of a batch takes, once the first pair shows it."""

    def __init__(self, pairs: int) -> None:
        """Nothing is done yet."""
        self._left, self._begun, self._said = pairs, monotonic(), False

    def after(self, made: bool) -> str | None:
        """A sentence after the first pair that was made, where the rest takes over a minute."""
        from scdcli.prediction.profile import WORTH_SAYING, spoken_time

        self._left -= 1
        begun, self._begun = self._begun, monotonic()
        each = self._begun - begun
        if not made or self._said:
            return None
        self._said = True
        rest = each * self._left
        if rest <= WORTH_SAYING:
            return None
        return f"About {spoken_time(rest)} to go if the other {self._left} pairs are like this one."


def _attempt(
    pair: "ListedPair",
    predictor: "Predictor",
    job: PredictionJob,
    terminal: Terminal,
    cluster: "Cluster | None",
) -> dict[str, Any]:
    """What became of one pair, JSON-ready."""
    from scdcli.prediction.outputfolder import SUMMARY

    summary, error, status = None, None, "failed"
    finished = pair.output / SUMMARY
    try:
        older = _stamp(finished)
        require_usable_output(pair.output, pair.before, pair.after, job)
        images = pair.before, pair.after
        summary = predict_pair(*images, pair.output, predictor, job, terminal, cluster)
        status = "skipped" if older and older == _stamp(finished) else "done"
    except ScdError as problem:
        show_origin(problem)
        error = str(problem)
    except Exception as bug:  # the others may still do
        show_origin(bug)
        error = f"{type(bug).__name__}: {bug} (a bug of scd, or no memory left: add --verbose)"
    return {
        "line": pair.line,
        "before": _given(pair.before),
        "after": _given(pair.after),
        "output": str(pair.output),
        "status": status,
        "error": error and _sentence(error, pair),
        "summary": summary,
    }


def _told(record: dict[str, Any]) -> str:
    """One result in a line."""
    if record["status"] == "skipped":
        return f"{record['output']} is finished already"
    changed = record["summary"]["changed"]
    extent = (
        f"{changed['pixels']:,} pixels"
        if changed["hectares"] is None
        else f"{shown_hectares(changed['hectares'])} ha"
    )
    share = "" if changed["percent"] is None else f" ({shown_percent(changed['percent'])} %)"
    return f"{extent}{share} changed, {record['summary']['seconds']:.0f} s"


def _given(path: str) -> str:
    """A path as the table has it; an address without its secrets."""
    from scdcli.files.naming import is_remote, name_of

    return name_of(path) if is_remote(path) else path


def _sentence(error: str, pair: "ListedPair") -> str:
    """One line, in which addresses have lost their secrets."""
    from scdcli.files.naming import without_secrets

    for path in (pair.before, pair.after):
        error = error.replace(path, _given(path))
    return " ".join(without_secrets(error).split())


@contextmanager
def _saying_where_it_stops(batch: Batch, number: int, terminal: Terminal) -> Iterator[None]:
    try:
        yield
    except BaseException:
        left = len(batch.pairs) - number + 1
        terminal.note(
            f"Stopped at line {batch.pairs[number - 1].line} of {batch.name}, {left} of "
            f"{len(batch.pairs)} pairs are not done; go on with\n  {resuming_call()}"
        )
        raise


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells a file from one that has taken its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(table: Path) -> bytes:
    try:
        with click.open_file(str(table), "rb") as stream:
            content: bytes = stream.read()
            return content
    except OSError as error:
        raise InputError(
            f"{table} cannot be read ({error.strerror}); give a CSV file with the columns before "
            "and after."
        ) from error
