"""Draw the networks and the chain of a prediction as SVG, beside this file.

python docs/images/diagrams.py
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
INK, FAINT, PAPER = "#263238", "#607d8b", "#ffffff"
BEFORE, AFTER, CHANGE, BOTH = "#1565c0", "#d84315", "#6a1b9a", "#00695c"
Point = tuple[float, float]


class Drawing:
    """An SVG of boxes, arrows and text, in pixels from the upper left."""

    def __init__(self, width: int, height: int, title: str) -> None:
        """A white sheet; ``title`` is what a screen reader says."""
        self.size = width, height
        self.title = title
        self.parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        content: str,
        color: str = INK,
        size: int = 13,
        anchor: str = "middle",
    ) -> None:
        """A line; ``_{j,k}`` hangs below, ``^{c}`` stands above, ``*`` in front makes it bold."""
        weight = ' font-weight="bold"' if content.startswith("*") else ""
        self.parts.append(
            f'<text x="{x}" y="{y}" fill="{color}" font-size="{size}" '
            f'text-anchor="{anchor}"{weight}>'
            f"{_marked(content.removeprefix('*'))}</text>"
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        lines: Sequence[str],
        color: str = INK,
    ) -> None:
        """A rounded box with centered lines, the first of them bold."""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{color}" '
            f'fill-opacity="0.09" stroke="{color}" stroke-width="1.5"/>'
        )
        self._lines(x + width / 2, y + height / 2, lines)

    def funnel(
        self, x: float, y: float, width: float, heights: Point, lines: Sequence[str], color: str
    ) -> None:
        """A trapezoid around the height ``y``, as high as ``heights`` at its left and right."""
        left, right = (height / 2 for height in heights)
        corners = [(x, y - left), (x + width, y - right), (x + width, y + right), (x, y + left)]
        points = " ".join(f"{a:g},{b:g}" for a, b in corners)
        self.parts.append(
            f'<polygon points="{points}" fill="{color}" fill-opacity="0.09" stroke="{color}" '
            'stroke-width="1.5" stroke-linejoin="round"/>'
        )
        self._lines(x + width / 2, y, lines)

    def arrow(self, points: Iterable[Point], color: str = INK, dashed: bool = False) -> None:
        """A line with a head at its end."""
        path = "M" + " L".join(f"{x:g},{y:g}" for x, y in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{color}" stroke-width="1.5"{dashes} '
            f'stroke-linejoin="round" marker-end="url(#head-{color[1:]})"/>'
        )

    def plus(self, x: float, y: float, color: str = CHANGE) -> None:
        """A circled plus: a sum."""
        self.parts.append(
            f'<circle cx="{x}" cy="{y}" r="9" fill="{PAPER}" stroke="{color}" stroke-width="1.5"/>'
        )
        self.parts.append(
            f'<path d="M{x - 5},{y} h10 M{x},{y - 5} v10" stroke="{color}" stroke-width="1.5"/>'
        )

    def svg(self) -> str:
        """The whole file."""
        width, height = self.size
        heads = "".join(
            f'<marker id="head-{color[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{color}"/></marker>'
            for color in (INK, FAINT, BEFORE, AFTER, CHANGE, BOTH)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="Helvetica, Arial, sans-serif" '
            'role="img">\n'
            f"<title>{escape(self.title)}</title>\n<defs>{heads}</defs>\n"
            f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )

    def _lines(self, x: float, y: float, lines: Sequence[str]) -> None:
        top = y - (len(lines) - 1) * 8.5 + 4.5
        for number, line in enumerate(lines):
            content, size = (f"*{line}", 14) if number == 0 else (line, 13)
            self.text(x, top + 17 * number, content, size=size)


def _marked(content: str) -> str:
    """Text as SVG, with what hangs and stands."""
    marked, height = "", 0
    for part in re.split(r"([_^]\{.+?\})", escape(content, quote=False)):
        level = {"_": 4, "^": -4}.get(part[:1], 0) if part[1:2] == "{" else 0
        shown, size = (part[2:-1], ' font-size="75%"') if level else (part, "")
        marked += f'<tspan dy="{level - height}"{size}>{shown}</tspan>' if shown else ""
        height = level if shown else height
    return marked


def network() -> Drawing:
    """The asymmetric siamese network, with the equations of the paper."""
    drawing = Drawing(
        1080, 660, "The asymmetric siamese network: two semantic branches and a change branch"
    )
    lanes = {BEFORE: 130, CHANGE: 330, AFTER: 530}
    for color, image in ((BEFORE, "before"), (AFTER, "after")):
        y = lanes[color]
        number = 1 if color == BEFORE else 2
        drawing.box(20, y - 30, 80, 60, [f"I_{{{number}}}", image], color)
        drawing.funnel(140, y, 150, (110, 50), ["semantic", "encoder", "1/1 → 1/32"], color)
        drawing.funnel(350, y, 110, (50, 80), ["decoder", "1/32 → 1/8"], color)
        drawing.box(
            520,
            y - 42,
            130,
            84,
            ["aSP", f"F_{{j,k}}({number}) by Eq. 3, 4", f"F_{{k}}({number}) by Eq. 6"],
            color,
        )
        drawing.funnel(740, y, 110, (60, 110), ["decoder", "1/8 → 1/1"], color)
        drawing.box(
            910, y - 30, 150, 60, [f"classes {image}", f"M_{{{number}}} at each pixel"], color
        )
        for start, end in ((100, 140), (290, 350), (460, 520), (650, 740), (850, 910)):
            drawing.arrow([(start, y), (end, y)], color)
        outer = y - 75 if color == BEFORE else y + 75
        drawing.arrow(
            [
                (215, y - 45 if color == BEFORE else y + 45),
                (215, outer),
                (795, outer),
                (795, y - 46 if color == BEFORE else y + 46),
            ],
            color,
            dashed=True,
        )
        drawing.text(
            505,
            outer - 7 if color == BEFORE else outer + 16,
            "skips at every scale: side by side",
            color,
            12,
        )
    y = lanes[CHANGE]
    drawing.funnel(140, y, 150, (110, 50), ["change", "encoder", "reads both"], CHANGE)
    drawing.arrow([(60, 160), (60, y - 15), (140, y - 15)], BEFORE)
    drawing.arrow([(60, 500), (60, y + 15), (140, y + 15)], AFTER)
    drawing.plus(320, y)
    drawing.arrow([(290, y), (311, y)], CHANGE)
    drawing.arrow([(320, lanes[BEFORE]), (320, y - 9)], BEFORE)
    drawing.arrow([(320, lanes[AFTER]), (320, y + 9)], AFTER)
    drawing.text(314, 250, "|f_{1} − f_{2}|", CHANGE, 13, "end")
    drawing.text(314, 268, "every scale", FAINT, 13, "end")
    drawing.arrow([(329, y), (350, y)], CHANGE)
    drawing.funnel(350, y, 110, (50, 80), ["decoder", "1/32 → 1/8"], CHANGE)
    drawing.box(
        520, y - 42, 130, 84, ["aRP", "F_{k}^{c} by Eq. 7", "M_{k1,k2}^{c} by Eq. 8"], CHANGE
    )
    drawing.arrow([(460, y), (520, y)], CHANGE)
    drawing.arrow([(560, lanes[BEFORE] + 42), (560, y - 42)], BEFORE)
    drawing.arrow([(560, lanes[AFTER] - 42), (560, y + 42)], AFTER)
    drawing.text(554, 235, "F_{j,k}(1)", BEFORE, 13, "end")
    drawing.text(554, 432, "F_{j,k}(2)", AFTER, 13, "end")
    drawing.plus(690, y)
    drawing.arrow([(650, y), (681, y)], CHANGE)
    drawing.arrow([(620, lanes[BEFORE] + 42), (620, 235), (690, 235), (690, y - 9)], BEFORE)
    drawing.arrow([(620, lanes[AFTER] - 42), (620, 425), (690, 425), (690, y + 9)], AFTER)
    drawing.text(697, 260, "M_{j1,j2,k} by Eq. 5", CHANGE, 13, "start")
    drawing.text(697, 278, "27 pairs", FAINT, 13, "start")
    drawing.arrow([(488, y), (488, y + 62), (676, y + 62), (683, y + 8)], CHANGE)
    drawing.arrow([(699, y), (740, y)], CHANGE)
    drawing.funnel(740, y, 110, (60, 110), ["decoder", "1/8 → 1/1"], CHANGE)
    drawing.arrow([(850, y), (910, y)], CHANGE)
    drawing.box(910, y - 30, 150, 60, ["change", "C, changed if ≥ τ"], CHANGE)
    drawing.arrow([(338, y), (338, y + 78), (795, y + 78), (795, y + 46)], CHANGE, dashed=True)
    drawing.text(803, y + 72, "sums of every scale", CHANGE, 13, "start")
    drawing.text(985, 232, "trained together: Eq. 9", FAINT, 13)
    drawing.text(985, 432, "revised by ATL: Eq. 10–12", FAINT, 13)
    drawing.text(20, 640, "The two semantic branches share all weights.", FAINT, 13, "start")
    return drawing


def pyramids() -> Drawing:
    """What is inside aSP and aRP."""
    drawing = Drawing(1080, 530, "Inside the two pyramids aSP and aRP")
    drawing.text(20, 30, "*aSP: one date; weights are shared by both", BEFORE, 14, "start")
    drawing.box(20, 130, 90, 60, ["F", "64 at 1/8"], BEFORE)
    for j, dilation in enumerate((1, 6, 12)):
        y = 60 + 80 * j
        drawing.arrow([(110, 160), (150, y + 30)], BEFORE)
        drawing.box(
            150,
            y,
            190,
            60,
            [f"j = {j + 1}: dilation {dilation}", "c·r channels, c = 1…5: Eq. 3"],
            BEFORE,
        )
        for k, capability in enumerate((16, 32, 64)):
            drawing.box(
                400 + 90 * k, y, 80, 60, [f"F_{{{j + 1},{k + 1}}}", f"r = {capability}"], BEFORE
            )
        drawing.arrow([(340, y + 30), (400, y + 30)], BEFORE)
    drawing.text(370, 50, "gates, Eq. 4", FAINT, 13)
    drawing.box(150, 310, 190, 40, ["j = 4: mean of F"], BEFORE)
    drawing.arrow([(65, 190), (65, 330), (150, 330)], BEFORE)
    drawing.arrow([(340, 330), (710, 330), (710, 180), (740, 180)], BEFORE)
    drawing.arrow([(660, 150), (740, 150)], BEFORE)
    drawing.box(740, 130, 150, 70, ["F_{k}: gate over j", "with shallow F_{s}", "Eq. 6"], BEFORE)
    drawing.arrow([(890, 165), (930, 165)], BEFORE)
    drawing.box(930, 135, 130, 60, ["to its decoder", "k side by side"], BEFORE)
    drawing.arrow([(660, 80), (740, 80)], CHANGE)
    drawing.box(
        740,
        50,
        150,
        64,
        ["M_{j1,j2,k} by Eq. 5", "w_{k}F_{j1,k}(1) − w_{k}F_{j2,k}(2)", "3·3 pairs for each k"],
        CHANGE,
    )
    drawing.arrow([(890, 80), (930, 80)], CHANGE)
    drawing.box(930, 52, 130, 60, ["added to F^{c}", "27 maps, convolved"], CHANGE)
    drawing.text(740, 230, "w_{k}, v_{i,j}: softmax of a perceptron", FAINT, 13, "start")
    drawing.text(740, 247, "on the mean of a shallow feature", FAINT, 13, "start")

    drawing.text(20, 395, "*aRP: the change branch", CHANGE, 14, "start")
    drawing.box(20, 430, 90, 60, ["F^{c}", "64 at 1/8"], CHANGE)
    drawing.arrow([(110, 460), (150, 460)], CHANGE)
    drawing.box(150, 430, 190, 60, ["a pyramid of its own", "Eq. 3, 4; joined by Eq. 7"], CHANGE)
    drawing.arrow([(340, 460), (400, 460)], CHANGE)
    drawing.box(400, 430, 90, 60, ["F_{k}^{c}", "k = 1, 2, 3"], CHANGE)
    drawing.arrow([(490, 460), (560, 460)], CHANGE)
    drawing.box(
        560,
        415,
        150,
        90,
        [
            "M_{k}(1), M_{k}(2)",
            "F_{k}^{c} with F_{j,k} of",
            "either date, convolved",
            "to 32 channels",
        ],
        CHANGE,
    )
    drawing.arrow([(530, 280), (530, 375), (600, 375), (600, 415)], BEFORE)
    drawing.text(607, 397, "F_{j,k} of both dates", BEFORE, 13, "start")
    drawing.arrow([(710, 460), (740, 460)], CHANGE)
    drawing.box(
        740, 428, 150, 64, ["M_{k1,k2}^{c} by Eq. 8", "M_{k1}(1) − M_{k2}(2)", "3·3 pairs"], CHANGE
    )
    drawing.arrow([(890, 460), (930, 460)], CHANGE)
    drawing.box(930, 430, 130, 60, ["added to F^{c}", "9 maps, convolved"], CHANGE)
    return drawing


def chain() -> Drawing:
    """From two images to a folder."""
    drawing = Drawing(1080, 400, "The chain of a prediction, from two images to a folder")
    drawing.box(20, 50, 110, 60, ["before", "any size, format"], BEFORE)
    drawing.box(20, 150, 110, 60, ["after", "other grid, CRS"], AFTER)
    steps = (
        ("pair", "one grid; bands,", "values, shift", "of both agree"),
        ("chips", "windows that", "overlap, on one", "lattice"),
        ("network", "logits; views of", "TTA turned back", "and averaged"),
        ("blend", "weights fade at", "the edges; whole", "supertiles"),
        ("decode", "change ≥ τ; both", "classes chosen", "together"),
        ("clean", "units below", "--mmu merged or", "left out"),
    )
    top, height, width, gap = 80, 100, 118, 30
    left = 170.0
    drawing.arrow([(130, 80), (left, 115)], BEFORE)
    drawing.arrow([(130, 180), (left, 145)], AFTER)
    for number, (name, *more) in enumerate(steps):
        x = left + number * (width + gap)
        drawing.box(x, top, width, height, [name, *more], BOTH)
        if number:
            drawing.arrow([(x - gap, 130), (x, 130)], BOTH)
    drawing.text(
        left, 40, "read window by window; no step keeps the scene in memory", FAINT, 12, "start"
    )
    drawing.arrow([(left, 50), (left + 6 * width + 5 * gap, 50)], FAINT)
    last = left + 5 * (width + gap) + width / 2
    drawing.arrow([(last, top + height), (last, 270)], BOTH)
    drawing.box(
        880, 270, 180, 60, ["rasters", "classes, transitions,", "probability: as they come"], CHANGE
    )
    drawing.arrow([(880, 300), (830, 300)], CHANGE)
    drawing.box(
        650,
        270,
        180,
        60,
        ["polygons, table", "traced strip by strip", "from the finished raster"],
        CHANGE,
    )
    drawing.arrow([(650, 300), (600, 300)], CHANGE)
    drawing.box(
        420,
        270,
        180,
        60,
        ["page, picture, project", "report.html, preview.png,", "changes.qgz"],
        CHANGE,
    )
    drawing.arrow([(420, 300), (370, 300)], CHANGE)
    drawing.box(190, 270, 180, 60, ["the folder", "appears whole, by one", "renaming"], INK)
    drawing.text(
        190,
        360,
        "A run that was stopped goes on from its finished supertiles (--resume).",
        FAINT,
        12,
        "start",
    )
    return drawing


DRAWINGS = {"network.svg": network, "pyramids.svg": pyramids, "chain.svg": chain}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (HERE / name).write_text(draw().svg(), encoding="utf-8")
