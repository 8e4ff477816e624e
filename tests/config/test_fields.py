"""Each kind of value accepts what makes sense, and refuses the rest without repeating it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, TypeAdapter, ValidationError

from sluicegate.config import fields


def accepted(kind: Any, value: object) -> Any:
    """What a kind makes of a value; secrets are opened."""
    result = TypeAdapter(kind).validate_python(value)
    return result.get_secret_value() if isinstance(result, SecretStr) else result


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (fields.Count, "8", 8),
        (fields.Port, "0", 0),
        (fields.Port, 65_535, 65_535),
        (fields.Seconds, "0.5", 0.5),
        (fields.SecondsOrNone, 0, 0.0),
        (fields.Secret, "sk with space", "sk with space"),
        (fields.Token, "12345678", "12345678"),
        (fields.MasterKey, "0f" * 31 + "00", "0f" * 31 + "00"),
        (fields.TokenPrefix, "gw_live_", "gw_live_"),
        (fields.Login, "Ann Öz@example.com", "Ann Öz@example.com"),
        (fields.DatabaseUrl, "sqlite", "sqlite"),
        (fields.DatabaseUrl, "sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        (fields.DatabaseUrl, "postgresql://u:p@h/d?sslmode=require", "postgresql://u:p@h/d?sslmode=require"),
        (fields.RedisUrl, "redis://u:p@h:6379/0", "redis://u:p@h:6379/0"),
        (fields.RedisUrl, "unix://:p@/run/x", "unix://:p@/run/x"),
        (fields.RedisUrl, "rediss+cluster://a:1,b:2", "rediss+cluster://a:1,b:2"),
        (fields.RedisUrl, "unix:///run/valkey.sock?db=1", "unix:///run/valkey.sock?db=1"),
        (fields.WindowText, "5h", "5h"),
        (fields.WindowText, "month@Europe/Berlin", "month@Europe/Berlin"),
        (fields.Amount, 5, "5"),
        (fields.Amount, "12.50", "12.50"),
        (fields.Amount, 12.5, 12.5),
        (fields.HeaderName, "X-Title", "x-title"),
        (fields.HeaderValue, "", ""),
        (fields.ProviderName, "my-llm_2.local", "my-llm_2.local"),
        (fields.OwnerName, "ann@example.com", "ann@example.com"),
        (fields.PlainName, "größer 4", "größer 4"),
        (fields.PathName, "./my data", "./my data"),
        (fields.Host, "0.0.0.0", "0.0.0.0"),
        (fields.Host, "::1", "::1"),
        (fields.Host, "fe80::1%eth0", "fe80::1%eth0"),
        (fields.BaseUrl, "https://h/v1", "https://h/v1"),
        (fields.ProxyUrl, "none", "none"),
        (fields.ProxyUrl, "proxy", "http://proxy:80"),
        (fields.Method, "get", "GET"),
        (fields.AllowPath, "**", "**"),
        (fields.AllowPath, "*", "*"),
        (fields.AllowPath, "models/*/x/**", "models/*/x/**"),
        (fields.Moment, "2030-01-01T00:00:00Z", datetime(2030, 1, 1, tzinfo=UTC)),
        (fields.Moment, "2030-01-01T02:00:00+02:00", datetime(2030, 1, 1, tzinfo=UTC)),
    ],
)
def test_accepted(kind: Any, value: object, result: object) -> None:
    """Valid values come out normalized; numbers may be text, as references give text."""
    assert accepted(kind, value) == result


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (fields.MasterKey, "", "is empty"),
        (fields.MasterKey, "hunter2", "must be 32 bytes"),
        (fields.TokenPrefix, "sk", "end in - or _"),
        (fields.DatabaseUrl, "mysql://u:hunter2@h/d", "must be sqlite, sqlite:///path or postgresql://"),
        (fields.DatabaseUrl, "sqlite:///", "must be sqlite, sqlite:///path or postgresql://"),
        (fields.Count, True, "must be a number"),
        (fields.Count, 0, "greater than or equal to 1"),
        (fields.Port, 65_536, "less than or equal to 65535"),
        (fields.Seconds, False, "must be a number"),
        (fields.Seconds, float("inf"), "finite"),
        (fields.Secret, "", "is empty"),
        (fields.Secret, " hunter2", "begins or ends with a space"),
        (fields.Secret, "hunter2\n", "begins or ends with a space or line break"),
        (fields.Secret, "hun\nter2", "only printable ASCII"),
        (fields.Secret, "hünter2", "only printable ASCII"),
        (fields.Token, "hunter2", "at least 8 characters"),
        (fields.RedisUrl, "http://u:hunter2@h", "is redis://"),
        (fields.RedisUrl, "unix://run/x", "unix:///path"),
        (fields.WindowText, "month@Europe/Atlantis", "time zone"),
        (fields.WindowText, "fortnight", "must be a number of seconds"),
        (fields.Amount, True, "must be a number"),
        (fields.Amount, [], "must be a number"),
        (fields.HeaderName, "a b", "is no name of a header"),
        (fields.HeaderName, "Content-Length", "the gateway sets itself"),
        (fields.HeaderName, "X-Gateway-Thing", "the gateway sets itself"),
        (fields.HeaderValue, "a\r\nhunter2: b", "must be printable ASCII"),
        (fields.HeaderValue, "hunter2 ", "must be printable ASCII"),
        (fields.ProviderName, "OpenAI", "is no name for a provider: lower-case"),
        (fields.ProviderName, "a/b", "is no name for a provider: lower-case"),
        (fields.ProviderName, "", "is no name for a provider: lower-case"),
        (fields.ProviderName, "v1", "/v1 is a path of the gateway itself"),
        (fields.OwnerName, "a b", "must be 1 to 128 letters"),
        (fields.Login, "", "must be printable text without a colon"),
        (fields.Login, "hunter2:x", "must be printable text without a colon"),
        (fields.Login, "hunter2 ", "must be printable text without a colon"),
        (fields.PlainName, "", "must be printable text"),
        (fields.PlainName, " a", "must be printable text"),
        (fields.PlainName, "a\nb", "must be printable text"),
        (fields.PathName, "", "must be a path"),
        (fields.PathName, "a\0b", "must be a path"),
        (fields.Host, "http://h", "must be an address or a host name"),
        (fields.Host, "[::1]", "must be an address or a host name"),
        (fields.Host, "h:80", "must be an address or a host name"),
        (fields.BaseUrl, "hunter2", "must begin with http://"),
        (fields.ProxyUrl, "socks5://hunter2", "SOCKS"),
        (fields.Method, "FETCH", "must be one of DELETE, GET"),
        (fields.AllowPath, "/models", "segments joined by single slashes"),
        (fields.AllowPath, "a//b", "segments joined by single slashes"),
        (fields.AllowPath, "a/**/b", "segments joined by single slashes"),
        (fields.AllowPath, "a*/b", "segments joined by single slashes"),
        (fields.AllowPath, "", "segments joined by single slashes"),
        (fields.Moment, "tomorrow", "must be a time such as"),
        (fields.Moment, 1_900_000_000, "must be a time such as"),
        (fields.Moment, "2030-01-01", "must say its offset"),
    ],
)
def test_refused(kind: Any, value: object, message: str) -> None:
    """Invalid values are refused in words that say what is wanted."""
    with pytest.raises(ValidationError) as caught:
        accepted(kind, value)
    found = caught.value.errors(include_input=False, include_url=False)[0]["msg"]
    assert message in found
    assert "hunter2" not in found


@pytest.mark.parametrize("kind", [fields.Secret, fields.HeaderValue])
@given(text=st.text(max_size=20))
def test_nothing_accepted_can_break_a_header(kind: Any, text: str) -> None:
    """Whatever passes for a secret or a header's value is one line of ASCII."""
    try:
        value: str = accepted(kind, text)
    except ValidationError:
        return
    assert value == text
    assert all(" " <= character <= "~" for character in value)
