"""A run as TensorBoard shows it: its steps and epochs as they happen."""

from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from scdcli.errors import TrainingError
from scdcli.training.loop import Event, StepDone
from scdcli.training.runfolder import EpochLog
from scdcli.training.stages import Stage

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"  # in that of the run, or of its stage


def require_tensorboard() -> None:
    """Refuse to begin without the package.

    Raises:
        TrainingError: It is not installed.
    """
    if find_spec("tensorboard") is None:
        raise TrainingError(
            "--tensorboard needs the package tensorboard, which is not installed; pip install "
            "'scdcli[tensorboard]', or leave it out: log.csv has the same numbers."
        )


def recorded(events: Iterator[Stage | Event]) -> Iterator[Stage | Event]:
    """The events of a run, each written into the folder `FOLDER` of its stage before it goes on.

    Losses of steps are counted by steps, all else by epochs. What a resumed run does again replaces
    what is there.
    """
    writer: SummaryWriter | None = None
    folder = Path()
    try:
        for event in events:
            if isinstance(event, Stage):
                folder = event.out / FOLDER
                if writer is not None:
                    writer.close()
                writer = None
            elif isinstance(event, StepDone):
                place = (event.epoch - 1) * event.steps + event.step
                writer = writer or _writer(folder, place)
                writer.add_scalar("step/loss", event.loss, place)
            elif isinstance(event, EpochLog):
                writer = writer or _writer(folder, None)
                for name, value in _scalars(event):
                    writer.add_scalar(name, value, event.epoch)
            yield event
    finally:
        if writer is not None:
            writer.close()


def _writer(folder: Path, place: int | None) -> "SummaryWriter":
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=place)


def _scalars(log: EpochLog) -> Iterator[tuple[str, float]]:
    values = asdict(log)
    by_class = values.pop("class_iou") or {}
    del values["epoch"]
    values |= {f"iou/{name}": value for name, value in by_class.items()}
    for name, value in values.items():
        if value is not None:
            yield name if "/" in name else f"epoch/{name}", value
