"""A base URL becomes an address, and a request one run of bytes."""

import json

import pytest

from sluicegate.bench.request import Target, TargetError, parse_target, request_bytes


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:8080", Target("127.0.0.1", 8080)),
        ("http://gateway/", Target("gateway", 80)),
        ("https://gateway/a/v1/", Target("gateway", 443, True, "/a/v1")),
        ("http://[::1]:81", Target("::1", 81)),
    ],
)
def test_url_is_taken_apart(url: str, target: Target) -> None:
    """Scheme, host, port and path are found, the usual ports known."""
    assert parse_target(url) == target


@pytest.mark.parametrize("url", ["gateway:8080", "ftp://gateway", "http://", "http://gateway:x", "http://[::1"])
def test_what_is_no_url(url: str) -> None:
    """A URL nothing can be sent to is refused by its name."""
    with pytest.raises(TargetError, match="is no URL"):
        parse_target(url)


def said(url: str, endpoint: str, *, token: str = "", stream: bool = False) -> tuple[list[str], dict[str, object]]:
    """Lines of the head and the body of a request."""
    built = request_bytes(parse_target(url), endpoint, token=token, model="m", stream=stream, extra=("x-a: b",))
    head, _, body = built.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert f"content-length: {len(body)}" in lines
    return lines, json.loads(body)


def test_request_is_complete() -> None:
    """Path, host, token and further headers are in the head, the model in the body."""
    lines, body = said("http://[::1]:81/v1", "/v1/chat/completions", token="secret")
    assert lines[:2] == ["POST /v1/chat/completions HTTP/1.1", "host: [::1]:81"]
    assert {"authorization: Bearer secret", "x-a: b"} <= set(lines)
    assert body.keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        ("v1/messages", {"model", "messages", "max_tokens", "stream"}),
        ("/v1/responses", {"model", "input", "stream"}),
        ("/v1/completions", {"model", "prompt", "stream"}),
        ("/v1/embeddings", {"model", "input"}),
    ],
)
def test_body_suits_the_endpoint(endpoint: str, fields: set[str]) -> None:
    """Each API is asked in its own words; without a token there is no credential, and embeddings do not stream."""
    lines, body = said("http://gateway/base", endpoint, stream=True)
    assert lines[0] == f"POST /base/{endpoint.lstrip('/')} HTTP/1.1"
    assert body.keys() == fields
    assert not any(line.startswith("authorization") for line in lines)
