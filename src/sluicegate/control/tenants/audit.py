"""The audit log: one line for every change of state, in the change's own transaction, and reading it."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from sluicegate.control.tenants.actor import Actor
from sluicegate.domain.audit import AuditDraft, AuditFilter
from sluicegate.domain.tenants import AuditEntry
from sluicegate.store.database import Database, Session


def draft(
    actor: Actor,
    action: str,
    *,
    at: int,
    target_kind: str,
    target_id: str,
    organization_id: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditDraft:
    """One line, not yet chained to the others.

    `action` is `<kind>.<verb>`, `at` Unix milliseconds; `before` and `after` are as an API shows them: without secrets.
    """
    return AuditDraft(
        at=at,
        actor=actor.id,
        actor_kind=actor.kind,
        address=actor.address,
        action=action,
        target_kind=target_kind,
        target_id=target_id,
        organization_id=organization_id,
        request_id=actor.request_id,
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
    )


async def record(session: Session, actor: Actor, action: str, **told: Any) -> None:
    """Write one line as of `draft`, to be committed with the change it tells of."""
    await session.audit.append(draft(actor, action, **told))


async def search(
    database: Database,
    actor: Actor,
    wanted: AuditFilter,
    *,
    before: int | None,
    limit: int,
) -> list[AuditEntry]:
    """A page of the entries the actor may see, newest first, older than the entry `before`.

    Who is bounded to one organisation sees what happened in it. Raises ProblemError 404 for a foreign organisation.
    """
    visible = replace(wanted, organization_id=actor.bounded(wanted.organization_id))
    async with database.reading() as session:
        return await session.audit.list(visible, before_sequence=before, limit=limit)
