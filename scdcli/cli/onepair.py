"""One pair of images predicted into one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scdcli.cli.terminal import Terminal, resuming_call
from scdcli.prediction.settings import PredictionJob
from scdcli.prediction.tta import ADAPTIVE, spoken_looks

if TYPE_CHECKING:
    from scdcli.prediction.chain import Predictor
    from scdcli.prediction.cluster import Cluster


class Stage:
    """What a prediction is at, as a person reads it.

    Attributes:
        written: Whether the maps are.
    """

    NAMES: ClassVar = {
        "read": "predicting",
        "network": "predicting",
        "blend": "predicting",
        "clean": "cleaning",
        "write": "writing maps",
        "polygons": "tracing polygons",
        "page": "writing the page",
    }

    def __init__(self, predictor: "Predictor") -> None:
        """Nothing has begun yet."""
        self.written = False
        self._profile = predictor.profile
        self._last = "preparing"

    def __call__(self) -> str:
        """The stage under way, or the one before between two."""
        now = self._profile.stage
        if not now and self.written:
            return "writing the page"
        self._last = self.NAMES.get(now, self._last)
        return self._last


def output_folder(before: str, after: str) -> Path:
    """Where a prediction goes unless told otherwise: ``<before>__<after>`` in this folder."""
    from scdcli.files.pairlist import pair_name

    return Path(pair_name(before, after))


def predict_pair(
    before: str,
    after: str,
    out: Path,
    predictor: "Predictor",
    job: PredictionJob,
    terminal: Terminal,
    cluster: "Cluster | None" = None,
) -> dict[str, Any]:
    """Predict one pair into a new folder; returns its summary.

    With ``--resume`` a finished prediction is left alone, and its summary returned.
    """
    from scdcli.prediction.fit import require_readable
    from scdcli.prediction.predict import tell_of_pair
    from scdcli.prediction.write import write_prediction
    from scdcli.rasters.pair.coregister import open_registered

    require_readable(before, after, job.pair, predictor.loaded.requirements)
    settings = predictor.loaded.reads(job.pair)
    with (
        _telling_what_is_kept(out, terminal),
        open_registered(before, after, settings, coregister=job.coregister) as pair,
    ):
        tell_of_pair(pair, terminal.note)
        megapixels = pair.grid.height * pair.grid.width / 1e6

        stage = Stage(predictor)

        def tell(share: float) -> None:
            stage.written = share >= 1
            bar.update(100 * share, 100)

        with terminal.progress(
            "predicting, %", 100, megapixels=megapixels, counted=False, stage=stage
        ) as bar:
            summary = write_prediction(
                pair,
                predictor,
                out,
                job.output,
                cluster=cluster,
                progress=tell,
            )
    if predictor.tta == ADAPTIVE:
        # What the times depend on stands above them, also with --quiet.
        show = terminal.problem if terminal.stages else terminal.note
        show(f"{spoken_looks(summary['chips'])}.")
    if terminal.stages:
        for line in _stages(summary, predictor.profile.seconds["page"]):
            terminal.problem(line)
    if summary["valid"]["pixels"] == 0:
        terminal.note(
            f"No pixel is measured in both images, so {out} holds nodata only; check the nodata "
            "values of both with gdalinfo."
        )
    return summary


def _stages(summary: dict[str, Any], page: float) -> Iterator[str]:
    """The time of each stage, some of which work side by side, of the whole, and of the page."""
    stages: dict[str, dict[str, Any]] = summary.get("stages", {})
    for name, stage in stages.items():
        speed = stage["megapixels_per_second"]
        pace = "" if speed is None else f"  {speed:9.2f} Mpx/s"
        yield f"{name:<9}{stage['seconds']:9.2f} s{pace}"
    yield f"{'whole':<9}{summary['seconds']:9.2f} s"
    yield f"{'page':<9}{page:9.2f} s"


def require_usable_output(out: Path, before: str, after: str, job: PredictionJob) -> None:
    """Refuse, before any work, an output that is taken or that holds an input."""
    from scdcli.prediction.outputfolder import require_usable

    inputs = [before, after, job.model]
    if job.output.zones is not None:
        from scdcli.rasters.pair.extent import split_layer

        inputs.append(split_layer(job.output.zones)[0])
    require_usable(out, inputs, job.output)


def require_readable_images(before: str, after: str, job: PredictionJob) -> None:
    """Refuse what metadata shows to be wrong, before a network is loaded, which takes longer."""
    from scdcli.models.requirements import read_requirements
    from scdcli.prediction.fit import require_readable

    require_readable(before, after, job.pair, read_requirements(job.model))


@contextmanager
def _telling_what_is_kept(out: Path, terminal: Terminal) -> Iterator[None]:
    """After an interruption, say what is kept and how to go on."""
    from scdcli.files.folder import partial_folder
    from scdcli.prediction.journal import JOURNAL, KEEP_EVERY

    try:
        yield
    except BaseException as error:
        partial = partial_folder(out)
        # A partial folder behind a lock is another process's, which nobody has to resume.
        if (partial / JOURNAL).exists() and not isinstance(error.__cause__, TimeoutError):
            terminal.note(f"What is done is kept in {partial}; go on with\n  {resuming_call()}")
        elif not isinstance(error, Exception):
            terminal.note(
                f"Nothing is kept yet: parts are, after {KEEP_EVERY:.0f} seconds of work each."
            )
        raise
