"""The echo behind /v1/realtime: by the RFC's own examples, and by a real client."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sluicegate.bench.mock import MockServer, MockSettings, parse_fault
from sluicegate.bench.mock.websocket import WebSocketEcho, accept
from tests.bench.conversation import answer_to, request, with_mock

HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
"""RFC 6455, 5.7: a single-frame masked text message, "Hello"."""


def masked(first: int, payload: bytes) -> bytes:
    """A client's frame, of a mask that changes nothing."""
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 1 << 16:
        length = bytes((0xFE,)) + size.to_bytes(2, "big")
    else:
        length = bytes((0xFF,)) + size.to_bytes(8, "big")
    return bytes((first,)) + length + bytes(4) + payload


def test_accept_answers_the_key() -> None:
    """RFC 6455, 1.3: the example's key; the first subprotocol offered is chosen."""
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in accept(b"dGhlIHNhbXBsZSBub25jZQ==")
    assert b"sec-websocket-protocol: realtime\r\n" in accept(b"k", b"realtime, other")


def test_frames_come_back_unmasked() -> None:
    """Also when they arrive byte by byte, in fragments, or several at once."""
    echo = WebSocketEcho()
    assert b"".join(echo.feed(bytes((byte,))) for byte in HELLO) == b"\x81\x05Hello"
    assert echo.feed(masked(0x01, b"a") + masked(0x80, b"b")) == b"\x01\x01a\x80\x01b"
    assert repr(echo) == "<WebSocketEcho closed=False pending=0>"


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_every_length_has_its_encoding(size: int) -> None:
    """Lengths are written in one, three or nine bytes."""
    frame = masked(0x82, b"x" * size)
    echoed = WebSocketEcho().feed(frame)
    assert echoed.endswith(b"x" * size)
    assert len(echoed) == len(frame) - 4


def test_control_frames() -> None:
    """A ping is answered by a pong, a pong by nothing, a close by a close of the same code, after which all is over."""
    echo = WebSocketEcho()
    assert echo.feed(masked(0x89, b"p")) == b"\x8a\x01p"
    assert echo.feed(masked(0x8A, b"p")) == b""
    assert echo.feed(masked(0x88, b"\x03\xe8bye") + HELLO) == b"\x88\x02\x03\xe8"
    assert echo.is_closed


def test_unmasked_frame_is_a_protocol_error() -> None:
    """RFC 6455, 5.1: a server closes when a client does not mask."""
    assert WebSocketEcho().feed(b"\x81\x05Hello") == b"\x88\x02\x03\xea"


def test_real_client() -> None:
    """Text and bytes come back, a long message too, and closing is clean on both sides."""

    async def conversation(mock: MockServer) -> None:
        url = f"ws://127.0.0.1:{mock.port}/v1/realtime?model=m"
        async with connect(url, additional_headers={"Authorization": "Bearer k"}, max_size=None) as socket:
            for message in ("grüß", b"bytes", "x" * 200_000):
                await socket.send(message)
                assert await socket.recv() == message
        assert mock.requests.paths == {"/v1/realtime": 1}

    with_mock(conversation, MockSettings(require_key="k"))


@pytest.mark.parametrize(
    ("path", "settings", "status"),
    [
        ("/v1/realtime", MockSettings(require_key="k"), 401),
        ("/v1/realtime", MockSettings(fault=parse_fault("status=503")), 503),
        ("/v1/chat", MockSettings(), 404),
    ],
)
def test_upgrade_can_be_refused(path: str, settings: MockSettings, status: int) -> None:
    """A wrong key, a faulty status and a wrong path are answered as usual."""

    async def conversation(mock: MockServer) -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://127.0.0.1:{mock.port}{path}"):
                pass
        assert caught.value.response.status_code == status

    with_mock(conversation, settings)


def test_upgrade_without_a_key_is_a_bad_request() -> None:
    """What is no WebSocket cannot become one."""
    said = request("/v1/realtime", b"", "upgrade: h2c", method="GET").replace(
        b"connection: close", b"connection: upgrade"
    )
    assert answer_to(said).startswith(b"HTTP/1.1 400 ")
