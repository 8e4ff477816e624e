"""All sources of notices together: they lead to one journal."""

import asyncio
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from sluicegate.config.compile import Compiled
from sluicegate.control.notices.warnings import Warnings
from sluicegate.control.resolution.uses import Spent, Used
from sluicegate.domain.events import Exchange, Notice
from sluicegate.domain.tenants import Token
from sluicegate.events.checkpoint import Checkpoint
from sluicegate.events.reader import Batch, SegmentReader
from sluicegate.events.tail import ALL_EVENTS
from sluicegate.wire.link import DeploymentHealth
from tests.control.conftest import MINIMAL, WriteSources
from tests.control.vault import OWN_PROJECT, Vault


def warnings(vault: Vault, tmp_path: Path, current: Compiled, log: FilteringBoundLogger) -> Warnings:
    """Those of a node."""
    return Warnings(
        tmp_path,
        vault.database,
        node="n1",
        boot="0a",
        current=lambda: current,
        now=lambda: vault.milliseconds,
        log=log,
    )


def test_every_source_is_heard(vault: Vault, tmp_path: Path, write: WriteSources, log: FilteringBoundLogger) -> None:
    """Budgets, circuits, tokens and degraded requests, under the settings in force."""
    current = write(MINIMAL + "notices: {budget_percents: [10], token_seconds: 60}\n").load(1)
    made = warnings(vault, tmp_path, current, log)

    async def main() -> list[Notice]:
        async with vault.database.writing() as session:
            fields: dict[str, Any] = {"created_at": 1, "updated_at": 1, "expires_at": vault.milliseconds + 60_000}
            token = Token(
                id="tok_a",
                digest=bytes(32),
                prefix="sk-sg-",
                last_four="last",
                organization_id="org_own",
                project_id=OWN_PROJECT,
                **fields,
            )
            await session.tokens.add(token)
        made.budgets.asked("tok_a|requests|lifetime", 100, "org_own", 10)
        made.circuits.changed(0, DeploymentHealth("openai", "open", 5, 1.0, 0.0, 0, 1), is_open=True)
        moment = "2026-11-21T12:00:00.000Z"
        event = Used("req_1", moment, "tok_a", 1.0, Spent(), organization_id="org_own", is_degraded=True)
        made.degraded.observe([event])
        await made.withering.look()
        assert repr(made).startswith("<Warnings <Notices waiting=4 ")
        await made.notices.write()
        batch: Batch[Exchange | Notice] = await asyncio.to_thread(
            SegmentReader(tmp_path / "events").read_as, ALL_EVENTS, Checkpoint(), 10
        )
        return [each for each in batch.events if isinstance(each, Notice)]

    assert [(notice.event, notice.subject) for notice in vault.run(main())] == [
        ("budget.threshold", "tok_a"),
        ("circuit.opened", "openai"),
        ("request.degraded", "org_own"),
        ("token.withering", "tok_a"),
    ]
