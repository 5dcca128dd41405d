"""``scd models``: what comes with the package, and what a model file says of itself."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options import json_option, verbose_option

if TYPE_CHECKING:
    from scdcli.checkpoint import LoadedModel


@click.command()
@click.argument("model", metavar="[NAME|FILE]", required=False)
@json_option
@verbose_option
def models(model: str | None, **options: Any) -> None:  # noqa: ANN401
    """List the bundled models, or print one model's card.

    \b
    scd models
    scd models second
    scd models runs/asn/best.safetensors --json
    """
    from scdcli.checkpoint import DEFAULT_MODEL, bundled_models, load_model

    if model is None:
        names = bundled_models()
        if options["json"]:
            click.echo(json.dumps({"models": list(names), "default": DEFAULT_MODEL}))
            return
        for name in names:
            click.echo(f"{name}{'  (default)' if name == DEFAULT_MODEL else ''}")
        return
    loaded = load_model(model)
    file = bundled_models().get(model)
    card = file.with_suffix(".md") if file else None
    if options["json"] or card is None or not card.is_file():
        click.echo(json.dumps(_description(loaded), indent=2, ensure_ascii=False))
    else:
        click.echo(card.read_text(encoding="utf-8"))


def _description(loaded: "LoadedModel") -> dict[str, Any]:
    header = asdict(loaded.header) | {"legend": loaded.header.legend.to_dict()}
    parameters = sum(p.numel() for p in loaded.model.parameters())
    return {"name": loaded.name, "sha256": loaded.sha256, "parameters": parameters} | header
