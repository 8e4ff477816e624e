"""Projects: who may see, make, change and delete them."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypedDict

from msgspec.structs import replace
from pydantic import SecretStr

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.affected import digests_of
from sluicegate.control.tenants.credentials import put_credential
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.domain.tenants import DEFAULT_ORGANIZATION, DEFAULT_PROJECT, Project, Status
from sluicegate.store.database import Session


class ProjectFields(TypedDict, total=False):
    """What can be set."""

    name: str
    description: str
    status: Status
    metadata: dict[str, Any]
    model: str | None
    body_share: float
    body_bytes: int


def described(project: Project) -> dict[str, Any]:
    """As the audit log keeps it."""
    return {
        "project_id": project.id,
        "organization_id": project.organization_id,
        "name": project.name,
        "description": project.description,
        "status": project.status,
        "metadata": project.metadata,
        "model": project.model,
        "body_share": project.body_share,
        "body_bytes": project.body_bytes,
    }


def _told_to_workers(project: Project) -> tuple[object, ...]:
    """What workers know of it with each of its tokens."""
    return project.status, project.model, project.body_share, project.body_bytes


async def visible(session: Session, actor: Actor, project_id: str) -> Project:
    """Return one, in a transaction of the caller's. Raises ProblemError 404 where it is unknown or foreign."""
    project = await session.projects.get(project_id)
    if project is None or not actor.may_see(project.organization_id):
        raise missing("project", project_id)
    return project


async def find(tenancy: Tenancy, actor: Actor, project_id: str) -> Project:
    """Return one. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        return await visible(session, actor, project_id)


async def search(
    tenancy: Tenancy,
    actor: Actor,
    *,
    after: str | None,
    limit: int,
    organization_id: str | None = None,
    status: Status | None = None,
    text: str | None = None,
) -> list[Project]:
    """A page of those the actor may see; `text` is part of name or description. Raises ProblemError 404."""
    bound = actor.bounded(organization_id)
    async with tenancy.database.reading() as session:
        return await session.projects.list(after=after, limit=limit, search=text, organization_id=bound, status=status)


async def create(
    tenancy: Tenancy,
    actor: Actor,
    fields: ProjectFields,
    *,
    organization_id: str | None = None,
    provider_keys: Mapping[str, SecretStr] | None = None,
) -> Project:
    """Make one, in the actor's own organisation or the default one unless told otherwise, with its keys for providers.

    `fields` has at least `name`. Raises ProblemError 404 for an organisation that is unknown or foreign.
    """
    owner = actor.bounded(organization_id) or DEFAULT_ORGANIZATION
    async with tenancy.changing(actor) as transaction:
        if await transaction.session.organizations.get(owner) is None:
            raise missing("organization", owner)
        project = Project(
            id=tenancy.make_id("prj_"),
            organization_id=owner,
            created_at=transaction.at,
            updated_at=transaction.at,
            **fields,
        )
        await transaction.session.projects.add(project)
        await transaction.audit(
            "project.create",
            target_kind="project",
            target_id=project.id,
            organization_id=owner,
            before=None,
            after=described(project),
        )
        for provider, secret in (provider_keys or {}).items():
            await put_credential(transaction, tenancy, project, provider, secret.get_secret_value())
    return project


async def change(
    tenancy: Tenancy,
    actor: Actor,
    project_id: str,
    fields: ProjectFields,
    *,
    check: Callable[[int], None],
    provider_keys: Mapping[str, SecretStr] | None = None,
) -> Project:
    """Set some fields. `check` is given the stored version and raises where the change is for another one.

    Raises ProblemError 404, 412.
    """
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, project_id)
        check(before.version)
        after = replace(before, **fields, updated_at=transaction.at, version=before.version + 1)
        await transaction.session.projects.update(after)
        if _told_to_workers(after) != _told_to_workers(before):
            await transaction.forget(await digests_of(transaction.session, project_id=project_id))
        await transaction.audit(
            "project.update",
            target_kind="project",
            target_id=project_id,
            organization_id=before.organization_id,
            before=described(before),
            after=described(after),
        )
        for provider, secret in (provider_keys or {}).items():
            await put_credential(transaction, tenancy, after, provider, secret.get_secret_value())
    return after


async def delete(tenancy: Tenancy, actor: Actor, project_id: str, *, check: Callable[[int], None]) -> None:
    """Delete it with all its tokens and keys for providers. Raises ProblemError 404, 409, 412."""
    async with tenancy.changing(actor) as transaction:
        before = await visible(transaction.session, actor, project_id)
        check(before.version)
        if project_id == DEFAULT_PROJECT:
            raise ProblemError(HTTPStatus.CONFLICT, "The default project is always there; it can be suspended.")
        await transaction.forget(await digests_of(transaction.session, project_id=project_id))
        await transaction.session.projects.delete(project_id)
        await transaction.audit(
            "project.delete",
            target_kind="project",
            target_id=project_id,
            organization_id=before.organization_id,
            before=described(before),
            after=None,
        )
