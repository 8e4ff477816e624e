"""What models cost."""

from typing import Annotated

from pydantic import BaseModel, Field

from sluicegate.config import fields
from sluicegate.config.schema.section import Section


class RateSettings(BaseModel):
    """What a million tokens of each kind cost, in dollars: a part of two sections, and none by itself."""

    model_config = Section.model_config

    input: fields.Dollars
    """Input; in it what follows of input, where that is not set."""
    output: fields.Dollars
    """Output, reasoning included."""
    cache_read: fields.Dollars | None = None
    """Input read from the provider's cache."""
    cache_write: fields.Dollars | None = None
    """Input written to the provider's cache."""
    cache_write_1h: fields.Dollars | None = None
    """Of it, what is kept for an hour; not set, twice the input at Anthropic, elsewhere what other writing costs."""
    input_audio: fields.Dollars | None = None
    """Input that is sound."""
    output_audio: fields.Dollars | None = None
    """Output that is sound."""
    request: fields.Dollars = "0"
    """Dollars for each request, whatever its tokens."""


class PriceTier(RateSettings, Section):
    """Rates for large exchanges."""

    above: fields.Count
    """The whole exchange is at these rates when its input has more tokens than this."""


class PriceService(RateSettings, Section):
    """Rates of a service tier that costs something else than the usual one."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_.-]{1,32}$")]
    """As the provider's answers call it: `flex`, `priority`, `batch`, `fast` …"""


class PriceSettings(RateSettings, Section):
    """What a model costs, in place of what the bundled table says."""

    model: fields.PlainName
    """The provider's name for the model, or `provider/model`; `*` stands for any text. The first that fits counts."""
    tiers: tuple[PriceTier, ...] = ()
    """Other rates, by the size of the input."""
    services: tuple[PriceService, ...] = ()
    """Other rates, by the service tier that an answer says it was served by."""
    longest_output: fields.Count | None = None
    """Most tokens that one answer of the model can have."""
    context: fields.Count | None = None
    """Most tokens of input and output together."""
