"""A caller's own token."""

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.own_key import own_key
from sluicegate.control.token_directory import DeclaredTokens
from sluicegate.domain.principal import Principal
from sluicegate.domain.tokens import digest
from tests.control.api import Api

SECRET = "a-declared-secret-of-some-length"


@pytest.mark.parametrize(
    ("principal", "detail"),
    [
        (Principal("tok_1", expires_at=1.0), "This token has expired."),
        (Principal("tok_1", is_active=False), "This token is suspended."),
    ],
)
def test_declared_token_that_is_over_is_refused(principal: Principal, detail: str, api: Api) -> None:
    """A declared token that expired or is not active is refused with the reason."""
    known = digest(SECRET.encode())
    with pytest.raises(ProblemError) as refused:
        api.run(own_key(api.tenancy, [DeclaredTokens({known: principal})], known, SECRET))
    assert (refused.value.status, refused.value.detail) == (403, detail)


def test_declared_token_comes_first(api: Api) -> None:
    """A token that any of the files declares is found without the database, and masked; else it is nobody's."""
    known = digest(SECRET.encode())
    files = [DeclaredTokens({}), DeclaredTokens({known: Principal("tok_1")}), DeclaredTokens({known: Principal("no")})]
    found = api.run(own_key(api.tenancy, files, known, SECRET))
    assert found is not None
    assert (found.shown, found.token, found.declared) == ("a-decl…ngth", None, Principal("tok_1"))
    assert api.run(own_key(api.tenancy, [], known, SECRET)) is None
