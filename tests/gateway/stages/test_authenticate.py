"""Whose token a request carries, and whether it may be used."""

import itertools

import pytest

from sluicegate.domain.issuing import DEFAULT_RECIPE, issue
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.gateway.principals import ASK_SECONDS
from sluicegate.gateway.strangers import BURST
from tests.gateway.node import PRINCIPAL, TOKEN, Node, a_request, an_answer, parts

OTHER = "sk-sg-other-9876543210"
KEY = digest(TOKEN.encode())


def test_each_request_of_a_connection_is_checked(node: Node) -> None:
    """A connection that changes its token changes its caller: what was admitted before says nothing."""
    node.link.tokens[digest(OTHER.encode())] = Principal("tok_2")
    client = node.client()
    for token, status in ((TOKEN, 200), (OTHER, 200), (TOKEN, 200), ("wrong-token-wrong", 401)):
        client.says(a_request(token=token))
        if status == 200:
            node.provider.says(an_answer())
        assert parts(client.hears())[0] == status
    for callback in node.link.counted:
        callback(None)
    assert [event.token for event in node.events()] == ["", "tok_1", "tok_2", "tok_1"]


def test_a_token_is_used_until_its_last_moment(node: Node) -> None:
    """`expires_at` is the first moment in which it is refused; the refusal names the token and not its secret."""
    now = node.services.wall()
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", name="nightly", expires_at=now + 10)
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    node.now += 10
    status, _, body = parts(client.says(a_request()).hears())
    assert status == 403
    assert b"'nightly' has expired" in body
    assert TOKEN.encode() not in body


def test_a_token_without_a_name_is_called_by_its_id(node: Node) -> None:
    """A refusal always says which token is meant."""
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_9", is_active=False)
    assert b"'tok_9' was revoked" in node.client().says(a_request()).hears()


def test_a_change_is_seen_by_the_next_request(node: Node) -> None:
    """The change feed takes effect on connections that are open, too."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    client.hears()
    node.link.tokens[digest(TOKEN.encode())] = Principal("tok_1", is_active=False)
    node.services.principals.forget((digest(TOKEN.encode()),))
    assert parts(client.says(a_request()).hears())[0] == 403


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong-token-wrong", 401), (TOKEN, 404)])
def test_only_a_caller_learns_which_paths_exist(node: Node, token: str | None, status: int) -> None:
    """The route's own refusal comes behind the check of the credential."""
    client = node.client().says(a_request("/v1/no/such/path", token=token))
    assert parts(client.hears())[0] == status


def test_requests_that_wait_for_the_same_answer_go_on_together(node: Node) -> None:
    """One question, and each waiting request is served when it is answered."""
    node.link.is_silent = True
    clients = [node.client().says(a_request()) for _ in range(3)]
    assert len(node.link.asked) == 1
    node.services.principals.learn(digest(TOKEN.encode()), PRINCIPAL)
    node.settle()
    assert len(node.opener.peers) == 3
    assert all(client.hears() == b"" for client in clients)


def test_a_client_that_left_while_its_token_was_looked_up_costs_nothing_more(node: Node) -> None:
    """The answer comes too late: no provider hears of the request."""
    node.link.is_silent = True
    client = node.client().says(a_request())
    client.leaves()
    node.services.principals.learn(digest(TOKEN.encode()), PRINCIPAL)
    node.settle()
    assert node.opener.peers == []


def test_the_control_process_checks_its_own_callers(node: Node) -> None:
    """A path of control needs no token of ours, and no question is asked about the one it has."""
    node.client().says(a_request("/admin/config", b"", method="GET", token="management"))
    assert b"Authorization: Bearer management" in node.provider.hears()
    assert node.link.asked == []


def test_a_spent_token_is_over_its_limit(node: Node) -> None:
    """429, and no retry cures it; a suspended one is 403."""
    node.link.tokens[KEY] = Principal("tok_1", name="nightly", is_active=False, is_spent=True)
    status, fields, body = parts(node.client().says(a_request()).hears())
    assert (status, fields["x-should-retry"]) == (429, "false")
    assert b"'nightly' has made all requests" in body


