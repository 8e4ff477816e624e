"""What differs between two configurations, setting by setting, and what it takes to bring it into force. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr

from sluicegate.config.addresses import without_user
from sluicegate.config.schema import Settings
from sluicegate.config.show import HIDDEN, hidden, needs_restart, shown_headers

_NAMES = ("name", "model")
"""Settings that tell one entry of a list from the others, the first of them that all entries have."""
_HEADERS = frozenset({"headers", "default_headers"})


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that differs; a section or entry that is there in one only is one change.

    `path` is written as in the file, with entries of lists by their name: `models[smart].targets[openai/gpt].weight`.
    `before` and `after` are in YAML, on one line, without secrets; None where it is not set.
    """

    path: str
    before: str | None
    after: str | None
    is_secret: bool = False
    """Whether both are hidden: that it differs is all that is told."""

    @property
    def needs_restart(self) -> bool:
        """Whether it takes effect only when the node is started anew; else a reload is enough."""
        return needs_restart(self.path)

    def __str__(self) -> str:
        """One line: `server.port: 8080 → 9090 (needs a restart)`."""
        if self.before is None:
            told = "set" if self.is_secret else f"added: {self.after}"
        elif self.after is None:
            told = "no longer set" if self.is_secret else f"removed: {self.before}"
        else:
            told = "changed" if self.is_secret else f"{self.before} → {self.after}"
        return f"{self.path}: {told}{' (needs a restart)' if self.needs_restart else ''}"


def differences(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Every setting that differs, in the order of the schema."""
    return tuple(_of_sections(before, after, ""))


def _of_sections(before: BaseModel, after: BaseModel, path: str) -> Iterator[Change]:
    for name in type(before).model_fields:
        here = f"{path}.{name}" if path else name
        yield from _of_values(getattr(before, name), getattr(after, name), here)


def _of_values(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, BaseModel) and type(before) is type(after):
        yield from _of_sections(before, after, path)
    elif isinstance(before, dict) and isinstance(after, dict):
        yield from _of_mappings(before, after, path)
    elif isinstance(before, tuple) and isinstance(after, tuple):
        yield from _of_lists(before, after, path)
    else:
        yield _change(path, before, after)


def _of_mappings(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Change]:
    for key in dict.fromkeys([*before, *after]):
        yield from _of_values(before.get(key), after.get(key), f"{path}.{key}")


def _of_lists(before: tuple[Any, ...], after: tuple[Any, ...], path: str) -> Iterator[Change]:
    """Entries that have names are compared by name, and their order apart; other lists as a whole, secrets never."""
    ours, theirs = _by_name(before), _by_name(after)
    if ours is None or theirs is None:
        yield _change(path, before, after)
        return
    for name in dict.fromkeys([*ours, *theirs]):
        yield from _of_values(ours.get(name), theirs.get(name), f"{path}[{name}]")
    order = [name for name in ours if name in theirs], [name for name in theirs if name in ours]
    if order[0] != order[1]:
        yield Change(path, _yaml(order[0]), _yaml(order[1]))


def _by_name(entries: tuple[Any, ...]) -> dict[str, Any] | None:
    """Entries by what tells them apart; None where nothing does."""
    for key in _NAMES:
        names = [getattr(entry, key, None) for entry in entries]
        named = {name: entry for name, entry in zip(names, entries, strict=True) if isinstance(name, str)}
        if len(named) == len(entries):
            return named
    return None


def _change(path: str, before: Any, after: Any) -> Change:
    ours, theirs = _shown(before, path), _shown(after, path)
    is_secret = {ours, theirs} <= {HIDDEN, None} or ours == theirs
    return Change(path, ours, theirs, is_secret)


def _shown(value: Any, path: str) -> str | None:
    """The value as YAML on one line, secrets replaced, what is left to its default left out."""
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return _shown_secret(value, path)
    if isinstance(value, BaseModel):
        return _yaml(_plain(value))
    return _yaml([_plain(entry) for entry in value] if isinstance(value, tuple) else hidden(value))


def _shown_secret(value: SecretStr, path: str) -> str:
    """A harmless header and the address of a proxy can be read; nothing else can."""
    *_, section, name = ("", *path.split("."))
    text = value.get_secret_value()
    if section in _HEADERS:
        return shown_headers({name: value})[name]
    return without_user(text) if name == "proxy" else HIDDEN


def _plain(value: Any) -> Any:
    """A section as plain values, by the same rules."""
    if not isinstance(value, BaseModel):
        return hidden(value)
    shown = hidden(value.model_dump(exclude_defaults=True))
    for key in _HEADERS & {*shown}:
        shown[key] = shown_headers(getattr(value, key))
    return shown


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1_000_000)
    return str(text).removesuffix("...\n").strip()
