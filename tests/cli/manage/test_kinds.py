"""The kinds of objects, held against the table of routes."""

import pytest

from sluicegate.cli.manage.kinds import (
    ACCOUNT,
    ADMIN_KEY,
    LIMIT,
    ORGANIZATION,
    PRICE,
    PROJECT,
    PROVIDER_KEY,
    REQUEST,
    TOKEN,
    USED,
    USER,
    Kind,
)
from sluicegate.control.routes.accounts import AccountShown
from sluicegate.control.routes.admin_keys import AdminKeyShown
from sluicegate.control.routes.body import Shown
from sluicegate.control.routes.consumption import GroupShown
from sluicegate.control.routes.credentials import CredentialShown
from sluicegate.control.routes.limits import LimitShown
from sluicegate.control.routes.organizations import OrganizationShown
from sluicegate.control.routes.prices import PriceShown
from sluicegate.control.routes.projects import ProjectShown
from sluicegate.control.routes.request_rows import RequestShown
from sluicegate.control.routes.table import ROUTES
from sluicegate.control.routes.tokens import TokenShown
from sluicegate.control.routes.users import UserShown

KINDS = [
    (ORGANIZATION, OrganizationShown),
    (PROJECT, ProjectShown),
    (USER, UserShown),
    (TOKEN, TokenShown),
    (LIMIT, LimitShown),
    (PRICE, PriceShown),
    (ADMIN_KEY, AdminKeyShown),
    (ACCOUNT, AccountShown),
    (PROVIDER_KEY, CredentialShown),
]
LOOKED_AT = [(REQUEST, RequestShown), (USED, GroupShown)]


@pytest.mark.parametrize(("kind", "shown"), KINDS + LOOKED_AT)
def test_fields_are_those_of_the_api(kind: Kind, shown: type[Shown]) -> None:
    """Every field that a table shows, and the id, is one that the API sends."""
    assert {*kind.columns, kind.id_field, kind.shown_once or kind.id_field} <= set(shown.model_fields)
    assert kind.columns[0] == kind.id_field


@pytest.mark.parametrize(("kind", "shown"), KINDS)
def test_paths_are_those_of_the_api(kind: Kind, shown: type[Shown]) -> None:
    """Every kind can be listed and made at its path."""
    del shown
    assert {("GET", kind.path), ("POST", kind.path)} <= {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize(("kind", "shown"), LOOKED_AT)
def test_paths_of_what_is_looked_at(kind: Kind, shown: type[Shown]) -> None:
    """It can be asked for at its path."""
    del shown
    assert ("GET", kind.path) in {(route.method, route.path) for route in ROUTES}
