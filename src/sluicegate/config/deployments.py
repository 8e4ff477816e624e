"""A provider's settings → what the workers run on: one provider of the domain for each of its deployments. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import SecretStr

from sluicegate.config.addresses import parse_base
from sluicegate.config.schema import ProviderSettings, Resilience
from sluicegate.dialects.base import Dialect
from sluicegate.domain.snapshot import AllowRule, Circuit, Concurrency, Provider, Timeouts

_INHERITED = ("base_url", "api_key", "region", "tags", "models", "max_connections", "proxy")
"""Settings of a deployment that take the place of the provider's where they are set."""


class Deployment(NamedTuple):
    """One of a provider's deployments, with the settings that hold for it. `name` is empty where there is just one."""

    name: str
    weight: int
    settings: ProviderSettings

    def id_of(self, provider: str) -> str:
        """What `Provider.id` will be."""
        return f"{provider}/{self.name}" if self.name else provider


def deployments_of(settings: ProviderSettings) -> tuple[Deployment, ...]:
    """All deployments, at least one, in the order of the file."""
    if settings.api_keys:
        return tuple(
            Deployment(f"key-{number}", 1, settings.model_copy(update={"api_key": key}))
            for number, key in enumerate(settings.api_keys, 1)
        )
    if not settings.deployments:
        return (Deployment("", 1, settings),)
    found: list[Deployment] = []
    for deployment in settings.deployments:
        own = {name: value for name in _INHERITED if (value := getattr(deployment, name)) is not None}
        update = own | {"headers": settings.headers | deployment.headers}
        found.append(Deployment(deployment.name, deployment.weight, settings.model_copy(update=update)))
    return tuple(found)


def compiled_provider(
    name: str,
    settings: ProviderSettings,
    *,
    resilience: Resilience,
    dialect: Dialect,
    proxies: Mapping[str, str | None],
) -> tuple[Provider, ...]:
    """Compile all deployments. `proxies` gives, by id, the environment's choice where none is set."""
    circuit = Circuit(**(settings.circuit or resilience.circuit).model_dump())
    concurrency = Concurrency(**(settings.concurrency or resilience.concurrency).model_dump())
    return tuple(
        _compiled(name, deployment, dialect, proxies, circuit, concurrency) for deployment in deployments_of(settings)
    )


def _compiled(
    name: str,
    deployment: Deployment,
    dialect: Dialect,
    proxies: Mapping[str, str | None],
    circuit: Circuit,
    concurrency: Concurrency,
) -> Provider:
    settings = deployment.settings
    base = parse_base(settings.base_url)
    place = _place(settings.credential)
    return Provider(
        name=name,
        dialect=settings.dialect,
        origin=base.origin,
        authority=base.authority,
        base_path=base.path,
        version_path=dialect.version_path(base.path),
        headers=_merged(_credential(settings.api_key, place, dialect), settings.headers),
        default_headers=_merged(dialect.default_headers(), settings.default_headers),
        caller_headers=tuple((header, tuple(facts.items())) for header, facts in settings.caller_headers.items()),
        price_headers=tuple((header, tuple(rates.items())) for header, rates in settings.price_headers.items()),
        allow=_allow(settings, dialect),
        timeouts=Timeouts(**settings.timeouts.model_dump()),
        max_connections=settings.max_connections,
        max_wait=settings.max_wait,
        ask_usage=settings.ask_usage,
        prompt_overhead=settings.prompt_overhead_tokens,
        verify_tls=settings.verify_tls,
        ca_file=settings.ca_file,
        proxy=_proxy(settings.proxy, proxies.get(deployment.id_of(name))),
        deployment=deployment.name,
        region=settings.region or "",
        tags=settings.tags,
        weight=deployment.weight,
        models=settings.models,
        circuit=circuit,
        concurrency=concurrency,
        credential=place,
    )


def _place(credential: str | None) -> tuple[str, str] | None:
    """`bearer`, `api-key` or `authorization Bearer` → the header, and what goes before the key in it."""
    if credential is None:
        return None
    header, space, word = ("authorization Bearer" if credential == "bearer" else credential).partition(" ")
    return header, word + space


def _credential(
    api_key: SecretStr | None, place: tuple[str, str] | None, dialect: Dialect
) -> tuple[tuple[str, str], ...]:
    if api_key is None:
        return ()
    if place is None:
        return dialect.credential_headers(api_key.get_secret_value())
    header, before = place
    return ((header, before + api_key.get_secret_value()),)


def _merged(ours: tuple[tuple[str, str], ...], configured: Mapping[str, SecretStr]) -> tuple[tuple[str, str], ...]:
    """Configured headers take the place of the dialect's of the same name."""
    kept = {name: value for name, value in ours if name not in configured}
    return tuple((kept | {name: value.get_secret_value() for name, value in configured.items()}).items())


def _allow(settings: ProviderSettings, dialect: Dialect) -> tuple[AllowRule, ...] | None:
    if settings.allow == "dialect":
        return dialect.allow
    if settings.allow == "all":
        return None
    return tuple(AllowRule(rule.methods, rule.path) for rule in settings.allow)


def _proxy(configured: SecretStr | None, from_environment: str | None) -> str | None:
    if configured is None:
        return from_environment
    text = configured.get_secret_value()
    return None if text == "none" else text
