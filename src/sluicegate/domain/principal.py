"""Who is calling and what they may do."""

from typing import Literal

from msgspec import Struct

from sluicegate.domain.limits import Limit


class Principal(Struct, frozen=True, omit_defaults=True):
    """A caller's token, resolved. Times are Unix seconds; empty `models`, `paths` and `request_headers` allow all."""

    token_id: str
    name: str = ""
    project_id: str = "prj_default"
    organization_id: str = "org_default"
    user_id: str | None = None
    prefix: str = ""
    expires_at: float | None = None
    """The first moment in which it is refused, for whichever reason comes first."""
    withers: bool = False
    """Whether `expires_at` moves with every use: whoever finds it passed must ask again before refusing."""
    is_active: bool = True
    is_spent: bool = False
    """Whether it is inactive because its `max_requests` were made."""
    model: str | None = None
    """What every request is answered by, whatever model it names."""
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Patterns as in `snapshot.AllowRule`: of the whole path with a leading slash, of an API's own path without."""
    request_headers: tuple[str, ...] = ()
    """Names, in lower case, of the header fields that may travel to a provider."""
    tags: tuple[str, ...] = ()
    credentials: tuple[tuple[str, str], ...] = ()
    """The project's own keys: provider and key, sent in place of the configured one. An empty key is one that cannot be
    used: such a request must be refused, not sent with another's key."""

    limits: tuple[Limit, ...] = ()
    """Every limit of the token, its user, project and organisation."""
    failure_mode: Literal["closed", "open"] = "closed"
    """What its organisation wants when the ledger cannot be asked: 503, or go on up to `fallback_daily_limit`."""
    fallback_daily_limit: int = 0
    """Nano-dollars a day."""
    body_share: float = 0.0
    """The share of its requests whose bodies are kept, from 0 to 1, where any are."""
    body_bytes: int = 0
    """Most bytes of each."""

    def __repr__(self) -> str:
        """Tell everything but the keys."""
        shown = [f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "credentials"]
        return f"Principal({', '.join(shown)}, credentials={[provider for provider, _ in self.credentials]})"
