"""Latency percentiles as a picture."""

from xml.etree import ElementTree as ET

from sluicegate.bench.picture import picture

SVG = "{http://www.w3.org/2000/svg}"
CURVE = ((0.0, 0.2), (50.0, 1.0), (90.0, 2.0), (99.0, 10.0), (100.0, 30.0))


def drawn(*curves: tuple[str, tuple[tuple[float, float], ...]], title: str = "t") -> ET.Element:
    """The picture, parsed: it must be well-formed."""
    return ET.fromstring(picture(title, curves))


def points(root: ET.Element, number: int = 0) -> list[tuple[float, float]]:
    """The points of a curve."""
    line = root.findall(f"{SVG}polyline")[number].attrib["points"]
    pairs = (pair.split(",") for pair in line.split())
    return [(float(x), float(y)) for x, y in pairs]


def texts(root: ET.Element) -> list[str]:
    """All that is written."""
    return [element.text or "" for element in root.findall(f"{SVG}text")]


def test_curve_rises_to_the_right() -> None:
    """Higher percentiles stand further right, higher latencies further up, all within the frame."""
    places = points(drawn(("gateway", CURVE)))
    assert len(places) == len(CURVE)
    assert places == sorted(places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    assert all(70 <= x <= 730 and 60 <= y <= 390 for x, y in places)
    assert places[0][0] == 70
    assert places[-1][0] == 730


def test_each_nine_has_the_same_width() -> None:
    """From p50 to p95 is as far as from p95 to p99.5: a tenth of the requests is left each time."""
    places = points(drawn(("a", ((50.0, 1.0), (95.0, 1.0), (99.5, 1.0), (100.0, 1.0)))))
    assert abs((places[1][0] - places[0][0]) - (places[2][0] - places[1][0])) < 0.2


def test_axes_are_labelled() -> None:
    """Powers of ten of time in fitting units, and percentiles up to the last that is known."""
    told = texts(drawn(("a", ((0.0, 0.05), (99.0, 20_000.0), (100.0, 20_000.0)))))
    assert {"10 µs", "100 µs", "1 ms", "100 ms", "1 s", "100 s", "min", "p50", "p90", "p99", "max"} <= set(told)
    assert "p99.9" not in told


def test_curves_are_named_and_told_apart() -> None:
    """Each curve has its colour, its name in the legend and its values as tooltips; markup in names is harmless."""
    root = drawn(("gateway", CURVE), ("direct <1>", CURVE), title="a & b")
    assert {"a & b", "gateway", "direct <1>"} <= set(texts(root))
    assert len({line.attrib["stroke"] for line in root.findall(f"{SVG}polyline")}) == 2
    tooltips = [title.text for title in root.findall(f"{SVG}circle/{SVG}title")]
    assert "direct <1>: 99 % within 10 ms" in tooltips


def test_single_value_of_nothing_can_be_drawn() -> None:
    """A latency that rounds to zero has no logarithm, and one value no range."""
    places = points(drawn(("a", ((100.0, 0.0),))))
    assert places == [(730.0, 390.0)]
