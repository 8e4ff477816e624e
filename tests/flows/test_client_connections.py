"""A client's connection: keep-alive, pipelining, half-close, disconnects, pace, deadlines, draining, tunnels."""

import asyncio
from typing import cast

import pytest

from sluicegate.gateway.client import ClientConnection
from tests.gateway.node import TOKEN, FakeTransport, Node, Peer, a_chunk, a_request, a_stream_head, an_answer, parts

STREAM = a_request(body=b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}')
EVENT = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
HEALTH = a_request("/healthz", b"", method="GET", token=None)


def test_requests_follow_each_other_on_one_connection(node: Node) -> None:
    """Keep-alive on both sides: one connection each for many requests."""
    client = node.client()
    for _ in range(3):
        client.says(a_request())
        node.provider.says(an_answer())
        assert parts(client.hears())[0] == 200
    assert len(node.opener.peers) == 1
    assert "idle" in repr(next(iter(node.listener.clients)))


def test_pipelined_requests_are_answered_in_order(node: Node) -> None:
    """The second waits although its answer is known at once."""
    client = node.client().says(a_request() + HEALTH + a_request())
    assert client.hears() == b""
    assert not client.transport.is_reading()
    node.provider.says(an_answer(b'{"n":1}'))
    heard = client.hears()
    assert heard.index(b'{"n":1}') < heard.index(b"\r\n\r\nok")
    node.provider.says(an_answer(b'{"n":2}'))
    assert parts(client.hears())[2] == b'{"n":2}'
    assert client.transport.is_reading()


def test_a_pipelined_request_in_two_reads(node: Node) -> None:
    """The rest of a waiting request is read when its turn has come."""
    second = a_request(body=b'{"model":"second"}')
    client = node.client().says(a_request() + second[:-9])
    node.provider.hears()
    node.provider.says(an_answer())
    client.says(second[-9:])
    assert node.provider.hears().endswith(b'{"model":"second"}')


def test_connection_close_is_honoured(node: Node) -> None:
    """The answer says so too, and the connection ends behind it."""
    client = node.client().says(a_request(fields=("Connection: close",)))
    node.provider.says(an_answer())
    assert parts(client.hears())[1]["connection"] == "close"
    assert not client.is_connected


