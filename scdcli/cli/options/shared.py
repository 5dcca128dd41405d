"""Options that several commands share, each defined once."""

import os
from collections.abc import Callable, Sequence
from functools import wraps
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from scdcli.cli.terminal import be_verbose
from scdcli.errors import InputError, ScdError
from scdcli.models import DEFAULT_MODEL, MODEL_SUFFIX, bundled_models
from scdcli.prediction.settings import InferenceSettings, MappingUnit

Command = TypeVar("Command", bound=Callable[..., Any])


class CommaList(click.ParamType):  # type: ignore[type-arg]
    """Values separated by commas, as a tuple; None where there are none and none are needed."""

    name = "list"

    def __init__(
        self,
        item: Callable[[str], object],
        what: str,
        accept: Callable[[tuple[Any, ...]], bool] = bool,
        *,
        spaces: bool = False,
    ) -> None:
        """A kind of list.

        Args:
            item: Reads an item.
            what: To call the list in an error.
            accept: Whether these items will do.
            spaces: Spaces separate, too.
        """
        self._item, self._what, self._accept, self._spaces = item, what, accept, spaces

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Any, ...] | None:
        """The items of a text, or of a list in a configuration."""
        separated = str(value).replace(" ", ",") if self._spaces else str(value)
        parts = value if isinstance(value, list | tuple) else separated.split(",")
        texts = [text for part in parts if (text := str(part).strip())]
        if not texts and not isinstance(getattr(param, "default", None), str):
            return None
        try:
            items = tuple(self._item(text) for text in texts)
        except ValueError:
            items = ()
        if not self._accept(items):
            self.fail(f"{value!r} is not {self._what}.", param, ctx)
        return items


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of the help page."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def gathered(
    name: str, make: Callable[..., object], names: Sequence[str]
) -> Callable[[Command], Command]:
    """Values that a command gets as one object, which ``make`` makes of them by their names."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gathering(*args: Any, **values: Any) -> Any:  # noqa: ANN401
            own = {each: values.pop(each) for each in names}
            return command(*args, **values, **{name: make(**own)})

        return gathering  # type: ignore[return-value]

    return decorate


def grouped(
    name: str, make: Callable[..., object], options: Sequence[Callable[[Command], Command]]
) -> Callable[[Command], Command]:
    """The same with the options whose values these are, in the order of the help page."""

    def decorate(command: Command) -> Command:
        names: list[str] = []
        gathering: Any = gathered(name, make, names)(command)
        others = len(getattr(gathering, "__click_params__", ()))
        together(*options)(gathering)
        names += [str(param.name) for param in gathering.__click_params__[others:]]
        return gathering  # type: ignore[no-any-return]

    return decorate


def complete_model(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Bundled models and model files whose names begin so; any file where there are none."""
    names = [name for name in bundled_models() if name.startswith(incomplete)]
    folder, begun = os.path.split(incomplete)
    beside = sorted(Path(folder or ".").glob(f"{escape(begun)}*{MODEL_SUFFIX}"))
    choices = [*names, *(os.path.join(folder, path.name) for path in beside)]  # noqa: PTH118  as typed
    return [CompletionItem(each) for each in choices] or [CompletionItem(incomplete, type="file")]


def allow_networks(
    ctx: click.Context, param: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Import networks of one's own: the only place where code is run by its name."""
    if names:
        from scdcli.models.networks.own import allow

        try:
            for name in names:
                allow(name)
        except ScdError as error:
            raise click.BadParameter(str(error), ctx, param) from error
    return names


json_option = click.option("--json", is_flag=True, help="Print the result as JSON on stdout.")
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace the output if it exists."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="No progress and no notes.")
verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=be_verbose,
    help="With an error, also where it comes from and the versions of the libraries.",
)
quiet_and_verbose = together(quiet_option, verbose_option)
device_option = click.option(
    "--device",
    default=InferenceSettings.device,
    metavar="auto|cpu|cuda|cuda:N",
    help="Where to compute; auto takes a GPU when there is one.",
)
tta_option = click.option(
    "--tta",
    default=InferenceSettings.tta,
    metavar="auto|none|flip|ms|ms+flip|adaptive",
    help="Test-time augmentation: average over mirrored copies (flip) and six scales (ms); "
    "adaptive is ms+flip where one look sees change, and none elsewhere; auto is none on a CPU and "
    "ms+flip on a GPU.",
)
model_option = click.option(
    "-m",
    "--model",
    "model",
    shell_complete=complete_model,
    metavar="NAME|FILE",
    default=DEFAULT_MODEL,
    show_default=False,
    help="A bundled model (see scd models) or a file written by scd train; "
    "the bundled default if not given.",
)
legend_option = click.option(
    "--legend",
    "legend",
    metavar="NAME|FILE",
    help="Legend of the labels: a built-in one or a TOML or JSON file.",
)

