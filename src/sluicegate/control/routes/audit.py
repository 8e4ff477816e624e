"""What was changed, by whom and from where: the audit log, newest first."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Moment, Shown, milliseconds, moment
from sluicegate.control.routes.paging import DEFAULT_LIMIT, MOST, IdentifierFilter, Listing, Search
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import audit
from sluicegate.domain.audit import AuditFilter
from sluicegate.domain.tenants import AuditEntry

Word = Annotated[str | None, Query(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


class AuditEntryShown(Shown):
    """One change. `hash` is of `previous_hash` and all the rest: `sluicegate audit verify` checks the chain."""

    sequence: int
    at: datetime
    actor: str
    actor_kind: str
    address: str
    action: str
    target_kind: str
    target_id: str
    org_id: str | None
    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous_hash: str
    hash: str


def shown(entry: AuditEntry) -> AuditEntryShown:
    """The form in which it is sent."""
    return AuditEntryShown(
        sequence=entry.sequence,
        at=moment(entry.at),
        actor=entry.actor,
        actor_kind=entry.actor_kind,
        address=entry.address,
        action=entry.action,
        target_kind=entry.target_kind,
        target_id=entry.target_id,
        org_id=entry.organization_id,
        request_id=entry.request_id,
        before=entry.before,
        after=entry.after,
        previous_hash=entry.previous_hash.hex(),
        hash=entry.hash.hex(),
    )


async def list_audit_entries(
    actor: Acting,
    context: Reached,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Most entries of the answer.")] = DEFAULT_LIMIT,
    after: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="`next_cursor` of the page before: entries older than that.")
    ] = None,
    org_id: IdentifierFilter = None,
    by: Annotated[Word, Query(alias="actor", description="Id of who did it.")] = None,
    action: Annotated[Word, Query(description="As in `user.update`.")] = None,
    target_kind: Word = None,
    target_id: Word = None,
    since: Annotated[Moment | None, Query(description="Not before that.")] = None,
    until: Annotated[Moment | None, Query(description="Before that.")] = None,
    search: Search = None,
) -> Listing[AuditEntryShown]:
    """The entries that all filters fit, newest first."""
    wanted = AuditFilter(
        actor=by or None,
        action=action or None,
        target_kind=target_kind or None,
        target_id=target_id or None,
        organization_id=org_id,
        since=milliseconds(since),
        until=milliseconds(until),
        search=search,
    )
    entries = await audit.search(context.tenancy.database, actor, wanted, before=after, limit=limit + 1)
    cursor = str(entries[limit - 1].sequence) if len(entries) > limit else None
    return Listing(data=[shown(entry) for entry in entries[:limit]], next_cursor=cursor)


ROUTES = (Route("GET", "/admin/audit", "viewer", list_audit_entries, 200, Listing[AuditEntryShown]),)
