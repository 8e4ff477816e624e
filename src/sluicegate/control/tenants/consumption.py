"""What was used in some time, by hour, by day, and by whom or what: from the sums that are kept, not from the requests.

Rule 1. Sums are of hours and of days in UTC. Those of days answer what begins and ends with days, those of hours the
        rest; a time within an hour stands for the whole hour.
Rule 2. A sum is of one subject, or of everybody, and of one model. So use can be told by hour, day, provider and model
        of any subject; and by subject for everybody or one organisation.
"""

from http import HTTPStatus
from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor
from sluicegate.domain.usage_rows import DAY, HOUR, Grain, Scope, Sums
from sluicegate.store.database import Database, Session
from sluicegate.store.usage.rollups import By, Group, Wanted

GroupBy = Literal["hour", "day", "organization", "project", "user", "token", "provider", "model", "tag"]

DAYS: Final = 30
"""How far back is told where nothing is said, today among them; of hours, a day's."""

_LATEST: Final = 253_402_214_400_000
"""The last day that can be told, in 9999."""

_SUBJECTS: Final[dict[GroupBy, Scope]] = {"token": "token", "user": "user", "project": "project", "tag": "tag"}
"""Besides organisations, which sums of all other subjects have with them."""
_OTHERS: Final[dict[GroupBy, By]] = {"hour": "start", "day": "start", "provider": "provider", "model": "model"}


class Question(Struct, frozen=True):
    """What shall be told. `since` and `until` are Unix milliseconds; None: the last days up to now."""

    group_by: GroupBy = "day"
    since: int | None = None
    until: int | None = None
    organization_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    token_id: str | None = None
    tag: str | None = None
    provider: str | None = None
    model: str | None = None


class Plan(NamedTuple):
    """Which sums answer a question, and by which column."""

    wanted: Wanted
    by: By


class Consumption(Struct, frozen=True):
    """The answer. `total` is of all groups, those that were skipped and those beyond the limit too; `has_more` tells of
    the latter.
    """

    since: int
    until: int
    groups: list[Group]
    has_more: bool
    total: Sums


class Recent(Struct, frozen=True):
    """What one subject used in the last days: by day, oldest first, and by model, those with most requests first."""

    by_day: list[Group]
    by_model: list[Group]


async def told(
    database: Database, actor: Actor, question: Question, *, now: int, limit: int, skip: int = 0
) -> Consumption:
    """The answer, with at most `limit` groups behind the first `skip`; `now` is Unix milliseconds.

    Raises ProblemError 404 for a foreign organisation, 422 for a question that no sums are kept for.
    """
    wanted, by = plan(replace(question, organization_id=actor.bounded(question.organization_id)), now)
    async with database.reading() as session:
        groups = await session.rollups.by(wanted, by, limit=limit + 1, skip=skip)
        total = await session.rollups.total(wanted)
    return Consumption(wanted.since, wanted.until, groups[:limit], len(groups) > limit, total)


async def recent(session: Session, scope: Scope, scope_id: str, *, now: int, most_models: int = 100) -> Recent:
    """What a subject used in the last `DAYS` days, those of UTC; `now` is Unix milliseconds."""
    since, until = _days(now)
    wanted = Wanted("day", scope, since, until, scope_id=scope_id)
    by_day = await session.rollups.by(wanted, "start", limit=DAYS)
    return Recent(by_day, await session.rollups.by(wanted, "model", limit=most_models))


def plan(question: Question, now: int) -> Plan:
    """Which sums answer it. Raises ProblemError 422."""
    grain, since, until = _period(question, now)
    scope, scope_id = _subject(question)
    by = _OTHERS.get(question.group_by)
    if by is None and scope == question.group_by:
        by = "scope_id"
    elif question.group_by == "organization":
        by = "organization_id"
    if by is None:
        # Left are subjects of another kind than the one that is asked about.
        raise _unanswerable(f"The use of one {scope} is not kept by {question.group_by}.")
    wanted = Wanted(
        grain,
        scope,
        since,
        until,
        scope_id=scope_id,
        organization_id=question.organization_id,
        provider=question.provider,
        model=question.model,
    )
    return Plan(wanted, by)


def _subject(question: Question) -> tuple[Scope, str | None]:
    ids = (question.token_id, question.user_id, question.project_id, question.tag)
    named = [(scope, value) for scope, value in zip(_SUBJECTS.values(), ids, strict=True) if value is not None]
    if len(named) > 1:
        raise _unanswerable(f"Name one of {', '.join(_SUBJECTS)}, not several: no sums are kept of both.")
    if named:
        return named[0]
    subject = _SUBJECTS.get(question.group_by)
    if subject is not None:
        return subject, None
    if question.organization_id is not None or question.group_by == "organization":
        return "organization", question.organization_id
    return "all", None


def _period(question: Question, now: int) -> tuple[Grain, int, int]:
    """The grain, and the whole hours or days that a question is about."""
    given = [time for time in (question.since, question.until) if time is not None]
    is_of_days = question.group_by != "hour" and not any(time % DAY for time in given)
    length = DAY if is_of_days else HOUR
    until = _ceiling(now + 1 if question.until is None else question.until, length)
    back = DAY if question.group_by == "hour" else DAYS * DAY
    since = until - back if question.since is None else question.since // length * length
    since, until = max(since, 0), min(until, _LATEST)
    if since >= until:
        raise _unanswerable("since must be before until.")
    return "day" if is_of_days else "hour", since, until


def _days(now: int) -> tuple[int, int]:
    until = _ceiling(now + 1, DAY)
    return until - DAYS * DAY, until


def _ceiling(time: int, length: int) -> int:
    return -(-time // length) * length


def _unanswerable(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
