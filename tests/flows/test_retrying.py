"""Every fault, with nobody else to ask, with the same one again, another deployment, or a fallback: who is asked, what
the client gets, what is charged and what is recorded."""

from collections import Counter

import pytest

from sluicegate.domain.events import Exchange, FailedAttempt
from sluicegate.domain.limits import Calendar, Limit, Rolling
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ModelAlias, Retries, Snapshot, Target
from sluicegate.domain.tokens import digest
from tests.flows.faults import ANSWER, FAULTS, STREAM, TIMEOUTS, Fault
from tests.gateway.node import (
    TOKEN,
    Node,
    Peer,
    a_chunk,
    a_provider,
    a_request,
    a_snapshot,
    a_stream_head,
    an_answer,
    parts,
)

REQUESTS = Limit("token", "tok_1", "requests", Rolling(3600), 10)
TOKENS = Limit("user", "usr_1", "tokens", Rolling(18_000), 1_000_000)
USD = Limit("organization", "org_a", "usd", Calendar("month"), 10**12)
PRICE = Price("v1", Rates(input=1_000_000_000, output=2_000_000_000))

FIRST = ("first", "model-a")
RETRIES = Retries(attempts=3)

POLICIES: dict[str, tuple[Snapshot, tuple[str, str], tuple[str, str] | None]] = {
    "nobody": (
        a_snapshot(
            providers=(a_provider("first", timeouts=TIMEOUTS), a_provider("second", timeouts=TIMEOUTS)),
            models=(ModelAlias("smart", (Target(*FIRST),), fallbacks=((Target("second", "model-b"),),)),),
            retries=Retries(attempts=1),
        ),
        FIRST,
        None,
    ),
    "the same": (
        a_snapshot(
            providers=(a_provider("first", timeouts=TIMEOUTS), a_provider("second", timeouts=TIMEOUTS)),
            models=(ModelAlias("smart", (Target(*FIRST),)),),
            retries=RETRIES,
        ),
        FIRST,
        FIRST,
    ),
    "another deployment": (
        a_snapshot(
            providers=(
                a_provider("first", timeouts=TIMEOUTS, deployment="east"),
                a_provider("first", timeouts=TIMEOUTS, deployment="west", weight=0),
            ),
            models=(ModelAlias("smart", (Target(*FIRST),)),),
            retries=RETRIES,
        ),
        ("first/east", "model-a"),
        ("first/west", "model-a"),
    ),
    "a fallback": (
        a_snapshot(
            providers=(a_provider("first", timeouts=TIMEOUTS), a_provider("second", timeouts=TIMEOUTS)),
            models=(ModelAlias("smart", (Target(*FIRST),), fallbacks=((Target("second", "model-b"),),)),),
            retries=RETRIES,
        ),
        FIRST,
        ("second", "model-b"),
    ),
}
"""Each with the deployment and model that is asked first, and the one that is asked next."""


def limited(node: Node) -> None:
    """The token has limits of all kinds from now on."""
    limits = (REQUESTS, TOKENS, USD)
    principal = Principal("tok_1", "tester", "prj_a", "org_a", user_id="usr_1", limits=limits)
    node.link.tokens[digest(TOKEN.encode())] = principal
    node.link.prices |= {"model-a": PRICE, "model-b": PRICE}


def ask(node: Node, *, is_stream: bool = False) -> Peer:
    """A client asks for the model that is ours."""
    options = b',"stream":true,"stream_options":{"include_usage":true}' if is_stream else b""
    return node.client().says(a_request(body=b'{"model":"smart","max_tokens":50%b,"messages":[]}' % options))


def unchunked(data: bytes) -> bytes:
    """A chunked body in one piece, which has its end."""
    assert data.endswith(b"\r\n0\r\n\r\n")
    found = b""
    while not data.startswith(b"0\r\n"):
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        found += rest[:length]
        data = rest[length + 2 :]
    return found


def good_answer(*, is_stream: bool) -> bytes:
    """A whole answer of thirty tokens."""
    return a_stream_head() + a_chunk(STREAM) + b"0\r\n\r\n" if is_stream else an_answer(ANSWER)


def calls(node: Node) -> Counter[str]:
    """How often each deployment was sent a request, and that each request names the model it should."""
    found: Counter[str] = Counter()
    for peer, reached in zip(node.opener.peers, node.opener.reached, strict=True):
        found[reached] += bytes(peer.transport.sent).count(b"POST /v1/chat/completions")
    return found


