"""One client connection: framing, order, pace, faults on the wire, clients that go away or do not read."""

import asyncio
import json
from pathlib import Path

import pytest

from sluicegate.bench.mock import MockServer, MockSettings, parse_fault, start_mock
from sluicegate.bench.mock.answers import Answer, stream, whole
from sluicegate.bench.mock.connection import MockConnection
from sluicegate.bench.mock.counters import Counters
from sluicegate.bench.mock.request import Request
from sluicegate.bench.mock.script import Ending, Script
from tests.bench.conversation import answer_to, heard, request, until, with_mock

CHAT = "/v1/chat/completions"
STREAMED = b'{"stream":true}'


def keep_alive(said: bytes) -> bytes:
    """The same request without the wish to close after it."""
    return said.replace(b"connection: close\r\n", b"")


async def gone(mock: MockServer) -> None:
    """Return once the mock has no client left."""
    await until(lambda: not mock.open_connections)


def test_connection_is_kept() -> None:
    """Requests that come one after the other, or all at once, are answered in order on one connection."""

    async def conversation(mock: MockServer) -> bytes:
        said = b"".join(keep_alive(request(f"/echo/{number}")) for number in range(3))
        answers = await heard(mock, said + request("/echo/3"))
        assert mock.requests.connections == 1
        return answers

    answers = with_mock(conversation)
    assert [answers.find(b'"path": "/echo/%d"' % number) for number in range(4)] == sorted(
        answers.index(b'"path": "/echo/%d"' % number) for number in range(4)
    )


def test_paced_answers_stay_in_order() -> None:
    """A request that comes while the answer before is under way waits for it."""
    slow = keep_alive(request(CHAT, STREAMED, "x-mock-rate: 500", "x-mock-tokens: 3", "x-mock-delay: 0.002"))
    answers = answer_to(slow + request("/echo"))
    assert answers.index(b"[DONE]") < answers.index(b'"/echo"')


def test_request_may_arrive_in_pieces() -> None:
    """Every byte alone makes the same request; a chunked body is put together."""

    async def conversation(mock: MockServer) -> dict[str, object]:
        said = b"POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\nx-a: b\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        for byte in said + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n":
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        answer = await reader.read()
        writer.close()
        told: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return told

    told = with_mock(conversation)
    assert (told["body"], told["size"]) == ("abc", 3)


def test_body_is_invited() -> None:
    """A client that asks before it sends its body is told to go on."""
    assert answer_to(request("/echo", b"abc", "expect: 100-continue")).startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2"
    )


