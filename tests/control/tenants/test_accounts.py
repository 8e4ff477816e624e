"""Accounts as managers change them."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import accounts
from sluicegate.control.tenants.actor import Actor
from sluicegate.domain.tenants import Account, Role
from tests.control.actors import ADMIN, OWN, ROOT, actions, entries, unchecked
from tests.control.api import Api


def refused(api: Api, work: Any) -> int:
    """The status with which something is refused."""
    with pytest.raises(ProblemError) as caught:
        api.run(work)
    return caught.value.status


def made(
    api: Api, login: str = "ada", role: Role = "viewer", organization_id: str | None = None, *, actor: Actor = ROOT
) -> Account:
    """Make one."""
    work = accounts.create(
        api.tenancy, actor, login=login, password_hash="a hash", role=role, organization_id=organization_id
    )
    return api.run(work)


def test_made_changed_and_deleted(api: Api) -> None:
    """Each change is in the audit log, a new password as such, and nothing of any password."""
    account = made(api)
    changed = api.run(
        accounts.change(api.tenancy, ROOT, account.id, {"password_hash": "another hash"}, check=unchecked)
    )
    assert (changed.password_hash, changed.version) == ("another hash", 2)
    assert api.run(accounts.find(api.tenancy, ROOT, account.id)) == changed
    api.run(accounts.delete(api.tenancy, ROOT, account.id, check=unchecked))
    assert refused(api, accounts.find(api.tenancy, ROOT, account.id)) == 404
    first, second, third = entries(api)
    assert [first.action, second.action, third.action] == ["account.create", "account.update", "account.delete"]
    assert first.after == second.before == third.before == accounts.described(account)
    assert second.after == {**accounts.described(changed), "password": "changed"}
    assert "hash'" not in repr((first.after, second.before, second.after, third.before))


def test_login_is_unique(api: Api) -> None:
    """A second account of the same login is refused."""
    made(api)
    with pytest.raises(ProblemError, match="There is one with this login already"):
        made(api)


def test_nobody_gives_more_than_they_have(api: Api) -> None:
    """The rules are those of managers' keys."""
    api.world()
    cases: list[tuple[Actor, Role, str | None, int]] = [
        (ADMIN, "root", None, 403),
        (OWN, "admin", None, 403),
        (OWN, "viewer", None, 403),
        (OWN, "viewer", "org_foreign", 404),
        (ROOT, "organization_admin", None, 422),
    ]
    for actor, role, organization_id, status in cases:
        with pytest.raises(ProblemError) as caught:
            made(api, role=role, organization_id=organization_id, actor=actor)
        assert caught.value.status == status
    assert made(api, role="organization_admin", organization_id="org_own", actor=OWN).organization_id == "org_own"


def test_nobody_changes_who_has_more(api: Api) -> None:
    """An account of a higher role is neither changed nor deleted by a lower one; one elsewhere is not there."""
    api.world()
    mighty = made(api, role="root")
    assert refused(api, accounts.change(api.tenancy, ADMIN, mighty.id, {"status": "active"}, check=unchecked)) == 403
    assert refused(api, accounts.delete(api.tenancy, ADMIN, mighty.id, check=unchecked)) == 403
    foreign = made(api, "eve", "viewer", "org_foreign")
    for account_id in (mighty.id, foreign.id, "acc_unknown"):
        assert refused(api, accounts.find(api.tenancy, OWN, account_id)) == 404
        assert refused(api, accounts.delete(api.tenancy, OWN, account_id, check=unchecked)) == 404
    assert refused(api, accounts.search(api.tenancy, OWN, after=None, limit=50)) == 403


def test_nobody_shuts_themselves_out(api: Api) -> None:
    """One's own account cannot be suspended or deleted, but its password changed, whatever one's role."""
    account = made(api)
    own = Actor("account", account.id, "viewer")
    assert refused(api, accounts.change(api.tenancy, own, account.id, {"status": "suspended"}, check=unchecked)) == 409
    assert refused(api, accounts.delete(api.tenancy, own, account.id, check=unchecked)) == 409
    work = accounts.change(api.tenancy, own, account.id, {"password_hash": "new"}, check=unchecked)
    assert api.run(work).password_hash == "new"
    key = Actor("admin_key", account.id, "root")
    assert api.run(accounts.change(api.tenancy, key, account.id, {"status": "suspended"}, check=unchecked)).version == 3


def test_search_finds_part_of_a_login(api: Api) -> None:
    """A search goes by login, in pages."""
    ids = [made(api, login).id for login in ("ada", "adam", "eve")]
    found = api.run(accounts.search(api.tenancy, ROOT, after=None, limit=50, text="AD"))
    assert [account.id for account in found] == ids[:2]
    found = api.run(accounts.search(api.tenancy, ROOT, after=ids[0], limit=1))
    assert [account.id for account in found] == ids[1:2]


def test_change_for_another_version_is_refused(api: Api) -> None:
    """What the check raises is what happens, and nothing else."""
    account = made(api)

    def check(version: int) -> None:
        raise ZeroDivisionError(version)

    for work in (
        accounts.change(api.tenancy, ROOT, account.id, {"status": "suspended"}, check=check),
        accounts.delete(api.tenancy, ROOT, account.id, check=check),
    ):
        with pytest.raises(ZeroDivisionError, match="1"):
            api.run(work)
    assert actions(api) == ["account.create"]
