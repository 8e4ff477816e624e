"""The answer to a scrape, read with Prometheus' own parsers."""

from collections.abc import Callable, Iterable

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sluicegate.control.metrics.exposition import exposition
from sluicegate.control.metrics.families import families
from sluicegate.control.metrics.tally import Tally
from tests.control.metrics.events import measured
from tests.control.metrics.test_families import seen

read_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics.text_string_to_metric_families
HOSTILE = 'a"b\\c\nd # {e="f"} 1'


def a_tally() -> Tally:
    """A tally of an ordinary event, and of one with a model's name that means harm."""
    tally = Tally()
    tally.add([measured(), measured(model=HOSTILE)])
    return tally


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4", "application/xml"])
def test_text_is_what_anybody_gets(accept: str) -> None:
    """The format that everything reads, whatever was asked for; it says what was to be said, label by label."""
    tally = a_tally()
    body, media = exposition(families(seen(tally)), accept)
    assert media == "text/plain; version=0.0.4; charset=utf-8"
    read = {metric.name: metric for metric in read_text(body.decode())}
    assert [one.labels["model"] for one in read["sluicegate_requests"].samples] == ["gpt", HOSTILE]
    written = list(families(seen(tally)))
    assert {metric.name for metric in written} == set(read)
    for metric in written:
        assert {(one.name, *sorted(one.labels.items()), one.value) for one in metric.samples} == {
            (one.name, *sorted(one.labels.items()), one.value) for one in read[metric.name].samples
        }


def test_openmetrics_for_whoever_asks() -> None:
    """As Prometheus does; it is strict about types, units and order, and finds nothing wrong."""
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    body, media = exposition(families(seen(a_tally())), accept)
    assert media.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    read = {metric.name: metric for metric in read_openmetrics(body.decode())}
    assert [one.value for one in read["sluicegate_requests"].samples] == [1, 1]


def test_every_metric_is_explained_and_named_by_the_rules() -> None:
    """Lower case with our prefix; what counts ends in `_total`, what is a time or a size says in which unit."""
    body, _ = exposition(families(seen(a_tally())), "")
    for metric in read_text(body.decode()):
        assert metric.name.startswith("sluicegate_"), metric
        assert metric.name == metric.name.lower()
        assert metric.documentation.endswith(".")
        assert all(one.name.endswith("_total") for one in metric.samples) or metric.type != "counter"
        assert not metric.name.endswith(("_ms", "_us", "_milliseconds", "_kilobytes"))


def test_an_unknown_version_is_not_our_trouble() -> None:
    """A header that makes no sense is answered with what everybody understands."""
    _, media = exposition(families(seen(Tally())), "text/plain;version=x;escaping=y, ;;=,")
    assert media.startswith("text/plain; version=0.0.4")
