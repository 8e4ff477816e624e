"""The audit log: writing and searching it."""

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import audit
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.audit import draft, record
from sluicegate.domain.audit import AuditFilter
from tests.control.actors import ADMIN, OWN, OWN_VIEWER, ROOT
from tests.control.api import Api


def test_line_says_who_what_and_from_where() -> None:
    """A line holds who asked, from where, in which request, and copies of what was and is."""
    before = {"name": "a"}
    line = draft(
        ADMIN, "user.update", at=5, target_kind="user", target_id="usr_1", organization_id="org_1", before=before
    )
    before["name"] = "changed later"
    assert (line.actor, line.actor_kind, line.address, line.request_id) == (
        "adm_all",
        "admin_key",
        "192.0.2.7",
        "req_test",
    )
    assert (line.action, line.target_kind, line.target_id, line.organization_id) == (
        "user.update",
        "user",
        "usr_1",
        "org_1",
    )
    assert (line.at, line.before, line.after) == (5, {"name": "a"}, None)


async def fill(api: Api) -> None:
    """Four lines, of two organisations and none."""
    async with api.database.writing() as session:
        for number, (actor, organization_id) in enumerate(
            ((ROOT, None), (ADMIN, "org_own"), (OWN, "org_own"), (ADMIN, "org_foreign")), 1
        ):
            await record(
                session,
                actor,
                "user.update" if number % 2 else "user.create",
                at=number * 1000,
                target_kind="user",
                target_id=f"usr_{number}",
                organization_id=organization_id,
                after={"name": f"number {number}"},
            )


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (AuditFilter(), [4, 3, 2, 1]),
        (AuditFilter(actor="adm_all"), [4, 2]),
        (AuditFilter(action="user.create"), [4, 2]),
        (AuditFilter(target_kind="token"), []),
        (AuditFilter(target_id="usr_3"), [3]),
        (AuditFilter(since=2000, until=4000), [3, 2]),
        (AuditFilter(search="number 3"), [3]),
    ],
)
def test_filters(filters: AuditFilter, found: list[int], api: Api) -> None:
    """Each filter bounds what is found, newest first; `until` is not included."""
    api.run(fill(api))
    entries = api.run(audit.search(api.database, ROOT, filters, before=None, limit=50))
    assert [int(entry.target_id[-1]) for entry in entries] == found


def test_pages_go_back_in_time(api: Api) -> None:
    """A page ends at its limit; the next is older than its last entry."""
    api.run(fill(api))
    page = api.run(audit.search(api.database, ROOT, AuditFilter(), before=None, limit=3))
    rest = api.run(audit.search(api.database, ROOT, AuditFilter(), before=page[-1].sequence, limit=3))
    assert [entry.target_id for entry in page + rest] == ["usr_4", "usr_3", "usr_2", "usr_1"]


def test_bounded_managers_see_their_organization(api: Api) -> None:
    """Whoever is bounded sees what was done in their organisation, by whomever, and nothing else."""
    api.run(fill(api))

    def found(actor: Actor, organization_id: str | None = None) -> list[str]:
        wanted = AuditFilter(organization_id=organization_id)
        entries = api.run(audit.search(api.database, actor, wanted, before=None, limit=50))
        return [entry.target_id for entry in entries]

    assert found(OWN_VIEWER) == found(OWN, organization_id="org_own") == ["usr_3", "usr_2"]
    assert found(ROOT, organization_id="org_foreign") == ["usr_4"]
    with pytest.raises(ProblemError) as caught:
        found(OWN, organization_id="org_foreign")
    assert caught.value.status == 404