def test_head_has_no_body() -> None:
    """HEAD gets the head of GET."""
    answer = answer_to(request("/health", method="HEAD"))
    assert b"content-length: 16\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_what_is_no_http_is_refused() -> None:
    """Nonsense is answered by 400 and the end of the connection."""
    assert answer_to(b"\x16\x03\x01 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("fault", ["reset-before", "reset-after=1"])
def test_reset_is_seen_as_one(fault: str) -> None:
    """The client gets a connection reset, after what was sent before it."""

    async def conversation(mock: MockServer) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        writer.write(request(CHAT, STREAMED))
        seen = await reader.readuntil(b"\n\n") if fault == "reset-after=1" else b""
        with pytest.raises(ConnectionResetError):
            await reader.readuntil(b"never")
        writer.close()
        return seen

    seen = with_mock(conversation, MockSettings(fault=parse_fault(fault)))
    assert (b'"role":"assistant"' in seen) == (fault == "reset-after=1")


def test_truncated_stream_ends_cleanly_and_early() -> None:
    """The connection closes without the last chunk."""
    answer = answer_to(request(CHAT, STREAMED), MockSettings(fault=parse_fault("truncate-after=2")))
    assert answer.count(b"data: ") == 2
    assert not answer.endswith(b"0\r\n\r\n")


def test_stalled_answer_waits_for_the_client_to_go() -> None:
    """What was sent before arrives, nothing follows, and the client's leaving counts as a cancellation."""

    async def conversation(mock: MockServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        writer.write(request(CHAT, STREAMED))
        for _ in range(2):
            await reader.readuntil(b"\n\n\r\n")
        assert mock.requests.cancelled == 0
        writer.close()
        await gone(mock)
        assert (mock.requests.cancelled, mock.requests.tokens) == (1, 1)

    with_mock(conversation, MockSettings(fault=parse_fault("stall-after=2")))


def test_client_that_leaves_before_the_first_byte() -> None:
    """An answer that has not begun is cancelled as well, and costs no token."""

    async def conversation(mock: MockServer) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", mock.port)
        writer.write(request(CHAT))
        await until(lambda: mock.requests.total > 0)
        writer.close()
        await gone(mock)
        assert (mock.requests.cancelled, mock.requests.tokens) == (1, 0)

    with_mock(conversation, MockSettings(delay=1000))


def test_reset_over_a_unix_socket_is_a_close(tmp_path: Path) -> None:
    """There is no reset on such sockets, so the connection just ends."""

    async def conversation() -> bytes:
        settings = MockSettings(fault=parse_fault("reset-before"))
        async with await start_mock(settings, uds=tmp_path / "mock.sock"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "mock.sock")
            writer.write(request(CHAT))
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(conversation()) == b""


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.written.append(bytes(data))


class Fixed:
    """A mock that always gives the same answer."""

    def __init__(self, answer: Answer, script: Script) -> None:
        """Give this one."""
        self.counters = Counters()
        self._answer = answer, script

    def connected(self, connection: MockConnection) -> None:
        """Nobody counts."""

    def disconnected(self, connection: MockConnection) -> None:
        """Nobody counts."""

    def keeps_body(self, url: bytes) -> bool:
        """No body is wanted."""
        return False

    def answer(self, request: Request) -> tuple[Answer, Script]:
        """The one."""
        return self._answer

    def refusal_of_upgrade(self, request: Request) -> bytes | None:
        """Everybody may."""
        return None


def test_stream_waits_for_a_slow_reader() -> None:
    """While the transport is full nothing is written, and nothing is lost by it."""
    answer = stream([b"a", b"b", b"c"], tokens=3, lead=0, failure=b"")

    async def conversation() -> None:
        provider, transport = Fixed(answer, Script(answer.writes)), Transport()
        connection = MockConnection(provider, asyncio.get_running_loop())
        connection.connection_made(transport)
        connection.pause_writing()
        connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        for _ in range(5):
            await asyncio.sleep(0)
        assert transport.written == [answer.writes[0]]
        assert repr(connection) == "<MockConnection answering=True sent=1 next=0>"
        connection.resume_writing()
        for _ in range(5):
            await asyncio.sleep(0)
        assert transport.written == list(answer.writes)
        assert provider.counters.tokens == 3
        connection.resume_writing()

    asyncio.run(conversation())


def test_each_event_is_a_write_of_its_own_turn() -> None:
    """As fast as it goes still means one event at a time, so that each is a read for who is measured."""
    answer = stream([b"a", b"b"], tokens=2, lead=0, failure=b"")

    async def conversation() -> list[int]:
        transport = Transport()
        connection = MockConnection(Fixed(answer, Script(answer.writes)), asyncio.get_running_loop())
        connection.connection_made(transport)
        connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        counts = [len(transport.written)]
        await asyncio.sleep(0)
        return [*counts, len(transport.written)]

    assert asyncio.run(conversation()) == [1, 2]


def test_unfinished_answer_counts_no_token() -> None:
    """A whole answer that was never written has served nothing."""
    answer = whole({}, tokens=5)

    async def conversation() -> Counters:
        provider = Fixed(answer, Script((), Ending.STALL))
        connection = MockConnection(provider, asyncio.get_running_loop())
        connection.connection_made(Transport())
        connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        connection.connection_lost(None)
        return provider.counters

    assert asyncio.run(conversation()) == Counters(cancelled=1)
