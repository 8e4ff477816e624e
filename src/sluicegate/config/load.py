"""File, environment and flags → a compiled configuration, or every problem at once. Reads files, changes nothing.

A caller that reloads keeps what it has when ConfigurationError is raised.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from sluicegate.config import layers
from sluicegate.config.addresses import parse_base
from sluicegate.config.compile import Compiled, compile_settings
from sluicegate.config.deployments import deployments_of
from sluicegate.config.document import parse
from sluicegate.config.draft import Draft, Place
from sluicegate.config.inheritance import add_presets, add_resilience
from sluicegate.config.layers import ENVIRONMENT, Overrides
from sluicegate.config.problem import ConfigurationError, Location, Problem
from sluicegate.config.proxies import ProxyVariableError, proxy_for
from sluicegate.config.schema import Settings
from sluicegate.config.sinks import add_sinks
from sluicegate.config.source import named_file
from sluicegate.config.validate import validate
from sluicegate.dialects.base import Dialect
from sluicegate.domain.plugins import GROUP
from sluicegate.domain.snapshot import Origin

_LARGEST_FILE = 1_048_576
"""Bytes. A path by mistake, such as a device, must not fill the memory."""


def installed_plugins() -> Sequence[str]:
    """The names of all plugins of all installed packages; none is imported for that."""
    return [one.name for one in entry_points(group=GROUP)]


def load(
    path: Path | None,
    environment: Mapping[str, str],
    overrides: Overrides,
    *,
    dialects: Mapping[str, Dialect],
    version: int = 1,
    plugins: Callable[[], Sequence[str]] = installed_plugins,
) -> Compiled:
    """Load the configuration. `path` None means SLUICEGATE_CONFIG, or no file; `plugins` as `installed_plugins`.

    Raises ConfigurationError.
    """
    draft = _draft(named_file(path, environment), environment, overrides)
    settings = validate(draft, dialects=frozenset(dialects))
    proxies = _proxies(draft, settings, environment)
    _check_files(draft, settings)
    _check_loop(draft, settings)
    if settings.plugins:
        _check_plugins(draft, settings, plugins())
    if draft.problems:
        raise ConfigurationError(draft.problems)
    return compile_settings(settings, dialects=dialects, proxies=proxies, version=version)


def read_text(path: str) -> str:
    """Text of a file. Raises OSError, or ValueError where it is not UTF-8 or too large."""
    with open(path, "rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ValueError("the file is too large")
    return content.decode("utf-8-sig")


def _draft(path: Path | None, environment: Mapping[str, str], overrides: Overrides) -> Draft:
    """Lay the sources over each other, the strongest last, and fill in what they leave to others."""
    draft = Draft(Place(str(path) if path else ENVIRONMENT))
    if overrides.demo is not None:
        layers.add_demo(draft, overrides.demo)
    elif path is not None:
        _add_file(draft, path, environment)
        layers.add_known_providers(draft, environment)
        layers.add_proxy_token(draft, environment)
    elif layers.is_lan_proxy(environment):
        layers.add_lan_proxy(draft, environment)
        layers.add_proxy_token(draft, environment)
    else:
        layers.add_known_providers(draft, environment)
        layers.add_proxy_token(draft, environment)
    layers.add_variables(draft, environment)
    layers.add_overrides(draft, overrides)
    add_presets(draft)
    add_resilience(draft)
    add_sinks(draft, environment)
    layers.add_file_event_log(draft, environment, overrides)
    return draft


def _add_file(draft: Draft, path: Path, environment: Mapping[str, str]) -> None:
    name = str(path)
    try:
        text = read_text(name)
    except OSError as error:
        raise ConfigurationError([Problem(name, None, "", f"cannot be read: {error.strerror}")]) from None
    except ValueError:
        raise ConfigurationError([Problem(name, None, "", "is not UTF-8 text of at most 1 MiB")]) from None
    draft.add_document(parse(text, file=name), file=name, environment=environment, read_file=read_text)


def _proxies(draft: Draft, settings: Settings, environment: Mapping[str, str]) -> dict[str, str | None]:
    """What the environment's proxy variables say for each deployment that leaves it to them, by its id."""
    proxies: dict[str, str | None] = {}
    for name, provider in settings.providers.items():
        for deployment in deployments_of(provider):
            if deployment.settings.proxy is not None:
                continue
            try:
                proxy = proxy_for(parse_base(deployment.settings.base_url).origin, environment)
            except ProxyVariableError as error:
                message = f"{error}; set proxy: none for providers.{name}, or except its host in NO_PROXY"
                draft.problems.append(Problem(ENVIRONMENT, None, error.variable, message))
            else:
                proxies[deployment.id_of(name)] = proxy
    return proxies


def _check_files(draft: Draft, settings: Settings) -> None:
    """Files named in settings can be read, so that `check` finds out and not the first request."""
    named = [(("providers", name, "ca_file"), provider.ca_file) for name, provider in settings.providers.items()]
    if settings.server.tls:
        named.append((("server", "tls", "certificate"), settings.server.tls.certificate))
        named.append((("server", "tls", "key"), settings.server.tls.key))
    for location, path in named:
        if path is None:
            continue
        try:
            read_text(path)
        except OSError as error:
            draft.report(location, f"cannot read {path}: {error.strerror}")
        except ValueError:
            draft.report(location, f"{path} is no PEM file")


def _check_loop(draft: Draft, settings: Settings) -> None:
    """No provider is the gateway itself: a shell set up for its clients often names it in OPENAI_BASE_URL."""
    server = settings.server
    here = {server.host, "127.0.0.1", "localhost", "::1"}
    own = {Origin("https" if server.tls else "http", host, server.port) for host in here}
    for name, provider in settings.providers.items():
        for index, deployment in enumerate(deployments_of(provider)):
            if parse_base(deployment.settings.base_url).origin in own:
                location: Location = ("providers", name, "base_url")
                if [*draft.find("providers", name, "deployments", index, "base_url")]:
                    location = ("providers", name, "deployments", index, "base_url")
                draft.report(location, "is the address this gateway itself listens on")


def _check_plugins(draft: Draft, settings: Settings, installed: Sequence[str]) -> None:
    """Each plugin is installed, by one package; whether it can be loaded is seen by the workers."""
    for index, name in enumerate(settings.plugins):
        count = installed.count(name)
        if not count:
            known = ", ".join(sorted(set(installed))) or "there are none"
            draft.report(("plugins", index), f"no installed package has the plugin {name!r}; installed: {known}")
        elif count > 1:
            draft.report(("plugins", index), f"{count} installed packages have a plugin {name!r}; remove all but one")
