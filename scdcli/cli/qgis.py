"""``scd qgis``: the plugin of QGIS, installed or packed."""

import sys
from pathlib import Path

import click

from scdcli.cli.options.shared import output_option, overwrite_option, quiet_and_verbose
from scdcli.cli.terminal import Terminal


@click.command()
@click.argument("action", type=click.Choice(["install", "package"]))
@click.option(
    "--profile",
    metavar="NAME|DIR",
    show_default="default",
    help="Profile of QGIS to install into, or its folder.",
)
@output_option("FILE.zip", "The ZIP of package; scd_changes.zip if not given.")
@overwrite_option
@quiet_and_verbose
def qgis(
    action: str, profile: str | None, output: Path | None, overwrite: bool, quiet: bool
) -> None:
    """Put predict, check and report into the Processing toolbox of QGIS.

    install copies the plugin into a profile of QGIS 3.22 or later, in place of an earlier copy. It
    starts this scd with its own Python, whatever Python QGIS has.

    package writes the plugin as a ZIP, for Plugins > Manage and Install Plugins > Install from ZIP
    on another machine. There it looks for scd on the path, or where the settings of Processing
    name it.

    \b
    scd qgis install
    scd qgis install --profile survey
    scd qgis package -o scd_changes.zip
    """
    from scdcli.qgis.install import PLUGIN, install_plugin, package_plugin

    if action == "package":
        if profile is not None:
            raise click.UsageError("--profile is for install; package writes a file.")
        click.echo(package_plugin(output or Path(f"{PLUGIN}.zip"), overwrite=overwrite))
        return
    if output is not None or overwrite:
        raise click.UsageError("-o and --overwrite are for package; install replaces its own copy.")
    folder = install_plugin(profile, [sys.executable, "-m", "scdcli"])
    Terminal(quiet).note(
        "Tick 'scd changes' in Plugins > Manage and Install Plugins; without a window: "
        f"qgis_process plugins enable {PLUGIN}"
    )
    click.echo(folder)
