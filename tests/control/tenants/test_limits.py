"""Limits that managers set, without the web around them."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import limits
from sluicegate.control.tenants.limits import LimitFields
from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.money import NANO
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import LimitRecord
from sluicegate.domain.tokens import digest
from sluicegate.ledger.interface import LedgerUnavailableError
from tests.control.actors import OWN, OWN_VIEWER, ROOT, actions, entries, unchecked
from tests.control.api import Api

SCOPES = [("organization", "org_own"), ("project", "prj_own"), ("user", "usr_own"), ("token", "tok_own")]


def make(api: Api, actor: Any = ROOT, **fields: Any) -> LimitRecord:
    """Set a limit."""
    given = {"scope": "user", "scope_id": "usr_own", "metric": "usd", "window": "month", "maximum": 5 * NANO, **fields}
    return api.run(limits.create(api.tenancy, actor, **given))


def raised(maximum: int) -> Any:
    """A change to this maximum."""
    return lambda _limit: LimitFields(maximum=maximum)


@pytest.mark.parametrize(("scope", "scope_id"), SCOPES)
def test_a_limit_is_set_changed_and_deleted(scope: str, scope_id: str, api: Api) -> None:
    """Each time the workers that know the tokens it bounds are told, and the audit log."""
    told = [digest(api.world().own["secret"].encode())]
    made = make(api, scope=scope, scope_id=scope_id)
    assert (made.organization_id, made.version) == ("org_own", 1)
    changed = api.run(limits.change(api.tenancy, ROOT, made.id, raised(7), check=unchecked))
    assert (changed.maximum, changed.window, changed.version) == (7, "month", 2)
    assert api.run(limits.find(api.tenancy, OWN_VIEWER, made.id)) == changed
    api.run(limits.delete(api.tenancy, ROOT, made.id, check=unchecked))
    assert api.announced == [told] * 3
    assert api.marked == [frozenset() if scope == "token" else {scope_id}] * 3
    assert actions(api) == ["limit.create", "limit.update", "limit.delete"]
    assert entries(api)[0].after == limits.described(made)
    assert limits.described(made)["maximum"] == 5.0


@pytest.mark.parametrize(("scope", "scope_id"), SCOPES)
@pytest.mark.parametrize("suffix", ["foreign", "none"])
def test_whose_it_is_must_exist(scope: str, scope_id: str, suffix: str, api: Api) -> None:
    """For the manager who sets it: a foreign one is not there."""
    api.world()
    with pytest.raises(ProblemError) as caught:
        make(api, OWN, scope=scope, scope_id=scope_id.replace("own", suffix))
    assert caught.value.status == 404


def test_a_foreign_limit_does_not_exist(api: Api) -> None:
    """Whatever is asked for."""
    api.world()
    for work in (
        limits.find(api.tenancy, OWN, "lim_foreign"),
        limits.change(api.tenancy, OWN, "lim_foreign", raised(1), check=unchecked),
        limits.delete(api.tenancy, OWN, "lim_foreign", check=unchecked),
        limits.usage(api.tenancy, api.ledger, OWN, "lim_foreign"),
        limits.reset(api.tenancy, api.ledger, OWN, "lim_foreign"),
        limits.search(api.tenancy, OWN, after=None, limit=5, organization_id="org_foreign"),
    ):
        with pytest.raises(ProblemError) as caught:
            api.run(work)
        assert caught.value.status == 404
    listed = api.run(limits.search(api.tenancy, OWN, after=None, limit=5))
    assert [limit.id for limit in listed] == ["lim_own"]


def test_what_bounds_an_organization_is_for_managers_of_all(api: Api) -> None:
    """Its own admin may look at it."""
    api.world()
    made = make(api, scope="organization", scope_id="org_own")
    for work in (
        limits.change(api.tenancy, OWN, made.id, raised(1), check=unchecked),
        limits.delete(api.tenancy, OWN, made.id, check=unchecked),
        limits.reset(api.tenancy, api.ledger, OWN, made.id),
    ):
        with pytest.raises(ProblemError, match="all organizations"):
            api.run(work)
    with pytest.raises(ProblemError, match="all organizations"):
        make(api, OWN, scope="organization", scope_id="org_own", window="day")
    assert api.run(limits.find(api.tenancy, OWN, made.id)) == made


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window": "5 h"}, "window must be a number of seconds"),
        ({"window": "day@Europe/Atlantis"}, "window .*zone"),
        ({"metric": "concurrency", "window": "1m"}, "must be lifetime for concurrency"),
    ],
)
def test_what_is_no_window_is_refused(fields: dict[str, Any], message: str, api: Api) -> None:
    """With the field and what it must be."""
    api.world()
    with pytest.raises(ProblemError, match=message) as caught:
        make(api, **fields)
    assert [error["path"] for error in caught.value.errors] == ["body.window"]


def test_windows_are_kept_in_one_form(api: Api) -> None:
    """So that no two limits have the same; a month without a zone is the organisation's."""
    api.world()
    api.make("PATCH", "/admin/organizations/org_own", {"time_zone": "Asia/Kolkata"})
    assert make(api).window == "month@Asia/Kolkata"
    assert make(api, window="month@UTC").window == "month"
    assert make(api, window="3600s").window == "1h"
    assert make(api, metric="concurrency", window="lifetime").window == "lifetime"


