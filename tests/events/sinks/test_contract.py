"""Every sink: what it does about each way in which the other side can answer, or not."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.config.sink_kinds import KINDS
from sluicegate.events.sinks.dead_letters import DeadLetters
from sluicegate.events.sinks.decisions import Plan
from sluicegate.events.sinks.engine import Engine
from tests.events.sinks.contract import (
    HANG,
    RESET,
    SECRET,
    SUBJECTS,
    Naps,
    Scripted,
    answer,
    connected,
    exchange,
    scripted,
)

ECHO = f'{{"error": "no such key: {SECRET}"}}'.encode()

every_sink = pytest.mark.parametrize("kind", sorted(SUBJECTS))


class Trial:
    """What one sink made of a script."""

    def __init__(self, kind: str, dead: DeadLetters, log: FilteringBoundLogger) -> None:
        """Nothing has happened yet."""
        self.kind = kind
        self.naps = Naps()
        self.dead = dead
        self.log = log
        self.shown = ""

    def __call__(self, *answers: bytes, events: int = 1, timeout: float = 60.0, attempts: int = 30) -> Scripted:
        """Deliver events to a server that answers so, and yes after that."""
        return asyncio.run(self._deliver(answers, events, timeout, attempts))

    async def _deliver(self, answers: tuple[bytes, ...], events: int, patience: float, attempts: int) -> Scripted:
        async with (
            scripted(*answers, then=SUBJECTS[self.kind].accepts) as server,
            connected(self.kind, server.url) as sink,
        ):
            plan = Plan(count=sink.most_events, concurrency=1, timeout=patience, attempts=attempts)
            engine = Engine("x", sink, plan, self.dead, chance=lambda: 0.5, log=self.log, sleep=self.naps)
            await engine.deliver([exchange(number) for number in range(events)])
            self.counts = engine.counts
            self.shown = f"{sink!r} {engine!r}"
        return server


@pytest.fixture
def trial(kind: str, dead: DeadLetters, log: FilteringBoundLogger) -> Trial:
    """A sink to be tried."""
    return Trial(kind, dead, log)


def letters(directory: Path) -> list[Any]:
    """The dead letters there are."""
    return [msgspec.json.decode(line) for path in directory.glob("dead/*") for line in path.read_bytes().splitlines()]


def test_every_sink_is_held_to_it() -> None:
    """Each type that a configuration may name is here, but for those that speak no HTTP."""
    assert {*SUBJECTS} == {*KINDS} - {"file", "redis"}


@every_sink
def test_a_batch_arrives(trial: Trial, tmp_path: Path) -> None:
    """With a yes, all of it has arrived; nothing is sent twice, nothing is dead."""
    server = trial(events=2)
    assert (trial.counts.sent, trial.counts.dead, trial.counts.retries) == (2, 0, 0)
    text = b"".join(body for _, body in server.requests)
    assert text.count(b"gpt-4.1") >= 2
    assert letters(tmp_path) == []


@every_sink
def test_who_is_asked_to_wait_waits(trial: Trial) -> None:
    """For as long as `Retry-After` says, and then the same events go again."""
    server = trial(answer(429, ECHO, "retry-after: 7"))
    assert trial.naps.taken == [7.0]
    assert (trial.counts.sent, trial.counts.retries) == (1, 1)
    assert server.requests[0][1] == server.requests[1][1]


@every_sink
def test_failures_of_the_other_side_pass(trial: Trial) -> None:
    """Answers of 5xx are waited out, longer each time, by chance."""
    trial(answer(503), answer(502, ECHO), answer(503))
    assert trial.naps.taken == [0.25, 0.5, 1.0]
    assert trial.counts.sent == 1


@every_sink
def test_silence_passes(trial: Trial, captured: LogCapture) -> None:
    """An answer that does not come is given up in time, and asked for again."""
    trial(HANG, timeout=0.2)
    assert trial.counts.sent == 1
    # Also the answers after that may take too long on a machine with much to do.
    assert {line["reason"] for line in captured.entries if "reason" in line} == {"no answer in time"}


@every_sink
@pytest.mark.parametrize(
    "broken", [RESET, b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"]
)
def test_broken_connections_pass(trial: Trial, broken: bytes) -> None:
    """A connection that breaks, or that is none of HTTP, is no answer."""
    trial(broken)
    assert (trial.counts.sent, trial.counts.retries) == (1, 1)


@every_sink
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404])
def test_a_no_is_final(trial: Trial, status: int, tmp_path: Path) -> None:
    """What is refused for good is a dead letter at once, with its reason; a redirect is not followed."""
    server = trial(answer(status, b"{}", "location: /elsewhere"))
    assert (trial.counts.sent, trial.counts.dead, trial.counts.retries) == (0, 1, 0)
    (letter,) = letters(tmp_path)
    assert letter["reason"] == f"status {status}"
    assert letter["event"]["request_id"] == exchange(0)["request_id"]
    assert len(server.requests) == 1


@every_sink
def test_patience_ends(trial: Trial, tmp_path: Path) -> None:
    """What fails each time is given up after as many attempts as are allowed."""
    trial(*[answer(503)] * 3, attempts=3)
    assert (trial.counts.sent, trial.counts.dead) == (0, 1)
    assert letters(tmp_path)[0]["reason"] == "given up after 3 attempts: status 503"


@every_sink
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"\xff", b'{"results": 1, "Entries": 1, "rejectedLogEventsInfo": 1}']
)
def test_answers_that_are_not_understood(kind: str, trial: Trial, body: bytes) -> None:
    """A yes that is none of the API's counts where the status says it all; else it was somebody else's."""
    trial(answer(200, body))
    assert trial.counts.sent == 1
    assert trial.counts.retries == (1 if SUBJECTS[kind].needs_answer else 0)


@every_sink
def test_secrets_stay_secret(trial: Trial, captured: LogCapture, tmp_path: Path) -> None:
    """Neither logs nor dead letters nor what a sink says of itself hold one, even where an answer repeats it."""
    trial(answer(503, ECHO), answer(400, ECHO, f"retry-after: {SECRET}"), events=1)
    told = f"{captured.entries} {letters(tmp_path)} {trial.shown}"
    assert captured.entries
    assert SECRET not in told


@every_sink
def test_too_large_batches_are_halved(kind: str, trial: Trial, tmp_path: Path) -> None:
    """Until they fit; one event that does not is given up alone."""
    trial(answer(413), answer(413), events=2)
    alone = kind == "helicone"
    assert (trial.counts.sent, trial.counts.dead) == ((0, 2) if alone else (1, 1))
    assert {letter["reason"] for letter in letters(tmp_path)} == {"status 413"}
