"""What `promtool check metrics` complains of, read off the text of a scrape, in both of its formats.

The rules are those of the text formats (https://prometheus.io/docs/instrumenting/exposition_formats/, OpenMetrics 1.0)
and of https://prometheus.io/docs/practices/naming/. No parser is used, which would forgive.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

_SAMPLE = re.compile(r"([^{ ]+)(?:\{(.*)\})? (\S+)( \S+)?")
_LABEL = re.compile(r'([^=,{]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LABEL_NAME = re.compile(r"(?!__)[a-z_][a-z0-9_]*")
_TYPES = ("counter", "gauge", "histogram")
_OTHER_UNITS = frozenset(
    (
        *("ms", "us", "ns", "millisecond", "milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days"),
        *("kb", "mb", "gb", "kilobytes", "megabytes", "percent", "kilograms", "fahrenheit"),
    )
)
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass
class _Family:
    name: str
    kind: str = ""
    help: str = ""
    heads: list[str] = field(default_factory=list)
    samples: list[tuple[str, dict[str, str], float]] = field(default_factory=list)


def complaints(text: str, *, is_open: bool = False) -> list[str]:
    """Everything that is wrong with a scrape; `is_open` is one in OpenMetrics."""
    if not text.endswith("\n"):
        return ["the last line does not end"]
    lines = text.splitlines()
    found: list[str] = []
    if is_open:
        if lines[-1] != "# EOF":
            return ["there is no end"]
        lines.pop()
    families: dict[str, _Family] = {}
    current: _Family | None = None
    for line in lines:
        if line.startswith("# "):
            word, _, rest = line[2:].partition(" ")
            name, _, value = rest.partition(" ")
            if current is None or current.name != name:
                if name in families:
                    found.append(f"{name} is there twice")
                current = families.setdefault(name, _Family(name))
            found += _headed(current, word, value)
        else:
            found += _sampled(current, line, is_open=is_open)
    for family in families.values():
        found += _of_family(family, is_open=is_open)
    return found


def _headed(family: _Family, word: str, value: str) -> Iterator[str]:
    if word not in ("HELP", "TYPE", "UNIT"):
        yield f"{family.name} has a line {word}"
    if word in family.heads:
        yield f"{family.name} has two lines {word}"
    if family.samples:
        yield f"{family.name} has {word} behind its samples"
    family.heads.append(word)
    if word == "TYPE":
        family.kind = value
    elif word == "HELP":
        family.help = value


def _sampled(family: _Family | None, line: str, *, is_open: bool) -> Iterator[str]:
    match = _SAMPLE.fullmatch(line)
    if match is None or family is None:
        yield f"no sample: {line}"
        return
    name, inner, value, _ = match.groups()
    labels = _LABEL.findall(inner or "")
    if "".join(f'{key}="{text}",' for key, text in labels).rstrip(",") != (inner or "").rstrip(","):
        yield f"no labels: {line}"
    if len(labels) > len(dict(labels)):
        yield f"a label is there twice: {line}"
    base = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    if family.kind in _SUFFIXES and name not in {base + suffix for suffix in _SUFFIXES[family.kind]}:
        # What says when a counter began has a family of its own in the plain format, and in the open one none.
        if not (is_open and name == f"{base}_created"):
            yield f"{name} is in the family {family.name}"
    for key, _ in labels:
        if not _LABEL_NAME.fullmatch(key):
            yield f"{key} is no good name of a label: {line}"
        if key == "le" and family.kind != "histogram":
            yield f"le is kept for histograms: {line}"
    family.samples.append((name, dict(labels), float(value)))


def _of_family(family: _Family, *, is_open: bool) -> Iterator[str]:
    name, words = family.name, family.name.split("_")
    if not family.help:
        yield f"{name} has no help"
    if family.kind not in _TYPES:
        yield f"{name} has the type {family.kind!r}"
    if not _NAME.fullmatch(name):
        yield f"{name} is no good name"
    if family.kind == "counter" and name.endswith("_total") == is_open:
        yield f"{name} is a counter"
    if family.kind != "counter" and name.endswith(("_total", "_count", "_sum", "_bucket")):
        yield f"{name} is not what its name says"
    if set(words) & {"counter", "gauge", "histogram", "summary"}:
        yield f"{name} has its type in its name"
    if set(words) & _OTHER_UNITS:
        yield f"{name} is not in a base unit"
    for unit in ("seconds", "bytes"):
        if unit in words and words[-2 if words[-1] == "total" else -1] != unit:
            yield f"{name} does not end with its unit"
    series = [(sample, tuple(sorted(labels.items()))) for sample, labels, _ in family.samples]
    if len(set(series)) < len(series):
        yield f"{name} has a series twice"
    if len({frozenset(labels.keys() - {"le"}) for _, labels, _ in family.samples}) > 1:
        yield f"{name} has series with different labels"
    if family.kind == "counter" and any(value < 0 for _, _, value in family.samples):
        yield f"{name} is below nothing"
    if family.kind == "histogram":
        yield from _of_histogram(family)


def _of_histogram(family: _Family) -> Iterator[str]:
    sets: dict[tuple[tuple[str, str], ...], list[tuple[str, str, float]]] = {}
    for name, labels, value in family.samples:
        key = tuple(sorted((key, text) for key, text in labels.items() if key != "le"))
        sets.setdefault(key, []).append((name.removeprefix(family.name), labels.get("le", ""), value))
    for key, samples in sets.items():
        buckets = [(float(bound), value) for suffix, bound, value in samples if suffix == "_bucket"]
        counts = [value for suffix, _, value in samples if suffix == "_count"]
        sums = [value for suffix, _, value in samples if suffix == "_sum"]
        if not buckets or buckets[-1][0] != float("inf"):
            yield f"{family.name} {key} has no bucket +Inf"
        elif buckets != sorted(buckets) or any(after[1] < before[1] for before, after in pairwise(buckets)):
            yield f"{family.name} {key} is not cumulative"
        elif counts != [buckets[-1][1]] or len(sums) != 1:
            yield f"{family.name} {key} has not one count and one sum"
