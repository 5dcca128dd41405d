"""Every date at mean and spread of the model: the same in training, validation and prediction."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given
from hypothesis import strategies as st
from pictures import write_png
from rasterio.windows import Window
from runs import CPU, QUICK, TINY, run, tensors, train
from scenes import noise, write_scene
from sets import find_samples
from standins import loaded

from scdcli.datasets.augment import Augmentation
from scdcli.datasets.chips import Chips
from scdcli.datasets.dataset import read_pair
from scdcli.errors import DatasetError, ModelError, TrainingError, UnknownName
from scdcli.legend import SECOND
from scdcli.models.checkpoint import ModelHeader, load_model, save_model
from scdcli.models.networks.outputs import probabilities
from scdcli.prediction.chain import Predictor, predict_windows
from scdcli.prediction.decode import read
from scdcli.rasters.pair.mappings import MeanStd, measure, standardize, standardizing_line
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import open_scene
from scdcli.training.stages import require_names
from scdcli.training.trainer import TrainingSettings

WANTED = MeanStd((100.0, 110.0, 90.0), (40.0, 38.0, 44.0))
PER_DATE = replace(QUICK, epochs=2, standardize="per-date")
gains = st.floats(0.3, 3)
offsets = st.floats(-50, 50)


@pytest.fixture
def per_date_model(tmp_path):
    """A model file that wants dates brought to its mean and spread."""
    made = loaded()
    made.model.mean[:] = torch.tensor(WANTED.mean)
    made.model.std[:] = torch.tensor(WANTED.std)
    header = ModelHeader(made.header.network, SECOND, normalization="per-date")
    save_model(tmp_path / "model.safetensors", made.model, header)
    return tmp_path / "model.safetensors"


def pixels_of(path):
    with open_scene(path) as dataset:
        return dataset.read()


def predict(scd, folder, before, after, model, *options):
    """Probability in percent and classes before, as ``scd predict`` writes them; its summary."""
    words = ("--chip", "64", "--overlap", "0", "--vector", "none", "--mmu", "0", "--json", *options)
    result = scd("predict", before, after, "-o", folder, "-m", model, *words)
    assert result.exit_code == 0, result.output
    layers = []
    for name in ("probability", "from"):
        with rasterio.open(folder / f"{name}.tif") as dataset:
            layers.append(dataset.read(1))
    return *layers, json.loads(result.stdout), result.stderr


def test_levels_are_mean_and_standard_deviation_in_every_type():
    pixels = noise((3, 1000))
    found = measure(pixels)
    np.testing.assert_allclose(found.mean, pixels.mean(axis=1))
    np.testing.assert_allclose(found.std, pixels.std(axis=1))
    assert measure(pixels.astype(np.float32)) == found
    assert measure(pixels[:, ::-1].astype(np.float64)) == found


@given(gains, offsets)
def test_an_image_has_the_levels_wanted_whatever_its_light(gain, offset):
    image = noise((3, 16, 16)).astype(np.float32)
    seen = np.ones((16, 16), bool)
    plain = standardize(image, seen, WANTED)
    other = standardize(image * np.float32(gain) + np.float32(offset), seen, WANTED)
    found = measure(plain.reshape(3, -1))
    np.testing.assert_allclose(found.mean, WANTED.mean, rtol=1e-4)
    np.testing.assert_allclose(found.std, WANTED.std, rtol=1e-4)
    np.testing.assert_allclose(plain, other, atol=0.01)


def test_a_constant_image_is_not_blown_up():
    image = np.full((3, 8, 8), 50, np.uint8)
    image[:, 0, 0] = 51
    found = standardize(image, np.ones((8, 8), bool), WANTED)
    assert np.ptp(found, axis=(1, 2)) == pytest.approx(8, abs=1e-4)
    assert standardizing_line(measure(image.reshape(3, -1)), WANTED).gain == (8, 8, 8)


def test_pixels_that_do_not_count_have_no_say():
    image = noise((3, 8, 8))
    seen = np.ones((8, 8), bool)
    seen[:4] = False
    spoilt = image.copy()
    spoilt[:, :4] = 255
    first, second = (standardize(x, seen, WANTED)[:, seen] for x in (image, spoilt))
    np.testing.assert_array_equal(first, second)
    assert standardize(image, ~seen & seen, WANTED) is image


def test_chips_keep_their_differences_to_the_image_they_are_cut_from(second_tree):
    sample = find_samples(second_tree(pairs=1) / "train")[0]
    whole = read_pair(sample, SECOND, cover=False, mean_std=WANTED)
    for image in (whole.before, whole.after):
        found = measure(image.numpy().reshape(3, -1))
        np.testing.assert_allclose([*found.mean, *found.std], [*WANTED.mean, *WANTED.std], 1e-4)
    plain = Augmentation(chip=32, scale=(1.0, 1.0), flip=False)
    chips = Chips([sample], SECOND, bands=3, cover=False, mean_std=WANTED, augmentation=plain)
    chip = chips[0]["before"][0].numpy()
    windows = np.lib.stride_tricks.sliding_window_view(whole.before[0].numpy(), (32, 32))
    assert (windows == chip).all(axis=(2, 3)).any()


def test_images_of_other_bands_than_the_levels_are_named(second_tree):
    sample = find_samples(second_tree(pairs=1) / "train")[0]
    sample = replace(sample, bands=(1, 2))
    with pytest.raises(DatasetError, match="00000 has 2 bands, the training reads 3"):
        read_pair(sample, SECOND, cover=False, mean_std=WANTED)


def test_windows_of_scenes_are_normalized_by_the_whole_scene(tmp_path):
    folder = tmp_path / "set/a"
    folder.mkdir(parents=True)
    pixels = noise((3, 200, 150), "uint16", high=9000)
    pixels[:, :100] //= 2
    for name in ("before", "after"):
        write_scene(folder / f"{name}.tif", pixels)
        label = "from" if name == "before" else "to"
        write_scene(folder / f"{label}.tif", np.zeros((1, 200, 150), np.uint8))
    (sample,) = find_samples(tmp_path / "set")
    plain = Augmentation(chip=64, scale=(1.0, 1.0), flip=False)
    chips = Chips([sample], SECOND, bands=3, cover=False, mean_std=WANTED, augmentation=plain)
    item = chips[0]["before"].numpy()
    with open_pair(sample.before, sample.after) as pair:
        stretched, _, _ = pair.read(Window(0, 0, 150, 200))
    whole = standardize(stretched, np.ones((200, 150), bool), WANTED)
    windows = np.lib.stride_tricks.sliding_window_view(whole, (8, 8), axis=(1, 2))
    distance = np.abs(windows - item[:, None, None, :8, :8]).max(axis=(0, 3, 4))
    assert distance.min() < 1e-3


def test_windows_do_not_matter_and_statistics_are_read_once(tmp_path, monkeypatch):
    paths = [write_scene(tmp_path / f"{n}.tif", noise((3, 90, 70), seed=n)) for n in range(2)]
    settings = PairSettings(mean_std=WANTED)
    with open_pair(*paths, settings) as pair:
        whole = pair.read(Window(0, 0, 70, 90))
        part = pair.read(Window(11, 7, 30, 40))
        known = replace(settings, normalization=pair.normalization)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[..., 7:47, 11:41], other)
    monkeypatch.setattr("scdcli.rasters.pair.open.find_normalization", None)  # not to be called
    with open_pair(*paths, known) as pair:
        np.testing.assert_array_equal(pair.read(Window(0, 0, 70, 90))[0], whole[0])


def test_a_prediction_is_what_validation_sees_of_the_same_pair(
    scd, second_tree, tmp_path, per_date_model
):
    sample = find_samples(second_tree(pairs=1) / "train")[0]
    paths = []
    for path in (sample.before, sample.after):
        paths.append(write_scene(tmp_path / f"{path.parent.name}.tif", pixels_of(path)))
    model = load_model(str(per_date_model))
    chips = Chips([sample], SECOND, bands=3, cover=False, mean_std=model.mean_std)
    with open_pair(*paths, PairSettings(mean_std=model.mean_std)) as pair:
        np.testing.assert_array_equal(pair.read(Window(0, 0, 64, 64))[1], chips[0]["after"])
    with torch.inference_mode():
        logits = model.model(chips[0]["before"][None], chips[0]["after"][None])
    found = probabilities(logits)[0].numpy()
    buildings = SECOND.replaceable_indices()
    expected = read(found, model.model.output, len(SECOND), replaceable=buildings).at(0.5)
    probability, from_class, summary, said = predict(scd, tmp_path / "out", *paths, per_date_model)
    np.testing.assert_array_equal(probability, expected.probability)
    np.testing.assert_array_equal(from_class, expected.from_class)
    record = summary["inputs"]["normalization"]["per_date"]
    assert record["to"]["mean"] == list(WANTED.mean)
    assert record["before"]["mean"] != record["after"]["mean"]
    assert "Each date is brought to the mean and spread that the model knows" in said


def test_the_light_of_a_whole_date_changes_nothing(scd, tmp_path, per_date_model):
    before, after = (noise((3, 64, 64), "float32", seed=n) for n in range(2))
    first, second, third = (
        write_scene(tmp_path / f"{name}.tif", pixels)
        for name, pixels in (("a", before), ("b", after), ("c", after * 0.5 + 40))
    )
    scale = ("--scale", "0,256")
    plain = predict(scd, tmp_path / "x", first, second, per_date_model, *scale)
    dimmed = predict(scd, tmp_path / "y", first, third, per_date_model, *scale)
    assert np.abs(plain[0].astype(int) - dimmed[0]).max() <= 1
    assert (plain[1] != dimmed[1]).mean() < 0.001
    assert len(np.unique(plain[0])) > 3


def test_evaluate_brings_dates_to_the_levels_too(scd, second_tree, per_date_model, tmp_path):
    """Darker copies of the second images score the same."""
    root = second_tree(pairs=1, splits=("test",))
    command = ("evaluate", root, "-m", per_date_model, "--chip", "64", "--json", "-q")
    first = json.loads(scd(*command).stdout)
    path = root / "test/im2/00000.png"
    write_png(path, pixels_of(path) // 2)
    second = json.loads(scd(*command).stdout)
    assert first["pixels"] == second["pixels"] == 64 * 64
    assert second["oa"] == pytest.approx(first["oa"], abs=0.02)


def test_a_pair_that_is_not_at_the_models_levels_is_refused(tmp_path, per_date_model):
    path = write_scene(tmp_path / "a.tif", noise((3, 64, 64)))
    running = Predictor(load_model(str(per_date_model)), torch.device("cpu"), 0.5)
    with open_pair(path, path) as pair, pytest.raises(ModelError, match="each date at MeanStd"):
        next(predict_windows(pair, running))


@pytest.fixture
def samples(second_tree):
    return find_samples(second_tree(pairs=4, size=64) / "train")


def test_a_training_stores_it_and_resumes_to_the_same_bits(samples, tmp_path):
    run(samples, tmp_path / "whole", PER_DATE)
    run(samples, tmp_path / "parts", PER_DATE, stop_after=1)
    with pytest.raises(TrainingError, match="standardize was 'per-date' and is 'none'"):
        run(samples, tmp_path / "parts", replace(PER_DATE, standardize="none"), resume=True)
    run(samples, tmp_path / "parts", PER_DATE, resume=True)
    one, other = (tensors(tmp_path / name / "last.safetensors") for name in ("whole", "parts"))
    assert all((one[name] == other[name]).all() for name in one)
    found = load_model(str(tmp_path / "whole/best.safetensors"))
    assert found.header.normalization == found.header.training["standardize"] == "per-date"
    assert found.mean_std == MeanStd(
        tuple(found.model.mean.tolist()), tuple(found.model.std.tolist())
    )


def test_what_a_network_learns_does_not_depend_on_the_light(samples, tmp_path):
    """The same first step from images whose second dates are twice as dark."""

    def loss(out):
        settings = replace(PER_DATE, epochs=1, augmentation=Augmentation(chip=64, scale=(1.0, 1.0)))
        events = train(samples, [], out, TINY, SECOND, settings, CPU)
        return next(iter(events)).loss

    first = loss(tmp_path / "first")
    for sample in samples:
        write_png(sample.after, pixels_of(sample.after) // 2)
    assert loss(tmp_path / "second") == pytest.approx(first, rel=0.01)


def test_an_unknown_standardization_is_refused_before_the_data():
    with pytest.raises(UnknownName, match="'per-scene'; choose one of: none, per-date"):
        require_names(TINY, TrainingSettings(standardize="per-scene"))


def test_a_start_says_the_normalization_unless_it_is_given(scd, second_tree, tmp_path):
    root = second_tree(pairs=3)
    quick = ("--network", "fc-siam-diff", "--width", "0.125", "--chip", "64", "--epochs", "1", "-q")

    def normalization(name, *options):
        result = scd("train", root, "-o", tmp_path / name, *quick, *options)
        assert result.exit_code == 0, result.output
        return load_model(str(tmp_path / name / "best.safetensors")).header.normalization

    assert normalization("first", "--standardize", "per-date") == "per-date"
    start = ("--init", tmp_path / "first/best.safetensors")
    assert normalization("second", *start) == "per-date"
    assert normalization("third", *start, "--standardize", "none") == "none"
    assert normalization("fourth") == "none"


def test_a_revision_sees_images_as_the_network_it_revises(second_tree, per_date_model, tmp_path):
    network = replace(load_model(str(per_date_model)).header.network, name="asn-atl")
    samples = find_samples(second_tree(pairs=2) / "train")
    start = load_model(str(per_date_model))
    events = train(samples, [], tmp_path / "run", network, SECOND, QUICK, CPU, start=start)
    with pytest.raises(
        ModelError, match="with --standardize per-date and is to be revised with none"
    ):
        next(iter(events))
