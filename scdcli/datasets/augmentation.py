"""Settings of the random augmentation of training samples; nothing heavy is imported."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """The defaults are the paper's (Section VI-A).

    Attributes:
        chip: Side in pixels.
        scale: Least and most enlargement.
        flip: Mirror at random.
        swap_dates: Swap the dates at random.
        jitter: Strength of radiometric differences, 0 none, 1 strong.
    """

    chip: int = 512
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True
    swap_dates: bool = False
    jitter: float = 0.0
