"""Whose token a request carries, and whether it may be used."""

import pytest

from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.gateway.node import PRINCIPAL, TOKEN, Node, a_request, an_answer, parts

OTHER = "sk-sg-other-9876543210"


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
