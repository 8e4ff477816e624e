"""Bodies for whoever looks into requests later: a bounded copy of some, handed to control once the exchange is over.

They never reach this process's disk: control takes out what nobody may keep, and keeps the rest. Where control is away
or slow they are dropped, and the request knows nothing of it. The caller's own credential is taken out here, as control
knows its digest alone.
"""

from typing import TYPE_CHECKING, Final

from sluicegate.domain.redaction import REDACTED, SHORTEST_SECRET
from sluicegate.gateway.taps import beginning_of
from sluicegate.wire.link import Bodies

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange

_TEXTS: Final = (b"application/json", b"text/", b"application/x-ndjson", b"application/x-www-form-urlencoded")
"""Beginnings of the types of bodies that can be read by people."""
_REDACTED: Final = REDACTED.encode()


def hand_over(exchange: "Exchange") -> None:
    """Tell control the bodies of an exchange that has ended, if its project wants them and it is one of the share."""
    principal = exchange.principal
    if not principal.body_share or exchange.services.choose() >= principal.body_share:
        return
    most = principal.body_bytes
    credential = exchange.head.credential()
    request, is_request_cut = _without(credential, *_request(exchange, most + len(credential)))
    answer, is_answer_cut = _without(credential, *_answer(exchange, most + len(credential)))
    exchange.services.link.hand_over(
        Bodies(
            exchange.request_id,
            int(exchange.wall * 1000),
            principal.organization_id,
            principal.project_id,
            request[:most],
            answer[:most],
            is_request_cut or len(request) > most,
            is_answer_cut or len(answer) > most,
        )
    )


def _request(exchange: "Exchange", most: int) -> tuple[bytes, bool]:
    """The beginning of the client's body, and whether there is more: one that streamed through is gone."""
    head = exchange.head
    if not exchange.is_held or head.content_encoding or not head.content_type.startswith(_TEXTS):
        return b"", exchange.body_size > 0
    # Not what was made of it for a provider.
    parts = exchange.body if exchange.unedited is None else [exchange.unedited]
    return beginning_of(parts, most), exchange.body_size > most


def _answer(exchange: "Exchange", most: int) -> tuple[bytes, bool]:
    """The beginning of the provider's JSON, or of the text that its events brought, and whether there is more."""
    tap = exchange.tap
    if tap is None:
        return b"", False
    beginning = tap.beginning(most)
    # The text of a stream is shorter than the stream.
    is_all = len(beginning) < most and (bool(beginning) or not exchange.response_bytes)
    return beginning, not is_all or exchange.is_cut


def _without(credential: bytes, body: bytes, is_cut: bool) -> tuple[bytes, bool]:
    """A body without the credential, and without what may be the beginning of one where it was cut."""
    if len(credential) < SHORTEST_SECRET:
        return body, is_cut
    body = body.replace(credential, _REDACTED)
    return body[: 1 - len(credential)] if is_cut else body, is_cut
