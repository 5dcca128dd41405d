"""``scd export``: a model as a file for other programs."""

from json import dumps
from pathlib import Path

import click

from scdcli.cli.options.shared import (
    complete_model,
    json_option,
    output_option,
    overwrite_option,
    quiet_and_verbose,
)
from scdcli.cli.terminal import Terminal


@click.command()
@click.argument("model", metavar="NAME|FILE", shell_complete=complete_model)
@output_option("FILE.onnx", "The file to write; NAME.onnx in this folder if not given.")
@overwrite_option
@json_option
@quiet_and_verbose
def export(model: str, output: Path | None, overwrite: bool, json: bool, quiet: bool) -> None:
    """Write a model as an ONNX file, for any program that runs such graphs.

    Inputs before and after (batch, bands, height, width), float32 in the units of the images; any
    batch and size. Outputs are logits. Legend, threshold and temperature are in the metadata. The
    file is compared with PyTorch before it is written.

    \b
    scd export urban -o urban.onnx
    scd export runs/asn/best.safetensors -o asn.onnx
    """
    from scdcli.models.export import export_model

    terminal = Terminal(quiet)
    out = output or Path(f"{Path(model).stem}.onnx")
    record = export_model(model, out, overwrite=overwrite)
    terminal.note(
        f"Logits differ from PyTorch's by at most {record['difference']:.1g} on "
        f"{record['pairs']} pairs of random pixels."
    )
    click.echo(dumps(record, ensure_ascii=False) if json else out)
