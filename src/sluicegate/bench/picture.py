"""Latency percentiles as a picture: an SVG of curves, written by hand.

The horizontal axis gives each nine of the percentile the same width, the vertical one each power of ten of the latency:
the tail, in which gateways differ, takes as much room as the middle.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

Curve = Sequence[tuple[float, float]]
"""Pairs (percentile, milliseconds), both rising, as in `Distribution.curve`."""

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 730, 60, 390
_COLOURS = ("#1f6feb", "#8b949e", "#bf3989", "#1a7f37")
_NINES = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
"""Percentiles that have a label. The last place on the right is that of the maximum."""
_LEAST = 0.001
"""Milliseconds; a logarithm has no zero, and no clock tells less."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where on the picture a percentile and a latency are; `low` and `high` are powers of ten of milliseconds."""

    nines: float
    low: int
    high: int

    def x(self, percentile: float) -> float:
        """The maximum stands at the right end, everything else where its nines put it."""
        position = self.nines if percentile >= 100 else min(self.nines, -math.log10(1 - percentile / 100))
        return _LEFT + position / self.nines * (_RIGHT - _LEFT)

    def y(self, milliseconds: float) -> float:
        """Higher is slower."""
        position = (math.log10(max(milliseconds, _LEAST)) - self.low) / (self.high - self.low)
        return _BOTTOM - position * (_BOTTOM - _TOP)


def picture(title: str, curves: Sequence[tuple[str, Curve]]) -> str:
    """Draw an SVG of named curves, of which at least one must have a point."""
    points = [point for _, curve in curves for point in curve]
    values = [max(milliseconds, _LEAST) for _, milliseconds in points]
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    last = max((percentile for percentile, _ in points if percentile < 100), default=0.0)
    # One nine of room at the right for the maximum.
    scale = _Scale(1.0 - math.log10(1 - last / 100), low, high)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 24, title, size=15),
        *_grid(scale),
        *(part for number, (name, curve) in enumerate(curves) for part in _curve(scale, number, name, curve)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(scale: _Scale) -> Iterator[str]:
    for power in range(scale.low, scale.high + 1):
        height = scale.y(10.0**power)
        yield _line(_LEFT, height, _RIGHT, height)
        yield _text(_LEFT - 8, height + 4, _duration(power), anchor="end")
    shown = [percentile for percentile in _NINES if -math.log10(1 - percentile / 100) <= scale.nines - 0.6]
    for percentile in (*shown, 100.0):
        place = scale.x(percentile)
        yield _line(place, _TOP, place, _BOTTOM)
        label = {0.0: "min", 100.0: "max"}.get(percentile, f"p{percentile:g}")
        yield _text(place, _BOTTOM + 18, label, anchor="middle")
    yield _text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "percentile of requests", anchor="middle")


def _curve(scale: _Scale, number: int, name: str, curve: Curve) -> Iterator[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    places = [(scale.x(percentile), scale.y(milliseconds)) for percentile, milliseconds in curve]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for (x, y), (percentile, milliseconds) in zip(places, curve, strict=True):
        told = escape(f"{name}: {percentile:g} % within {milliseconds:g} ms")
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{told}</title></circle>'
    legend = 46 + 16 * number
    yield f'<rect x="{_RIGHT - 200}" y="{legend - 9}" width="10" height="10" fill="{colour}"/>'
    yield _text(_RIGHT - 184, legend, name)


def _duration(power: int) -> str:
    """A power of ten of milliseconds in the unit people would use."""
    if power >= 3:
        return f"{10 ** (power - 3)} s"
    return f"{10**power} ms" if power >= 0 else f"{10 ** (power + 3)} µs"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#d0d7de"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#24292f">{escape(text)}</text>'
    )
