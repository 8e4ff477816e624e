"""Runtimes of providers across reloads."""

from tests.gateway.node import Node, a_provider, a_request, a_snapshot, an_answer, parts


def test_an_unchanged_provider_keeps_its_connections(node: Node) -> None:
    """A reload that does not touch a provider costs it nothing."""
    client = node.client().says(a_request())
    node.provider.says(an_answer())
    node.services.configure(a_snapshot())
    client.says(a_request())
    assert len(node.opener.peers) == 1


def test_a_changed_provider_gets_new_connections(node: Node) -> None:
    """Idle connections of the old one are closed; a request under way finishes on the old one."""
    client = node.client().says(a_request())
    old = node.provider
    node.services.configure(a_snapshot(providers=(a_provider(max_wait=1.0),)))
    client_two = node.client().says(a_request())
    assert len(node.opener.peers) == 2
    old.says(an_answer(b'{"old":1}'))
    assert parts(client.hears())[2] == b'{"old":1}'
    assert not old.is_connected
    node.provider.says(an_answer())
    assert parts(client_two.hears())[0] == 200


def test_a_removed_provider_is_forgotten_once_it_is_quiet(node: Node) -> None:
    """Its pool is swept until nobody needs it."""
    node.client().says(a_request())
    old = node.provider
    node.services.configure(a_snapshot(providers=(a_provider("other"),)))
    node.passes(1)
    assert len(node.services.providers._retired) == 3 - 2
    old.says(an_answer())
    node.passes(1)
    assert node.services.providers._retired == []


def test_the_repr_tells_no_credential(node: Node) -> None:
    """Name, dialect and pool."""
    told = repr(node.services.providers.by_name["openai"])
    assert told.startswith("<ProviderRuntime openai openai closed <Pool openai")
    assert "provider-key" not in repr(node.services.providers)
