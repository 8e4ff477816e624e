"""The OpenAPI document of the management API, from the table of routes."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from sluicegate.control.problems import GOOGLE_PATHS, SDK_PATHS
from sluicegate.control.routes.body import ANY_JSON, JSON_SCHEMAS
from sluicegate.control.routes.route import Least, Route

PROBLEM = "application/problem+json"

_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The management token or an admin key."},
    "admin-secret": {"type": "apiKey", "in": "header", "name": "x-admin-secret", "description": "The same."},
    "account": {"type": "http", "scheme": "basic", "description": "An account's login and password."},
    "token": {"type": "http", "scheme": "bearer", "description": "A caller's own token."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same."},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "The same."},
    "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key", "description": "The same."},
}
_OF_MANAGERS = ("bearer", "admin-secret", "account")
_OF_CALLERS = ("token", "x-api-key", "api-key", "x-goog-api-key")

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "request_id", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_REFUSAL: dict[str, Any] = {
    "description": "Refused; `detail` says why.",
    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

_OPENAI_REFUSAL: dict[str, Any] = {
    "description": "Refused, in the form of OpenAI's API; `message` says why.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIError"}}},
}
_GOOGLE_REFUSAL: dict[str, Any] = {
    "description": "Refused, in the form of Google's API; `message` says why.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/GoogleError"}}},
}
_GOOGLE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "An error as Google's API tells it.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status", "details"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}
_OPENAI_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "An error as OpenAI's API tells it.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}

_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": r'^("[0-9]{1,18}"|\*)$'},
    "description": "The entity tag of the version that the change is for; 412 where it is another one.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Sent twice, the request happens once, and is answered the same both times.",
}


def operation(route: Route) -> dict[str, Any]:
    """What the table says of a route, in an operation's own words."""
    told: dict[str, Any] = {"security": security(route.least), "x-least-role": route.least}
    if route.least not in {"anyone", "caller"}:
        if route.method == "POST" and not route.takes:
            told["parameters"] = [_IDEMPOTENCY_KEY]
        elif route.method in {"PATCH", "PUT", "DELETE"}:
            told["parameters"] = [_IF_MATCH]
    if route.takes:
        told["requestBody"] = {
            "required": True,
            "content": {media: {"schema": {"type": "string"}} for media in route.takes},
        }
    return told


def responses(route: Route) -> dict[int | str, dict[str, Any]]:
    """What it may answer, besides the form of its success."""
    refusal = _OPENAI_REFUSAL if route.path.startswith(SDK_PATHS) else _REFUSAL
    if route.path.startswith(GOOGLE_PATHS):
        refusal = _GOOGLE_REFUSAL
    told: dict[int | str, dict[str, Any]] = {"4XX": refusal, "5XX": refusal}
    if route.media:
        told[route.status] = {"content": {media: {"schema": {"type": "string"}} for media in route.media}}
    return told


def security(least: Least) -> list[dict[str, list[str]]]:
    """Any one of these lets in."""
    if least == "anyone":
        return []
    return [{name: []} for name in (_OF_CALLERS if least == "caller" else _OF_MANAGERS)]


def document(application: FastAPI) -> Mapping[str, Any]:
    """The whole document."""
    described = get_openapi(
        title="Sluicegate management API",
        version=application.version,
        description=(
            "Every list is paged: `limit`, and `after` with the cursor of the page before. Objects have an `ETag`; a"
            " change with `If-Match` is refused when somebody was faster. Errors are problem JSON (RFC 9457)."
        ),
        routes=application.routes,
    )
    components = described.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components.setdefault("schemas", {}).update(
        Problem=_PROBLEM_SCHEMA, OpenAIError=_OPENAI_SCHEMA, GoogleError=_GOOGLE_SCHEMA, **JSON_SCHEMAS
    )
    shown: dict[str, Any] = _referring(described)
    return shown


def _referring(value: Any) -> Any:
    """The same, with `JsonObject` where a schema is marked so."""
    if isinstance(value, dict):
        if ANY_JSON in value:
            return {"$ref": "#/components/schemas/JsonObject"}
        return {name: _referring(inner) for name, inner in value.items()}
    return [_referring(inner) for inner in value] if isinstance(value, list) else value
