"""Many users at once: all of them or none, or each for itself with a report.

Rule 1. Rows are taken a batch at a time, so that memory does not grow with their number.
Rule 2. Rows are read by a thread: they come from a file.
Rule 3. Each new user has its own line in the audit log, in the same transaction.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.audit import draft
from sluicegate.control.tenants.organizations import visible as visible_organization
from sluicegate.control.tenants.tenancy import Tenancy, Transaction
from sluicegate.control.tenants.users import UserFields, described, home_of
from sluicegate.domain.audit import AuditDraft
from sluicegate.domain.tenants import User
from sluicegate.store.errors import AlreadyExistsError

BATCH = 500
"""Rows of a transaction, where each is for itself: tens of milliseconds in which nobody else can write."""

MOST_AT_ONCE = 50_000
"""Rows that can be all or nothing: nobody else can write until the last of them is, and gives up after ten seconds."""

MOST_ERRORS = 100
"""Errors that are told of an import that is all or nothing."""


class Row(NamedTuple):
    """One user to be made; `line` is where it is told in the file. Without an organisation: in `home_of`."""

    line: int
    organization_id: str | None
    fields: UserFields


class Faulty(NamedTuple):
    """What stands at `line` is no user. Each error has `path` and `message`."""

    line: int
    errors: list[dict[str, str]]


Rows = Iterator[Row | Faulty]


class Made(NamedTuple):
    """What became of a row."""

    line: int
    user: User


class Counts(NamedTuple):
    """How many rows became users and how many did not."""

    created: int
    refused: int


class _RefusedError(Exception):
    """Some rows cannot be; carries them. It ends the transaction."""

    def __init__(self, faults: list[Faulty]) -> None:
        super().__init__(len(faults))
        self.faults = faults


async def import_all(tenancy: Tenancy, actor: Actor, rows: Callable[[], Rows], *, organization_id: str | None) -> int:
    """Make all users in one transaction; return how many. `rows` reads them from the first one on, whenever called.

    Raises ProblemError 422 with what is wrong where anything is, and then nothing has changed.
    """
    # Most of what can be wrong is found before anybody else has to wait.
    faults = await asyncio.to_thread(_faults, rows())
    if faults:
        raise _nothing_imported(faults)
    source, count = rows(), 0
    try:
        async with tenancy.changing(actor) as change:
            while batch := await _next(source):
                made, faults = await _make(tenancy, change, _good(batch), organization_id)
                if faults:
                    raise _RefusedError(faults)
                count += len(made)
    except _RefusedError as refused:
        raise _nothing_imported(refused.faults) from None
    return count


async def import_each(
    tenancy: Tenancy, actor: Actor, rows: Rows, *, organization_id: str | None, report: Callable[[Made | Faulty], None]
) -> Counts:
    """Make each user that can be; `report` is told what became of every row, in a thread, in the order of the rows."""
    created = refused = 0
    while batch := await _next(rows):
        async with tenancy.changing(actor) as change:
            made, faults = await _make(tenancy, change, _good(batch), organization_id)
        faults += [row for row in batch if isinstance(row, Faulty)]
        created, refused = created + len(made), refused + len(faults)
        await asyncio.to_thread(_report, sorted((*made, *faults), key=lambda one: one.line), report)
    return Counts(created, refused)


async def _next(rows: Rows) -> list[Row | Faulty]:
    return await asyncio.to_thread(lambda: list(islice(rows, BATCH)))


def _good(batch: Sequence[Row | Faulty]) -> list[Row]:
    return [row for row in batch if isinstance(row, Row)]


def _report(outcomes: Sequence[Made | Faulty], report: Callable[[Made | Faulty], None]) -> None:
    for outcome in outcomes:
        report(outcome)


def _faults(rows: Rows) -> list[Faulty]:
    """What is wrong with rows, as far as they themselves tell."""
    faults: list[Faulty] = []
    for count, row in enumerate(rows, 1):
        if count > MOST_AT_ONCE:
            message = f"at most {MOST_AT_ONCE} users can be all or nothing: use mode=rows"
            return [*faults, _fault(row.line, "", message)]
        if isinstance(row, Faulty):
            faults.append(row)
        if len(faults) == MOST_ERRORS:
            break
    return faults


async def _make(
    tenancy: Tenancy, change: Transaction, rows: Sequence[Row], organization_id: str | None
) -> tuple[list[Made], list[Faulty]]:
    """Make the users that can be, with their lines in the audit log; return them, and the rows that cannot be."""
    wanted = [(row, home_of(change.actor, row.organization_id or organization_id)) for row in rows]
    missing = await _missing(change, {home for _, home in wanted})
    candidates = [
        Made(
            row.line,
            User(
                id=tenancy.make_id("usr_"),
                organization_id=home,
                created_at=change.at,
                updated_at=change.at,
                **row.fields,
            ),
        )
        for row, home in wanted
        if home not in missing
    ]
    taken = {one.line for one in await _add(change, candidates)}
    made = [one for one in candidates if one.line not in taken]
    await change.session.audit.append_all([_entry(change, one.user) for one in made])
    faults = [_fault(row.line, "org_id", missing[home]) for row, home in wanted if home in missing]
    return made, faults + [_fault(line, "email", "somebody has this address already") for line in sorted(taken)]


async def _missing(change: Transaction, organization_ids: set[str]) -> dict[str, str]:
    """Those of the organisations that the actor cannot see, and what to say of them."""
    missing = {}
    for organization_id in sorted(organization_ids):
        try:
            await visible_organization(change.session, change.actor, organization_id)
        except ProblemError as error:
            missing[organization_id] = error.detail
    return missing


async def _add(change: Transaction, candidates: Sequence[Made]) -> list[Made]:
    """Add all whose address is free; return the others.

    All at once is quick, and tells only that there are others: they are looked for in halves, first the earlier one.
    """
    if not candidates:
        return []
    try:
        await change.session.users.add_all([one.user for one in candidates])
    except AlreadyExistsError:
        if len(candidates) == 1:
            return list(candidates)
        half = len(candidates) // 2
        return [*await _add(change, candidates[:half]), *await _add(change, candidates[half:])]
    return []


def _entry(change: Transaction, user: User) -> AuditDraft:
    return draft(
        change.actor,
        "user.create",
        at=change.at,
        target_kind="user",
        target_id=user.id,
        organization_id=user.organization_id,
        after=described(user),
    )


def _fault(line: int, path: str, message: str) -> Faulty:
    return Faulty(line, [{"path": path, "message": message}])


def _nothing_imported(faults: Sequence[Faulty]) -> ProblemError:
    errors: list[dict[str, Any]] = [{"line": fault.line, **error} for fault in faults for error in fault.errors]
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "No user was imported: all of them or none were asked for, and some cannot be.",
        errors=errors[:MOST_ERRORS],
    )
