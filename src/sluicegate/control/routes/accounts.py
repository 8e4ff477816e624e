"""Managers who log in with a password. No answer holds anything of a password."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Request, Response
from pydantic import ConfigDict, Field, SecretStr

from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.admin_keys import BOUNDS
from sluicegate.control.routes.body import Body, Identifier, Shown, moment
from sluicegate.control.routes.entity_tags import matching, tagged
from sluicegate.control.routes.paging import Listing, Paged, Search, cursor_page
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import accounts
from sluicegate.control.tenants.accounts import AccountFields
from sluicegate.control.tenants.actor import missing
from sluicegate.domain.tenants import Account

Role = Literal["root", "admin", "organization_admin", "viewer"]
Status = Literal["active", "suspended"]
Login = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._@+-]+$")]
"""Without a colon, which ends the name in RFC 7617."""
NewPassword = Annotated[SecretStr, Field(min_length=12, max_length=1024)]
"""Long rather than intricate (NIST SP 800-63B section 3.1.1.2)."""
OldPassword = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class AccountCreate(Body):
    """A new account. An organisation admin's needs the organisation, a viewer's may have one."""

    model_config = ConfigDict(json_schema_extra=BOUNDS)

    login: Login
    password: NewPassword
    role: Role
    org_id: Identifier | None = None


class AccountUpdate(Body):
    """What shall change of an account; what is not there stays."""

    password: NewPassword = SecretStr("")
    status: Status = "active"


class PasswordChange(Body):
    """One's own new password."""

    old_password: OldPassword
    password: NewPassword


class AccountShown(Shown):
    """An account."""

    account_id: str
    login: str
    role: Role
    org_id: str | None
    status: Status
    created_at: datetime
    updated_at: datetime


def shown(account: Account) -> AccountShown:
    """The form in which it is sent."""
    return AccountShown(
        account_id=account.id,
        login=account.login,
        role=account.role,
        org_id=account.organization_id,
        status=account.status,
        created_at=moment(account.created_at),
        updated_at=moment(account.updated_at),
    )


async def create_account(request: Request, body: AccountCreate, actor: Acting, context: Reached) -> Response:
    """Make one, of at most what one has oneself."""
    account = await accounts.create(
        context.tenancy,
        actor,
        login=body.login,
        password_hash=await context.passwords.hashed(body.password.get_secret_value()),
        role=body.role,
        organization_id=body.org_id,
    )
    location = f"{request.url.path}/{account.id}"
    return tagged(request, shown(account), account.version, status=201, location=location)


async def list_accounts(actor: Acting, context: Reached, page: Paged, search: Search = None) -> Listing[AccountShown]:
    """The accounts, oldest first."""
    records = await accounts.search(context.tenancy, actor, after=page.after, limit=page.wanted, text=search or None)
    return cursor_page(records, page, shown)


async def show_account(request: Request, account_id: str, actor: Acting, context: Reached) -> Response:
    """One account."""
    account = await accounts.find(context.tenancy, actor, account_id)
    return tagged(request, shown(account), account.version)


async def update_account(
    request: Request, account_id: str, body: AccountUpdate, actor: Acting, context: Reached
) -> Response:
    """Change what the body names. Role and organisation stay: whoever needs others gets another account."""
    fields = AccountFields()
    if "status" in body.model_fields_set:
        fields["status"] = body.status
    if "password" in body.model_fields_set:
        fields["password_hash"] = await context.passwords.hashed(body.password.get_secret_value())
    account = await accounts.change(context.tenancy, actor, account_id, fields, check=matching(request))
    return tagged(request, shown(account), account.version)


async def change_own_password(
    request: Request, account_id: str, body: PasswordChange, actor: Acting, context: Reached
) -> Response:
    """Change the password of the account one is logged in with; for any other, there is nothing here."""
    if not accounts.is_own(actor, account_id):
        raise missing("account", account_id)
    account = await accounts.find(context.tenancy, actor, account_id)
    if not await context.passwords.is_right(body.old_password.get_secret_value(), account.password_hash):
        raise ProblemError(HTTPStatus.FORBIDDEN, "The old password is not right.")
    fields = AccountFields(password_hash=await context.passwords.hashed(body.password.get_secret_value()))
    await accounts.change(context.tenancy, actor, account_id, fields, check=matching(request))
    return Response(status_code=204)


async def delete_account(request: Request, account_id: str, actor: Acting, context: Reached) -> Response:
    """Delete one: nobody logs in with it from now on."""
    await accounts.delete(context.tenancy, actor, account_id, check=matching(request))
    return Response(status_code=204)


ROUTES = (
    Route("POST", "/admin/accounts", "root", create_account, 201, AccountShown),
    Route("GET", "/admin/accounts", "root", list_accounts, 200, Listing[AccountShown]),
    Route("GET", "/admin/accounts/{account_id}", "root", show_account, 200, AccountShown),
    Route("PATCH", "/admin/accounts/{account_id}", "root", update_account, 200, AccountShown),
    Route("POST", "/admin/accounts/{account_id}/password", "viewer", change_own_password, 204),
    Route("DELETE", "/admin/accounts/{account_id}", "root", delete_account, 204),
)
