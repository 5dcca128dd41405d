"""What is said of the classes a training starts from."""

from dataclasses import replace

from standins import loaded

from scdcli.legend import SECOND, Legend
from scdcli.training.startweights import describe_other_classes


def test_other_classes_than_the_models_are_told_in_order():
    start = loaded()
    assert describe_other_classes(start, SECOND) is None
    colors = enumerate(SECOND.classes)
    recolored = Legend("other", tuple(replace(each, color=(1, 2, n)) for n, each in colors))
    assert describe_other_classes(start, recolored) is None
    renamed = Legend("mine", (replace(SECOND.classes[0], name="sea"), *SECOND.classes[1:]))
    told = describe_other_classes(start, renamed)
    assert f"knows the classes {SECOND.classes[0].name}, " in told
    assert "the start of sea, " in told
