"""Scores as files: one JSON document, and tables as CSV; fractions everywhere, never percent."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scdcli.errors import OutputError
from scdcli.files.whole import require_free_file, write_csv, write_whole
from scdcli.legend import UNCHANGED
from scdcli.scoring.bootstrap import CONFIDENCE
from scdcli.scoring.comparison import ONE_PAIR, Bootstrap, Run
from scdcli.scoring.counting import Margins, from_to_margins, stacked_matrix
from scdcli.scoring.evaluation import PairCounts
from scdcli.scoring.metrics import change_scores, headline, known

Row = dict[str, Any]

SCORE_SUFFIXES = (".json", ".csv")
TABLE_SUFFIXES = (".csv",)

IOUS = ("iou_unchanged", "iou_changed")
# What a pair's line holds of its scores; the others say little of so few pixels.
PAIR_SCORES = ("oa", "kappa", "miou", "iou_changed", "sek_from_to", "sek_stacked")


def document(truth: str, runs: Sequence[Run], resampled: Bootstrap | None) -> dict[str, Any]:
    """The whole result, JSON-ready: one run as it is, several under ``systems``."""
    drawn = {}
    if resampled:
        drawn["bootstrap"] = {
            "resamples": resampled.resamples,
            "seed": resampled.seed,
            "confidence": CONFIDENCE,
            "undefined": None if resampled.intervals else ONE_PAIR,
        }
    described = [_describe(run, runs, resampled, number) for number, run in enumerate(runs)]
    if len(described) == 1:
        return {"truth": truth, **described[0], **drawn}
    scored = runs[0].evaluation
    return {
        "truth": truth,
        "legend": scored.legend.to_dict() if scored.legend else None,
        "classes": scored.classes,
        "pairs": scored.pairs,
        **drawn,
        "systems": described,
    }


def score_rows(runs: Sequence[Run], resampled: Bootstrap | None) -> list[Row]:
    """A row per run: its headline scores, and their intervals and differences if there are any."""
    rows = []
    for number, run in enumerate(runs):
        scored = run.evaluation
        row: Row = {
            "system": run.system,
            "tta": run.tta,
            "pairs": scored.pairs,
            "pixels": scored.pixels,
            "nodata_pixels": scored.nodata_pixels,
            "incomplete_pixels": scored.incomplete_pixels,
        }
        row |= {name: known(value) for name, value in run.headline().items()}
        row |= _cover_columns(run)
        if resampled:
            row |= _bounds(resampled, runs, number)
        rows.append(row)
    return rows


def matrix_rows(runs: Sequence[Run]) -> list[Row]:
    """A row per run, kind of categorical SeK and class before: towards every class after; IoUs."""
    rows = []
    for run in runs:
        scored, from_to = run.evaluation, run.evaluation.scores.from_to
        names = [f"{index} {scored.class_name(index)}" for index in range(1, scored.classes + 1)]
        ious = {name: known(getattr(from_to, name)) for name in IOUS}
        for kind, each in scored.categorical().items():
            values = map(known, each)
            first = {"system": run.system, "tta": run.tta, "score": kind}
            for from_class in names:
                row = {to_class: next(values) for to_class in names}
                rows.append({**first, "from": from_class, **row, **ious})
    return rows


def pair_rows(runs: Sequence[Run]) -> list[Row]:
    """A row per run and pair, with the pair's own scores."""
    return [
        {"system": run.system, "tta": run.tta, **_pair_row(part, run.evaluation.classes)}
        for run in runs
        for part in run.evaluation.parts
    ]


def require_writable(files: Iterable[Path], suffixes: Sequence[str], *, overwrite: bool) -> None:
    """Refuse files that cannot be written, before any work is done.

    Raises:
        OutputError: A suffix is unknown, a file exists, or its folder does not.
    """
    for path in files:
        if path.suffix.lower() not in suffixes:
            ending = f"for '{path.suffix}'" if path.suffix else "without a suffix"
            raise OutputError(f"{path}: there is no format {ending}; use {' or '.join(suffixes)}.")
        if path.is_dir():
            raise OutputError(f"{path} is a folder; name a file.")
        require_free_file(path, overwrite=overwrite)
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: {path.parent} is no folder; name a file.")


