"""Class weights come from the labels that the loss sees."""

import numpy as np
import pytest
import torch
from covers import write_covered
from pictures import write_png
from sets import find_samples

from scdcli.errors import DatasetError, UnknownName
from scdcli.legend import SECOND
from scdcli.models.networks.losses import inverse_frequency
from scdcli.training.classweights import class_weights


@pytest.fixture
def samples(second_tree):
    return find_samples(second_tree(pairs=2, size=64, covers=True) / "train")


def shares(samples, weights, index, *, cover):
    """Total weight of each class, and of unchanged and changed pixels."""
    files = ("from_cover", "to_cover") if cover else ("from_label", "to_label")
    read = {name: [] for name in ("from_label", "to_label", "from_cover", "to_cover")}
    for sample in samples:
        for name, maps in read.items():
            maps.append(index(getattr(sample, name)))
    classes = np.bincount(np.ravel([read[name] for name in files]), minlength=7)[1:]
    change = np.bincount((np.ravel(read["from_label"]) > 0).astype(int))
    return classes * weights.classes.numpy(), change * weights.change.numpy()


@pytest.mark.parametrize("cover", [False, True])
def test_with_inverse_all_labels_count_alike(samples, cover):
    from scdcli.datasets.classmap import read_label

    weights = class_weights(samples, SECOND, "inverse", cover=cover)
    classes, change = shares(samples, weights, lambda path: read_label(path, SECOND), cover=cover)
    present = classes[classes > 0]
    assert len(present) > 1
    np.testing.assert_allclose(present, present[0], rtol=1e-5)
    np.testing.assert_allclose(change, change[0], rtol=1e-5)


def test_land_cover_counts_where_there_is_one_and_changes_elsewhere(tmp_path):
    drawn = write_covered(tmp_path, "ab", without="b")
    weights = class_weights(find_samples(tmp_path), SECOND, "inverse", cover=True)
    maps = [drawn["a"]["cover1"], drawn["a"]["cover2"], drawn["b"]["label1"], drawn["b"]["label2"]]
    pixels = np.bincount(np.ravel(maps), minlength=256)[1:7]
    torch.testing.assert_close(weights.classes, inverse_frequency(pixels.tolist()))


def test_sqrt_is_the_root_and_none_is_none(samples):
    inverse, root = (class_weights(samples, SECOND, s, cover=True) for s in ("inverse", "sqrt"))
    ratio = inverse.classes / root.classes**2
    torch.testing.assert_close(ratio, ratio[:1].expand(6))
    assert class_weights(samples, SECOND, "none", cover=True) is None


def test_semantic_weights_leave_change_alone(samples):
    inverse, semantic = (
        class_weights(samples, SECOND, s, cover=True) for s in ("inverse", "semantic")
    )
    assert torch.equal(semantic.classes, inverse.classes)
    assert not torch.equal(semantic.change, inverse.change)
    assert torch.equal(semantic.change, torch.ones(2))


def test_unknown_schemes_and_broken_sets_are_refused(samples):
    with pytest.raises(UnknownName, match="'focal'; choose one of: inverse, none, semantic, sqrt"):
        class_weights(samples, SECOND, "focal", cover=False)
    label = SECOND.encode(np.zeros((64, 64), np.uint8))
    write_png(samples[1].from_label, label)
    with pytest.raises(DatasetError, match=r"00001: \d+ pixels have a class at one date"):
        class_weights(samples, SECOND, "inverse", cover=False)
