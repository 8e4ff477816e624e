"""The table of the management API's paths: who gets at what, tried for every row that there is."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sluicegate.control.routes.route import Route
from sluicegate.control.routes.table import ROUTES
from sluicegate.control.tenants import actor
from sluicegate.domain import tenants
from tests.control.api import Api, World

RANKS = {str(role): rank for role, rank in actor.RANKS.items()}
ROLES = ("viewer", "organization_admin", "admin", "root")
BOUNDED = ("viewer", "organization_admin")
MANAGED = [route for route in ROUTES if route.least not in {"anyone", "caller"}]
WRITTEN = [route for route in MANAGED if route.method in {"POST", "PATCH", "PUT"} and not route.takes]
OWNERS = ("org_id", "organization_id", "project_id", "user_id", "token_id", "key_id", "admin_key_id", "scope_id")

RECORDS = [
    tenants.Organization,
    tenants.Project,
    tenants.User,
    tenants.Token,
    tenants.ProviderCredential,
    tenants.LimitRecord,
    tenants.PriceOverride,
    tenants.AdminKey,
    tenants.Account,
]
STORED_FIELDS = {name for record in RECORDS for name in record.__struct_fields__}


STORED = (
    "organizations",
    "projects",
    "users",
    "tokens",
    "limits",
    "price_overrides",
    "admin_keys",
    "accounts",
    "credentials",
)
"""The repositories of these records."""


def called(route: Route) -> str:
    """A row by its name."""
    return f"{route.method} {route.path}"


each_route = pytest.mark.parametrize("route", MANAGED, ids=called)
each_written = pytest.mark.parametrize("route", WRITTEN, ids=called)


def path_of(route: Route, objects: Mapping[str, str]) -> str:
    """The row's path with the ids of these objects."""
    return route.path.format_map({**objects, "account_id": "acc_none"})


def operation(api: Api, route: Route) -> Mapping[str, Any]:
    """What the OpenAPI document says of the row."""
    found: Mapping[str, Any] = api.application.state.openapi()["paths"][route.path][route.method.lower()]
    return found


def schema_of(api: Api, route: Route) -> Mapping[str, Any]:
    """The form of the row's body; empty where it takes none."""
    content = operation(api, route).get("requestBody", {}).get("content", {})
    schema: Mapping[str, Any] = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = api.application.state.openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def value_for(name: str, schema: Mapping[str, Any], objects: Mapping[str, str]) -> Any:
    """A value that a field of this form accepts."""
    if name in objects:
        return objects[name]
    for one in schema.get("anyOf", [schema]):
        if "enum" in one:
            return one["enum"][0]
        if "const" in one:
            return one["const"]
        match one.get("type"):
            case "integer" | "number":
                return one.get("minimum", 1)
            case "boolean":
                return True
            case "array":
                return []
            case "object":
                return {}
            case "string":
                return _text(name, one)
    return {}


