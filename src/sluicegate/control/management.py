"""The management API, put together from the parts of a node.

It is loaded last: that takes half a second, and workers, which wait for the rest, need nothing of it.
"""

import secrets
from collections.abc import Callable, Sequence

from sluicegate.control.application import create_application
from sluicegate.control.configuration import Configuration
from sluicegate.control.consumers import Consumers
from sluicegate.control.context import Context
from sluicegate.control.logs import Logs
from sluicegate.control.metrics.sources import Sources
from sluicegate.control.offers import Offers
from sluicegate.control.passwords import Passwords
from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.control.tenants.tenancy import Tenancy
from sluicegate.control.token_directory import Declared
from sluicegate.control.web import WebServer
from sluicegate.control.workers import Workers
from sluicegate.ledger.interface import Ledger


def management(
    *,
    configuration: Configuration,
    workers: Workers,
    consumers: Consumers,
    source: str,
    tenancy: Tenancy,
    declared: Sequence[Declared],
    key_uses: KeyUses,
    ledger: Ledger,
    offers: Offers,
    logs: Logs,
    metrics: Sources,
    started: Callable[[], None],
) -> WebServer:
    """The server, to be run. `started` is called once it accepts connections."""
    context = Context(
        configuration=configuration,
        workers=workers,
        consumers=consumers,
        source=source,
        tenancy=tenancy,
        passwords=Passwords(key=secrets.token_bytes(32)),
        declared=declared,
        key_uses=key_uses,
        ledger=ledger,
        offers=offers,
        logs=logs,
        metrics=metrics,
    )
    return WebServer(create_application(context), started=started)