def test_use_is_looked_up_and_reset(api: Api) -> None:
    """On the account that it is counted on; the audit log tells what was there."""
    api.world()
    made = make(api)
    api.ledger.used["usr_own|usd|month"] = 2 * NANO
    found = api.run(limits.usage(api.tenancy, api.ledger, OWN_VIEWER, made.id))
    assert (found.limit.account, found.balance.used) == ("usr_own|usd|month", 2 * NANO)
    assert api.run(limits.reset(api.tenancy, api.ledger, OWN, made.id)).balance.used == 0
    entry = entries(api)[-1]
    assert (entry.action, (entry.before or {})["used"], (entry.after or {})["used"]) == ("limit.reset", 2.0, 0)


def test_without_the_ledger_nothing_happens(api: Api) -> None:
    """Nor is it said that it did."""
    api.world()
    made = make(api)
    api.ledger.is_away = True
    with pytest.raises(LedgerUnavailableError):
        api.run(limits.reset(api.tenancy, api.ledger, ROOT, made.id))
    assert actions(api) == ["limit.create"]


def test_many_limits_are_measured_at_once(api: Api) -> None:
    """In their order; none needs no ledger."""
    one, other = (Limit("user", name, "tokens", Rolling(60), 1) for name in ("usr_1", "usr_2"))
    api.ledger.used[other.account] = 9
    found = api.run(limits.measured(api.ledger, [one, other]))
    assert [(each.limit, each.balance.used) for each in found] == [(one, 0), (other, 9)]
    api.ledger.is_away = True
    assert api.run(limits.measured(api.ledger, [])) == []


def test_a_token_that_is_gone_has_no_digest_to_tell(api: Api) -> None:
    """Its limit is deleted all the same, where one was left behind."""
    api.world()
    made = make(api, scope="token", scope_id="tok_own")

    async def remove() -> None:
        async with api.database.writing() as session:
            await session.tokens.delete("tok_own")

    api.run(remove())
    api.announced.clear()
    api.run(limits.delete(api.tenancy, ROOT, made.id, check=unchecked))
    assert api.announced == []
    assert api.marked[-1] == {"tok_own"}


def test_a_declared_token_can_have_a_limit(api: Api) -> None:
    """By its id, which only the nodes with its file know; its organisation is where it is managed."""
    api.world()
    api.key_file[b"own"] = Principal("tok_file", organization_id="org_own")
    api.key_file[b"foreign"] = Principal("tok_other", organization_id="org_foreign")
    api.key_file[b"none"] = Principal("tok_none", organization_id="org_of_the_file_alone")
    made = make(api, OWN, scope="token", scope_id="tok_file", metric="tokens", window="5h", maximum=7)
    assert (made.organization_id, api.announced) == ("org_own", [])
    assert api.marked == [{"tok_file"}]
    api.ledger.used["tok_file|tokens|5h"] = 3
    assert api.run(limits.usage(api.tenancy, api.ledger, OWN_VIEWER, made.id)).balance.used == 3
    for actor, scope_id in ((OWN, "tok_other"), (ROOT, "tok_none")):
        with pytest.raises(ProblemError) as caught:
            make(api, actor, scope="token", scope_id=scope_id)
        assert caught.value.status == 404
    del api.key_file[b"own"]
    assert api.run(limits.reset(api.tenancy, api.ledger, OWN, made.id)).balance.used == 0
    api.run(limits.delete(api.tenancy, OWN, made.id, check=unchecked))