binary_option = click.option(
    "--binary",
    is_flag=True,
    help="Labels are masks of change, 0 and 255 or 0 and 1, without classes. Sets with the folders "
    "A, B and label are recognized without it.",
)


def refuse_legend_of_masks(legend: str | None, *, binary: bool) -> None:
    """Refuse names of classes for labels that have none."""
    if binary and legend:
        raise click.UsageError(
            f"--binary reads labels without classes, and --legend {legend} names some; leave one "
            "of them out."
        )


def _band(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


BANDS = CommaList(
    _band,
    "numbers or names with commas between, all of one kind",
    lambda bands: len({type(band) for band in bands}) == 1,
)
bands_option = click.option(
    "--bands",
    type=BANDS,
    metavar="1,2,3|red,green,blue",
    help="Bands to use of both images, numbers or names, in the order of the model; all but alpha "
    "if not given.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(min=0),
    show_default="on a GPU one per core, up to 8; else 0",
    help="Processes that prepare data; 0 does it in this one.",
)
moved_options = together(
    *(
        click.option(name, type=click.Path(), metavar="IMAGE", help=f"{image}, where it has moved.")
        for name, image in (("--before", "The earlier image"), ("--after", "The later image"))
    )
)
seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, help="Random seed.")


def _threshold(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    """A number, None for auto."""
    if text == "auto":
        return None
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise click.BadParameter(f"{text!r} is neither auto nor a number from 0 to 1.")
    return share


threshold_option = click.option(
    "--threshold",
    callback=_threshold,
    metavar="auto|FLOAT",
    default="auto",
    help="Change probability from which a pixel counts as changed, 0 to 1; auto is the threshold "
    "in the model file.",
)


def _mapping_unit(ctx: click.Context, param: click.Parameter, text: str) -> str:
    """What `MappingUnit.parse` reads."""
    try:
        MappingUnit.parse(text)
    except InputError as error:
        raise click.BadParameter(str(error)) from error
    return text


mmu_option = click.option(
    "--mmu",
    callback=_mapping_unit,
    metavar="M2|Npx",
    default=InferenceSettings.mmu,
    help="Minimum mapping unit, m² as 20 or pixels as 4px: smaller changes are left out, smaller "
    "gaps filled, smaller pieces merged, but none longer than 24 pixels; classes decided over "
    "neighborhoods; 0 keeps all.",
)
chip_option = click.option(
    "--chip",
    type=click.IntRange(min=64),
    show_default="512, or the model's if larger",
    help="Side in pixels of what the network sees at a time.",
)
overlap_option = click.option(
    "--overlap",
    type=click.IntRange(min=0),
    show_default="64, or a quarter of a smaller chip than 256",
    help="Of neighboring chips, pixels.",
)
batch_option = click.option(
    "--batch",
    type=click.IntRange(min=1),
    show_default="1, on a GPU 8",
    help="Chips per forward pass.",
)
precision_option = click.option(
    "--precision", default=InferenceSettings.precision, metavar="auto|fp32|bf16|fp16"
)
engine_option = click.option(
    "--engine",
    default=InferenceSettings.engine,
    metavar="auto|torch|onnxruntime",
    help="What runs the network; auto is onnxruntime for fp32 on a CPU, which takes about half the "
    "time of torch, and else torch.",
)


INFERENCE_OPTIONS = (
    tta_option,
    threshold_option,
    mmu_option,
    chip_option,
    overlap_option,
    batch_option,
    precision_option,
    engine_option,
    device_option,
)


inference_options = grouped("inference", InferenceSettings, INFERENCE_OPTIONS)
"""All options that say how a model is run, as ``inference``."""


def _local(ctx: click.Context, param: click.Parameter, text: str | None) -> Path | None:
    """The path, unless it is an address, of which a local folder s3: would be made."""
    if text is None:
        return None
    from scdcli.files.naming import is_remote, name_of

    if is_remote(text):
        raise click.BadParameter(
            f"{name_of(text)} is an address; write to this machine first, then copy the result."
        )
    return Path(text)


def output_option(
    metavar: str, help: str, *, required: bool = False
) -> Callable[[Command], Command]:
    """``-o/--output`` with what it means for this command."""
    return click.option(
        "-o",
        "--output",
        "output",
        type=click.Path(),
        callback=_local,
        metavar=metavar,
        required=required,
        help=help,
    )


def fine_first(
    ctx: click.Context, param: click.Parameter, sizes: tuple[float, float] | None
) -> tuple[float, float] | None:
    """The callback of an option that takes the finest and the coarsest pixels."""
    if sizes and sizes[0] > sizes[1]:
        raise click.BadParameter(f"{sizes[0]:g} {sizes[1]:g}: give the finer pixels first.")
    return sizes
