"""The settings as a list, read off the schema: for suggestions, for the JSON Schema and for documents."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sluicegate.config.problem import Location
from sluicegate.config.schema import Settings

NAME = "<name>"
"""Stands in a path for a name that the operator chooses."""

_Schema = dict[str, Any]

_FORMATS = {"password": "secret", "date-time": "time"}
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "string": "text",
    "array": "list",
    "object": "mapping",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `providers.<name>.timeouts.connect`, `models[].name`. `default` is None where it is `required`."""

    path: str
    kind: str
    default: Any
    is_required: bool
    description: str


@cache
def _root() -> _Schema:
    return Settings.model_json_schema()


@cache
def settings_reference() -> tuple[Setting, ...]:
    """Every setting, in the order of the schema; sections come before what they hold."""
    return tuple(_settings(_root(), _root(), ""))


def keys_at(location: Location) -> tuple[str, ...]:
    """Names of the settings that a mapping at `location` may hold; none where the operator chooses them."""
    schema = root = _root()
    for part in location:
        schema = _resolved(schema, root)
        if isinstance(part, int):
            schema = schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(part) or schema.get("additionalProperties") or {}
    return tuple(_resolved(schema, root).get("properties", ()))


def paths_ending_in(key: str) -> tuple[str, ...]:
    """Paths of the settings of this name, wherever they stand."""
    return tuple(setting.path for setting in settings_reference() if setting.path.rpartition(".")[2] == key)


def json_schema() -> _Schema:
    """JSON Schema 2020-12 of the file, for editors. Numbers and truth values may also be references."""
    schema = _with_references(_root())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Sluicegate configuration"}


def _settings(schema: _Schema, root: _Schema, prefix: str) -> Iterator[Setting]:
    schema = _resolved(schema, root)
    required = schema.get("required", ())
    for name, declared in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        inner = _resolved(declared, root)
        description = " ".join(str(declared.get("description") or inner.get("description", "")).split())
        yield Setting(path, _kind(declared, root), declared.get("default"), name in required, description)
        if "properties" in inner:
            yield from _settings(inner, root, path)
        elif isinstance(inner.get("additionalProperties"), dict):
            yield from _settings(inner["additionalProperties"], root, f"{path}.{NAME}")
        elif "items" in inner:
            yield from _settings(inner["items"], root, f"{path}[]")


def _options(schema: _Schema) -> list[_Schema]:
    """The alternatives of a value other than null, if there are any."""
    options: list[_Schema] = schema.get("anyOf") or schema.get("oneOf") or []
    return [option for option in options if option.get("type") != "null"]


def _resolved(schema: _Schema, root: _Schema) -> _Schema:
    """Follow a reference; of alternatives take the last, which is the richest (a word or a list)."""
    options = _options(schema)
    if options:
        return _resolved(options[-1], root)
    if "$ref" in schema:
        target: _Schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
        return target
    return schema


def _kind(schema: _Schema, root: _Schema) -> str:
    """What a value is, in an operator's words."""
    options = _options(schema)
    if options:
        return " or ".join(_kind(option, root) for option in options)
    schema = _resolved(schema, root)
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if "properties" in schema:
        return "section"
    return _FORMATS.get(schema.get("format", "")) or _TYPES[schema["type"]]


def _with_references(schema: Any) -> Any:
    """Let every number and truth value also be a text that holds `${…}`."""
    if isinstance(schema, list):
        return [_with_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    widened = {key: _with_references(value) for key, value in schema.items()}
    # A setting may be called `type`, too.
    if schema.get("type") not in ("integer", "number", "boolean"):
        return widened
    about = {key: widened.pop(key) for key in ("title", "description", "default") if key in widened}
    return about | {"anyOf": [widened, {"type": "string", "pattern": r"\$\{.+\}"}]}