def _text(name: str, schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date-time":
        return "2030-01-01T00:00:00Z"
    special = {
        "email": "new@example.com",
        "token": "sk-sg-nothing",
        "provider": "openai",
        "role": "viewer",
        "window": "5h",
        "model": "gpt-5",
    }
    return str(special.get(name, "x" * max(schema.get("minLength", 1), 12)))


def body_of(api: Api, route: Route, objects: Mapping[str, str]) -> Any:
    """The least body that the row accepts, about these objects; None where it takes none."""
    schema = schema_of(api, route)
    if not schema:
        return None
    names = list(schema.get("required", []))
    if not names and schema.get("minProperties"):
        names = list(schema["properties"])[:1]
    return {name: value_for(name, schema["properties"][name], objects) for name in names}


def names_objects(api: Api, route: Route) -> bool:
    """Whether a request of the row is about an object that belongs to somebody."""
    body = body_of(api, route, {})
    return "{" in route.path or any(name in (body or {}) for name in OWNERS)


def asked(api: Api, route: Route, world: World, role: str | None, objects: Mapping[str, str]) -> Any:
    """Ask for the row in a role, about these objects."""
    key = None if role is None else world.keys[role]
    body = body_of(api, route, objects)
    if route.takes:
        body = b""
    headers = {"content-type": route.takes[0]} if route.takes else None
    return api.ask(route.method, path_of(route, objects), key=key, body=body, headers=headers)


def state(api: Api) -> Any:
    """Everything that is stored of tenants and their managers."""

    async def read() -> list[Any]:
        async with api.database.reading() as session:
            return [await getattr(session, name).list(limit=1000) for name in STORED]

    return api.run(read())


def test_no_row_is_there_twice() -> None:
    """Every method of a path is in one row."""
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_only_these_rows_are_open() -> None:
    """Without a credential there are the front page and the documentation; a caller gets at its own token alone.

    Who reads the metrics is decided by themselves: there is one more credential for them.
    """
    assert [route.path for route in ROUTES if route.least == "anyone"] == ["/", "/openapi.json", "/docs", "/metrics"]
    assert [route.path for route in ROUTES if route.least == "caller"] == [
        "/v1/key",
        "/v1/key/usage",
        "/stats",
        "/v1/models",
        "/v1/models/{model_id}",
        "/v1beta/models",
        "/v1beta/models/{model_id}",
    ]


@each_route
def test_who_has_not_the_role_is_refused(route: Route, api: Api) -> None:
    """Without a credential the answer is 401, with too low a role 403, and nothing changes, whosever object it is."""
    world = api.world()
    before = state(api)
    for objects in (world.own, world.foreign):
        assert asked(api, route, world, None, objects).status == 401
        for role in ROLES:
            if RANKS[role] < RANKS[route.least]:
                assert asked(api, route, world, role, objects).status == 403, role
    assert state(api) == before


@each_route
def test_foreign_object_does_not_exist_for_a_bounded_manager(route: Route, api: Api) -> None:
    """Who manages one organisation gets 404 for an object of another, as for one that is not there; nothing changes."""
    world = api.world()
    before = state(api)
    if not names_objects(api, route):
        return
    for role in BOUNDED:
        if RANKS[role] >= RANKS[route.least]:
            answer = asked(api, route, world, role, world.foreign)
            assert answer.status == 404, (role, answer)
            mixed = {**world.foreign, "org_id": "org_own", "project_id": "prj_own", "user_id": "usr_own"}
            if route.path.count("{") > 1:
                assert asked(api, route, world, role, mixed).status in {404, 204, 200, 201}
            missing = asked(api, route, world, role, {name: f"{value}_none" for name, value in world.foreign.items()})
            assert missing.status == 404
            assert missing.json["title"] == answer.json["title"]
    after = state(api)
    foreign = [record for records in before for record in records if "foreign" in repr(record)]
    assert [record for records in after for record in records if "foreign" in repr(record)] == foreign


@each_route
def test_who_has_the_role_gets_in(route: Route, api: Api) -> None:
    """Who has the role gets at their own objects, and managers of all organisations at everybody's.

    A bounded manager's answer to a GET has nothing of another organisation in it.
    """
    world = api.world()
    for role in ROLES:
        if RANKS[role] < RANKS[route.least]:
            continue
        for objects in (world.own,) if role in BOUNDED else (world.own, world.foreign):
            answer = asked(api, route, world, role, objects)
            assert answer.status < 500
            assert answer.status != 401
            if answer.status == 403:
                assert role in BOUNDED
                assert "all organizations" in answer.json["detail"]
            if route.method == "GET" and role in BOUNDED:
                assert b"foreign" not in answer.body


def fields_to_try(api: Api, route: Route) -> Iterator[tuple[str, bool]]:
    """Every field there is anywhere, and whether the row's body has it."""
    known = schema_of(api, route).get("properties", {})
    schemas = api.application.state.openapi()["components"]["schemas"]
    anywhere = STORED_FIELDS | {name for schema in schemas.values() for name in schema.get("properties", {})}
    for name in sorted(anywhere | set(known)):
        yield name, name in known


@each_written
def test_no_field_is_assigned_by_who_may_not(route: Route, api: Api) -> None:
    """Mass assignment: the lowest role sets no field at all, and the lowest that may write only those of the form.

    All fields are tried at once: the answer names each one that is not taken.
    """
    world = api.world()
    if not schema_of(api, route):
        return
    before = state(api)
    path = path_of(route, world.own)
    least = body_of(api, route, world.own)
    properties = schema_of(api, route)["properties"]
    values = {
        name: value_for(name, properties.get(name, {"type": "string"}), world.foreign)
        for name, _ in fields_to_try(api, route)
    }
    if route.least != "viewer":
        assert api.ask(route.method, path, key=world.keys["viewer"], body=least | values).status == 403
    unknown = {name for name, is_known in fields_to_try(api, route) if not is_known}
    body = least | {name: values[name] for name in unknown}
    answer = api.ask(route.method, path, key=world.keys[route.least], body=body)
    assert answer.status == 422
    assert {error["path"] for error in answer.json["errors"]} >= {f"body.{name}" for name in unknown}
    assert len(unknown) > len(STORED_FIELDS) // 2
    assert state(api) == before


@each_written
def test_no_object_is_given_to_another_organization(route: Route, api: Api) -> None:
    """A bounded manager who names a foreign owner in a body is refused, and nothing changes."""
    world = api.world()
    properties = schema_of(api, route).get("properties", {})
    if RANKS["organization_admin"] < RANKS[route.least]:
        return
    before = state(api)
    for name in OWNERS:
        if name in properties:
            body = body_of(api, route, world.own) | {name: world.foreign[name]}
            answer = api.ask(route.method, path_of(route, world.own), key=world.keys["organization_admin"], body=body)
            assert answer.status in {403, 404, 422}, (name, answer)
    assert state(api) == before
