"""What models cost in one organisation, in place of what they cost elsewhere. Amounts are dollars."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import Field

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Body, Identifier, Name, Shown, moment
from sluicegate.control.routes.credentials import Provider
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.money import Usd, shown_dollars
from sluicegate.control.routes.paging import IdentifierFilter, Listing, Paged, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import prices
from sluicegate.domain.pricing import Price, Rates, Service, Tier
from sluicegate.domain.tenants import PriceOverride

_MOST_TIERS = 32
_MOST_TOKENS = 2**53 - 1

Tokens = Annotated[int, Field(ge=1, le=_MOST_TOKENS)]


class RatesGiven(Body):
    """Dollars for a million tokens of each kind, and for each request."""

    input: Usd
    output: Usd
    cache_read: Usd | None = None
    """Not set, as in those that follow: what the plain kind costs."""
    cache_write: Usd | None = None
    cache_write_1h: Usd | None = None
    """Written to the cache for an hour; not set, twice the input at Anthropic, elsewhere what other writing costs."""
    input_audio: Usd | None = None
    output_audio: Usd | None = None
    request: Usd = 0


class TierGiven(RatesGiven):
    """Rates for large exchanges."""

    above: Tokens
    """The whole exchange is at these rates when its input has more tokens than this."""


class ServiceGiven(RatesGiven):
    """Rates of a service tier that costs something else than the usual one."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,32}$")]
    """As the provider's answers call it: flex, priority, batch, fast …"""


class PriceUpdate(RatesGiven):
    """A whole price: what it does not name is not set."""

    tiers: Annotated[list[TierGiven], Field(max_length=_MOST_TIERS)] = []
    """Other rates, by the size of the input; of two for the same size the last one counts."""
    services: Annotated[list[ServiceGiven], Field(max_length=_MOST_TIERS)] = []
    """Other rates, by the service tier that an answer says it was served by."""
    longest_output: Tokens | None = None
    """Most tokens that one answer of the model can have."""
    context: Tokens | None = None
    """Most tokens of input and output together."""


class PriceCreate(PriceUpdate):
    """What a model shall cost in an organisation."""

    organization_id: Identifier
    provider: Provider
    model: Annotated[Name, Field(max_length=256)]
    """As the provider calls it."""


class RatesShown(Shown):
    """Dollars for a million tokens of each kind, and for each request."""

    input: float
    output: float
    cache_read: float | None
    cache_write: float | None
    cache_write_1h: float | None
    input_audio: float | None
    output_audio: float | None
    request: float


class TierShown(RatesShown):
    """Rates for exchanges whose input has more tokens than `above`."""

    above: int


class ServiceShown(RatesShown):
    """Rates for exchanges that were served by this service tier."""

    name: str


class PriceShown(RatesShown):
    """What a model costs in an organisation, in dollars."""

    price_id: str
    organization_id: str
    provider: str
    model: str
    tiers: list[TierShown]
    """By the size of the input, the smallest first."""
    services: list[ServiceShown]
    """By the service tier that an answer says it was served by."""
    longest_output: int | None
    context: int | None
    price_version: str
    """What records of exchanges name it by."""
    created_at: datetime
    updated_at: datetime


def shown(override: PriceOverride) -> PriceShown:
    """The form in which it is sent."""
    price = override.price
    return PriceShown(
        **_shown_rates(price.rates),
        price_id=override.id,
        organization_id=override.organization_id,
        provider=override.provider,
        model=override.model,
        tiers=[TierShown(above=tier.above, **_shown_rates(tier.rates)) for tier in price.tiers],
        services=[ServiceShown(name=one.name, **_shown_rates(one.rates)) for one in price.services],
        longest_output=price.longest_output or None,
        context=price.context or None,
        price_version=price.version,
        created_at=moment(override.created_at),
        updated_at=moment(override.updated_at),
    )


def price_of(body: PriceUpdate) -> Price:
    """A price without its version."""
    return Price(
        version="",
        rates=_rates(body),
        tiers=tuple(Tier(tier.above, _rates(tier)) for tier in sorted(body.tiers, key=lambda tier: tier.above)),
        longest_output=body.longest_output or 0,
        context=body.context or 0,
        services=tuple(Service(one.name, _rates(one)) for one in body.services),
    )


def _rates(given: RatesGiven) -> Rates:
    return Rates(**{name: getattr(given, name) for name in RatesGiven.model_fields})


def _shown_rates(rates: Rates) -> dict[str, Any]:
    return {name: shown_dollars(getattr(rates, name)) for name in RatesShown.model_fields}


async def create_price(request: Request, body: PriceCreate, actor: Acting, context: Reached) -> Response:
    """Set what a model costs in an organisation."""
    override = await prices.create(
        context.tenancy,
        actor,
        organization_id=body.organization_id,
        provider=body.provider,
        model=body.model,
        price=price_of(body),
    )
    location = f"{request.url.path}/{override.id}"
    return tagged(request, shown(override), override.version, status=201, location=location)


async def list_prices(
    actor: Acting, context: Reached, page: Paged, organization_id: IdentifierFilter = None
) -> Listing[PriceShown]:
    """The prices that were set for organisations, oldest first."""
    records = await prices.search(
        context.tenancy, actor, after=page.after, limit=page.wanted, organization_id=organization_id
    )
    return cursor_page(records, page, shown)


async def show_price(request: Request, price_id: str, actor: Acting, context: Reached) -> Response:
    """One of them."""
    override = await prices.find(context.tenancy, actor, price_id)
    return tagged(request, shown(override), override.version)


async def update_price(request: Request, price_id: str, body: PriceUpdate, actor: Acting, context: Reached) -> Response:
    """Put another price in its place, for what is asked from now on."""
    override = await prices.change(context.tenancy, actor, price_id, price_of(body), check=matching(request))
    return tagged(request, shown(override), override.version)


async def delete_price(request: Request, price_id: str, actor: Acting, context: Reached) -> Response:
    """Take one away: the model costs what it costs elsewhere."""
    await prices.delete(context.tenancy, actor, price_id, check=matching(request))
    return Response(status_code=204)


ROUTES = (
    Route("POST", "/manage/prices", "admin", create_price, 201, PriceShown),
    Route("GET", "/manage/prices", "viewer", list_prices, 200, Listing[PriceShown]),
    Route("GET", "/manage/prices/{price_id}", "viewer", show_price, 200, PriceShown),
    Route("PUT", "/manage/prices/{price_id}", "admin", update_price, 200, PriceShown),
    Route("DELETE", "/manage/prices/{price_id}", "admin", delete_price, 204),
)
