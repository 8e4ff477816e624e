"""Which header fields travel."""

import pytest

from sluicegate.wire import headers


@pytest.mark.parametrize(
    "name", [b"Keep-Alive", b"TE", b"Trailer", b"Proxy-Authorization", b"X-Forwarded-For", b"x-gateway-model"]
)
def test_hop_by_hop_and_own_fields_end_here(name: bytes) -> None:
    """Hop-by-hop fields, claims about the way here and our own family are dropped, however they are spelt."""
    assert headers.request_kinds()[name] == headers.DROP


@pytest.mark.parametrize("name", [b"Authorization", b"X-API-Key", b"Api-Key", b"x-goog-api-key"])
def test_credentials_are_told_apart(name: bytes) -> None:
    """Every header a credential may come in is recognised as one."""
    assert headers.request_kinds()[name] >= headers.AUTHORIZATION


def test_unknown_fields_travel() -> None:
    """A field nobody has heard of is forwarded."""
    assert headers.request_kinds()[b"X-Stainless-Lang"] == headers.FORWARD


def test_spellings_are_remembered_up_to_a_bound() -> None:
    """A peer that invents names cannot fill the memory."""
    kinds = headers.request_kinds()
    for number in range(6000):
        assert kinds[b"x-%d" % number] == headers.FORWARD
    assert len(kinds) <= 4096


def test_a_providers_cookies_do_not_travel_but_controls_do() -> None:
    """Cookies of a provider would tie callers together; those of our own admin pages must arrive."""
    assert headers.answer_kinds()[b"Set-Cookie"] == headers.DROP
    assert headers.control_answer_kinds()[b"Set-Cookie"] == headers.FORWARD
    assert headers.control_answer_kinds()[b"Keep-Alive"] == headers.DROP


def test_connection_options_are_split_and_lowered() -> None:
    """The value of Connection is a list."""
    assert headers.connection_options(b"Keep-Alive, X-Secret ,") == {b"keep-alive", b"x-secret"}


def test_nominated_fields_are_taken_out() -> None:
    """Fields named by Connection are removed, in any spelling; the others keep their order and bytes."""
    fields = [b"A: 1", b"X-Secret: 2", b"B: 3"]
    assert headers.without(fields, frozenset({b"x-secret"})) == [b"A: 1", b"B: 3"]
    assert headers.has_field(fields, b"x-secret")
    assert not headers.has_field(fields, b"c")


@pytest.mark.parametrize(
    ("value", "credential"),
    [
        (b"Bearer abc", b"abc"),
        (b"Bearer   two words ", b"two words"),
        (b"Token abc", b"abc"),
        (b"abc", b"abc"),
        (b"Bearer ", b""),
    ],
)
def test_everything_after_the_first_space_is_the_credential(value: bytes, credential: bytes) -> None:
    """Keys may contain spaces."""
    assert headers.bearer(value) == credential


def test_lines_are_remembered_up_to_a_bound() -> None:
    """A field with a new value each time is not worth it; nor is a long line; and inventing fields fills nothing."""
    kinds = headers.answer_kinds()
    for number in range(100):
        kinds.learn(b"date", b"date: %d" % number, headers.FORWARD)
    assert kinds.changing == {b"date"}
    kinds.learn(b"long", b"long: " + b"x" * 300, headers.FORWARD)
    assert b"long: " + b"x" * 300 not in kinds.lines
    for number in range(3_000):
        kinds.learn(b"n%d" % number, b"n%d: 1" % number, headers.FORWARD)
    assert len(kinds.lines) <= 1024
    assert len(kinds._values) <= 1024
    assert kinds.changing == set()
