"""Prices of one organisation, without the web around them."""

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import prices
from sluicegate.domain.pricing import Price, Rates
from tests.control.actors import OWN_VIEWER, ROOT, actions, entries, unchecked
from tests.control.api import Api

CHEAP, DEAR = (Price(version="", rates=Rates(input=amount, output=amount)) for amount in (1, 9))


def test_a_price_is_set_changed_and_deleted(api: Api) -> None:
    """Each has a version that records name; every node forgets what it knew, and the audit log tells."""
    api.world()
    made = api.run(
        prices.create(api.tenancy, ROOT, organization_id="org_own", provider="openai", model="gpt-5", price=CHEAP)
    )
    assert (made.price.version, made.price.rates) == (f"{made.id}/1", CHEAP.rates)
    changed = api.run(prices.change(api.tenancy, ROOT, made.id, DEAR, check=unchecked))
    assert (changed.price.version, changed.price.rates, changed.version) == (f"{made.id}/2", DEAR.rates, 2)
    assert api.run(prices.find(api.tenancy, OWN_VIEWER, made.id)) == changed
    api.run(prices.delete(api.tenancy, ROOT, made.id, check=unchecked))
    assert api.announced == [None] * 3
    assert actions(api) == ["price.create", "price.update", "price.delete"]
    assert entries(api)[1].before == prices.described(made)
    assert entries(api)[1].after == prices.described(changed)


def test_foreign_prices_do_not_exist(api: Api) -> None:
    """For whoever is bounded to another organisation."""
    api.world()
    with pytest.raises(ProblemError) as caught:
        api.run(prices.find(api.tenancy, OWN_VIEWER, "prc_foreign"))
    assert caught.value.status == 404
    listed = api.run(prices.search(api.tenancy, OWN_VIEWER, after=None, limit=5))
    assert [override.id for override in listed] == ["prc_own"]
    with pytest.raises(ProblemError):
        api.run(prices.search(api.tenancy, OWN_VIEWER, after=None, limit=5, organization_id="org_foreign"))
