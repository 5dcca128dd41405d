"""``scd sample``: places of a map to judge, drawn at random from its strata."""

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.shared import (
    grouped,
    json_option,
    output_option,
    overwrite_option,
    quiet_and_verbose,
    seed_option,
)
from scdcli.cli.terminal import Terminal, open_console, shown_hectares

if TYPE_CHECKING:
    from scdcli.sampling.design import Sample, SampleSettings

SIZE = 500


def _expected(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> dict[str, float]:
    """Accuracies by the name of the stratum, from texts such as ``ua=0.7``."""
    expected = {}
    for text in texts:
        name, _, share = text.rpartition("=")
        try:
            accuracy = float(share)
        except ValueError:
            accuracy = -1.0
        if not name or not 0 <= accuracy <= 1:
            raise click.BadParameter(
                f"{text!r} is not a name and a share of 0 to 1, such as ua=0.7 or unchanged=0.98."
            )
        expected[name] = accuracy
    return expected


DRAWING = (
    click.option(
        "--strata",
        type=click.Choice(["transition", "from", "to", "change"]),
        default="transition",
        help="Strata of what changed: each transition, each class before or after, or all in one. "
        "What is unchanged is a stratum of its own.",
    ),
    click.option(
        "--merge",
        type=click.FloatRange(0, 100),
        default=0.0,
        metavar="PERCENT",
        help="Strata of change below this percentage of the mapped area become one.",
    ),
    click.option(
        "--buffer",
        type=click.FloatRange(0),
        default=0.0,
        metavar="M",
        help="What is unchanged so many meters (pixels without a CRS) around a change, along rows "
        "and columns, is a stratum of its own: most of what a map misses lies there.",
    ),
    click.option(
        "--size",
        type=click.IntRange(min=2),
        show_default=str(SIZE),
        metavar="N",
        help="Units to draw.",
    ),
    click.option(
        "--target-error",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="E",
        help="In place of --size, as many units as give overall accuracy this standard error.",
    ),
    click.option(
        "--expect",
        multiple=True,
        callback=_expected,
        metavar="ua=SHARE|STRATUM=SHARE",
        show_default="ua=0.5",
        help="User's accuracy to expect, of all strata or of the one named; for --target-error and "
        "the allocation neyman.",
    ),
    click.option(
        "--allocation",
        type=click.Choice(["proportional", "equal", "neyman", "minimum"]),
        default="minimum",
        help="How the units are shared out among the strata: in proportion to their size, equally, "
        "by size and spread, or by size with --minimum in each.",
    ),
    click.option(
        "--minimum",
        type=click.IntRange(min=2),
        default=50,
        help="Units in every stratum with --allocation minimum.",
    ),
    click.option(
        "--unit",
        type=click.Choice(["pixel", "block", "polygon"]),
        default="pixel",
        help="What is drawn and judged; with polygon, what is unchanged is drawn as pixels.",
    ),
    click.option("--block", type=click.IntRange(min=2), default=3, help="Side of a block, pixels."),
    click.option(
        "--min-distance",
        type=click.FloatRange(0),
        default=0.0,
        metavar="M",
        help="Meters (pixels without a CRS) between any two units.",
    ),
    click.option(
        "--aoi",
        type=click.Path(path_type=Path),
        help="Draw inside the polygons of this file; areas are then those inside.",
    ),
    seed_option,
)


def _settings(
    *,
    size: int | None,
    target_error: float | None,
    min_distance: float,
    **others: Any,  # noqa: ANN401
) -> "SampleSettings":
    from scdcli.sampling.design import SampleSettings

    if size is not None and target_error is not None:
        raise click.UsageError("Give --size or --target-error, not both.")
    size = None if target_error else size or SIZE
    return SampleSettings(size=size, error=target_error, distance=min_distance, **others)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@output_option("FILE.gpkg", "The sample; <DIR>-points.gpkg if not given.")
@grouped("settings", _settings, DRAWING)
@overwrite_option
@json_option
@quiet_and_verbose
def sample(
    folder: Path,
    output: Path | None,
    settings: "SampleSettings",
    overwrite: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Draw places of a prediction for a person to judge.

    DIR is what scd predict has written. The points open in QGIS with a form: what each place was
    before and after, how sure that is, a note. scd judge shows them in a browser, and scd area
    makes areas of the judgements.

    \b
    scd sample changes -o points.gpkg --size 600
    scd sample changes --target-error 0.01 --expect ua=0.7 --expect unchanged=0.98
    scd sample changes --buffer 30 --unit block --seed 7
    """
    from scdcli.files.naming import beside
    from scdcli.sampling.changemap import open_map
    from scdcli.sampling.design import draw_sample
    from scdcli.sampling.pointfile import describe_sample, require_usable, write_points

    out = output or beside(folder, "-points.gpkg")
    require_usable(out, overwrite=overwrite)
    drawn = draw_sample(open_map(folder), settings)
    write_points(out, drawn, overwrite=overwrite)
    terminal = Terminal(quiet)
    if settings.distance:
        terminal.note(
            "With --min-distance the inclusion probabilities are only nearly equal; estimates take "
            "them for equal."
        )
    if not json and not quiet:
        _show(drawn)
    click.echo(dumps(describe_sample(drawn), ensure_ascii=False) if json else out)


def _show(drawn: "Sample") -> None:
    """The strata on stderr."""
    from rich.table import Table

    hectares = drawn.change_map.grid.crs is not None
    table = Table("stratum", box=None, header_style="bold")
    for name in ("units", "hectares" if hectares else "pixels", "% of area", "drawn"):
        table.add_column(name, justify="right")
    total = sum(each.area for each in drawn.strata)
    for each in drawn.strata:
        area = shown_hectares(each.area / 10_000) if hectares else f"{each.area:,.0f}"
        table.add_row(
            each.name, f"{each.units:,}", area, f"{100 * each.area / total:.2f}", str(each.drawn)
        )
    open_console(stderr=True).print(table)
