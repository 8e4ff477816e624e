"""Every path of the management API, in one table; where two fit a request, the first counts."""

from sluicegate.control.routes import (
    accounts,
    admin_keys,
    api_keys,
    audit,
    bulk,
    configuration,
    credentials,
    documentation,
    limits,
    node,
    node_state,
    organizations,
    own_key,
    own_usage,
    prices,
    projects,
    tokens,
    users,
    workers,
)
from sluicegate.control.routes.route import Route

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", "anyone", node.show_node),
    *documentation.ROUTES,
    *own_key.ROUTES,
    *own_usage.ROUTES,
    *projects.ROUTES,
    *tokens.ROUTES,
    *limits.ROUTES,
    *prices.ROUTES,
    *organizations.ROUTES,
    *bulk.ROUTES,
    *users.ROUTES,
    *api_keys.ROUTES,
    *credentials.ROUTES,
    *admin_keys.ROUTES,
    *accounts.ROUTES,
    *audit.ROUTES,
    *node_state.ROUTES,
    Route("GET", "/admin/config", "admin", configuration.show_configuration),
    Route("POST", "/admin/config/reload", "admin", configuration.reload_configuration),
    Route("GET", "/admin/workers", "admin", workers.list_workers),
)
"""Every `GET` also answers `HEAD`."""
