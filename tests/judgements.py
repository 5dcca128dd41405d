"""Samples judged by one who knows the truth."""

import csv

import numpy as np

from scdcli.sampling.pointfile import GEOMETRY, sample_tables


def judge(sample, truth):
    """Rows of the points file as a judge fills them in; ``truth`` is codes, (H, W)."""
    points, _ = sample_tables(sample)
    rows = points.drop_columns([GEOMETRY]).to_pylist()
    grid = sample.change_map.grid
    place = zip(sample.units.row.tolist(), sample.units.col.tolist(), strict=True)
    for row, (r, c) in zip(rows, place, strict=True):
        code = int(truth[int(r), int(c)])
        row["reference_from"], row["reference_to"] = divmod(code, 100)
        row["x"], row["y"] = grid.transform @ (c, r)
    return rows


def write_rows(path, rows, delimiter=","):
    """A CSV table of the rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
    return path


def confuse(codes, rng, share=0.1, patch=1):
    """Another map, wrong in a share of the pixels, or in whole blocks of ``patch`` pixels."""
    height, width = (-(-size // patch) for size in codes.shape)
    wrong = np.kron(rng.random((height, width)) < share, np.ones((patch, patch), bool))
    wrong = wrong[: codes.shape[0], : codes.shape[1]]
    known = [code for code in np.unique(codes) if code != 65535]
    other = np.kron(rng.choice(known, (height, width)), np.ones((patch, patch), int))
    other = other[: codes.shape[0], : codes.shape[1]]
    return np.where(wrong & (codes != 65535), other, codes).astype(np.uint16)
