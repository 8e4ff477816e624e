"""Two providers behind one name, the second a fallback or an equal, while one of them is killed, hangs and comes back.

Each provider's own books are what counts: no request is lost, and none is charged twice.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.mocks import Mock, two
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.stalls import Stalls
from tests.e2e.traffic import CUT, Asking, Traffic

EJECTION = 0.5
FIRST_BYTE = 2.0
"""Seconds in which the first must begin its answer: it takes none at all as long as it does not hang.

The second has the usual ones: nobody else is left to answer in its place.
"""
SOON = 10.0
"""Seconds in which the second has answered who has waited for the first, though it may stand still for some itself: a
small part of what is usually waited for a first byte."""
CALM = 300
CALLERS = 16
TOKENS = 16
"""Of an answer, as both providers count."""
PROMPT = 9


@pytest.fixture
def mocks() -> Iterator[tuple[Mock, Mock]]:
    """Two providers."""
    with two() as made:
        yield made


def started(start: Start, directory: Path, mocks: tuple[Mock, Mock]) -> Gateway:
    """One name for the first with the second as its fallback, and one for both of them."""
    providers = {
        name: {
            "dialect": "openai",
            "base_url": f"http://127.0.0.1:{mock.port}/v1",
            "api_key": "key",
            "proxy": "none",
            "timeouts": timeouts,
            "circuit": {"ejection": EJECTION, "longest_ejection": EJECTION},
        }
        for name, mock, timeouts in zip(("first", "second"), mocks, ({"first_byte": FIRST_BYTE}, {}), strict=True)
    }
    settings = {
        "server": {"port": 0, "drain_seconds": 1},
        "tokens": [{"name": "test", "token": TOKEN}],
        "providers": providers,
        "models": [
            {"name": "safe", "targets": [{"model": "first/m"}], "fallbacks": ["second/m"]},
            {"name": "both", "targets": [{"model": "first/m"}, {"model": "second/m"}]},
        ],
    }
    path = directory / "gateway.yaml"
    path.write_text(json.dumps(settings))
    # Who still starts seems to hang.
    assert [mock.asked() for mock in mocks] == [0, 0]
    return start(f"--config={path}", "--workers=2").until_ready()


def asking() -> list[Asking]:
    """Both names, whole and as a stream, one of which takes a while."""
    at_once = [Asking(model, stream=stream) for model in ("safe", "both") for stream in (False, True)]
    return [*at_once, Asking("both", stream=True, headers={"x-mock-rate": "200"})]


def of(traffic: Traffic, began: float, provider: str) -> int:
    """How many of the requests since then this provider has answered."""
    return sum(outcome.provider == provider and outcome.end == 200 for outcome in traffic.since(began))


def now(traffic: Traffic) -> float:
    """The moment of the last answer."""
    return traffic.outcomes[-1].ended


def journal(gateway: Gateway, number: int) -> list[dict[str, Any]]:
    """The events of so many requests."""
    return eventually(lambda: found if len(found := gateway.events()) >= number else None) or []


def agrees(traffic: Traffic, events: list[dict[str, Any]]) -> None:
    """Each request has one event, with the attempts that its caller was told of, and one answer's usage."""
    assert len(events) == len(traffic.outcomes)
    assert len({event["request_id"] for event in events}) == len(events)
    for event in events:
        failed = event.get("failed_attempts", [])
        if not event.get("is_cut"):
            assert event["status_code"] == 200
            assert (event["metadata"]["prompt_tokens"], event["metadata"]["completion_tokens"]) == (PROMPT, TOKENS)
        assert event["attempts"] >= 1 + len(failed), event
        assert all(target == "first" and model == "m" for target, model, *_ in failed), event
    assert any(event.get("failed_attempts") for event in events)


def test_killed(start: Start, tmp_path: Path, mocks: tuple[Mock, Mock]) -> None:
    """Whoever had no byte yet is answered by the other one; once the first is back, it is used again."""
    first, second = mocks
    gateway = started(start, tmp_path, mocks)
    with Traffic(gateway.port, asking(), callers=CALLERS) as traffic:
        traffic.go_on(CALM)
        # One that stands still for a moment is left alone for another, in which the other answers everybody.
        eventually(lambda: of(traffic, 0.0, "first") > of(traffic, 0.0, "second") > 0)
        first.kill()
        killed = now(traffic)
        traffic.go_on(CALM)
        assert of(traffic, killed, "second") > CALM / 2
        first.start()
        back = now(traffic)
        eventually(lambda: of(traffic, back, "first") > CALM)
    ends = traffic.ends()
    assert ends.keys() <= {200, CUT}
    # A stream that had begun cannot be asked again: it is the only thing that may be seen.
    assert ends[CUT] <= CALLERS
    events = journal(gateway, len(traffic.outcomes))
    assert sum(bool(event.get("is_cut")) for event in events) == ends[CUT]
    agrees(traffic, events)
    answered = [event for event in events if event["provider"] == "second"]
    assert second.asked() == len(answered)


def test_hanging(start: Start, tmp_path: Path, mocks: tuple[Mock, Mock]) -> None:
    """Whoever has waited for long enough is answered by the other one; a provider that goes on is used again."""
    first, second = mocks
    gateway = started(start, tmp_path, mocks)
    with Traffic(gateway.port, asking(), callers=CALLERS) as traffic, Stalls() as stalls:
        traffic.go_on(CALM)
        first.stop()
        stopped = now(traffic)
        traffic.go_on(CALM)
        assert of(traffic, stopped, "second") > CALM / 2
        traffic.go_on_for(FIRST_BYTE + EJECTION)
        slowest = max(outcome.ended - outcome.began for outcome in traffic.since(stopped)) - stalls.seconds
        first.go_on()
        back = now(traffic)
        eventually(lambda: of(traffic, back, "first") > CALM)
    ends = traffic.ends()
    # A stream that had begun is not asked again: it is here whole when its provider goes on.
    assert ends.keys() == {200}
    assert slowest < FIRST_BYTE + SOON
    events = journal(gateway, len(traffic.outcomes))
    agrees(traffic, events)
    # What came to the one that hung is asked of the other once; only the first has read more than it has answered.
    assert second.asked() == sum(event["provider"] == "second" for event in events)
    failed = sum(len(event.get("failed_attempts", [])) for event in events)
    assert first.asked() <= sum(event["provider"] == "first" for event in events) + failed
