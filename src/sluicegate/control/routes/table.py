"""Every path of the management API, in one table."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sluicegate.control.access import Role
from sluicegate.control.routes.configuration import reload_configuration, show_configuration
from sluicegate.control.routes.node import show_node
from sluicegate.control.routes.workers import list_workers


class Route(NamedTuple):
    """One row: who may do what, and what does it."""

    method: str
    path: str
    role: Role
    endpoint: Callable[..., Any]


ROUTES = (
    Route("GET", "/", "anyone", show_node),
    Route("GET", "/admin/config", "management", show_configuration),
    Route("POST", "/admin/config/reload", "management", reload_configuration),
    Route("GET", "/admin/workers", "management", list_workers),
)
"""Every `GET` also answers `HEAD`."""
