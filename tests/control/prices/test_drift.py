"""Our costs against those that providers reported."""

from msgspec.structs import replace

from sluicegate.control.prices.drift import Drift, drift
from sluicegate.domain.events import Exchange, Metadata

EVENT = Exchange(
    "r", "now", "tok", "prj", "org", "/v1/x", "POST", 200, 1.5, Metadata(), provider="p", price_version="v"
)


def test_the_largest_difference_comes_first() -> None:
    """Costs are summed by provider, model and price; what lacks one of the two is left out."""
    events = [
        replace(EVENT, model="a", cost=10, provider_cost=12),
        replace(EVENT, model="a", cost=10, provider_cost=13),
        replace(EVENT, requested_model="b", cost=100, provider_cost=50),
        replace(EVENT, model="c", cost=1),
        replace(EVENT, model="c", provider_cost=1),
    ]
    found = drift(events)
    assert found == [Drift("p", "b", "v", 1, 100, 50), Drift("p", "a", "v", 2, 20, 25)]
    assert [one.difference for one in found] == [-50, 5]
