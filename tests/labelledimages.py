"""Labelled images of one date, drawn: what pairs are composed from."""

import numpy as np
from pictures import write_png

from scdcli.legend import URBAN
from scdcli.simulation.world import draw_pair

# The classes of the drawn world in those of the legend `urban`.
TO_URBAN = np.array([0, 1, 2, 5, 5, 4, 3], dtype=np.uint8)

KEY = """
pixel_size = 0.5
unknown = ["#000000"]

[classes]
water = "#1F78B4"
ground = "#D9C79E"
road = "#6E6E6E"
building = "#C0392B"
vegetation = "#33A02C"
"""


def labelled_images(folder, count=2, size=256):
    """`count` images with color labels in `folder`, and a key beside them; returns the key."""
    for number in range(count):
        drawn = draw_pair(100 + number, size, size)
        write_png(folder / "images" / f"{number}.png", drawn.before)
        colors = URBAN.encode(TO_URBAN[drawn.cover1])
        colors[:, :8, :8] = 0
        write_png(folder / "masks" / f"{number}.png", colors)
    key = folder / "key.toml"
    key.write_text(KEY)
    return key
