"""A clean map: nothing smaller than the minimum mapping unit, classes by their neighborhood.

What each pixel says for itself leaves crumbs, holes, and one new roof in dozens of pieces. So
between probabilities and classes

1. changed regions smaller than the unit become unchanged,
2. what changed regions enclose, where it is smaller than the unit, becomes changed,
3. the two classes of a changed pixel are those that the changed pixels around it give together,
4. pieces of another transition inside a changed region, smaller than the unit, join the neighbor
   with the longest common border.

Every step looks no further than a fixed distance, `reach`, so that a part of a map is cleaned as
the whole is. For this a region longer than `LONGEST` stays however few pixels it has, as a path.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scdcli.legend import UNCHANGED, split_transition, transition_code
from scdcli.prediction.decode import Classes, Floats, Reading, read

LONGEST = 24  # pixels: regions up to this height and width are measured
RADIUS = 4  # pixels around a changed one that have a say in its classes
STEPS = 65535 // (2 * RADIUS + 1) ** 2  # of a probability: a sum then fits into 16 bits
ROUNDS = 2  # of joining: a piece, and one that has only such for neighbors
BLOCK = 128  # rows and columns averaged at a time; those without change are passed over

Mask = NDArray[np.bool_]
Counts = NDArray[np.uint16]
Numbers = NDArray[np.int64]
Parts = NDArray[np.int32]


class Cleaning(NamedTuple):
    """How many pixels of a map cleaning has changed.

    Attributes:
        removed: Changed by themselves, unchanged in the map.
        filled: Unchanged by themselves, changed in the map.
        renamed: Changed in both cases, with another class before or after.
    """

    removed: int = 0
    filled: int = 0
    renamed: int = 0

    def and_of(self, other: "Cleaning") -> "Cleaning":
        """The counts of both."""
        return Cleaning(*(a + b for a, b in zip(self, other, strict=True)))


class Cleaned(NamedTuple):
    """A clean map, and what cleaning did to each pixel; (H, W) each.

    Attributes:
        from_class: Class before, 1..K; 0 unchanged, uint8.
        to_class: Class after.
        removed: Changed by itself, unchanged now; bool.
        filled: Unchanged by itself, changed now.
        renamed: Changed in both cases, from or to another class.
    """

    from_class: Classes
    to_class: Classes
    removed: Mask
    filled: Mask
    renamed: Mask

    def within(self, part: tuple[slice, slice], counted: Mask) -> Cleaning:
        """The pixels of a part that were changed, of those that are counted."""
        touched = (each[part] & counted for each in (self.removed, self.filled, self.renamed))
        return Cleaning(*(int(np.count_nonzero(each)) for each in touched))


def reach(unit: int) -> int:
    """How many pixels around one have a say in it.

    Args:
        unit: Smallest number of pixels of a region; 0 where nothing is cleaned.
    """
    # One for regions, one for gaps, one for pieces, and one for each round of joining.
    return (3 + ROUNDS) * min(unit, LONGEST) + RADIUS if unit else 0


def clean(
    probabilities: Floats,
    reading: Reading,
    valid: Mask,
    threshold: float,
    unit: int,
    *,
    output: str,
    classes: int,
    replaceable: tuple[int, ...],
) -> Cleaned:
    """The clean map of a window, right `reach` pixels inside its edges that are not the scene's.

    Args:
        probabilities: (P, H, W), as `scdcli.models.networks.outputs.probabilities` stacks them.
        reading: What was read of them.
        valid: Where both dates have measurements, (H, W).
        threshold: Change probability from which a pixel counts as changed.
        unit: Smallest number of pixels of a region, at least 1.
        output: Kind of output, a key of `scdcli.prediction.decode.READOUTS`.
        classes: K.
        replaceable: Indices of the classes that may change into themselves.
    """
    alone = (reading.change >= threshold) & valid
    changed = alone & ~_small_regions(alone, unit)
    changed |= _small_regions(~changed, unit, enclosed=True) & valid
    names = _names_around(probabilities, changed, output, classes, replaceable)
    code = np.where(changed, transition_code(*names), np.uint16(UNCHANGED))
    from_class, to_class = split_transition(_merge_pieces(code, unit))
    other = (from_class != reading.from_class) | (to_class != reading.to_class)
    return Cleaned(
        from_class, to_class, alone & ~changed, changed & ~alone, alone & changed & other
    )


def _small_regions(mask: Mask, unit: int, *, enclosed: bool = False) -> Mask:
    """The 4-connected regions of fewer pixels than the unit, at no edge if they are enclosed."""
    region, count = label(mask)
    small = np.bincount(region.ravel(), minlength=count + 1) < unit
    small[0] = False
    if unit > LONGEST:
        boxes = find_objects(region)
        for number in np.flatnonzero(small).tolist():
            rows, cols = boxes[number - 1]
            small[number] = max(rows.stop - rows.start, cols.stop - cols.start) <= LONGEST
    if enclosed:
        for edge in (region[0], region[-1], region[:, 0], region[:, -1]):
            small[edge] = False
    chosen: Mask = small[region]
    return chosen


def _names_around(
    probabilities: Floats,
    changed: Mask,
    output: str,
    classes: int,
    replaceable: tuple[int, ...],
) -> tuple[Classes, Classes]:
    """From and to class by the probabilities of all changed pixels around, where changed."""
    height, width = changed.shape
    from_class, to_class = np.zeros((2, height, width), dtype=np.uint8)
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            block = slice(top, top + BLOCK), slice(left, left + BLOCK)
            here = changed[block]
            if here.any():
                sums = _sum_around(_changed_around(probabilities, changed, top, left))
                listed = sums[:, here].astype(np.float32)[:, None]
                names = read(listed, output, classes, replaceable=replaceable)
                from_class[block][here], to_class[block][here] = (
                    names.from_class[0],
                    names.to_class[0],
                )
    return from_class, to_class


def _changed_around(probabilities: Floats, changed: Mask, top: int, left: int) -> Counts:
    """Probabilities of a block and `RADIUS` around it; 0 where unchanged and beyond the edge.

    In whole numbers of 1 / `STEPS`, so that sums are the same to the bit in every window.
    """
    spans, margins = [], []
    for start, length in zip((top, left), changed.shape, strict=True):
        first, last = start - RADIUS, min(start + BLOCK, length) + RADIUS
        spans.append(slice(max(first, 0), min(last, length)))
        margins.append((max(-first, 0), max(last - length, 0)))
    steps = changed[tuple(spans)] * np.float32(STEPS)
    counted = (probabilities[(slice(None), *spans)] * steps).astype(np.uint16)
    return np.pad(counted, ((0, 0), *margins)) if np.any(margins) else counted


def _sum_around(values: Counts) -> Counts:
    """Sums over the 9 x 9 pixels around each one, (P, h - 8, w - 8)."""
    for axis in (-2, -1):
        across = np.moveaxis(values, axis, 0)
        two = across[:-1] + across[1:]
        four = two[:-2] + two[2:]
        values = np.moveaxis(four[:-5] + four[4:-1] + across[8:], 0, axis)
    return values


def _merge_pieces(code: Counts, unit: int) -> Counts:
    """The transitions, with pieces smaller than the unit in that of a neighbor.

    A piece takes the transition with which it shares the longest border, of neighbors that are
    large enough or have already joined one. Without any it takes the one that most of its changed
    region has, where this is no longer than three such pieces.
    """
    own = code[code != UNCHANGED]
    one, other = _neighbors(code)
    same = own[one] == own[other]
    count, piece = _components(len(own), one[same], other[same])
    size = np.bincount(piece, minlength=count)
    transition = np.zeros(count, dtype=np.int64)
    transition[piece] = own
    small = size < unit
    if unit > LONGEST:
        small &= _longest(code, piece, count) <= LONGEST
    if not small.any():
        return code
    ends = piece[one[~same]], piece[other[~same]]
    border, beyond = np.concatenate(ends), np.concatenate(ends[::-1])
    merged, left = transition.copy(), small
    for _ in range(ROUNDS):
        counted = left[border] & ~left[beyond]
        joining, joined = _most(border[counted], merged[beyond[counted]])
        merged[joining], left[joining] = joined, False
    if left.any():
        regions, region = _components(count, border, beyond)
        short = _longest(code, region[piece], regions) <= (1 + ROUNDS) * min(unit, LONGEST)
        _, common = _most(region[piece], transition[piece])  # every region has pixels
        left &= short[region]
        merged[left] = common[region[left]]
    result = code.copy()
    result[code != UNCHANGED] = merged[piece]
    return result


def _neighbors(code: Counts) -> tuple[Parts, Parts]:
    """Pairs of changed pixels that share an edge, numbered in raster order."""
    changed = code != UNCHANGED
    beside = changed[:, :-1] & changed[:, 1:]
    below = changed[:-1] & changed[1:]
    number = np.cumsum(changed, dtype=np.int32).reshape(code.shape) - 1
    upper, lower = number[:-1][below], number[1:][below]
    left = number[:, :-1][beside]
    return np.concatenate((left, upper)), np.concatenate((left + 1, lower))


def _components(count: int, one: Parts, other: Parts) -> tuple[int, Parts]:
    touch = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(count, count))
    found: tuple[int, Parts] = connected_components(touch, directed=False)
    return found


def _longest(code: Counts, part: Parts, count: int) -> Numbers:
    """The height or width of parts of the changed pixels, whichever is larger, (count,)."""
    longest = np.zeros(count, dtype=np.int64)
    for place in np.nonzero(code):
        first, last = np.full(count, place.max(initial=0)), np.zeros(count, dtype=np.int64)
        np.minimum.at(first, part, place)
        np.maximum.at(last, part, place)
        np.maximum(longest, last - first + 1, out=longest)
    return longest


def _most(part: NDArray[np.integer], value: Numbers) -> tuple[Numbers, Numbers]:
    """The parts that occur, and of each the value it has most often; of equals the smallest."""
    pairs, count = np.unique((part.astype(np.int64) << 16) | value, return_counts=True)
    parts, values = pairs >> 16, pairs & 0xFFFF
    order = np.lexsort((values, -count, parts))
    parts, values = parts[order], values[order]
    first = np.append(True, parts[1:] != parts[:-1])[: len(parts)]
    return parts[first], values[first]
