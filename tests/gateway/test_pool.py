"""The rules of a pool: which request gets which connection, who waits, and who is told what."""

import pytest

from sluicegate.domain.errors import GatewayError, NoConnectionError, OverloadedError, UpstreamUnreachableError
from sluicegate.domain.snapshot import Concurrency
from sluicegate.gateway.pool import IDLE_SECONDS, Pool
from sluicegate.gateway.upstream import UpstreamConnection
from sluicegate.wire.headers import answer_kinds
from tests.gateway.node import Node, a_provider, a_request, a_snapshot, parts


class Asker:
    """A request in want of a connection, and what it was told."""

    waiting_since: float

    def __init__(self, pool: Pool, now: float = 0.0, *, fresh: bool = False, owner: str = "org_a") -> None:
        self.owner = owner
        self.connection: UpstreamConnection | None = None
        self.error: GatewayError | None = None
        pool.wait(self, now, fresh=fresh)

    def connected(self, connection: UpstreamConnection) -> None:
        self.connection = connection

    def not_connected(self, error: GatewayError) -> None:
        self.error = error

    @property
    def has(self) -> UpstreamConnection:
        """The connection it got."""
        assert self.connection is not None
        return self.connection


def a_pool(node: Node, limit: int = 2) -> Pool:
    """A pool of a provider that lets requests wait for five seconds."""
    return Pool(a_provider(max_connections=limit, max_wait=5.0), node.opener, answer_kinds())


def test_the_connection_used_last_is_used_next(node: Node) -> None:
    """Idle connections are a stack, so that the others can grow old; none is left behind the last."""
    pool = a_pool(node)
    first, second = Asker(pool), Asker(pool)
    node.settle()
    pool.released(first.has)
    pool.released(second.has)
    assert pool.take() is second.has
    assert pool.take() is first.has
    assert pool.take() is None


def test_requests_wait_in_order_at_the_limit(node: Node) -> None:
    """No more connections than the limit are opened; whoever waits longest is served first."""
    pool = a_pool(node, limit=1)
    first, second, third = Asker(pool), Asker(pool), Asker(pool)
    node.settle()
    assert repr(pool) == "<Pool openai busy=1 idle=0 connecting=0 limit=1 waiting=2>"
    pool.released(first.has)
    assert second.connection is first.connection
    assert third.connection is None
    pool.released(first.has)
    assert third.connection is first.connection
    assert len(node.opener.peers) == 1


def test_a_request_tried_again_comes_first(node: Node) -> None:
    """A second attempt does not queue behind requests that have not had their first."""
    pool = a_pool(node, limit=1)
    node.opener.is_stuck = True
    usual, again = Asker(pool), Asker(pool, fresh=True)
    node.opener.connect(node.opener.asked[0][1])
    assert again.connection is not None
    assert usual.connection is None


def test_no_more_connections_are_opened_than_requests_wait(node: Node) -> None:
    """A request that comes while one is being opened for somebody who left takes that one."""
    pool = a_pool(node)
    node.opener.is_stuck = True
    gone = Asker(pool)
    pool.leave(gone)
    pool.leave(gone)
    late = Asker(pool)
    assert len(node.opener.asked) == 1
    node.opener.connect(node.opener.asked[0][1])
    assert late.connection is not None
    assert gone.connection is None


def test_leaving_takes_only_oneself_out(node: Node) -> None:
    """Who stands before and behind a request that leaves is still served, in order."""
    pool = a_pool(node, limit=1)
    node.opener.is_stuck = True
    first, second, third = Asker(pool), Asker(pool), Asker(pool)
    pool.leave(second)
    node.opener.connect(node.opener.asked[0][1])
    pool.released(first.has)
    assert second.connection is None
    assert third.connection is first.connection


def test_a_connection_that_nobody_waits_for_any_more_is_kept(node: Node) -> None:
    """It stands idle until the next request takes it."""
    pool = a_pool(node)
    pool.leave(Asker(pool))
    node.settle()
    assert repr(pool) == "<Pool openai busy=0 idle=1 connecting=0 limit=2 waiting=0>"
    assert pool.take() is not None


def test_a_failure_is_told_to_the_first_and_the_rest_try_on(node: Node) -> None:
    """One failed attempt costs one request; for the next at the limit another attempt is made."""
    pool = a_pool(node, limit=1)
    node.opener.is_stuck = True
    first, second = Asker(pool), Asker(pool)
    error = UpstreamUnreachableError("refused")
    node.opener.asked[0][2](error)
    assert first.error is error
    assert second.error is None
    assert len(node.opener.asked) == 2
    node.opener.connect(node.opener.asked[1][1])
    assert second.connection is not None


