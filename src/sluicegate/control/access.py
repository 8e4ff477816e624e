"""Who asks, and whether they may: managers by key, management token or password; callers by their own token.

Rule 1. Only digests of keys are compared or looked up, so that neither timing nor what is stored helps a guess: a
        digest, sent as a credential, is digested once more.
Rule 2. Whose credential is not known gets 401; who is known but may not gets 403.
Rule 3. A role is what the table of routes asks for; which organisation's objects exist for somebody is decided where
        they are read, in `tenants/`.
"""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from sluicegate.control.context import Context, context_of
from sluicegate.control.problems import REQUEST_ID_HEADER, ProblemError
from sluicegate.control.routes.route import Least
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.own_key import OwnKey, own_key
from sluicegate.domain.tenants import Role, TokenStatus
from sluicegate.domain.tokens import digest

_HEADER = "x-admin-secret"
_CALLER_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")
_CHALLENGE = {"www-authenticate": 'Bearer, Basic realm="sluicegate", charset="UTF-8"'}
"""RFC 9110 section 11.6.1, RFC 7617 section 2.1."""


async def enter(request: Request, least: Role) -> Actor:
    """Who asks, if they have this role; it is looked up once in a request. Raises ProblemError 401, 403."""
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is None:
        actor = request.state.actor = await _actor(request, context_of(request))
    if not actor.is_at_least(least):
        detail = f"This asks for the role {least!r}; this credential has the role {actor.role!r}."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)
    return actor


async def enter_caller(request: Request) -> OwnKey:
    """The token that a caller of the gateway presents; its time may be over. Raises ProblemError 401, 403."""
    key: OwnKey | None = getattr(request.state, "caller", None)
    if key is None:
        key = request.state.caller = await _caller(request, context_of(request))
    return key


def guard(least: Least) -> Callable[[Request], Awaitable[object]]:
    """What lets in who may use a route, and raises ProblemError for others."""
    if least == "anyone":
        return _let_in
    if least == "caller":
        return enter_caller
    return partial(enter, least=least)


async def acting(request: Request) -> Actor:
    """Who was let in by the route's guard."""
    actor: Actor = request.state.actor
    return actor


Acting = Annotated[Actor, Depends(acting)]
"""Annotation of a route's parameter that shall be who asks."""


async def calling(request: Request) -> OwnKey:
    """The token that a caller presents, as long as it has time. Raises ProblemError 401, 403."""
    key = await enter_caller(request)
    key.require_unexpired()
    return key


Calling = Annotated[OwnKey, Depends(calling)]
"""Annotation of a route's parameter that shall be the caller's own token."""

Holding = Annotated[OwnKey, Depends(enter_caller)]
"""The same where an expired token will do."""


def bearer(request: Request) -> str:
    """The credential of `Authorization: Bearer …`: all after the first space, trimmed; empty where there is none."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


async def _let_in(request: Request) -> None:
    del request


async def _caller(request: Request, context: Context) -> OwnKey:
    credential = bearer(request) or next(filter(None, map(request.headers.get, _CALLER_HEADERS)), "")
    if not credential:
        detail = f"A token is missing: send it as Authorization: Bearer …, or in {', '.join(_CALLER_HEADERS)}."
        raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"www-authenticate": "Bearer"})
    known = digest(credential.encode("latin-1"))
    defaults = context.configuration.current.limit_defaults
    key = await own_key(context.tenancy, context.declared, defaults, known, credential)
    if key is None:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "This token is not known.", headers={"www-authenticate": "Bearer"})
    return key


async def _actor(request: Request, context: Context) -> Actor:
    address = request.headers.get("x-forwarded-for", "")
    request_id = request.headers.get(REQUEST_ID_HEADER, "")
    current = context.configuration.current
    expected = current.management_digest
    presented = [credential for credential in (bearer(request), request.headers.get(_HEADER)) if credential]
    for credential in presented:
        known = digest(credential.encode("latin-1"))
        if expected is not None and hmac.compare_digest(known, expected):
            return Actor("root", "root", "root", None, address, request_id)
        actor = await _by_key(context, known, address, request_id)
        if actor is not None:
            return actor
    basic = _basic(request)
    if basic is not None:
        known = digest(":".join(basic).encode())
        if current.admin_digest is not None and hmac.compare_digest(known, current.admin_digest):
            return Actor("account", "admin", "admin", None, address, request_id)
        actor = await _by_password(context, *basic, address, request_id)
        if actor is not None:
            return actor
    raise _refusal(is_closed=not current.is_managed, is_presented=bool(presented) or basic is not None)


async def _by_key(context: Context, known: bytes, address: str, request_id: str) -> Actor | None:
    async with context.tenancy.database.reading() as session:
        key = await session.admin_keys.by_digest(known)
    if key is None:
        return None
    _require_active("admin key", key.status)
    if key.expires_at is not None and key.expires_at <= context.tenancy.now():
        raise ProblemError(HTTPStatus.FORBIDDEN, "This admin key has expired.")
    context.key_uses.note(key.id, context.tenancy.now())
    return Actor("admin_key", key.id, key.role, key.organization_id, address, request_id)


async def _by_password(context: Context, login: str, password: str, address: str, request_id: str) -> Actor | None:
    async with context.tenancy.database.reading() as session:
        account = await session.accounts.by_login(login)
    if not await context.passwords.is_right(password, account.password_hash if account else None) or account is None:
        return None
    _require_active("account", account.status)
    return Actor("account", account.id, account.role, account.organization_id, address, request_id)


def _require_active(what: str, status: TokenStatus) -> None:
    if status != "active":
        raise ProblemError(HTTPStatus.FORBIDDEN, f"This {what} is {status}.")


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    login, separator, password = text.partition(":")
    # NUL: what no login holds, PostgreSQL refuses to compare with.
    return (login, password) if separator and "\0" not in login else None


def _refusal(*, is_closed: bool, is_presented: bool) -> ProblemError:
    if is_closed and is_presented:
        detail = (
            "No management token is configured, and this is no admin key: set management_token in the file,"
            " or the variable MANAGEMENT_TOKEN."
        )
        return ProblemError(HTTPStatus.FORBIDDEN, detail)
    what = "is not known" if is_presented else "is missing"
    detail = (
        f"The credential {what}: send the management token or an admin key as Authorization: Bearer …, or in {_HEADER}."
    )
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers=_CHALLENGE)
