"""The index convention and the legends: which number is which land cover, in which color.

The convention holds for every label, prediction and output: ``0`` unchanged, ``1..K`` the classes
of a legend, ``255`` nodata. A transition is one number, ``from * 100 + to``; ``0`` unchanged,
``65535`` nodata.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import DatasetError

UNCHANGED = 0
NODATA = 255
SLIGHTLY_OFF = 24  # of 255 in any channel: what compression does to colors

Color = tuple[int, int, int]
UNCHANGED_COLOR: Color = (255, 255, 255)
# Looking up is a hundred times faster than searching, as long as the table stays small.
LOOKED_UP_BYTES = 2
TRANSITION_NODATA = 65535
TRANSITION_BASE = 100
MAX_CLASSES = TRANSITION_BASE - 1


@dataclass(frozen=True)
class Coding:
    """Values and colors in labels.

    Attributes:
        values: Value of class 1..K; None where values are the indices themselves.
        unchanged: Value of unchanged.
        nodata: Values of nodata.
        unchanged_color: Color of unchanged.
        nodata_color: Color of nodata; None where colors cannot say it.
        transparent: Index of transparent pixels, of colors and of values: nodata or unchanged.
        mask: Whether labels are masks of change instead: 0 or black is unchanged; 1, 255 or white
            is changed, and nothing of the above but ``transparent`` holds.
    """

    values: tuple[int, ...] | None = None
    unchanged: int = UNCHANGED
    nodata: tuple[int, ...] = (NODATA,)
    unchanged_color: Color = UNCHANGED_COLOR
    nodata_color: Color | None = None
    transparent: int = NODATA
    mask: bool = False

    def indices(self) -> dict[int, int]:
        """Index by value, for labels with values of their own."""
        classes = enumerate(self.values or (), start=1)
        known = dict.fromkeys(self.nodata, NODATA) | {self.unchanged: UNCHANGED}
        return known | {value: index for index, value in classes}

    def decode(self, values: NDArray[Any]) -> tuple[NDArray[np.uint8], dict[int, int]]:
        """Indices of values, and how many pixels hold each value that is not known.

        Args:
            values: Values of a label, (H, W) of any whole numbers.

        Returns:
            Class index, (H, W) uint8, nodata where not known; pixels by unknown value.
        """
        known = self.indices()
        decode = _look_up if values.dtype.itemsize <= LOOKED_UP_BYTES else _search
        index, strange = decode(values, known)
        if not strange.any():
            return index, {}
        found, pixels = np.unique(values[strange], return_counts=True)
        return index, dict(zip(found.tolist(), pixels.tolist(), strict=True))


def _look_up(
    values: NDArray[Any], known: dict[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    bits = np.iinfo(values.dtype)
    table = np.full(bits.max - bits.min + 1, NODATA, dtype=np.uint8)
    strange = np.ones(len(table), dtype=bool)
    for value, index in known.items():
        if bits.min <= value <= bits.max:
            table[value - bits.min], strange[value - bits.min] = index, False
    place = values if bits.min == 0 else values.astype(np.int32) - bits.min
    return table[place], strange[place]


def _search(
    values: NDArray[Any], known: dict[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    ordered = np.array(sorted(known), dtype=np.int64)
    place = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    strange: NDArray[np.bool_] = ordered[place] != values
    index = np.array([known[value] for value in ordered.tolist()], dtype=np.uint8)[place]
    index[strange] = NODATA
    return index, strange


@dataclass(frozen=True)
class LandCover:
    """One class: its name and its color (red, green, blue, 0-255)."""

    name: str
    color: Color


@dataclass(frozen=True)
class Legend:
    """The classes of a model or a labelled set, in index order; index 1 is ``classes[0]``.

    How the labels of a set write them goes with it while they are read, and nowhere else.

    Attributes:
        name: Its name.
        classes: The classes.
        coding: How labels write them.
        replaceable: Names of the classes whose objects may change into others of their class, as a
            new building in the place of an old one; of all others a map never says so.
    """

    name: str
    classes: tuple[LandCover, ...]
    coding: Coding = field(default=Coding(), compare=False)
    replaceable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be written as a transition or told apart by color."""
        if not 1 <= len(self.classes) <= MAX_CLASSES:
            raise DatasetError(
                f"legend {self.name!r} has {len(self.classes)} classes; "
                f"1 to {MAX_CLASSES} are possible."
            )
        colors = [cover.color for cover in self.classes]
        if len({UNCHANGED_COLOR, *colors}) != len(colors) + 1:
            raise DatasetError(
                f"legend {self.name!r} uses a color twice (white is taken by 'unchanged'); "
                "give every class a color of its own."
            )
        for name in self.replaceable:
            if name not in self.names:
                raise DatasetError(
                    f"legend {self.name!r} calls {name!r} replaceable, but has the classes "
                    f"{', '.join(self.names)}; name some of these."
                )

    def __len__(self) -> int:
        """Number of classes K."""
        return len(self.classes)

    def __getitem__(self, index: int) -> LandCover:
        """The class with this index, 1..K."""
        return self.classes[index - 1]

    @property
    def names(self) -> list[str]:
        """The names of the classes, in order."""
        return [cover.name for cover in self.classes]

    def indices(self) -> range:
        """The class indices, 1..K."""
        return range(1, len(self.classes) + 1)

    def replaceable_indices(self) -> tuple[int, ...]:
        """Indices of the replaceable classes; a legend of one class has no other way to change."""
        if len(self) == 1:
            return (1,)
        return tuple(value for value in self.indices() if self[value].name in self.replaceable)

    def transitions(self) -> Iterator[tuple[int, int]]:
        """All (from, to) pairs in code order, the same class twice included."""
        return ((a, b) for a in self.indices() for b in self.indices())

    @property
    def change_only(self) -> bool:
        """Whether there is no class to tell, only that something changed."""
        return self.classes == CHANGE.classes

    def transition_name(self, from_class: int, to_class: int) -> str:
        """For example ``low vegetation → building``; of masks of change ``changed``."""
        if self.change_only:
            return CHANGE[1].name
        return f"{self[from_class].name} → {self[to_class].name}"

    def decode(self, colors: NDArray[np.uint8], source: str) -> NDArray[np.uint8]:
        """Class indices of a color label.

        Args:
            colors: Label colors, (3, H, W) uint8; white is unchanged unless the coding differs.
            source: File named in the error.

        Returns:
            Class index, (H, W) uint8, 0 unchanged, 255 where a color says nodata.

        Raises:
            DatasetError: A color is not in the legend.
        """
        packed = _pack(colors.astype(np.uint32))
        index = np.full(packed.shape, UNCHANGED, dtype=np.uint8)
        strange = packed != _pack_color(self.coding.unchanged_color)
        # A few comparisons of the whole map are ten times faster than a sorted look-up.
        known = {value: self[value].color for value in self.indices()}
        if self.coding.nodata_color is not None:
            known[NODATA] = self.coding.nodata_color
        for value, color in known.items():
            found = packed == _pack_color(color)
            index[found] = value
            strange ^= found
        if strange.any():
            row, col = (int(axis[0]) for axis in np.nonzero(strange))
            pixels = int((packed == packed[row, col]).sum())
            listed = ", ".join(f"{_hex(c.color)} {c.name}" for c in self.classes)
            raise DatasetError(
                f"{source} holds the color #{packed[row, col]:06X} (row {row}, column {col}) in "
                f"{pixels} {'pixel' if pixels == 1 else 'pixels'}, which legend "
                f"{self.name!r} does not know; it has {listed}. "
                f"{self._remedy(packed[strange])}"
            )
        return index

    def _remedy(self, strange: NDArray[np.uint32]) -> str:
        """What to do about packed colors that are not in the legend, (N,)."""
        known = [self.coding.unchanged_color, *(each.color for each in self.classes)]
        colors = np.unique(strange)
        channels = np.stack([colors >> shift & 255 for shift in (16, 8, 0)], axis=1).astype(int)
        apart = np.abs(channels[:, None] - np.array(known)).max(axis=2).min(axis=1)
        near = apart <= SLIGHTLY_OFF
        if near.sum() < 2 or not near[colors == strange[0]].all():
            return "Give the legend that belongs to these labels with --legend."
        return (
            f"{near.sum()} of {len(near)} such colors are nearly one of these, as JPEG leaves "
            "them: take the labels as they were published, as PNG; classes cannot be told from "
            "blurred colors."
        )

    def encode(self, index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Colors of a class map: (H, W) uint8 to (3, H, W) uint8; nodata becomes black."""
        table = np.zeros((256, 3), dtype=np.uint8)
        table[UNCHANGED] = UNCHANGED_COLOR
        for value in self.indices():
            table[value] = self[value].color
        return np.moveaxis(table[index], -1, 0)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description; `from_dict` reads it back."""
        covers = [{"name": c.name, "color": _hex(c.color)} for c in self.classes]
        return {"name": self.name, "classes": covers, "replaceable": list(self.replaceable)}

    @classmethod
    def from_dict(cls, description: dict[str, Any]) -> "Legend":
        """A legend from what `to_dict` wrote.

        Without a word on replaceable classes they are those of the built-in legend of this name and
        these classes, or none.
        """
        covers = tuple(LandCover(c["name"], _color(c["color"])) for c in description["classes"])
        name = description["name"]
        known = LEGENDS.get(name)
        usual = known.replaceable if known and known.classes == covers else ()
        return cls(name, covers, replaceable=tuple(description.get("replaceable", usual)))

    def dumps(self) -> str:
        """The legend as one line of JSON, for tags and model headers."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


def transition_code(
    from_class: NDArray[np.uint8], to_class: NDArray[np.uint8]
) -> NDArray[np.uint16]:
    """``from * 100 + to`` of two class maps of equal shape; nodata at either date is nodata."""
    code = from_class.astype(np.uint16) * np.uint16(TRANSITION_BASE) + to_class
    code[(from_class == NODATA) | (to_class == NODATA)] = TRANSITION_NODATA
    return code


def split_transition(code: NDArray[np.uint16]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """From and to class maps of a transition map: the inverse of `transition_code`."""
    from_class = (code // TRANSITION_BASE).astype(np.uint8)
    to_class = (code % TRANSITION_BASE).astype(np.uint8)
    nodata = code == TRANSITION_NODATA
    from_class[nodata] = to_class[nodata] = NODATA
    return from_class, to_class


def _pack(colors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    packed: NDArray[np.uint32] = (colors[0] << 16) | (colors[1] << 8) | colors[2]
    return packed


def _pack_color(color: Color) -> int:
    return (color[0] << 16) | (color[1] << 8) | color[2]


def _hex(color: Color) -> str:
    return "#{:02X}{:02X}{:02X}".format(*color)


def _color(text: str) -> Color:
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


SECOND = Legend(
    "second",
    (
        LandCover("water", (0, 0, 255)),
        LandCover("n.v.g. surface", (128, 128, 128)),
        LandCover("low vegetation", (0, 128, 0)),
        LandCover("tree", (0, 255, 0)),
        LandCover("building", (128, 0, 0)),
        LandCover("playground", (255, 0, 0)),
    ),
    replaceable=("building",),
)

URBAN = Legend(
    "urban",
    (
        LandCover("water", (31, 120, 180)),
        LandCover("ground", (217, 199, 158)),
        LandCover("road", (110, 110, 110)),
        LandCover("building", (192, 57, 43)),
        LandCover("vegetation", (51, 160, 44)),
    ),
    replaceable=("building",),
)

# Of masks of change, which say where but not what; no labels of classes are read with it.
CHANGE = Legend(
    "change",
    (LandCover("changed", (228, 26, 28)),),
    Coding(nodata=(), unchanged_color=(0,) * 3, mask=True),
)

LEGENDS = {legend.name: legend for legend in (SECOND, URBAN)}