def test_http_1_0_is_closed_unless_asked_otherwise(node: Node) -> None:
    """No chunks for HTTP/1.0: a stream ends with the connection; keep-alive only where the client asks."""
    client = node.client().says(
        a_request(version="1.0", body=b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}')
    )
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    status, fields, body = parts(client.hears())
    assert (status, fields["connection"], body) == (200, "close", EVENT)
    assert "transfer-encoding" not in fields
    node.provider.says(a_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    assert client.hears() == b"data: [DONE]\n\n"
    assert not client.is_connected
    client = node.client().says(a_request(version="1.0", fields=("Connection: keep-alive",)))
    node.provider.says(an_answer())
    assert parts(client.hears())[1]["connection"] == "keep-alive"
    assert client.is_connected


def test_http_1_0_needs_no_host(node: Node) -> None:
    """Host came with HTTP/1.1."""
    client = node.client().says(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert client.hears().endswith(b"\r\n\r\nok")


def test_a_client_that_leaves_cancels_its_request(node: Node) -> None:
    """The provider's connection is cut at once; the event says who left, before any answer."""
    client = node.client().says(a_request())
    provider = node.provider
    client.ends()
    assert not provider.is_connected
    (event,) = node.events()
    assert (event.status_code, event.client_disconnected, event.is_cut) == (499, True, True)


def test_a_client_that_leaves_while_waiting_for_a_connection(node: Node) -> None:
    """Its place in the queue is given up."""
    node.opener.is_stuck = True
    client = node.client().says(a_request())
    client.leaves()
    make = node.opener.asked[0][1]
    node.opener.connect(make)
    node.settle()
    assert node.provider.hears() == b""
    assert "idle=1" in repr(node.services.providers.by_name["openai"].pool)


def test_a_cut_stream_is_charged_for_what_was_produced(node: Node) -> None:
    """Text that was produced before the client left is counted."""
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    client.leaves()
    assert not node.provider.is_connected
    (question,) = node.link.questions
    assert (question.answer, question.is_text) == (b"hi", True)
    node.link.counted[0](None)
    (event,) = node.events()
    assert (event.status_code, event.client_disconnected) == (200, True)


def test_a_half_closed_client_that_said_so_gets_its_answer(node: Node) -> None:
    """After `Connection: close` a FIN only means that no other request follows."""
    client = node.client().says(a_request(fields=("Connection: close",)))
    client.ends()
    assert client.is_connected
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_a_client_that_announced_its_last_of_several_requests_still_reads(node: Node) -> None:
    """Those before it are answered, too, although they did not say so."""
    client = node.client().says(a_request() + a_request(fields=("Connection: close",))).ends()
    for number in (b"1", b"2"):
        node.provider.says(an_answer(number))
        assert parts(client.hears())[2] == number
    assert not client.is_connected


def test_a_slow_reader_slows_its_provider(node: Node) -> None:
    """Backpressure downwards: what the client does not take is not read."""
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head())
    client.transport.protocol.pause_writing()
    assert not node.provider.transport.is_reading()
    client.transport.protocol.resume_writing()
    assert node.provider.transport.is_reading()


def test_a_slow_provider_slows_an_upload(node: Node) -> None:
    """Backpressure upwards: what the provider does not take is not read from the client."""
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n"
    client = node.client().says(head.encode() + b"x" * 10)
    node.provider.transport.protocol.pause_writing()
    assert not client.transport.is_reading()
    node.provider.transport.protocol.resume_writing()
    assert client.transport.is_reading()


def test_an_upload_before_its_connection_is_bounded(node: Node) -> None:
    """While the provider is being connected only so much of a body is kept."""
    node.opener.is_stuck = True
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 900000\r\n\r\n"
    client = node.client().says(head.encode())
    client.says(b"x" * 300_000)
    assert not client.transport.is_reading()
    node.opener.connect(node.opener.asked[0][1])
    node.settle()
    assert client.transport.is_reading()
    assert node.provider.hears().endswith(b"x" * 300_000)


def test_a_slow_provider_slows_what_waited_for_its_connection(node: Node) -> None:
    """What had arrived may be more than the provider takes at once: the client goes on when that is taken."""
    node.opener.is_stuck = True
    node.opener.room = 1000
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 900000\r\n\r\n"
    client = node.client().says(head.encode() + b"x" * 300_000)
    node.opener.connect(node.opener.asked[0][1])
    node.settle()
    assert not client.transport.is_reading()
    assert node.provider.hears().endswith(b"x" * 300_000)
    assert client.transport.is_reading()


def test_a_json_body_that_outgrows_the_bound_streams_on(node: Node) -> None:
    """A chunked body that turns out large is not refused, only no longer held."""
    node.services.bounds = node.services.bounds.__class__(held_body_bytes=10)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    client = node.client().says(head.encode() + a_chunk(b'{"model":"gpt-4o",'))
    assert node.provider.hears().endswith(a_chunk(b'{"model":"gpt-4o",'))
    client.says(a_chunk(b'"messages":[]}') + b"0\r\n\r\n")
    assert node.provider.hears() == a_chunk(b'"messages":[]}') + b"0\r\n\r\n"
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


@pytest.mark.parametrize(("sent", "seconds"), [(b"POST /v1/x HTTP/1.1\r\nHo", 16), (STREAM[:-5], 61)])
def test_a_slow_sender_is_cut(node: Node, sent: bytes, seconds: float) -> None:
    """A head or body that trickles in beyond its time gets 408 and the end of the connection."""
    client = node.client().says(sent)
    node.passes(seconds)
    status, fields, _ = parts(client.hears())
    assert (status, fields["connection"]) == (408, "close")
    node.passes(31)
    assert not client.is_connected


def test_a_body_that_keeps_coming_is_not_slow(node: Node) -> None:
    """The bound is on the pause between two parts."""
    client = node.client().says(STREAM[:-5])
    for at in (-5, -4, -3):
        node.passes(50)
        client.says(STREAM[at : at + 1])
    assert client.hears() == b""
    client.says(STREAM[-2:])
    assert node.provider.hears().endswith(b"}")


def test_an_idle_connection_is_closed(node: Node) -> None:
    """Without a word."""
    client = node.client().says(HEALTH)
    client.hears()
    node.passes(301)
    assert not client.is_connected
    assert client.hears() == b""


def test_too_many_connections_are_refused(node: Node) -> None:
    """The one too many gets 503 at once."""
    node.services.bounds = node.services.bounds.__class__(connections=1)
    node.client()
    late = node.client()
    status, fields, _ = parts(late.hears())
    assert (status, fields["retry-after-ms"], fields["x-gateway-error-source"]) == (503, "1000", "gateway")
    assert fields["x-request-id"] == fields["request-id"]
    assert not late.is_connected


def test_draining_ends_idle_connections_and_waits_for_the_rest(node: Node) -> None:
    """A running stream finishes; its connection ends behind it; readiness is off."""
    idle, streaming = node.client(), node.client().says(STREAM)
    node.provider.says(a_stream_head())
    node.services.is_draining = True

    async def tick(_seconds: float) -> None:
        if node.provider.is_connected and streaming.is_connected and not streaming.hears().endswith(b"0\r\n\r\n"):
            data = a_chunk(b'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n') + b"0\r\n\r\n"
            cast("asyncio.Protocol", node.provider.transport.protocol).data_received(data)
        await asyncio.sleep(0)

    node.loop.run_until_complete(node.listener.drain(30, wait=tick))
    assert not idle.is_connected
    assert not streaming.is_connected
    assert not node.events()[0].is_cut if node.events() else True
    assert node.listener.clients == set()


def test_what_does_not_finish_in_time_ends_with_an_error_event(node: Node) -> None:
    """At the deadline streams end in their API's words, so that SDKs raise."""
    streaming = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(EVENT))
    node.services.is_draining = True

    async def tick(_seconds: float) -> None:
        await asyncio.sleep(0)

    node.loop.run_until_complete(node.listener.drain(1, wait=tick))
    assert b"shutting_down" in streaming.hears()
    assert not streaming.is_connected
    assert not node.provider.is_connected


