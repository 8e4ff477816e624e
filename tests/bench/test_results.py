"""Results are medians and ratios, the same for machines and for people."""

import json

from sluicegate.bench.latency import Added
from sluicegate.bench.measure import Machine, Memory
from sluicegate.bench.results import Comparison, Contender, Round, as_json, as_markdown, busiest_ratios, ratios
from sluicegate.bench.sections import Cost, Delay, StreamMemory

MACHINE = Machine("2026-01-02T00:00:00+00:00", "Abacus 9", 2, "6.1", "3.11.7", 2048)


def cost(whole: float, *, busiest: float | None = None, per_second: float = 9000, errors: int = 0) -> Cost:
    """A cost in microseconds."""
    return Cost(whole, whole if busiest is None else busiest, per_second, {"timeout": errors} if errors else {})


def one_round(ready: float = 0.5, *, errors: int = 0) -> Round:
    """A round with this start."""
    failed = {"timeout": errors} if errors else {}
    return Round(ready, Memory(2048, 1024), Delay(500, Added(0.1, 0.2, 0.9), 0.3, 1.2, failed))


OURS = Contender(
    "sluicegate",
    "1",
    cost(22, busiest=20, per_second=1000),
    cost(20, errors=2),
    (one_round(30), one_round(0.5, errors=1), one_round(0.4)),
    (StreamMemory(100, 9.51), StreamMemory(1000, None, "lost")),
)
ENVOY = Contender("envoy", "2", cost(44), cost(40), (one_round(),), (StreamMemory(100, 40.0), StreamMemory(4000, 30.0)))
MISSING = Contender("nginx", "", note="nginx is not installed")
COMPARISON = Comparison(MACHINE, ("One sentence.",), False, (OURS, ENVOY, MISSING))


def test_figures_of_a_proxy() -> None:
    """One bad round does not show in a median; errors are added up."""
    found = COMPARISON.summaries[0]
    assert (found.us_per_request, found.us_per_request_busiest, found.us_per_event) == (22, 20, 20)
    assert (found.added_p50_ms, found.added_p99_ms, found.requests_per_second) == (0.1, 0.9, 1000)
    assert (found.idle_rss_mb, found.idle_pss_mb, found.ready_s, found.errors) == (2, 1, 0.5, 3)


def test_ratios_within_the_run() -> None:
    """Every proxy is compared with those references that ran, as a whole and by its busiest process."""
    assert ratios(COMPARISON.summaries) == {"envoy": {"sluicegate": (0.5, 0.5), "envoy": (1.0, 1.0)}}
    assert busiest_ratios(COMPARISON.summaries)["envoy"]["sluicegate"] == (0.455, 0.5)
    idle = Comparison(MACHINE, (), False, (Contender("envoy", "", cost(0), cost(0), (one_round(),)),))
    assert ratios(idle.summaries) == {"envoy": {"envoy": (0.0, 0.0)}}


def test_json_has_everything() -> None:
    """Every round is kept, and what was made of it."""
    found = json.loads(as_json(COMPARISON))
    assert found.keys() == {"machine", "method", "is_tls", "contenders", "summaries", "ratios", "busiest_ratios"}
    assert len(found["contenders"][0]["rounds"]) == 3
    assert found["ratios"]["envoy"]["sluicegate"] == [0.5, 0.5]
    assert found["machine"]["processor"] == "Abacus 9"


def test_markdown_is_a_page() -> None:
    """People get tables, the machine, the method, and why something is missing."""
    page = as_markdown(COMPARISON)
    assert page.startswith("# Comparison of 2026-01-02\n\nAbacus 9, 2 cores, 2048 MB, Linux 6.1, Python 3.11.7.")
    assert "Medians of 3 rounds" in page
    assert "| sluicegate | 1 | 22.0 (20.0) | 20.0 | 1000 | 0.100 | 0.900 | 0.50 | 2.0 | 1.0 | 3 |" in page
    assert "| processor time | request / envoy's | event / envoy's |\n| --- | --: | --: |\n" in page
    assert "| sluicegate | 0.50 | 0.50 |" in page
    assert "| of the busiest process | request / envoy's | event / envoy's |\n| --- | --: | --: |\n" in page
    assert "| sluicegate | 0.46 | 0.50 |" in page
    assert "| sluicegate | 9.5 | failed | – |\n| envoy | 40.0 | – | 30.0 |" in page
    assert "- sluicegate: 1000 streams: lost\n- nginx: nginx is not installed\n" in page
    assert page.endswith("## Method\n\n- One sentence.\n")


def test_page_of_little() -> None:
    """What was not measured has no table."""
    page = as_markdown(Comparison(MACHINE, (), True, (Contender("sluicegate", "1", cost(1), cost(1), (one_round(),)),)))
    assert "the provider behind TLS" in page
    assert "processor time |" not in page
    assert "open stream" not in page
