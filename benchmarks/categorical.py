"""Which formula of the "categorical SeK" can have given the paper's Table II.

Usage: python benchmarks/categorical.py

The paper says of it "calculated from 2×2 confusion matrix concentrating on each change type" and
gives no formula. Table II has, of three systems and three kinds of testing, a value for each
transition and IoU₁ and IoU₂; Table I has their SeK. IoU₁ and IoU₂ fix the shares of the pixels that
are unchanged in both maps (a) and changed in both (h); all systems are scored on the same labels,
so the labelled change p lies between the largest h and the smallest 1 - a; and SeK with p gives the
share of the right types. A formula must agree with all of that: the mean of the transitions that it
reads from the table, each weighted with its pixels, is known from these shares alone.

- Of kappas of one type against the rest that weighted mean is the kappa of all types together
  (Cohen 1960).
- Of F1 it is 2·(right pixels) / (predicted + labelled pixels), which F1 and kappa share where a
  type is rare among all pixels.
"""

from collections.abc import Callable
from math import exp
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

CLASSES = ("low vegetation", "surface", "building", "tree", "water", "playground")
BUILDING = 2
CHANCES = (0.06, 0.10, 0.15, 0.20)  # agreement by chance among types of change
NONE = float("nan")
# Rows: class before, columns: class after, of Table II; low vegetation, n.v.g. surface, building,
# tree, water, playground. IoU₁ and IoU₂ stand below, SeK is that of Table I.
TABLES = {
    ("hrscd-str1", "none"): (
        (NONE, 30.0, 22.7, 19.4, 21.7, 3.3),
        (31.3, NONE, 31.3, 20.7, 15.0, 4.7),
        (21.9, 31.3, 21.4, 12.6, 19.2, 0.0),
        (16.9, 19.1, 16.1, NONE, 1.1, 0.0),
        (19.5, 16.1, 19.0, 10.0, NONE, NONE),
        (0.1, 3.4, 0.0, 0.0, NONE, NONE),
        (34.9, 23.8, 4.6),
    ),
    ("hrscd-str4", "none"): (
        (NONE, 41.7, 30.8, 22.2, 19.9, 8.4),
        (44.1, NONE, 42.1, 28.5, 24.6, 6.0),
        (35.1, 47.2, 26.1, 18.1, 33.8, 0.0),
        (12.0, 26.0, 24.5, NONE, 12.6, 0.0),
        (13.7, 26.0, 29.2, 13.0, NONE, NONE),
        (1.1, 1.8, 0.4, 0.0, NONE, NONE),
        (86.6, 48.4, 13.7),
    ),
    ("asn-atl", "none"): (
        (NONE, 42.0, 32.2, 28.3, 20.4, 34.2),
        (43.7, NONE, 44.7, 30.4, 29.5, 41.9),
        (33.1, 48.3, 27.1, 24.9, 31.1, 17.8),
        (20.2, 27.7, 23.7, NONE, 5.9, 0.0),
        (25.9, 29.8, 27.8, 21.7, NONE, NONE),
        (17.1, 29.7, 16.5, 1.3, NONE, NONE),
        (85.9, 52.4, 15.5),
    ),
    ("hrscd-str1", "ms"): (
        (NONE, 30.6, 23.1, 20.0, 22.0, 1.2),
        (31.5, NONE, 31.9, 21.4, 14.3, 1.7),
        (22.4, 32.3, 22.5, 13.9, 20.5, 0.0),
        (17.8, 19.8, 16.9, NONE, 0.9, 0.0),
        (16.4, 15.9, 17.8, 11.0, NONE, NONE),
        (0.0, 1.9, 0.0, 0.0, NONE, NONE),
        (35.6, 24.0, 4.9),
    ),
    ("hrscd-str4", "ms"): (
        (NONE, 42.4, 31.6, 21.8, 14.4, 4.7),
        (44.7, NONE, 42.8, 29.2, 19.8, 4.8),
        (36.1, 48.3, 27.9, 21.4, 31.2, 0.0),
        (12.0, 26.8, 25.6, NONE, 7.8, 0.0),
        (7.5, 22.0, 26.3, 13.0, NONE, NONE),
        (0.1, 1.7, 0.3, 0.0, NONE, NONE),
        (86.9, 48.8, 14.4),
    ),
    ("asn-atl", "ms"): (
        (NONE, 43.4, 32.5, 28.5, 21.2, 37.6),
        (45.4, NONE, 45.4, 31.5, 31.5, 43.3),
        (34.4, 49.4, 28.7, 25.9, 36.0, 20.1),
        (21.0, 28.7, 24.8, NONE, 10.3, 0.0),
        (26.8, 31.4, 28.8, 21.3, NONE, NONE),
        (15.5, 28.0, 20.8, 0.1, NONE, NONE),
        (86.4, 53.3, 16.5),
    ),
    ("hrscd-str1", "ms+flip"): (
        (NONE, 30.8, 23.2, 20.1, 21.9, 1.2),
        (31.6, NONE, 31.9, 21.4, 14.1, 2.3),
        (22.5, 32.4, 22.4, 14.2, 20.5, 0.0),
        (18.0, 20.0, 16.8, NONE, 0.8, 0.0),
        (16.1, 15.4, 18.1, 9.6, NONE, NONE),
        (0.0, 2.4, 0.0, 0.0, NONE, NONE),
        (35.6, 24.0, 4.9),
    ),
    ("hrscd-str4", "ms+flip"): (
        (NONE, 42.6, 31.8, 22.2, 11.3, 3.5),
        (45.0, NONE, 42.9, 29.4, 18.9, 4.4),
        (36.3, 48.4, 28.2, 22.0, 29.3, 0.0),
        (12.8, 26.7, 26.2, NONE, 6.4, 0.0),
        (8.7, 22.2, 25.7, 15.4, NONE, NONE),
        (0.0, 1.6, 0.3, 0.0, NONE, NONE),
        (87.0, 48.8, 14.5),
    ),
    ("asn-atl", "ms+flip"): (
        (NONE, 43.6, 32.7, 28.3, 21.5, 37.7),
        (45.7, NONE, 45.7, 31.8, 32.5, 43.3),
        (34.6, 49.7, 29.1, 26.4, 35.5, 20.1),
        (21.3, 28.6, 25.2, NONE, 13.4, 0.0),
        (27.4, 32.1, 29.2, 22.0, NONE, NONE),
        (15.9, 27.9, 24.9, 0.3, NONE, NONE),
        (86.5, 53.5, 16.8),
    ),
}


