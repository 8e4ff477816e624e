"""A scrape of the real program by the rules of Prometheus' own checker, and who does the work of it."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway, environment
from tests.e2e.promlint import complaints
from tests.e2e.traffic import Asking, Traffic

SCRAPER = "scrape-secret-0123456789"
OPEN = "application/openmetrics-text;version=1.0.0"

GOOD = """\
# HELP a_seconds_total It counts.
# TYPE a_seconds_total counter
a_seconds_total{b="c \\" d"} 1.0
# HELP e_bytes It measures.
# TYPE e_bytes histogram
e_bytes_bucket{le="1.0"} 1.0
e_bytes_bucket{le="+Inf"} 3.0
e_bytes_count 3.0
e_bytes_sum 7.5
"""


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("1.0\n# HELP e", "1.0\n\n# HELP e", "no sample: "),
        ("# HELP a_seconds_total It counts.\n", "", "a_seconds_total has no help"),
        ("# TYPE e_bytes histogram", "# TYPE e_bytes", "e_bytes has the type ''"),
        (
            "# TYPE e_bytes histogram",
            "# TYPE e_bytes histogram\n# TYPE e_bytes histogram",
            "e_bytes has two lines TYPE",
        ),
        ("7.5\n", "7.5\n# HELP a_seconds_total Again.\n", "a_seconds_total is there twice"),
        ("a_seconds_total", "a_seconds", "a_seconds is a counter"),
        ("a_seconds_total", "a_ms_total", "a_ms_total is not in a base unit"),
        ("a_seconds_total", "a_seconds_of_total", "a_seconds_of_total does not end with its unit"),
        ("a_seconds_total", "aSeconds_total", "aSeconds_total is no good name"),
        ("a_seconds_total", "a_counter_total", "a_counter_total has its type in its name"),
        ("total counter", "total gauge", "a_seconds_total is not what its name says"),
        ('b="c', 'b-d="c', "b-d is no good name of a label"),
        ('b="c', '__b="c', "__b is no good name of a label"),
        ('b="c \\"', 'b="c "', "no labels: "),
        ('{b="c', '{b="x",b="c', "a label is there twice: "),
        ('{b="c', '{le="c', "le is kept for histograms: "),
        ("1.0\n# HELP e", '1.0\na_seconds_total{b="c \\" d"} 2.0\n# HELP e', "a_seconds_total has a series twice"),
        ("1.0\n# HELP e", "1.0\na_seconds_total 2.0\n# HELP e", "a_seconds_total has series with different labels"),
        ('d"} 1.0', 'd"} -1.0', "a_seconds_total is below nothing"),
        ('e_bytes_bucket{le="+Inf"} 3.0\n', "", "e_bytes () has no bucket +Inf"),
        ('le="1.0"} 1.0', 'le="1.0"} 4.0', "e_bytes () is not cumulative"),
        ("count 3.0", "count 4.0", "e_bytes () has not one count and one sum"),
        ("e_bytes_sum 7.5\n", "", "e_bytes () has not one count and one sum"),
        ("7.5\n", "7.5", "the last line does not end"),
    ],
)
def test_the_rules(good: str, bad: str, complaint: str) -> None:
    """Each is seen where it is broken, and nothing is seen where none is."""
    assert complaints(GOOD) == []
    assert any(found.startswith(complaint) for found in complaints(GOOD.replace(good, bad)))


def test_the_open_format_has_an_end() -> None:
    """And its counters have the ending in the names of their samples alone."""
    text = GOOD.replace(" a_seconds_total", " a_seconds")
    assert complaints(f"{text}# EOF\n", is_open=True) == []
    assert complaints(text, is_open=True) == ["there is no end"]
    assert complaints(f"{GOOD}# EOF\n", is_open=True) == ["a_seconds_total is a counter"]


@pytest.fixture
def file(tmp_path: Path, provider: str) -> Path:
    """A configuration in which everything is shown."""
    path = tmp_path / "metrics.yaml"
    path.write_text(
        "server: {port: 0, drain_seconds: 8}\n"
        f"metrics: {{token: {SCRAPER}}}\n"
        "request_log: {enabled: true}\n"
        f"sinks: {{archive: {{type: file, path: '{tmp_path}/archive.jsonl'}}}}\n"
        f"providers: {{mock: {{dialect: openai, base_url: '{provider}', api_key: key, proxy: none}}}}\n"
        "prices: [{model: '*', input: 1, output: 2}]\n"
        f"tokens: [{{name: test, token: {TOKEN}}}]\n"
    )
    return path


def scrape(gateway: Gateway, accept: str = "") -> tuple[int, str]:
    """Status and body."""
    connection = gateway.connection()
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {SCRAPER}", "Accept": accept})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def counted(gateway: Gateway) -> int:
    """Requests that ended well."""
    lines = scrape(gateway)[1].splitlines()
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in lines
        if line.startswith("sluicegate_requests_total{") and 'status="200"' in line
    )


def test_a_scrape_keeps_to_the_rules(start: Start, file: Path) -> None:
    """In both formats, at every moment: with nothing in it, under load, and with everything in it."""
    gateway = start(f"--config={file}", "--workers=2").until_ready()
    bodies = [scrape(gateway, accept) for accept in ("", OPEN)]
    with Traffic(gateway.port, [Asking("gpt-4o-mini"), Asking("gpt-4o-mini", stream=True)], callers=4) as traffic:
        for _ in range(10):
            traffic.go_on(10)
            bodies += [scrape(gateway, accept) for accept in ("", OPEN)]
    eventually(lambda: counted(gateway) == traffic.ends()[200])
    bodies += [scrape(gateway, accept) for accept in ("", OPEN)]
    assert set(traffic.ends()) == {200}
    assert {status for status, _ in bodies} == {200}
    for number, (_, body) in enumerate(bodies):
        assert complaints(body, is_open=number % 2 == 1) == []
    assert "sluicegate_request_duration_seconds_bucket" in bodies[-1][1]


def test_a_scrape_is_answered_by_control(start: Start, file: Path) -> None:
    """While control stands still it is not answered, and requests are served: a worker has no part in it."""
    gateway = start(f"--config={file}").until_ready()
    assert gateway.answers() == 200
    connection = gateway.connection()
    control = gateway.process("control")
    os.kill(control, signal.SIGSTOP)
    try:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {SCRAPER}"})
        assert [gateway.answers() for _ in range(20)] == [200] * 20
        assert not select.select([connection.sock], [], [], 0)[0]
    finally:
        os.kill(control, signal.SIGCONT)
    assert connection.getresponse().status == 200


def test_a_worker_cannot_make_metrics() -> None:
    """The library that makes them is not loaded in it, nor is any of our own modules that count."""
    program = (
        "import sys, sluicegate.gateway.__main__\n"
        "names = [name for name in sys.modules if 'prometheus' in name or name.startswith('sluicegate.control')]\n"
        "sys.exit(repr(names) if names else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
