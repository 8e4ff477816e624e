"""What was used in some time."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import consumption
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.consumption import Consumption, Question, plan
from sluicegate.domain.usage_rows import DAY, HOUR
from sluicegate.store.usage.rollups import Wanted
from tests.control.actors import OWN, ROOT
from tests.control.api import Api
from tests.control.requested import TODAY, foreign, own, record

NOW = TODAY + 12 * HOUR
TOMORROW = TODAY + DAY
MONTH = {"since": TOMORROW - 30 * DAY, "until": TOMORROW}


@pytest.mark.parametrize(
    ("asked", "grain", "since", "until"),
    [
        ({}, "day", TOMORROW - 30 * DAY, TOMORROW),
        ({"group_by": "hour"}, "hour", NOW + HOUR - DAY, NOW + HOUR),
        ({"since": TODAY - DAY}, "day", TODAY - DAY, TOMORROW),
        ({"since": TODAY - DAY, "until": TODAY}, "day", TODAY - DAY, TODAY),
        ({"since": TODAY + HOUR}, "hour", TODAY + HOUR, NOW + HOUR),
        ({"since": TODAY + 1, "until": TODAY + HOUR + 1}, "hour", TODAY, TODAY + 2 * HOUR),
        ({"group_by": "hour", "since": TODAY, "until": TOMORROW}, "hour", TODAY, TOMORROW),
        ({"until": TODAY}, "day", TODAY - 30 * DAY, TODAY),
        ({"since": -5 * DAY, "until": DAY}, "day", 0, DAY),
        ({"since": TODAY, "until": 253_402_300_799_000}, "hour", TODAY, 253_402_214_400_000),
    ],
)
def test_a_time_is_of_whole_hours_or_days(asked: dict[str, Any], grain: str, since: int, until: int) -> None:
    """Days are read where the question is about whole days, hours else; what is not said is the time up to now."""
    wanted = plan(Question(**asked), NOW).wanted
    assert (wanted.grain, wanted.since, wanted.until) == (grain, since, until)


@pytest.mark.parametrize(
    ("asked", "narrowing", "by"),
    [
        ({}, {"scope": "all"}, "start"),
        ({"group_by": "provider"}, {"scope": "all"}, "provider"),
        ({"group_by": "model", "provider": "openai"}, {"scope": "all", "provider": "openai"}, "model"),
        ({"group_by": "organization"}, {"scope": "organization"}, "scope_id"),
        ({"group_by": "user"}, {"scope": "user"}, "scope_id"),
        (
            {"group_by": "token", "organization_id": "org_1"},
            {"scope": "token", "organization_id": "org_1"},
            "scope_id",
        ),
        (
            {"organization_id": "org_1"},
            {"scope": "organization", "scope_id": "org_1", "organization_id": "org_1"},
            "start",
        ),
        ({"token_id": "tok_1", "group_by": "model"}, {"scope": "token", "scope_id": "tok_1"}, "model"),
        ({"token_id": "tok_1", "group_by": "token"}, {"scope": "token", "scope_id": "tok_1"}, "scope_id"),
        (
            {"user_id": "usr_1", "group_by": "organization"},
            {"scope": "user", "scope_id": "usr_1"},
            "organization_id",
        ),
        ({"tag": "a", "group_by": "organization"}, {"scope": "tag", "scope_id": "a"}, "organization_id"),
        ({"project_id": "prj_1"}, {"scope": "project", "scope_id": "prj_1"}, "start"),
    ],
)
def test_a_question_is_answered_by_one_kind_of_sums(asked: dict[str, Any], narrowing: dict[str, Any], by: str) -> None:
    """Those of the subject that is named, else of the kind that is asked for."""
    found = plan(Question(**asked), NOW)
    assert found == (Wanted("day", **{**MONTH, **narrowing}), by)


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ({"user_id": "usr_1", "group_by": "token"}, "The use of one user is not kept by token."),
        ({"tag": "a", "group_by": "user"}, "The use of one tag is not kept by user."),
        ({"user_id": "usr_1", "tag": "a"}, "Name one of token, user, project, tag, not several"),
        ({"since": TODAY, "until": TODAY}, "since must be before until."),
        ({"since": TODAY + 3 * DAY}, "since must be before until."),
    ],
)
def test_what_is_not_kept_is_refused(asked: dict[str, Any], detail: str) -> None:
    """A question that no sums answer is refused, and so is a time without any."""
    with pytest.raises(ProblemError) as caught:
        plan(Question(**asked), NOW)
    assert caught.value.status == 422
    assert caught.value.detail.startswith(detail)


def told(api: Api, actor: Actor, limit: int = 10, skip: int = 0, **asked: Any) -> Consumption:
    """The answer."""
    return api.run(consumption.told(api.database, actor, Question(**asked), now=NOW, limit=limit, skip=skip))


def keys(answer: Consumption) -> list[tuple[str | int, int]]:
    """Its groups, each with its requests."""
    return [(group.value, group.sums.requests) for group in answer.groups]


def test_answers_are_bounded_to_who_asks(api: Api) -> None:
    """Who is bounded to an organisation is told of its use alone, whatever the question; of another one, nothing."""
    record(api, own(TODAY), own(TODAY, model="small"), foreign(TODAY), foreign(TODAY, token="", organization_id=""))
    assert keys(told(api, ROOT)) == [(TODAY, 4)]
    assert keys(told(api, OWN)) == [(TODAY, 2)]
    assert keys(told(api, OWN, group_by="model")) == [("gpt-4.1", 1), ("small", 1)]
    assert keys(told(api, OWN, group_by="user")) == [("usr_own", 2)]
    assert keys(told(api, OWN, user_id="usr_foreign")) == []
    with pytest.raises(ProblemError) as caught:
        told(api, OWN, organization_id="org_foreign")
    assert caught.value.status == 404


def test_the_total_is_of_all_groups(api: Api) -> None:
    """Where there are more groups than asked for, that is said, and the total is not cut."""
    record(api, *(own(TODAY, model=f"model-{number}") for number in range(5)))
    answer = told(api, ROOT, 2, group_by="model")
    assert (len(answer.groups), answer.has_more, answer.total.requests) == (2, True, 5)
    assert told(api, ROOT, 5, group_by="model").has_more is False
    rest = told(api, ROOT, 3, skip=2, group_by="model")
    assert (answer.groups + rest.groups, rest.has_more) == (told(api, ROOT, 5, group_by="model").groups, False)
    assert rest.total == answer.total


def test_recent_use_of_one_subject(api: Api) -> None:
    """What it used in the last thirty days, today among them, by day and by model."""
    times = (TODAY + HOUR, TODAY - 29 * DAY, TODAY - 30 * DAY)
    record(api, *(own(at) for at in times), own(TODAY, model="small"), foreign(TODAY))

    async def read() -> consumption.Recent:
        async with api.database.reading() as session:
            return await consumption.recent(session, "user", "usr_own", now=NOW)

    recent = api.run(read())
    assert [(group.value, group.sums.requests) for group in recent.by_day] == [(TODAY - 29 * DAY, 1), (TODAY, 2)]
    assert [(group.value, group.sums.requests) for group in recent.by_model] == [("gpt-4.1", 2), ("small", 1)]
