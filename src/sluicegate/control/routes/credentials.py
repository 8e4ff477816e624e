"""Projects' own keys for providers: written, never read back."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Request, Response
from pydantic import Field, SecretStr

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.body import Body, Shown, moment
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import credentials
from sluicegate.domain.tenants import ProviderCredential

Provider = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Secret = Annotated[
    SecretStr,
    Field(min_length=credentials.SHORTEST, max_length=credentials.LONGEST, json_schema_extra={"pattern": r"^[!-~]+$"}),
]


class CredentialSet(Body):
    """A project's key for a provider, in place of an earlier one."""

    api_key: Secret


class CredentialCreate(CredentialSet):
    """The same, with the provider in the body."""

    provider: Provider


class CredentialShown(Shown):
    """What may be known of a key; `last_four` is empty for one that is so short that they would give it away."""

    credential_id: str
    project_id: str
    provider: str
    last_four: str
    created_at: datetime
    updated_at: datetime


class Credentials(Shown):
    """A project's keys: at most one for a provider, so that all fit one page."""

    data: list[CredentialShown]
    next_cursor: None


def shown(credential: ProviderCredential) -> CredentialShown:
    """The form in which it is sent: nothing that would help to use it."""
    return CredentialShown(
        credential_id=credential.id,
        project_id=credential.project_id,
        provider=credential.provider,
        last_four=credential.last_four,
        created_at=moment(credential.created_at),
        updated_at=moment(credential.updated_at),
    )


async def create_credential(
    request: Request, project_id: str, body: CredentialCreate, actor: Acting, context: Reached
) -> Response:
    """Give a project a key for a provider that it has none for; PUT replaces one."""

    def refuse(version: int) -> None:
        del version  # It is refused in whatever version it is there.
        detail = f"The project has a key for {body.provider}: PUT …/{body.provider} replaces it."
        raise ProblemError(HTTPStatus.CONFLICT, detail)

    credential = await credentials.set_credential(
        context.tenancy, actor, project_id, body.provider, body.api_key.get_secret_value(), check=refuse
    )
    location = f"{request.url.path}/{credential.provider}"
    return tagged(request, shown(credential), credential.version, status=201, location=location)


async def set_credential(
    request: Request, project_id: str, provider: str, body: CredentialSet, actor: Acting, context: Reached
) -> Response:
    """Set a project's key for a provider; an earlier one is replaced."""
    credential = await credentials.set_credential(
        context.tenancy,
        actor,
        project_id,
        provider,
        body.api_key.get_secret_value(),
        check=matching(request),
        must_exist="if-match" in request.headers,
    )
    return tagged(request, shown(credential), credential.version)


async def list_credentials(project_id: str, actor: Acting, context: Reached) -> Credentials:
    """For which providers a project has keys of its own."""
    found = await credentials.list_credentials(context.tenancy, actor, project_id)
    return Credentials(data=[shown(credential) for credential in found], next_cursor=None)


async def delete_credential(
    request: Request, project_id: str, provider: str, actor: Acting, context: Reached
) -> Response:
    """Delete a project's key for a provider: the gateway's own is used from now on."""
    await credentials.delete_credential(context.tenancy, actor, project_id, provider, check=matching(request))
    return Response(status_code=204)


_ALL = "/admin/projects/{project_id}/provider-credentials"
_ONE = _ALL + "/{provider}"

ROUTES = (
    Route("POST", _ALL, "organization_admin", create_credential, 201, CredentialShown),
    Route("GET", _ALL, "viewer", list_credentials, 200, Credentials),
    Route("PUT", _ONE, "organization_admin", set_credential, 200, CredentialShown),
    Route("DELETE", _ONE, "organization_admin", delete_credential, 204),
)
