"""Meter: what the exchange consumed, from the answer's own report, or a question to the tokenizer."""

from typing import TYPE_CHECKING

from sluicegate.domain.errors import UpstreamTimeoutError
from sluicegate.domain.usage import Reading, Usage
from sluicegate.gateway.taps import StreamTap

if TYPE_CHECKING:
    from sluicegate.gateway.exchange import Exchange
    from sluicegate.gateway.purses import Reservation

METERED = frozenset({"chat", "completions", "responses", "embeddings", "messages", "generate"})
"""Operations that consume tokens, so that an answer without a report must be counted."""

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English text, used only until, or instead of, a real count."""


def meter(exchange: "Exchange") -> None:
    """Set the reading; and the usage, unless it must be counted. What failed attempts reported comes on top later."""
    tap = exchange.tap
    if tap is None:
        if exchange.reservation is not None:
            _charge_unanswered(exchange, exchange.reservation)
        return
    exchange.reading = reading = tap.reading()
    if exchange.status >= 400 or exchange.route.operation not in METERED:
        exchange.usage = reading.usage
        exchange.usage_source = "none" if reading.usage is None else "reported"
    elif reading.usage is not None and (reading.is_complete or not exchange.is_stream):
        exchange.usage = reading.usage
        exchange.usage_source = "reported"
    else:
        exchange.usage = _guess(exchange, reading)
        exchange.usage_source = "length"


def _charge_unanswered(exchange: "Exchange", reservation: "Reservation") -> None:
    """The request was sent, and nobody waited for the answer: its provider has read it, and charges for that."""
    has_given_up = exchange.is_client_gone or isinstance(exchange.error, UpstreamTimeoutError)
    if reservation.is_sent and has_given_up and exchange.route.operation in METERED:
        exchange.usage = Usage(input_tokens=exchange.body_size // BYTES_PER_TOKEN)
        exchange.usage_source = "length"


def _guess(exchange: "Exchange", reading: Reading) -> Usage:
    """From the lengths alone, keeping what a cut stream has already reported (Anthropic: the input, at the start)."""
    reported = reading.usage or Usage()
    produced = len(reading.text.encode("utf-8", "surrogatepass")) + reading.text_dropped
    if not exchange.is_stream:
        produced = exchange.response_bytes
    else:
        produced += unread(exchange)
    return merged(reported, exchange.body_size // BYTES_PER_TOKEN, -(-produced // BYTES_PER_TOKEN))


def unread(exchange: "Exchange") -> int:
    """Bytes of an answer that says what it says in no form we read: of another type or coding, or beyond all bounds.

    They are as good as so much text. Those of embeddings are none, and a stream that is read may well bring none.
    """
    tap = exchange.tap
    if tap is None or isinstance(tap, StreamTap) or exchange.route.operation == "embeddings" or tap.body():
        return 0
    return exchange.response_bytes


def merged(reported: Usage, input_tokens: int, output_tokens: int) -> Usage:
    """What was reported before a stream was cut, completed by counts."""
    return Usage(
        input_tokens=reported.input_tokens or input_tokens,
        output_tokens=max(reported.output_tokens, output_tokens),
        cache_read_tokens=reported.cache_read_tokens,
        cache_write_tokens=reported.cache_write_tokens,
        reasoning_tokens=reported.reasoning_tokens,
        input_audio_tokens=reported.input_audio_tokens,
        output_audio_tokens=reported.output_audio_tokens,
        cache_write_1h_tokens=reported.cache_write_1h_tokens,
    )
