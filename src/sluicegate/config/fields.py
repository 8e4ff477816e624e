"""The kinds of values a setting may have: what is accepted, and the words that refuse the rest.

Messages never repeat a value; the one who reads them may not be the one who may know it.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

from sluicegate.config import redis_address
from sluicegate.config.addresses import parse_base, parse_proxy
from sluicegate.config.master_keys import parse_master_keys
from sluicegate.domain import windows
from sluicegate.domain.issuing import recipe
from sluicegate.domain.limits import window_of
from sluicegate.domain.money import nano_dollars
from sluicegate.domain.paths import RESERVED_SEGMENTS

SHORTEST_TOKEN = 8
"""Characters. No measure of strength: it catches the placeholder and the half-pasted value."""

_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_DEPLOYMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_WEB_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.:_\[\]-]+")
_URL_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OWNER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_LISTEN = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DATABASE = re.compile(r"sqlite|sqlite:///[^?\s]+|postgres(?:ql)?://\S+")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ALLOW_PATH = re.compile(r"(?:\*\*|(?:\*|[^/*\s?#]+)(?:/(?:\*|[^/*\s?#]+))*(?:/\*\*)?)")
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection"}
    | {"te", "trailer", "transfer-encoding", "upgrade"}
)


def _no_boolean(value: Any) -> Any:
    # YAML reads `yes` and `on` as true, and pydantic would take true for 1.
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text:
        raise ValueError("is empty")
    if text != text.strip():
        raise ValueError("begins or ends with a space or line break")
    if not text.isascii() or not text.isprintable():
        raise ValueError("holds a character that cannot stand in a header: only printable ASCII can")
    return value


def _token(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_TOKEN:
        raise ValueError(f"must have at least {SHORTEST_TOKEN} characters")
    return value


def _master_key(value: SecretStr) -> SecretStr:
    parse_master_keys(value.get_secret_value())
    return value


def _database(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if _DATABASE.fullmatch(text) is None:
        raise ValueError("must be sqlite, sqlite:///path or postgresql://user:password@host/name")
    return value


def _redis(value: SecretStr) -> SecretStr:
    redis_address.parse(value.get_secret_value())
    return value


def _window(text: str) -> str:
    windows.check(window_of(text))
    return text


def _amount(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a number")
    return str(value) if isinstance(value, int) else value


def _dollars(value: str | float) -> str | float:
    nano_dollars(value)
    return value


def _token_prefix(prefix: str) -> str:
    recipe(prefix)
    return prefix


def _login(text: str) -> str:
    # RFC 7617 section 2: the first colon ends it.
    if not text or text != text.strip() or not text.isprintable() or ":" in text:
        raise ValueError("must be printable text without a colon and without spaces at its ends")
    return text


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text != text.strip() or not text.isascii() or not text.isprintable():
        raise ValueError("must be printable ASCII without spaces at its ends")
    return value


def _header_name(name: str) -> str:
    if _HEADER_NAME.fullmatch(name) is None:
        raise ValueError("is no name of a header (RFC 9110 section 5.1)")
    lower = name.lower()
    if lower in _FRAMING or lower.startswith("x-gateway-"):
        raise ValueError("is a header the gateway sets itself")
    return lower


def _provider_name(name: str) -> str:
    if _PROVIDER_NAME.fullmatch(name) is None:
        raise ValueError("is no name for a provider: lower-case letters, digits, and . _ - after the first")
    if name in RESERVED_SEGMENTS:
        raise ValueError(f"is no name for a provider: /{name} is a path of the gateway itself")
    return name


def _owner_name(name: str) -> str:
    if _OWNER_NAME.fullmatch(name) is None:
        raise ValueError("must be 1 to 128 letters, digits and . _ @ + -, beginning with a letter or digit")
    return name


def _plain_name(name: str) -> str:
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError("must be printable text without spaces at its ends")
    return name


def _path(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("must be a path")
    return text


def _host(text: str) -> str:
    if _LISTEN.fullmatch(text) is None:
        raise ValueError("must be an address or a host name, without scheme, port or brackets")
    return text


def _base_url(text: str) -> str:
    parse_base(text)
    return text


def _proxy(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    return value if text == "none" else SecretStr(parse_proxy(text))


def _deployment_name(name: str) -> str:
    if _DEPLOYMENT_NAME.fullmatch(name) is None:
        raise ValueError("is no name for a deployment: letters, digits, and . _ - after the first")
    return name


def _url_part(text: str) -> str:
    if _URL_PART.fullmatch(text) is None:
        raise ValueError("must be letters, digits, . _ and -, beginning with a letter or digit")
    return text


def _web_origin(text: str) -> str:
    if text != "*" and _WEB_ORIGIN.fullmatch(text) is None:
        raise ValueError("must be * or an origin as browsers spell it: https://chat.example.org, with a port if any")
    return text


def _credential(text: str) -> str:
    name, _, word = text.partition(" ")
    if word and _HEADER_NAME.fullmatch(word) is None:
        raise ValueError("must be bearer, a header's name, or a header's name, a space and one word")
    return text if text == "bearer" else f"{_header_name(name)} {word}".rstrip()


def _method(method: str) -> str:
    upper = method.upper()
    if upper not in _METHODS:
        raise ValueError(f"must be one of {', '.join(sorted(_METHODS))}")
    return upper


def _allow_path(path: str) -> str:
    if _ALLOW_PATH.fullmatch(path) is None:
        raise ValueError(
            "must be segments joined by single slashes, none at the start; * is one segment, a last ** any rest"
        )
    return path


def _moment(value: Any) -> Any:
    """Read ISO 8601 with an offset: without one, a token would live hours longer or shorter than was meant."""
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2030-12-31T23:59:59Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a time such as 2030-12-31T23:59:59Z") from None
    if moment.tzinfo is None:
        raise ValueError("must say its offset from UTC, as in 2030-12-31T23:59:59Z")
    return moment.astimezone(UTC)


Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1)]
CountOrNone = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0)]
FailedStatus = Annotated[int, BeforeValidator(_no_boolean), Field(ge=400, le=599)]
Share = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=65_535)]
Seconds = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, allow_inf_nan=False)]
SecondsOrNone = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, allow_inf_nan=False)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Token = Annotated[SecretStr, AfterValidator(_secret), AfterValidator(_token)]
MasterKey = Annotated[SecretStr, AfterValidator(_master_key)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]
WindowText = Annotated[str, AfterValidator(_window)]
Amount = Annotated[
    str | float, BeforeValidator(_amount), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
]
"""Digits as they stand in the file, or a number that they were read as."""
Dollars = Annotated[
    str | float,
    BeforeValidator(_amount),
    AfterValidator(_dollars),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]}),
]
"""An amount of money, as `domain.money` reads it."""
Login = Annotated[str, AfterValidator(_login)]
TokenPrefix = Annotated[str, AfterValidator(_token_prefix)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]
ProviderName = Annotated[str, AfterValidator(_provider_name)]
DeploymentName = Annotated[str, AfterValidator(_deployment_name)]
UrlPart = Annotated[str, AfterValidator(_url_part)]
WebOrigin = Annotated[str, AfterValidator(_web_origin)]
Credential = Annotated[str, AfterValidator(_credential)]
OwnerName = Annotated[str, AfterValidator(_owner_name)]
PlainName = Annotated[str, AfterValidator(_plain_name)]
PathName = Annotated[str, AfterValidator(_path)]
Host = Annotated[str, AfterValidator(_host)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy)]
Method = Annotated[str, AfterValidator(_method)]
AllowPath = Annotated[str, AfterValidator(_allow_path)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
