"""A request's target, checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.wire.target import TargetError, is_authority, parse_target


@pytest.mark.parametrize(
    ("raw", "path", "raw_path", "query"),
    [
        (b"/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions", ""),
        (b"/v1/messages?beta=true", "/v1/messages", "/v1/messages", "beta=true"),
        (b"/v1//chat///completions", "/v1/chat/completions", "/v1/chat/completions", ""),
        (b"/v1/models/a%2Fb", "/v1/models/a/b", "/v1/models/a%2Fb", ""),
        (b"http://host.test/x?y", "/x", "/x", "y"),
        (b"HTTPS://host.test", "/", "/", ""),
    ],
)
def test_the_decoded_path_decides_and_the_original_travels(raw: bytes, path: str, raw_path: str, query: str) -> None:
    """Decisions use the decoded path; what is sent on keeps its spelling."""
    target = parse_target(raw)
    assert (target.path, target.raw_path, target.query) == (path, raw_path, query)


@pytest.mark.parametrize(
    "raw",
    [
        b"*",
        b"v1/x",
        b"/a/../b",
        b"/a/%2e%2e/b",
        b"/a/%2E/b",
        b"/a/..;x/b",
        b"/a%00b",
        b"/a%5cb",
        b"/a\\b",
        b"/a%252e",
        b"/a%252fb",
        b"/a%zz",
        b"/a%",
        b"/%ff",
        b"/a#b",
        b"/a b",
        b"/\xc3\xa4",
        b"ftp://host/x",
        b"",
    ],
)
def test_a_target_that_could_be_read_differently_is_refused(raw: bytes) -> None:
    """Dot segments, double encoding, backslashes, control bytes and broken escapes are refused, never repaired."""
    with pytest.raises(TargetError):
        parse_target(raw)


def test_the_authority_of_an_absolute_target_is_kept_for_checking() -> None:
    """Absolute form names the host in the target."""
    assert parse_target(b"http://user@host/x").authority == b"user@host"
    assert parse_target(b"/x").authority is None


def test_an_empty_query_differs_from_none() -> None:
    """`/x?` keeps its question mark."""
    assert parse_target(b"/x?").has_query
    assert not parse_target(b"/x").has_query


@given(st.text(alphabet="/.%2eEfF5cC0aAb;\\", max_size=24))
def test_no_accepted_path_has_a_dot_segment(text: str) -> None:
    """Whatever is accepted has no dot segment, no run of slashes and no second layer of encoding."""
    try:
        target = parse_target(b"/" + text.encode())
    except TargetError:
        return
    segments = target.path.split("/")
    assert "." not in segments
    assert ".." not in segments
    assert "//" not in target.path
    assert "%2f" not in target.path.lower()


@pytest.mark.parametrize("value", [b"a", b"a.b:80", b"[::1]:8080", b"127.0.0.1", b"a_b"])
def test_plain_hosts_are_accepted(value: bytes) -> None:
    """A host with or without a port."""
    assert is_authority(value)


@pytest.mark.parametrize(
    "value", [b"", b"a b", b"u@a", b"a/b", b"a?b", b"a#b", b"a,b", b"a:b", b"a:999999", b"[::1", b"a:1:2", b"a%41"]
)
def test_other_hosts_are_refused(value: bytes) -> None:
    """Userinfo, paths, lists, percent signs and broken ports have no place in Host."""
    assert not is_authority(value)
