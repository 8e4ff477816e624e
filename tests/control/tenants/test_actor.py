"""Who asks, and what they may see."""

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import RANKS, Actor, missing
from sluicegate.domain.tenants import Role

ADMIN = Actor("root", "root", "root")
BOUNDED = Actor("admin_key", "adm_1", "organization_admin", "org_1")


ROLES: tuple[Role, ...] = ("viewer", "organization_admin", "admin", "root")


@pytest.mark.parametrize(("place", "role"), list(enumerate(ROLES)))
def test_role_includes_those_below(place: int, role: Role) -> None:
    """Each role may do what those below may, and no more."""
    actor = Actor("account", "acc_1", role)
    assert [other for other in ROLES if actor.is_at_least(other)] == list(ROLES[: place + 1])
    assert RANKS.keys() == set(ROLES)


def test_bounded_actor_sees_one_organization() -> None:
    """Who is bounded sees their own; who is not sees all."""
    assert (BOUNDED.may_see("org_1"), BOUNDED.may_see("org_2"), ADMIN.may_see("org_2")) == (True, False, True)
    assert (BOUNDED.bounded(None), BOUNDED.bounded("org_1")) == ("org_1", "org_1")
    assert (ADMIN.bounded(None), ADMIN.bounded("org_2")) == (None, "org_2")
    with pytest.raises(ProblemError) as refused:
        BOUNDED.bounded("org_2")
    assert (refused.value.status, refused.value.detail) == (404, missing("organization", "org_2").detail)


def test_what_belongs_to_no_organization_is_for_all_of_them() -> None:
    """Who is bounded to one organisation is refused, with the reason."""
    ADMIN.require_all_organizations()
    with pytest.raises(ProblemError) as refused:
        BOUNDED.require_all_organizations()
    assert refused.value.status == 403
