"""Addresses are read strictly and normalized; refusals never repeat them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.addresses import Base, parse_base, parse_proxy, without_user
from sluicegate.domain.snapshot import Origin


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://api.openai.com/v1", Base(Origin("https", "api.openai.com", 443), "api.openai.com", "/v1")),
        ("https://API.openai.com/v1/", Base(Origin("https", "api.openai.com", 443), "api.openai.com", "/v1")),
        ("http://127.0.0.1:8000", Base(Origin("http", "127.0.0.1", 8000), "127.0.0.1:8000", "")),
        ("http://h:80/", Base(Origin("http", "h", 80), "h", "")),
        ("https://[::1]:8443/a/b", Base(Origin("https", "::1", 8443), "[::1]:8443", "/a/b")),
        ("http://[2001:db8::1]", Base(Origin("http", "2001:db8::1", 80), "[2001:db8::1]", "")),
        ("http://my_host-1.local.", Base(Origin("http", "my_host-1.local.", 80), "my_host-1.local.", "")),
        ("unix:/run/llama.sock", Base(Origin("unix", "/run/llama.sock", 0), "localhost", "")),
    ],
)
def test_base_urls(text: str, base: Base) -> None:
    """Scheme, host, port and path come apart; default ports and last slashes go."""
    assert parse_base(text) == base


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with http://"),
        ("api.openai.com/v1", "must begin with http://"),
        ("ftp://hunter2", "must begin with http://"),
        ("https://user:hunter2@h", "must not hold a user or password"),
        ("https://h/v1?key=hunter2", "must not hold a query"),
        ("https://h/v1?", "must not hold a query"),
        ("https://h/#hunter2", "must not hold a query"),
        ("https://", "names no valid host"),
        ("https://-h", "names no valid host"),
        ("https://h:0", "has a port outside"),
        ("https://h:65536", "has a port outside"),
        ("https://h:http", "has a port outside"),
        ("https://[::1", "is not a URL"),
        ("https://h/a//b", "has a path"),
        ("https://h/a/../hunter2", "has a path"),
        ("https://h/./a", "has a path"),
        ("https://h/%2e%2e/a", "has a path"),
        ("https://h /", "must be printable ASCII"),
        ("https://h\n", "must be printable ASCII"),
        ("https://hünter2", "must be printable ASCII"),
        ("unix:run/x", "must be unix: and an absolute path"),
        ("unix:", "must be unix: and an absolute path"),
    ],
)
def test_refused_base_urls(text: str, message: str) -> None:
    """Whatever servers could read differently is refused, without being repeated."""
    with pytest.raises(ValueError, match=message) as caught:
        parse_base(text)
    assert "hunter2" not in str(caught.value)


@given(st.text() | st.text("htps:/.@[]%?#u0x1-"))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but ValueError ever comes of a bad address, and a good one reads the same when written again."""
    try:
        base = parse_base(text)
    except ValueError:
        return
    if base.origin.scheme != "unix":
        assert parse_base(f"{base.origin.scheme}://{base.authority}{base.path}") == base


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("proxy:3128/", "http://proxy:3128"),
        ("http://Proxy.Corp", "http://proxy.corp:80"),
        ("http://user:p%40ss@proxy:1", "http://user:p%40ss@proxy:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_proxies(text: str, proxy: str) -> None:
    """Scheme and port are filled in, the user stays as written."""
    assert parse_proxy(text) == proxy


@pytest.mark.parametrize(
    "text", ["socks5://hunter2", "https://hunter2", "http://", "http://h/hunter2", "http://h?a", ""]
)
def test_refused_proxies(text: str) -> None:
    """Only plain HTTP proxies are spoken to."""
    with pytest.raises(ValueError, match=r"must be|valid host") as caught:
        parse_proxy(text)
    assert "hunter2" not in str(caught.value)


def test_a_shown_proxy_has_no_user() -> None:
    """Credentials are replaced, an address without any is left alone."""
    assert without_user("http://user:hunter2@proxy:3128") == "http://****@proxy:3128"
    assert without_user("http://user:hun@ter2@proxy:3128") == "http://****@proxy:3128"
    assert without_user("http://proxy:3128") == "http://proxy:3128"