@pytest.mark.parametrize(
    ("path", "body"),
    [("/healthz", b"ok"), ("/livez", b"ok"), ("/readyz", b"ok")],
)
def test_health_needs_no_credential(node: Node, path: str, body: bytes) -> None:
    """Answered by the worker itself, without an event."""
    client = node.client().says(a_request(path, b"", method="GET", token=None))
    assert parts(client.hears())[::2] == (200, body)
    assert node.events() == []


def test_readiness_ends_with_draining(node: Node) -> None:
    """Load balancers see 503 while requests under way finish."""
    node.services.is_draining = True
    client = node.client().says(a_request("/readyz", b"", method="GET", token=None))
    assert parts(client.hears())[0] == 503


def test_head_of_the_root_is_answered(node: Node) -> None:
    """Claude Code asks `HEAD /` before anything else."""
    client = node.client().says(a_request("/", b"", method="HEAD", token=None))
    status, _, body = parts(client.hears())
    assert (status, body) == (200, b"")


def test_control_paths_travel_with_credentials_to_control(node: Node) -> None:
    """The control process checks its own callers and gets what that takes; its answer says nothing of a model.

    What the client says of the request's id is not for it: the audit log would have another one than the answer.
    """
    own = ("Cookie: s=1", "x-admin-secret: a", "X-Request-Id: mine")
    client = node.client().says(a_request("/admin/config?x=1", b"", method="GET", token="management", fields=own))
    sent = node.provider.hears()
    assert sent.startswith(b"GET /admin/config?x=1 HTTP/1.1\r\nHost: control\r\n")
    for field in (b"Authorization: Bearer management", b"Cookie: s=1", b"x-admin-secret: a", b"x-request-id: req_"):
        assert field in sent
    assert b"x-forwarded-for: 203.0.113.9" in sent
    assert b"mine" not in sent
    node.provider.says(an_answer(fields=("Set-Cookie: s=2",)))
    _, fields, _ = parts(client.hears())
    assert fields["set-cookie"] == "s=2"
    assert "x-gateway-model" not in fields
    assert node.events() == []


def test_an_error_of_control_is_the_gateways(node: Node) -> None:
    """The control process is a part of us."""
    client = node.client().says(a_request("/admin/config", b"", method="GET", token=None))
    node.provider.says(an_answer(status="403 Forbidden"))
    assert parts(client.hears())[1]["x-gateway-error-source"] == "gateway"


UPGRADE = (
    f"GET /openai/realtime?model=m HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n"
)


def tunnel(node: Node) -> tuple[Peer, Peer]:
    """A client and a provider whose connection was upgraded."""
    client = node.client().says(UPGRADE)
    provider = node.provider
    assert b"Upgrade: websocket\r\n" in provider.hears()
    provider.says(SWITCH + b"first")
    return client, provider


def test_a_websocket_is_tunnelled(node: Node) -> None:
    """After the 101 bytes pass untouched both ways, and the end of one side is the end of the other."""
    client, provider = tunnel(node)
    status, fields, rest = parts(client.hears())
    assert (status, fields["upgrade"], fields["sec-websocket-accept"], rest) == (101, "websocket", "a", b"first")
    client.says(b"\x81\x01a")
    assert provider.hears() == b"\x81\x01a"
    provider.says(b"\x81\x02bc")
    assert client.hears() == b"\x81\x02bc"
    provider.leaves()
    assert not client.is_connected
    (event,) = node.events()
    assert (event.status_code, event.request_bytes, event.response_bytes) == (101, 3, 9)


def reads_on(client: Peer, data: bytes) -> None:
    """What was on its way when reading was paused."""
    cast("asyncio.Protocol", client.transport.protocol).data_received(data)


