"""Pairs composed from labelled images: what the labels say is what was done."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from labelledimages import TO_URBAN

from scdcli.errors import DatasetError
from scdcli.legend import NODATA, SECOND, URBAN, LandCover, Legend
from scdcli.simulation.compose.compose import Composition, changes, compose_pair
from scdcli.simulation.compose.edits import EDITS, draw_edit, replaced_building
from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.paint import clear, coverage, paint
from scdcli.simulation.compose.pieces import Piece, block, building, outline
from scdcli.simulation.compose.roles import find_roles
from scdcli.simulation.compose.scene import Aim, LabelledImage, Scene, building_numbers, view
from scdcli.simulation.compose.studio import Studio
from scdcli.simulation.world import draw_pair

ROLES = find_roles(URBAN)
SEED = st.integers(0, 2**31)


def library_of(images):
    return Library(images, ROLES)


@pytest.fixture(scope="module")
def library():
    images = []
    for number in range(3):
        drawn = draw_pair(200 + number, 384, 384)
        cover = TO_URBAN[drawn.cover1]
        valid = np.ones(cover.shape, dtype=bool)
        images.append(LabelledImage(drawn.before, cover, valid, 0.5))
    return library_of(images)


@pytest.fixture
def place(library):
    # One with buildings, so that there is something to take away.
    places = (library.place(np.random.default_rng(n), (192, 192), 0.6) for n in range(50))
    return next(found for found in places if len(np.unique(found.objects)) > 4)


def flat_scene(size=40, index=2, objects=0):
    shape = (size, size)
    return Scene(
        np.full((3, *shape), 0.5, np.float32),
        np.full(shape, index, np.uint8),
        np.full(shape, objects, np.int32),
        np.ones(shape, bool),
    )


def changed_pixels(pair):
    """Where something changed; what is not measured counts nowhere."""
    return (pair.from_class != 0) & (pair.from_class != NODATA)


def square_piece(side=10, index=4, number=7):
    shape = (side, side)
    return Piece(
        np.ones((3, *shape), np.float32),
        np.full(shape, index, np.uint8),
        np.full(shape, number, np.int32),
        np.ones(shape, bool),
    )


def test_roles_come_from_the_names_of_the_classes():
    assert (ROLES.buildings, ROLES.roads, ROLES.water, ROLES.vegetation) == ((4,), (3,), {1}, {5})
    second = find_roles(SECOND)
    assert (second.buildings, second.roads) == ((5,), ())
    assert (second.water, second.vegetation) == ({1}, {3, 4})
    assert second.ground == (2, 6)
    odd = find_roles(Legend("odd", (LandCover("x", (1, 1, 1)), LandCover("y", (2, 2, 2)))))
    assert (odd.buildings, odd.roads, odd.regions, odd.ground) == ((), (), (1, 2), (1, 2))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("broadleaf forest", "vegetation"),
        ("north road", "roads"),
        ("dirt road", "roads"),
        ("parking", None),
        ("city park", "vegetation"),
        ("seasonal crop", "vegetation"),
        ("open sea", "water"),
        ("construction site", None),
        ("non-vegetated", None),
        ("no building", None),
    ],
)
def test_a_class_is_what_its_name_says(name, role):
    roles = find_roles(Legend("own", (LandCover(name, (1, 1, 1)),)))
    found = {kind for kind in ("buildings", "roads", "water", "vegetation") if getattr(roles, kind)}
    assert found == ({role} if role else set())


TWO_KINDS = find_roles(
    Legend(
        "own",
        tuple(
            LandCover(name, (number, 1, 1))
            for number, name in enumerate(("house", "factory building", "road", "railway", "grass"))
        ),
    )
)


def test_every_kind_of_building_and_road_is_one():
    assert (TWO_KINDS.buildings, TWO_KINDS.roads, TWO_KINDS.regions) == ((1, 2), (3, 4), (5,))
    cover = np.array([[1, 1, 2, 5, 1], [5, 5, 2, 3, 5]], np.uint8)
    assert building_numbers(cover, TWO_KINDS).tolist() == [[1, 1, 3, 0, 2], [0, 0, 3, 0, 0]]


def test_nothing_is_built_on_any_kind_of_building_or_road(library):
    two = Library(library.images, TWO_KINDS)
    place = two.place(np.random.default_rng(0), (192, 192), 0.6)
    free = place.cover == 5
    assert 0.1 < free.mean() < 0.9
    found = 0
    for seed in range(24):
        studio = Studio(two, np.random.default_rng(seed), 0.6, place)
        edit = EDITS["new buildings"][0](studio, place)
        if edit is None:
            continue
        built = edit(place).objects > place.objects.max()
        assert free[built].mean() > 0.85
        found += 1
    assert found >= 3


def test_a_legend_of_buildings_alone_has_nothing_else_to_put(library):
    roles = find_roles(Legend("own", (LandCover("building", (1, 1, 1)),)))
    images = [
        replace(image, cover=np.where(image.cover == 4, 1, NODATA).astype(np.uint8))
        for image in library.images
    ]
    only = Library(images, roles)
    place = only.place(np.random.default_rng(0), (192, 192), 0.6)
    for seed in range(8):
        studio = Studio(only, np.random.default_rng(seed), 0.6, place)
        assert draw_edit(studio, place) is None


def test_half_a_building_at_the_border_of_its_image_is_not_put_anywhere(library):
    cover = np.full((128, 128), 2, np.uint8)
    cover[50:70, :20] = 4
    image = LabelledImage(np.zeros((3, 128, 128), np.uint8), cover, cover > 0, 0.5)
    whole = replace(image, cover=np.roll(cover, 40, axis=1))
    for shown, expected in ((image, False), (whole, True)):
        found = [building(library_of([shown]), np.random.default_rng(n), 0.5) for n in range(6)]
        assert any(piece is not None for piece in found) == expected


def test_a_block_has_no_half_building_of_the_border_of_its_image():
    cover = np.full((160, 160), 2, np.uint8)
    cover[60:80, :20] = 4
    image = LabelledImage(np.zeros((3, 160, 160), np.uint8), cover, cover > 0, 0.5)
    whole = replace(image, cover=np.roll(cover, 60, axis=1))
    for shown, expected in ((image, False), (whole, True)):
        found = [block(library_of([shown]), np.random.default_rng(n), 120, 0.5) for n in range(12)]
        built = [(piece.cover[piece.mask] == 4).any() for piece in found if piece is not None]
        assert len(built) > 6
        assert any(built) == expected


def test_the_neighbor_of_a_building_taken_away_stays_as_it_was():
    scene = flat_scene()
    scene.objects[10:20, 10:20], scene.objects[10:20, 21:30] = 1, 2
    scene.cover[scene.objects > 0] = 4
    scene.image[:, scene.objects > 0] = 0.9
    done = clear(scene, scene.objects == 1, np.full((3, 40, 40), 0.2, np.float32), 2)
    assert (done.image[:, scene.objects == 1] < 0.85).all()
    np.testing.assert_array_equal(done.image[:, scene.objects == 2], np.float32(0.9))


def test_colors_are_borrowed_of_measured_pixels_alone():
    image = np.zeros((3, 64, 64), np.uint8)
    valid = np.zeros((64, 64), bool)
    image[:, 40:50, 20:30], valid[40:50, 20:30] = 204, True
    cover = np.where(valid, np.uint8(2), np.uint8(NODATA))
    colors = library_of([LabelledImage(image, cover, valid, 0.5)]).colors(0)
    assert colors.shape[:2] == (3, 1)
    np.testing.assert_allclose(colors, 0.8)


def test_an_image_that_shows_nothing_lends_no_colors(library):
    nothing = replace(library.images[0], valid=np.zeros((384, 384), bool))
    mostly = library_of([library.images[1], *[nothing] * 3])
    for seed in range(4):
        pair = compose_pair(mostly, Composition(size=128, pixel_size=(0.5, 0.8)), seed)
        assert pair.before.mean() > 20


def test_a_view_straight_on_is_the_image_itself(library):
    source = library.images[0]
    found = view(source, Aim((99.5, 149.5), (100, 120), 0.5))
    np.testing.assert_array_equal(found.cover, source.cover[50:150, 90:210])
    np.testing.assert_allclose(found.image() * 255, source.image[:, 50:150, 90:210], atol=0.01)
    assert found.valid.all()


def test_a_view_turned_and_mirrored_keeps_image_and_cover_together(library):
    source = library.images[0]
    turned = view(source, Aim((99.5, 149.5), (100, 100), 0.5, np.pi / 2))
    straight = view(source, Aim((99.5, 149.5), (100, 100), 0.5))
    np.testing.assert_array_equal(np.rot90(straight.cover, -1), turned.cover)
    np.testing.assert_allclose(np.rot90(straight.image(), -1, (1, 2)), turned.image(), atol=1e-4)
    mirrored = view(source, Aim((99.5, 149.5), (100, 100), 0.5, mirrored=True))
    np.testing.assert_array_equal(straight.cover[:, ::-1], mirrored.cover)


def test_a_view_beyond_the_image_is_not_valid(library):
    found = view(library.images[0], Aim((0.0, 0.0), (100, 100), 0.5))
    assert not found.valid[:49].any()
    assert found.valid[51:, 51:].all()
    assert (found.cover[~found.valid] == NODATA).all()
    far = view(library.images[0], Aim((-900.0, 9000.0), (16, 16), 0.5))
    assert not far.valid.any()


def test_a_coarser_view_shows_means():
    checks = np.indices((128, 128)).sum(axis=0) % 2 * 255
    image = np.stack([checks] * 3).astype(np.uint8)
    cover = np.ones((128, 128), np.uint8)
    source = LabelledImage(image, cover, cover > 0, 0.25)
    found = view(source, Aim((63.5, 63.5), (24, 24), 1.0)).image()
    np.testing.assert_allclose(found, 0.5, atol=0.02)


def test_a_piece_is_put_where_it_was_said_and_nowhere_else():
    scene = flat_scene()
    done = paint(scene, square_piece(), (5, 20), softness=0.0)
    expected = np.zeros((40, 40), bool)
    expected[5:15, 20:30] = True
    np.testing.assert_array_equal(done.cover == 4, expected)
    np.testing.assert_array_equal(done.objects == 7, expected)
    np.testing.assert_array_equal(done.image[0] == 1, expected)
    assert (scene.cover == 2).all()
    assert (scene.image == 0.5).all()


@pytest.mark.parametrize("place", [(-6, 3), (36, 36), (-40, 0), (100, 100)])
def test_a_piece_over_the_edge_is_cut(place):
    done = paint(flat_scene(), square_piece(), place, softness=1.0)
    rows, cols = (max(0, min(40, start + 10) - max(0, start)) for start in place)
    assert rows * cols == (done.cover == 4).sum()
    share = coverage(flat_scene(), square_piece(), place, np.ones((40, 40), bool))
    assert share == rows * cols / 100


def test_nothing_is_painted_where_nothing_is_measured():
    scene = flat_scene()
    scene.valid[:, :25] = False
    done = paint(scene, square_piece(), (5, 20), softness=1.5)
    assert (done.cover[:, :25] == 2).all()
    assert (done.image[:, :, :25] == 0.5).all()
    assert (done.cover[5:15, 25:30] == 4).all()


def test_a_cleared_building_takes_the_color_around_it():
    scene = flat_scene(60)
    mask = np.zeros((60, 60), bool)
    mask[25:35, 25:35] = True
    scene.image[:, mask] = 1.0
    scene.cover[mask], scene.objects[mask] = 4, 3
    ground = np.full((3, 60, 60), 0.9, np.float32)
    done = clear(scene, mask, ground, 5)
    np.testing.assert_allclose(done.image, 0.5, atol=0.02)
    assert (done.cover[mask] == 5).all()
    assert (done.cover[~mask] == 2).all()
    assert not done.objects.any()


@given(SEED)
@example(2135)
@example(82802449)
@settings(max_examples=30, deadline=None)
def test_outlines_are_in_the_middle_and_leave_room(seed):
    mask = outline(np.random.default_rng(seed), (64, 96))
    assert mask[32, 48]
    assert 0.05 < mask.mean() < 0.95


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_does_the_same_to_every_date(library, place, name):
    found = 0
    for seed in range(12):
        studio = Studio(library, np.random.default_rng(seed), 0.6, place)
        edit = EDITS[name][0](studio, place)
        if edit is None:
            continue
        found += 1
        once, twice = edit(place), edit(place)
        np.testing.assert_array_equal(once.image, twice.image)
        np.testing.assert_array_equal(once.objects, twice.objects)
        assert (changes(once, twice)[0] == 0).all()
        # Both dates alike before it are alike after it, whatever happened to them.
        assert (changes(edit(once), edit(twice))[1] == 0).all()
    assert found >= 3


def test_edits_change_the_picture_where_they_change_the_class(library, place):
    found = 0
    for seed in range(8):
        studio = Studio(library, np.random.default_rng(seed), 0.6, place)
        edit = draw_edit(studio, place)
        if edit is None:
            continue
        done = edit(place)
        changed = done.cover != place.cover
        if changed.sum() < 100:
            continue
        found += 1
        moved = np.abs(done.image - place.image).max(axis=0) > 1e-3
        assert moved[changed].mean() > 0.9
    assert found >= 3


def test_a_replaced_building_is_a_change_from_building_to_building(library, place):
    for seed in range(20):
        studio = Studio(library, np.random.default_rng(seed), 0.6, place)
        both = replaced_building(studio, place)
        if both is None:
            continue
        from_class, to_class = changes(both[0](place), both[1](place))
        if ((from_class == 4) & (to_class == 4)).any():
            return
    pytest.fail("no building was ever replaced")


def test_changes_are_other_classes_and_other_buildings():
    first, second = flat_scene(2, 4, objects=1), flat_scene(2, 4, objects=1)
    second.objects[0, 0] = 2
    second.cover[0, 1], second.objects[0, 1] = 5, 0
    second.cover[1, 0], second.objects[1, 0] = NODATA, 0
    from_class, to_class = changes(first, second)
    assert from_class.tolist() == [[4, 4], [255, 0]]
    assert to_class.tolist() == [[4, 5], [255, 0]]


def test_the_same_arguments_give_the_same_pixels(library):
    composition = Composition(size=128, pixel_size=(0.5, 0.8))
    first, second = (compose_pair(library, composition, (3, 1)) for _ in range(2))
    other = compose_pair(library, composition, (3, 2))
    for name in ("before", "after", "cover1", "cover2", "from_class", "to_class"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert (first.before != other.before).any()


@pytest.mark.parametrize("seed", range(6))
def test_maps_agree_with_each_other(library, seed):
    pair = compose_pair(library, Composition(size=128, pixel_size=(0.5, 0.8)), seed)
    assert pair.before.shape == pair.after.shape == (3, 128, 128)
    assert pair.before.dtype == np.uint8
    changed = changed_pixels(pair)
    np.testing.assert_array_equal(pair.from_class == NODATA, pair.to_class == NODATA)
    np.testing.assert_array_equal(pair.from_class == 0, pair.to_class == 0)
    np.testing.assert_array_equal(pair.from_class[changed], pair.cover1[changed])
    np.testing.assert_array_equal(pair.to_class[changed], pair.cover2[changed])
    still = pair.from_class == 0
    np.testing.assert_array_equal(pair.cover1[still], pair.cover2[still])


def test_without_change_and_nuisance_both_dates_are_the_same(library):
    composition = Composition(size=128, pixel_size=(0.5, 0.8), unchanged=1.0, strength=0.0)
    for seed in range(4):
        pair = compose_pair(library, composition, seed)
        np.testing.assert_array_equal(pair.before, pair.after)
        assert not changed_pixels(pair).any()


def test_what_is_no_change_is_not_labelled_as_change(library):
    composition = Composition(size=128, pixel_size=(0.5, 0.8), unchanged=1.0, strength=1.0)
    pairs = [compose_pair(library, composition, seed) for seed in range(4)]
    assert not any(changed_pixels(pair).any() for pair in pairs)
    assert np.mean([np.abs(pair.before - pair.after.astype(float)).mean() for pair in pairs]) > 5


def test_about_as_much_changes_as_was_asked_for(library):
    def mean_share(change):
        composition = Composition(160, (0.5, 0.8), change=change, unchanged=0.0, strength=0.0)
        pairs = (compose_pair(library, composition, seed) for seed in range(12))
        return np.mean([changed_pixels(pair).mean() for pair in pairs])

    little, much = mean_share(0.03), mean_share(0.3)
    assert 0.01 < little < 0.15
    assert much > 2 * little


def test_no_image_with_a_measured_pixel_is_an_error(library):
    image = replace(library.images[0], valid=np.zeros((384, 384), bool))
    with pytest.raises(DatasetError, match="none of the labelled images has a measured pixel"):
        library_of([image])
