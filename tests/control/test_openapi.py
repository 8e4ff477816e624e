"""The OpenAPI document: it is complete, and what it promises is true."""

import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.config.environment import process_environment
from sluicegate.control.openapi import security
from sluicegate.control.routes.table import ROUTES
from tests.control.api import Api
from tests.control.serving import served

SETTINGS = Path(__file__).with_name("schemathesis.toml")
SECONDS = int(process_environment().get("SCHEMATHESIS_SECONDS", "3"))
"""For each role. A look in passing; a thorough one takes a minute."""


@pytest.mark.parametrize("role", ["root", "viewer", None])
def test_document_is_true(role: str | None, api: Api) -> None:
    """Schemathesis, as root, as viewer and without a credential, finds nothing that the document does not say."""
    world = api.world()
    with served(api) as url:
        command = [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            str(SETTINGS),
            "run",
            f"{url}/openapi.json",
        ]
        command += ["--phases", "examples,coverage,fuzzing", "--max-examples", "2", "--seed", "1"]
        command += ["--max-time", str(SECONDS), "--continue-on-failure", "--no-color", "--generation-database", "none"]
        if role is not None:
            command += ["--header", f"Authorization: Bearer {world.keys[role]}"]
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS + 60)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_row_is_documented(api: Api) -> None:
    """Each row of the table is there with what it asks for, and HEAD is not repeated beside GET."""
    paths = api.ask("GET", "/openapi.json", key=None).json["paths"]
    documented = {(method.upper(), path): told for path, methods in paths.items() for method, told in methods.items()}
    assert set(documented) == {(route.method, route.path) for route in ROUTES}
    for route in ROUTES:
        told = documented[route.method, route.path]
        assert (told["x-least-role"], told["security"]) == (route.least, security(route.least))
        assert str(route.status) in told["responses"]
        assert "4XX" in told["responses"]
        assert told["description"]


def test_headers_are_documented(api: Api) -> None:
    """Creations tell of the idempotency key, changes of If-Match."""
    paths = api.application.state.openapi()["paths"]
    assert "Idempotency-Key" in {one["name"] for one in paths["/admin/tokens"]["post"]["parameters"]}
    for method in ("patch", "delete"):
        assert "If-Match" in {one["name"] for one in paths["/admin/tokens/{token_id}"][method]["parameters"]}


def test_both_forms_of_an_answer_are_documented(api: Api) -> None:
    """An answer that is JSON, or a stream of something else, is documented as either; one that is no JSON as that."""
    paths = api.application.state.openapi()["paths"]
    imported = paths["/admin/users/import"]["post"]["responses"]["200"]["content"]
    assert set(imported) == {"application/json", "application/x-ndjson"}
    assert imported["application/json"]["schema"] == {"$ref": "#/components/schemas/Imported"}
    exported = paths["/admin/users/export"]["get"]["responses"]["200"]["content"]
    assert set(exported) == {"application/x-ndjson", "text/csv"}


def test_refusals_are_documented_in_the_form_they_have(api: Api) -> None:
    """What SDKs ask for is refused as they expect it, everything else as a problem."""
    paths = api.application.state.openapi()["paths"]
    for path, media, schema in (
        ("/v1/models", "application/json", "OpenAIError"),
        ("/v1beta/models/{model_id}", "application/json", "GoogleError"),
        ("/v1/key", "application/problem+json", "Problem"),
    ):
        content = paths[path]["get"]["responses"]["4XX"]["content"]
        assert content == {media: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def test_metadata_refers_to_any_json(api: Api) -> None:
    """What metadata may hold is told once, to every depth."""
    schemas = api.application.state.openapi()["components"]["schemas"]
    assert schemas["TokenCreate"]["properties"]["metadata"] == {"$ref": "#/components/schemas/JsonObject"}
    assert schemas["JsonObject"]["additionalProperties"] == {"$ref": "#/components/schemas/Json"}
