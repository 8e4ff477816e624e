"""From the configuration to a sink that is ready to be fed."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from structlog.typing import FilteringBoundLogger

from sluicegate.config.schema import SinkSettings
from sluicegate.config.sink_kinds import KINDS
from sluicegate.events.sinks.base import Surroundings
from sluicegate.events.sinks.decisions import Plan
from sluicegate.events.sinks.table import opened, plan_of, sink_of
from tests.events.sinks.contract import NOW, SUBJECTS, answer, exchange, scripted, settings_of

SURROUNDINGS = Surroundings(lambda: NOW)


@pytest.mark.parametrize("kind", sorted(SUBJECTS))
def test_every_type_leads_to_a_sink(kind: str) -> None:
    """Which says what it takes, and takes one event at least."""
    sink = sink_of(settings_of(kind, "http://127.0.0.1:1/"), SURROUNDINGS)
    assert sink.kinds <= {"exchange", "notice"}
    assert sink.most_events >= 1
    asyncio.run(sink.close())
    assert {*SUBJECTS[kind].settings} <= KINDS[kind].settings


def test_a_plan_is_what_the_settings_say() -> None:
    """But no more events than the sink takes."""
    settings = SinkSettings.model_validate(
        {
            "type": "webhook",
            "batch": {"count": 50, "bytes": 5000},
            "concurrency": 2,
            "timeout": 3,
            "retries": {"attempts": 7, "backoff": 0.25, "longest_wait": 9},
        }
    )
    plan = Plan(50, 5000, 2, 3.0, attempts=7, backoff=0.25, longest_wait=9.0)
    assert plan_of(settings, most_events=100) == plan
    assert plan_of(settings, most_events=10).count == 10


def test_an_engine_is_made_of_a_configuration(tmp_path: Path, log: FilteringBoundLogger) -> None:
    """With its filters, its fields, and its dead letters below the data directory."""

    async def story() -> None:
        async with scripted(answer(200), answer(400)) as server:
            settings = settings_of(
                "webhook",
                server.url,
                filters=[{"field": "status_code", "at_least": 500}],
                fields=["status_code"],
            )
            engine = opened("hook", settings, data_dir=tmp_path, surroundings=SURROUNDINGS, chance=lambda: 0.0, log=log)
            await engine.deliver([exchange(1), exchange(2, status_code=500)])
            await engine.deliver([exchange(3, status_code=502)])
            await engine.close()
        first = server.documents()[0]["data"]
        assert first == [{"kind": "exchange", "request_id": exchange(2)["request_id"], "status_code": 500}]
        (line,) = (tmp_path / "dead" / "hook.jsonl").read_bytes().splitlines()
        assert msgspec.json.decode(line)["event"]["status_code"] == 502

    asyncio.run(story())