@pytest.mark.parametrize(
    ("paths", "status"),
    [
        (("chat/completions",), 200),
        (("/v1/chat/*",), 200),
        (("embeddings", "chat/**"), 200),
        (("/chat/completions",), 403),
        (("chat",), 403),
        (("v1/chat/completions",), 403),
    ],
)
def test_a_token_may_be_bound_to_paths(paths: tuple[str, ...], status: int, node: Node) -> None:
    """Of the whole path with a leading slash, of the API's own path without one."""
    node.link.tokens[KEY] = Principal("tok_1", paths=paths)
    client = node.client().says(a_request())
    if status == 200:
        node.provider.says(an_answer())
    assert parts(client.hears())[0] == status


def test_a_path_that_is_not_the_tokens_hides_what_exists(node: Node) -> None:
    """It is refused for the token before it is looked at whether there is such a path."""
    node.link.tokens[KEY] = Principal("tok_1", paths=("models",))
    assert parts(node.client().says(a_request("/v1/no/such/path")).hears())[0] == 403


def test_a_token_that_withers_is_asked_for_again(node: Node) -> None:
    """Its time may have been put off by use; once control says that it has withered, it has expired."""
    now = node.services.wall()
    node.link.tokens[KEY] = Principal("tok_1", expires_at=now + 10, withers=True)
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    node.now += 10
    node.link.tokens[KEY] = Principal("tok_1", expires_at=now + 20, withers=True)
    client.says(a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200
    node.now += 10
    node.link.tokens[KEY] = Principal("tok_1", expires_at=now + 20)
    assert parts(client.says(a_request()).hears())[0] == 403
    assert len(node.link.asked) == 3


def test_answers_that_come_too_late_to_be_believed_end_in_503(node: Node) -> None:
    """A request does not wait for ever for a database that is slower than the bound of a revocation."""
    node.link.is_silent = True
    client = node.client().says(a_request())
    node.services.principals.feed_true(node.now - 10, 0.8)
    for _ in itertools.takewhile(lambda _: not client.transport.sent, range(20)):
        node.now += ASK_SECONDS / 4
        node.services.principals.learn(KEY, PRINCIPAL)
        node.settle()
    status, _, body = parts(client.hears())
    assert (status, len(node.link.asked)) == (503, 5)
    assert b"could not be looked up in time" in body


def test_an_address_that_guesses_tokens_is_slowed_down(node: Node) -> None:
    """429 with a time to come back, while known callers behind the same address are served."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    client.hears()
    guesser = node.client()
    statuses = [parts(guesser.says(a_request(token=f"guess-{number}")).hears())[0] for number in range(BURST)]
    assert set(statuses) == {401}
    status, fields, _ = parts(guesser.says(a_request(token="one-more")).hears())
    assert (status, fields["retry-after"], fields["x-gateway-error-source"]) == (429, "1", "gateway")
    assert len(node.link.asked) == BURST + 1
    client.says(a_request())
    node.provider.says(an_answer())
    assert parts(client.hears())[0] == 200


def test_a_mistyped_token_is_asked_for_as_damaged(node: Node) -> None:
    """Control need not ask the database; a token as issued, and one that is not ours, it must."""
    asked: list[bool] = []
    resolve = node.link.resolve

    class Link:
        """Notes what is asked."""

        def resolve(self, digest: bytes, *, is_damaged: bool = False) -> None:
            asked.append(is_damaged)
            resolve(digest)

    node.services.principals._resolver = Link()
    secret = issue(lambda count: bytes(range(count)), DEFAULT_RECIPE).secret
    mistyped = secret[:-1] + ("2" if secret[-1] != "2" else "3")
    for token in (secret, mistyped, OTHER, "x" * 500):
        assert parts(node.client().says(a_request(token=token)).hears())[0] == 401
    assert asked == [False, True, False, False]


def test_without_the_feed_each_answer_is_believed_for_a_moment(node: Node) -> None:
    """Requests go on while control cannot say that nothing changed; each of them only on a fresh answer."""
    node.services.principals.feed_true(node.now - 10, 0.8)
    client = node.client()
    for passed, questions in ((0.0, 1), (0.5, 1), (0.5, 2)):
        node.now += passed
        client.says(a_request())
        node.provider.says(an_answer())
        assert parts(client.hears())[0] == 200
        assert len(node.link.asked) == questions


def test_a_request_without_a_credential_is_told_where_to_put_one(node: Node) -> None:
    """401, and nothing is looked up."""
    status, _, body = parts(node.client().says(a_request(token=None)).hears())
    assert status == 401
    assert b"Authorization: Bearer" in body
    assert node.link.asked == []