def test_what_a_client_sends_before_the_switch_is_passed_on(node: Node) -> None:
    """In the read of its request, behind it, and behind one that is answered before: nothing is lost, or read as HTTP.

    Who does so is not read any further until the answer is there.
    """
    for before in (b"", a_request()):
        client = node.client().says(before + UPGRADE + b"\x81\x01a")
        if before:
            node.provider.says(an_answer())
            client.hears()
        reads_on(client, b"\x81\x01b")
        assert not client.transport.is_reading()
        provider = node.provider
        assert b"\x81" not in provider.hears()
        provider.says(SWITCH + b"first")
        assert client.hears().endswith(b"\r\n\r\nfirst")
        assert provider.hears() == b"\x81\x01a\x81\x01b"
        assert client.transport.is_reading()
        client.says(b"\x81\x01c")
        assert provider.hears() == b"\x81\x01c"
        provider.leaves()
        event = node.events()[-1]
        assert (event.status_code, event.request_bytes, event.response_bytes) == (101, 9, 5)


def test_requests_behind_an_upgrade_that_is_refused_are_answered(node: Node) -> None:
    """No protocol was switched, so what followed is HTTP, whether it came with the request or behind it."""
    client = node.client().says(UPGRADE + a_request())
    reads_on(client, a_request())
    node.provider.says(an_answer(status="403 Forbidden"))
    assert parts(client.hears())[0] == 403
    for _ in range(2):
        node.provider.says(an_answer())
        assert parts(client.hears())[0] == 200
    assert client.transport.is_reading()


def test_a_tunnel_has_backpressure(node: Node) -> None:
    """A side that does not take is not fed."""
    client, provider = tunnel(node)
    client.transport.protocol.pause_writing()
    assert not provider.transport.is_reading()
    client.transport.protocol.resume_writing()
    assert provider.transport.is_reading()


@pytest.mark.parametrize("is_left_by_client", [True, False], ids=["provider is left", "client is left"])
def test_who_does_not_take_the_last_of_a_tunnel_is_not_kept_for_ever(node: Node, *, is_left_by_client: bool) -> None:
    """Nor is it forgotten: as long as it holds a connection it counts as one. The account is given at once."""
    client, provider = tunnel(node)
    first, second = (client, provider) if is_left_by_client else (provider, client)
    second.transport.is_stuck = True
    first.leaves()
    assert len(node.events()) == 1
    assert len(node.listener.clients) == 1
    idle = node.services.bounds.idle_seconds
    node.passes(idle - 1)
    assert second.transport.is_open
    node.passes(2)
    assert not second.is_connected
    assert not node.listener.clients
    assert len(node.events()) == 1


def test_a_tunnel_ends_with_draining(node: Node) -> None:
    """At the deadline a tunnel is cut."""
    client, provider = tunnel(node)

    async def tick(_seconds: float) -> None:
        await asyncio.sleep(0)

    node.loop.run_until_complete(node.listener.drain(0, wait=tick))
    assert not client.is_connected
    assert not provider.is_connected
    assert len(node.events()) == 1


def test_an_upgrade_needs_a_credential(node: Node) -> None:
    """The same stages come before a tunnel."""
    client = node.client().says(UPGRADE.replace(TOKEN.encode(), b"wrong-token-wrong"))
    assert parts(client.hears())[0] == 401


def test_a_provider_that_refuses_an_upgrade_is_heard(node: Node) -> None:
    """Its answer is an ordinary one."""
    client = node.client().says(UPGRADE)
    node.provider.says(an_answer(status="403 Forbidden"))
    assert parts(client.hears())[0] == 403


@pytest.mark.parametrize(("version", "connection"), [("1.1", "keep-alive"), ("1.0", "upgrade")])
def test_an_upgrade_that_was_not_asked_of_us_is_ignored(node: Node, version: str, connection: str) -> None:
    """One that `Connection` does not name is of a hop before; HTTP/1.0 has none: an ordinary request."""
    fields = (f"Connection: {connection}", "Upgrade: websocket")
    client = node.client().says(a_request("/openai/realtime", b"", method="GET", fields=fields, version=version))
    assert b"pgrade" not in node.provider.hears()
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_another_upgrade_is_ignored(node: Node) -> None:
    """An offer to switch to HTTP/2 is passed over; the request is served as it is."""
    client = node.client().says(
        a_request("/healthz", b"", method="GET", fields=("Connection: Upgrade", "Upgrade: h2c"))
    )
    assert parts(client.hears())[0] == 200


def test_a_refused_client_over_tls_may_finish_too(node: Node) -> None:
    """The close of a socket with unread bytes would reset it, and the refusal be lost."""
    protocol = ClientConnection(node.listener, node.services)
    transport = FakeTransport(node.loop, protocol, sslcontext=object())
    protocol.connection_made(transport)
    client = Peer(node, transport).says(b"GET / HTTP/1.1\n\n")
    assert parts(client.hears())[0] == 400
    assert transport.is_half_closed
    assert client.is_connected
