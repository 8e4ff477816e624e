"""Managers' keys. The secret is in the answer that issues one, and nowhere else."""

from datetime import datetime
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import ConfigDict

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Body, Identifier, Moment, Name, Shown, milliseconds, moment
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.paging import IdentifierFilter, Listing, Paged, Search, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import admin_keys
from sluicegate.control.tenants.admin_keys import AdminKeyFields
from sluicegate.domain.tenants import AdminKey

Role = Literal["root", "admin", "organization_admin", "viewer"]


BOUNDS: dict[str, Any] = {
    "anyOf": [
        {"properties": {"role": {"enum": ["root", "admin"]}, "org_id": {"type": "null"}}},
        {
            "properties": {"role": {"const": "organization_admin"}, "org_id": {"type": "string"}},
            "required": ["org_id"],
        },
        {"properties": {"role": {"const": "viewer"}}},
    ]
}
"""Which roles are for one organisation, for OpenAPI; `tenants.admin_keys.require_may_give` sees to it."""


class AdminKeyCreate(Body):
    """A new key. An organisation admin's needs the organisation, a viewer's may have one."""

    model_config = ConfigDict(json_schema_extra=BOUNDS)

    name: Name
    role: Role
    org_id: Identifier | None = None
    expires_at: Moment | None = None


class AdminKeyUpdate(Body):
    """What shall change of a key; what is not there stays."""

    name: Name = ""
    status: Literal["active", "suspended"] = "active"
    expires_at: Moment | None = None


class AdminKeyShown(Shown):
    """A key. `admin_key` is masked, but in the answer that issues it."""

    key_id: str
    admin_key: str
    name: str
    role: Role
    org_id: str | None
    status: Literal["active", "suspended", "revoked"]
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None


def shown(key: AdminKey, *, secret: str | None = None) -> AdminKeyShown:
    """The form in which it is sent."""
    return AdminKeyShown(
        key_id=key.id,
        admin_key=secret or f"{key.prefix}…{key.last_four}",
        name=key.name,
        role=key.role,
        org_id=key.organization_id,
        status=key.status,
        expires_at=moment(key.expires_at),
        created_at=moment(key.created_at),
        updated_at=moment(key.updated_at),
        last_used_at=moment(key.last_used_at),
    )


async def create_admin_key(request: Request, body: AdminKeyCreate, actor: Acting, context: Reached) -> Response:
    """Make one, of at most what one has oneself."""
    issued = await admin_keys.create(
        context.tenancy,
        actor,
        name=body.name,
        role=body.role,
        organization_id=body.org_id,
        expires_at=milliseconds(body.expires_at),
    )
    key = issued.key
    location = f"{request.url.path}/{key.id}"
    return tagged(request, shown(key, secret=issued.secret), key.version, status=201, location=location)


async def list_admin_keys(
    actor: Acting, context: Reached, page: Paged, org_id: IdentifierFilter = None, search: Search = None
) -> Listing[AdminKeyShown]:
    """The keys, oldest first, without their secrets."""
    records = await admin_keys.search(
        context.tenancy, actor, after=page.after, limit=page.wanted, organization_id=org_id, text=search or None
    )
    return cursor_page(records, page, shown)


async def show_admin_key(request: Request, admin_key_id: str, actor: Acting, context: Reached) -> Response:
    """One key."""
    key = await admin_keys.find(context.tenancy, actor, admin_key_id)
    return tagged(request, shown(key), key.version)


async def update_admin_key(
    request: Request, admin_key_id: str, body: AdminKeyUpdate, actor: Acting, context: Reached
) -> Response:
    """Change what the body names. Role and organisation stay: whoever needs others makes another key."""
    fields = AdminKeyFields()
    if "name" in body.model_fields_set:
        fields["name"] = body.name
    if "status" in body.model_fields_set:
        fields["status"] = body.status
    if "expires_at" in body.model_fields_set:
        fields["expires_at"] = milliseconds(body.expires_at)
    key = await admin_keys.change(context.tenancy, actor, admin_key_id, fields, check=matching(request))
    return tagged(request, shown(key), key.version)


async def delete_admin_key(request: Request, admin_key_id: str, actor: Acting, context: Reached) -> Response:
    """Delete one: it opens nothing from now on."""
    await admin_keys.delete(context.tenancy, actor, admin_key_id, check=matching(request))
    return Response(status_code=204)


ROUTES = (
    Route("POST", "/admin/admin-keys", "root", create_admin_key, 201, AdminKeyShown),
    Route("GET", "/admin/admin-keys", "root", list_admin_keys, 200, Listing[AdminKeyShown]),
    Route("GET", "/admin/admin-keys/{admin_key_id}", "root", show_admin_key, 200, AdminKeyShown),
    Route("PATCH", "/admin/admin-keys/{admin_key_id}", "root", update_admin_key, 200, AdminKeyShown),
    Route("DELETE", "/admin/admin-keys/{admin_key_id}", "root", delete_admin_key, 204),
)
