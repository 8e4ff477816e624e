"""What a control process leaves to its successor: the configuration in force, in memory that outlives it.

The supervisor holds an anonymous file in memory for it: never on a disk, gone with the node, and nothing that the
supervisor must understand. So a control process that dies while the configuration file is broken comes back with what
was in force.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from pydantic import SecretStr, ValidationError

from sluicegate.config.compile import Compiled, compile_settings
from sluicegate.config.schema import Settings
from sluicegate.dialects.base import Dialect


class _Kept(msgspec.Struct, frozen=True):
    """One configuration: plain settings with their secrets, and what was not theirs to say."""

    version: int
    settings: dict[str, Any]
    proxies: dict[str, str | None]


class _Memory(msgspec.Struct, frozen=True):
    started: _Kept
    current: _Kept


class LastGood:
    """The memory shared by all control processes of one node, one after the other."""

    def __init__(self, descriptor: int, *, dialects: Mapping[str, Dialect]) -> None:
        """`descriptor` is an open file that is this object's alone as long as the process lives."""
        self._descriptor = descriptor
        self._dialects = dialects

    def __repr__(self) -> str:
        """Tell how much is kept, not what."""
        return f"<LastGood bytes={os.fstat(self._descriptor).st_size}>"

    def keep(self, started: Compiled, current: Compiled) -> None:
        """Remember what the node was started with and what is in force now."""
        body = msgspec.msgpack.encode(_Memory(_kept(started), _kept(current)))
        # Whoever is killed in the middle of this leaves a digest that does not fit.
        os.pwrite(self._descriptor, sha256(body).digest() + body, 0)
        os.ftruncate(self._descriptor, 32 + len(body))

    def recall(self) -> tuple[Compiled, Compiled] | None:
        """What was kept, `started` and `current`; None for the first process of a node, or if it cannot be read."""
        content = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        body = content[32:]
        if sha256(body).digest() != content[:32]:
            return None
        try:
            memory = msgspec.msgpack.decode(body, type=_Memory)
            return self._compiled(memory.started), self._compiled(memory.current)
        except (msgspec.MsgspecError, ValidationError):
            # Written by another version of this program, which was updated while the node ran.
            return None

    def _compiled(self, kept: _Kept) -> Compiled:
        settings = Settings.model_validate(kept.settings)
        return compile_settings(settings, dialects=self._dialects, proxies=kept.proxies, version=kept.version)


def is_same(one: Compiled, other: Compiled) -> bool:
    """Whether two configurations differ in nothing but their version."""
    return one.settings == other.settings and _proxies(one) == _proxies(other)


def _kept(compiled: Compiled) -> _Kept:
    return _Kept(compiled.snapshot.version, _plain(compiled.settings.model_dump()), _proxies(compiled))


def _proxies(compiled: Compiled) -> dict[str, str | None]:
    return {provider.id: provider.proxy for provider in compiled.snapshot.providers}


def _plain(value: Any) -> Any:
    """Turn settings into what a file could hold, secrets included."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return value.isoformat() if isinstance(value, datetime) else value
