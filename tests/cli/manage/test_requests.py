"""`sluicegate manage request`: what is asked for each command."""

import json

from tests.cli.manage.gateway import ScriptedApi

REQUEST = {"request_id": "req_1", "model": "gpt-4.1", "status_code": 502, "at": "2026-11-21T00:00:00Z"}
SUMS = {"requests": 3, "failed": 0, "input_tokens": 1, "output_tokens": 2, "cost_usd": 0.5, "average_duration_ms": 1.0}
WHOSE = ("--organization", "org_1", "--project", "prj_1", "--user", "usr_1", "--token-id", "tok_1")
WHAT = ("--provider", "openai", "--model", "gpt-4.1", "--tag", "a")
WHEN = ("--since", "2026-11-01T00:00:00Z", "--until", "2026-11-02T00:00:00Z")
QUERY = {
    "org_id": "org_1",
    "project_id": "prj_1",
    "user_id": "usr_1",
    "token_id": "tok_1",
    "provider": "openai",
    "model": "gpt-4.1",
    "tag": "a",
    "since": "2026-11-01T00:00:00Z",
    "until": "2026-11-02T00:00:00Z",
}


def test_bodies(api: ScriptedApi) -> None:
    """What was sent and answered is shown whole."""
    api.will_answer({"request_id": "req_1", "request": '{"a":1}', "answer": "hi", "is_answer_cut": True})
    done = api.manage("request", "bodies", "req_1")
    assert (done.exit_code, '{"a":1}' in done.stdout, "hi" in done.stdout) == (0, True, True)
    assert api.asked[0].line == "GET /admin/requests/req_1/bodies"


def test_list(api: ScriptedApi) -> None:
    """Every option is a filter; a page says how to go on."""
    api.will_answer({"data": [REQUEST], "next_cursor": "req_1"})
    more = ("--status", "5xx", "--error", "upstream_error", "--request-id", "req_", "--after", "req_9", "--limit", "1")
    done = api.manage("request", "list", *WHOSE, *WHAT, *WHEN, *more)
    assert (done.exit_code, "gpt-4.1" in done.stdout, "--after req_1" in done.stderr) == (0, True, True)
    assert api.asked[0].line == "GET /admin/requests"
    assert api.asked[0].query == QUERY | {
        "status": "5xx",
        "error": "upstream_error",
        "request_id": "req_",
        "after": "req_9",
        "limit": "1",
    }


def test_export(api: ScriptedApi) -> None:
    """What the gateway writes goes to standard output as it is, with all filters."""
    more = ("--status", "5xx", "--error", "upstream_error", "--request-id", "req_")
    api.will_answer(b'{"request_id":"req_1"}\n')
    api.will_answer(b"request_id\r\nreq_1\r\n")
    done = api.manage("request", "export", *WHOSE, *WHAT, *WHEN, *more, "--json")
    assert (done.exit_code, done.stdout) == (0, '{"request_id":"req_1"}\n')
    assert api.manage("request", "export", "--format", "csv").stdout_bytes == b"request_id\r\nreq_1\r\n"
    assert [one.line for one in api.asked] == ["GET /admin/requests/export"] * 2
    words = {"status": "5xx", "error": "upstream_error", "request_id": "req_"}
    assert [one.query for one in api.asked] == [QUERY | words | {"format": "jsonl"}, {"format": "csv"}]


def test_an_export_has_one_form(api: ScriptedApi) -> None:
    """Options that would have another one are refused, and nothing is asked."""
    for options in (("--quiet",), ("--json", "--format", "csv"), ("--format", "xml")):
        assert api.manage("request", "export", *options).exit_code == 2
    assert api.asked == []


def test_show(api: ScriptedApi) -> None:
    """One is asked for by its id."""
    api.will_answer(REQUEST)
    assert json.loads(api.manage("request", "show", "req_1", "--json").stdout) == REQUEST
    assert api.asked[0].line == "GET /admin/requests/req_1"


def test_usage(api: ScriptedApi) -> None:
    """What requests come to, by day if nothing else is said."""
    answer = {"data": [{"key": "gpt-4.1", **SUMS}], "has_more": False, "total": SUMS}
    for _ in range(2):
        api.will_answer(answer)
    done = api.manage("request", "usage", "--by", "model", *WHOSE, *WHAT, *WHEN)
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["KEY", "gpt-4.1", "total"]
    assert json.loads(api.manage("request", "usage", "--json").stdout) == answer
    assert [one.line for one in api.asked] == ["GET /admin/usage"] * 2
    assert [one.query for one in api.asked] == [QUERY | {"group_by": "model"}, {"group_by": "day"}]


def test_all_of_the_usage(api: ScriptedApi) -> None:
    """Page after page, as one answer."""
    total = {"requests": 6}
    api.will_answer({"data": [{"key": "a", **SUMS}], "has_more": True, "next_cursor": "6", "total": total})
    api.will_answer({"data": [{"key": "b", **SUMS}], "has_more": False, "next_cursor": None, "total": total})
    done = api.manage("request", "usage", "--by", "user", "--limit", "1", "--after", "5", "--all", "-q")
    assert (done.exit_code, done.stdout) == (0, "a\nb\n")
    assert [one.query["after"] for one in api.asked] == ["5", "6"]
    assert api.asked[1].query == {"group_by": "user", "limit": "1", "after": "6"}
