"""What an exchange can reach."""

from sluicegate.control.passwords import _MOST_WAITING
from sluicegate.gateway.services import printable
from tests.gateway.node import PROVIDER_KEY, Node, a_provider, a_snapshot


def test_identities_are_remembered_up_to_a_bound(node: Node) -> None:
    """Model names come from clients: inventing them fills nothing."""
    for number in range(5000):
        node.services.identity(f"model-{number}", "", None)
    assert len(node.services._identities) <= 4096


def test_who_answered_is_told(node: Node) -> None:
    """Model, provider, which of its deployments where it has several, and the name of ours, if there is one."""
    runtime = node.services.providers.by_name["openai"]
    assert node.services.identity("m", "", runtime) == b"x-gateway-model: m\r\nx-gateway-provider: openai\r\n"
    deployments = (a_provider(deployment="eu"), a_provider(deployment="us"))
    node.services.configure(a_snapshot(providers=deployments))
    fields = node.services.identity("m", "smart", node.services.providers.by_id["openai/us"])
    assert fields.endswith(b"x-gateway-provider: openai\r\nx-gateway-deployment: us\r\nx-gateway-alias: smart\r\n")


def test_names_in_headers_are_printable() -> None:
    """Line breaks and other bytes become question marks; length is bounded."""
    assert printable("a\r\nb\u00e4\x00") == "a??b??"
    assert len(printable("x" * 1000)) == 256


def test_timestamps_are_utc_with_milliseconds(node: Node) -> None:
    """RFC 3339; the second's text is made once."""
    assert node.services.timestamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert node.services.timestamp(0.25) == "1970-01-01T00:00:00.250Z"
    assert node.services.timestamp(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


def test_the_repr_tells_no_secret(node: Node) -> None:
    """Names and sizes only."""
    assert "openai" in repr(node.services)
    assert PROVIDER_KEY not in repr(node.services)


def test_control_keeps_its_places(node: Node) -> None:
    """What it refuses is about one request and cuts nothing: beside all logins that it bears others have room."""
    limit = node.services.control.pool.limit
    limit.overloaded(busy=60, now=100.0, sent=99.0)
    assert limit.limit >= 2 * _MOST_WAITING
