"""What is said where the control process cannot answer: to its callers it is the gateway, not a provider."""

from typing import TYPE_CHECKING

from sluicegate.domain.errors import (
    ControlUnavailableError,
    GatewayError,
    NoConnectionError,
    UpstreamUnreachableError,
)

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange


def told(exchange: "Exchange", error: GatewayError) -> GatewayError:
    """The error as its caller is to hear it: a failure of the control process is a 503, any other stays what it is."""
    is_busy = isinstance(error, NoConnectionError)
    if not (is_busy or error.source == "upstream") or exchange.route.kind != "control":
        return error
    if is_busy:
        return ControlUnavailableError("The control process has too much to answer; try again in a moment.")
    if isinstance(error, UpstreamUnreachableError):
        return ControlUnavailableError("The control process is being restarted; try again in a moment.")
    return ControlUnavailableError(
        "The control process did not finish its answer. Whether the request took effect is not known: look before you "
        "repeat it."
    )
