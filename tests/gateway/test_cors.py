"""What browsers are told, of which pages may read what."""

from sluicegate.domain.snapshot import Snapshot
from tests.gateway.node import Node, a_request, a_snapshot, an_answer, parts

PAGE = "https://chat.example.org"
FOREIGN = ("Access-Control-Allow-Origin: https://console.provider.test", "access-control-max-age: 5")


def a_preflight(origin: str = PAGE, *fields: str, path: str = "/v1/chat/completions") -> bytes:
    """What a browser asks before a page may send JSON."""
    asked = (f"Origin: {origin}", "Access-Control-Request-Method: POST", *fields)
    return a_request(path, b"", method="OPTIONS", token=None, fields=asked)


def allowing(*origins: str) -> Snapshot:
    """Of these origins."""
    return a_snapshot(cors_origins=origins)


def test_a_preflight_needs_no_credential(node: Node) -> None:
    """Browsers send none with it; the connection goes on."""
    node.services.configure(allowing(PAGE))
    client = node.client().says(a_preflight(PAGE, "Access-Control-Request-Headers: authorization, content-type"))
    status, fields, body = parts(client.hears())
    assert (status, body) == (204, b"")
    assert fields["access-control-allow-origin"] == PAGE
    assert fields["access-control-allow-headers"] == "authorization, content-type"
    assert "POST" in fields["access-control-allow-methods"]
    assert fields["access-control-max-age"] == "600"
    assert fields["vary"] == "Origin"
    assert node.link.asked == []
    client.says(a_preflight())
    assert parts(client.hears())[1]["access-control-allow-headers"] == "*"


def test_another_origin_is_allowed_nothing(node: Node) -> None:
    """It gets an answer, and nothing in it that a browser could take for a yes."""
    node.services.configure(allowing(PAGE))
    fields = parts(node.client().says(a_preflight("https://evil.example")).hears())[1]
    assert fields["vary"] == "Origin"
    assert not any(name.startswith("access-control-") for name in fields)


def test_every_origin_may_be_allowed(node: Node) -> None:
    """Nothing then depends on which one asks."""
    node.services.configure(allowing("*"))
    fields = parts(node.client().says(a_preflight("null")).hears())[1]
    assert fields["access-control-allow-origin"] == "*"
    assert "vary" not in fields


def test_an_answer_may_be_read_whoever_gives_it(node: Node) -> None:
    """The provider, whose own rules are dropped, and the gateway, with an error. The provider sees no page."""
    node.services.configure(allowing(PAGE))
    client = node.client().says(a_request(fields=(f"Origin: {PAGE}",)))
    assert b"rigin" not in node.provider.hears()
    node.provider.says(an_answer(fields=FOREIGN))
    fields = parts(client.hears())[1]
    assert fields["access-control-allow-origin"] == PAGE
    assert fields["access-control-expose-headers"] == "*"
    assert "access-control-max-age" not in fields
    status, fields, _ = parts(client.says(a_request(token="sk-wrong", fields=(f"Origin: {PAGE}",))).hears())
    assert (status, fields["access-control-allow-origin"]) == (401, PAGE)


def test_the_control_process_is_readable_too(node: Node) -> None:
    """A page may show its key's statistics."""
    node.services.configure(allowing("*"))
    client = node.client().says(a_request("/stats", b"", method="GET", fields=(f"Origin: {PAGE}",)))
    node.provider.says(an_answer(b"{}"))
    assert parts(client.hears())[1]["access-control-allow-origin"] == "*"


def test_without_the_setting_everything_passes(node: Node) -> None:
    """OPTIONS needs a token, the origin travels, and so do the provider's own rules."""
    assert parts(node.client().says(a_preflight(path="/openai/chat/completions")).hears())[0] == 401
    client = node.client().says(a_request(fields=(f"Origin: {PAGE}",)))
    assert f"Origin: {PAGE}".encode() in node.provider.hears()
    node.provider.says(an_answer(fields=FOREIGN))
    assert parts(client.hears())[1]["access-control-allow-origin"] == "https://console.provider.test"


def test_options_that_is_no_preflight_goes_on(node: Node) -> None:
    """A request like others, which asks for a token; a preflight on a connection that ends says so."""
    node.services.configure(allowing("*"))
    plain = a_request("/openai/chat/completions", b"", method="OPTIONS", token=None, fields=(f"Origin: {PAGE}",))
    assert parts(node.client().says(plain).hears())[0] == 401
    last = node.client().says(a_preflight(PAGE, "Connection: close"))
    assert parts(last.hears())[1]["connection"] == "close"
