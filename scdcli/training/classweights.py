"""Class weights of the loss, from how often each label occurs in the training set."""

from collections.abc import Sequence

from scdcli.datasets.samples import Sample
from scdcli.datasets.scan import scan
from scdcli.errors import DatasetError, look_up
from scdcli.legend import Legend
from scdcli.models.networks.losses import ClassWeights, inverse_frequency

# Weights go with (1 / share of the pixels) to these powers: of the classes, and of unchanged and
# changed.
SCHEMES = {"none": (0.0, 0.0), "inverse": (1.0, 1.0), "sqrt": (0.5, 0.5), "semantic": (1.0, 0.0)}


def class_weights(
    samples: Sequence[Sample], legend: Legend, scheme: str, *, cover: bool
) -> ClassWeights | None:
    """The weights a scheme gives for a training set; None for ``none``.

    Classes are counted over both dates, with ``cover`` those of every pixel, otherwise those of
    changed ones: the labels that the loss sees.

    Raises:
        DatasetError: A pair of the set cannot be trained on.
        UnknownName: No such scheme.
    """
    of_classes, of_change = look_up("class weights", scheme, SCHEMES)
    if of_classes == 0:
        return None
    covered = [sample for sample in samples if cover and sample.from_cover]
    others = [sample for sample in samples if not (cover and sample.from_cover)]
    scans = [scan(part, legend) for part in (covered, others)]
    problems = [problem for each in scans for problem in each.problems]
    if problems:
        raise DatasetError(problems[0])
    every_pixel, changes = (each.counts for each in scans)
    both = every_pixel + changes
    classes = every_pixel.cover.before + every_pixel.cover.after
    classes += changes.from_pixels + changes.to_pixels
    change = [both.unchanged, both.changed]
    return ClassWeights(
        inverse_frequency(classes.tolist(), of_classes), inverse_frequency(change, of_change)
    )
