"""The list of stages, and what becomes of each outcome of a stage."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest

from sluicegate.domain.errors import BadRequestError, GatewayError, InternalError, ModelUnknownError
from sluicegate.gateway import pipeline
from sluicegate.gateway.exchange import Exchange
from sluicegate.gateway.pipeline import Outcome, Stage, advance
from sluicegate.wire.peek import PeekError


def test_bodies_are_handed_over_last() -> None:
    """What an exchange used is noted before anything is copied."""
    assert pipeline.ON_END_KEEPING[: len(pipeline.ON_END)] == pipeline.ON_END
    assert len(pipeline.ON_END_KEEPING) == len(pipeline.ON_END) + 1


class Watched:
    """As much of an exchange as the pipeline touches: what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.is_ended = False
        self.request_id = "req_1"
        self.retrial = None

    def reply(self, answer: bytes) -> None:
        self.told.append(answer)

    def stopped(self, stages: tuple[Stage, ...], error: GatewayError) -> None:
        self.told.append(error)

    def passed(self, stages: tuple[Stage, ...]) -> None:
        self.told.append("passed")

    def runs(self, *outcomes: Outcome | Exception) -> "Watched":
        """Go through stages of which each notes its number and has the outcome given; a waiting one passes later."""
        advance(cast("Exchange", self), tuple(self.stage(number, outcome) for number, outcome in enumerate(outcomes)))
        return self

    def stage(self, number: int, outcome: Outcome | Exception) -> Stage:
        def run(_exchange: Exchange) -> Outcome:
            self.told.append(number)
            if isinstance(outcome, Exception):
                raise outcome
            return None if isinstance(outcome, asyncio.Future) and outcome.done() else outcome

        return run


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs when told to."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Let callbacks run."""
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_the_stages_stand_in_their_order() -> None:
    """The caller is known before anything is spent on it, and what was consumed is known before it is published."""
    assert [stage.__name__ for stage in pipeline.STAGES] == [
        "accept", "authenticate", "budget", "cache", "forward", "meter", "publish",
    ]  # fmt: skip
    parts: tuple[Any, ...] = (*pipeline.ON_HEAD, *pipeline.ON_BODY, *pipeline.ON_END)
    assert parts == pipeline.STAGES


def test_stages_run_in_order_and_the_exchange_hears_that_they_passed() -> None:
    """None goes on."""
    assert Watched().runs(None, None).told == [0, 1, "passed"]


def test_an_answer_stops_the_rest() -> None:
    """Bytes are the whole answer."""
    assert Watched().runs(None, b"answer", None).told == [0, 1, b"answer"]


def test_an_error_stops_the_rest() -> None:
    """A GatewayError is the refusal."""
    error = ModelUnknownError("which?")
    assert Watched().runs(error, None).told == [0, error]


def test_what_nobody_can_read_of_a_body_is_a_bad_request() -> None:
    """Whichever stage looks at it first; the error names the field."""
    number, error = Watched().runs(PeekError("stream_options is given twice", "stream_options"), None).told
    assert number == 0
    assert isinstance(error, BadRequestError)
    assert (error.message, error.parameter) == ("stream_options is given twice", "stream_options")


def test_a_defect_is_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for ever because of us; the log tells where it was."""
    number, error = Watched().runs(AttributeError("no such thing"), None).told
    assert number == 0
    assert isinstance(error, InternalError)
    assert "no such thing" not in error.message
    (record,) = caplog.records
    assert record.exc_info is not None
    assert (record.getMessage(), record.exc_info[0]) == ("a stage failed; request req_1", AttributeError)


def test_a_future_is_waited_for_and_its_stage_runs_again(loop: asyncio.AbstractEventLoop) -> None:
    """The stages before it do not run twice."""
    future: asyncio.Future[None] = loop.create_future()
    watched = Watched().runs(None, future, None)
    turn(loop)
    assert watched.told == [0, 1]
    future.set_result(None)
    turn(loop)
    assert watched.told == [0, 1, 1, 2, "passed"]


def test_a_future_that_fails_refuses(loop: asyncio.AbstractEventLoop) -> None:
    """The error is what was waited for; the stage does not run again."""
    future: asyncio.Future[None] = loop.create_future()
    watched = Watched().runs(future, None)
    error = ModelUnknownError("which?")
    future.set_exception(error)
    turn(loop)
    assert watched.told == [0, error]


def test_an_exchange_that_ended_meanwhile_goes_no_further(loop: asyncio.AbstractEventLoop) -> None:
    """Its client left while a stage waited: neither a result nor an error matters any more."""
    for is_failure in (False, True):
        future: asyncio.Future[None] = loop.create_future()
        watched = Watched().runs(future, None)
        watched.is_ended = True
        if is_failure:
            future.set_exception(ModelUnknownError("which?"))
        else:
            future.set_result(None)
        turn(loop)
        assert watched.told == [0]
