"""A webhook: batches as JSON, signed as Standard Webhooks has it (https://www.standardwebhooks.com/).

The body is `{"type": "events", "timestamp": …, "data": [event, …]}`, the time that of the last event. The signature is
`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; the key is what follows `whsec_`, decoded, or the text itself.
A batch that is sent again has the same `webhook-id`, so that its receiver can tell.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

import msgspec

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import ALL_KINDS, Event, Surroundings
from sluicegate.events.sinks.http import Poster, accepted

_MARK = "whsec_"


def make(settings: SinkSettings, surroundings: Surroundings) -> "Webhook":
    """The sink of these settings."""
    return Webhook(
        Poster(settings.text("url"), timeout=settings.timeout, now=surroundings.now),
        key=signing_key(settings.text("secret")),
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        now=surroundings.now,
    )


class Webhook:
    """Posts batches to one address."""

    kinds = ALL_KINDS
    most_events = 10_000

    def __init__(self, poster: Poster, *, key: bytes, headers: Mapping[str, str], now: Callable[[], float]) -> None:
        """Without a `key`, nothing is signed. `headers` are added to each request, and override ours."""
        self._poster = poster
        self._key = key
        self._headers = headers
        self._now = now

    def __repr__(self) -> str:
        """Tell the host, and whether it is signed."""
        return f"<Webhook {self._poster!r} {'signed' if self._key else 'unsigned'}>"

    async def deliver(self, batch: Sequence[Event]) -> None:
        """Post a batch; every 2xx means that it arrived."""
        body = msgspec.json.encode({"type": "events", "timestamp": batch[-1].get("timestamp", ""), "data": batch})
        accepted(await self._poster.post(body, self._heads(body)))

    async def close(self) -> None:
        """Close all connections."""
        await self._poster.close()

    def _heads(self, body: bytes) -> dict[str, str]:
        identity, moment = f"msg_{sha256(body).hexdigest()[:32]}", str(int(self._now()))
        heads = {"content-type": "application/json", "webhook-id": identity, "webhook-timestamp": moment}
        if self._key:
            heads["webhook-signature"] = signature(self._key, identity, moment, body)
        return heads | {name.lower(): value for name, value in self._headers.items()}


def signing_key(secret: str) -> bytes:
    """The key of a secret; empty without one."""
    if secret.startswith(_MARK):
        try:
            return base64.b64decode(secret.removeprefix(_MARK), validate=True)
        except binascii.Error:
            # Then it is a text that begins so.
            pass
    return secret.encode()


def signature(key: bytes, identity: str, timestamp: str, body: bytes) -> str:
    """What goes into `webhook-signature`."""
    signed = f"{identity}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
