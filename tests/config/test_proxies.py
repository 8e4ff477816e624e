"""The proxy variables are read by curl's convention."""

import pytest

from sluicegate.config.proxies import ProxyVariableError, is_excepted, proxy_for
from sluicegate.domain.snapshot import Origin

HTTPS = Origin("https", "api.example.com", 443)
HTTP = Origin("http", "api.example.com", 8000)


@pytest.mark.parametrize(
    ("environment", "https", "http"),
    [
        ({}, None, None),
        ({"https_proxy": "a:1"}, "http://a:1", None),
        ({"HTTPS_PROXY": "a:1"}, "http://a:1", None),
        ({"https_proxy": "a:1", "HTTPS_PROXY": "b:1"}, "http://a:1", None),
        ({"https_proxy": "", "HTTPS_PROXY": "b:1"}, "http://b:1", None),
        ({"http_proxy": "a:1"}, None, "http://a:1"),
        ({"HTTP_PROXY": "a:1"}, None, "http://a:1"),
        ({"all_proxy": "a:1"}, "http://a:1", "http://a:1"),
        ({"ALL_PROXY": "a:1", "HTTPS_PROXY": "b:1"}, "http://b:1", "http://a:1"),
        ({"ALL_PROXY": "a:1", "NO_PROXY": "example.com"}, None, None),
        ({"ALL_PROXY": "a:1", "NO_PROXY": "example.com", "no_proxy": "other"}, "http://a:1", "http://a:1"),
        ({"ALL_PROXY": "socks5://a", "NO_PROXY": "*"}, None, None),
    ],
)
def test_variables_by_scheme(environment: dict[str, str], https: str | None, http: str | None) -> None:
    """The scheme's own variable comes before the general one, lower case before upper."""
    assert proxy_for(HTTPS, environment) == https
    assert proxy_for(HTTP, environment) == http


@pytest.mark.parametrize("host", ["localhost", "localhost.", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_reached_directly(host: str) -> None:
    """A proxy elsewhere would take our localhost for its own."""
    assert proxy_for(Origin("http", host, 80), {"all_proxy": "a:1"}) is None


def test_sockets_are_reached_directly() -> None:
    """A Unix socket has no host to ask a proxy for."""
    assert proxy_for(Origin("unix", "/run/x", 0), {"all_proxy": "a:1"}) is None


def test_a_proxy_we_cannot_speak_to_is_an_error() -> None:
    """Passing it by would lead traffic where the operator did not want it."""
    with pytest.raises(ProxyVariableError, match="SOCKS") as caught:
        proxy_for(HTTPS, {"ALL_PROXY": "socks5://user:hunter2@a"})
    assert caught.value.variable == "ALL_PROXY"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "exceptions", "expected"),
    [
        ("api.example.com", "api.example.com", True),
        ("api.example.com", "example.com", True),
        ("api.example.com", ".example.com", True),
        ("api.example.com", "EXAMPLE.com.", True),
        ("api.example.com", "*.example.com", True),
        ("api.example.com", "*.example.com:8000", True),
        ("api.example.com", "*.ample.com", False),
        ("api.example.com", "*.", False),
        ("api.example.com.", "example.com", True),
        ("api.example.com", "ample.com", False),
        ("api.example.com", "other, example.com", True),
        ("api.example.com", "other example.com", True),
        ("api.example.com", "*", True),
        ("api.example.com", "", False),
        ("api.example.com", ".", False),
        ("api.example.com", "example.com:8000", True),
        ("api.example.com", "example.com:9000", False),
        ("api.example.com", "10.0.0.0/8", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.4/8", True),
        ("10.1.2.3", "192.168.0.0/16", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:8000", True),
        ("10.1.2.3", "2.3", False),
        ("10.1.2.3", "10.0.0.0/x", False),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "2001:DB8:0::1", True),
        ("2001:db8::1", "[2001:db8::1]:8000", True),
        ("2001:db8::1", "[2001:db8::1]", True),
        ("2001:db8::1", "[2001:db8::1]:9", False),
    ],
)
def test_exceptions(host: str, exceptions: str, expected: bool) -> None:
    """Hosts, domains, addresses and networks, each with an optional port."""
    assert is_excepted(Origin("http", host, 8000), exceptions) is expected