class Printed(NamedTuple):
    """One sheet of Table II, as fractions."""

    values: np.ndarray  # (6, 6), nan where there is none
    iou_unchanged: float
    iou_changed: float
    sek: float


class Shares(NamedTuple):
    """What IoUs and SeK say of all pixels, for a share p of labelled change and a chance x."""

    hits: float  # changed in both maps
    either: float  # changed in either map, 1 - a
    right: float  # of the right type


def printed(sheet: tuple) -> Printed:
    """A sheet of `TABLES`."""
    *rows, below = sheet
    return Printed(np.array(rows) / 100, *(x / 100 for x in below))


def unchanged_and_hits(of: Printed) -> tuple[float, float]:
    """a and h from IoU₁ = a / (1 - h) and IoU₂ = h / (1 - a)."""
    one, two = of.iou_unchanged, of.iou_changed
    a = one * (1 - two) / (1 - one * two)
    return a, two * (1 - a)


def shares(of: Printed, p: float, x: float) -> Shares:
    """The share of right types that Eq. 18 asks for.

    Args:
        of: The sheet.
        p: Share of the pixels that are labelled as changed.
        x: Agreement by chance among types of change, Σ (share predicted · share labelled).
    """
    a, hits = unchanged_and_hits(of)
    either = 1 - a
    predicted = either + hits - p
    chance = ((p - hits) * (predicted - hits) + p * predicted * x) / either**2
    kappa = of.sek / exp(of.iou_changed - 1)
    return Shares(hits, either, either * (kappa + chance * (1 - kappa)))


def f1_of_iou_times_f1(value: float) -> float:
    """F1 of which e^(IoU - 1) · F1 is the value, IoU being F1 / (2 - F1)."""
    return float(brentq(lambda f: exp(f / (2 - f) - 1) * f - value, 0, 1))


Agreement = Callable[[float, Printed], float]
# What of a printed value is left when the factor is taken away.
FACTORS: dict[str, Agreement] = {
    "κ": lambda value, of: value,
    "e^(IoU₂ - 1) · κ": lambda value, of: value / exp(of.iou_changed - 1),
    "e^(IoU - 1) · κ": lambda value, of: f1_of_iou_times_f1(value),
}


def main() -> None:
    """All candidates against all sheets."""
    sheets = {name: printed(sheet) for name, sheet in TABLES.items()}
    for testing in dict.fromkeys(how for _, how in TABLES):
        chosen = {system: of for (system, how), of in sheets.items() if how == testing}
        ends = [unchanged_and_hits(of) for of in chosen.values()]
        low, high = max(h for _, h in ends), min(1 - a for a, _ in ends)
        print(f"\ntesting {testing}: labelled change p in {low:.3f} … {high:.3f}")
        for system, of in chosen.items():
            for maps, needed in needed_means(of, (low, high)).items():
                print(f"  {system}, {maps}: the mean must lie in {span(needed)}")
                for factor, agreement in FACTORS.items():
                    left = [agreement(v, of) for v in of.values[np.isfinite(of.values)]]
                    fits = "cannot" if max(left) < needed[0] or min(left) > needed[1] else "can"
                    middle = float(np.median(left))
                    print(f"    {factor:17s} up to {max(left):.2f}, median {middle:.2f}: {fits}")
    print("\nbuilding → building, which masked maps of hrscd-str1 cannot hold (Eq. 2): they give 0")
    for (system, testing), of in sheets.items():
        value = of.values[BUILDING, BUILDING]
        unmasked = value / exp(of.iou_changed - 1)
        print(f"  {system} {testing}: {100 * value:.1f}; by e^(IoU₂ - 1) {100 * unmasked:.1f}")


def needed_means(of: Printed, p: tuple[float, float]) -> dict[str, tuple[float, float]]:
    """Least and greatest weighted mean of the transitions, by the maps that are compared.

    Masked maps hold F1 of all pixels; unmasked ones kappa of the pixels labelled as changed, of
    which those that the mask leaves out are all wrong at worst and all right at best.
    """
    masked, unmasked = [], []
    for share in np.linspace(*p, 9):
        for chance in CHANCES:
            s = shares(of, share, chance)
            masked.append(2 * s.right / (s.either + s.hits))
            agreed = (s.right / share, (s.right + share - s.hits) / share)
            unmasked += [(each - chance) / (1 - chance) for each in agreed]
    return {
        "masked, all pixels": (min(masked), max(masked)),
        "unmasked, labelled change": (min(unmasked), max(unmasked)),
    }


def span(ends: tuple[float, float]) -> str:
    """Both ends, with two digits."""
    return f"{ends[0]:.2f} … {ends[1]:.2f}"


if __name__ == "__main__":
    main()
