"""One exchange between its client, its provider and the clock: that it ends exactly once, whatever happens when."""

import pytest

from sluicegate.domain.snapshot import Timeouts
from sluicegate.gateway.exchange import Exchange
from sluicegate.gateway.heads import DISCARDED, RequestHead
from tests.gateway.node import TOKEN, Node, a_chunk, a_provider, a_request, a_snapshot, a_stream_head, an_answer, parts

STREAM = a_request(body=b'{"model":"m","stream":true}')


def only(node: Node) -> str:
    """The representation of the one client's connection, with its exchange."""
    (client,) = node.listener.clients
    return repr(client)


def test_the_representation_follows_the_exchange(node: Node) -> None:
    """Reading, forwarding, answering: it can be seen where a request is stuck."""
    client = node.client().says(STREAM[:-2])
    assert "<Exchange POST reading status=0 attempts=0" in only(node)
    client.says(STREAM[-2:])
    assert "<Exchange POST forwarding status=0 attempts=1" in only(node)
    node.provider.says(a_stream_head())
    assert "<Exchange POST answering status=200 attempts=1" in only(node)


def test_a_request_that_waits_for_a_connection_says_so(node: Node) -> None:
    """It is neither reading nor forwarded."""
    node.opener.is_stuck = True
    node.client().says(a_request())
    assert " waiting status=0 attempts=1" in only(node)


def test_a_provider_must_have_been_chosen(node: Node) -> None:
    """To ask for it earlier is a defect of ours, and is told as one."""
    exchange = Exchange(node.listener.make(), node.services, RequestHead(), -1)
    with pytest.raises(AssertionError, match="no provider"):
        _ = exchange.runtime


def test_a_client_whose_request_is_whole_is_read_on(node: Node) -> None:
    """However slowly its provider takes it: else nobody sees it leave, before the provider has all of it, or ever."""
    node.opener.room = 100
    client = node.client().says(a_request(body=b'{"model":"m","messages":["%b"]}' % (b"x" * 200)))
    assert node.provider.transport.is_full
    assert client.transport.is_reading()


def test_only_a_small_rest_is_read_to_be_dropped(node: Node) -> None:
    """Beyond the bound the connection ends with the refusal."""
    for rest, connected in ((DISCARDED, True), (DISCARDED + 1, False)):
        head = f"POST /v1/none HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {rest}\r\n\r\n"
        _, fields, _ = parts(node.client().says(head.encode()).hears())
        assert (fields.get("connection") != "close") is connected


def test_a_provider_that_answers_before_the_body_is_whole_is_heard(node: Node) -> None:
    """An early refusal passes while the upload is under way."""
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n"
    client = node.client().says(head.encode() + b"x" * 10)
    node.provider.says(an_answer(status="413 Content Too Large"))
    assert parts(client.hears())[0] == 413


def test_a_provider_that_switches_by_itself_is_broken(node: Node) -> None:
    """Nobody asked for another protocol, so its bytes reach nobody."""
    client = node.client().says(a_request())
    node.provider.says(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nsecret")
    answer = client.hears()
    assert parts(answer)[0] == 502
    assert b"secret" not in answer
    assert not node.provider.is_connected


def test_time_does_not_count_while_a_body_is_uploaded(node: Node) -> None:
    """The bound on the first byte begins when the provider has the whole request."""
    node.services.configure(a_snapshot(providers=(a_provider(timeouts=Timeouts(first_byte=5.0)),)))
    head = f"POST /v1/files HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n\r\n"
    client = node.client().says(head.encode() + b"x")
    node.passes(30)
    assert client.hears() == b""
    client.says(b"x")
    node.passes(6)
    assert parts(client.hears())[0] == 504


def test_an_end_is_recorded_once(node: Node) -> None:
    """The provider's end, the client's loss and the drain after it make one event."""
    client = node.client().says(a_request("/v1/files", b"", method="GET"))
    node.provider.says(an_answer())
    client.leaves()
    for connection in list(node.listener.clients):
        connection.cut()
    node.passes(5000)
    assert len(node.events()) == 1


def test_a_lost_client_stops_a_stream_at_once(node: Node) -> None:
    """The provider is left in the middle of its answer; the event keeps the status the client had seen."""
    client = node.client().says(STREAM)
    node.provider.says(a_stream_head() + a_chunk(b'data: {"choices":[]}\n\n'))
    client.leaves(ConnectionResetError())
    assert not node.provider.is_connected
    node.link.counted[0](None)
    (event,) = node.events()
    assert (event.status_code, event.is_cut, event.client_disconnected) == (200, True, True)
