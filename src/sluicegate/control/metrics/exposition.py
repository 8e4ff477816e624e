"""The answer to a scrape: text format 0.0.4 of Prometheus, or OpenMetrics 1.0.0 for whoever asks for it."""

from collections.abc import Iterable

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

OPENMETRICS = "application/openmetrics-text"
TEXT = "text/plain"


class _Collected(Collector):
    """What was collected already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(families: Iterable[Metric], accept: str) -> tuple[bytes, str]:
    """The body of the answer and its media type; `accept` is the request's header of that name."""
    # Only these two: what else a header may ask for, the library takes as it comes.
    encode, media = choose_encoder(f"{OPENMETRICS}; version=1.0.0" if OPENMETRICS in accept else "")
    return encode(_Collected(families)), media
