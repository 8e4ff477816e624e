"""The far end of a WebSocket that echoes what it hears (RFC 6455), without I/O."""

import base64
import hashlib

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA
_PROTOCOL_ERROR = (1002).to_bytes(2, "big")


def accept(key: bytes, protocol: bytes | None = None) -> bytes:
    """Return the head that accepts an upgrade (RFC 6455, 4.2.2), with the first subprotocol the client offers."""
    # SHA-1 is what the RFC asks for; nothing here is a secret.
    digest = hashlib.sha1(key.strip() + _GUID, usedforsecurity=False).digest()
    chosen = b"sec-websocket-protocol: %b\r\n" % protocol.split(b",")[0].strip() if protocol else b""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: %b\r\n%b\r\n" % (base64.b64encode(digest), chosen)
    )


class WebSocketEcho:
    """Takes bytes from the client, returns bytes for it. Each frame comes back as it was, fragments as fragments."""

    def __init__(self) -> None:
        """Start right after the upgrade."""
        self._buffer = bytearray()
        self.is_closed = False

    def __repr__(self) -> str:
        """Tell what is pending."""
        return f"<WebSocketEcho closed={self.is_closed} pending={len(self._buffer)}>"

    def feed(self, data: bytes) -> bytes:
        """Take what came and return what to write. After a close frame `is_closed` is set and the rest is ignored."""
        self._buffer += data
        out = bytearray()
        while not self.is_closed and (frame := self._next_frame()) is not None:
            first, payload = frame
            opcode = first & 0x0F
            if opcode == _CLOSE:
                self.is_closed = True
                out += _frame(0x80 | _CLOSE, payload[:2])
            elif opcode == _PING:
                out += _frame(0x80 | _PONG, payload)
            elif opcode != _PONG:
                out += _frame(first, payload)
        return bytes(out)

    def _next_frame(self) -> tuple[int, bytes] | None:
        """Take one whole frame off the buffer: its first byte and its unmasked payload."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        if not buffer[1] & 0x80:
            # A client must mask (5.1): close with a protocol error.
            buffer.clear()
            return _CLOSE, _PROTOCOL_ERROR
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, start = int.from_bytes(buffer[2 : 2 + size], "big"), 2 + size
        end = start + 4 + length
        if len(buffer) < start + 4 or len(buffer) < end:
            return None
        payload = _unmask(bytes(buffer[start + 4 : end]), bytes(buffer[start : start + 4]))
        first = buffer[0]
        del buffer[:end]
        return first, payload


def _unmask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask, as one big number: that is quick."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload
