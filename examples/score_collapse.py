"""Draw how OA, kappa and SeK fall while a prediction collapses to "unchanged": the paper's Fig. 6.

Usage: python examples/score_collapse.py OUT.png [TRUTH] [--start perfect] [--pairs 12] [--size 256]

TRUTH is a labelled set, as `scd evaluate` reads it; without it, pairs are drawn. The prediction to
begin with is the truth with misplaced edges and confused classes, or with --start perfect the truth
itself. Then a growing share of its changed pixels is called unchanged, patch by patch.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scdcli.datasets.classmap import read_label
from scdcli.legend import NODATA, SECOND, UNCHANGED, Legend, transition_code
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.mappairs import files_legend
from scdcli.scoring.mapsets import find_truth
from scdcli.scoring.metrics import ChangeScores, known, scores
from scdcli.simulation.world import draw_pair

STEPS = 21
SHOWN = (0.25, 0.5, 0.75, 1)  # shares of which a map is drawn
PATCH = 8  # pixels, the scale at which predictions vanish and err
MISPLACED = 2  # pixels
CONFUSED = 0.2  # share of the area where a class is taken for another
CURVES = {"OA": "oa", "κ": "kappa", "SeK": "sek"}

ClassMap = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """Truth and first prediction of one pair, and the order in which its changes vanish."""

    truth: tuple[ClassMap, ClassMap]
    prediction: tuple[ClassMap, ClassMap]
    order: NDArray[np.float64]  # (H, W); low values vanish first

    def collapsed(self, share: float) -> tuple[ClassMap, ClassMap]:
        """The prediction with a share of its changed pixels called unchanged."""
        changed = (self.prediction[0] != UNCHANGED) & (self.prediction[0] != NODATA)
        if not changed.any():
            return self.prediction
        gone = changed & (self.order <= np.quantile(self.order[changed], share)) & (share > 0)
        first, second = (np.where(gone, UNCHANGED, each) for each in self.prediction)
        return first.astype(np.uint8), second.astype(np.uint8)


def main() -> None:
    """Write the picture, print the numbers."""
    asked = arguments()
    drawing = (asked.pairs, asked.size, asked.seed)
    found, legend = read_set(asked.truth) if asked.truth else drawn_set(*drawing)
    rng = np.random.default_rng(asked.seed)
    pairs = [begin(truth, legend, rng, perfect=asked.start == "perfect") for truth in found]
    shares = np.linspace(0, 1, STEPS)
    fallen = [score(pairs, share, len(legend)) for share in shares]
    print("share  " + "  ".join(f"{name:>6}" for name in CURVES))
    for share, each in zip(shares, fallen, strict=True):
        print(f"{share:5.2f}  " + "  ".join(f"{value:6.3f}" for value in curve_values(each)))
    draw(pairs, legend, shares, fallen).savefig(asked.out, dpi=100)


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("truth", type=Path, nargs="?")
    parser.add_argument("--start", choices=["realistic", "perfect"], default="realistic")
    parser.add_argument("--pairs", type=int, default=12, help="pairs to draw without TRUTH")
    parser.add_argument("--size", type=int, default=256, help="their side in pixels")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def read_set(root: Path) -> tuple[list[tuple[ClassMap, ClassMap]], Legend]:
    """All labels of a set, and the legend they carry, or else SECOND's."""
    truth = find_truth(root)
    legend = files_legend(truth) or SECOND
    files = truth.maps.values()
    return [(read_label(one, legend), read_label(other, legend)) for one, other in files], legend


def drawn_set(pairs: int, size: int, seed: int) -> tuple[list[tuple[ClassMap, ClassMap]], Legend]:
    """Labels of pairs of the drawn world."""
    drawn = (draw_pair((seed, number), size, size) for number in range(pairs))
    return [(pair.from_class, pair.to_class) for pair in drawn], SECOND


def begin(
    truth: tuple[ClassMap, ClassMap], legend: Legend, rng: np.random.Generator, *, perfect: bool
) -> Pair:
    """A pair with its first prediction."""
    shape = truth[0].shape
    order, errors = (gaussian_filter(rng.standard_normal(shape), PATCH) for _ in range(2))
    if perfect:
        return Pair(truth, truth, order)
    wrong = errors < np.quantile(errors, CONFUSED)
    first, second = (np.roll(each, MISPLACED, axis=(0, 1)) for each in truth)
    classes = (second > UNCHANGED) & (second != NODATA)
    second = np.where(wrong & classes, second % len(legend) + 1, second).astype(np.uint8)
    return Pair(truth, (first, second), order)


def score(pairs: list[Pair], share: float, classes: int) -> ChangeScores:
    """The from-to scores of one matrix over all pairs."""
    counts = (count_joint((*pair.truth, *pair.collapsed(share))) for pair in pairs)
    return scores(sum(counts, JointCounts.empty()), classes).from_to


def curve_values(each: ChangeScores) -> list[float]:
    """The scores of `CURVES`; nan where one is undefined, so that its curve has a gap."""
    values = (known(getattr(each, field)) for field in CURVES.values())
    return [float("nan") if value is None else value for value in values]


def draw(
    pairs: list[Pair], legend: Legend, shares: NDArray[np.float64], fallen: list[ChangeScores]
) -> Figure:
    """Curves below, one pair's map of the later date above."""
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 2.1))
    shown = max(pairs, key=lambda pair: len(np.unique(transition_code(*pair.truth))))
    maps = {"truth": shown.truth[1], "prediction": shown.prediction[1]}
    maps |= {f"{share:.0%} gone": shown.collapsed(share)[1] for share in SHOWN}
    places = np.ravel(above.subplots(1, len(maps)))
    for axes, (title, index) in zip(places, maps.items(), strict=True):
        draw_map(axes, legend, title, index)
    axes = below.add_subplot()
    values = np.array([curve_values(each) for each in fallen])
    for name, curve in zip(CURVES, values.T, strict=True):
        axes.plot(100 * shares, curve, label=name)
    axes.set(xlabel="predicted change called unchanged, %", ylabel="score", ylim=(-0.02, 1.02))
    axes.margins(x=0.01)
    axes.grid(alpha=0.3)
    axes.legend(loc="center right")
    return figure


def draw_map(axes: Axes, legend: Legend, title: str, index: ClassMap) -> None:
    """Classes in their colors."""
    step = -(-max(index.shape) // 128)
    axes.imshow(np.moveaxis(legend.encode(index[::step, ::step]), 0, -1), interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9)


if __name__ == "__main__":
    main()
