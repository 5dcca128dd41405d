"""Color rendering: tone curves, white balance, saturation, and the colors of another scene."""

from dataclasses import dataclass

import numpy as np

from scdcli.simulation.camera.noise import Field

KNOTS = 17
LEVELS = 1024  # entries of a tone table
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
FARTHEST = 0.35  # that a palette moves a color, in display units
STEEPEST, FLATTEST = 2.4, 0.35  # slopes of a curve that goes towards a palette


@dataclass(frozen=True)
class Palette:
    """The colors of a scene or sensor: `KNOTS` evenly spaced quantiles of each band, in 0..1."""

    quantiles: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Tone:
    """How a camera and its lab render light.

    Attributes:
        gain: Factor per band: exposure and white balance.
        gamma: Exponent per band.
        brightest: What the highlights of a picture may reach; a camera exposes for them.
        contrast: Stretch about middle gray; 1 for none.
        black: Added to each band, in display units.
        saturation: Factor on color against gray.
        mixing: Share that each band takes from the others, (3, 3) with rows of sum 1.
        palette: Colors of another scene, which the picture takes on in part.
        toward_palette: How far it goes towards them, 0..1.
    """

    gain: tuple[float, ...] = (1.0, 1.0, 1.0)
    gamma: tuple[float, ...] = (1.0, 1.0, 1.0)
    brightest: float = 4.0
    contrast: float = 1.0
    black: tuple[float, ...] = (0.0, 0.0, 0.0)
    saturation: float = 1.0
    mixing: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    palette: Palette | None = None
    toward_palette: float = 0.0


def palette(image: Field) -> Palette:
    """The colors of an image (3, H, W) in 0..1."""
    step = max(1, int(np.sqrt(image[0].size / 20_000)))
    few = image[:, ::step, ::step].reshape(3, -1)
    quantiles = np.quantile(few, np.linspace(0.0, 1.0, KNOTS), axis=1).T
    return Palette(tuple(tuple(map(float, band)) for band in quantiles))


def with_tone(picture: Field, tone: Tone) -> Field:
    """The picture (3, H, W) as this tone shows it, float32 in 0..1."""
    if tone == Tone():
        return picture
    levels = np.linspace(0.0, 1.0, LEVELS, dtype=np.float32)
    highlights = np.quantile(picture[:, ::8, ::8], 0.97) * np.mean(tone.gain)
    stop = min(1.0, tone.brightest / max(float(highlights), 1e-3))
    curves = [_curve(levels * np.float32(stop), band, tone) for band in range(3)]
    if tone.palette is not None and tone.toward_palette > 0:
        own = palette(_looked_up(picture[:, ::4, ::4], curves)).quantiles
        curves = [
            np.interp(curve, levels, _between(here, there, tone.toward_palette)).astype(np.float32)
            for curve, here, there in zip(curves, own, tone.palette.quantiles, strict=True)
        ]
    picture = _looked_up(picture, curves)
    gray = np.float32(1 - tone.saturation) * LUMA
    matrix = np.asarray(tone.mixing, dtype=np.float32) * np.float32(tone.saturation) + gray
    mixed = matrix @ picture.reshape(3, -1)
    return np.asarray(np.clip(mixed, 0.0, 1.0, out=mixed).reshape(picture.shape))


def _looked_up(picture: Field, curves: list[Field]) -> Field:
    """Every band (of a picture in about 0..1) sent through its table of `LEVELS` entries."""
    place = picture * np.float32(LEVELS - 1)
    np.clip(place, 0, LEVELS - 1.001, out=place)
    low = place.astype(np.int32)
    place -= low
    out = np.empty_like(place)
    for band, curve in enumerate(curves):
        steps = np.diff(curve, append=curve[-1:])
        out[band] = curve.take(low[band]) + steps.take(low[band]) * place[band]
    return out


def luminance(picture: Field) -> Field:
    """Brightness of a picture (3, H, W), (H, W) float32."""
    return np.asarray(np.tensordot(LUMA, picture, axes=1), dtype=np.float32)


