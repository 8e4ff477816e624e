"""Managers' keys as managers change them."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import admin_keys
from sluicegate.control.tenants.actor import Actor
from sluicegate.domain.issuing import has_valid_checksum
from sluicegate.domain.tenants import Role
from sluicegate.domain.tokens import digest
from tests.control.actors import ADMIN, OWN, OWN_VIEWER, ROOT, VIEWER, actions, entries, unchecked
from tests.control.api import Api


def refused(api: Api, work: Any) -> int:
    """The status with which something is refused."""
    with pytest.raises(ProblemError) as caught:
        api.run(work)
    return caught.value.status


def test_secret_is_stored_nowhere(api: Api) -> None:
    """A new key's secret opens, has a checksum, and neither record nor audit log holds it or its digest's origin."""
    key, secret = api.run(admin_keys.create(api.tenancy, ROOT, name="ci", role="viewer"))
    assert secret.startswith("sk-sg-admin-")
    assert has_valid_checksum(secret)
    assert (key.digest, key.prefix, key.last_four) == (digest(secret.encode()), "sk-sg-admin-", secret[-4:])
    assert api.ask("GET", "/admin/users", key=secret).status == 200
    (entry,) = entries(api)
    assert secret not in repr(entry) + repr(key)
    assert key.digest.hex() not in repr(entry)


def test_changed_and_deleted(api: Api) -> None:
    """A suspended key opens nothing, nor does one that is deleted; both are in the audit log."""
    key, secret = api.run(admin_keys.create(api.tenancy, ROOT, name="ci", role="viewer"))
    changed = api.run(admin_keys.change(api.tenancy, ROOT, key.id, {"status": "suspended"}, check=unchecked))
    assert (changed.status, changed.version) == ("suspended", 2)
    assert api.ask("GET", "/admin/users", key=secret).status == 403
    api.run(admin_keys.delete(api.tenancy, ROOT, key.id, check=unchecked))
    assert api.ask("GET", "/admin/users", key=secret).status == 401
    first, second, third = entries(api)
    assert [first.action, second.action, third.action] == [
        "admin_key.create",
        "admin_key.update",
        "admin_key.delete",
    ]
    assert first.after == second.before == admin_keys.described(key)
    assert second.after == third.before == admin_keys.described(changed)


MAY_GIVE: list[tuple[Actor, Role, str | None, int | None]] = [
    (ROOT, "root", None, None),
    (ROOT, "root", "org_own", 422),
    (ROOT, "admin", "org_own", 422),
    (ROOT, "organization_admin", None, 422),
    (ROOT, "organization_admin", "org_own", None),
    (ROOT, "viewer", None, None),
    (ROOT, "viewer", "org_unknown", 404),
    (ADMIN, "root", None, 403),
    (ADMIN, "admin", None, None),
    (OWN, "admin", None, 403),
    (OWN, "organization_admin", "org_own", None),
    (OWN, "organization_admin", "org_foreign", 404),
    (OWN, "viewer", "org_own", None),
    (OWN, "viewer", "org_foreign", 404),
    (OWN, "viewer", None, 403),
    (OWN_VIEWER, "organization_admin", "org_own", 403),
    (VIEWER, "organization_admin", "org_own", 403),
]


@pytest.mark.parametrize(("actor", "role", "organization_id", "status"), MAY_GIVE)
def test_nobody_gives_more_than_they_have(
    actor: Actor, role: Role, organization_id: str | None, status: int | None, api: Api
) -> None:
    """A role above one's own, all organisations where one has one, and a bound that does not fit are refused."""
    api.world()
    work = admin_keys.create(api.tenancy, actor, name="x", role=role, organization_id=organization_id)
    if status is None:
        key = api.run(work).key
        assert (key.role, key.organization_id) == (role, organization_id)
    else:
        assert refused(api, work) == status
        assert actions(api) == []


def test_nobody_changes_who_has_more(api: Api) -> None:
    """A key of a higher role is not changed or deleted by a lower one; a key beyond one's organisation is not there."""
    api.world()
    mighty = api.run(admin_keys.create(api.tenancy, ROOT, name="mighty", role="root")).key
    assert refused(api, admin_keys.change(api.tenancy, ADMIN, mighty.id, {"name": "x"}, check=unchecked)) == 403
    assert refused(api, admin_keys.delete(api.tenancy, ADMIN, mighty.id, check=unchecked)) == 403
    for key_id in (mighty.id, "adm_foreign", "adm_unknown"):
        assert refused(api, admin_keys.find(api.tenancy, OWN, key_id)) == 404
        assert refused(api, admin_keys.change(api.tenancy, OWN, key_id, {"name": "x"}, check=unchecked)) == 404
        assert refused(api, admin_keys.delete(api.tenancy, OWN, key_id, check=unchecked)) == 404
    assert api.run(admin_keys.find(api.tenancy, OWN, "adm_own")).name == "own"


def test_revoked_stays_revoked(api: Api) -> None:
    """A key that was revoked cannot be brought back."""
    api.world()
    api.run(admin_keys.change(api.tenancy, ROOT, "adm_own", {"status": "revoked"}, check=unchecked))
    assert refused(api, admin_keys.change(api.tenancy, ROOT, "adm_own", {"status": "active"}, check=unchecked)) == 409


def test_lists_are_bounded(api: Api) -> None:
    """Whoever is bounded lists the keys of their own organisation, and asks for no other."""
    api.world()
    everybody = {key.name for key in api.run(admin_keys.search(api.tenancy, ROOT, after=None, limit=50))}
    assert everybody == {"admin", "organization_admin", "viewer", "own", "foreign"}
    own = {key.name for key in api.run(admin_keys.search(api.tenancy, OWN, after=None, limit=50))}
    assert own == {"organization_admin", "viewer", "own"}
    found = api.run(admin_keys.search(api.tenancy, ROOT, after=None, limit=50, organization_id="org_foreign"))
    assert [key.name for key in found] == ["foreign"]
    work = admin_keys.search(api.tenancy, OWN, after=None, limit=50, organization_id="org_foreign")
    assert refused(api, work) == 404
    named = api.run(admin_keys.search(api.tenancy, ROOT, after=None, limit=50, text="FOREI"))
    assert [key.name for key in named] == ["foreign"]


def test_change_for_another_version_is_refused(api: Api) -> None:
    """What the check raises is what happens, and nothing else."""
    api.world()

    def check(version: int) -> None:
        raise ZeroDivisionError(version)

    for work in (
        admin_keys.change(api.tenancy, ROOT, "adm_own", {"name": "x"}, check=check),
        admin_keys.delete(api.tenancy, ROOT, "adm_own", check=check),
    ):
        with pytest.raises(ZeroDivisionError, match="1"):
            api.run(work)
    assert actions(api) == []