def test_a_failure_that_concerns_nobody_is_forgotten(node: Node) -> None:
    """The request had left: nothing is told, and nothing more is opened."""
    pool = a_pool(node)
    node.opener.is_stuck = True
    gone = Asker(pool)
    pool.leave(gone)
    node.opener.asked[0][2](UpstreamUnreachableError("refused"))
    assert gone.error is None
    assert len(node.opener.asked) == 1
    assert "connecting=0" in repr(pool)


def test_a_lost_connection_makes_room(node: Node) -> None:
    """When one closes at the limit, another is opened for whoever waits; saying it twice changes nothing."""
    pool = a_pool(node, limit=1)
    first, second = Asker(pool), Asker(pool)
    node.settle()
    pool.removed(first.has)
    pool.removed(first.has)
    node.settle()
    assert second.connection is not None
    assert second.connection is not first.connection
    assert len(node.opener.peers) == 2


def test_a_lost_idle_connection_is_not_given_out(node: Node) -> None:
    """What the provider closed while idle is not taken again."""
    pool = a_pool(node)
    pool.released(_connected(node, pool))
    node.provider.leaves()
    assert pool.take() is None
    assert pool.all == set()


def test_who_waits_too_long_is_refused(node: Node) -> None:
    """The bound is the provider's; the refusal names the setting; who came later waits on."""
    pool = a_pool(node, limit=1)
    _connected(node, pool)
    early, late = Asker(pool, now=10.0), Asker(pool, now=12.0)
    pool.sweep(15.0)
    assert "waiting=2" in repr(pool)
    pool.sweep(15.5)
    assert isinstance(early.error, NoConnectionError)
    assert "raise providers.openai.max_connections" in str(early.error)
    assert early.error.retry_after == 1.0
    assert late.error is None


def test_too_many_waiting_are_refused_at_once(node: Node) -> None:
    """The queue is bounded."""
    pool = a_pool(node, limit=1)
    node.opener.is_stuck = True
    for _ in range(Concurrency().queue):
        Asker(pool)
    with pytest.raises(OverloadedError, match="provider openai"):
        Asker(pool)


def test_an_idle_connection_is_closed_in_time(node: Node) -> None:
    """After the idle time, counted from the first sweep that sees it, and not before."""
    pool = a_pool(node)
    pool.released(_connected(node, pool))
    pool.sweep(100.0)
    pool.sweep(100.0 + IDLE_SECONDS)
    node.settle()
    assert len(pool.all) == 1
    pool.sweep(100.5 + IDLE_SECONDS)
    node.settle()
    assert not node.provider.is_connected
    assert len(pool.all) == 0


def test_use_starts_the_idle_time_anew(node: Node) -> None:
    """A connection that works now and then is never too old."""
    pool = a_pool(node)
    connection = _connected(node, pool)
    pool.released(connection)
    pool.sweep(100.0)
    assert pool.take() is connection
    pool.released(connection)
    pool.sweep(100.5 + IDLE_SECONDS)
    node.settle()
    assert node.provider.is_connected


def test_a_closed_pool_closes_what_is_idle_and_the_rest_as_it_gets_free(node: Node) -> None:
    """Requests under way keep their connection until they are done with it."""
    pool = a_pool(node)
    first, second = Asker(pool), Asker(pool)
    node.settle()
    pool.released(first.has)
    pool.close()
    node.settle()
    assert [peer.is_connected for peer in node.opener.peers] == [False, True]
    pool.released(second.has)
    node.settle()
    assert not node.provider.is_connected
    assert pool.take() is None


def test_who_waits_in_a_replaced_pool_is_refused_in_time_too(node: Node) -> None:
    """A reload that changes the provider does not make its waiting requests wait forever."""
    node.services.configure(a_snapshot(providers=(a_provider(max_connections=1, max_wait=5.0),)))
    node.client().says(a_request())
    waiting = node.client().says(a_request())
    node.services.configure(a_snapshot(providers=(a_provider(max_connections=2, max_wait=5.0),)))
    node.passes(6)
    heard = waiting.hears()
    assert heard
    assert parts(heard)[0] == 503


def _connected(node: Node, pool: Pool) -> UpstreamConnection:
    """A busy connection."""
    asker = Asker(pool)
    node.settle()
    return asker.has


# -- lines of several owners, and fewer at a time


def a_short_pool(node: Node, *, queue: int = 4_096, limit: int = 1) -> Pool:
    """A pool whose line is short, and which adapts down to one."""
    terms = Concurrency(queue=queue, least=1)
    return Pool(a_provider(max_connections=limit, max_wait=5.0, concurrency=terms), node.opener, answer_kinds())


