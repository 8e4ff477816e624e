"""Clients of Azure's dated API name the model in the path: the body names it, too, before anybody reads it."""

from typing import TYPE_CHECKING

from sluicegate.wire.peek import peek, with_model

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange


def name_deployment(exchange: "Exchange") -> None:
    """Write the path's model into the body, whatever stands there.

    A body that nobody here reads (a form, or one that is too large to be held) names its model itself, as on `/v1`.
    Raises PeekError where there are two models.
    """
    if not exchange.is_held or not exchange.body_size:
        return
    body = exchange.whole_body()
    seen = peek(body)
    if seen is not None and seen.model != exchange.route.deployment:
        exchange.body = [with_model(body, exchange.route.deployment, seen.model or "")]
