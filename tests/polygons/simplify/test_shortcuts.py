"""A shortcut is free only where nothing else of the map lies between it and the border it saves."""

import numpy as np
import shapely
from changemaps import NODATA, random_map

from scdcli.polygons.simplify.borders import find_borders
from scdcli.polygons.simplify.shortcuts import Sections, are_free


def borders_of(codes):
    frame = np.full((1, codes.shape[1]), NODATA, dtype=np.uint16)
    return find_borders(0, np.concatenate([frame, codes, frame]))


def follow(borders, rng, steps):
    """A walk along borders from some vertex to another one: its vertices, no point twice."""
    height, width = len(borders.vertex), borders.vertex.shape[1] * 8
    lattice = np.unpackbits(borders.vertex, axis=1)[:, :width].astype(bool)
    junction = np.unpackbits(borders.junction, axis=1)[:, :width].astype(bool)
    row, col = rng.choice(np.argwhere(lattice))
    path = [(row, col)]
    for _ in range(steps):
        ways = [
            (row + k * d[0], col + k * d[1])
            for d in ((0, 1), (1, 0), (0, -1), (-1, 0))
            for k in [next_vertex(lattice, row, col, d, height, width)]
            if k
        ]
        ways = [way for way in ways if way not in path]
        if not ways:
            break
        row, col = ways[rng.integers(len(ways))]
        path.append((row, col))
        if junction[row, col]:
            break
    return path


def next_vertex(lattice, row, col, direction, height, width):
    for k in range(1, 50):
        r, c = row + k * direction[0], col + k * direction[1]
        if not (0 <= r < height and 0 <= c < width):
            return 0
        if lattice[r, c]:
            return k
    return 0


def swept_by_shapely(path, vertices):
    """Whether another vertex lies on the shortcut, or in what it encloses with the path."""
    line, shortcut = shapely.linestrings(path), shapely.linestrings([path[0], path[-1]])
    faces = shapely.get_parts(
        shapely.polygonize(
            shapely.get_parts(shapely.node(shapely.union_all([line, shortcut])))[None]
        )[0]
    )
    area = shapely.union_all([shortcut, *faces])
    own = set(map(tuple, path))
    others = [point for point in vertices if tuple(point) not in own]
    return bool(shapely.intersects(shapely.points(others), area).any())


def test_free_shortcuts_enclose_no_other_vertex(rng):
    told_free = really_free = 0
    for _ in range(60):
        codes = random_map(rng)
        borders = borders_of(codes)
        vertices = np.argwhere(np.unpackbits(borders.vertex, axis=1))
        paths = [follow(borders, rng, int(rng.integers(2, 15))) for _ in range(8)]
        paths = [path for path in paths if len(path) > 2]
        if not paths:
            continue
        row, col = np.concatenate(paths).T.astype(np.int64)
        start = np.cumsum([0, *map(len, paths)])
        free = are_free(Sections(row, col, start), borders)
        for path, told in zip(paths, free, strict=True):
            swept = swept_by_shapely([tuple(map(float, p)) for p in path], vertices.astype(float))
            assert not (told and swept), path
            told_free += bool(told)
            really_free += not swept
    assert told_free > 50
    assert told_free > 0.9 * really_free


def test_no_sections_are_no_answers():
    none = np.empty(0, dtype=np.int64)
    borders = borders_of(np.zeros((3, 3), dtype=np.uint16))
    assert len(are_free(Sections(none, none, np.zeros(1, dtype=np.int64)), borders)) == 0
