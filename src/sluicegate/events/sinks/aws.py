"""Requests in the manner of the AWS JSON protocol 1.1: one action, signed, and its errors by their names."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sluicegate.config.schema import SinkSettings
from sluicegate.events.sinks.base import PermanentError, Surroundings, TooLargeError, TransientError
from sluicegate.events.sinks.http import Answer, Poster, accepted
from sluicegate.events.sinks.sigv4 import Key, signed

PASSING = frozenset(
    {
        *("ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException"),
        *("RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "LimitExceededException"),
        *("InternalFailure", "InternalException", "InternalServerError", "ServiceUnavailable"),
        *("ServiceUnavailableException", "OperationAbortedException", "RequestTimeout", "RequestTimeoutException"),
    }
)
"""Errors that may pass, whatever the status; https://docs.aws.amazon.com/general/latest/gr/api-retries.html."""
_TOO_LARGE = frozenset({"RequestEntityTooLarge", "RequestTooLargeException"})
_NAME = re.compile(r"[A-Za-z]{1,80}")


class Service:
    """One service of AWS in one region."""

    def __init__(self, poster: Poster, key: Key, *, target: str, now: Callable[[], float]) -> None:
        """`target` is the prefix of the actions' names; `now` gives Unix seconds."""
        self._poster = poster
        self._key = key
        self._target = target
        self._now = now

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<Service {self._key.service} {self._key.region}>"

    async def call(self, action: str, document: Mapping[str, Any]) -> Answer:
        """Do something; the answer says yes. Raises AwsError, TransientError, TooLargeError, PermanentError."""
        body = msgspec.json.encode(document)
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{self._target}.{action}"}
        headers = signed(self._key, "POST", self._poster.url, headers, body, now=self._now())
        answer = await self._poster.post(body, headers)
        name = "" if 200 <= answer.status < 300 else error_name(answer.body)
        if name in PASSING:
            raise TransientError(name, retry_after=answer.retry_after)
        if name in _TOO_LARGE:
            raise TooLargeError(name)
        if name and answer.status < 500:
            raise AwsError(name)
        return accepted(answer)

    async def close(self) -> None:
        """Close all connections."""
        await self._poster.close()


class AwsError(PermanentError):
    """The service refuses, and says why by a name: `ResourceNotFoundException`."""


def service(settings: SinkSettings, surroundings: Surroundings, *, name: str, target: str) -> Service:
    """The service of a sink's settings. Its address is the region's own, or what `url` says."""
    region = settings.text("region")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = settings.text("url") or f"https://{name}.{region}.{suffix}/"
    key = Key(
        settings.text("access_key_id"),
        settings.text("secret_access_key"),
        region,
        name,
        settings.text("session_token"),
    )
    return Service(
        Poster(url, timeout=settings.timeout, now=surroundings.now), key, target=target, now=surroundings.now
    )


def error_name(body: bytes) -> str:
    """What an error is called, of `{"__type": "prefix#ThrottlingException"}`; empty where nothing is understood."""
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    text = str(document.get("__type") or document.get("code") or "")
    name = text.rpartition("#")[2].partition(":")[0]
    return name if _NAME.fullmatch(name) else ""
