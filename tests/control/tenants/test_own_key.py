"""A caller's own token."""

import dataclasses
from contextlib import AbstractAsyncContextManager
from typing import cast

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.own_key import own_key
from sluicegate.control.token_directory import DeclaredTokens
from sluicegate.domain.default_limits import Defaults, Terms
from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import StoreUnavailableError
from tests.control.api import Api

SECRET = "a-declared-secret-of-some-length"


def test_declared_token_that_is_suspended_is_refused(api: Api) -> None:
    """Its caller learns why, and nothing else."""
    known = digest(SECRET.encode())
    files = [DeclaredTokens({known: Principal("tok_1", is_active=False)})]
    with pytest.raises(ProblemError) as refused:
        api.run(own_key(api.tenancy, files, Defaults(), known, SECRET))
    assert (refused.value.status, refused.value.detail) == (403, "This token is suspended.")


def test_token_that_has_expired_is_shown_to_who_asks_for_it(api: Api) -> None:
    """One of a file and one of the database; whoever needs a valid one refuses it."""
    known = digest(SECRET.encode())
    files = [DeclaredTokens({known: Principal("tok_1", expires_at=1.0)})]
    declared = api.run(own_key(api.tenancy, files, Defaults(), known, SECRET))
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/tokens/tok_own", {"expires_at": "2020-01-01T00:00:00Z"})
    stored = api.run(own_key(api.tenancy, [], Defaults(), digest(secret.encode()), secret))
    for found in (declared, stored):
        assert found is not None
        assert found.is_expired
        with pytest.raises(ProblemError, match="has expired"):
            found.require_unexpired()


def test_token_that_has_not_expired_yet_is_good(api: Api) -> None:
    """One of a file and one of the database, in their last moments."""
    known, now = digest(SECRET.encode()), api.tenancy.now()
    files = [DeclaredTokens({known: Principal("tok_1", expires_at=now / 1000 + 1)})]
    declared = api.run(own_key(api.tenancy, files, Defaults(), known, SECRET))
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/tokens/tok_own", {"expires_at": "2999-01-01T00:00:00Z"})
    stored = api.run(own_key(api.tenancy, [], Defaults(), digest(secret.encode()), secret))
    for found in (declared, stored):
        assert found is not None
        assert not found.is_expired
        found.require_unexpired()


def test_token_whose_owner_is_suspended_is_refused(api: Api) -> None:
    """Its caller learns why, and nothing else; as workers do."""
    secret = api.world().own["secret"]
    api.make("PATCH", "/admin/organizations/org_own", {"status": "suspended"})
    with pytest.raises(ProblemError, match="what it belongs to is suspended") as refused:
        api.run(own_key(api.tenancy, [], Defaults(), digest(secret.encode()), secret))
    assert refused.value.status == 403


def test_limits_of_a_token_come_with_it(api: Api) -> None:
    """Those of its owners too, and the defaults; those of a declared one are in it already."""
    secret = api.world().own["secret"]
    defaults = Defaults(users=(Terms("requests", Rolling(60), 7),))
    found = api.run(own_key(api.tenancy, [], defaults, digest(secret.encode()), secret))
    assert found is not None
    assert [limit.account for limit in found.limits] == ["prj_own|tokens|1h", "usr_own|requests|1m"]
    limit = Limit("token", "tok_1", "tokens", Rolling(60), 7)
    known = digest(SECRET.encode())
    files = [DeclaredTokens({known: Principal("tok_1", limits=(limit,))})]
    declared = api.run(own_key(api.tenancy, files, defaults, known, SECRET))
    assert declared is not None
    assert declared.limits == (limit,)


def test_declared_token_comes_first(api: Api) -> None:
    """A token that any of the files declares is found without the database, and masked; else it is nobody's."""
    known = digest(SECRET.encode())
    files = [DeclaredTokens({}), DeclaredTokens({known: Principal("tok_1")}), DeclaredTokens({known: Principal("no")})]
    found = api.run(own_key(api.tenancy, files, Defaults(), known, SECRET))
    assert found is not None
    assert (found.shown, found.token, found.declared) == ("a-decl…ngth", None, Principal("tok_1"))
    assert api.run(own_key(api.tenancy, [], Defaults(), known, SECRET)) is None


class Away:
    """A database that does not answer."""

    def reading(self) -> AbstractAsyncContextManager[Session]:
        """Fail."""
        raise StoreUnavailableError("refused")


def test_a_declared_token_is_shown_what_bounds_its_owners(api: Api) -> None:
    """As the database has it, and while that does not answer, as the file does."""
    api.world()
    api.make("PATCH", "/admin/organizations/org_own", {"monthly_budget_usd": 5})
    known = digest(SECRET.encode())
    own = Limit("token", "tok_1", "tokens", Rolling(60), 7)
    files = [DeclaredTokens({known: Principal("tok_1", organization_id="org_own", limits=(own,))})]
    found = api.run(own_key(api.tenancy, files, Defaults(), known, SECRET))
    assert found is not None
    assert [limit.account for limit in found.limits] == ["org_own|usd|month", "tok_1|tokens|1m"]
    away = dataclasses.replace(api.tenancy, database=cast("Database", Away()))
    found = api.run(own_key(away, files, Defaults(), known, SECRET))
    assert found is not None
    assert found.limits == (own,)
