"""What `urban_protocol.py` measures: unchanged pairs, changed pairs, synthetic pairs, time.

Every part is a function of a system that gives one JSON-ready record.
"""

from pathlib import Path

import numpy as np
from protocol_systems import Pairs, System, read_band, seconds
from rasterio.windows import Window

from scdcli.datasets.classmap import read_label
from scdcli.scoring.counting import JointCounts, count_joint, from_to_margins
from scdcli.scoring.mappairs import files_legend
from scdcli.scoring.mapsets import find_images, find_truth
from scdcli.scoring.metrics import change_scores, known

RGB = (1, 2, 3)
CHANGED = 1  # in maps without classes


def unchanged_pairs(data: Path, *, coregister: bool = True) -> Pairs:
    """Real pairs in which almost nothing changed; they are shifted by up to 5.6 pixels."""
    older = sorted((data / "wv_naip").glob("*-old.tif"))
    files = {path.stem.removesuffix("-old"): (path, _newer(path)) for path in older}
    return Pairs("unchanged" if coregister else "unchanged-as-is", files, RGB, coregister)


def _newer(path: Path) -> Path:
    return path.with_name(path.name.replace("-old.tif", "-new.tif"))


def real_pairs(data: Path) -> Pairs:
    """Real pairs with changes of any kind."""
    root = data / "real_pairs"
    before = sorted((root / "A").iterdir()) if root.is_dir() else []
    return Pairs("real", {path.stem: (path, root / "B" / path.name) for path in before})


def real_label(data: Path, name: str) -> np.ndarray:
    """What changed, (H, W) uint8 0 or 1; compressed labels are a little off black and white."""
    path = next((data / "real_pairs" / "label").glob(f"{name}.*"))
    return (read_band(path) > 127).astype(np.uint8) * CHANGED


def measure_unchanged(system: System, pairs: Pairs) -> dict:
    """How much of what both images show is called changed: all of it a false alarm, nearly."""
    found = {
        name: {"valid": int((m.changed != 255).sum()), "changed": int((m.changed == 1).sum())}
        for name, m in system.maps(pairs)
    }
    for each in found.values():
        each["share"] = _ratio(each["changed"], each["valid"])
    total = {key: sum(each[key] for each in found.values()) for key in ("valid", "changed")}
    return {**total, "share": _ratio(total["changed"], total["valid"]), "pairs": found}


def measure_real(system: System, pairs: Pairs, data: Path) -> dict:
    """Binary scores of changed pixels, of all pairs together and of each."""
    counts = {}
    for name, found in system.maps(pairs):
        truth = real_label(data, name)
        counts[name] = count_joint((truth, truth, found.changed, found.changed))
    each = {name: binary_scores(one) for name, one in counts.items()}
    ious = [scores["iou"] for scores in each.values() if scores["iou"] is not None]
    pooled = binary_scores(sum(counts.values(), JointCounts.empty()))
    return {**pooled, "mean_iou": float(np.mean(ious)) if ious else None, "pairs": each}


def measure_synthetic(system: System, truth: Path) -> dict:
    """The scores of `scd evaluate`; of maps without the labels' classes those of change alone."""
    labels = find_truth(truth)
    legend = files_legend(labels)
    if system.legend and legend and _names(system.legend) == _names(legend):
        return system.evaluate(truth)
    counts = JointCounts.empty()
    pairs = Pairs("synthetic", find_images(labels))
    for name, found in system.maps(pairs):
        truth_changed = [_changed(path, legend) for path in labels.maps[name]]
        counts += count_joint((*truth_changed, found.changed, found.changed))
    scores = change_scores(from_to_margins(counts, CHANGED))
    return {"miou": known(scores.miou), "iou_changed": known(scores.iou_changed)}


def binary_scores(counts: JointCounts) -> dict:
    """IoU, F1, precision and recall of changed pixels; None where there are none."""
    margins = from_to_margins(counts, CHANGED)
    scores = change_scores(margins)
    hits, predicted, labelled = (
        int(each[CHANGED]) for each in (margins.hits, margins.predicted, margins.labelled)
    )
    return {
        "iou": known(scores.iou_changed),
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, labelled),
        "f1": known(scores.fscd),
    }


def measure_time(system: System) -> dict:
    return {"seconds": seconds(system)}


def naip_pairs(data: Path) -> Pairs:
    """One place in 2009 and 2018, only to look at."""
    return Pairs("naip-2009-2018", _series(data / "naip", "*2009*.tif", "*2018*.tif"), RGB)


def landsat_pairs(data: Path) -> Pairs:
    """One place in 1990 and 2020, only to look at."""
    return Pairs("landsat-1990-2020", _series(data / "landsat", "1990.tif", "2020.tif"), RGB)


def _series(folder: Path, before: str, after: str) -> dict:
    found = [sorted(folder.glob(pattern)) for pattern in (before, after)]
    return {folder.name: (found[0][0], found[1][0])} if all(found) else {}


def read_images(pairs: Pairs, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Both dates as the systems read them, (3, H, W)."""
    with pairs.open(name) as pair:
        before, after, _ = pair.read(Window(0, 0, pair.grid.width, pair.grid.height))
    return before[:3], after[:3]


def _changed(path: Path, legend) -> np.ndarray:
    index = read_label(path, legend)
    return np.where((index == 0) | (index == 255), index, CHANGED).astype(np.uint8)


def _names(legend) -> list[str]:
    return [cover.name for cover in legend.classes]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
