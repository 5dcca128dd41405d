"""What is added to the loss of a training, if the network and the labels have what it is of."""

from math import inf

from scdcli.errors import TrainingError, look_up
from scdcli.models.networks.addedterms import CHANGE_LOSSES, AddedTerms
from scdcli.training.settings import TrainingSettings


def added_terms(settings: TrainingSettings, output: str, *, masks: bool = False) -> AddedTerms:
    """The terms that settings ask for.

    Args:
        settings: The protocol.
        output: Kind of output of the network.
        masks: Whether labels say where something changed, but not what.

    Raises:
        TrainingError: The network has no change branch or no classes of both dates, or labels have
            no classes, where a term is of them; or a weight is negative.
        UnknownName: There is no such loss of change.
    """
    change, weight = settings.change_loss, settings.consistency
    if look_up("change loss", change, CHANGE_LOSSES) and output != "branches":
        raise TrainingError(
            f"--change-loss {change} is of the change branch, and this network has none; leave it "
            "out, or give a network with one, for example asn or hrscd-str4."
        )
    if not 0 <= weight < inf:
        raise TrainingError(
            f"--consistency is {weight:g}; give a weight from 0, which is without the term."
        )
    if weight and output == "types":
        raise TrainingError(
            f"--consistency {weight:g} compares the classes of both dates, and this network gives "
            "from-to types only; leave it out, or give another network, for example asn."
        )
    if weight and masks:
        raise TrainingError(
            f"--consistency {weight:g} compares the classes of both dates, and masks of change "
            "have none; leave it out, or give a set with classes."
        )
    return AddedTerms(change, weight)
