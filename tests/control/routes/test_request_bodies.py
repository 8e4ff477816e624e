"""Bodies of requests by way of the management API."""

import pytest

from sluicegate.domain.request_bodies import RequestBodies
from tests.control.api import ROOT, Api

PATH = "/admin/requests/req_own/bodies"


@pytest.fixture(name="keeping")
def _keeping(api: Api) -> Api:
    """An application that has the bodies of two requests."""

    async def add() -> None:
        async with api.database.writing() as session:
            at = 1_795_219_200_000
            await session.request_bodies.add(
                [
                    RequestBodies("req_own", at, "org_own", "prj_own", '{"a":1}', "hi", False, True),
                    RequestBodies("req_foreign", at, "org_foreign", "prj_foreign", "{}", "", False, False),
                ]
            )

    api.run(add())
    return api


def test_bodies_are_shown(keeping: Api) -> None:
    """As they are kept; others are not there."""
    answer = keeping.ask("GET", PATH, key=ROOT)
    assert (answer.status, answer.json) == (
        200,
        {
            "request_id": "req_own",
            "at": "2026-11-21T00:00:00Z",
            "organization_id": "org_own",
            "project_id": "prj_own",
            "request": '{"a":1}',
            "answer": "hi",
            "is_request_cut": False,
            "is_answer_cut": True,
        },
    )
    missing = keeping.ask("GET", "/admin/requests/req_none/bodies")
    assert (missing.status, "request_log.bodies.enabled" in missing.json["detail"]) == (404, True)


def test_not_everybody_may_look(keeping: Api) -> None:
    """Who only looks may not, and who manages one organisation sees no other's."""
    keys = keeping.world().keys
    statuses = {
        name: [
            keeping.ask("GET", f"/admin/requests/req_{whose}/bodies", key=key).status for whose in ("own", "foreign")
        ]
        for name, key in keys.items()
    }
    assert statuses == {
        "root": [200, 200],
        "admin": [200, 200],
        "organization_admin": [200, 404],
        "viewer": [403, 403],
    }


def test_who_looks_is_in_the_audit_log(keeping: Api) -> None:
    """Who it was, and at which request; who may not look, or finds nothing, has seen nothing."""
    keys = keeping.world().keys
    for name, path in (("viewer", PATH), ("organization_admin", PATH.replace("own", "foreign"))):
        assert keeping.ask("GET", path, key=keys[name]).status in (403, 404)
    shown = keeping.ask("GET", PATH, key=keys["organization_admin"])
    assert shown.status == 200
    path = "/admin/audit?action=request_bodies.show"
    [entry] = keeping.ask("GET", path, key=ROOT).json["data"]
    assert (entry["target_kind"], entry["target_id"], entry["actor_kind"]) == ("request", "req_own", "admin_key")
    [seen_by_them] = keeping.ask("GET", path, key=keys["organization_admin"]).json["data"]
    assert seen_by_them == entry