def _curve(levels: Field, band: int, tone: Tone) -> Field:
    """Tone curve of one band at all levels; monotone."""
    light = np.clip(levels * np.float32(tone.gain[band]), 0.0, None)
    # Highlights roll off instead of breaking off, except of the very bright.
    shoulder = np.where(light > 0.85, 0.85 + 0.3 * np.tanh((light - 0.85) / 0.3), light)
    light = shoulder if max(tone.gain) > 1 else light
    light = np.power(light, np.float32(tone.gamma[band]))
    light = 0.45 + (light - 0.45) * np.float32(tone.contrast) + np.float32(tone.black[band])
    return np.asarray(np.clip(light, 0.0, 1.0), dtype=np.float32)


def _between(own: tuple[float, ...], others: tuple[float, ...], share: float) -> Field:
    """The curve, at all levels, that takes a band's own quantiles a share of the way to others."""
    levels = np.linspace(0.0, 1.0, LEVELS, dtype=np.float32)
    here, there = np.asarray(own), np.asarray(others)
    aim = here + np.float32(share) * np.clip(there - here, -FARTHEST, FARTHEST)
    curve = np.interp(levels, here + np.linspace(0, 1e-6, KNOTS), aim)
    # Bounded slopes: matching two nearly flat histograms would tear gray levels apart.
    slopes = np.clip(np.diff(curve) * (LEVELS - 1), FLATTEST, STEEPEST) / (LEVELS - 1)
    gentle = np.concatenate([[0.0], np.cumsum(slopes)])
    middle = int(np.clip(here[KNOTS // 2], 0, 1) * (LEVELS - 1))
    gentle += curve[middle] - gentle[middle]
    return np.asarray(np.clip(gentle, 0.0, 1.0), dtype=np.float32)


def draw_tone(rng: np.random.Generator, amount: float, palettes: tuple[Palette, ...] = ()) -> Tone:
    """One lab's rendering; `amount` 0 leaves pictures as they are, 1 is usual."""
    if amount <= 0:
        return Tone()
    wide = 2.0 if rng.random() < 0.18 else 1.0
    exposure = rng.normal(0.0, 0.09) * wide * amount
    # Balance errs between blue and orange, seldom between green and magenta.
    warm, green = rng.normal(0.0, 0.065), rng.normal(0.0, 0.022)
    balance = np.array([warm - green, green, -warm - green]) * wide * amount
    gamma = (rng.normal(0.0, 0.1) + rng.normal(0.0, 0.05, 3)) * wide * amount
    lift = (rng.normal(0.005, 0.02) + rng.normal(0.0, 0.025, 3) * (1.0, 0.5, 1.0)) * wide * amount
    saturation = np.exp(rng.normal(-0.08, 0.33) * amount)
    if rng.random() < 0.05 * min(amount, 1):
        saturation *= rng.uniform(0.05, 0.4)
    mixing = np.abs(rng.normal(0.0, 0.06, (3, 3))) * amount
    np.fill_diagonal(mixing, 0.0)
    np.fill_diagonal(mixing, 1.0 - mixing.sum(axis=1))
    borrows = len(palettes) > 0 and rng.random() < 0.4
    brightest = rng.uniform(0.75, 1.0) if rng.random() < 0.8 else rng.uniform(1.0, 1.7)
    if amount < 1:  # fewer differences: towards the stop at which nothing is too bright
        brightest = Tone.brightest * (brightest / Tone.brightest) ** amount
    return Tone(
        gain=tuple(map(float, np.exp(exposure + balance))),
        gamma=tuple(map(float, np.exp(gamma))),
        brightest=float(brightest),
        contrast=float(np.exp(rng.normal(-0.02, 0.16) * amount)),
        black=tuple(map(float, lift)),
        saturation=float(np.clip(saturation, 0.03, 1.7)),
        mixing=tuple(tuple(map(float, row)) for row in mixing),
        palette=palettes[int(rng.integers(len(palettes)))] if borrows else None,
        toward_palette=float(min(0.7, rng.beta(1.2, 3.2) * amount)) if borrows else 0.0,
    )
