"""Reading JSON by shape."""

from typing import Any

import pytest
from msgspec import Struct

from sluicegate.dialects.lenient import LARGEST_COUNT, LenientDecoder, count, encodable, fitted, parse
from sluicegate.domain.money import NANO
from sluicegate.domain.pricing import Price, Rates, cost
from sluicegate.domain.usage import Usage


class Inner(Struct):
    """A nested object."""

    tokens: int | None = None
    kind: str | None = None


class Outer(Struct, rename="camel"):
    """An object with one field of each sort."""

    first_name: str | None = None
    inner: Inner | None = None
    several: list[Inner] | None = None
    either: str | list[Inner] | None = None
    anything: Any = None
    number: int = 7


read = LenientDecoder(Outer).read


def test_fitting_object_is_read_whole() -> None:
    """An object of the expected shape is read, unknown fields are passed over."""
    text = b'{"firstName":"a","inner":{"tokens":1},"several":[{"kind":"k"}],"either":"e","number":2,"new":[1]}'
    assert read(text) == Outer("a", Inner(1), [Inner(kind="k")], "e", None, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"firstName":5,"number":3}', Outer(number=3)),
        (b'{"firstName":null,"number":"x"}', Outer()),
        (b'{"number":true}', Outer()),
        (b'{"number":4.0}', Outer(number=4)),
        (b'{"number":4.5}', Outer()),
        (b'{"inner":{"tokens":"many","kind":"k"}}', Outer(inner=Inner(kind="k"))),
        (b'{"inner":[],"number":1}', Outer(number=1)),
        (b'{"several":[{"tokens":1},7,{"tokens":{}}]}', Outer(several=[Inner(1), Inner()])),
        (b'{"several":{},"number":1}', Outer(number=1)),
        (b'{"either":[{"tokens":1}],"number":[]}', Outer(either=[Inner(1)])),
        (b'{"either":5,"anything":[5],"number":[]}', Outer(anything=[5])),
        (b'\xef\xbb\xbf{"number":1}', Outer(number=1)),
        (b'{"firstName":"\xff","number":1}', Outer("\ufffd", number=1)),
        (b'{"firstName":"\\ud83d","number":1}', Outer("?", number=1)),
    ],
)
def test_surprising_field_costs_only_itself(text: bytes, expected: Outer) -> None:
    """A field of another type than expected gets its default; all others are still read."""
    assert read(text) == expected


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b"null", b"{", b"[" * 50_000])
def test_other_than_object_is_none(text: bytes) -> None:
    """What is no JSON object is None."""
    assert read(text) is None
    assert fitted(Outer, None) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"9" * 5000])
def test_parse_of_no_json_is_none(text: bytes) -> None:
    """What is no JSON, nests too deep or holds an endless number parses to None."""
    assert parse(text) is None


def test_parse_keeps_whole_pairs() -> None:
    """An emoji written as a surrogate pair stays; half of one becomes a question mark that can be encoded."""
    assert parse(b'["\\ud83d\\ude00","\\uD83D","\\\\ud83d"]') == ["\U0001f600", "?", "\\ud83d"]
    assert encodable({"\udc00": "a"}) == {"?": "a"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, 0), (0, 0), (-1, 0), (5, 5), (LARGEST_COUNT, LARGEST_COUNT), (LARGEST_COUNT + 1, 0), (10**30, 0)],
)
def test_absurd_counts_are_zero(value: int | None, expected: int) -> None:
    """Counts below zero, or beyond what any context holds, count nothing."""
    assert count(value) == expected


def test_what_counts_has_a_cost_that_can_be_written() -> None:
    """The largest counts are exact in JSON at any usual price, and fit into 64 bits at a hundred times that."""
    dearest = Rates(input=15_000 * NANO, output=60_000 * NANO)
    assert cost(Price("v", dearest), Usage(input_tokens=LARGEST_COUNT, output_tokens=LARGEST_COUNT)) < 2**63
    usual = Rates(input=150 * NANO, output=600 * NANO)
    assert cost(Price("v", usual), Usage(input_tokens=LARGEST_COUNT, output_tokens=LARGEST_COUNT)) < 2**53


def test_decoder_shows_its_type() -> None:
    """A decoder tells what it decodes."""
    assert repr(LenientDecoder(Inner)) == "<LenientDecoder Inner>"
