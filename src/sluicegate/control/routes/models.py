"""`GET /v1/models`: what a caller may use, in the one form that the SDKs of OpenAI and of Anthropic both read.

Google's SDK asks the same paths or those of `/v1beta`, and reads another form: there, and to who presents a token as
only that SDK does, the answer is in it.
"""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Request, Response
from pydantic import Field

from sluicegate.control.access import Calling
from sluicegate.control.context import Context, Reached
from sluicegate.control.offers import Offer
from sluicegate.control.problem_answers import is_google
from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.body import Shown
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants.own_key import OwnKey
from sluicegate.dialects.allow import allowed_methods
from sluicegate.domain.snapshot import AllowRule


class ModelShown(Shown):
    """A model. When it was made is not known: the epoch stands for that."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["model"]
    display_name: str
    created_at: str


class ModelsShown(Shown):
    """All models that the token may use; there is one page."""

    object: Literal["list"]
    data: list[ModelShown]
    has_more: bool
    first_id: str | None
    last_id: str | None


class GoogleModelShown(Shown):
    """A model as Google's SDK reads it."""

    name: str
    display_name: Annotated[str, Field(alias="displayName")]
    methods: Annotated[list[str], Field(alias="supportedGenerationMethods")]


class GoogleModelsShown(Shown):
    """All models that the token may use and that answer in Google's API; there is one page."""

    models: list[GoogleModelShown]


async def list_models(key: Calling, context: Reached, request: Request) -> Response:
    """The models that the token may use; in Google's form with `x-goog-api-key`."""
    offer = await _offer(key, context, request)
    return Response(offer.body_for_google() if is_google(request) else offer.body, media_type="application/json")


async def show_model(model_id: str, key: Calling, context: Reached, request: Request) -> Response:
    """One of them; an id may have slashes."""
    offer = await _offer(key, context, request)
    body = offer.find_for_google(model_id) if is_google(request) else offer.find(model_id)
    if body is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"The model {model_id!r} is not known, or not for this token.")
    return Response(body, media_type="application/json")


async def _offer(key: OwnKey, context: Context, request: Request) -> Offer:
    """What the token may use. Raises ProblemError 403 where it may not use the path, as workers decide it."""
    _require_path(key, request.url.path)
    return await context.offers.of(context.configuration.current.snapshot, key.model, key.models)


def _require_path(key: OwnKey, path: str) -> None:
    """With a leading slash a pattern is of the whole path, without of the API's own."""
    rest = path[1:].partition("/")[2]
    for pattern in key.paths:
        if allowed_methods((AllowRule(("any",), pattern),), path if pattern.startswith("/") else rest):
            return
    if key.paths:
        detail = f"This token may not use the path {path}; it may use {', '.join(key.paths)}."
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)


ROUTES = (
    Route("GET", "/v1/models", "caller", list_models, 200, ModelsShown),
    Route("GET", "/v1/models/{model_id}", "caller", show_model, 200, ModelShown, takes_rest=True),
    Route("GET", "/v1beta/models", "caller", list_models, 200, GoogleModelsShown),
    Route("GET", "/v1beta/models/{model_id}", "caller", show_model, 200, GoogleModelShown, takes_rest=True),
)
