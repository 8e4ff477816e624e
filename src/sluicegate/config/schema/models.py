"""Model names of our own."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from sluicegate.config import fields
from sluicegate.config.schema.resilience import ProviderTimeouts, RetriesSettings
from sluicegate.config.schema.section import Section
from sluicegate.domain.snapshot import Strategy


class ModelTarget(Section):
    """One way to serve a model."""

    model: fields.PlainName
    """`provider/model`: a configured provider and its own name for the model. `*` in it stands for what the `*` of the
    alias stood for."""
    weight: fields.Count = 1
    """Share of the requests, against the sum of all weights."""


class StickyHeader(Section):
    """A header field whose value keeps requests together."""

    header: fields.HeaderName
    """Name of a header: requests with the same value of it stay at one target."""


def _sticky_kind(value: Any) -> str:
    return "word" if isinstance(value, str) else "by_header"


StickySetting = Annotated[
    Annotated[Literal["conversation", "user"], Tag("word")] | Annotated[StickyHeader, Tag("by_header")],
    Discriminator(_sticky_kind),
]


class ModelSettings(Section):
    """A model name of our own."""

    name: fields.PlainName
    """What clients ask for. One `*` in it stands for any text that is not empty; exact names come first, then those
    with a `*` in the order of the file."""
    targets: Annotated[tuple[ModelTarget, ...], Field(min_length=1)]
    """What serves it, one of them each request. All of them, and the fallbacks, must be of the same dialect: requests
    are not translated."""
    fallbacks: tuple[fields.PlainName, ...] = ()
    """What serves it once no target can, in this order: `provider/model`, or another model of ours, whose targets then
    stand in, and not its own fallbacks."""
    strategy: Strategy = "weighted"
    """How one of the targets is chosen: at random by their weights, in turn by their weights, the one with the fewest
    requests under way, the one that answers fastest, or the cheapest."""
    sticky: StickySetting | None = None
    """What keeps requests at the same target, so that caches of prompts keep hitting: `conversation` (its beginning),
    `user` (whom the request names), or a section with the name of a header. Not set, nothing does."""
    regions: tuple[fields.PlainName, ...] = ()
    """Only deployments of one of these regions serve it; none for all."""
    tags: tuple[fields.PlainName, ...] = ()
    """Only deployments with all of these tags serve it."""
    timeouts: ProviderTimeouts | None = None
    """How long each attempt may take, in place of all that the provider's `timeouts` say."""
    retries: RetriesSettings | None = None
    """When its requests are sent again; what is not set here is as in `resilience.retries`."""
    hedge_seconds: fields.Seconds | None = None
    """After so many seconds without an answer, another target is asked beside the first, and the first answer counts;
    not for streams. Not set, never."""
