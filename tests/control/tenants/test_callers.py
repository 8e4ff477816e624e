"""Who a route is explained for."""

from typing import Any

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import callers
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.callers import Caller
from sluicegate.control.token_directory import DeclaredTokens
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.control.api import Api

ROOT = Actor("root", "root", "root")
OWN = Actor("admin_key", "a", "viewer", "org_own")


def test_ids_of_declared_tokens_are_looked_for_first(api: Api) -> None:
    """They are in no database; one of a foreign organisation is as good as none."""
    api.world()
    bound: dict[str, Any] = {"name": "n", "model": "m", "models": ("a",), "paths": ("p",)}
    declared = [Principal("tok_file", organization_id="org_foreign", **bound)]
    found = api.run(callers.by_id(api.tenancy, ROOT, declared, "tok_file"))
    assert found == Caller("token", "tok_file", "n", "m", "token", ("a",), ("p",))
    with pytest.raises(ProblemError, match="tok_file"):
        api.run(callers.by_id(api.tenancy, OWN, declared, "tok_file"))
    assert api.run(callers.by_id(api.tenancy, OWN, declared, "tok_own")) == Caller("token", "tok_own")


def test_declared_tokens_have_the_model_of_their_project(api: Api) -> None:
    """Where the file has none for them."""
    api.world()
    api.make("PATCH", "/manage/projects/prj_own", {"model": "smart"})
    for own, model, whose in ((None, "smart", "project"), ("m", "m", "token")):
        declared = [Principal("tok_file", project_id="prj_own", organization_id="org_own", model=own)]
        found = api.run(callers.by_id(api.tenancy, ROOT, declared, "tok_file"))
        assert (found.model, found.model_of) == (model, whose)


@pytest.mark.parametrize(("actor", "expected"), [(ROOT, "tok_foreign"), (OWN, None)])
def test_secrets_lead_to_what_is_seen(api: Api, actor: Actor, expected: Any) -> None:
    """A token of another organisation is not there for a bounded manager."""
    secret = api.world().foreign["secret"]
    found = api.run(callers.by_secret(api.tenancy, actor, [], secret))
    assert (found and found.id) == expected
    declared = [DeclaredTokens({digest(b"s"): Principal("tok_foreign", organization_id="org_foreign")})]
    found = api.run(callers.by_secret(api.tenancy, actor, declared, "s"))
    assert (found and found.id) == expected