def prepare_folder(folder: Path, files: Iterable[Path], *, overwrite: bool) -> None:
    """Make the folder of files that will be written, before any work is done.

    Raises:
        OutputError: The folder cannot be made, or one of the files exists and may not be replaced.
    """
    taken = [path for path in files if path.exists()]
    if taken and not overwrite:
        raise OutputError(
            f"{taken[0]} exists; replace it with --overwrite, or name another folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made ({error.strerror}); name another folder."
        ) from error


def write_scores(
    path: Path, whole: dict[str, Any], runs: Sequence[Run], resampled: Bootstrap | None
) -> None:
    """The document as ``.json``, or `score_rows` as ``.csv``.

    Raises:
        OutputError: It cannot be written.
    """
    if path.suffix.lower() == ".csv":
        write_csv(path, score_rows(runs, resampled))
    else:
        write_whole(path, dumps(whole).encode() + b"\n")


def dumps(whole: dict[str, Any]) -> str:
    """The document as text."""
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)


def _describe(
    run: Run, runs: Sequence[Run], resampled: Bootstrap | None, number: int
) -> dict[str, Any]:
    described = {"system": run.system, "tta": run.tta, **run.origin, **run.evaluation.to_dict()}
    if run.land_cover:
        reasons = described["undefined"] | run.land_cover.undefined()
        described |= run.land_cover.to_dict() | {"undefined": reasons}
    if resampled and resampled.intervals:
        described["intervals"] = {
            name: asdict(each) if each else None
            for name, each in resampled.intervals[number].items()
        }
        other = resampled.against[number]
        if other is not None:
            described["against"] = {"system": runs[other].system, "tta": runs[other].tta}
            described["differences"] = {
                name: each.to_dict() if each else None
                for name, each in resampled.differences[number].items()
            }
    return described


def _cover_columns(run: Run) -> Row:
    """The IoU of each class in the land cover, where any of it is known."""
    iou = run.land_cover.scores.iou if run.land_cover else ()
    return {f"landcover_iou_{index}": known(value) for index, value in enumerate(iou, start=1)}


def _bounds(resampled: Bootstrap, runs: Sequence[Run], number: int) -> Row:
    """The columns of a run's intervals and differences; undefined ones are left out."""
    if not resampled.intervals:
        return {}
    row: Row = {}
    for name, each in resampled.intervals[number].items():
        row |= {f"{name}_low": each and each.low, f"{name}_high": each and each.high}
    other = resampled.against[number]
    if other is None:
        return row
    row |= {"against_system": runs[other].system, "against_tta": runs[other].tta}
    for name, difference in resampled.differences[number].items():
        bounds = difference.to_dict() if difference else {}
        row[f"{name}_difference"] = bounds.get("value")
        row[f"{name}_difference_low"] = bounds.get("low")
        row[f"{name}_difference_high"] = bounds.get("high")
        row[f"{name}_not_better"] = bounds.get("not_better")
    return row


def _pair_row(part: PairCounts, classes: int) -> Row:
    from_to = from_to_margins(part.counts, classes)
    stacked = Margins.of(stacked_matrix(part.counts, classes))
    scores = headline(change_scores(from_to), change_scores(stacked))
    pixels = int(from_to.labelled.sum())
    row: Row = {"name": part.name, "pixels": pixels, "nodata_pixels": part.counts.total - pixels}
    for side, margin in (("truth", from_to.labelled), ("prediction", from_to.predicted)):
        row[f"changed_share_{side}"] = 1 - int(margin[UNCHANGED]) / pixels if pixels else None
    return row | {name: known(scores[name]) for name in PAIR_SCORES}
