"""What may be shown of a configuration, and what a restart is needed for."""

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import SecretStr

from sluicegate.config.addresses import without_user
from sluicegate.config.compile import Compiled
from sluicegate.config.deployments import deployments_of

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
    "request_log.enabled",
)


def redacted(compiled: Compiled) -> dict[str, Any]:
    """All settings as they are in force, defaults included, in the file's own shape; no secret in them."""
    shown: dict[str, Any] = hidden(compiled.settings.model_dump())
    proxies = {provider.id: provider.proxy for provider in compiled.snapshot.providers}
    for name, settings in compiled.settings.providers.items():
        section = shown["providers"][name]
        section["headers"] = shown_headers(settings.headers)
        section["default_headers"] = shown_headers(settings.default_headers)
        if not settings.deployments:
            section["proxy"] = shown_proxy(proxies[deployments_of(settings)[0].id_of(name)])
            continue
        section["proxy"] = shown_proxy(settings.proxy.get_secret_value()) if settings.proxy else None
        for deployment, part in zip(settings.deployments, section["deployments"], strict=True):
            part["headers"] = shown_headers(deployment.headers)
            part["proxy"] = shown_proxy(proxies[f"{name}/{deployment.name}"])
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


def needs_restart(path: str) -> bool:
    """Whether a setting, or all settings below it, take effect only when the node is started anew."""
    return any(path == fixed or path.startswith(f"{fixed}.") for fixed in _RESTART)


def shown_proxy(proxy: str | None) -> str:
    """A proxy without its password."""
    return without_user(proxy) if proxy else "none"


def shown_headers(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    """Headers by name, hidden but for those known to hold no credential."""
    return {name: value.get_secret_value() if name in _SHOWN_HEADERS else HIDDEN for name, value in headers.items()}


def hidden(value: Any) -> Any:
    """Plain values, with every secret replaced."""
    if isinstance(value, dict):
        return {key: hidden(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item) for item in value]
    if isinstance(value, SecretStr):
        return HIDDEN
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
