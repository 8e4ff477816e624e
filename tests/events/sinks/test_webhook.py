"""Batches are posted and signed so that their receiver can tell whose they are."""

import asyncio
import base64
import hmac
from hashlib import sha256
from typing import Any

import pytest

from sluicegate.events.sinks.webhook import signature, signing_key
from tests.events.sinks.contract import NOW, Scripted, connected, exchange, scripted

KEY = bytes(range(24))
WHSEC = "whsec_" + base64.b64encode(KEY).decode()


def deliver(*batches: list[dict[str, Any]], **settings: Any) -> Scripted:
    """Post batches; what the server got."""

    async def story() -> Scripted:
        async with scripted() as server, connected("webhook", server.url, **settings) as sink:
            for batch in batches:
                await sink.deliver(batch)
        return server

    return asyncio.run(story())


def test_a_signature_is_what_the_standard_says() -> None:
    """The example of the specification's own libraries."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_batch_is_signed() -> None:
    """Over id, time and body, with the decoded secret."""
    server = deliver([exchange(1), exchange(2)], secret=WHSEC)
    ((heads, body),) = server.requests
    assert heads["webhook-timestamp"] == str(int(NOW))
    signed = f"{heads['webhook-id']}.{heads['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, sha256).digest()).decode()
    assert heads["webhook-signature"] == f"v1,{expected}"
    (document,) = server.documents()
    assert document == {"type": "events", "timestamp": exchange()["timestamp"], "data": [exchange(1), exchange(2)]}
    assert heads["content-type"] == "application/json"


def test_the_same_batch_has_the_same_id() -> None:
    """So that its receiver can tell what it has already; another batch has another."""
    server = deliver([exchange(1)], [exchange(1)], [exchange(2)])
    first, second, third = (heads["webhook-id"] for heads, _ in server.requests)
    assert first == second != third
    assert first.startswith("msg_")


def test_no_secret_no_signature() -> None:
    """And headers of one's own are sent, over ours where they have the same name."""
    server = deliver([exchange()], secret=None, headers={"Authorization": "Basic eA==", "content-type": "text/plain"})
    heads = server.requests[0][0]
    assert "webhook-signature" not in heads
    assert (heads["authorization"], heads["content-type"]) == ("Basic eA==", "text/plain")


@pytest.mark.parametrize("text", ["plain text", "whsec_no base64!"])
def test_a_secret_may_be_any_text(text: str) -> None:
    """Then it is the key itself."""
    assert signing_key(text) == text.encode()


def test_it_tells_how_it_is() -> None:
    """By its host, and whether it signs."""

    async def story() -> None:
        async with connected("webhook", "https://hooks.example/secret") as sink:
            assert repr(sink) == "<Webhook <Poster hooks.example> signed>"
        async with connected("webhook", "https://hooks.example/secret", secret=None) as sink:
            assert repr(sink) == "<Webhook <Poster hooks.example> unsigned>"

    asyncio.run(story())
