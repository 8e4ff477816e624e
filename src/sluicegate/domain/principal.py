"""Who is calling and what they may do."""

from msgspec import Struct


class Principal(Struct, frozen=True, omit_defaults=True):
    """A caller's token, resolved. Times are Unix seconds; empty `models` allow all."""

    token_id: str
    name: str = ""
    project_id: str = "prj_default"
    organization_id: str = "org_default"
    user_id: str | None = None
    prefix: str = ""
    expires_at: float | None = None
    is_active: bool = True
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
