"""What users and organisations have used."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import usage
from sluicegate.domain.tokens import digest
from tests.control.actors import OWN, ROOT, entries
from tests.control.api import Api


async def use(api: Api, token_id: str, at: int, requests: int) -> None:
    """Count requests of a token."""
    async with api.database.writing() as session:
        await session.tokens.touch([(token_id, at, requests)])


def test_requests_of_all_tokens_are_summed(api: Api) -> None:
    """Usage is the sum of the owner's tokens' requests, and when one of them was last used."""
    api.world()
    api.run(use(api, "tok_own", 1_795_262_400_000, 3))
    for used in (
        api.run(usage.of_user(api.tenancy, OWN, "usr_own")),
        api.run(usage.of_organization(api.tenancy, OWN, "org_own")),
    ):
        assert (used.organization_id, used.limit) == ("org_own", None)
        assert (used.totals.tokens, used.totals.requests, used.totals.last_used_at) == (1, 3, 1_795_262_400_000)
    untouched = api.run(usage.of_organization(api.tenancy, ROOT, "org_default")).totals
    assert (untouched.tokens, untouched.requests, untouched.last_used_at) == (0, 0, None)


def test_reset_counts_from_zero(api: Api) -> None:
    """A reset sets the user's counters to zero, and nobody else's; workers ask anew, and the audit log tells."""
    world = api.world()
    api.run(use(api, "tok_own", 1_795_262_400_000, 3))
    api.run(use(api, "tok_foreign", 1_795_262_400_000, 5))
    used = api.run(usage.reset_of_user(api.tenancy, OWN, "usr_own"))
    assert (used.totals.requests, used.totals.last_used_at) == (0, 1_795_262_400_000)
    assert api.run(usage.of_user(api.tenancy, ROOT, "usr_foreign")).totals.requests == 5
    assert [digest(world.own["secret"].encode())] in api.announced
    (entry,) = entries(api)
    assert (entry.action, entry.target_id) == ("user.reset_quota", "usr_own")
    assert (entry.before, entry.after) == ({"request_count": 3}, {"request_count": 0})


@pytest.mark.parametrize("ask", [usage.of_user, usage.reset_of_user])
@pytest.mark.parametrize("user_id", ["usr_foreign", "usr_unknown"])
def test_foreign_users_do_not_exist(ask: Any, user_id: str, api: Api) -> None:
    """Nobody learns or resets what is used elsewhere."""
    api.world()
    with pytest.raises(ProblemError) as caught:
        api.run(ask(api.tenancy, OWN, user_id))
    assert caught.value.status == 404


def test_foreign_organizations_do_not_exist(api: Api) -> None:
    """Nobody learns what another organisation uses."""
    api.world()
    with pytest.raises(ProblemError) as caught:
        api.run(usage.of_organization(api.tenancy, OWN, "org_foreign"))
    assert caught.value.status == 404
