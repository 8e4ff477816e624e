"""What a caller is told of its limits."""

import msgspec

from sluicegate.domain.errors import BudgetSpentError, RateLimitedError
from sluicegate.domain.tokens import digest
from sluicegate.gateway.exchange import Exchange
from sluicegate.gateway.heads import RequestHead
from sluicegate.gateway.purses import Account, Reservation, amounts
from sluicegate.gateway.refusals import limit_fields, refusal_of, resets_of
from tests.gateway.limits import PLACES, REQUESTS, TOKENS, USD, whose
from tests.gateway.node import TOKEN, Node


def an_exchange(node: Node) -> Exchange:
    """One for chat."""
    exchange = Exchange(node.listener.make(), node.services, RequestHead(), -1)
    exchange.route = node.services.routes.find(b"POST", b"/v1/chat/completions")
    node.link.tokens[digest(TOKEN.encode())] = whose()
    return exchange


def refused(node: Node, number: int) -> Reservation:
    """Refused by one of four limits."""
    purse = node.services.budgets.purse_of(whose(REQUESTS, TOKENS, USD, PLACES))
    reservation = Reservation(purse, amounts(0, 0))
    reservation.refused_by = purse.accounts[number]
    purse.accounts[number].used = purse.accounts[number].maximum
    return reservation


def test_a_rate_says_when_it_is_free_again(node: Node) -> None:
    """To the second, up."""
    reservation = refused(node, 1)
    assert reservation.refused_by is not None
    reservation.refused_by.frees_at = int(node.services.wall() * 1000) + 59_500
    error = refusal_of(an_exchange(node), reservation)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 59.5
    assert error.message == (
        "the token tok_1 has reached its limit of 1000 tokens (5h): 1000 are used or in use, and this request may need"
        " more than is left; enough is free again at 2023-11-14T22:31:00Z"
    )


def test_a_budget_is_told_in_dollars(node: Node) -> None:
    """One that never frees tells no time."""
    error = refusal_of(an_exchange(node), refused(node, 2))
    assert isinstance(error, BudgetSpentError)
    assert error.facts is not None
    assert (error.facts.used, error.facts.maximum, error.facts.resets_at) == (0.001, 0.001, None)
    assert error.retry_after is None


def test_places_are_free_any_moment(node: Node) -> None:
    """Trying again in a second makes sense."""
    error = refusal_of(an_exchange(node), refused(node, 3))
    assert error.retry_after == 1.0
    assert "2 requests at the same time:" in error.message


def test_the_allowance_is_the_organisations(node: Node) -> None:
    """It belongs to no limit of the list."""
    reservation = refused(node, 0)
    reservation.refused_by = Account("org_a|usd|fallback", 5_000_000_000, whose())
    error = refusal_of(an_exchange(node), reservation)
    assert error.facts is not None
    assert (error.facts.scope, error.facts.scope_id, error.facts.maximum) == ("organization", "org_a", 5.0)


def test_the_tightest_limit_is_shown(node: Node) -> None:
    """Of each metric one; shadows are not."""
    tighter = msgspec.structs.replace(REQUESTS, scope="user", scope_id="usr_1", maximum=4)
    shadow = msgspec.structs.replace(TOKENS, enforcement="shadow")
    purse = node.services.budgets.purse_of(whose(REQUESTS, tighter, shadow, USD, PLACES))
    purse.accounts[1].frees_at = int(node.services.wall() * 1000) + 2000
    assert limit_fields(an_exchange(node), purse) == (
        b"x-ratelimit-limit-requests: 4\r\nx-ratelimit-remaining-requests: 4\r\nx-ratelimit-reset-requests: 2s\r\n"
        b"x-gateway-usage-usd: 0.00\r\nx-gateway-limit-usd: 0.00\r\nx-gateway-remaining-usd: 0.00\r\n"
    )


def test_resets_are_not_in_the_past(node: Node) -> None:
    """A clock that differs makes no negative time."""
    account = Account("a|tokens|5h", 1, whose())
    assert resets_of(account, 0.0) is None
    account.frees_at = 1000
    resets = resets_of(account, 5.0)
    assert resets is not None
    assert resets.seconds == 0.0


def test_what_is_told_follows_what_happens(node: Node) -> None:
    """Each answer has the figures of its moment, though most of its text was made for another one."""
    purse = node.services.budgets.purse_of(whose(REQUESTS, msgspec.structs.replace(USD, maximum=5_000_000_000)))
    requests, dollars = purse.accounts
    exchange = an_exchange(node)
    now = int(node.services.wall() * 1000)
    requests.frees_at = now + 65_000
    assert b"remaining-requests: 10\r\nx-ratelimit-reset-requests: 1m5s\r\n" in limit_fields(exchange, purse)
    requests.used, dollars.used = 9, 1_239_000_000
    assert b"remaining-requests: 1\r\nx-ratelimit-reset-requests: 1m5s\r\n" in limit_fields(exchange, purse)
    assert limit_fields(exchange, purse).endswith(b"x-gateway-remaining-usd: 3.76\r\n")
    node.now += 1.0
    assert b"reset-requests: 1m4s\r\n" in limit_fields(exchange, purse)
    requests.frees_at = now + 1_500
    assert b"reset-requests: 500ms\r\n" in limit_fields(exchange, purse)
    node.now += 0.4
    assert b"reset-requests: 100ms\r\n" in limit_fields(exchange, purse)
    node.now += 10.0
    assert b"reset-requests: 0ms\r\n" in limit_fields(exchange, purse)
    node.now -= 12.0
    assert b"reset-requests: 3s\r\n" in limit_fields(exchange, purse)
    requests.frees_at = None
    assert b"reset" not in limit_fields(exchange, purse)
    exchange.route = node.services.routes.find(b"POST", b"/v1/messages")
    assert limit_fields(exchange, purse).startswith(b"anthropic-ratelimit-requests-limit: 10\r\n")


def test_another_limit_may_become_the_tightest(node: Node) -> None:
    """Then its maximum is told."""
    wider = msgspec.structs.replace(REQUESTS, scope="user", scope_id="usr_1", maximum=20)
    purse = node.services.budgets.purse_of(whose(REQUESTS, wider))
    exchange = an_exchange(node)
    assert b"limit-requests: 10\r\nx-ratelimit-remaining-requests: 10\r\n" in limit_fields(exchange, purse)
    purse.accounts[1].used = 19
    assert b"limit-requests: 20\r\nx-ratelimit-remaining-requests: 1\r\n" in limit_fields(exchange, purse)
