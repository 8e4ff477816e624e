"""Users as managers change them."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import users
from sluicegate.control.tenants.users import UserFields
from sluicegate.domain.tokens import digest
from tests.control.actors import ADMIN, OWN, OWN_VIEWER, ROOT, actions, entries, unchecked
from tests.control.api import Api


def refused(api: Api, work: Any) -> int:
    """The status with which something is refused."""
    with pytest.raises(ProblemError) as caught:
        api.run(work)
    return caught.value.status


def test_made_changed_and_deleted(api: Api) -> None:
    """Each change is in the audit log with what was and what is, and stays there when the user is gone."""
    api.world()
    fields = UserFields(email="ada@example.com", monthly_limit=1_000_000_001)
    made = api.run(users.create(api.tenancy, ADMIN, "org_own", fields))
    assert (made.organization_id, made.version, made.status) == ("org_own", 1, "active")
    changed = api.run(users.change(api.tenancy, ADMIN, made.id, {"name": "Ada"}, check=unchecked))
    assert (changed.version, changed.name, changed.email) == (2, "Ada", "ada@example.com")
    assert api.run(users.find(api.tenancy, ADMIN, made.id)) == changed
    api.run(users.delete(api.tenancy, ADMIN, made.id, check=unchecked))
    assert refused(api, users.find(api.tenancy, ADMIN, made.id)) == 404
    first, second, third = entries(api)
    assert [first.action, second.action, third.action] == ["user.create", "user.update", "user.delete"]
    assert first.after == second.before == users.described(made)
    assert second.after == third.before == users.described(changed)
    assert (first.before, third.after, first.organization_id) == (None, None, "org_own")
    assert first.after["monthly_limit_usd"] == 1.000000001


def test_new_user_lives_where_its_maker_does(api: Api) -> None:
    """Without an organisation a user is of the maker's own, else of the default one."""
    api.world()
    assert api.run(users.create(api.tenancy, OWN, None, {"email": "a@x.org"})).organization_id == "org_own"
    assert api.run(users.create(api.tenancy, ROOT, None, {"email": "a@x.org"})).organization_id == "org_default"


@pytest.mark.parametrize("organization_id", ["org_foreign", "org_unknown"])
def test_no_user_in_a_foreign_organization(organization_id: str, api: Api) -> None:
    """A foreign organisation and one that is not there read the same."""
    api.world()
    assert refused(api, users.create(api.tenancy, OWN, organization_id, {"email": "a@x.org"})) == 404


def test_address_is_unique_in_its_organization(api: Api) -> None:
    """A second user of the same address is refused, in another organisation admitted."""
    api.world()
    assert refused(api, users.create(api.tenancy, OWN, None, {"email": "own@example.com"})) == 409
    assert api.run(users.create(api.tenancy, ROOT, None, {"email": "own@example.com"})).email == "own@example.com"
    taken = api.run(users.create(api.tenancy, OWN, None, {"email": "b@example.com"}))
    again = users.change(api.tenancy, OWN, taken.id, {"email": "own@example.com"}, check=unchecked)
    assert refused(api, again) == 409


def test_suspension_is_told_to_all_workers(api: Api) -> None:
    """Suspending and resuming have the user's tokens looked up anew on every node, other changes do not."""
    world = api.world()
    known = [digest(world.own["secret"].encode())]
    for change, told in (
        (UserFields(name="x"), []),
        (UserFields(status="suspended"), [known]),
        (UserFields(status="suspended"), []),
        (UserFields(status="active"), [known]),
    ):
        api.announced.clear()
        api.run(users.change(api.tenancy, OWN, "usr_own", change, check=unchecked))
        assert [one for one in api.announced if one] == told


def test_deletion_ends_all_tokens(api: Api) -> None:
    """With a user the user's tokens are gone, and all nodes are told."""
    world = api.world()
    api.run(users.delete(api.tenancy, OWN, "usr_own", check=unchecked))
    assert [digest(world.own["secret"].encode())] in api.announced
    assert api.ask("GET", "/admin/tokens/tok_own").status == 404


def test_foreign_ones_do_not_exist(api: Api) -> None:
    """Whoever is bounded to one organisation finds and changes no user of another."""
    api.world()
    assert refused(api, users.find(api.tenancy, OWN_VIEWER, "usr_foreign")) == 404
    assert refused(api, users.change(api.tenancy, OWN, "usr_foreign", {"name": "x"}, check=unchecked)) == 404
    assert refused(api, users.delete(api.tenancy, OWN, "usr_foreign", check=unchecked)) == 404
    assert refused(api, users.find(api.tenancy, ROOT, "usr_unknown")) == 404
    assert actions(api) == []


def found(api: Api, actor: Any, **options: Any) -> list[str]:
    """Ids of a search."""
    return [one.id for one in api.run(users.search(api.tenancy, actor, **{"after": None, "limit": 50} | options))]


def test_lists_are_bounded_filtered_and_paged(api: Api) -> None:
    """A list holds what its asker may see and all filters fit, from the cursor on, up to the limit."""
    api.world()
    api.run(users.change(api.tenancy, ROOT, "usr_own", {"status": "suspended", "name": "100%"}, check=unchecked))
    both = ["usr_foreign", "usr_own"]
    assert found(api, ROOT) == both
    assert found(api, ROOT, limit=1) == both[:1]
    assert found(api, ROOT, after="usr_foreign") == both[1:]
    assert found(api, ROOT, organization_id="org_foreign") == ["usr_foreign"]
    assert found(api, ROOT, status="active") == ["usr_foreign"]
    assert found(api, ROOT, email="OWN@example.com") == ["usr_own"]
    assert found(api, ROOT, text="%") == ["usr_own"]
    assert found(api, ROOT, text="_") == []
    assert found(api, OWN_VIEWER) == ["usr_own"]
    for actor, organization_id in ((OWN_VIEWER, "org_foreign"), (ROOT, "org_unknown")):
        work = users.search(api.tenancy, actor, after=None, limit=50, organization_id=organization_id)
        assert refused(api, work) == 404


def test_change_for_another_version_is_refused(api: Api) -> None:
    """What the check raises is what happens, and nothing else."""
    api.world()

    def check(version: int) -> None:
        raise ZeroDivisionError(version)

    for work in (
        users.change(api.tenancy, ADMIN, "usr_own", {"name": "x"}, check=check),
        users.delete(api.tenancy, ADMIN, "usr_own", check=check),
    ):
        with pytest.raises(ZeroDivisionError, match="1"):
            api.run(work)
    assert actions(api) == []
