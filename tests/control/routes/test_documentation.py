"""The pages of documentation."""

import base64
import re
from hashlib import sha256

from sluicegate.control.routes.documentation import page
from sluicegate.control.routes.table import ROUTES
from tests.control.api import Api
from tests.control.conftest import WriteSources


def test_page_tells_of_every_row(api: Api) -> None:
    """Each row is there with its method, path and the role it asks for."""
    answer = api.ask("GET", "/docs", key=None)
    text = answer.body.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for route in ROUTES:
        assert f"<b>{route.method}</b> <code>{route.path}</code>" in text
    assert "Needs: organization_admin" in text


def test_page_needs_nothing_from_elsewhere(api: Api) -> None:
    """The page has no script and no resource of another place, and its policy allows none; its style is as hashed."""
    answer = api.ask("GET", "/docs", key=None)
    text = answer.body.decode()
    assert not re.search(r"<script|<link|<img|@import|url\(|\son\w+=|https?://|style=", text)
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    hashed = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{hashed}';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_closed_management_tells_nothing(api: Api, write: WriteSources) -> None:
    """Where nobody can manage anything, document and page are closed, and the answer says what to set."""
    write("")
    api.run(api.context.configuration.reload(cause="test"))
    for path in ("/docs", "/openapi.json"):
        answer = api.ask("GET", path, key=None)
        assert (answer.status, "set management_token" in answer.json["detail"]) == (401, True)


def test_document_cannot_inject_anything() -> None:
    """Whatever a document says is text on the page."""
    evil = "<script>alert(1)</script>"
    operation = {
        "description": evil,
        "x-least-role": evil,
        "parameters": [{"name": evil, "in": "query", "schema": {"enum": [evil, 1]}, "description": evil}],
        "requestBody": {"content": {"application/json": {"schema": {"properties": {evil: {"type": evil}}}}}},
        "responses": {evil: {}},
    }
    document = {
        "info": {"title": evil, "version": evil, "description": evil},
        "paths": {f"/{evil}": {"get": operation}},
    }
    assert "<script" not in page(document)


def test_forms_are_told() -> None:
    """Fields of a body and their kinds are in the table, those that may be left out are marked."""
    schema = {
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"type": "string", "format": "date-time"}},
            "b": {"anyOf": [{"$ref": "#/components/schemas/B"}, {"type": "null"}], "description": "the b"},
        },
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    document = {
        "info": {"title": "t", "version": "1"},
        "components": {"schemas": {"A": schema}},
        "paths": {"/x": {"post": {"requestBody": body}}},
    }
    text = page(document)
    assert "<code>a</code><td>body<td>list of string (date-time)<td>" in text
    assert "<code>b</code><td>body<td>B or null<td>optional; the b" in text
