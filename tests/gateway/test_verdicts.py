"""What an answer says of the deployment that gave it."""

import pytest

from sluicegate.domain.latency import PeakEwma
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Circuit, Concurrency, Retries
from sluicegate.domain.tokens import digest
from sluicegate.gateway.providers import ProviderRuntime
from sluicegate.gateway.verdicts import LONGEST_REST
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer


def watched(node: Node) -> ProviderRuntime:
    """The first of two deployments."""
    terms = Concurrency(least=1)
    circuit = Circuit(consecutive=1)
    providers = (
        a_provider(deployment="east", circuit=circuit, concurrency=terms, max_connections=8),
        a_provider(deployment="west", weight=0),
    )
    node.services.configure(a_snapshot(providers=providers, models=(), retries=Retries(attempts=1)))
    return node.services.providers.by_id["openai/east"]


def gets(node: Node, status: int, *fields: str) -> None:
    """A request is answered so."""
    node.client().says(a_request())
    node.provider.says(an_answer(status=f"{status} X", fields=fields))


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
def test_a_failure_of_its_own_counts(node: Node, status: int) -> None:
    """One is enough here."""
    runtime = watched(node)
    node.client().says(a_request())
    gets(node, status)
    assert runtime.breaker.state == "open"
    assert runtime.pool.limit.is_active is (status in (503, 529))


def is_passed_on(node: Node, status: int) -> None:
    """A request whose body is passed on as it comes is answered so."""
    fields = ("Content-Encoding: gzip", "Content-Length: 4")
    node.client().says(a_request("/openai/chat/completions", b"", fields=fields) + b"abcd")
    node.provider.says(an_answer(status=f"{status} X"))


def test_a_failure_counts_whatever_became_of_the_body(node: Node) -> None:
    """It is the deployment's own."""
    runtime = watched(node)
    is_passed_on(node, 500)
    assert runtime.breaker.state == "open"


def test_a_wait_for_the_clients_body_is_no_verdict(node: Node) -> None:
    """Where the request was the probe, the next one is."""
    runtime = watched(node)
    gets(node, 500)
    node.passes(Circuit().ejection)
    is_passed_on(node, 408)
    assert node.opener.reached[-1] == "openai/east"
    assert (runtime.breaker.state, runtime.breaker.is_usable(node.now)) == ("open", True)


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 403, 404, 422, 501])
def test_any_other_answer_is_a_good_one(node: Node, status: int) -> None:
    """The request was at fault, if anything was."""
    runtime = watched(node)
    gets(node, status)
    assert (runtime.breaker.state, runtime.breaker.answers) == ("closed", 1)
    assert not runtime.pool.limit.is_active


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ((), 1.0),
        (("Retry-After: 7",), 7.0),
        (("Retry-After: 0", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 4s"), 4.0),
    ],
)
def test_who_is_limited_rests(node: Node, fields: tuple[str, ...], seconds: float) -> None:
    """As long as it says, or a second."""
    runtime = watched(node)
    gets(node, 429, *fields)
    assert (runtime.breaker.state, runtime.breaker.rests_until) == ("closed", node.now + seconds)


def test_a_projects_own_key_says_nothing_to_others(node: Node) -> None:
    """Its limits are its own: those that refuse, and those of which a good answer says that nothing is left."""
    runtime = watched(node)
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", credentials=(("openai", "own-key"),))
    gets(node, 429, "Retry-After: 7")
    assert runtime.breaker.rests_until == 0.0
    gets(node, 200, "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 3h")
    assert runtime.breaker.rests_until == 0.0


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (429, ("Retry-After: 999999999",)),
        (200, ("x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 999999999")),
    ],
)
def test_nobody_rests_for_years(node: Node, status: int, fields: tuple[str, ...]) -> None:
    """A field with nonsense in it, milliseconds for seconds for example, is not believed beyond a day."""
    runtime = watched(node)
    gets(node, status, *fields)
    assert runtime.breaker.rests_until == node.now + LONGEST_REST


def test_a_slow_client_is_not_the_deployments_failure(node: Node) -> None:
    """Whose body passes through as it comes can have any deployment answer 408: that says nothing of it."""
    runtime = watched(node)
    fields = ("Content-Type: application/octet-stream", "Content-Length: 9")
    node.client().says(a_request("/v1/files", b"", fields=fields).replace(b"Content-Length: 0\r\n", b"") + b"half")
    node.provider.says(an_answer(status="408 Request Timeout"))
    assert (runtime.breaker.state, runtime.breaker.in_a_row) == ("closed", 0)


def test_a_good_answer_may_say_that_nothing_is_left(node: Node) -> None:
    """Then it rests until the reset."""
    runtime = watched(node)
    gets(node, 200, "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 3s")
    assert runtime.breaker.rests_until == node.now + 3.0


def test_the_time_to_the_first_byte_is_learnt(node: Node) -> None:
    """Where somebody asks for it."""
    runtime = watched(node)
    runtime.latency = PeakEwma()
    node.client().says(a_request())
    node.passes(2.0)
    node.provider.says(an_answer())
    assert runtime.latency.value(node.now) == pytest.approx(2.0)


def test_a_limit_grows_with_good_answers(node: Node) -> None:
    """A full round of them makes room for one more."""
    runtime = watched(node)
    runtime.pool.limit.overloaded(2, node.now, 0.0)
    before = runtime.pool.limit.limit
    for _ in range(before):
        gets(node, 200)
    assert runtime.pool.limit.limit == before + 1


def test_no_answer_is_a_failure(node: Node) -> None:
    """A reset is one."""
    runtime = watched(node)
    node.client().says(a_request())
    node.provider.leaves(ConnectionResetError())
    assert runtime.breaker.state == "open"


def test_a_late_answer_is_an_overload(node: Node) -> None:
    """No first byte in time, of more than it is given at the least."""
    runtime = watched(node)
    for _ in range(2):
        node.client().says(a_request())
    node.passes(601.0)
    assert runtime.breaker.state == "open"
    assert runtime.pool.limit.is_active