def counted(node: Node) -> Exchange:
    """The one event of the exchange, once nothing is left to count."""
    for callback in node.link.counted:
        callback(None)
    (event,) = node.events()
    return event


def nothing_is_left(node: Node) -> None:
    """Nobody waits or is busy, nothing is set aside, nothing is held."""
    for runtime in node.services.providers.by_id.values():
        assert runtime.pool.busy == 0
        assert "connecting=0" in repr(runtime.pool)
        assert "waiting=0" in repr(runtime.pool)
    assert [account.reserved for account in node.services.budgets.borrower.accounts.values() if account.reserved] == []
    assert node.services.held_bytes == 0


ROWS = [
    pytest.param(FAULTS[fault], policy, is_stream, has_limits, id=f"{fault}-{policy}-{kind}-{bounds}")
    for fault in FAULTS
    for policy in POLICIES
    for kind, is_stream in (("plain", False), ("stream", True))
    for bounds, has_limits in (("free", False), ("limited", True))
    if FAULTS[fault].only in ("", kind)
]


@pytest.mark.parametrize(("fault", "policy", "is_stream", "has_limits"), ROWS)
def test_a_fault(node: Node, fault: Fault, policy: str, *, is_stream: bool, has_limits: bool) -> None:
    """The client gets one answer: a good one where somebody may be asked again, else the failure as it is."""
    snapshot, (first, model), following = POLICIES[policy]
    node.services.configure(snapshot)
    if has_limits:
        limited(node)
    node.opener.is_stuck = fault.is_before
    client = ask(node, is_stream=is_stream)
    fault.strike(node)

    ways = ("anywhere",) if policy == "the same" else ("anywhere", "elsewhere")
    goes_again = following is not None and fault.way in ways
    last, asked = following if goes_again and following is not None else (first, model)
    if goes_again:
        if policy == "the same":
            node.passes(0.12)
            assert (client.hears(), calls(node)) == (b"", Counter({first: 1} if fault.is_sent else {}))
            node.passes(fault.wait - 0.12)
        assert client.hears() == b""
        node.provider.says(good_answer(is_stream=is_stream))
    status, fields, body = parts(client.hears())

    is_begun = fault.is_begun and snapshot.retries.attempts == 1
    assert status == (200 if goes_again or is_begun else fault.status)
    assert fields["x-gateway-attempts"] == ("2" if goes_again else "1")
    assert (fields["x-gateway-provider"], fields["x-gateway-model"]) == (last.partition("/")[0], asked)
    assert (fields["x-gateway-alias"], fields.get("x-gateway-deployment", "")) == ("smart", last.partition("/")[2])
    if goes_again:
        assert (unchunked(body) if is_stream else body) == (STREAM if is_stream else ANSWER)
    elif fault.body is not None:
        assert (unchunked(body) if fault.only == "stream" else body) == fault.body
    elif fault.only != "plain":
        assert fault.code.encode() in body
    expected = Counter({first: 1} if fault.is_sent else {})
    if goes_again:
        expected[last] += 1
    assert calls(node) == expected

    event = counted(node)
    assert (event.status_code, event.attempts, event.model) == (status, 2 if goes_again else 1, asked)
    assert (event.provider, event.deployment) == (last.partition("/")[0], last.partition("/")[2])
    assert event.failed_attempts == ((FailedAttempt(first, model, *fault.attempt),) if goes_again else ())
    if goes_again or fault.code:
        assert event.error == (None if goes_again else fault.code)
    if has_limits:
        _is_charged_once(event, is_good=goes_again, is_sent=goes_again or fault.is_sent)
    else:
        assert event.charges == ()
    nothing_is_left(node)


def _is_charged_once(event: Exchange, *, is_good: bool, is_sent: bool) -> None:
    """One request, however often it was sent; and the tokens of the answer that the client got."""
    amounts = {charge.account: charge.amount for charge in event.charges}
    assert len(amounts) == len(event.charges)
    if is_good:
        assert amounts == {REQUESTS.account: 1, TOKENS.account: 30, USD.account: 50_000}
    elif not is_sent:
        assert amounts == {}
    else:
        assert amounts[REQUESTS.account] == 1
