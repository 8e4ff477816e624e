"""What a control process leaves to its successor."""

import os
from collections.abc import Iterator
from hashlib import sha256

import msgspec
import pytest

from sluicegate.config.show import redacted
from sluicegate.control.last_good import LastGood, is_same
from sluicegate.dialects.table import DIALECTS
from tests.control.conftest import MINIMAL, WriteSources

RICH = """
server:
  host: 127.0.0.1
  drain_seconds: 1.5
management_token: management-secret
providers:
  first:
    dialect: openai
    base_url: "http://127.0.0.1:9001/v1"
    api_key: sk-provider-secret
    headers: {x-extra: secret-value}
    allow: [{methods: [POST], path: chat/completions}]
    proxy: "http://user:password@127.0.0.1:3128"
  second: {dialect: anthropic, base_url: "http://127.0.0.1:9002", allow: all, proxy: none}
  third: {dialect: generic, base_url: "unix:/run/third.sock"}
defaults: {openai: first}
models: [{name: smart, targets: [{model: first/m, weight: 3}, {model: first/n}]}]
tokens:
  - {name: lan, token: caller-secret, project: p, expires_at: 2030-12-31T23:59:59+02:00, tags: [a, b], active: false}
"""


@pytest.fixture
def memory() -> Iterator[int]:
    """A file in memory, as the supervisor makes it."""
    descriptor = os.memfd_create("test")
    yield descriptor
    os.close(descriptor)


def test_successor_recalls_everything(write: WriteSources, memory: int) -> None:
    """What was kept comes back equal in every part: settings, secrets, proxies, tokens and version."""
    started = write(MINIMAL).load(1)
    current = write(RICH).load(4)
    LastGood(memory, dialects=DIALECTS).keep(started, current)
    recalled = LastGood(memory, dialects=DIALECTS).recall()
    assert recalled is not None
    assert recalled[0] == started
    assert recalled[1] == current
    assert recalled[1].snapshot.providers[0].proxy == "http://user:password@127.0.0.1:3128"
    assert redacted(recalled[1]) == redacted(current)


def test_shorter_memory_replaces_a_longer_one(write: WriteSources, memory: int) -> None:
    """Nothing of what was kept before shows through."""
    rich, minimal = write(RICH).load(1), write(MINIMAL).load(2)
    last_good = LastGood(memory, dialects=DIALECTS)
    last_good.keep(rich, rich)
    last_good.keep(minimal, minimal)
    assert last_good.recall() == (minimal, minimal)


def test_first_process_recalls_nothing(memory: int) -> None:
    """An empty memory is nobody's."""
    assert LastGood(memory, dialects=DIALECTS).recall() is None


def test_torn_memory_is_ignored(write: WriteSources, memory: int) -> None:
    """What was half written, or by another version of the program, is nothing rather than something wrong."""
    compiled = write(MINIMAL).load(1)
    last_good = LastGood(memory, dialects=DIALECTS)
    last_good.keep(compiled, compiled)
    whole = os.fstat(memory).st_size
    os.ftruncate(memory, whole - 1)
    assert last_good.recall() is None
    assert repr(last_good) == f"<LastGood bytes={whole - 1}>"


@pytest.mark.parametrize("content", [b"\xc0", b"\x93\x01\x02\x03", None])
def test_memory_of_another_version_is_ignored(content: bytes | None, write: WriteSources, memory: int) -> None:
    """A predecessor whose settings are none of ours leaves nothing."""
    if content is None:
        kept = {"version": 1, "settings": {"no_such_setting": 1}, "proxies": {}}
        content = msgspec.msgpack.encode({"started": kept, "current": kept})
    os.pwrite(memory, sha256(content).digest() + content, 0)
    assert LastGood(memory, dialects=DIALECTS).recall() is None


def test_same_but_for_the_version(write: WriteSources) -> None:
    """Two loads of one file are the same; a changed secret makes a difference."""
    one, other = write(RICH).load(1), write(RICH).load(2)
    assert is_same(one, other)
    assert not is_same(one, write(RICH.replace("sk-provider-secret", "sk-other-secret")).load(1))
    assert not is_same(one, write(RICH.replace("user:password", "user:other")).load(1))
