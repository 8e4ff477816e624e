"""What a run found, as a record, as JSON and as text."""

import json
from collections import Counter

from sluicegate.bench.load import Samples
from sluicegate.bench.report import Report, as_json, as_text, run_of

FAST = Samples(latencies=[0.001] * 4, elapsed=2.0)
SLOW = Samples(
    latencies=[0.003] * 4,
    first_events=[0.002] * 4,
    gaps=[0.0005] * 8,
    events=12,
    errors=Counter({"timeout": 1, "status 500": 2}),
    elapsed=2.0,
)


def test_samples_are_summed_up() -> None:
    """Totals, rates of what succeeded, and errors with the most frequent first."""
    run = run_of("http://a", SLOW)
    assert (run.completed, run.failed, run.errors) == (4, 3, {"status 500": 2, "timeout": 1})
    assert (run.requests_per_second, run.events_per_second) == (2.0, 6.0)
    assert run.latency is not None
    assert run.latency.p99 == 3.0


def test_run_without_an_answer() -> None:
    """Nothing is divided by no time, and there is no distribution of nothing."""
    run = run_of("http://a", Samples())
    assert (run.requests_per_second, run.events_per_second, run.latency) == (0.0, 0.0, None)
    assert Report("m", run, run).added_latency is None


def test_added_latency_needs_a_direct_run() -> None:
    """The difference of the same percentile with and without the gateway; of first events only if both have some."""
    gateway = run_of("http://a", SLOW)
    assert Report("m", gateway).added_latency is None
    assert Report("m", gateway).added_first_event is None
    report = Report("m", gateway, run_of("http://b", FAST))
    assert report.added_latency is not None
    assert (report.added_latency.p50, report.added_latency.p99) == (2.0, 2.0)
    assert report.added_first_event is None


def test_json_has_everything() -> None:
    """A program reads the same numbers, with what the gateway adds."""
    told = json.loads(as_json(Report("m", run_of("http://a", SLOW), run_of("http://b", SLOW))))
    assert told["method"] == "m"
    assert told["gateway"]["errors"] == {"status 500": 2, "timeout": 1}
    assert told["direct"]["latency"]["curve"][-1] == [100.0, 3.0]
    assert told["added_first_event"] == {"p50": 0.0, "p90": 0.0, "p99": 0.0}


def test_text_shows_what_there_is() -> None:
    """Streams have rows of their own, other answers none; the direct run only if there was one."""
    text = as_text(Report("POST /x", run_of("http://a", SLOW), run_of("http://b", FAST)))
    assert text == (
        "POST /x\n"
        "\n"
        "gateway: http://a\n"
        "  4 answers in 2.00 s, 2.0 requests/s\n"
        "  12 events, 6.0 events/s\n"
        "  3 errors; 2 × status 500; 1 × timeout\n"
        "  ms                    p50       p90       p95       p99      p999   maximum      mean\n"
        "  latency             3.000     3.000     3.000     3.000     3.000     3.000     3.000\n"
        "  first event         2.000     2.000     2.000     2.000     2.000     2.000     2.000\n"
        "  between events      0.500     0.500     0.500     0.500     0.500     0.500     0.500\n"
        "\n"
        "direct: http://b\n"
        "  4 answers in 2.00 s, 2.0 requests/s\n"
        "  0 errors\n"
        "  ms                    p50       p90       p95       p99      p999   maximum      mean\n"
        "  latency             1.000     1.000     1.000     1.000     1.000     1.000     1.000\n"
        "added latency   p50 +2.000 ms, p90 +2.000 ms, p99 +2.000 ms\n"
    )
    assert "direct" not in as_text(Report("m", run_of("http://a", Samples())))
