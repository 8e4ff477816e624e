"""What a worker says about itself."""

import json

import pytest

from sluicegate.domain.paths import LOCAL_PATHS
from sluicegate.gateway.local import local_answer


def answer(path: str, *, is_ready: bool = True) -> tuple[int, bytes, bytes]:
    """The answer of a worker of version 1.2.3 in a known moment."""
    return local_answer(path, is_ready=is_ready, version="1.2.3", timestamp=lambda: "2026-11-21T00:00:00.000Z")


def test_health_tells_version_and_time() -> None:
    """`/health` is JSON with three members."""
    status, content_type, body = answer("/health")
    assert (status, content_type) == (200, b"application/json")
    assert json.loads(body) == {"status": "ok", "timestamp": "2026-11-21T00:00:00.000Z", "version": "1.2.3"}


@pytest.mark.parametrize("path", sorted(LOCAL_PATHS - {"/health"}))
def test_probes_hear_ok_to_the_byte(path: str) -> None:
    """No line break behind it: clients compare the whole body."""
    assert answer(path) == (200, b"text/plain; charset=utf-8", b"ok")


def test_only_readiness_ends_with_draining() -> None:
    """While draining the worker is alive and healthy, but wants no more requests."""
    assert answer("/readyz", is_ready=False)[::2] == (503, b"draining\n")
    assert [answer(path, is_ready=False)[0] for path in ("/health", "/healthz", "/livez", "/")] == [200] * 4


def test_the_root_is_empty() -> None:
    """`/` only says that somebody is here."""
    assert answer("/")[::2] == (200, b"")
