"""Which series a query of Prometheus asks for: enough of its language to hold dashboards and alerts to a scrape."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_SERIES = re.compile(r"\b(sluicegate_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING = re.compile(r"\bby\s*\(([^)]*)\)")
_TARGET = frozenset({"job", "instance"})
"""Labels that Prometheus adds by itself."""


class Asked(NamedTuple):
    """A query, where it stands, the series that it names, and the labels it takes for granted of each."""

    where: str
    query: str
    series: dict[str, frozenset[str]]


def asked(where: str, query: str) -> Asked:
    """Read a query. Labels that it groups by are expected of each of its series."""
    grouped = {label.strip() for labels in _GROUPING.findall(query) for label in labels.split(",")}
    series: dict[str, frozenset[str]] = {}
    for name, selector in _SERIES.findall(query):
        series[name] = series.get(name, frozenset()) | frozenset(_LABEL.findall(selector)) | grouped
    return Asked(where, query, {name: labels - _TARGET for name, labels in series.items()})


def of_dashboard(path: Path) -> Iterator[Asked]:
    """Every query of a Grafana dashboard, the ones behind its variables included."""
    dashboard: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield asked(f"{path.name}: {panel['title']}", target["expr"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield asked(f"{path.name}: ${variable['name']}", variable["query"])


def of_alerts(path: Path) -> Iterator[Asked]:
    """Every query of a file of rules."""
    for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            yield asked(f"{path.name}: {rule['alert']}", rule["expr"])
