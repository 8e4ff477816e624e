"""Signatures of AWS requests, version 4. Pure: the time is passed in.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an account, and for what it signs. No part of it shows."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    region: str
    service: str
    session_token: str = field(default="", repr=False)


def signed(key: Key, method: str, url: str, headers: Mapping[str, str], body: bytes, *, now: float) -> dict[str, str]:
    """The headers with those that sign the request added; names in lower case. `now` is in Unix seconds."""
    moment = datetime.fromtimestamp(int(now), UTC).strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    all_headers = {name.lower(): value for name, value in headers.items()}
    all_headers |= {"host": _host(url), "x-amz-date": moment}
    if key.session_token:
        all_headers["x-amz-security-token"] = key.session_token
    names = ";".join(sorted(all_headers))
    lines = "".join(f"{name}:{' '.join(all_headers[name].split())}\n" for name in sorted(all_headers))
    # All services but S3 want each segment of the path encoded once more than it is on the wire.
    path = quote(parts.path or "/", safe="/-_.~")
    request = "\n".join((method, path, _query(parts.query), lines, names, sha256(body).hexdigest()))
    scope = f"{moment[:8]}/{key.region}/{key.service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, sha256(request.encode()).hexdigest()))
    signature = hmac.new(_signing_key(key, moment[:8]), text.encode(), sha256).hexdigest()
    all_headers["authorization"] = (
        f"{_ALGORITHM} Credential={key.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return all_headers


def _host(url: str) -> str:
    """The host as HTTP names it: with the port, unless that goes without saying."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return shown if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{shown}:{parts.port}"


def _query(query: str) -> str:
    """The pairs in their order by name and value, encoded as they are."""
    return "&".join("=".join(pair) for pair in sorted(each.partition("=")[::2] for each in query.split("&") if each))


def _signing_key(key: Key, day: str) -> bytes:
    derived = f"AWS4{key.secret_access_key}".encode()
    for part in (day, key.region, key.service, "aws4_request"):
        derived = hmac.new(derived, part.encode(), sha256).digest()
    return derived
