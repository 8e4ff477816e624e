"""What the database says of the owners of tokens that files declare: limits, budgets, failure mode, model and keys.

Rule. Of several on the same metric and window of one scope the first counts, as for issued tokens (`bounds`): one that
      was set as such in the database, then a field of an owner there, then what the file says of the token, then a
      default. What no owner in the database says is as the file has it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sluicegate.control.tenants import bounds
from sluicegate.domain.default_limits import Defaults, first_of_each
from sluicegate.domain.limits import Limit, Scope
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Organization, Project, User
from sluicegate.store.database import Session

_NONE: Final = Defaults()
"""A declared token has those of the configuration already."""
_WIDEST_FIRST: Final[tuple[Scope, ...]] = ("organization", "project", "user", "token")


class Said(Struct, frozen=True):
    """What the database says of one declared token and its owners, `owners` by id.

    `user_organization` is that of its user, whose calendar the user's budget is of; it need not be the token's.
    `credentials` are its project's own provider keys, as `Principal` has them.
    """

    owners: tuple[str, ...]
    limits: tuple[Limit, ...] = ()
    organization: Organization | None = None
    user_organization: str | None = None
    project: Project | None = None
    credentials: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Tell of whom; never the keys."""
        return f"<Said {self.owners}>"

    def of(self, principal: Principal) -> Principal:
        """The token with what is said of it; as its file has it, where that names others by now."""
        if self.owners != owners_of(principal):
            return principal
        merged = first_of_each(self.limits, principal.limits)
        principal = replace(principal, limits=tuple(sorted(merged, key=lambda one: _WIDEST_FIRST.index(one.scope))))
        if self.project is not None:
            model = self.project.model if principal.model is None else principal.model
            principal = replace(principal, model=model, credentials=self.credentials)
        if self.project is not None and self.project.body_share:
            principal = replace(principal, body_share=self.project.body_share, body_bytes=self.project.body_bytes)
        if self.organization is None:
            return principal
        return replace(
            principal,
            failure_mode=self.organization.failure_mode,
            fallback_daily_limit=self.organization.fallback_daily_limit or 0,
        )


def owners_of(principal: Principal) -> tuple[str, ...]:
    """Its organisation, project and user, and itself."""
    owners = (principal.organization_id, principal.project_id, principal.user_id, principal.token_id)
    return tuple(owner for owner in owners if owner)


async def said_of(session: Session, principals: Collection[Principal]) -> list[Said]:
    """What is said of each of these, in their order; a few queries for all of them."""
    owners = {owner for principal in principals for owner in owners_of(principal)}
    explicit = await bounds.explicit_of_scopes(session, owners)
    users = await session.users.some(_present(principal.user_id for principal in principals))
    of_users = {user.organization_id for user in users.values()}
    organizations = await session.organizations.some(of_users | {principal.organization_id for principal in principals})
    projects = await session.projects.some(_present(principal.project_id for principal in principals))
    return [
        replace(_said(principal, explicit, users, organizations), project=projects.get(principal.project_id))
        for principal in principals
    ]


def _said(
    principal: Principal,
    explicit: bounds.Explicit,
    users: Mapping[str, User],
    organizations: Mapping[str, Organization],
) -> Said:
    organization = organizations.get(principal.organization_id)
    user = None if principal.user_id is None else users.get(principal.user_id)
    limits = [bounds.limit_of(record) for owner in owners_of(principal) for record in explicit.get(owner, ())]
    if organization is not None:
        budget, zone = organization.monthly_budget, organization.time_zone
        limits += bounds.organization_limits(organization.id, budget, zone, explicit={}, defaults=_NONE)
    if user is not None:
        zone = organizations[user.organization_id].time_zone
        limits += bounds.user_limits(user.id, user.monthly_limit, zone, explicit={}, defaults=_NONE)
    return Said(
        owners_of(principal),
        first_of_each(limits),
        organization,
        None if user is None else user.organization_id,
    )


def _present(values: Iterable[str | None]) -> set[str]:
    return {value for value in values if value is not None}
