"""Projects: `/manage/projects` as system D's clients know it, and the same as paged lists under `/admin/projects`.

A provider's key can be written with a project, and is never shown again.
"""

from datetime import datetime
from typing import Annotated, Literal, cast

from fastapi import Request, Response
from pydantic import Field

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.routes.body import Body, Identifier, Metadata, Name, Shown, Text, moment
from sluicegate.control.routes.credentials import Provider, Secret
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.paging import IdentifierFilter, Listing, Paged, Search, bare_page, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import projects
from sluicegate.control.tenants.projects import ProjectFields
from sluicegate.control.tenants.tokens import revoke_all
from sluicegate.domain.request_bodies import LARGEST_BODY, USUAL_BODY
from sluicegate.domain.tenants import Project

Status = Literal["active", "suspended"]
ProviderKeys = Annotated[
    dict[Provider, Secret], Field(max_length=32, json_schema_extra={"additionalProperties": False})
]
"""The project's own keys by provider."""
BodyShare = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
BodyBytes = Annotated[int, Field(ge=1, le=LARGEST_BODY)]


class ProjectCreate(Body):
    """A new project."""

    name: Name
    description: Text = ""
    metadata: Metadata = {}
    model: Name | None = None
    """What every request of its tokens is answered by, unless a token has a model of its own."""
    body_share: BodyShare = 0.0
    """The share of its requests whose bodies are kept, where the configuration has any kept."""
    body_bytes: BodyBytes = USUAL_BODY
    """Most bytes of each body."""
    organization_id: Identifier | None = None
    """Not set: the manager's own, or the default one."""
    provider_keys: ProviderKeys = {}


class ProjectUpdate(Body):
    """What shall change of a project; what is not there stays."""

    name: Name = ""
    description: Text = ""
    status: Status = "active"
    metadata: Metadata = {}
    model: Name | None = None
    body_share: BodyShare = 0.0
    body_bytes: BodyBytes = USUAL_BODY
    provider_keys: ProviderKeys = {}


class NamedProjectUpdate(ProjectUpdate):
    """The older form, which names the project in the body."""

    project_id: Identifier


class NamedProject(Body):
    """The older form, which names the project in the body."""

    project_id: Identifier


class ProjectShown(Shown):
    """A project."""

    project_id: str
    organization_id: str
    name: str
    description: str
    status: Status
    metadata: dict[str, object]
    model: str | None
    body_share: float
    body_bytes: int
    created_at: datetime
    updated_at: datetime


class Revoked(Shown):
    """How many tokens were revoked."""

    revoked: int


def shown(project: Project) -> ProjectShown:
    """The form in which it is sent."""
    return ProjectShown(
        project_id=project.id,
        organization_id=project.organization_id,
        name=project.name,
        description=project.description,
        status=project.status,
        metadata=project.metadata,
        model=project.model,
        body_share=project.body_share,
        body_bytes=project.body_bytes,
        created_at=moment(project.created_at),
        updated_at=moment(project.updated_at),
    )


async def create_project(request: Request, body: ProjectCreate, actor: Acting, context: Reached) -> Response:
    """Make one."""
    fields = ProjectFields(
        name=body.name,
        description=body.description,
        metadata=body.metadata,
        model=body.model,
        body_share=body.body_share,
        body_bytes=body.body_bytes,
    )
    project = await projects.create(
        context.tenancy, actor, fields, organization_id=body.organization_id, provider_keys=body.provider_keys
    )
    location = f"{request.url.path}/{project.id}"
    return tagged(request, shown(project), project.version, status=201, location=location)


async def list_projects(
    request: Request,
    actor: Acting,
    context: Reached,
    page: Paged,
    search: Search = None,
    organization_id: IdentifierFilter = None,
    status: Status | None = None,
) -> Response:
    """The projects, oldest first; the next page's cursor is in `x-next-cursor` and `Link`."""
    records = await projects.search(
        context.tenancy,
        actor,
        after=page.after,
        limit=page.wanted,
        organization_id=organization_id,
        status=status,
        text=search,
    )
    return bare_page(request, records, page, shown)


