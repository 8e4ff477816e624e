"""Organisations as managers change them."""

from typing import Any, cast

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import organizations
from sluicegate.control.tenants.organizations import OPERATORS_FIELDS, OrganizationFields
from sluicegate.domain.owner_marks import mark_of
from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, Status
from sluicegate.domain.tokens import digest
from tests.control.actors import ADMIN, OWN, OWN_VIEWER, ROOT, actions, entries, unchecked
from tests.control.api import Api


def refused(api: Api, work: Any) -> int:
    """The status with which something is refused."""
    with pytest.raises(ProblemError) as caught:
        api.run(work)
    return caught.value.status


def test_made_changed_and_deleted(api: Api) -> None:
    """Each change is in the audit log with what was and what is, who, from where and in which request."""
    fields = OrganizationFields(name="Analytical", monthly_budget=12_500_000_000, failure_mode="open")
    made = api.run(organizations.create(api.tenancy, ADMIN, fields))
    assert (made.version, made.status, made.failure_mode) == (1, "active", "open")
    changed = api.run(
        organizations.change(api.tenancy, ADMIN, made.id, OrganizationFields(monthly_budget=None), check=unchecked)
    )
    assert (changed.version, changed.monthly_budget, changed.name) == (2, None, "Analytical")
    assert api.run(organizations.find(api.tenancy, ADMIN, made.id)) == changed
    api.run(organizations.delete(api.tenancy, ADMIN, made.id, check=unchecked))
    assert refused(api, organizations.find(api.tenancy, ADMIN, made.id)) == 404
    first, second, third = entries(api)
    assert [entry.action for entry in (first, second, third)] == [
        "organization.create",
        "organization.update",
        "organization.delete",
    ]
    assert {(entry.actor, entry.actor_kind, entry.address, entry.request_id) for entry in (first, second, third)} == {
        ("adm_all", "admin_key", "192.0.2.7", "req_test")
    }
    assert {(entry.target_id, entry.organization_id) for entry in (first, second, third)} == {(made.id, made.id)}
    assert (first.before, third.after) == (None, None)
    assert first.after == second.before == organizations.described(made)
    assert second.after == third.before == organizations.described(changed)
    assert first.after["monthly_budget_usd"] == 12.5


@pytest.mark.parametrize("status", ["suspended", "active"])
def test_suspension_is_told_to_all_workers(status: Status, api: Api) -> None:
    """A change of status has the tokens of the organisation looked up anew on every node, any other change none."""
    world = api.world()
    other: Status = "active" if status == "suspended" else "suspended"
    api.run(organizations.change(api.tenancy, ADMIN, "org_own", OrganizationFields(status=other), check=unchecked))
    api.announced.clear()
    api.run(organizations.change(api.tenancy, ADMIN, "org_own", {"name": "other"}, check=unchecked))
    assert not [told for told in api.announced if told]
    api.run(organizations.change(api.tenancy, ADMIN, "org_own", OrganizationFields(status=status), check=unchecked))
    known = digest(world.own["secret"].encode())
    assert api.announced[-1] == [known]
    assert set(api.run(last_changes(api))[-2:]) == {known, mark_of("org_own")}


async def last_changes(api: Api) -> list[bytes | None]:
    """The change log."""
    async with api.database.reading() as session:
        return [change.digest for change in await session.changes.since(0, 1000)]


def test_deletion_ends_all_tokens(api: Api) -> None:
    """With an organisation its users and tokens are gone, and all nodes are told."""
    world = api.world()
    api.run(organizations.delete(api.tenancy, ROOT, "org_own", check=unchecked))
    known = digest(world.own["secret"].encode())
    assert [known] in api.announced
    assert api.ask("GET", "/admin/users/usr_own").status == 404
    assert api.ask("GET", "/admin/users/usr_foreign").status == 200


def test_default_organization_stays(api: Api) -> None:
    """The default organisation cannot be deleted."""
    assert refused(api, organizations.delete(api.tenancy, ROOT, DEFAULT_ORGANIZATION, check=unchecked)) == 409


def test_bounded_managers_make_and_delete_none(api: Api) -> None:
    """An organisation's admin neither makes another one nor deletes the own one."""
    api.world()
    assert refused(api, organizations.create(api.tenancy, OWN, {"name": "mine"})) == 403
    assert refused(api, organizations.delete(api.tenancy, OWN, "org_own", check=unchecked)) == 403


@pytest.mark.parametrize("field", sorted(OPERATORS_FIELDS))
def test_bounds_are_for_managers_of_all(field: str, api: Api) -> None:
    """An organisation's admin cannot loosen what bounds it, but may name it; nothing is changed by a refusal."""
    api.world()
    change = cast("OrganizationFields", {"name": "renamed", field: None})
    assert refused(api, organizations.change(api.tenancy, OWN, "org_own", change, check=unchecked)) == 403
    assert api.run(organizations.find(api.tenancy, OWN, "org_own")).name == "own"
    named = api.run(organizations.change(api.tenancy, OWN, "org_own", {"name": "renamed"}, check=unchecked))
    assert named.name == "renamed"


def test_foreign_ones_do_not_exist(api: Api) -> None:
    """Whoever is bounded to one organisation finds, changes and lists no other; unknown and foreign read the same."""
    api.world()
    for actor in (OWN, OWN_VIEWER):
        assert refused(api, organizations.find(api.tenancy, actor, "org_foreign")) == 404
    assert refused(api, organizations.change(api.tenancy, OWN, "org_foreign", {"name": "x"}, check=unchecked)) == 404
    assert actions(api) == []


@pytest.mark.parametrize(
    ("after", "text", "found"),
    [
        (None, None, ["org_own"]),
        (None, "OW", ["org_own"]),
        (None, "%", []),
        ("org_own", None, []),
        ("org", None, ["org_own"]),
    ],
)
def test_bounded_managers_list_their_own(after: str | None, text: str | None, found: list[str], api: Api) -> None:
    """The list of whoever is bounded is their own organisation, paged and searched like any list."""
    api.world()
    listed = api.run(organizations.search(api.tenancy, OWN, after=after, limit=50, text=text))
    assert [one.id for one in listed] == found


def test_list_of_nothing(api: Api) -> None:
    """The list of whoever is bounded to an organisation that is gone is empty."""
    assert api.run(organizations.search(api.tenancy, OWN, after=None, limit=50, text=None)) == []


def test_everybody_else_lists_all(api: Api) -> None:
    """A search finds a part of the name in all organisations."""
    api.world()
    listed = api.run(organizations.search(api.tenancy, ADMIN, after=None, limit=50, text="FOR"))
    assert [one.id for one in listed] == ["org_foreign"]
    assert len(api.run(organizations.search(api.tenancy, ADMIN, after=None, limit=50, text=None))) == 3


def test_change_for_another_version_is_refused(api: Api) -> None:
    """What the check raises is what happens, and nothing else."""
    api.world()

    def check(version: int) -> None:
        raise ZeroDivisionError(version)

    for work in (
        organizations.change(api.tenancy, ADMIN, "org_own", {"name": "x"}, check=check),
        organizations.delete(api.tenancy, ADMIN, "org_own", check=check),
    ):
        with pytest.raises(ZeroDivisionError, match="1"):
            api.run(work)
    assert actions(api) == []
