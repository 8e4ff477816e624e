"""The API's documentation: `/openapi.json` for programs, `/docs` for people.

The page is whole as it comes: no script, nothing from elsewhere, so that it works where there is no network and under
the strictest content security policy.
"""

import asyncio
import base64
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse

from sluicegate.control.context import Context, Reached
from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.route import Route

_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem}h2{margin-top:2.5rem;border-bottom:1px solid}
code{font-family:ui-monospace,monospace}
summary{cursor:pointer;padding:.4rem 0}
summary b{display:inline-block;width:4.5rem}
details{border-bottom:1px solid #8884}
details p,details table{margin:.4rem 0 .8rem 4.5rem}
table{border-collapse:collapse}
th,td{text-align:left;vertical-align:top;padding:.15rem 1rem .15rem 0}
code,td{overflow-wrap:anywhere}
small{opacity:.75}
@media(max-width:40rem){details p,details table{margin-left:0}}
"""
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


async def show_openapi(request: Request, context: Reached) -> JSONResponse:
    """This API as an OpenAPI document. Raises ProblemError 401."""
    _require_open(context)
    return JSONResponse(await _document(request))


async def show_documentation(request: Request, context: Reached) -> HTMLResponse:
    """This API as a page to read. Raises ProblemError 401."""
    _require_open(context)
    return HTMLResponse(page(await _document(request)), headers=_HEADERS)


async def _document(request: Request) -> Mapping[str, Any]:
    """The document, which the first to ask has made: in a thread, as everybody else is answered meanwhile."""
    document: Mapping[str, Any] = await asyncio.to_thread(request.app.state.openapi)
    return document


def _require_open(context: Context) -> None:
    """Where nobody can manage anything, nothing is told of how: a gateway without management is closed to strangers."""
    if not context.configuration.current.is_managed:
        detail = "The management API is closed: set management_token in the file, or the variable MANAGEMENT_TOKEN."
        raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, headers={"www-authenticate": "Bearer"})


def page(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{escape(document['info']['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(document['info']['title'])} <small>{escape(document['info']['version'])}</small></h1>",
        f"<p>{escape(document['info'].get('description', ''))}</p>",
        "<p>The same for programs: <a href='/openapi.json'>openapi.json</a></p>",
    ]
    section = None
    for path, method, operation in _operations(document):
        name = "/".join(path.split("/")[:3])
        if name != section:
            section = name
            parts.append(f"<h2>{escape(section)}</h2>")
        parts.extend(_operation(path, method, operation, document))
    return "\n".join(parts)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path in sorted(document["paths"]):
        for method, operation in document["paths"][path].items():
            yield path, method.upper(), operation


def _operation(path: str, method: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    description = operation.get("description", "").partition("\n")[0]
    yield f"<details><summary><b>{method}</b> <code>{escape(path)}</code>"
    yield f"<small>{escape(description)}</small></summary>"
    yield f"<p>Needs: {escape(operation.get('x-least-role', 'anyone'))}</p>"
    rows = [
        (one["name"], one["in"], one.get("required", False), one.get("schema", {}), one.get("description", ""))
        for one in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {})
    for form in content.values():
        schema = _resolved(form.get("schema", {}), document)
        required = schema.get("required", [])
        rows += [
            (name, "body", name in required, field, field.get("description", ""))
            for name, field in schema.get("properties", {}).items()
        ]
    if rows:
        yield "<table><tr><th>name<th>in<th>type<th>"
        for name, where, is_required, schema, told in rows:
            needed = "" if is_required else "optional; "
            yield (
                f"<tr><td><code>{escape(name)}</code><td>{where}<td>{escape(_type(schema, document))}"
                f"<td>{escape((needed + told).removesuffix('; '))}"
            )
        yield "</table>"
    answers = ", ".join(sorted(operation.get("responses", {})))
    yield f"<p>Answers: {escape(answers)}</p></details>"


def _type(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(one, document) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), document)}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][str(reference).rpartition("/")[2]]
    return found


ROUTES = (
    Route("GET", "/openapi.json", "anyone", show_openapi, 200, dict[str, Any]),
    Route("GET", "/docs", "anyone", show_documentation, 200, media=("text/html",)),
)
