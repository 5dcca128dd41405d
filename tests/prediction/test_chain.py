"""The chain from pair to class maps: fixed result whatever the split, third state nodata."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import write_scene
from standins import Thresholds, loaded, predictor

from scdcli.errors import ModelError
from scdcli.legend import NODATA
from scdcli.models.engines import Engine
from scdcli.models.networks.outputs import CoverLogits, Logits, TypeLogits
from scdcli.prediction import chain
from scdcli.prediction.chain import (
    Predictor,
    default_overlap,
    default_supertile,
    look_at,
    predict_windows,
)
from scdcli.prediction.tiling import Tiling
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings


@pytest.fixture
def scenes(tmp_path, rng):
    """Two scenes of 150 × 210 pixels in blocks of color, and what the stand-in sees in them."""
    blocks = rng.integers(0, 6, (2, 15, 21))
    cover = np.kron(blocks, np.ones((1, 10, 10), int))
    paths = []
    for number, classes in enumerate(cover):
        image = np.stack([classes * 40 + 20] * 3).astype(np.uint8)
        path = tmp_path / f"{number}.tif"
        write_scene(path, image)
        paths.append(path)
    changed = cover[0] != cover[1]
    return paths, np.where(changed, cover[0] + 1, 0), np.where(changed, cover[1] + 1, 0)


def whole(paths, predictor, **reading):
    with open_pair(*paths, PairSettings(**reading)) as pair:
        shape = pair.grid.shape
        layers = np.full((5, *shape), 77, dtype=np.uint8)
        for window, decoded, _ in predict_windows(pair, predictor):
            rows = slice(window.row_off, window.row_off + window.height)
            cols = slice(window.col_off, window.col_off + window.width)
            layers[:, rows, cols] = np.stack(decoded)
    return layers


def test_every_pixel_gets_its_own_classes(scenes):
    paths, from_class, to_class = scenes
    layers = whole(paths, predictor(Thresholds()))
    assert (layers[0] == from_class).all()
    assert (layers[1] == to_class).all()
    assert set(np.unique(layers[2])) == {0, 100}


def test_land_cover_is_known_where_nothing_changed(scenes):
    paths, from_class, _ = scenes
    layers = whole(paths, predictor(Thresholds()))
    changed = from_class > 0
    assert (layers[3][changed] == from_class[changed]).all()
    assert (layers[3][~changed] == layers[4][~changed]).all()
    assert (layers[3] > 0).all()


def test_a_real_network_gives_the_same_bits_for_every_split(scenes):
    paths, *_ = scenes
    first = whole(paths, predictor(tiling=Tiling(64, 16, 2)))
    for supertile in (1, 3, 50):
        made = whole(paths, predictor(tiling=Tiling(64, 16, supertile)))
        assert (made == first).all(), supertile


class TypesByBand(torch.nn.Module):
    """`Thresholds` with its answer as from-to types."""

    output = "types"

    def forward(self, before, after):
        inner = Thresholds()(before, after)
        types = torch.einsum("bihw,bjhw->bijhw", inner.from_class / 20, inner.to_class / 20)
        changed = inner.change[:, 1:] / 20
        unchanged = 20 * (1 - changed)
        return TypeLogits(torch.cat((unchanged, 20 * changed * types.flatten(1, 2)), dim=1))


class CoversByBand(torch.nn.Module):
    """`Thresholds` without its change branch."""

    output = "covers"

    def forward(self, before, after):
        return CoverLogits(*Thresholds()(before, after)[:2])


@pytest.mark.parametrize("network", [TypesByBand, CoversByBand])
def test_every_kind_of_output_becomes_the_same_maps(scenes, network):
    paths, from_class, to_class = scenes
    layers = whole(paths, predictor(network()))
    assert (layers[0] == from_class).all()
    assert (layers[1] == to_class).all()


@pytest.mark.parametrize(("network", "strides"), [(Thresholds, 4), (TypesByBand, 3)])
def test_many_channels_are_blended_in_smaller_supertiles(network, strides):
    assert default_supertile(loaded(network())) == strides


def test_the_padded_last_batch_changes_nothing(scenes):
    """150 × 210 makes 12 chips and batches of 5 leave 2: three copies fill the last batch."""
    paths, *_ = scenes
    stand_in = whole(paths, predictor(Thresholds(), batch=1))
    assert (whole(paths, predictor(Thresholds(), batch=5)) == stand_in).all()


@pytest.mark.parametrize("tta", ["none", "flip", "ms", "ms+flip"])
def test_views_are_mirrored_back_before_they_are_averaged(scenes, tta):
    paths, from_class, _ = scenes
    layers = whole(paths, predictor(Thresholds(), tta=tta))
    agree = (layers[0] == from_class).mean()
    assert agree == 1 if "ms" not in tta else agree > 0.85  # resizing blurs the block edges


def test_flip_averages_over_mirrored_copies():
    """A network that is 1 on the left half is 1/2 everywhere after flip, and 1/0 without."""

    class Left(torch.nn.Module):
        output = "branches"

        def forward(self, before, after):
            half = torch.zeros_like(before[:, :2])
            half[:, 1, :, :16] = 50
            half[:, 0, :, 16:] = 50
            zero = torch.zeros_like(before[:, :1]).repeat(1, 6, 1, 1)
            return Logits(zero, zero, half)

    image = torch.zeros(1, 3, 32, 32)
    plain = look_at(predictor(Left()), image, image).probabilities[0, -1]
    flipped = look_at(predictor(Left(), tta="flip"), image, image).probabilities[0, -1]
    assert plain[0, 0] == 1
    assert plain[0, 31] < 1e-9
    torch.testing.assert_close(flipped, torch.full((32, 32), 0.5))


def test_one_low_precision_context_holds_all_views(monkeypatch):
    """Each would round all weights again."""
    entered = []

    @contextmanager
    def counted(device, precision):
        entered.append(precision)
        with torch.autocast(device.type, precision):
            yield

    monkeypatch.setattr(chain, "autocast", counted)
    image = torch.rand(1, 3, 64, 64) * 255
    for tta in ("none", "ms+flip"):
        found = look_at(predictor(tta=tta, precision=torch.bfloat16), image, image).probabilities
        assert found.dtype is torch.float32
    assert entered == [torch.bfloat16] * 2


def test_nodata_of_either_date_is_neither_changed_nor_unchanged(scenes, tmp_path):
    (before, after), from_class, _ = scenes
    import rasterio

    with rasterio.open(after) as dataset:
        image = dataset.read()
    image[:, 20:90, 30:100] = 0
    holed = tmp_path / "holed.tif"
    write_scene(holed, image, nodata=0)
    layers = whole((before, holed), predictor(Thresholds()))
    hole = np.zeros(from_class.shape, bool)
    hole[20:90, 30:100] = True
    assert (layers[:, hole] == NODATA).all()
    assert (layers[0][~hole] == from_class[~hole]).all()


@pytest.mark.parametrize("shape", [(1, 1), (7, 200), (64, 64), (65, 63)])
def test_scenes_smaller_than_a_chip_are_mirrored_up_to_it(tmp_path, shape, rng):
    blocks = rng.integers(0, 6, (2, *shape))
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for path, classes in zip(paths, blocks, strict=True):
        image = np.stack([classes * 40 + 20] * 3).astype(np.uint8)
        write_scene(path, image)
    layers = whole(paths, predictor(Thresholds()))
    expected = np.where(blocks[0] != blocks[1], blocks[0] + 1, 0)
    assert (layers[0] == expected).all()


def test_a_small_scene_is_not_filled_up_to_a_whole_chip(tmp_path, rng):
    shapes = set()

    class Seen(Thresholds):
        def forward(self, before, after):
            shapes.add(tuple(before.shape[-2:]))
            return super().forward(before, after)

    blocks = rng.integers(0, 6, (2, 70, 130))
    paths = [
        write_scene(tmp_path / name, np.stack([classes * 40 + 20] * 3).astype(np.uint8))
        for name, classes in zip(("a.tif", "b.tif"), blocks, strict=True)
    ]
    layers = whole(paths, predictor(Seen(), tiling=Tiling(512, 128), tta="flip"))
    assert shapes == {(96, 160)}
    assert (layers[0] == np.where(blocks[0] != blocks[1], blocks[0] + 1, 0)).all()


def test_another_number_of_bands_is_refused_with_both(scenes):
    paths, *_ = scenes
    four = Predictor(loaded(bands=4), torch.device("cpu"), 0.5)
    with open_pair(*paths) as pair, pytest.raises(ModelError, match=r"4 bands.* have 3 in use"):
        next(predict_windows(pair, four))


def test_values_that_are_not_numbers_are_no_result(scenes):
    class Nan(Thresholds):
        def forward(self, before, after):
            return Logits(*(x * float("nan") for x in super().forward(before, after)))

    paths, *_ = scenes
    with open_pair(*paths) as pair, pytest.raises(ModelError, match="not numbers"):
        next(predict_windows(pair, predictor(Nan())))


class Greedy(Thresholds):
    """Has memory for so many chips only."""

    def __init__(self, room, error):
        super().__init__()
        self.room, self.error, self.seen = room, error, []

    def forward(self, before, after):
        self.seen.append(len(before))
        if len(before) > self.room:
            raise self.error
        return super().forward(before, after)


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["torch", "cublas"])
def test_a_batch_too_large_for_the_memory_is_halved_once_said_and_changes_nothing(scenes, error):
    paths, *_ = scenes
    said = []
    network = Greedy(2, error)
    halved = whole(paths, predictor(network, batch=8, say=said.append))
    assert (halved == whole(paths, predictor(Thresholds(), batch=8))).all()
    assert network.seen[:3] == [8, 4, 2]
    assert set(network.seen[3:]) == {2}
    assert len(said) == 1
    assert "8 chips" in said[0]


@pytest.mark.parametrize(("kind", "sizes"), [("cpu", [8, 8, 8]), ("meta", [3, 8, 1])])
def test_copies_of_all_chips_share_passes_that_only_a_cpu_fills_up(monkeypatch, kind, sizes):
    found = []

    def noting(before, after):
        found.append(len(before))
        assert len(after) == len(before)
        return Logits(*(torch.zeros(len(before), 2, 64, 64) for _ in range(3)))

    monkeypatch.setattr(chain, "autocast", lambda *_: nullcontext())
    running = replace(
        predictor(tta="flip", batch=8),
        engine=Engine("torch", noting),
        device=torch.device(kind),
    )
    images = torch.zeros(3, 3, 64, 64)
    assert look_at(running, images, images).probabilities.shape == (3, 5, 64, 64)
    assert found == sizes


def test_not_even_one_chip_fits(scenes):
    with pytest.raises(ModelError, match="one chip of 64 x 64 pixels; use a smaller --chip"):
        whole(scenes[0], predictor(Greedy(0, OUT_OF_MEMORY[0]), batch=2))


def test_other_failures_of_the_network_are_not_taken_for_a_lack_of_memory(scenes):
    with pytest.raises(RuntimeError, match="shapes"):
        whole(scenes[0], predictor(Greedy(0, RuntimeError("shapes do not match")), batch=2))


def test_the_overlap_suits_any_chip():
    assert [default_overlap(chip) for chip in (64, 128, 256, 512, 1024)] == [16, 32, 64, 64, 64]
    for chip in (64, 100, 1000):
        Tiling(chip, default_overlap(chip))
