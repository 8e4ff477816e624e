"""Who asks for a change, and which organisations they may see."""

from http import HTTPStatus
from typing import Literal

from msgspec import Struct

from sluicegate.control.problems import ProblemError
from sluicegate.domain.tenants import Role

ActorKind = Literal["root", "admin_key", "account", "system"]

RANKS: dict[Role, int] = {"viewer": 0, "organization_admin": 1, "admin": 2, "root": 3}
"""Who may do what somebody below may, and more."""


class Actor(Struct, frozen=True):
    """A manager. `organization_id` is the one organisation that is theirs; None where all are.

    `address` is the client's as the worker saw it; it and the request's id are for the audit log.
    """

    kind: ActorKind
    id: str
    role: Role
    organization_id: str | None = None
    address: str = ""
    request_id: str = ""
    claim: tuple[str, str] | None = None
    """Idempotency key and scope of the request: a change marks it as carried out in its own transaction."""

    def is_at_least(self, role: Role) -> bool:
        """Whether the role includes this one."""
        return RANKS[self.role] >= RANKS[role]

    def may_see(self, organization_id: str) -> bool:
        """Whether this organisation's objects exist for them."""
        return self.organization_id is None or self.organization_id == organization_id

    def bounded(self, organization_id: str | None) -> str | None:
        """The organisation a list is about: the one asked for, else their own, else all (None).

        Raises ProblemError 404 where they ask for somebody else's.
        """
        if organization_id is None:
            return self.organization_id
        if not self.may_see(organization_id):
            raise missing("organization", organization_id)
        return organization_id

    def require_all_organizations(self) -> None:
        """Raise ProblemError 403 where they are bounded to one: for what belongs to no organisation."""
        if self.organization_id is not None:
            raise ProblemError(HTTPStatus.FORBIDDEN, "This is for managers of all organizations.")


def missing(kind: str, identifier: str) -> ProblemError:
    """404, in the same words for what is not there and for what is not theirs."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"There is no {kind} {identifier!r}.")
