"""The deployments of all providers, and how each fares."""

from sluicegate.control.access import Acting
from sluicegate.control.context import Context, Reached
from sluicegate.control.explanation import worst
from sluicegate.control.routes.body import Shown
from sluicegate.control.routes.route import Route
from sluicegate.control.workers import Told
from sluicegate.domain.snapshot import Provider
from sluicegate.wire.link import CircuitState


class DeploymentOfWorker(Shown):
    """How it fares at one worker. `reopens_in` and `rests_for` are seconds from now."""

    worker: int
    pid: int
    state: CircuitState
    failures: int
    """In a row."""
    reopens_in: float
    """Until one request tries it, where it is left alone."""
    rests_for: float
    """Until its own limits allow more."""
    busy: int
    limit: int
    """The most requests at the same time that it is given."""


class DeploymentShown(Shown):
    """A deployment of a provider: an address and a key."""

    id: str
    provider: str
    deployment: str
    """Empty where the provider has just this one."""
    dialect: str
    address: str
    region: str
    tags: list[str]
    weight: int
    models: list[str]
    """Empty where they are not configured."""
    state: CircuitState
    """The worst that a worker tells of."""
    workers: list[DeploymentOfWorker]
    """Those that have told something of it; for the others it is closed."""


class Deployments(Shown):
    """All of them, in the order in which they are configured."""

    data: list[DeploymentShown]


async def list_deployments(actor: Acting, context: Reached) -> Deployments:
    """Every deployment in force, with its state at each worker. For managers of all organisations."""
    # How busy they are tells what others do, and their addresses are of the installation's own network.
    actor.require_all_organizations()
    providers = context.configuration.current.snapshot.providers
    return Deployments(data=[_shown(provider, context) for provider in providers])


def address_of(provider: Provider) -> str:
    """Where it listens, as a base URL; nothing in it is a secret."""
    origin = provider.origin
    return (
        f"unix:{origin.host}"
        if origin.scheme == "unix"
        else f"{origin.scheme}://{provider.authority}{provider.base_path}"
    )


def _shown(provider: Provider, context: Context) -> DeploymentShown:
    told = context.workers.health_of(provider.id)
    return DeploymentShown(
        id=provider.id,
        provider=provider.name,
        deployment=provider.deployment,
        dialect=provider.dialect,
        address=address_of(provider),
        region=provider.region,
        tags=list(provider.tags),
        weight=provider.weight,
        models=list(provider.models),
        state=worst(told),
        workers=[_of_worker(one) for one in told],
    )


def _of_worker(told: Told) -> DeploymentOfWorker:
    health = told.health
    return DeploymentOfWorker(
        worker=told.worker,
        pid=told.pid,
        state=health.state,
        failures=health.failures,
        reopens_in=health.reopens_in,
        rests_for=health.rests_for,
        busy=health.busy,
        limit=health.limit,
    )


ROUTES = (Route("GET", "/admin/deployments", "viewer", list_deployments),)
