"""What was used in some time, by way of the management API."""

import pytest

from sluicegate.domain.usage_rows import DAY, HOUR
from tests.control.api import Api
from tests.control.requested import TODAY, foreign, own, record

EVENTS = (
    own(TODAY - DAY, cost=1_000_000_000),
    own(TODAY, cost=None, model="small", status_code=502, tags=("batch",)),
    own(TODAY + HOUR, cost=500_000_000),
    foreign(TODAY + HOUR, provider="anthropic", model="claude"),
)


def test_usage_by_day(api: Api) -> None:
    """Without more words: the last thirty days, day by day, with what each came to and all together."""
    record(api, *EVENTS)
    answer = api.ask("GET", "/admin/usage?org_id=org_own").json
    assert answer == {
        "since": "2026-10-23T00:00:00Z",
        "until": "2026-11-22T00:00:00Z",
        "group_by": "day",
        "data": [
            {
                "key": "2026-11-20T00:00:00Z",
                "requests": 1,
                "failed": 0,
                "input_tokens": 10,
                "output_tokens": 5,
                "total_tokens": 15,
                "cache_read_tokens": 3,
                "cost_usd": 1.0,
                "unpriced": 0,
                "average_duration_ms": 12.5,
            },
            {
                "key": "2026-11-21T00:00:00Z",
                "requests": 2,
                "failed": 1,
                "input_tokens": 20,
                "output_tokens": 10,
                "total_tokens": 30,
                "cache_read_tokens": 6,
                "cost_usd": 0.5,
                "unpriced": 1,
                "average_duration_ms": 12.5,
            },
        ],
        "has_more": False,
        "next_cursor": None,
        "total": {
            "requests": 3,
            "failed": 1,
            "input_tokens": 30,
            "output_tokens": 15,
            "total_tokens": 45,
            "cache_read_tokens": 9,
            "cost_usd": 1.5,
            "unpriced": 1,
            "average_duration_ms": 12.5,
        },
    }


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("group_by=hour", ["2026-11-21T00:00:00Z", "2026-11-21T01:00:00Z"]),
        (
            "group_by=hour&until=2026-11-21T01:00:00Z&since=2026-11-20T00:30:00Z",
            ["2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"],
        ),
        ("group_by=organization", ["org_own", "org_foreign"]),
        ("group_by=project", ["prj_own", "prj_foreign"]),
        ("group_by=user&org_id=org_own", ["usr_own"]),
        ("group_by=token", ["tok_own", "tok_foreign"]),
        ("group_by=provider", ["openai", "anthropic"]),
        ("group_by=model&user_id=usr_own", ["gpt-4.1", "small"]),
        ("group_by=model&provider=anthropic", ["claude"]),
        ("group_by=day&model=small", ["2026-11-21T00:00:00Z"]),
        ("group_by=tag", ["batch"]),
        ("group_by=tag&limit=1&tag=none", []),
        ("group_by=day&token_id=tok_foreign&model=", ["2026-11-21T00:00:00Z"]),
    ],
)
def test_groups(query: str, keys: list[str], api: Api) -> None:
    """By each thing there is; hours and days in their order, others by their requests."""
    record(api, *EVENTS)
    assert [group["key"] for group in api.ask("GET", f"/admin/usage?{query}").json["data"]] == keys


def test_there_may_be_more_groups(api: Api) -> None:
    """What is beyond the limit is said to be there, and is in the total."""
    record(api, *EVENTS)
    answer = api.ask("GET", "/admin/usage?group_by=model&limit=1").json
    assert ([group["key"] for group in answer["data"]], answer["has_more"]) == (["gpt-4.1"], True)
    assert answer["next_cursor"] == "1"
    assert answer["total"]["requests"] == 4
    whole = api.ask("GET", "/admin/usage?group_by=model").json
    rest = api.ask("GET", f"/admin/usage?group_by=model&after={answer['next_cursor']}").json
    assert answer["data"] + rest["data"] == whole["data"]
    assert (rest["next_cursor"], rest["total"]) == (None, whole["total"])
    nothing = api.ask("GET", "/admin/usage?until=2020-01-01T00:00:00Z").json
    assert (nothing["data"], nothing["total"]["average_duration_ms"]) == ([], None)


@pytest.mark.parametrize(
    "query",
    [
        "group_by=week",
        "limit=0",
        "limit=1001",
        "after=-1",
        "after=x",
        "after=1234567890",
        "since=yesterday",
        "since=2026-11-21T00:00:00Z&until=2026-11-20T00:00:00Z",
        "user_id=usr_own&group_by=token",
        "user_id=usr_own&token_id=tok_own",
        "until=0001-01-01T00:00:00Z",
    ],
)
def test_what_is_no_question_is_refused(query: str, api: Api) -> None:
    """What is not known, and what no sums are kept for."""
    assert api.ask("GET", f"/admin/usage?{query}").status == 422


def test_times_at_the_end_of_time(api: Api) -> None:
    """The first and the last moment that can be told are no trouble."""
    answer = api.ask("GET", "/admin/usage?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z")
    assert (answer.status, answer.json["since"], answer.json["until"]) == (
        200,
        "1970-01-01T00:00:00Z",
        "9999-12-31T00:00:00Z",
    )


def test_viewers_are_told_of_what_is_theirs(api: Api) -> None:
    """Whoever is bounded to one organisation is told of its use alone."""
    keys = api.world().keys
    record(api, *EVENTS)
    for role in ("viewer", "organization_admin"):
        answer = api.ask("GET", "/admin/usage?group_by=token", key=keys[role]).json
        assert ([group["key"] for group in answer["data"]], answer["total"]["requests"]) == (["tok_own"], 3)
    assert api.ask("GET", "/admin/usage?org_id=org_foreign", key=keys["viewer"]).status == 404


@pytest.mark.parametrize("path", ["/admin/users/usr_own/usage", "/admin/organizations/org_own/usage"])
def test_recent_use_of_a_user_and_an_organization(path: str, api: Api) -> None:
    """Both are told by day and by model what was used, whether or not a limit bounds it."""
    api.world()
    record(api, *EVENTS)
    used = api.ask("GET", path).json
    assert used["usage_usd"] is None
    assert [(day["date"], day["requests"], day["cost_usd"]) for day in used["by_day"]] == [
        ("2026-11-20", 1, 1.0),
        ("2026-11-21", 2, 0.5),
    ]
    assert [(model["model"], model["total_tokens"]) for model in used["by_model"]] == [("gpt-4.1", 30), ("small", 15)]
