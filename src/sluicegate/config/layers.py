"""What the environment and the command line lay over the file.

Rule 1. Flags override variables, variables override the file.
Rule 2. A known provider's key configures it, unless the file declares a provider of that name, or its address is not
        known: some need a variable more.
Rule 3. PROXY_TOKEN is the token `proxy`, unless the file declares that name or that secret.
Rule 4. With no file, the names of the two-provider LAN proxy are its whole configuration: see `is_lan_proxy`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluicegate.config.draft import Draft, Place
from sluicegate.config.environment import (
    CALLER_VARIABLE,
    KNOWN_PROVIDERS,
    NEVER_EMPTY,
    SETTING_VARIABLES,
)
from sluicegate.config.presets import Preset
from sluicegate.config.problem import Problem

ENVIRONMENT = "environment"
COMMAND_LINE = "command line"
EVENT_LOG_VARIABLE = "SLUICEGATE_FILE_EVENT_LOG"
"""Variable that alone declares a file of events."""
EVENT_LOG_SINK = "file-event-log"
"""What that sink is called."""

_LAN_PROVIDERS = tuple(known for known in KNOWN_PROVIDERS if known.name in {"openai", "anthropic"})
_LAN_BASE_URLS = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
_LAN_REQUIRED = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", CALLER_VARIABLE)
_LAN_HOST, _LAN_PORT = "0.0.0.0", 33_000  # noqa: S104 - other machines of the network are whom it is for


@dataclass(frozen=True, slots=True)
class Demo:
    """A running mock provider, `http://127.0.0.1:PORT/v1`, and the token that may use it."""

    mock_url: str
    token: str

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"<Demo {self.mock_url}>"


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; None where it says nothing. `demo` takes the place of the file and all providers."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    data_dir: Path | None = None
    drain_seconds: float | None = None
    file_event_log: Path | None = None
    demo: Demo | None = None


def is_lan_proxy(environment: Mapping[str, str]) -> bool:
    """Whether the environment means the LAN proxy.

    True when both base URLs are set, or one and PROXY_TOKEN: so that whichever one of its five variables is missing,
    the start can name it instead of serving something else.
    """
    base_urls = sum(bool(environment.get(name)) for name in _LAN_BASE_URLS)
    return base_urls == 2 or (base_urls == 1 and bool(environment.get(CALLER_VARIABLE)))


def add_lan_proxy(draft: Draft, environment: Mapping[str, str]) -> None:
    """Configure the LAN proxy: both providers, every path and method, bodies as they are, on every interface."""
    for name in _LAN_REQUIRED:
        if not environment.get(name):
            others = ", ".join(other for other in _LAN_REQUIRED if other != name)
            message = (
                f"is required beside {others} when there is no configuration file; for one provider, set no base URL"
            )
            draft.problems.append(Problem(ENVIRONMENT, None, name, message))
    place = Place(ENVIRONMENT)
    draft.put(("server", "host"), _LAN_HOST, place)
    draft.put(("server", "port"), _LAN_PORT, place)
    for known in _LAN_PROVIDERS:
        if any(environment.get(name) for name in known.key_variables):
            _add_provider(draft, known, environment)
            draft.put(("providers", known.name, "allow"), "all", place)
            draft.put(("providers", known.name, "ask_usage"), value=False, place=place)


def add_known_providers(draft: Draft, environment: Mapping[str, str]) -> None:
    """Configure every known provider whose key is set and whose name is free."""
    declared = {location[-1] for location, _ in draft.find("providers", ...)}
    for known in KNOWN_PROVIDERS:
        has_key = any(environment.get(name) for name in known.key_variables)
        if known.name not in declared and has_key and _has_address(known, environment):
            _add_provider(draft, known, environment)


def add_proxy_token(draft: Draft, environment: Mapping[str, str]) -> None:
    """Declare PROXY_TOKEN as a token, unless the file did."""
    secret = environment.get(CALLER_VARIABLE)
    # Lists: what a file has there is not checked yet, and may be anything.
    names = [name for _, name in draft.find("tokens", ..., "name")]
    secrets = [token for _, token in draft.find("tokens", ..., "token")]
    if secret and "proxy" not in names and secret not in secrets:
        draft.append("tokens", {"name": "proxy", "token": secret}, Place(ENVIRONMENT, name=CALLER_VARIABLE))


def add_variables(draft: Draft, environment: Mapping[str, str]) -> None:
    """Override single settings from the environment; an empty variable counts as unset, but for a few."""
    for name, location in SETTING_VARIABLES:
        if environment.get(name) or (name in environment and name in NEVER_EMPTY):
            draft.put(location, environment[name], Place(ENVIRONMENT, name=name))


def add_overrides(draft: Draft, overrides: Overrides) -> None:
    """Override single settings from the command line."""
    flags = (
        ("--host", ("server", "host"), overrides.host),
        ("--port", ("server", "port"), overrides.port),
        ("--workers", ("server", "workers"), overrides.workers),
        ("--data-dir", ("data_dir",), None if overrides.data_dir is None else str(overrides.data_dir)),
        ("--drain-seconds", ("server", "drain_seconds"), overrides.drain_seconds),
    )
    for flag, location, value in flags:
        if value is not None:
            draft.put(location, value, Place(COMMAND_LINE, name=flag))


def add_file_event_log(draft: Draft, environment: Mapping[str, str], overrides: Overrides) -> None:
    """Declare the sink that the command line or the environment asks for. Sinks are a mapping already."""
    path, place = overrides.file_event_log, Place(COMMAND_LINE, name="--file-event-log")
    if path is None and environment.get(EVENT_LOG_VARIABLE):
        path, place = Path(environment[EVENT_LOG_VARIABLE]), Place(ENVIRONMENT, name=EVENT_LOG_VARIABLE)
    if path is not None:
        draft.put(("sinks", EVENT_LOG_SINK, "type"), "file", place)
        draft.put(("sinks", EVENT_LOG_SINK, "path"), str(path), place)


def add_demo(draft: Draft, demo: Demo) -> None:
    """Configure the mock provider in three dialects, and one token. The mock is on this machine: never by a proxy."""
    place = Place(COMMAND_LINE, name="--demo")
    root = demo.mock_url.rstrip("/").removesuffix("/v1")
    for name, dialect, base_url in (
        ("mock", "openai", f"{root}/v1"),
        ("mock-anthropic", "anthropic", root),
        ("mock-gemini", "gemini", root),
    ):
        provider = {"dialect": dialect, "base_url": base_url, "api_key": "mock-key", "proxy": "none"}
        draft.put(("providers", name), provider, place)
    draft.append("tokens", {"name": "demo", "token": demo.token}, place)


def _has_address(known: Preset, environment: Mapping[str, str]) -> bool:
    """Whether its base URL is known: as a whole, or with all that it is made of."""
    if known.base_url_variable and environment.get(known.base_url_variable):
        return True
    given = {parameter for parameter, variable in known.parameter_variables if environment.get(variable)}
    return given.issuperset(known.parameters)


def _add_provider(draft: Draft, known: Preset, environment: Mapping[str, str]) -> None:
    """Put a known provider's values into the draft, each under the name of its variable; its preset has the rest."""
    section = ("providers", known.name)
    key_variable = next(name for name in known.key_variables if environment.get(name))
    place = Place(ENVIRONMENT, name=key_variable)
    draft.put((*section, "preset"), known.name, place)
    draft.put((*section, "api_key"), environment[key_variable], place)
    if known.base_url_variable and environment.get(known.base_url_variable):
        base_url = environment[known.base_url_variable]
        if known.base_url_suffix:
            base_url = base_url.rstrip("/").removesuffix(known.base_url_suffix) + known.base_url_suffix
        draft.put((*section, "base_url"), base_url, Place(ENVIRONMENT, name=known.base_url_variable))
    for parameter, variable in known.parameter_variables:
        location = (*section, "parameters", parameter)
        draft.put(location, environment.get(variable), Place(ENVIRONMENT, name=variable))
    if known.version_variable and environment.get(known.version_variable):
        header = (*section, "default_headers", "anthropic-version")
        draft.put(header, environment[known.version_variable], Place(ENVIRONMENT, name=known.version_variable))
