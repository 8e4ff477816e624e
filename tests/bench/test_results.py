"""Results are medians and ratios, the same for machines and for people."""

import json

from sluicegate.bench.latency import Added
from sluicegate.bench.measure import Machine, Memory
from sluicegate.bench.results import Comparison, Contender, Round, as_json, as_markdown, ratios, summary
from sluicegate.bench.sections import Cost, Delay, StreamMemory

MACHINE = Machine("2026-01-02T00:00:00+00:00", "Abacus 9", 2, "6.1", "3.11.7", 2048)


def one_round(request: float, event: float, *, busiest: float | None = None, errors: int = 0) -> Round:
    """A round with these costs, in microseconds."""
    return Round(
        0.5,
        Memory(2048, 1024),
        Cost(request, request if busiest is None else busiest, 1000, {}),
        Cost(event, event, 9000, {"timeout": errors} if errors else {}),
        Delay(500, Added(0.1, 0.2, 0.9), 0.3, 1.2, {}),
    )


OURS = Contender(
    "sluicegate",
    "1",
    (one_round(30, 20, busiest=20, errors=2), one_round(10, 20), one_round(22, 20)),
    (StreamMemory(100, 9.51), StreamMemory(1000, None, "lost")),
)
ENVOY = Contender("envoy", "2", (one_round(44, 40),), (StreamMemory(100, 40.0), StreamMemory(4000, 30.0)))
MISSING = Contender("nginx", "", note="nginx is not installed")
COMPARISON = Comparison(MACHINE, ("One sentence.",), False, (OURS, ENVOY, MISSING))


def test_medians_over_rounds() -> None:
    """One bad round does not show in a median; errors are added up."""
    found = summary(OURS)
    assert (found.us_per_request, found.us_per_request_busiest, found.us_per_event) == (22, 20, 20)
    assert (found.added_p50_ms, found.added_p99_ms) == (0.1, 0.9)
    assert (found.idle_rss_mb, found.idle_pss_mb, found.ready_s, found.errors) == (2, 1, 0.5, 2)


def test_ratios_within_the_run() -> None:
    """Every proxy is compared with those references that ran."""
    assert ratios(COMPARISON.summaries) == {"envoy": {"sluicegate": (0.5, 0.5), "envoy": (1.0, 1.0)}}
    idle = Contender("envoy", "", (one_round(0, 0),))
    assert ratios([summary(idle)]) == {"envoy": {"envoy": (0.0, 0.0)}}


def test_json_has_everything() -> None:
    """Every round is kept, and what was made of it."""
    found = json.loads(as_json(COMPARISON))
    assert found.keys() == {"machine", "method", "is_tls", "contenders", "summaries", "ratios"}
    assert len(found["contenders"][0]["rounds"]) == 3
    assert found["ratios"]["envoy"]["sluicegate"] == [0.5, 0.5]
    assert found["machine"]["processor"] == "Abacus 9"


def test_markdown_is_a_page() -> None:
    """People get tables, the machine, the method, and why something is missing."""
    page = as_markdown(COMPARISON)
    assert page.startswith("# Comparison of 2026-01-02\n\nAbacus 9, 2 cores, 2048 MB, Linux 6.1, Python 3.11.7.")
    assert "Medians of 3 rounds" in page
    assert "| sluicegate | 1 | 22.0 (20.0) | 20.0 | 1000 | 0.100 | 0.900 | 0.50 | 2.0 | 1.0 | 2 |" in page
    assert "| processor time | request / envoy's | event / envoy's |\n| --- | --: | --: |\n" in page
    assert "| sluicegate | 0.50 | 0.50 |" in page
    assert "| sluicegate | 9.5 | failed | – |\n| envoy | 40.0 | – | 30.0 |" in page
    assert "- sluicegate: 1000 streams: lost\n- nginx: nginx is not installed\n" in page
    assert page.endswith("## Method\n\n- One sentence.\n")


def test_page_of_little() -> None:
    """What was not measured has no table."""
    page = as_markdown(Comparison(MACHINE, (), True, (Contender("sluicegate", "1", (one_round(1, 1),)),)))
    assert "the provider behind TLS" in page
    assert "processor time |" not in page
    assert "open stream" not in page
