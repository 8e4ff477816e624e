"""What users and organisations have used."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import usage
from sluicegate.domain.default_limits import Defaults, Terms
from sluicegate.domain.limits import Calendar
from sluicegate.domain.money import NANO
from sluicegate.domain.tokens import digest
from sluicegate.ledger.interface import LedgerUnavailableError
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
        api.run(usage.of_user(api.tenancy, api.ledger, OWN, "usr_own", Defaults())),
        api.run(usage.of_organization(api.tenancy, api.ledger, OWN, "org_own", Defaults())),
    ):
        assert (used.organization_id, used.limit) == ("org_own", None)
        assert (used.totals.tokens, used.totals.requests, used.totals.last_used_at) == (1, 3, 1_795_262_400_000)
    untouched = api.run(usage.of_organization(api.tenancy, api.ledger, ROOT, "org_default", Defaults())).totals
    assert (untouched.tokens, untouched.requests, untouched.last_used_at) == (0, 0, None)


def test_reset_counts_from_zero(api: Api) -> None:
    """A reset sets the user's counters to zero, and nobody else's; workers ask anew, and the audit log tells."""
    world = api.world()
    api.run(use(api, "tok_own", 1_795_262_400_000, 3))
    api.run(use(api, "tok_foreign", 1_795_262_400_000, 5))
    used = api.run(usage.reset_of_user(api.tenancy, api.ledger, OWN, "usr_own", Defaults()))
    assert (used.totals.requests, used.totals.last_used_at) == (0, 1_795_262_400_000)
    assert api.run(usage.of_user(api.tenancy, api.ledger, ROOT, "usr_foreign", Defaults())).totals.requests == 5
    assert [digest(world.own["secret"].encode())] in api.announced
    (entry,) = entries(api)
    assert (entry.action, entry.target_id) == ("user.reset_quota", "usr_own")
    assert (entry.before, entry.after) == (
        {"request_count": 3, "used": {}},
        {"request_count": 0, "used": {}},
    )


@pytest.mark.parametrize("ask", [usage.of_user, usage.reset_of_user])
@pytest.mark.parametrize("user_id", ["usr_foreign", "usr_unknown"])
def test_foreign_users_do_not_exist(ask: Any, user_id: str, api: Api) -> None:
    """Nobody learns or resets what is used elsewhere."""
    api.world()
    with pytest.raises(ProblemError) as caught:
        api.run(ask(api.tenancy, api.ledger, OWN, user_id, Defaults()))
    assert caught.value.status == 404


def test_foreign_organizations_do_not_exist(api: Api) -> None:
    """Nobody learns what another organisation uses."""
    api.world()
    with pytest.raises(ProblemError) as caught:
        api.run(usage.of_organization(api.tenancy, api.ledger, OWN, "org_foreign", Defaults()))
    assert caught.value.status == 404


def test_spending_is_the_ledgers(api: Api) -> None:
    """What was spent in the month is of the limit that bounds it: a field, one that was set, or a default."""
    api.world()
    defaults = Defaults(organizations=(Terms("usd", Calendar("month"), 9 * NANO),))
    api.make("PATCH", "/admin/organizations/org_own", {"time_zone": "Europe/Berlin"})
    api.make("PATCH", "/admin/users/usr_own", {"monthly_limit_usd": 10})
    api.ledger.used = {"usr_own|usd|month@Europe/Berlin": 12 * NANO, "org_own|usd|month": 2 * NANO}
    of_user = api.run(usage.of_user(api.tenancy, api.ledger, OWN, "usr_own", defaults))
    assert (of_user.limit, of_user.spent, of_user.remaining) == (10 * NANO, 12 * NANO, 0)
    of_organization = api.run(usage.of_organization(api.tenancy, api.ledger, OWN, "org_own", defaults))
    assert (of_organization.limit, of_organization.spent, of_organization.remaining) == (9 * NANO, 2 * NANO, 7 * NANO)


def test_reset_forgets_what_the_ledger_counted(api: Api) -> None:
    """The user's own limits and the requests of the user's tokens; nobody else's, and not the organisation's."""
    api.world()
    api.make("PATCH", "/admin/users/usr_own", {"monthly_limit_usd": 10})
    api.make("PATCH", "/admin/organizations/org_own", {"monthly_budget_usd": 10})
    for token_id in ("tok_own", "tok_foreign"):
        api.make("PATCH", f"/admin/tokens/{token_id}", {"max_requests": 5})
    api.ledger.used = {"usr_own|usd|month": 3 * NANO, "org_own|usd|month": 3 * NANO}
    used = api.run(usage.reset_of_user(api.tenancy, api.ledger, OWN, "usr_own", Defaults()))
    assert (used.spent, used.remaining) == (0, 10 * NANO)
    assert api.ledger.resets == ["usr_own|usd|month", "tok_own|requests|lifetime"]
    assert entries(api)[-1].before == {"request_count": 0, "used": {"usr_own|usd|month": 3.0}}


def test_without_the_ledger_nothing_is_reset(api: Api) -> None:
    """What cannot be done is not written down as done."""
    api.world()
    api.make("PATCH", "/admin/users/usr_own", {"monthly_limit_usd": 10})
    api.run(use(api, "tok_own", 1_795_262_400_000, 3))
    before = entries(api)
    api.ledger.is_away = True
    with pytest.raises(LedgerUnavailableError):
        api.run(usage.reset_of_user(api.tenancy, api.ledger, OWN, "usr_own", Defaults()))
    assert entries(api) == before
    assert api.ask("GET", "/admin/tokens/tok_own").json["request_count"] == 3
