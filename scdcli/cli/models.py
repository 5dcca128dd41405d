"""``scd models``: what comes with the package, and what a model says of itself."""

from json import dumps

import click

from scdcli.cli.options.shared import complete_model, json_option, verbose_option


@click.command()
@click.argument("model", metavar="[NAME|FILE]", required=False, shell_complete=complete_model)
@json_option
@verbose_option
def models(model: str | None, json: bool) -> None:
    """List the bundled models, or print one model's card.

    The card is what the file says of itself (legend, network, pixel sizes, training, scores) and
    the text beside it: NAME.md for NAME.safetensors.

    \b
    scd models
    scd models second
    scd models runs/asn/best.safetensors --json
    """
    from scdcli.cli.tables.models import show_card, show_models
    from scdcli.models import DEFAULT_MODEL
    from scdcli.models.card import bundled_cards, read_card

    if model is not None:
        card = read_card(model)
        if json:
            click.echo(dumps(card.to_dict(), indent=2, ensure_ascii=False))
        else:
            show_card(card)
        return
    cards = list(bundled_cards())
    if json:
        listed = {"default": DEFAULT_MODEL, "models": [card.to_dict() for card in cards]}
        click.echo(dumps(listed, indent=2, ensure_ascii=False))
    else:
        show_models(cards, DEFAULT_MODEL)
