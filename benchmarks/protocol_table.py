"""The table of `urban_protocol.py`: one row per system, as Markdown, CSV and JSON."""

import csv
import json
from pathlib import Path

DASH = "\N{EN DASH}"

# Title, part, and the path of the value in the part's record; shares are shown in percent.
COLUMNS = {
    "SeK": ("synthetic", "sek_from_to"),
    "SeK stacked": ("synthetic", "sek_stacked"),
    "mIoU": ("synthetic", "miou"),
    "F_scd": ("synthetic", "fscd_from_to"),
    "changed IoU": ("synthetic", "iou_changed"),
    "cover mIoU": ("synthetic", "landcover_miou"),
    "false alarms": ("unchanged", "share"),
    "as is": ("unchanged-as-is", "share"),
    "real IoU": ("real", "iou"),
    "precision": ("real", "precision"),
    "recall": ("real", "recall"),
    "F1": ("real", "f1"),
    "mean IoU of pairs": ("real", "mean_iou"),
    "s": ("time", "seconds"),
}


def write_tables(out: Path, records: dict[str, dict]) -> str:
    """Write ``table.json``, ``table.csv`` and ``table.md``; returns the last.

    Args:
        out: Folder.
        records: Per system, per part what was measured; parts not measured are absent.
    """
    (out / "table.json").write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    rows = {system: columns(parts) for system, parts in records.items()}
    with (out / "table.csv").open("w", newline="", encoding="utf-8") as stream:
        names = dict.fromkeys(name for row in rows.values() for name in row)
        writer = csv.DictWriter(stream, ["system", *names])
        writer.writeheader()
        writer.writerows({"system": system, **row} for system, row in rows.items())
    text = "\n".join([*main_table(records), "", *pair_table(records), *class_table(records)])
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    return text


def columns(parts: dict) -> dict[str, float | None]:
    """All numbers of a system, by the name of their column; what it has not measured is absent."""
    row = {
        f"{part}.{name}": parts[part].get(name) for part, name in COLUMNS.values() if part in parts
    }
    row |= {f"synthetic.landcover_iou.{name}": v for name, v in cover_ious(parts).items()}
    for part in ("unchanged", "unchanged-as-is", "real"):
        for pair, found in parts.get(part, {}).get("pairs", {}).items():
            name = "iou" if part == "real" else "share"
            row[f"{part}.{pair}.{name}"] = found[name]
    return row


def cover_ious(parts: dict) -> dict[str, float | None]:
    """Land-cover IoU of every class by its name; empty where no land cover was scored."""
    record = parts.get("synthetic", {})
    covers = (record.get("legend") or {}).get("classes", [])
    found = record.get("landcover_iou", {})
    return {cover["name"]: found.get(str(i)) for i, cover in enumerate(covers, 1) if found}


def main_table(records: dict[str, dict]) -> list[str]:
    measured = {part for parts in records.values() for part in parts}
    shown = {title: where for title, where in COLUMNS.items() if where[0] in measured}
    lines = [_line(["system", *shown]), _line(["---"] * (len(shown) + 1))]
    for system, parts in records.items():
        values = [
            _cell(parts.get(part, {}).get(name), percent=part != "time")
            for part, name in shown.values()
        ]
        lines.append(_line([f"`{system}`", *values]))
    return lines


def pair_table(records: dict[str, dict]) -> list[str]:
    """What is called changed of each unchanged pair, moved back and as it is."""
    return _each_pair(records, "unchanged", "share", "false alarms") + _each_pair(
        records, "real", "iou", "real IoU"
    )


def class_table(records: dict[str, dict]) -> list[str]:
    """Land-cover IoU of every class."""
    found = {system: cover_ious(parts) for system, parts in records.items()}
    return _block({s: row for s, row in found.items() if row}, "land-cover IoU")


def _each_pair(records: dict, part: str, name: str, title: str) -> list[str]:
    found = {
        system: {pair: value[name] for pair, value in parts[part]["pairs"].items()}
        for system, parts in records.items()
        if part in parts
    }
    return _block(found, title)


def _block(found: dict[str, dict], title: str) -> list[str]:
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    if not names:
        return []
    head = [_line([title, *names]), _line(["---"] * (len(names) + 1))]
    rows = [
        _line([f"`{s}`", *(_cell(row.get(name), percent=True) for name in names)])
        for s, row in found.items()
    ]
    return [*head, *rows, ""]


def _cell(value: float | None, *, percent: bool) -> str:
    if value is None:
        return DASH
    return f"{100 * value:.1f}" if percent else f"{value:.2f}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