async def page_projects(
    actor: Acting,
    context: Reached,
    page: Paged,
    search: Search = None,
    organization_id: IdentifierFilter = None,
    status: Status | None = None,
) -> Listing[ProjectShown]:
    """The projects, oldest first."""
    records = await projects.search(
        context.tenancy,
        actor,
        after=page.after,
        limit=page.wanted,
        organization_id=organization_id,
        status=status,
        text=search,
    )
    return cursor_page(records, page, shown)


async def show_project(request: Request, project_id: str, actor: Acting, context: Reached) -> Response:
    """One project."""
    project = await projects.find(context.tenancy, actor, project_id)
    return tagged(request, shown(project), project.version)


async def update_project(
    request: Request, project_id: str, body: ProjectUpdate, actor: Acting, context: Reached
) -> Response:
    """Change what the body names."""
    return await _update(request, project_id, body, actor, context)


async def update_named_project(request: Request, body: NamedProjectUpdate, actor: Acting, context: Reached) -> Response:
    """Change what the body names, in the older form."""
    return await _update(request, body.project_id, body, actor, context)


async def delete_project(request: Request, project_id: str, actor: Acting, context: Reached) -> Response:
    """Delete it with its tokens."""
    await projects.delete(context.tenancy, actor, project_id, check=matching(request))
    return Response(status_code=204)


async def delete_named_project(request: Request, body: NamedProject, actor: Acting, context: Reached) -> Response:
    """Delete it with its tokens, in the older form."""
    await projects.delete(context.tenancy, actor, body.project_id, check=matching(request))
    return Response(status_code=204)


async def revoke_tokens_of_project(project_id: str, actor: Acting, context: Reached) -> Revoked:
    """Revoke all tokens of a project."""
    return Revoked(revoked=await revoke_all(context.tenancy, actor, project_id=project_id))


async def _update(request: Request, project_id: str, body: ProjectUpdate, actor: Acting, context: Reached) -> Response:
    given = body.model_dump(include=body.model_fields_set - {"project_id", "provider_keys"})
    project = await projects.change(
        context.tenancy,
        actor,
        project_id,
        cast("ProjectFields", given),
        check=matching(request),
        provider_keys=body.provider_keys,
    )
    return tagged(request, shown(project), project.version)


ROUTES = (
    Route("POST", "/manage/projects", "organization_admin", create_project, 201, ProjectShown),
    Route("GET", "/manage/projects", "viewer", list_projects, 200, list[ProjectShown]),
    Route("PATCH", "/manage/projects", "organization_admin", update_named_project, 200, ProjectShown),
    Route("DELETE", "/manage/projects", "organization_admin", delete_named_project, 204),
    Route("GET", "/manage/projects/{project_id}", "viewer", show_project, 200, ProjectShown),
    Route("PATCH", "/manage/projects/{project_id}", "organization_admin", update_project, 200, ProjectShown),
    Route("DELETE", "/manage/projects/{project_id}", "organization_admin", delete_project, 204),
    Route(
        "POST",
        "/manage/projects/{project_id}/tokens/revoke",
        "organization_admin",
        revoke_tokens_of_project,
        200,
        Revoked,
    ),
    Route("POST", "/admin/projects", "organization_admin", create_project, 201, ProjectShown),
    Route("GET", "/admin/projects", "viewer", page_projects, 200, Listing[ProjectShown]),
    Route("GET", "/admin/projects/{project_id}", "viewer", show_project, 200, ProjectShown),
    Route("PATCH", "/admin/projects/{project_id}", "organization_admin", update_project, 200, ProjectShown),
    Route("DELETE", "/admin/projects/{project_id}", "organization_admin", delete_project, 204),
)
