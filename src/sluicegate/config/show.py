"""What may be shown of a configuration, and what a restart is needed for."""

from typing import Any

import yaml
from pydantic import SecretStr

from sluicegate.config.addresses import without_user
from sluicegate.config.compile import Compiled

HIDDEN = "****"
"""In place of a secret."""

_SHOWN_HEADERS = frozenset(
    {"accept", "anthropic-beta", "anthropic-version", "content-type", "http-referer", "openai-beta"}
    | {"openai-organization", "openai-project", "user-agent", "x-title"}
)
"""Headers known to hold no credential. Any other might, whatever its name: its value is hidden."""

_RESTART = (
    *("server.host", "server.port", "server.workers", "server.tls"),
    *("data_dir", "database", "redis", "master_key", "key_file", "key_file_model"),
)


def redacted(compiled: Compiled) -> dict[str, Any]:
    """All settings as they are in force, defaults included, in the file's own shape; no secret in them."""
    shown: dict[str, Any] = _hidden(compiled.settings.model_dump())
    for provider in compiled.snapshot.providers:
        settings = compiled.settings.providers[provider.name]
        section = shown["providers"][provider.name]
        section["headers"] = _headers(settings.headers)
        section["default_headers"] = _headers(settings.default_headers)
        section["proxy"] = without_user(provider.proxy) if provider.proxy else "none"
    shown["defaults"] = dict(compiled.snapshot.defaults)
    return shown


def redacted_yaml(compiled: Compiled) -> str:
    """The same as YAML."""
    return str(yaml.safe_dump(redacted(compiled), sort_keys=False, allow_unicode=True))


def changes(old: Compiled, new: Compiled) -> tuple[str, ...]:
    """Settings that differ and need a restart to take effect; everything else a reload brings into force."""
    return tuple(path for path in _RESTART if _at(old, path) != _at(new, path))


def _at(compiled: Compiled, path: str) -> Any:
    value: Any = compiled.settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _headers(headers: dict[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() if name in _SHOWN_HEADERS else HIDDEN for name, value in headers.items()}


def _hidden(value: Any) -> Any:
    """Plain values, with every secret replaced."""
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item) for item in value]
    if isinstance(value, SecretStr):
        return HIDDEN
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
