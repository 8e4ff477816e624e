"""Managers who ask use cases directly, and what the audit log says of them."""

from sluicegate.control.tenants.actor import Actor
from sluicegate.domain.tenants import AuditEntry
from tests.control.api import Api

ROOT = Actor("root", "root", "root", None, "192.0.2.7", "req_test")
ADMIN = Actor("admin_key", "adm_all", "admin", None, "192.0.2.7", "req_test")
OWN = Actor("admin_key", "adm_own", "organization_admin", "org_own", "192.0.2.7", "req_test")
OWN_VIEWER = Actor("admin_key", "adm_view", "viewer", "org_own", "192.0.2.7", "req_test")
VIEWER = Actor("admin_key", "adm_view_all", "viewer", None, "192.0.2.7", "req_test")


def unchecked(version: int) -> None:
    """A change for whatever version."""


def entries(api: Api) -> list[AuditEntry]:
    """The audit log, oldest first."""

    async def read() -> list[AuditEntry]:
        async with api.database.reading() as session:
            return (await session.audit.list(limit=1000))[::-1]

    return api.run(read())


def actions(api: Api) -> list[str]:
    """What was done, oldest first."""
    return [entry.action for entry in entries(api)]
