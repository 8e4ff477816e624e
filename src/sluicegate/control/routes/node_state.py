"""How the node is, for whoever manages it."""

from http import HTTPStatus
from typing import Literal

from fastapi import Response
from fastapi.responses import JSONResponse

from sluicegate import __version__
from sluicegate.control.access import Acting
from sluicegate.control.context import Context, Reached
from sluicegate.control.routes.body import Shown
from sluicegate.control.routes.route import Route
from sluicegate.control.tenants import census


class WorkersShown(Shown):
    """Worker processes whose link to the control process stands, and how many of them serve."""

    connected: int
    ready: int


class ConfigurationShown(Shown):
    """The version in force; whether a newer one was refused."""

    version: int
    is_newer_refused: bool


class Health(Shown):
    """`degraded`: something works less well than it should, all requests of known tokens are served."""

    status: Literal["ok", "degraded"]
    version: str
    database: Literal["ok", "unavailable"]
    workers: WorkersShown
    configuration: ConfigurationShown


class CountsShown(Shown):
    """How many of everything there are in the installation."""

    organizations: int
    projects: int
    users: int
    tokens: int
    admin_keys: int
    accounts: int


class Metrics(Shown):
    """A summary of the node. `last_change` numbers the changes of tokens that all nodes follow."""

    version: str
    workers: WorkersShown
    configuration: ConfigurationShown
    counts: CountsShown
    last_change: int


async def show_health(context: Reached) -> Response:
    """Whether the node's parts work: 503 where one does not."""
    is_reachable = await census.is_reachable(context.tenancy)
    workers, configuration = _workers(context), _configuration(context)
    is_well = is_reachable and workers.ready > 0 and not configuration.is_newer_refused
    health = Health(
        status="ok" if is_well else "degraded",
        version=__version__,
        database="ok" if is_reachable else "unavailable",
        workers=workers,
        configuration=configuration,
    )
    status = HTTPStatus.OK if is_reachable else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(health.model_dump(mode="json"), status_code=status)


async def show_metrics(actor: Acting, context: Reached) -> Metrics:
    """Workers, configuration and how many of everything there are."""
    counted = await census.take(context.tenancy, actor)
    return Metrics(
        version=__version__,
        workers=_workers(context),
        configuration=_configuration(context),
        counts=CountsShown(
            organizations=counted.organizations,
            projects=counted.projects,
            users=counted.users,
            tokens=counted.tokens,
            admin_keys=counted.admin_keys,
            accounts=counted.accounts,
        ),
        last_change=counted.last_change,
    )


def _workers(context: Context) -> WorkersShown:
    states = context.workers.listed()
    return WorkersShown(connected=len(states), ready=sum(state.is_ready for state in states))


def _configuration(context: Context) -> ConfigurationShown:
    configuration = context.configuration
    return ConfigurationShown(version=configuration.version, is_newer_refused=configuration.failure is not None)


ROUTES = (
    Route("GET", "/admin/health", "viewer", show_health, 200, Health),
    Route("GET", "/admin/metrics", "viewer", show_metrics, 200, Metrics),
)