def test_owners_are_served_in_turn(node: Node) -> None:
    """One with many requests delays only itself."""
    pool = a_short_pool(node)
    connection = _connected(node, pool)
    noisy = [Asker(pool, owner="noisy") for _ in range(3)]
    quiet = [Asker(pool, owner="quiet") for _ in range(2)]
    order = []
    for _ in range(5):
        pool.released(connection)
        order.append(next(one for one in (*noisy, *quiet) if one.connection is not None and one not in order))
    assert [one.owner for one in order] == ["noisy", "quiet", "noisy", "quiet", "noisy"]


def test_the_last_of_the_longest_line_gives_way(node: Node) -> None:
    """In a full queue a newcomer of another owner takes its place; one of the same is refused."""
    pool = a_short_pool(node, queue=3)
    _connected(node, pool)
    noisy = [Asker(pool, owner="noisy") for _ in range(3)]
    with pytest.raises(OverloadedError):
        Asker(pool, owner="noisy")
    quiet = Asker(pool, owner="quiet")
    assert [type(one.error) for one in noisy] == [type(None), type(None), OverloadedError]
    assert noisy[2].error is not None
    assert noisy[2].error.retry_after == 1.0
    assert quiet.error is None


def test_fewer_are_busy_after_an_overload(node: Node) -> None:
    """Idle connections are not given out beyond the limit, and those who wait are served as others end."""
    pool = a_short_pool(node, limit=8)
    askers = [Asker(pool) for _ in range(8)]
    node.settle()
    pool.limit.overloaded(pool.busy, 0.0, 0.0)
    assert (pool.limit.limit, pool.is_full) == (6, True)
    late = Asker(pool)
    for number in (0, 1):
        pool.released(askers[number].has)
        assert late.connection is None
    assert pool.take() is None
    pool.released(askers[2].has)
    assert late.connection is askers[2].has
    assert pool.busy == 6


def test_those_who_wait_are_served_as_the_limit_grows(node: Node) -> None:
    """With idle connections first, then with new ones; at the latest with the next sweep."""
    pool = a_short_pool(node, limit=8)
    askers = [Asker(pool) for _ in range(4)]
    node.settle()
    pool.limit.overloaded(pool.busy, 0.0, 0.0)
    late = [Asker(pool) for _ in range(3)]
    pool.released(askers[0].has)
    assert [one.connection for one in late] == [None] * 3
    pool.limit.limit = 6
    pool.sweep(1.0)
    assert late[0].connection is askers[0].has
    node.settle()
    assert [one.connection is not None for one in late] == [True, True, True]
    assert (pool.busy, len(node.opener.peers)) == (6, 6)


def test_a_lost_connection_lets_an_idle_one_serve(node: Node) -> None:
    """Below the limit again, who waits gets one that stands already."""
    pool = a_short_pool(node, limit=4)
    askers = [Asker(pool) for _ in range(4)]
    node.settle()
    pool.limit.overloaded(pool.busy, 0.0, 0.0)
    late = Asker(pool)
    pool.released(askers[0].has)
    pool.removed(askers[1].has)
    assert late.connection is askers[0].has
    assert len(node.opener.peers) == 4


@pytest.mark.parametrize("is_overloaded", [True, False])
def test_who_waited_too_long_is_told_why(node: Node, *, is_overloaded: bool) -> None:
    """More connections help where they are what is short, and not where the provider says it has too much to do."""
    pool = a_short_pool(node, limit=4)
    for _ in range(4):
        Asker(pool)
    node.settle()
    if is_overloaded:
        pool.limit.overloaded(pool.busy, 0.0, 0.0)
    late = Asker(pool)
    pool.sweep(5.5)
    assert late.error is not None
    assert ("raise providers.openai.max_connections" in late.error.message) is not is_overloaded
    assert ("overloaded, and the 3 requests" in late.error.message) is is_overloaded


def test_a_limit_in_nobodys_way_is_forgotten(node: Node) -> None:
    """By the sweep, a minute after somebody waited."""
    pool = a_short_pool(node, limit=4)
    askers = [Asker(pool) for _ in range(4)]
    node.settle()
    pool.limit.overloaded(pool.busy, 0.0, 0.0)
    pool.sweep(30.0)
    for asker in askers:
        pool.released(asker.has)
    pool.sweep(89.0)
    assert pool.limit.is_active
    pool.sweep(90.0)
    assert not pool.limit.is_active
