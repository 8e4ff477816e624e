"""Requests in the log of an application, for tests of who may see them and what they come to."""

from sluicegate.domain.request_blocks import blocks_of
from sluicegate.domain.usage_rows import Logged
from sluicegate.domain.usage_sums import alike, by_subject
from tests.control.api import Api
from tests.store.events import BEGAN, an_event

TODAY = 1_795_219_200_000
"""The beginning of the day that the application's clock is in, Unix milliseconds: 2026-11-21T00:00Z."""


def own(at: int, **fields: object) -> Logged:
    """A request of the world's own token, at this time in Unix milliseconds."""
    return _of("own", at, **fields)


def foreign(at: int, **fields: object) -> Logged:
    """A request of the world's foreign token."""
    return _of("foreign", at, **fields)


def record(api: Api, *events: Logged) -> None:
    """Put requests into the log, and what they come to."""

    async def add() -> None:
        async with api.database.writing() as session:
            await session.request_log.add(blocks_of(events))
            await session.rollups.add(by_subject(alike(events)))

    api.run(add())


def _of(name: str, at: int, **fields: object) -> Logged:
    whose = {
        "organization_id": f"org_{name}",
        "project_id": f"prj_{name}",
        "user_id": f"usr_{name}",
        "token": f"tok_{name}",
    }
    return an_event(at - BEGAN, **{**whose, **fields})
