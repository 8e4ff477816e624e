"""Why a request would go where it goes, without sending it."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, Field, SecretStr

from sluicegate.control import explanation
from sluicegate.control.access import Acting
from sluicegate.control.context import Context, Reached
from sluicegate.control.explanation import Asked, Explanation
from sluicegate.control.key_file.declared import DeclaredKeys
from sluicegate.control.prices.table import PriceTable
from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.body import Body, Name, Words
from sluicegate.control.routes.paging import IdentifierFilter
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import callers
from sluicegate.control.tenants.callers import Caller
from sluicegate.domain.principal import Principal

_CHAT = "/v1/chat/completions"
_Path = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^/[!-~]*$")]
_Words = Annotated[
    str, Query(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*$", description="Several with commas between them.")
]


def _require_text(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable():
        raise ValueError("must be printable ASCII")
    return value


class ExplainBody(Body):
    """A request that is not sent, with the token that would send it."""

    token: Annotated[
        SecretStr,
        Field(min_length=1, max_length=1024, json_schema_extra={"pattern": r"^[ -~]+$"}),
        AfterValidator(_require_text),
    ]
    model: Name
    path: _Path = _CHAT
    regions: Words = []
    tags: Words = []


async def explain_route(
    actor: Acting,
    context: Reached,
    model: Annotated[Name, Query(description="As a client would name it.")],
    path: Annotated[_Path, Query(description="As a client would ask for it.")] = _CHAT,
    region: _Words = "",
    tags: _Words = "",
    token_id: IdentifierFilter = None,
    user_id: IdentifierFilter = None,
) -> Explanation:
    """What would become of a request: of a token, of a user, or of somebody who is bound to nothing."""
    caller = None
    if token_id is not None and user_id is not None:
        raise ProblemError(HTTPStatus.CONFLICT, "token_id and user_id: one of them.")
    if token_id is not None:
        caller = await callers.by_id(context.tenancy, actor, _declared(context), token_id)
    elif user_id is not None:
        caller = await callers.by_user(context.tenancy, actor, user_id)
    return await _explained(context, Asked(model, path, _split(region), _split(tags)), caller)


async def explain_route_of_token(body: ExplainBody, actor: Acting, context: Reached) -> Explanation:
    """The same for a token that is known by its secret, which is in the body, as addresses are written to logs."""
    asked = Asked(body.model, body.path, tuple(body.regions), tuple(body.tags))
    secret = body.token.get_secret_value()
    caller = await callers.by_secret(context.tenancy, actor, context.declared, secret)
    if caller is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "There is no token with this secret.")
    return await _explained(context, asked, caller)


async def _explained(context: Context, asked: Asked, caller: Caller | None) -> Explanation:
    compiled = context.configuration.current
    catalogue = await context.offers.catalogue()
    now = datetime.fromtimestamp(context.tenancy.now() / 1000, UTC)
    table = PriceTable(compiled.settings, compiled.snapshot, catalogue, now)
    told = {provider.id: context.workers.health_of(provider.id) for provider in compiled.snapshot.providers}
    explain = partial(explanation.explain, asked, caller, compiled.snapshot, told=told.__getitem__, price=table.price)
    # To look up many prices takes a while, and workers' questions must not wait for it.
    return await asyncio.to_thread(explain)


def _declared(context: Context) -> list[Principal]:
    """All tokens that files declare."""
    files = [one for one in context.declared if isinstance(one, DeclaredKeys)]
    of_files = [principal for keys in files for principal in keys.principals.values()]
    return [*context.configuration.current.tokens.values(), *of_files]


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in text.split(","))))


ROUTES = (
    Route("GET", "/admin/route", "viewer", explain_route),
    Route("POST", "/admin/route/explain", "viewer", explain_route_of_token),
)
