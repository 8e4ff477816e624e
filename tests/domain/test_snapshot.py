"""The compiled configuration as it crosses the link."""

import msgspec
import pytest

from sluicegate.domain.snapshot import (
    AllowRule,
    ClientBounds,
    ModelAlias,
    Origin,
    Provider,
    Snapshot,
    Target,
    Timeouts,
)

SNAPSHOT = Snapshot(
    version=3,
    providers=(
        Provider(
            name="openai",
            dialect="openai",
            origin=Origin("https", "api.openai.com", 443),
            authority="api.openai.com",
            base_path="/v1",
            headers=(("authorization", "Bearer sk-1"),),
            default_headers=(("x-a", "b"),),
            allow=(AllowRule(("POST",), "chat/completions"),),
            timeouts=Timeouts(connect=1.0),
            ca_file="/ca.pem",
            proxy="http://proxy:3128",
        ),
        Provider(name="local", dialect="openai", origin=Origin("unix", "/run/model.sock", 0), authority="local"),
    ),
    models=(ModelAlias("smart", (Target("openai", "gpt-4.1", 80), Target("local", "qwen"))),),
    defaults={"openai": "local"},
    bounds=ClientBounds(body_bytes=10),
    drain_seconds=1.0,
)


def test_travels_to_a_worker_unchanged() -> None:
    """What control compiled is what the worker runs on."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(SNAPSHOT), type=Snapshot) == SNAPSHOT


def test_empty_snapshot_serves_nothing() -> None:
    """Without configuration there is no provider, no model and no default; the bounds hold all the same."""
    snapshot = Snapshot(version=0)
    assert (snapshot.providers, snapshot.models, snapshot.defaults) == ((), (), {})
    assert snapshot.bounds == ClientBounds()


def test_snapshots_share_no_defaults() -> None:
    """What one snapshot holds never shows in another."""
    assert Snapshot(version=0).defaults is not Snapshot(version=1).defaults


@pytest.mark.parametrize("value", [SNAPSHOT, SNAPSHOT.providers[0], SNAPSHOT.bounds, SNAPSHOT.models[0]])
def test_is_frozen(value: msgspec.Struct) -> None:
    """A configuration is replaced whole, never changed under a request."""
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], None)


def test_refuses_an_origin_of_an_unknown_scheme() -> None:
    """A scheme the data plane cannot speak does not get as far as a worker."""
    with pytest.raises(msgspec.ValidationError, match="ftp"):
        msgspec.convert({"scheme": "ftp", "host": "a", "port": 21}, Origin)
