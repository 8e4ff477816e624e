"""Settings → what the processes run on: a snapshot for the workers, the rest for supervisor and control. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace
from pydantic import SecretStr

from sluicegate.config.aliases import compiled_models
from sluicegate.config.deployments import compiled_provider
from sluicegate.config.schema import Admin, LimitDefaults, LimitSettings, Settings, TokenSettings
from sluicegate.dialects.base import Dialect
from sluicegate.domain.default_limits import Defaults, Terms, with_defaults
from sluicegate.domain.limits import Limit, Scope, window_of
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import ClientBounds, Retries, Snapshot
from sluicegate.domain.tokens import digest

_SHOWN_PREFIX = 6
_LONG_ENOUGH_TO_SHOW = 20
"""Characters, as in `domain.tokens.masked`: of a shorter token, a prefix would give too much away."""


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """How the node is set up; all of it takes a restart to change. Paths are relative to the working directory."""

    host: str
    port: int
    workers: int
    data_dir: Path
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Compiled:
    """A configuration ready to run. Only digests of tokens are in it; providers' credentials are, in `snapshot`.

    `tokens` maps the SHA-256 digest of a declared token to whom it stands for. `management_digest` is that of the
    management token, `admin_digest` that of `user:password` of the configured administrator, `metrics_digest` that of
    the token that reads the metrics; each None without one.
    `limit_defaults` bound whoever has no other limits; those of declared tokens have them already.
    """

    settings: Settings
    server: ServerPlan
    snapshot: Snapshot
    tokens: Mapping[bytes, Principal]
    management_digest: bytes | None
    limit_defaults: Defaults = field(default_factory=Defaults)
    admin_digest: bytes | None = None
    metrics_digest: bytes | None = None

    @property
    def is_managed(self) -> bool:
        """Whether the configuration lets anybody manage; without, only keys and accounts made before can."""
        return self.management_digest is not None or self.admin_digest is not None

    def __repr__(self) -> str:
        """Tell how much is configured; nothing that could be a secret."""
        snapshot = self.snapshot
        return (
            f"<Compiled version={snapshot.version} providers={[provider.id for provider in snapshot.providers]}"
            f" models={len(snapshot.models)} tokens={len(self.tokens)}>"
        )


def compile_settings(
    settings: Settings, *, dialects: Mapping[str, Dialect], proxies: Mapping[str, str | None], version: int = 1
) -> Compiled:
    """Compile checked settings. `proxies` gives, by `Provider.id`, the environment's choice where none is set."""
    providers = tuple(
        compiled
        for name, provider in settings.providers.items()
        for compiled in compiled_provider(
            name, provider, resilience=settings.resilience, dialect=dialects[provider.dialect], proxies=proxies
        )
    )
    first = {provider.dialect: provider.name for provider in reversed(providers)}
    snapshot = Snapshot(
        version=version,
        providers=providers,
        models=compiled_models(settings.models),
        defaults=first | settings.defaults,
        bounds=ClientBounds(**settings.server.limits.model_dump()),
        cors_origins=settings.server.cors.origins,
        cors_seconds=settings.server.cors.max_age_seconds,
        drain_seconds=settings.server.drain_seconds,
        authentication_grace=settings.authentication_grace,
        limit_wait=settings.limits.wait,
        retries=Retries(**settings.resilience.retries.model_dump()),
        unknown_price=settings.limits.unknown_price,
        plugins=settings.plugins,
        keeps_bodies=settings.request_log.enabled and settings.request_log.bodies.enabled,
    )
    default_limits = _default_limits(settings.limits.defaults)
    tokens = {_digest(token.token): _principal(token, default_limits) for token in settings.tokens}
    management = settings.management_token
    return Compiled(
        settings=settings,
        server=_server(settings),
        snapshot=snapshot,
        tokens=MappingProxyType(tokens),
        limit_defaults=default_limits,
        management_digest=_digest(management) if management else None,
        admin_digest=_admin_digest(settings.admin) if settings.admin else None,
        metrics_digest=_digest(settings.metrics.token) if settings.metrics.token else None,
    )


def token_id(name: str) -> str:
    """The id of a declared token: the same for the same name, on every node and after every restart."""
    return f"tok_{sha256(f'declared {name}'.encode()).hexdigest()[:28]}"


def _server(settings: Settings) -> ServerPlan:
    server = settings.server
    return ServerPlan(
        host=server.host,
        port=server.port,
        workers=server.workers,
        data_dir=Path(settings.data_dir),
        certificate=Path(server.tls.certificate) if server.tls else None,
        key=Path(server.tls.key) if server.tls else None,
    )


def bounded(principal: Principal, limits: Iterable[Limit], defaults: Defaults) -> Principal:
    """A declared token with these limits of its own, and the defaults that hold for it and its owners."""
    scopes: dict[Scope, str] = {"organization": principal.organization_id, "project": principal.project_id}
    if principal.user_id is not None:
        scopes["user"] = principal.user_id
    scopes["token"] = principal.token_id
    return replace(principal, limits=with_defaults(limits, defaults, scopes))


def _default_limits(settings: LimitDefaults) -> Defaults:
    return Defaults(
        organizations=tuple(map(_terms, settings.organizations)),
        projects=tuple(map(_terms, settings.projects)),
        users=tuple(map(_terms, settings.users)),
        tokens=tuple(map(_terms, settings.tokens)),
    )


def _terms(settings: LimitSettings) -> Terms:
    return Terms(settings.metric, window_of(settings.window), settings.amount(), settings.enforcement)


def _principal(token: TokenSettings, defaults: Defaults) -> Principal:
    secret = token.token.get_secret_value()
    default = Principal(token_id="")
    principal = Principal(
        token_id=token_id(token.name),
        name=token.name,
        project_id=_owner_id("prj_", token.project) or default.project_id,
        organization_id=_owner_id("org_", token.organization) or default.organization_id,
        user_id=_owner_id("usr_", token.user),
        prefix=secret[:_SHOWN_PREFIX] if len(secret) >= _LONG_ENOUGH_TO_SHOW else "",
        expires_at=token.expires_at.timestamp() if token.expires_at else None,
        is_active=token.active,
        model=token.model,
        models=token.models,
        tags=token.tags,
    )
    return bounded(principal, [_terms(limit).of("token", principal.token_id) for limit in token.limits], defaults)


def _owner_id(prefix: str, name: str | None) -> str | None:
    """An id as it is, a name with the prefix of its kind."""
    return name if name is None or name.startswith(prefix) else prefix + name


def _admin_digest(admin: Admin) -> bytes:
    """Of both together, as HTTP Basic sends them (RFC 7617 section 2)."""
    return digest(f"{admin.user}:{admin.password.get_secret_value()}".encode())


def _digest(secret: SecretStr) -> bytes:
    return digest(secret.get_secret_value().encode())
